"""A store for memwell that keeps each memory as one JSON file in a folder, readable by any other tool.

URL: `folder:///relative/path` or `folder:////absolute/path`. One process at a time can open a folder; a second one gets
a `ConfigError`. A write of several memories is atomic: all of it is first written to the file `pending`. If the process
dies or the disk is full after that, the write is completed before the next one, or when the folder is opened again.
"""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from memwell.backends.memory.persisted import PersistedStore
from memwell.capabilities import Capabilities
from memwell.errors import ConfigError
from memwell.registry import Url

__all__ = ["FolderStore"]

log = logging.getLogger(__name__)


class FolderStore(PersistedStore):
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
        try:
            self._carry_out()
            super().__init__()
        except BaseException:
            self._lock_file.close()
            raise

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """Open the folder of a URL."""
        url.done()
        return cls(url.path() or ".")

    @property
    def capabilities(self) -> Capabilities:
        """Those of the store in memory, and durable."""
        return replace(super().capabilities, durable=True)

    def load(self) -> Iterator[tuple[str, bytes]]:
        """Read every file."""
        return ((file.stem, file.read_bytes()) for file in self._folder.glob("*.json"))

    def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Write the files that changed, all or none: once the file `pending` is written, the write is certain."""
        self._carry_out()
        texts = {name: None if body is None else body.decode() for name, body in changes.items()}
        _replace(self._pending, json.dumps(texts))
        try:
            self._carry_out()
        except OSError as error:
            log.warning("%s: the write stays in %s for now: %s", self._folder, self._pending.name, error)

    def _carry_out(self) -> None:
        if not self._pending.exists():
            return
        for name, text in json.loads(self._pending.read_text("utf-8")).items():
            file = self._folder / f"{name}.json"
            if text is None:
                file.unlink(missing_ok=True)
            else:
                _replace(file, text)
        self._pending.unlink()

    async def _close(self) -> None:
        await super()._close()
        self._lock_file.close()


def _replace(file: Path, text: str) -> None:
    """Write a file so that it has either the old or the new content at any moment."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text, "utf-8")
    fresh.replace(file)
