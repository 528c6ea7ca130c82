"""The database behind one URL: connections, transactions, migrations."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from math import ceil
from typing import Any, Final, TypeVar

import psycopg

from memwell.backends.postgres.adapt import ADAPTERS
from memwell.backends.postgres.errors import translate
from memwell.backends.postgres.migrations import runner as migrations
from memwell.backends.postgres.migrations.runner import Component, Status
from memwell.backends.postgres.pools import Connection, Pools
from memwell.backends.postgres.settings import Settings
from memwell.errors import ConfigError, MemwellError

__all__ = ["SESSION", "Database"]

SESSION: Final[Mapping[str, str]] = {
    "timezone": "UTC",
    "jit": "off",
}
"""How every session is set, beside the search path. `jit` costs more than it gives on short statements."""

_REST: Final = 10.0
"""Seconds that a replica which failed is not asked: to find that out may take as long each time."""
T = TypeVar("T")

_log = logging.getLogger("memwell.backends.postgres")


class Database:
    """See the package. `components` are those of the part that owns it; their migrations run at the first use.
    `session`: how sessions are set, beside `SESSION`."""

    def __init__(
        self, settings: Settings, *components: Component, session: Mapping[str, str] | None = None
    ) -> None:
        self.settings = settings
        self._sessions = {**SESSION, **(session or {})}
        self.missing: dict[str, str] = {}
        """Component → why it is left out (the server lacks an extension); known after the first use."""
        self._components = components
        self._path: str | None = None
        self._primary = Pools(settings.pool, settings.timeout, self._prepare)
        self._replica = Pools(settings.pool, settings.timeout, self._prepare_replica)
        self._replica_rests = 0.0
        """Until when, by the monotonic clock."""

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection where each statement commits by itself; behind a pooler, all of them together."""
        return self._taken(self._primary)

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """A connection inside a transaction, which commits when the block ends without an error. With `snapshot`, all
        its statements see the same moment."""
        async with self._taken(self._primary) as connection, self._begun(connection):
            if snapshot:
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield connection

    async def read(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """What is found by asking the replica; where there is none or it fails, the primary."""
        if self.settings.replica is not None and self._replica_rests < time.monotonic():
            try:
                async with self._taken(self._replica) as connection:
                    return await ask(connection)
            except psycopg.errors.QueryCanceled:  # the primary would take as long
                raise
            except (psycopg.OperationalError, psycopg.errors.UndefinedTable) as error:
                self._replica_rests = time.monotonic() + _REST
                _log.warning("the replica fails, for %g seconds the primary answers: %s", _REST, error)
        async with self.connection() as connection:
            return await ask(connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """A connection outside the pool, in autocommit mode and without a limit of time: for what takes long."""
        async with self.connection():
            arguments = self._arguments(self.settings.target)
        connection = await psycopg.AsyncConnection.connect(**arguments)
        async with connection:
            await connection.execute("SET statement_timeout = 0")
            yield connection

    async def status(self, components: Sequence[Component] = ()) -> list[Status]:
        """How far each component is; changes nothing."""
        async with self._direct() as connection:
            return await migrations.status_of(connection, self.settings, components or self._components)

    async def migrate(self, components: Sequence[Component] = ()) -> list[Status]:
        """Apply what is pending, whatever the option `migrate` says; how far each component is then."""
        wanted = components or self._components
        async with self._direct() as connection:
            await migrations.migrate(connection, self.settings, wanted)
            return await migrations.status_of(connection, self.settings, wanted)

    async def fresh(self, components: Sequence[Component] = ()) -> list[Status]:
        """Drop all that memwell has in the schema, of every component, and begin anew with these."""
        async with self._direct() as connection:
            await migrations.drop_all(connection, self.settings)
        return await self.migrate(components)

    async def close(self) -> None:
        """Close every connection. Twice is fine."""
        await self._primary.close()
        await self._replica.close()

    def translate(self, error: Exception, part: str, operation: str) -> MemwellError | None:
        """The memwell error for one of PostgreSQL's; `None` for any other."""
        return translate(error, part, operation, place=self.settings.place)

    def _taken(self, pools: Pools) -> AbstractAsyncContextManager[Connection]:
        """See `connection`."""
        return pools.connection() if self.settings.prepare else self._set_up(pools)

    @asynccontextmanager
    async def _set_up(self, pools: Pools) -> AsyncIterator[Connection]:
        """Behind a pooler a session is ours only as long as a transaction lasts."""
        async with pools.connection() as connection, connection.transaction():
            await connection.execute(self._local())
            yield connection

    def _begun(self, connection: Connection) -> AbstractAsyncContextManager[object]:
        """A transaction, where `_taken` has not begun one."""
        return connection.transaction() if self.settings.prepare else nullcontext()

    @asynccontextmanager
    async def _direct(self) -> AsyncIterator[Connection]:
        connection = await psycopg.AsyncConnection.connect(
            autocommit=True, prepare_threshold=None, **self.settings.target
        )
        async with connection:
            yield connection

    async def _prepare(self) -> Mapping[str, Any]:
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
        return self._arguments(self.settings.target)

    async def _prepare_replica(self) -> Mapping[str, Any]:
        if self._path is None:
            async with self._primary.connection():
                pass
        target = self.settings.replica or self.settings.target
        probe = await psycopg.AsyncConnection.connect(autocommit=True, **target)
        await probe.close()
        return self._arguments(target)

    def _session(self) -> dict[str, str]:
        limit = str(ceil(self.settings.statement_timeout * 1000))
        return {**self._sessions, "search_path": self._path or "", "statement_timeout": limit}

    def _local(self) -> bytes:
        """The session's settings for a transaction. They take no snapshot: its isolation may be chosen afterwards."""
        values = {name: f"'{value}'" for name, value in self._session().items()}
        values["search_path"] = self._path or "''"
        return "; ".join(f"SET LOCAL {name} = {value}" for name, value in values.items()).encode()

    def _arguments(self, target: Mapping[str, Any]) -> dict[str, Any]:
        arguments: dict[str, Any] = {**target, "autocommit": True, "context": ADAPTERS}
        if not self.settings.prepare:
            return arguments | {"prepare_threshold": None}
        ours = " ".join(f"-c {name}={_escaped(value)}" for name, value in self._session().items())
        return arguments | {"options": f"{target.get('options', '')} {ours}".strip()}


def _escaped(value: str) -> str:
    """A value inside the option string of libpq."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
