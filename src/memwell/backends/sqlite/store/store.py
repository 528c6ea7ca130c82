"""The embedded store: one SQLite file, safe for many threads and many processes at once.

Row, words, vectors, history and change entry of every operation are written in one transaction, or none is.
Searches run over a `Corpus` per owner kept in memory; it follows the file's change sequence, so that another
process's writes are seen by the next search. Deleted content is overwritten with zeros in the file
(`secure_delete`).

URL: `sqlite:///relative.db`, `sqlite:////absolute.db`; `sqlite://` keeps everything in memory. Options:
`durability=normal` (an acknowledged write survives the death of the process; a power loss may take the last
moments) or `full` (fsync at every commit), `timeout=30` seconds to wait for other writers, `mode=ro`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from memwell import ports
from memwell.backends.sqlite import migrations
from memwell.backends.sqlite.database import Database, translate
from memwell.backends.sqlite.files import scripts_in
from memwell.backends.sqlite.part import SqlitePart, options_of
from memwell.backends.sqlite.store import models, reanalysis, search, sql_functions
from memwell.backends.sqlite.store.rows import condition, record_of, seen, select, select_ids
from memwell.capabilities import Capabilities
from memwell.errors import ConfigError, NotFound
from memwell.ports import Store
from memwell.ports.store.search import Found, Search
from memwell.records.codec import from_micros, to_micros
from memwell.retrieval.index.corpora import Corpora
from memwell.retrieval.ranking.candidates import find
from memwell.types import Link, Record, Scope, Version, Where
from memwell.urls import Url

if TYPE_CHECKING:
    from memwell.backends.sqlite.log import SqliteLog
    from memwell.ports import Change, Embedding, Insert, Log, Operation
    from memwell.ports.store.outlines import Outline
    from memwell.types import Report, Stats, Trace

__all__ = ["SqliteStore"]

_SWEEP_BATCH = 1000
_MAPPED = 64 * 2**20
"""Files up to this size are read through a memory map: a new process has its first answer sooner."""
_TABLES_ARE_THERE = (
    "SELECT 1 FROM records, links, access, history, vectors, models, memwell_migrations WHERE 0"
)


class SqliteStore(SqlitePart, Store):
    """See the module. Raises `ConfigError` when the file cannot be opened."""

    def __init__(
        self,
        path: str = ":memory:",
        *,
        durability: Literal["normal", "full"] = "normal",
        timeout: float = 30.0,
        readonly: bool = False,
    ) -> None:
        database = Database(path, durability=durability, readonly=readonly, timeout=timeout, setup=_set_up)
        self._open(database, "store", _scripts(), reanalysis.note)
        self._analyse_again()
        self._source = search.Source(self._database)
        self._corpora = Corpora(self._source)
        self._logs: dict[SqliteLog, str | None] = {}

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """Open what a URL names."""
        mode = url.take("mode", "rw")
        options = options_of(url, "mode")
        if mode not in ("rw", "ro"):
            raise ConfigError(f"mode is rw or ro, not {mode!r}")
        if mode == "ro" and options["path"] == ":memory:":
            raise ConfigError("mode=ro reads a file that is there; name it, as in sqlite:///notes.db?mode=ro")
        return cls(**options, readonly=mode == "ro")

    @property
    def capabilities(self) -> Capabilities:
        """All but durability and sharing where the store lives in memory."""
        on_disk = self._database.path != ":memory:"
        return Capabilities(
            durable=on_disk,
            multiprocess=on_disk,
            atomic_batches=True,
            lexical=True,
            times=True,
            vectors=True,
            filters=True,
            history=True,
            links=True,
            changes=True,
        )

    def shares(self, log: Log) -> bool:
        """Logs in the same file, and in other ones on disk."""
        from memwell.backends.sqlite.log import SqliteLog

        return isinstance(log, SqliteLog) and self._schema_of(log) is not None

    def _schema_of(self, log: SqliteLog) -> str | None:
        """The schema under which transactions see a log; `None` if they do not."""
        if log not in self._logs:
            self._logs[log] = log.schema_in(self._database)
        return self._logs[log]

    def _analyse_again(self) -> None:
        """Bring index terms of an older analysis up to date; the database is closed when that fails."""
        try:
            reanalysis.analyse_again(self._database)
        except BaseException as error:
            self._database.close()
            if isinstance(error, sqlite3.Error):
                raise translate(error, self.part, "open", path=self._database.path) from error
            raise

    async def _ping(self) -> None:
        self._database.check_file()
        self._database.read().execute("SELECT seq FROM changes LIMIT 1").fetchone()
        self._database.read().execute(_TABLES_ARE_THERE)

    async def _close(self) -> None:
        self._corpora.clear()
        await super()._close()

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        apply, append = self._applying, operations[-1]
        if not isinstance(append, ports.Append):
            return self._database.submit(lambda connection: apply(connection, operations, now))
        log = cast("SqliteLog", append.log)
        schema = self._schema_of(log) or "main"

        def job(connection: sqlite3.Connection) -> list[Any]:
            results = apply(connection, operations[:-1], now)
            return [*results, log.append_in(connection, schema, append, results)]

        return self._database.submit(job)

    @cached_property
    def _applying(self) -> Callable[[sqlite3.Connection, Sequence[Operation], datetime], list[Any]]:
        """What carries out operations in a transaction; it is imported at the first write."""
        from memwell.backends.sqlite.store import batches, writes

        return lambda connection, operations, now: batches.apply_all(
            writes.Transaction(connection, now), operations
        )

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        connection = self._database.read()
        if len(ids) == 1:
            row = seen(connection, scope, ids[0], now)
            return [] if row is None else [record_of(row)]
        where = condition(scope, now)
        found: dict[str, Record] = {}
        for part in _batches(list(dict.fromkeys(ids)), 500):
            found |= {record.id: record for record in select_ids(connection, part, where)}
        return [found[id] for id in ids if id in found]

    async def _scan(
        self,
        scope: Scope,
        now: datetime,
        where: Where | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]:
        text, values = condition(scope, now, where)
        if after is not None:
            value = to_micros(after[0]) if isinstance(after[0], datetime) else after[0]
            text += f" AND (r.{order}, r.id) {'<' if descending else '>'} (?, ?)"
            values = [*values, value, after[1]]
        way = "DESC" if descending else "ASC"
        tail = f"ORDER BY r.{order} {way}, r.id {way} LIMIT ?"
        return select(self._database.read(), (text, values), tail, [limit])

    async def _outlines(self, scope: Scope, now: datetime, limit: int, after: str | None) -> list[Outline]:
        from memwell.backends.sqlite.store import outlines

        return outlines.page(self._database.read(), scope, now, limit, after)

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        text, values = condition(scope, now, where)
        row = self._database.read().execute(f"SELECT count(*) FROM records r WHERE {text}", values).fetchone()
        return int(row[0])

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        from memwell.backends.sqlite.store import batches

        return self._database.glance(lambda connection: batches.duplicates(connection, inserts, now))

    async def _search(self, search: Search) -> Found:
        try:
            linked = self._source.linked
            return find(self._corpora, self._source, search, part=self.part, linked=linked)
        except BaseException:
            self._corpora.drop(search.scope)
            raise

    async def _actors(self, scope: Scope) -> frozenset[str]:
        return self._corpora.actors(scope)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        from memwell.backends.sqlite.store.history import versions
        from memwell.records.revisions import chain

        connection = self._database.read()
        row = seen(connection, scope, id, now)
        if row is None:
            raise NotFound(f"no memory {id!r} in this scope", part=self.part)
        past = versions(connection, row[0], id)
        return chain(past, record_of(row))

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        text, values = condition(scope, None)
        near, far = ("target", "source") if incoming else ("source", "target")
        found: list[tuple[str, Link]] = []
        for part in _batches(list(ids), 500):
            marks = ", ".join("?" * len(part))
            rows = self._database.read().execute(
                f"SELECT r.id, o.id, l.kind, l.strength, l.created_at FROM records r INDEXED BY records_id"
                f" JOIN links l ON l.{near} = r.key JOIN records o ON o.key = l.{far}"
                f" WHERE r.id IN ({marks}) AND {text} ORDER BY l.source, l.target, l.kind",
                [*part, *values],
            )
            for here, there, kind, strength, at in rows:
                source, target = (there, here) if incoming else (here, there)
                link = Link(target=target, kind=kind, strength=strength, created_at=from_micros(at))
                found.append((source, link))
        return found

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        return search.embeddings(self._database.read(), condition(scope, None), ids, model)

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        connection = self._database.read()
        number = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
        if number is None:
            return select(connection, ("1", []), "ORDER BY r.key LIMIT ?", [limit])
        base = number[0] << models.MODEL_SHIFT
        where = ("NOT EXISTS (SELECT 1 FROM vectors v WHERE v.id = r.key + ?)", [base])
        return select(connection, where, "ORDER BY r.key LIMIT ?", [limit])

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        return search.embedded(self._database.read(), model, after, limit)

    async def _position(self) -> int:
        return self._source.position()

    async def _changes(self, after: int, limit: int) -> list[Change]:
        from memwell.backends.sqlite.store import followers

        with self._database.snapshot() as connection:
            return followers.changes(connection, after, limit)

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        from memwell.backends.sqlite.store import followers

        return self._database.submit(
            lambda connection: followers.claim(connection, follower, holder, seconds, now)
        )

    async def _advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        from memwell.backends.sqlite.store import followers

        return self._database.submit(
            lambda connection: followers.advance(connection, follower, holder, position, release)
        )

    async def _embedding_models(self) -> list[str]:
        return models.names(self._database.read())

    async def _serving(self) -> str | None:
        return models.serving(self._database.read())

    async def _serve(self, model: str, lacking: int) -> int:
        return self._database.submit(lambda connection: models.serve(connection, model, lacking))

    async def _drop_model(self, model: str) -> int:
        return self._database.submit(lambda connection: models.drop(connection, model))

    async def _sweep(self, now: datetime) -> int:
        if self._database.readonly:
            return 0
        total = 0
        while True:
            gone = self._database.submit(lambda connection: _sweep_some(connection, now))
            total += gone
            if gone < _SWEEP_BATCH:
                return total

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:  # noqa: ARG002
        from memwell.backends.sqlite import purging

        self._corpora.drop(scope)
        return purging.purge(self._database, texts)

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        return search.stats(self._database.read(), scope, now)

    async def _check(self, repair: bool) -> Report:
        from memwell.backends.sqlite.store import check

        return check.check(self._database, _scripts(), repair)


def _sweep_some(connection: sqlite3.Connection, now: datetime) -> int:
    from memwell.backends.sqlite.store import followers, writes

    rows = connection.execute(
        "SELECT key FROM records WHERE expires_at <= ? LIMIT ?", (to_micros(now), _SWEEP_BATCH)
    ).fetchall()
    writes.delete_keys(writes.Transaction(connection, now), [row[0] for row in rows])
    followers.trim(connection, now)
    return len(rows)


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16000")
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size <= _MAPPED:
        connection.execute(f"PRAGMA mmap_size = {_MAPPED}")
    for name, (arguments, function) in sql_functions.FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)


def _scripts() -> list[str]:
    return scripts_in(migrations, "records")


def _batches(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))
