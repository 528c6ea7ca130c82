"""File locks, for libraries that do not notice when a second process opens the same file or folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from memwell._forks import ForkSafeLock
from memwell.errors import ConfigError

__all__ = ["acquire", "acquire_shared", "release_shared"]

_shared: dict[Path, tuple[IO[bytes], int]] = {}
_guard = ForkSafeLock()


def acquire(lock: Path, what: Path, *, part: str) -> IO[bytes]:
    """The lock file, locked until it is closed or the process ends. Raises `ConfigError` if `what` is already open, or
    if its folder is not writable."""
    try:
        file = lock.open("a+b")
    except OSError as error:
        raise ConfigError(f"cannot write {lock}: {error.strerror}; check its folder", part=part) from error
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # far behind the content, because locked bytes cannot be written on Windows
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ConfigError(
            f"{what} is already open in another process or index, which would overwrite each other's changes; close it "
            "there, or use an index server",
            part=part,
        ) from error
    file.seek(0)
    return file


def acquire_shared(folder: Path, *, part: str) -> Path:
    """Lock a folder against other processes; several indexes of this process may share it. Pass the result to
    `release_shared`."""
    lock = folder.resolve() / "memwell.lock"
    with _guard:
        file, users = _shared.get(lock) or (acquire(lock, folder, part=part), 0)
        _shared[lock] = (file, users + 1)
    return lock


def release_shared(lock: Path) -> None:
    """Unlock the folder if no other index of this process uses it."""
    with _guard:
        file, users = _shared[lock]
        if users > 1:
            _shared[lock] = (file, users - 1)
        else:
            del _shared[lock]
            file.close()
