"""An owner's words and vectors in this process, abreast of the database by one short statement a search.

The statement tells what was changed by transactions since a number. Its snapshot tells the next one: every transaction
below `pg_snapshot_xmin` had ended when the snapshot was taken, and what it changed is in the answer or was before. What
later transactions have committed already is taken over at once, and met again by the next statement. A transaction that
writes for very long keeps that number back; then it is asked of the locks that writers of memwell hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from memwell.backends.postgres.store.rows import rows_of
from memwell.backends.postgres.store.statements import owner
from memwell.ports.arrays import numpy
from memwell.retrieval.index.corpus import Corpus, Partition, Row
from memwell.retrieval.index.vectors import Chunked, VectorSet
from memwell.types import Scope

if TYPE_CHECKING:
    from memwell.backends.postgres import Connection, Database

__all__ = ["Model", "OwnerReplica", "read"]

Model = tuple[int, str]
"""Number and name of the model whose vectors are held."""

_PAGE: Final = 500
"""Rows read at a time, so that the event loop comes round in between."""
_FAR: Final = 1000
"""Changes after which reading anew is quicker than following."""
_MANY: Final = 100
"""Changes met again and again, after which it is looked who holds the number back."""

_ROW: Final = (
    "r.key, r.id, r.user_id, r.session_id, (extract(epoch FROM r.created_at) * 1000000)::int8,"
    " (extract(epoch FROM r.expires_at) * 1000000)::int8, r.signals, r.lexemes"
)
_XMIN: Final = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_XMAX: Final = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_STARTED: Final = "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8"
_SERVING: Final = "(SELECT m.number FROM models m WHERE m.serving)"


@dataclass(slots=True, eq=False)
class OwnerReplica:
    """One owner as this process has it. `follow` is called by one task at a time."""

    scope: Scope
    corpus: Corpus
    model: Model | None
    since: int
    """Transactions below this number have ended, and what they changed is taken over."""
    started: int
    """When the server was started, in microseconds."""
    lost: int
    """How many connections had broken."""
    newest: int = 0
    """The next transaction's number, as it was told last."""
    linked: bool = True
    """Whether there are relationships in the store at all."""
    changes: int = 0
    """How often something was taken over."""
    _ahead: set[tuple[int, int]] = field(default_factory=set)
    """Changes of later transactions that were taken over already."""

    @property
    def size(self) -> int:
        """Records held, with those that were there and have changed since."""
        return len(self.corpus.ids)

    def serves(self, model: str | None) -> bool:
        """Whether a search by this model can be answered from here."""
        if model is None:
            return True
        vectors = self.corpus.vectors
        known = self.model is not None and self.model[1] == model
        return known and vectors is not None and vectors.whole is not None

    async def follow(self, database: Database) -> bool:
        """Take over what was committed before this was called. `False`: it is to be read anew.

        So it is after a restart, a crash or a failover. The server may have lost its last transactions then (with
        `synchronous_commit=off`, or as a replica that was behind) and gives their numbers to others.
        """
        return await database.read(self._follow) and database.lost == self.lost

    async def _follow(self, connection: Connection) -> bool:
        text, values = _changes(self.scope, self.model)
        head, *rows = await rows_of(connection, text, [self.since, *values, self.since], prepare=True)
        number = None if self.model is None else self.model[0]
        if len(rows) > _FAR or head[3] != number or not head[12] or self.corpus.sparse:
            return False
        if head[14] != self.started or head[2] < self.newest:
            return False
        self.newest = head[2]
        since = head[1]
        fresh = [row for row in rows if (row[1], row[2]) not in self._ahead]
        if fresh:
            _take_over(self.corpus, fresh)
            self.changes += 1
        self.linked = head[13]
        self.since = max(self.since, since)
        self._ahead = {(row[1], row[2]) for row in rows if row[1] >= self.since}
        if len(self._ahead) > _MANY:
            await self._catch_up(connection)
        return True

    async def _catch_up(self, connection: Connection) -> None:
        """Go on from where no writer of memwell is at work: asked first, so that what ends meanwhile is read."""
        [(horizon,)] = await rows_of(connection, "SELECT memwell_horizon()", [], prepare=True)
        if horizon > self.since:
            text, values = _changes(self.scope, self.model)
            _, *rows = await rows_of(connection, text, [self.since, *values, self.since], prepare=True)
            fresh = [row for row in rows if (row[1], row[2]) not in self._ahead]
            if len(rows) <= _FAR:
                _take_over(self.corpus, fresh)
                self.changes += 1
                self.since = horizon
                self._ahead = {(row[1], row[2]) for row in rows if row[1] >= horizon}


