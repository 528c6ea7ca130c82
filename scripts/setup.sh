#!/usr/bin/env bash
# Makes the virtual environment named and installs the project into it, with uv where there is one, else with pip.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
extras='.[local,http,postgres,redis,memcached,faiss,qdrant,qdrant-edge,chroma,pinecone,weaviate,elasticsearch,testing]'

# Whether a Python can be used; with a second argument, only the versions that are tested.
fits() {
  "$1" - "${2:-}" 2>/dev/null <<'PY'
import sqlite3, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] < ((3, 14) if sys.argv[1] else (4, 0)))
PY
}

find_python() {
  local name names=${PYTHON:-python3 python3.13 python3.12 python3.11 python}
  for name in $names; do
    if command -v "$name" >/dev/null && fits "$name" tested; then echo "$name"; return; fi
  done
  for name in $names python3.14; do
    if command -v "$name" >/dev/null && fits "$name"; then echo "$name"; return; fi
  done
  if uv_fits && [ -z "${PYTHON:-}" ]; then echo "3.12"; return; fi  # uv fetches it
  {
    echo "memwell needs Python 3.11 or later with the modules venv and sqlite3; looked for: ${names// /, }."
    echo "Install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python),"
    echo "or name it: make setup PYTHON=/path/to/python3.12"
  } >&2
  return 1
}

uv_fits() { command -v uv >/dev/null && uv pip install --help 2>/dev/null | grep -q -- '--group'; }

make_venv() {
  if [ -x "$venv/bin/python" ] && fits "$venv/bin/python"; then return; fi
  local python
  python=$(find_python)
  echo "Making $venv with Python: $python"
  if uv_fits; then
    uv venv --quiet --clear --python "$python" "$venv"
  elif ! "$python" -m venv --clear "$venv"; then
    echo "$python cannot make virtual environments (Debian and Ubuntu: apt install python3-venv)." >&2
    return 1
  fi
}

install() {
  if uv_fits; then
    uv pip install --quiet --python "$venv/bin/python" --editable "$extras" --editable examples/plugin --group dev
    return
  fi
  local python=$venv/bin/python
  "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null
  # `--group` came with pip 25.1.
  "$python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
  "$python" -m pip install --quiet --disable-pip-version-check --editable "$extras" --editable examples/plugin --group dev
}

# The servers of the tests come with Python packages, but for these, which come from the system.
install_server() {
  local name=$1
  if PATH=$PATH:/usr/bin:/usr/sbin:/opt/homebrew/bin command -v "$name" >/dev/null; then return; fi
  local sudo=""
  if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
  if [ -n "$sudo" ] && command -v brew >/dev/null; then
    echo "Installing $name with brew, for the tests"
    brew install --quiet "$name" && return
  elif command -v apt-get >/dev/null && $sudo true 2>/dev/null; then
    echo "Installing $name with apt-get, for the tests"
    # `RUNLEVEL=1` keeps Debian from starting a server of its own.
    local apt="$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq"
    $apt install -y "$name" >/dev/null 2>&1 && return
    $apt update && $apt install -y "$name" >/dev/null && return
  fi
  echo "There is no $name here, and it could not be installed without a password; the tests that need it will fail." >&2
  echo "Install it (Debian and Ubuntu: sudo apt-get install $name; macOS: brew install $name)." >&2
}

make_venv
echo "Installing memwell${extras#.} and the tools for developers into $venv (a minute or two the first time)"
install
install_server memcached
install_server pgbouncer
echo "Ready: $venv/bin/memwell --help"
