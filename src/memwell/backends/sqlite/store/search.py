"""Bulk reads of the SQLite store: for its corpora, for exports and for statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from memwell import ports
from memwell.backends.sqlite.connect import Connection
from memwell.backends.sqlite.database import Database
from memwell.backends.sqlite.files import size_of
from memwell.backends.sqlite.store import models, reanalysis
from memwell.backends.sqlite.store.models import MODEL_SHIFT
from memwell.backends.sqlite.store.rows import Condition, condition, select
from memwell.errors import Corrupt
from memwell.ports.store.search import Search
from memwell.records.codec import dumps, from_micros, loads, to_micros
from memwell.retrieval.index.corpus import Change, Partition, Row
from memwell.retrieval.index.vectors import Chunked
from memwell.types import Record, Scope

if TYPE_CHECKING:
    from memwell.ports import Embedding
    from memwell.types import Stats

__all__ = ["Source", "embedded", "embeddings", "stats"]

T = TypeVar("T")

_ROW = reanalysis.COLUMNS.partition(", r.content")[0]
_MASK = (1 << MODEL_SHIFT) - 1


class Source:
    """The database as the corpora read it. Every method sees one consistent state."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outdated = database.readonly and reanalysis.is_outdated(database.read())
        """Whether rows are analysed as they are read."""

    def position(self) -> int:
        """The end of the change sequence."""
        self._look()
        return self._seen(_position)

    def serving(self) -> str | None:
        """The model that searches use, as of this thread's last `position` or `load`."""
        return self._seen(models.serving)

    def linked(self) -> bool:
        """Whether there are relationships at all, as of this thread's last `position` or `load`."""
        return self._seen(_linked)

    def _look(self) -> None:
        """Forget what was read before another connection wrote."""
        connection = self._database.read()
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != connection.version:
            connection.version, connection.seen = version, {}

    def _seen(self, read: Callable[[Connection], T]) -> T:
        """What a function reads, kept until another connection writes. In memory the same connection reads and writes,
        so nothing is kept.
        """
        connection = self._database.read()
        seen, name = connection.seen, read.__name__
        if name not in seen or self._database.path == ":memory:":
            connection.seen = seen = {**seen, name: read(connection)}
        found: T = seen[name]
        return found

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        """Every row of a partition, in any order, and the position they stand at."""
        text, values = _partition(partition)
        self._look()
        with self._database.snapshot() as connection:
            position = connection.execute("SELECT coalesce(max(seq), 0) FROM changes").fetchone()[0]
            return position, self._rows(connection, text, values)

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[Change]] | None:
        """(position, changes of the partition after a position), the last of each key only; `None` when too
        many.
        """
        text, values = _partition(partition, by_index=False)
        with self._database.snapshot() as connection:
            first, last = connection.execute("SELECT min(seq), max(seq) FROM changes").fetchone()
            if first is None or last <= after:
                return after, []
            if after < first - 1 or last - after > limit:
                return None
            deleted = connection.execute(
                "SELECT key FROM changes WHERE seq > ? AND deleted = 1", (after,)
            ).fetchall()
            changed = f"r.key IN (SELECT key FROM changes WHERE seq > ?) AND {text} ORDER BY r.key"
            rows = self._rows(connection, changed, [after, *values])
        living = {row[0] for row in rows}
        gone: list[Change] = [(row[0], None) for row in deleted if row[0] not in living]
        return last, gone + [(row[0], row) for row in rows]

    def _rows(self, connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[Row]:
        if self._outdated:
            query = f"SELECT {reanalysis.COLUMNS} FROM records r WHERE {where}"
            return reanalysis.analysed(connection.execute(query, values))
        return connection.execute(f"SELECT {_ROW} FROM records r WHERE {where}", values).fetchall()

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """(key, spans, float32 bytes) of the partition's vectors under a model, or of some keys', in any order."""
        connection = self._database.read()
        number = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
        if number is None:
            return iter(())
        base = number[0] << MODEL_SHIFT
        if keys is None:
            text, values = _partition(partition)
            return connection.execute(
                f"SELECT r.key, v.spans, v.data FROM records r JOIN vectors v ON v.id = r.key + ? WHERE {text}",
                [base, *values],
            )
        wanted = dumps([base | key for key in keys])
        return connection.execute(
            f"SELECT v.id & {_MASK}, v.spans, v.data FROM vectors v WHERE v.id IN (SELECT value FROM json_each(?))",
            (wanted,),
        )

    def visible(self, search: Search) -> set[int]:
        """The keys that the search may find: scope, expiry, filter and time."""
        text, values = condition(search.scope, search.now, search.where)
        if search.created_until is not None:
            text += " AND r.created_at <= ?"
            values = [*values, to_micros(search.created_until)]
        rows = self._database.read().execute(f"SELECT r.key FROM records r WHERE {text}", values)
        return {row[0] for row in rows}


def embeddings(
    connection: sqlite3.Connection, scope: Condition, ids: Sequence[str], model: str
) -> dict[str, Embedding]:
    """See `Store.embeddings`."""
    import numpy as np

    row = connection.execute("SELECT number, dimension FROM models WHERE name = ?", (model,)).fetchone()
    if row is None:
        return {}
    base, dimension = row[0] << MODEL_SHIFT, row[1]
    found: dict[str, Embedding] = {}
    for at in range(0, len(ids), 500):
        part = ids[at : at + 500]
        marks = ", ".join("?" * len(part))
        rows = connection.execute(
            "SELECT r.id, v.spans, v.data FROM records r INDEXED BY records_id JOIN vectors v ON v.id = r.key + ?"
            f" WHERE r.id IN ({marks}) AND {scope[0]}",
            [base, *part, *scope[1]],
        )
        for id, spans, data in rows:
            if len(data) % (4 * dimension):
                raise Corrupt(
                    f"the vectors of {id!r} have {len(data)} bytes; run `memwell repair`", part="sqlite"
                )
            vectors = np.frombuffer(data, dtype="<f4").reshape(-1, dimension).astype(np.float32)
            kept = tuple((a, b) for a, b in loads(spans)) if spans else ()
            found[id] = ports.Embedding(model=model, vectors=vectors, spans=kept)
    return found


def embedded(
    connection: sqlite3.Connection, model: str, after: tuple[str, str] | None, limit: int
) -> list[tuple[Record, Embedding]]:
    """See `Store.embedded`."""
    number = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
    if number is None:
        return []
    text = "EXISTS (SELECT 1 FROM vectors v WHERE v.id = r.key + ?) AND (r.tenant_id, r.id) > (?, ?)"
    where = (text, [number[0] << MODEL_SHIFT, *(after or ("", ""))])
    records = select(connection, where, "ORDER BY r.tenant_id, r.id LIMIT ?", [limit])
    found: list[tuple[Record, Embedding]] = []
    for tenant in dict.fromkeys(record.scope.tenant_id for record in records):
        own = [record for record in records if record.scope.tenant_id == tenant]
        scope = condition(Scope(tenant_id=tenant), None)
        vectors = embeddings(connection, scope, [record.id for record in own], model)
        found.extend((record, vectors[record.id]) for record in own if record.id in vectors)
    return found


def stats(connection: sqlite3.Connection, scope: Scope, now: datetime) -> Stats:
    """See `Store.stats`."""
    text, values = condition(scope, now)
    whole, bound = condition(scope, None)

    def grouped(column: str) -> dict[str, int]:
        query = f"SELECT {column}, count(*) FROM records r WHERE {text} AND {column} IS NOT NULL GROUP BY 1"
        return dict(connection.execute(query, values).fetchall())

    def number(query: str, more: Sequence[Any]) -> int:
        return int(connection.execute(query, more).fetchone()[0])

    records, sessions, users, oldest, newest, unembedded = connection.execute(
        "SELECT count(*), count(DISTINCT r.session_id), count(DISTINCT r.user_id),"
        f" min(r.created_at), max(r.created_at), count(*) FILTER (WHERE r.embedded = 0) FROM records r WHERE {text}",
        values,
    ).fetchone()
    by_model = connection.execute(
        "SELECT m.name, (SELECT count(*) FROM vectors v JOIN records r ON r.key = v.id - (m.number << 44)"
        f" WHERE v.id >= m.number << 44 AND v.id < (m.number + 1) << 44 AND {text}) FROM models m ORDER BY m.name",
        values,
    ).fetchall()
    from memwell.types import Stats

    return Stats(
        records=records,
        sessions=sessions,
        users=users,
        by_kind=grouped("r.kind"),
        by_category=grouped("r.category"),
        versions=number(
            f"SELECT count(*) FROM history h JOIN records r ON r.key = h.key WHERE {text}", values
        ),
        links=number(f"SELECT count(*) FROM links l JOIN records r ON r.key = l.source WHERE {text}", values),
        embedded={name: count for name, count in by_model if count},
        unembedded=unembedded,
        expired=number(f"SELECT count(*) FROM records r WHERE {whole}", bound) - records,
        oldest=_moment(oldest),
        newest=_moment(newest),
        bytes=_size(connection),
    )


def _position(connection: Connection) -> int:
    found: int | None = connection.execute("SELECT max(seq) FROM changes").fetchone()[0]
    return found or 0


def _linked(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM links LIMIT 1").fetchone() is not None


def _moment(micros: Any) -> datetime | None:
    try:
        return None if micros is None else from_micros(micros)
    except (TypeError, OverflowError) as error:
        raise Corrupt(f"a time is stored as {micros!r}; run `memwell doctor`", part="sqlite") from error


def _size(connection: sqlite3.Connection) -> int:
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if path:
        return size_of(path) + size_of(f"{path}-wal")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return int(pages * connection.execute("PRAGMA page_size").fetchone()[0])


def _partition(partition: Partition, *, by_index: bool = True) -> Condition:
    """The records of a partition. Without `by_index` no index of the owner is used: where other conditions choose a few
    records, SQLite would rather walk all that the owner has.
    """
    tenant, user = partition
    column = "r.{} = ?" if by_index else "+r.{} = ?"
    if user is None:
        return column.format("tenant_id"), [tenant]
    return f"{column.format('tenant_id')} AND {column.format('user_id')}", [tenant, user]