async def read(database: Database, scope: Scope, most: int) -> OwnerReplica | None:
    """An owner as of one moment; `None` for one with more records than `most`."""
    text, values = owner(scope)
    lost = database.lost
    async with database.transaction(snapshot=True) as connection:
        [(since, started)] = await rows_of(connection, f"SELECT {_XMIN}, {_STARTED}", [], prepare=True)
        models = await rows_of(
            connection, "SELECT m.number, m.name FROM models m WHERE m.serving", [], prepare=True
        )
        model = tuple(models[0]) if models else None
        rows = await _all(connection, f"SELECT {_ROW} FROM records r WHERE {text}", values, most)
        if len(rows) > most:
            return None
        vectors: list[tuple[int, bytes]] = []
        if model is not None:
            query = (
                "SELECT v.key, vector_send(v.vec) FROM records r JOIN vectors v ON v.key = r.key"
                f" AND v.model = {int(model[0])} WHERE {text}"
            )
            vectors = await _all(connection, query, values, most)
    partition = (scope.tenant_id, scope.user_id)
    corpus = await asyncio.to_thread(_made, partition, rows, model, vectors)
    return OwnerReplica(scope, corpus, model, since, started, lost)


def _made(
    partition: Partition, rows: Sequence[Row], model: Model | None, vectors: Sequence[tuple[int, bytes]]
) -> Corpus:
    corpus = Corpus(partition, 0, rows)
    if model is not None:
        corpus.vectors = VectorSet(model[1])
        corpus.vectors.add(corpus.slots, _native(vectors))
    return corpus


def _take_over(corpus: Corpus, rows: Sequence[Any]) -> None:
    """Bring the corpus abreast of changed rows, the last change of each key."""
    last = {row[3]: row for row in rows}
    with corpus.lock:
        touched = corpus.follow(
            0, [(key, None if row[4] is None else (key, *row[4:11])) for key, row in last.items()]
        )
        held = [(key, last[key][11]) for key in touched if last[key][11] is not None]
        if corpus.vectors is not None and held:
            corpus.vectors.add(corpus.slots, _native(held))


def _native(vectors: Sequence[tuple[int, bytes]]) -> Iterator[Chunked]:
    """Keys with vectors as they are sent (two 16-bit numbers, then big-endian float32) as little-endian float32."""
    np = numpy()
    for key, raw in vectors:
        yield key, None, np.frombuffer(raw, dtype=">f4", offset=4).astype("<f4").tobytes()


def _changes(scope: Scope, model: Model | None) -> tuple[str, list[Any]]:
    """The statement that tells what has changed since a number, and the values that stand between that and itself.

    The first row says below which number all have ended, which model serves, whether everything since is kept, and
    whether there are relationships; each other one is a change: its place, the key, and the row of a record of the
    owner that is there. What others than the owner have changed is left out, but for what is gone and cannot be told
    apart.
    """
    text, values = owner(scope)
    vec, joined = "NULL::bytea", ""
    if model is not None:
        vec = "vector_send(v.vec)"
        joined = f" LEFT JOIN vectors v ON v.key = r.key AND v.model = {int(model[0])}"
    return (
        f"SELECT 0, {_XMIN}, {_XMAX}, {_SERVING}::int8, NULL::text, NULL::text, NULL::text, NULL::int8, NULL::int8,"
        " NULL::text, NULL::text, NULL::bytea, (SELECT position FROM trimmed) < %s::numeric * 4294967296,"
        f" EXISTS (SELECT FROM links), {_STARTED}"
        " UNION ALL (SELECT 1, c.xid, c.ordinal, c.key, r.id, r.user_id, r.session_id,"
        " (extract(epoch FROM r.created_at) * 1000000)::int8, (extract(epoch FROM r.expires_at) * 1000000)::int8,"
        f" r.signals, r.lexemes, {vec}, true, true, 0 FROM changes c"
        f" LEFT JOIN records r ON r.key = c.key AND {text}{joined}"
        " WHERE c.xid >= %s AND (c.deleted OR r.key IS NOT NULL)"
        f" ORDER BY c.xid, c.ordinal LIMIT {_FAR + 1})",
        values,
    )


async def _all(connection: Connection, query: str, values: Sequence[Any], most: int) -> list[Any]:
    """The rows of a query, read some at a time; a few more than `most` where there are more. The cursor on the server
    ends with the transaction, however that ends."""
    rows: list[Any] = []
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(f"DECLARE memwell_warm NO SCROLL CURSOR FOR {query}".encode(), values)
        while len(rows) <= most:
            await cursor.execute(f"FETCH {_PAGE} FROM memwell_warm".encode())
            page = await cursor.fetchall()
            if not page:
                break
            rows += page
        await cursor.execute("CLOSE memwell_warm")
    return rows
