"""One process at a time, for files and folders of libraries that would not notice a second one."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import IO

from memwell.errors import ConfigError

__all__ = ["leave", "share", "taken"]

_shared: dict[Path, tuple[IO[bytes], int]] = {}
_guard = threading.Lock()


def taken(lock: Path, what: Path, *, part: str) -> IO[bytes]:
    """The lock file, locked until it is closed or the process ends. Raises `ConfigError` when `what` is open elsewhere
    or its folder cannot be written."""
    try:
        file = lock.open("a+b")
    except OSError as error:
        raise ConfigError(f"cannot write {lock}: {error.strerror}; look at its folder", part=part) from error
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # far behind what is written, since locked bytes cannot be written on Windows
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ConfigError(
            f"{what} is open in another process or part, and what one writes the other would lose; "
            "close that one, or use an index with a server",
            part=part,
        ) from error
    file.seek(0)
    return file


def share(folder: Path, *, part: str) -> Path:
    """Keep other processes out of a folder, which several parts of this one may use; give the result to `leave`."""
    lock = folder.resolve() / "memwell.lock"
    with _guard:
        file, users = _shared.get(lock) or (taken(lock, folder, part=part), 0)
        _shared[lock] = (file, users + 1)
    return lock


def leave(lock: Path) -> None:
    """Let the folder go, when no other part of this process uses it."""
    with _guard:
        file, users = _shared[lock]
        if users > 1:
            _shared[lock] = (file, users - 1)
        else:
            del _shared[lock]
            file.close()
