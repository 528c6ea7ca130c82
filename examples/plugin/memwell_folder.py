"""A store for memwell that keeps each memory as one JSON file in a folder, to be read, searched and copied by anything.

URL: `folder:///relative/path` or `folder:////absolute/path`. One process at a time opens a folder (`ConfigError` for a
second). A write of several memories is atomic: it is written whole to the file `pending` before anything else is
touched, and carried out again at the next opening if the process died in between.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from memwell.capabilities import Capabilities
from memwell.errors import BackendError, ConfigError, MemwellError
from memwell.registry import Url
from memwell.stores.kept import KeptStore

__all__ = ["FolderStore"]


class FolderStore(KeptStore):
    """See the module."""

    part = "folder"

    def __init__(self, path: str | Path) -> None:
        self._folder = Path(path)
        self._pending = self._folder / "pending"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = (self._folder / "lock").open("w")
        except OSError as error:
            raise ConfigError(f"the folder {path} cannot be used: {error}", part=self.part) from error
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock_file.close()
            raise ConfigError(f"another process has {path} open", part=self.part) from error
        if self._pending.exists():
            self._carry_out(json.loads(self._pending.read_text("utf-8")))
        super().__init__()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """Open what a URL names."""
        url.done()
        return cls(url.path() or ".")

    @property
    def capabilities(self) -> Capabilities:
        """As the store in memory, and durable."""
        return replace(super().capabilities, durable=True)

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Every file."""
        return ((file.stem, file.read_bytes()) for file in self._folder.glob("*.json"))

    def keep(self, changes: Mapping[str, bytes | None]) -> None:
        """Write the files that changed, all or none."""
        texts = {name: None if body is None else body.decode() for name, body in changes.items()}
        _replace(self._pending, json.dumps(texts))
        self._carry_out(texts)

    def _carry_out(self, texts: Mapping[str, str | None]) -> None:
        for name, text in texts.items():
            file = self._folder / f"{name}.json"
            if text is None:
                file.unlink(missing_ok=True)
            else:
                _replace(file, text)
        self._pending.unlink()

    async def _close(self) -> None:
        await super()._close()
        self._lock_file.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, OSError):
            return BackendError(f"{error}; is the disk full?", part=self.part, operation=operation)
        return super()._translate(error, operation)


def _replace(file: Path, text: str) -> None:
    """Write a file so that it is the old or the new one at any moment."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text, "utf-8")
    fresh.replace(file)
