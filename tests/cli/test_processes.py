"""The command line as its users start it: pipes, terminals, signals, start-up time."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memwell import Memory

MEMWELL = (sys.executable, "-m", "memwell")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'process.db'}"


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    given = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([*MEMWELL, *arguments], **given)  # type: ignore[call-overload,no-any-return]


def stored(url: str, *texts: str) -> None:
    """Memories that are there before, from this process."""
    with Memory(url, embedder=None) as memory:
        memory.remember(texts)


def contents(url: str) -> list[str]:
    with Memory(url, embedder=None) as memory:
        return [record.content for record in memory.list(limit=10)]


def test_one_process_remembers_and_the_next_recalls(url: str) -> None:
    done = run("remember", "Ana's dog is called Biscuit 🐕", "--url", url)
    assert done.returncode == 0, done.stderr
    found = run("recall", "dog", "--url", url, "--json")
    assert json.loads(found.stdout)["id"] == done.stdout.strip()
    assert found.stderr == ""


def test_output_is_utf8_whatever_the_locale(url: str) -> None:
    stored(url, "café 猫")
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    found = subprocess.run([*MEMWELL, "list", "--url", url], capture_output=True, env=env, check=True)
    assert "café 猫" in found.stdout.decode("utf-8")


def test_an_error_shows_no_traceback(url: str) -> None:
    done = run("show", "nothing", "--url", url)
    assert done.returncode == 3
    assert done.stderr.startswith("memwell: ")
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(url: str) -> None:
    stored(url, *(f"note {n} " + "x" * 200 for n in range(2000)))
    process = subprocess.Popen(
        [*MEMWELL, "list", "--all", "--json", "--url", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 141
    assert errors == b""


def test_control_c_ends_it_quietly(url: str) -> None:
    process = subprocess.Popen(
        [*MEMWELL, "import", "-", "--url", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    path = Path(url.removeprefix("sqlite:///"))
    while not path.exists() and time.monotonic() < deadline:
        select.select([], [], [], 0.05)
    select.select([], [], [], 0.3)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert (out, errors) == (b"", b"")


def in_terminal(*arguments: str, answer: str = "", **env: str) -> tuple[int, str]:
    """Exit code and everything that a terminal showed."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **env}
    process = subprocess.Popen(
        [*MEMWELL, *arguments], stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    os.write(leader, answer.encode())
    shown = b""
    while True:
        try:
            part = os.read(leader, 65_536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    return process.wait(60), shown.decode()


def test_a_terminal_gets_colour_and_bars_and_a_pipe_does_not(url: str) -> None:
    stored(url, "The dog is called Biscuit")
    _, shown = in_terminal("recall", "dog", "--explain", "--url", url)
    assert "\x1b[" in shown
    assert "━" in shown
    assert "component" in shown
    assert "\x1b[" not in run("recall", "dog", "--explain", "--url", url).stdout


def test_no_color_is_honoured(url: str) -> None:
    stored(url, "The dog is called Biscuit")
    _, shown = in_terminal("recall", "dog", "--url", url, NO_COLOR="1")
    assert not [
        code for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[90m") if code in shown
    ]


def test_forget_asks_in_a_terminal_and_no_means_no(url: str) -> None:
    stored(url, "a", "b")
    code, shown = in_terminal("forget", "--all", "--url", url, answer="n\n")
    assert "Forget 2 memories" in shown
    assert code == 130
    assert sorted(contents(url)) == ["a", "b"]
    assert in_terminal("forget", "--all", "--url", url, answer="y\n")[0] == 0
    assert contents(url) == []


def test_version_loads_neither_the_terminal_libraries_nor_the_engine() -> None:
    """Its speed is measured elsewhere; what makes it fast is told here, on any machine."""
    code = (
        "import sys; sys.argv = ['memwell', 'version']\n"
        "from memwell.cli import main; main()\n"
        "heavy = {'typer', 'rich', 'pydantic', 'numpy', 'memwell.memory', 'memwell.registry'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("memwell ")
