"""A folder or file of an index: noticing that it was deleted while open, and setting a damaged one aside."""

from __future__ import annotations

from pathlib import Path

from memwell.errors import Corrupt

__all__ = ["OpenFolder", "damaged", "set_aside"]

REPAIR = "run `memwell repair` to rebuild it from the store"


class OpenFolder:
    """Notices that the folder was deleted or replaced while an index has it open: its library would not."""

    def __init__(self, path: Path, *, part: str) -> None:
        self.path, self._part = path, part
        self._inode: tuple[int, int] | None = None

    def opened(self) -> None:
        """The folder is open from now on."""
        self._inode = self._now()

    def closed(self) -> None:
        """The folder is no longer open."""
        self._inode = None

    def check(self) -> None:
        """Raises `Corrupt` if the folder that was opened is gone."""
        if self._inode is not None and self._now() != self._inode:
            raise Corrupt(f"{self.path} was deleted or replaced while it was open; {REPAIR}", part=self._part)

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def damaged(path: Path, error: Exception | str, *, part: str, operation: str = "") -> Corrupt:
    """The error for a file or folder that cannot be read."""
    return Corrupt(f"{path} is damaged ({error}); {REPAIR}", part=part, operation=operation)


def set_aside(path: Path) -> None:
    """Rename a damaged file or folder to `NAME.damaged`, with a number if that name is taken. Does nothing if it is
    missing."""
    number = 1
    target = path.with_name(f"{path.name}.damaged")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.damaged-{number}")
    if path.exists():
        path.rename(target)
