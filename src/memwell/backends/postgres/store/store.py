"""The PostgreSQL store: row, words, vectors, history and change entry of every operation in one transaction.

A single operation is one statement and one round trip; an update reads the record first, and so takes two. A write that
returns is committed. Searches run in the database (`memwell.backends.postgres.store.search`), with pgvector for
vectors.

URL: `postgresql://user:password@host:port/database`; `memwell.backends.postgres` documents its options. Any number of
processes may use one schema at once: writers wait for each other only if they store the same content or change the same
record. Two processes that store the same content at once store it once. A lost connection, a deadlock or a timeout
raises `Unavailable`; nothing of the call is stored, unless the connection was lost during the commit.

Vector indexes are built in the background when a model has some thousand vectors (`memwell db index` makes others).
Without the extension `vector`, and without the privilege to create it, the store searches by words only: its capability
`vectors` becomes false, and storing vectors raises `NotSupported` with the command that helps.

Transaction numbers order the change sequence. After restoring a dump into another server, whose numbers are lower, run
`memwell repair` once, so that indexes and caches are rebuilt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

import psycopg

from memwell import _bridge
from memwell._workers import on_loop
from memwell.backends.postgres import Component, Connection, Database, Settings
from memwell.backends.postgres.log import PostgresLog
from memwell.backends.postgres.part import PostgresPart
from memwell.backends.postgres.store import batches, followers, indexes, models, purging, reads
from memwell.backends.postgres.store.aside import Aside
from memwell.backends.postgres.store.hot_owners import HotOwners
from memwell.backends.postgres.store.lineage import Lineage
from memwell.backends.postgres.store.reanalysis import TERMS
from memwell.backends.postgres.store.rows import SELECT, condition, record_of, rows_of, select, visible
from memwell.backends.postgres.store.search import Searcher
from memwell.backends.postgres.store.writes import removing
from memwell.backends.sql import PLACES
from memwell.capabilities import Capabilities
from memwell.errors import MemwellError
from memwell.ports import Append, Change, Embedding, Insert, Log, Operation, Store
from memwell.ports.store.search import Found, Search
from memwell.types import Link, Record, Report, Scope, Stats, Trace, Version, Where

__all__ = ["COMPONENTS", "PostgresStore"]

_SCRIPTS: Final = Path(__file__).parents[1] / "migrations"
COMPONENTS: Final = (
    Component.of("store", _SCRIPTS / "records", derived=TERMS),
    Component.of("vectors", _SCRIPTS / "vectors", extension="vector"),
)
"""The tables of this part."""
_SWEEP_BATCH: Final = 1000
_FIRST: Final = 1000
"""How many vectors are stored before the store first looks whether an index is due."""
_LOOK: Final = 5000
"""How many from then on. Each look counts the records of every owner, over a new connection."""
_OUTDATED: Final = "searched by index terms of an older analysis; run `memwell db migrate` to make them again"

_log = logging.getLogger("memwell.backends.postgres.store")


class PostgresStore(PostgresPart, Store):
    """See the module. Nothing is opened before the first call."""

    remote = True
    unanchored = frozenset({"_actors", "_search"})

    def __init__(self, settings: Settings) -> None:
        self._database = Database(settings, *COMPONENTS)
        self._models = models.Models(self._database)
        self._aside = Aside(self._database)
        self._searcher = Searcher(part=self.part, aside=self._aside)
        self._lineage = Lineage()
        self._following = _bridge.PerLoopLock(blocking=False)
        """Held while the lineage is observed: it must see the server's states in order."""
        self._hot = HotOwners(
            self._database,
            part=self.part,
            most=0 if settings.replica else settings.warm,
            aside=self._aside,
        )
        self._lost = 0
        """How many connections had broken when the models were looked up."""
        self._unindexed = _LOOK - _FIRST
        """Vectors stored since the last check whether an index is due."""
        self._building: asyncio.Task[None] | None = None
        self._may_build = True
        """False once the server has refused this user a build."""

    @property
    def capabilities(self) -> Capabilities:
        """All, except vectors where the server lacks the extension."""
        return Capabilities(
            durable=True,
            multiprocess=True,
            atomic_batches=True,
            lexical=True,
            times=True,
            vectors=self._models.there,
            filters=True,
            history=True,
            links=True,
            changes=True,
        )

    def _wait_here(self, here: bool) -> None:
        super()._wait_here(here)
        self._following = _bridge.PerLoopLock(blocking=here)

    def shares(self, log: Log) -> bool:
        """Logs in the same schema of the same database."""
        return isinstance(log, PostgresLog) and log.within(self._database.settings)

    async def _ping(self) -> None:
        await self._database.ping("SELECT 1 FROM trimmed")

    async def _close(self) -> None:
        building, self._building = self._building, None
        if building is not None and self.blocking:
            _bridge.complete(_ended(building), blocking=False)
        elif building is not None and building.get_loop() is asyncio.get_running_loop():
            await _ended(building)
        await self._hot.close()
        self._aside.close()
        await self._database.close()

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        if self._lost != self._database.lost:  # the server may have lost its last models
            self._lost = self._database.lost
            self._models.forget()
        if isinstance(append := operations[-1], Append):
            await cast("PostgresLog", append.log).prepare()
        results = await batches.write(self._database, self._models, operations, now)
        self._searcher.forget(operations)
        self._unindexed += sum(1 for operation in operations if getattr(operation, "embedding", None))
        if self._unindexed >= _LOOK:
            self._keep_up()
        return results

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        text, values = visible(scope, now, by_id=True)
        one = len(ids) == 1
        named = "r.id = %s" if one else "r.id = ANY (%s::text[])"  # a list takes longer to send
        rows = await self._rows(f"{SELECT} WHERE {named} AND {text}", [ids[0] if one else list(ids), *values])
        found = {row[PLACES["id"]]: record_of(row) for row in rows}
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
            text += f" AND (r.{order}, r.id) {'<' if descending else '>'} (%s, %s)"
            values = [*values, *after]
        way = "DESC" if descending else "ASC"
        tail = f"ORDER BY r.{order} {way}, r.id {way} LIMIT %s"
        return await self._database.read(lambda reader: select(reader, (text, values), tail, [limit]))

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        text, values = condition(scope, now, where)
        rows = await self._rows(f"SELECT count(*) FROM records r WHERE {text}", values)
        return int(rows[0][0])

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        return await self._database.read(
            lambda reader: batches.duplicates(reader, self._models, inserts, now)
        )

    async def _search(self, search: Search) -> Found:
        found = await self._found(search)
        return replace(found, notes=(*found.notes, _OUTDATED)) if self._database.outdated else found

    async def _found(self, search: Search) -> Found:
        async def ask(connection: Connection) -> Found:
            self._searcher.vectors = self._models.there
            return await self._searcher.search(connection, search)

        found = await on_loop(lambda: self._hot.replica_or(search, lambda: self._database.search(ask)))
        if isinstance(found, Found):
            return found
        return await self._aside.run(lambda: self._hot.find(found, search))

    async def _actors(self, scope: Scope) -> frozenset[str]:
        replica = self._hot.known(scope)
        if replica is not None:
            return await self._aside.run(replica.speakers)
        return await on_loop(
            lambda: self._database.search(lambda reader: self._searcher.actors(reader, scope))
        )

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        return await self._database.read(lambda reader: reads.history(reader, scope, id, now), snapshot=True)

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        text, values = visible(scope, None, by_id=True)
        near, far = ("target", "source") if incoming else ("source", "target")
        rows = await self._rows(
            "SELECT r.id, o.id, l.kind, l.strength, l.created_at FROM records r"
            f" JOIN links l ON l.{near} = r.key JOIN records o ON o.key = l.{far}"
            f" WHERE r.id = ANY (%s::text[]) AND {text} ORDER BY l.source, l.target, l.kind",
            [list(ids), *values],
        )
        found: list[tuple[str, Link]] = []
        for here, there, kind, strength, at in rows:
            source, target = (there, here) if incoming else (here, there)
            found.append((source, Link(target=target, kind=kind, strength=strength, created_at=at)))
        return found

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        async def ask(reader: Connection) -> dict[str, Embedding]:
            return await reads.embeddings(reader, scope, ids, model) if self._models.there else {}

        return await self._database.read(ask)

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        async def ask(reader: Connection) -> list[Record]:
            where = reads.lacking(model) if self._models.there else ("true", [])
            return await select(reader, where, "ORDER BY r.key LIMIT %s", [limit])

        return await self._database.read(ask)

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        async def ask(reader: Connection) -> list[tuple[Record, Embedding]]:
            return await reads.embedded(reader, model, after, limit) if self._models.there else []

        return await self._database.read(ask)

    async def _position(self) -> int:
        async with self._following:
            return await self._database.read(lambda reader: followers.position(reader, self._lineage))

    async def _changes(self, after: int, limit: int) -> list[Change]:
        async with self._following:
            return await self._database.read(
                lambda reader: followers.changes(reader, self._lineage, after, limit)
            )

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        async with self._following, self._database.connection() as connection:
            return await followers.claim(connection, self._lineage, follower, holder, seconds, now)

    async def _advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        async with self._database.connection() as connection:
            return await followers.advance(connection, follower, holder, position, release)

    async def _embedding_models(self) -> list[str]:
        async def ask(reader: Connection) -> list[str]:
            return await models.names(reader) if self._models.there else []

        return await self._database.read(ask)

    async def _serving(self) -> str | None:
        async def ask(reader: Connection) -> str | None:
            return await models.serving(reader) if self._models.there else None

        return await self._database.read(ask)

    async def _serve(self, model: str, lacking: int) -> int:
        async with self._database.transaction() as connection:
            if not self._models.there:
                [(count,)] = await rows_of(connection, "SELECT count(*) FROM records")
                return int(count)
            return await models.serve(connection, model, lacking)

    async def _drop_model(self, model: str) -> int:
        self._models.forget()
        self._hot.drop()
        async with self._database.transaction() as connection:
            return await models.drop(connection, model) if self._models.there else 0

    async def _sweep(self, now: datetime) -> int:
        total = 0
        while True:
            async with self._database.transaction() as connection:
                gone = await self._sweep_some(connection, now)
                if gone < _SWEEP_BATCH:
                    await followers.trim(connection)
            total += gone
            if gone < _SWEEP_BATCH:
                if self._models.there:
                    self._keep_up()
                return total

    def _keep_up(self) -> None:
        """Start to build the vector indexes that are due, unless a build is running."""
        free = self._building is None or self._building.done()
        if free and self._may_build and self._database.settings.prepare:
            self._unindexed = 0
            starting = _started(self._build())
            self._building = (
                _bridge.complete(starting, blocking=False) if self.blocking else _bridge.drive(starting)
            )

    async def _build(self) -> None:
        try:
            async with self._database.session(here=False) as connection:
                await indexes.keep_up(connection)
        except psycopg.errors.InsufficientPrivilege:
            self._may_build = False
            _log.warning(
                "a vector index is due, which this database user may not build; run `memwell db maintain` as the"
                " owner of the tables"
            )
        except (psycopg.Error, MemwellError) as error:  # searches compare vectors one by one meanwhile
            _log.warning("a vector index could not be built; run `memwell db index`: %s", error)

    async def _sweep_some(self, connection: Connection, now: datetime) -> int:
        some = (
            "r.key = ANY (ARRAY(SELECT key FROM records WHERE expires_at <= %s LIMIT %s FOR UPDATE SKIP LOCKED))"
            " AND r.expires_at <= %s"
        )
        query = removing(some)
        return len(await rows_of(connection, query, [now, _SWEEP_BATCH, now, 0]))

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:  # noqa: ARG002
        return await purging.purge(self._database, vectors=self._models.there)

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        async def ask(reader: Connection) -> Stats:
            return await reads.stats(reader, scope, now, vectors=self._models.there)

        return await self._database.read(ask, snapshot=True)

    async def _check(self, repair: bool) -> Report:
        from memwell.backends.postgres.store import check

        return await check.check(self._database, self._models, repair)

    async def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return await self._database.read(lambda reader: rows_of(reader, query, values))


async def _started(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(coroutine)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
