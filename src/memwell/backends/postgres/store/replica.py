"""An in-process replica of one owner's terms and vectors, refreshed by one query per search.

The query returns what transactions have changed since a number. Its snapshot gives the next number: every transaction
below `pg_snapshot_xmin` had ended when the snapshot was taken, so its changes are in this answer or an earlier one.
Changes of later transactions that are committed already are applied at once, and skipped when the next query returns
them again. A transaction that writes for very long holds that number back; then the locks of memwell's writers show
which changes are complete (`memwell_horizon`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from memwell._dataclasses import dataclass
from memwell.backends.postgres.store.rows import rows_of
from memwell.backends.postgres.store.statements import owner
from memwell.ports.arrays import numpy
from memwell.retrieval.index.corpus import Corpus, Partition, Row
from memwell.retrieval.index.vectors import Chunked, VectorSet
from memwell.types import Scope

if TYPE_CHECKING:
    from memwell.backends.postgres import Connection, Database
    from memwell.backends.postgres.store.aside import Aside

__all__ = ["Model", "OwnerReplica", "load"]

Model = tuple[int, str]
"""Number and name of the model of the vectors."""

_PAGE: Final = 500
"""Rows read at a time, so that loading can stop in between."""
_FAR: Final = 1000
"""With more changes than this, loading again is faster than applying them."""
_MANY: Final = 100
"""With more changes than this ahead of the number, the horizon is asked."""

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
    """One owner in this process. Only one task at a time calls `follow`."""

    scope: Scope
    corpus: Corpus
    model: Model | None
    since: int
    """Transactions below this number have ended, and their changes are applied."""
    started: int
    """When the server was started, in microseconds."""
    lost: int
    """How many connections had broken when it was loaded."""
    newest: int = 0
    """The next transaction's number, as of the last query."""
    linked: bool = True
    """Whether there are any relationships in the store."""
    _ahead: set[tuple[int, int]] = field(default_factory=set)
    """Changes of later transactions that are applied already."""

    @property
    def size(self) -> int:
        """Records held, including old versions of records that have changed."""
        return len(self.corpus.ids)

    def serves(self, model: str | None) -> bool:
        """Whether a search with vectors of this model can be answered from here."""
        if model is None:
            return True
        vectors = self.corpus.vectors
        known = self.model is not None and self.model[1] == model
        return known and vectors is not None and vectors.whole is not None

    def speakers(self) -> frozenset[str]:
        """Who speaks in the records again and again. May wait for a search."""
        with self.corpus.lock:
            return self.corpus.speakers()

    async def follow(self, database: Database, aside: Aside) -> bool:
        """Apply what was committed before this call. Returns False if the owner must be loaded again.

        That is so after a restart, a crash or a failover. The server may have lost its last transactions then (with
        `synchronous_commit=off`, or as a replica that was behind), and gives their numbers to others.
        """
        followed = await database.read(lambda connection: self._follow(connection, aside))
        return followed and database.lost == self.lost

    async def _follow(self, connection: Connection, aside: Aside) -> bool:
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
            await aside.run(lambda: _apply(self.corpus, fresh))  # it waits for searches
        self.linked = head[13]
        self.since = max(self.since, since)
        self._ahead = {(row[1], row[2]) for row in rows if row[1] >= self.since}
        if len(self._ahead) > _MANY:
            await self._catch_up(connection, aside)
        return True

    async def _catch_up(self, connection: Connection, aside: Aside) -> None:
        """Advance to the horizon. It is asked before the changes are read, so that none is missed."""
        [(horizon,)] = await rows_of(connection, "SELECT memwell_horizon()", [], prepare=True)
        if horizon > self.since:
            text, values = _changes(self.scope, self.model)
            _, *rows = await rows_of(connection, text, [self.since, *values, self.since], prepare=True)
            fresh = [row for row in rows if (row[1], row[2]) not in self._ahead]
            if len(rows) <= _FAR:
                await aside.run(lambda: _apply(self.corpus, fresh))
                self.since = horizon
                self._ahead = {(row[1], row[2]) for row in rows if row[1] >= horizon}


