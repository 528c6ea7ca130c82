"""Whether the file behind a path is still the one that was opened."""

from __future__ import annotations

import os

from memwell.errors import Unavailable

__all__ = ["Identity"]


class Identity:
    """The database file and its write-ahead log, by device and inode.

    SQLite continues with a file that was deleted or replaced, and the writes are lost without an error. So every write
    checks both.
    """

    __slots__ = ("_file", "_log", "_log_path", "_path")

    def __init__(self, path: str) -> None:
        self._path, self._log_path = path, f"{path}-wal"
        self._file = _inode(path)
        self._log: tuple[int, int] | None = None

    def check(self, *, writing: bool = False) -> None:
        """Raise `Unavailable` when the path names another file, or none, or when the log that the writer began is gone.
        With `writing`, a transaction is open, so the log is there.
        """
        file = _inode(self._path)
        if file != self._file:
            raise self._replaced("deleted or moved" if file is None else "replaced by another file")
        if writing or self._log is not None:
            log = _inode(self._log_path)
            if self._log is not None and log != self._log:
                raise self._replaced("separated from its write-ahead log (the file that ends in -wal)")
            self._log = log

    def forget_log(self) -> None:
        """The writer is closed, or left to the parent process: the next one may begin another log."""
        self._log = None

    def _replaced(self, how: str) -> Unavailable:
        return Unavailable(
            f"{self._path} was {how} while it was open; nothing more is stored in it: open the memory again",
            part="sqlite",
        )


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  half the time of Path.stat, and once a write
    except OSError:
        return None
    return found.st_dev, found.st_ino
