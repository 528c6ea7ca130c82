"""One connection to the server, and how it ends: by a cancelled call, by a silent server, by a broken network."""

from __future__ import annotations

import asyncio
import re
import select
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import count
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg import generators, waiting
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus

from memwell import _bridge

__all__ = ["Connection", "Lost", "NotConnected", "ServerConnection", "alive", "connect", "cut"]

Connection: TypeAlias = "ServerConnection"
T = TypeVar("T")

_CANCELLING: Final = 1.0
"""Seconds that the server has to end a statement whose caller was cancelled."""
_PERCENT: Final = re.compile(rb"%[%s]")
_INTERVAL: Final = 0.1
"""Seconds after which a wait for the server looks again without being woken. psycopg's functions poll without it."""


class NotConnected(psycopg.OperationalError):
    """No connection could be opened, so that nothing was sent. Its cause says why."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(error.diag.message_primary or str(error))
        self.sqlstate = error.sqlstate


class Lost(psycopg.OperationalError):
    """The connection broke while it was in use. Its cause says how."""

    def __init__(self, error: psycopg.Error, *, silent: bool) -> None:
        super().__init__(error.diag.message_primary or str(error))
        self.sqlstate = error.sqlstate
        self.silent = silent
        """It was cut off from this side, because the server did not answer."""


class ServerConnection(psycopg.AsyncConnection[Any]):
    """A connection that a cancelled call drops, unless the server ends the statement quickly.

    psycopg waits ten seconds for that, or, before 3.3, as long as the server is silent.
    """

    silent: bool = False
    """See `Lost.silent`."""
    here: bool = False
    """Whether it waits for the server in the calling thread, and never suspends."""

    _transformer: Any = None
    """Adapts the values of all statements of `rows`."""

    async def wait(self, gen: Any, interval: float = _INTERVAL, *args: Any, **options: Any) -> Any:
        """As psycopg's, but for a cancelled or interrupted caller."""
        try:
            if self.here:
                return waiting.wait(gen, self.pgconn.socket, interval, *args, **options)
            return await waiting.wait_async(gen, self.pgconn.socket, interval, *args, **options)
        except psycopg.Error:
            raise
        except BaseException:  # cancelled, or a handler of signals has raised
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._stopped(gen)
            raise

    async def rows(self, query: bytes, values: Sequence[Any], *, prepare: bool | None = None) -> list[Any]:
        """The rows that a statement returns, read in binary. `prepare`: at once, for a statement that is used often.

        A statement that psycopg has prepared is sent without a cursor: its steps take longer than many a statement.
        """
        text, formats = _numbered(query)
        transformer = self._transformer = self._transformer or Transformer(self)
        parameters = transformer.dump_sequence(values, formats)
        name = getattr(self._prepared, "_names", {}).get((text, transformer.types or ()))
        if name is None:
            cursor = self.cursor(binary=True)
            await cursor.execute(query, values, prepare=prepare)
            return await cursor.fetchall() if cursor.pgresult is not None and cursor.pgresult.nfields else []
        self.pgconn.send_query_prepared(
            name, parameters, param_formats=transformer.formats, result_format=Format.BINARY
        )
        [result] = await self.wait(generators.execute(self.pgconn))
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise psycopg.errors.error_from_result(result)
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)

    async def abandon(self) -> None:
        """End a statement whose result is not wanted any more."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            await self._stopped(generators.fetch_many(self.pgconn))

    async def _stopped(self, gen: Any) -> None:
        if self.here:
            _bridge.complete(self._stop(gen), blocking=False)
        else:
            await self._stop(gen)

    async def _stop(self, gen: Any) -> None:
        try:
            async with asyncio.timeout(_CANCELLING):
                await self.cancel_safe(timeout=_CANCELLING)
                with suppress(psycopg.errors.QueryCanceled):
                    await waiting.wait_async(gen, self.pgconn.socket, interval=_INTERVAL)
        except (psycopg.Error, TimeoutError, asyncio.CancelledError):  # silent, or cancelled once more
            self.pgconn.finish()


@lru_cache(maxsize=512)
def _numbered(query: bytes) -> tuple[bytes, list[PyFormat]]:
    """The statement as psycopg prepares it, with numbered parameters, and a format for each."""
    numbers = count(1)
    text = _PERCENT.sub(lambda found: b"%" if found[0] == b"%%" else b"$%d" % next(numbers), query)
    return text, [PyFormat.AUTO] * (next(numbers) - 1)


async def connect(arguments: Mapping[str, Any], *, here: bool = False) -> ServerConnection:
    """Open a connection; with `here` one that waits in the calling thread (see `ServerConnection`). Raises
    `NotConnected`."""
    opening = ServerConnection.connect(**arguments)
    try:
        if not here:
            return await opening
        connection = _bridge.complete(opening, blocking=False)
        connection.here = True
        return connection
    except psycopg.OperationalError as error:
        raise NotConnected(error) from error


def cut(connection: ServerConnection) -> None:
    """Break a connection from this side: a caller that waits for an answer gets an error at once."""
    connection.silent = True
    with suppress(psycopg.Error, OSError):
        line = socket.socket(fileno=connection.pgconn.socket)
        try:
            line.shutdown(socket.SHUT_RDWR)
        finally:
            line.detach()


def alive(connection: Connection) -> bool:
    """Whether the server has not hung up, as far as this side knows; no round trip."""
    if connection.closed:
        return False
    # An idle server reports changed settings, or why it hangs up: its last words come before the end itself.
    while _readable(connection.fileno()):
        try:
            connection.pgconn.consume_input()
        except psycopg.Error:
            return False
    return connection.pgconn.status == ConnStatus.OK


def _readable(file: int) -> bool:
    if not hasattr(select, "poll"):
        return bool(select.select([file], [], [], 0)[0])
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