async def load(
    database: Database, scope: Scope, most: int, *, aside: Aside, stop: threading.Event
) -> OwnerReplica | None:
    """Load an owner as of one moment. Returns `None` for one with more records than `most`, and once `stop` is set.

    The rows are read in a thread: an event loop that other searches keep busy would come to the next page late.
    """
    lost = database.lost
    async with database.transaction(snapshot=True) as connection:
        found = await aside.over(connection, lambda: _read(connection, scope, most, stop), stop)
    if found is None:
        return None
    since, started, model, corpus = found
    return OwnerReplica(scope, corpus, model, since, started, lost)


async def _read(
    connection: Connection, scope: Scope, most: int, stop: threading.Event
) -> tuple[int, int, Model | None, Corpus] | None:
    text, values = owner(scope)
    [(since, started)] = await rows_of(connection, f"SELECT {_XMIN}, {_STARTED}", [], prepare=True)
    models = await rows_of(
        connection, "SELECT m.number, m.name FROM models m WHERE m.serving", [], prepare=True
    )
    model = tuple(models[0]) if models else None
    rows = await _all(connection, f"SELECT {_ROW} FROM records r WHERE {text}", values, most, stop)
    if len(rows) > most:
        return None
    vectors: list[tuple[int, bytes]] = []
    if model is not None:
        query = (
            "SELECT v.key, vector_send(v.vec) FROM records r JOIN vectors v ON v.key = r.key"
            f" AND v.model = {int(model[0])} WHERE {text}"
        )
        vectors = await _all(connection, query, values, most, stop)
    if stop.is_set():
        return None
    return since, started, model, _made((scope.tenant_id, scope.user_id), rows, model, vectors)


def _made(
    partition: Partition, rows: Sequence[Row], model: Model | None, vectors: Sequence[tuple[int, bytes]]
) -> Corpus:
    corpus = Corpus(partition, 0, rows)
    if model is not None:
        corpus.vectors = VectorSet(model[1])
        corpus.vectors.add(corpus.slots, _native(vectors))
    return corpus


def _apply(corpus: Corpus, rows: Sequence[Any]) -> None:
    """Apply the last change of each key to the corpus."""
    last = {row[3]: row for row in rows}
    with corpus.lock:
        touched = corpus.follow(
            0, [(key, None if row[4] is None else (key, *row[4:11])) for key, row in last.items()]
        )
        vectors = [(key, last[key][11]) for key in touched if last[key][11] is not None]
        if corpus.vectors is not None and vectors:
            corpus.vectors.add(corpus.slots, _native(vectors))


def _native(vectors: Sequence[tuple[int, bytes]]) -> Iterator[Chunked]:
    """Convert vectors from the form that pgvector sends (two 16-bit numbers, then big-endian float32) to little-endian
    float32."""
    np = numpy()
    for key, raw in vectors:
        yield key, None, np.frombuffer(raw, dtype=">f4", offset=4).astype("<f4").tobytes()


def _changes(scope: Scope, model: Model | None) -> tuple[str, list[Any]]:
    """The query for what has changed since a number, and the values of its placeholders between that number and itself.

    The first row holds the next number, the next transaction, the model that serves, whether all changes since are
    still stored, whether there are relationships, and when the server was started. Each other row is a change: its
    position, the key, and the owner's record if it exists. Changes of other owners' records are left out, except
    deletions, which no longer name their owner.
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


async def _all(
    connection: Connection, query: str, values: Sequence[Any], most: int, stop: threading.Event
) -> list[Any]:
    """The rows of a query, read in pages; a few more than `most` if there are more. The cursor on the server ends with
    the transaction."""
    rows: list[Any] = []
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(f"DECLARE memwell_load NO SCROLL CURSOR FOR {query}".encode(), values)
        while len(rows) <= most and not stop.is_set():
            await cursor.execute(f"FETCH {_PAGE} FROM memwell_load".encode())
            page = await cursor.fetchall()
            if not page:
                break
            rows += page
        await cursor.execute("CLOSE memwell_load")
    return rows
