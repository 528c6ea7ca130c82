"""The database behind one URL: connections, transactions, migrations."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from math import ceil
from typing import Any, Final, TypeVar

import psycopg

from memwell import _bridge
from memwell.backends.postgres.adapt import ADAPTERS
from memwell.backends.postgres.connections import Connection, Lost, connect
from memwell.backends.postgres.errors import translate
from memwell.backends.postgres.migrations import runner as migrations
from memwell.backends.postgres.migrations.runner import Component, Derived, Status
from memwell.backends.postgres.pool import Terms
from memwell.backends.postgres.pools import Pools
from memwell.backends.postgres.settings import Settings
from memwell.backends.postgres.watch import ANSWERS_WITHIN, Patience
from memwell.errors import ConfigError, MemwellError, Unavailable

__all__ = ["SESSION", "Database"]

SESSION: Final[Mapping[str, str]] = {
    "timezone": "UTC",
    "jit": "off",
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
    "ivfflat.probes": "10",
    "ivfflat.iterative_scan": "relaxed_order",
    "max_parallel_workers_per_gather": "0",
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
}
"""How every session is set, beside the search path: the same for all parts, since they share connections. Statements
are short, so that `jit` costs more than it gives, and searches are to be quick and find what is there."""

_REST: Final = 10.0
"""Seconds for which a failed replica is not used, because each attempt may take long."""
_PATIENCE: Final = 5.0
"""Seconds that a statement may take before the server is asked whether it works on it."""
T = TypeVar("T")

_log = logging.getLogger("memwell.backends.postgres")


class Database:
    """See the package. `components` are those of the part that owns it; their migrations run at the first use."""

    def __init__(self, settings: Settings, *components: Component) -> None:
        self.settings = settings
        self.missing: dict[str, str] = {}
        """Component → why it is not available (the server lacks an extension); filled at the first use."""
        self.outdated = False
        """Whether index terms are of an older analysis; known after the first use."""
        self._components = components
        self._path: str | None = None
        limit = settings.statement_timeout
        self._patience = Patience(
            seconds=min(_PATIENCE, limit + 0.5) if limit else _PATIENCE,
            times=1 if limit else 2,
            direct=settings.prepare,
        )
        self._primary = Pools(self._prepare)
        self._replica = Pools(self._prepare_replica)
        self._replica_rests = 0.0
        """Until when, by the monotonic clock."""

    @property
    def here(self) -> bool:
        """Whether callers wait in their own threads, without an event loop: no coroutine suspends then. Set it before
        the first call."""
        return self._primary.here

    @here.setter
    def here(self, value: bool) -> None:
        self._primary.here = self._replica.here = value

    @property
    def lost(self) -> int:
        """How many connections to the primary have broken: the server or the network went away meanwhile."""
        return self._primary.lost

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in autocommit mode; behind a pooler, one transaction for all statements of the block."""
        return self._acquire(self._primary)

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """A connection inside a transaction, which commits when the block ends without an error. With `snapshot`, all
        its statements see the same moment."""
        async with self._acquire(self._primary) as connection, self._begun(connection):
            if snapshot:
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield connection

    async def read(self, ask: Callable[[Connection], Awaitable[T]], *, snapshot: bool = False) -> T:
        """Run a read on the primary. With `snapshot`, all its statements run in one transaction and see the same
        moment.

        If the connection breaks, the read is repeated once over a new one: the network may have dropped an idle
        connection.
        """
        try:
            return await self._read(ask, snapshot)
        except Lost as error:
            if error.silent:
                raise
            self._primary.drop_idle()
        return await self._read(ask, snapshot)

    async def _read(self, ask: Callable[[Connection], Awaitable[T]], snapshot: bool) -> T:
        acquired = self.transaction(snapshot=True) if snapshot else self.connection()
        async with acquired as connection:
            return await ask(connection)

    async def search(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a read on the replica; on the primary if there is none or it fails."""
        if self.settings.replica is not None and self._replica_rests < time.monotonic():
            try:
                async with self._acquire(self._replica) as connection:
                    return await ask(connection)
            except psycopg.errors.QueryCanceled:  # the primary would take as long
                raise
            except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
                self._replica_rests = time.monotonic() + _REST
                _log.warning("the replica failed; the primary answers for %g seconds: %s", _REST, error)
        return await self.read(ask)

    async def ping(self, query: str) -> None:
        """Run a query that the server answers at once. Raises `Unavailable` when it does not within some seconds."""
        try:
            await self._within(ANSWERS_WITHIN, query.encode())
        except TimeoutError as error:
            raise Unavailable(
                f"{self.settings.place}: PostgreSQL accepts connections but does not answer; check the server and the"
                " network, or try again",
                part="postgres",
            ) from error

    async def _within(self, seconds: float, query: bytes) -> None:
        """Run a query. Raises `TimeoutError` when it takes longer; a thread of callers without a loop waits on."""

        async def ask() -> None:
            await self.read(lambda connection: connection.execute(query))

        if not self.here:
            async with asyncio.timeout(seconds):
                await ask()
            return
        asking: Future[None] = Future()

        def answer() -> None:
            try:
                asking.set_result(_bridge.drive(ask()))
            except BaseException as error:  # noqa: BLE001  the caller gets it
                asking.set_exception(error)

        threading.Thread(target=answer, name="memwell-postgres-ping", daemon=True).start()
        asking.result(seconds)

    @asynccontextmanager
    async def session(self, *, here: bool | None = None) -> AsyncIterator[Connection]:
        """A connection outside the pool, in autocommit mode and without a statement timeout, for long work. `here`:
        whether it waits in the calling thread; as those of the pool do, unless said otherwise."""
        if self._path is None:
            async with self.connection():
                pass
        connection = await connect(
            self._arguments(self.settings.target), here=self.here if here is None else here
        )
        async with connection:
            await connection.execute("SET statement_timeout = 0")
            yield connection

    async def status(self, components: Sequence[Component] = ()) -> list[Status]:
        """The migration state of each component; changes nothing."""
        async with self._direct() as connection:
            return await migrations.status_of(connection, self.settings, components or self._components)

    async def migrate(self, components: Sequence[Component] = ()) -> list[Status]:
        """Apply pending migrations, also with `migrate=off`; returns the state of each component afterwards."""
        selected = components or self._components
        async with self._direct() as connection:
            await migrations.migrate(connection, self.settings, selected)
            self._path = await migrations.search_path(connection, self.settings)
            for derived in await migrations.outdated(connection, self.settings, selected):
                await self._renew(derived)
            return await migrations.status_of(connection, self.settings, selected)

    async def fresh(self, components: Sequence[Component] = ()) -> list[Status]:
        """Drop everything of memwell in the schema, of every component, and create these components again."""
        async with self._direct() as connection:
            await migrations.drop_all(connection, self.settings)
        return await self.migrate(components)

    async def close(self) -> None:
        """Close every connection that other parts do not use. Twice is fine."""
        await self._primary.close()
        await self._replica.close()

    def translate(self, error: Exception, part: str, operation: str) -> MemwellError | None:
        """The memwell error for one of PostgreSQL's; `None` for any other."""
        return translate(error, part, operation, place=self.settings.place)

    def _acquire(self, pools: Pools) -> AbstractAsyncContextManager[Connection]:
        """See `connection`."""
        return pools.connection() if self.settings.prepare else self._set_up(pools)

    @asynccontextmanager
    async def _set_up(self, pools: Pools) -> AsyncIterator[Connection]:
        """Set up a transaction behind a pooler, where a session lasts no longer than a transaction."""
        async with pools.connection() as connection, connection.transaction():
            await connection.execute(self._local())
            yield connection

    def _begun(self, connection: Connection) -> AbstractAsyncContextManager[object]:
        """Begin a transaction, unless `_acquire` has begun one."""
        return connection.transaction() if self.settings.prepare else nullcontext()

    @asynccontextmanager
    async def _direct(self) -> AsyncIterator[Connection]:
        arguments = {"autocommit": True, "prepare_threshold": None, **self.settings.target}
        connection = await connect(arguments, here=self.here)
        async with connection:
            _refuse_other_encoding(connection)
            yield connection

    async def _prepare(self) -> Terms:
        async with self._direct() as connection:
            found = await migrations.status_of(connection, self.settings, self._components)
            if any(status.pending for status in found) and self.settings.migrate:
                await migrations.migrate(connection, self.settings, self._components)
                found = await migrations.status_of(connection, self.settings, self._components)
            late = [status.component for status in found if status.pending and status.missing is None]
            if late:
                raise ConfigError(
                    f"{self.settings.place}, schema {self.settings.schema}: migrations of {', '.join(late)} are"
                    " pending; run `memwell db migrate`, or leave out migrate=off",
                    part="postgres",
                )
            self.missing = {status.component: status.missing for status in found if status.missing}
            self._path = await migrations.search_path(connection, self.settings)
            late_terms = await migrations.outdated(connection, self.settings, self._components)
        for derived in late_terms:
            self.outdated = not (self.settings.migrate and await self._renewed(derived))
        return self._terms(self.settings.target)

    async def _renewed(self, derived: Derived) -> bool:
        """Whether columns could be written again; a database that takes no writes is searched as it is."""
        try:
            await self._renew(derived)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            _log.warning("the index terms are of an older analysis and could not be written again: %s", error)
            return False
        return True

    async def _renew(self, derived: Derived) -> None:
        target = {"autocommit": True, "prepare_threshold": None, **self.settings.target, "context": ADAPTERS}
        async with await connect(target, here=self.here) as connection:
            await derived.renew(connection, self._local() + b"; SET LOCAL statement_timeout = 0")

    async def _prepare_replica(self) -> Terms:
        if self._path is None:
            async with self._primary.connection():
                pass
        target = self.settings.replica or self.settings.target
        probe = await connect({"autocommit": True, **target}, here=self.here)
        await probe.close()
        return self._terms(target)

    def _terms(self, target: Mapping[str, Any]) -> Terms:
        return Terms.of(
            self._arguments(target),
            session=self._session(),
            size=self.settings.pool,
            timeout=self.settings.timeout,
            patience=self._patience,
        )

    def _session(self) -> dict[str, str]:
        limit = str(ceil(self.settings.statement_timeout * 1000))
        return {**SESSION, "search_path": self._path or "", "statement_timeout": limit}

    def _local(self) -> bytes:
        """The session's settings for a transaction. They take no snapshot, so its isolation can be set afterwards."""
        values = {name: f"'{value}'" for name, value in self._session().items()}
        values["search_path"] = self._path or "''"
        return "; ".join(f"SET LOCAL {name} = {value}" for name, value in values.items()).encode()

    def _arguments(self, target: Mapping[str, Any]) -> dict[str, Any]:
        arguments: dict[str, Any] = {**target, "autocommit": True, "context": ADAPTERS}
        if not self.settings.prepare:
            return arguments | {"prepare_threshold": None}
        ours = " ".join(f"-c {name}={_escaped(value)}" for name, value in self._session().items())
        return arguments | {"options": f"{target.get('options', '')} {ours}".strip()}


def _refuse_other_encoding(connection: Connection) -> None:
    """Raise `ConfigError` for a database without UTF-8, which would lose or misread characters."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        name = connection.info.dbname
        raise ConfigError(
            f"the database {name} has the encoding {encoding}, and memwell needs UTF8; make another one, with"
            f" CREATE DATABASE {name}_utf8 ENCODING 'UTF8' TEMPLATE template0, and name it in the URL",
            part="postgres",
        )


def _escaped(value: str) -> str:
    """A value inside the option string of libpq."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
