"""An index whose points are in the memory of this process, and in a file if wanted."""

from __future__ import annotations

import copy
import os
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from memwell.indexes.in_process.snapshot import Named, Snapshot
from memwell.indexes.in_process.table import Table
from memwell.indexes.points import Batch, batch
from memwell.ports import Effect, Point, VectorIndex, operation

__all__ = ["InProcessIndex"]


class InProcessIndex(VectorIndex):
    """Ids and fields are in a `Table`, vectors where the index wants them. Every access is under `_lock`."""

    blocking = True

    _table: Table

    def _open(self, path: str | os.PathLike[str] | None, settings: Mapping[str, str | int]) -> None:
        """Begin with the points of the file, which must have these settings, or with none. Raises `ConfigError` for
        one of other settings or that is open elsewhere, `Corrupt` for a damaged one."""
        self._lock = threading.Lock()
        self._file: Snapshot | None = None
        self._reset()
        if path is None:
            return
        self._file = Snapshot(path, part=self.part, settings=settings)
        try:
            self._file.load(self._load)
        except BaseException:
            self._file.release()
            raise
        self.identity = self._file.identity

    @operation(Effect.WRITES)
    async def save(self) -> None:
        """Write all points to the path, atomically. Without a path, nothing happens."""
        self._save()

    def _save(self) -> None:
        if self._file is not None:
            with self._lock:
                self._write(self._file)

    async def _upsert(self, points: Sequence[Point]) -> None:
        new = batch(points, self.metric, part=self.part)
        fields = [copy.deepcopy(dict(each)) for each in new.fields]
        with self._lock:
            self._touched()
            self._put(new, fields)

    async def _delete(self, ids: Sequence[str]) -> None:
        with self._lock:
            self._touched()
            for name in ids:
                row = self._table.drop(name)
                if row is not None:
                    self._dropped(row)

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        with self._lock:
            return self._table.page(after, limit)

    async def _count(self) -> int:
        return len(self._table)

    async def _clear(self) -> None:
        with self._lock:
            self._touched()
            self._reset()

    async def _close(self) -> None:
        try:
            self._save()
        finally:
            if self._file is not None:
                self._file.release()
            with self._lock:
                self._reset()

    def _touched(self) -> None:
        """Before a write."""
        if self._file is not None:
            self._file.touched()

    @abstractmethod
    def _reset(self) -> None:
        """Hold nothing, in a new table."""

    @abstractmethod
    def _put(self, new: Batch, fields: Sequence[Mapping[str, Any]]) -> None:
        """Add or replace points of different ids; the fields are ours to keep."""

    @abstractmethod
    def _dropped(self, row: int, /) -> None:
        """The row was taken out of the table."""

    @abstractmethod
    def _write(self, file: Snapshot) -> None:
        """Save the points."""

    @abstractmethod
    def _load(self, count: int, points: Iterator[Named], vectors: IO[bytes]) -> None:
        """Take over what was saved. Raises `ValueError` when it does not belong together."""
