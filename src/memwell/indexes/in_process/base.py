"""Base of indexes whose points are in memory, and optionally in a file."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from memwell._forks import ForkSafeLock
from memwell.errors import Corrupt
from memwell.indexes.filtering.field_columns import decoded, encoded
from memwell.indexes.in_process.snapshot import Named, Snapshot
from memwell.indexes.in_process.table import Table
from memwell.indexes.points import Batch, batch
from memwell.ports import Effect, Point, VectorIndex, operation

__all__ = ["InProcessIndex"]


class _Lock(ForkSafeLock):
    """A lock that refuses everybody while the index is damaged."""

    damage: Corrupt | None = None

    def __enter__(self) -> None:
        if self.damage is not None:
            raise Corrupt(self.damage.message, part=self.damage.part) from self.damage
        super().__enter__()


class InProcessIndex(VectorIndex):
    """Ids and fields are in a `Table`; subclasses store the vectors. Every access holds `_lock`.

    An index whose file is damaged opens, so that a memory with it opens too. Every call raises `Corrupt` until `clear`
    sets the file aside and starts with an empty index.
    """

    residue = ""
    blocking = True

    _table: Table
    _lock: _Lock

    def _open(self, path: str | os.PathLike[str] | None, settings: Mapping[str, str | int]) -> None:
        """Load the points of the file, if any. Raises `ConfigError` if it has other settings or is already open."""
        self._lock = _Lock()
        self._file: Snapshot | None = None
        self._reset()
        if path is None:
            return
        self._file = Snapshot(path, part=self.part, settings=settings)
        try:
            self._file.load(self._load)
        except Corrupt as error:
            self._reset()
            self._lock.damage = error
        except BaseException:
            self._file.release()
            raise
        self.identity = self._file.identity

    @operation(Effect.WRITES)
    async def save(self) -> None:
        """Write all points to the file, atomically. Does nothing without a path."""
        self._save()

    def _save(self) -> None:
        if self._file is not None and self._lock.damage is None:  # a damaged file is left as it is
            with self._lock:
                self._write(self._file)

    async def _upsert(self, points: Sequence[Point]) -> None:
        new = batch(points, self.metric, part=self.part)
        fields = [copy.deepcopy(dict(each)) for each in new.fields]
        with self._lock:
            self._before_write()
            self._put(new, fields)

    async def _delete(self, ids: Sequence[str]) -> None:
        with self._lock:
            self._before_write()
            for name in ids:
                row = self._table.drop(name)
                if row is not None:
                    self._on_drop(row)

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        with self._lock:
            return self._table.page(after, limit)

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        with self._lock:
            rows = {name: row for name in ids if (row := self._table.row.get(name)) is not None}
            return {name: decoded(encoded(self._table.fields[row])) for name, row in rows.items()}

    async def _count(self) -> int:
        with self._lock:
            return len(self._table)

    async def _ping(self) -> None:
        with self._lock:
            return

    async def _clear(self) -> None:
        if self._file is not None and self._lock.damage is not None:
            self._file.set_aside()
            self._lock.damage = None
        with self._lock:
            self._before_write()
            self._reset()

    async def _close(self) -> None:
        try:
            self._save()
        finally:
            if self._file is not None:
                self._file.release()
            self._reset()

    def _before_write(self) -> None:
        """Mark the file as out of date."""
        if self._file is not None:
            self._file.mark_unsaved()

    @abstractmethod
    def _reset(self) -> None:
        """Start with an empty table and no vectors."""

    @abstractmethod
    def _put(self, new: Batch, fields: Sequence[Mapping[str, Any]]) -> None:
        """Add or replace points with distinct ids. The fields need not be copied."""

    @abstractmethod
    def _on_drop(self, row: int, /) -> None:
        """Called after a row was removed from the table."""

    @abstractmethod
    def _write(self, file: Snapshot) -> None:
        """Save the points."""

    @abstractmethod
    def _load(self, count: int, points: Iterator[Named], vectors: IO[bytes]) -> None:
        """Load the saved points. Raises `ValueError` if points and vectors do not match."""
