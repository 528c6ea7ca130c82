"""A vector index that outlives its process, as a service does: points and deliveries in one SQLite file, shared by any
number of processes. It can be stopped, started again, and told to be slow.
"""

from __future__ import annotations

import contextlib
import pickle
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from memwell import filters
from memwell.errors import BackendError, Unavailable
from memwell.filters import Node
from memwell.ports import Match, Point, VectorIndex, Vectors
from memwell.types import Where

DIMENSION = 64


class Durable(VectorIndex):
    """See the module. `delivered` tells each id that was put or deleted, in order."""

    part = "durable"
    blocking = True

    def __init__(self, path: Path, dimension: int = DIMENSION) -> None:
        self.path = path
        self.dimension = dimension
        self.identity = f"durable {path.name}"
        self.delay = 0.0
        """Seconds that each change takes."""
        self.refuses: str | None = None
        """A category whose records cannot be indexed."""
        self.asked = 0
        """How many calls there were."""
        with self._open() as file:
            file.execute("CREATE TABLE IF NOT EXISTS points (id TEXT PRIMARY KEY, vector BLOB, fields BLOB)")
            file.execute("CREATE TABLE IF NOT EXISTS delivered (id TEXT, what TEXT)")

    def stop(self) -> None:
        """Answer no more, in any process."""
        self._flag.touch()

    def start(self, *, empty: bool = False) -> None:
        """Answer again."""
        self._flag.unlink(missing_ok=True)
        if empty:
            with self._open() as file:
                file.execute("DELETE FROM points")

    @property
    def delivered(self) -> list[tuple[str, str]]:
        with self._open() as file:
            return file.execute("SELECT what, id FROM delivered ORDER BY rowid").fetchall()

    def forget_deliveries(self) -> None:
        with self._open() as file:
            file.execute("DELETE FROM delivered")

    @property
    def _flag(self) -> Path:
        return self.path.with_suffix(".stopped")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        file = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            file.execute("BEGIN IMMEDIATE")
            yield file
            file.execute("COMMIT")
        finally:
            file.close()

    @contextlib.contextmanager
    def _serving(self) -> Iterator[sqlite3.Connection]:
        self.asked += 1
        if self._flag.exists():
            raise Unavailable("the index was stopped", part=self.part)
        with self._open() as file:
            yield file

    async def _ping(self) -> None:
        with self._serving():
            pass

    async def _upsert(self, points: Sequence[Point]) -> None:
        if any(self.refuses is not None and point.fields.get("category") == self.refuses for point in points):
            raise BackendError("this cannot be indexed", part=self.part)
        time.sleep(self.delay)  # noqa: ASYNC251  it blocks, and says so
        with self._serving() as file:
            for point in points:
                row = (point.id, point.vector.tobytes(), pickle.dumps(dict(point.fields)))
                file.execute("INSERT OR REPLACE INTO points VALUES (?, ?, ?)", row)
                file.execute("INSERT INTO delivered VALUES (?, 'put')", (point.id,))

    async def _delete(self, ids: Sequence[str]) -> None:
        with self._serving() as file:
            for id in ids:
                file.execute("DELETE FROM points WHERE id = ?", (id,))
                file.execute("INSERT INTO delivered VALUES (?, 'delete')", (id,))

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        node = filters.parse(where or {})
        with self._serving() as file:
            rows = file.execute("SELECT id, vector, fields FROM points").fetchall()
        found = [
            Match(id=id, similarity=float(np.frombuffer(raw, np.float32) @ vector))
            for id, raw, fields in rows
            if filters.matches_fields(pickle.loads(fields), node)
        ]
        return sorted(found, key=lambda match: (-match.similarity, match.id))[:limit]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        with self._serving() as file:
            rows = file.execute(
                "SELECT id FROM points WHERE id > ? ORDER BY id LIMIT ?", (after or "", limit)
            )
            return [row[0] for row in rows]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        with self._serving() as file:
            rows = file.execute("SELECT id, vector FROM points").fetchall()
        return {id: np.frombuffer(raw, np.float32) for id, raw in rows if id in set(ids)}

    async def _count(self) -> int:
        with self._serving() as file:
            return int(file.execute("SELECT count(*) FROM points").fetchone()[0])

    async def _clear(self) -> None:
        with self._serving() as file:
            file.execute("DELETE FROM points")


class Suspending(Durable):
    """The same, natively asynchronous: it suspends at every call, as a client of a service does."""

    blocking = False

    async def _upsert(self, points: Sequence[Point]) -> None:
        await _soon()
        await super()._upsert(points)

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        await _soon()
        return await super()._search(vector, limit, where)


async def _soon() -> None:
    import asyncio

    await asyncio.sleep(0)
