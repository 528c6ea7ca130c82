"""Stores thousands of new records by binary COPY, while their texts are still being analysed.

The server stores what it was sent when a COPY ends, or a thousand rows after the last time. So records are sent in
small parts, and while the server stores one, those to come are encoded. That is done in the calling thread: another one
would compete with it for the interpreter, and keep the server waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Self

from psycopg import errors, generators, waiting
from psycopg.copy import AsyncLibpqWriter
from psycopg.pq import ExecStatus, abc

from memwell.backends.postgres import Connection
from memwell.backends.postgres.store import binary
from memwell.backends.postgres.store.binary import Given
from memwell.backends.postgres.store.models import Models

__all__ = ["copy"]

_SLICE: Final = 32
"""Records that are encoded before other tasks may run."""
_PART: Final = 8 * _SLICE
"""Records per COPY."""
_AHEAD: Final = 8 * _PART
"""Records that are encoded ahead while the server is busy, at most."""


async def copy(connection: Connection, given: Given, models: Models, ordinal: int) -> None:
    """Store new records with their vectors and entries in the change sequence, the first of them at `ordinal`, inside a
    transaction. The models must be prepared.
    """
    rows = _Rows(given, connection)
    async with _Stream(connection, rows.encode_ahead) as stream:
        await stream.send(binary.CHANGES, [binary.changes((key for key, _ in given), ordinal)])
        for at in range(0, len(given), _PART):
            part = given[at : at + _PART]
            for model, vectors in binary.vectors(part, models).items():
                await stream.send(binary.VECTORS.format(model.table), [vectors])
            await stream.send(binary.RECORDS, await rows.take(len(part)))


class _Rows:
    """The rows of `records`, encoded a slice at a time."""

    def __init__(self, given: Given, connection: Connection) -> None:
        self._given, self._connection = given, connection
        self._slices = iter(range(0, len(given), _SLICE))
        self._ready: deque[bytes] = deque()

    async def take(self, count: int) -> list[bytes]:
        """The rows of the next `count` records, which are whole slices."""
        wanted = -(-count // _SLICE)
        while len(self._ready) < wanted:
            await self._encode(next(self._slices))
        return [self._ready.popleft() for _ in range(wanted)]

    async def encode_ahead(self) -> bool:
        """Encode one more slice; false when it is not needed yet."""
        at = next(self._slices, None) if len(self._ready) * _SLICE < _AHEAD else None
        if at is not None:
            await self._encode(at)
        return at is not None

    async def _encode(self, at: int) -> None:
        self._ready.append(binary.records(self._given[at : at + _SLICE]))
        if not self._connection.here:
            await asyncio.sleep(0)


class _Stream:
    """COPY statements, one after the other. `meanwhile` is called while the server works, until it returns false."""

    def __init__(self, connection: Connection, meanwhile: Callable[[], Awaitable[bool]]) -> None:
        self._connection, self._meanwhile = connection, meanwhile
        self._storing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            await self._stored()
        elif self._storing:
            await self._connection.abandon()

    async def send(self, head: str, blocks: Iterable[bytes]) -> None:
        """Send the rows of a COPY once the server has stored those of the one before, and raise what went wrong there.

        `head`: the table and its columns.
        """
        while self._busy() and await self._meanwhile():
            pass
        await self._stored()
        cursor = self._connection.cursor()
        statement = f"COPY {head} FROM STDIN (FORMAT BINARY)".encode()
        async with cursor.copy(statement, writer=_Writer(cursor)) as sending:
            for block in (binary.START, *blocks, binary.END):
                await sending.write(block)
        self._storing = True

    def _busy(self) -> bool:
        """Whether the server still stores what it was sent; no round trip."""
        if not self._storing:
            return False
        self._connection.pgconn.consume_input()
        return bool(self._connection.pgconn.is_busy())

    async def _stored(self) -> None:
        if self._storing:
            self._storing = False
            await self._connection.wait(_result(self._connection.pgconn))


class _Writer(AsyncLibpqWriter):
    """Ends a COPY without waiting for its result."""

    async def finish(self, exc: BaseException | None = None) -> None:
        if exc is not None:
            await super().finish(exc)
        else:
            await self.connection.wait(_ended(self.connection.pgconn))


def _ended(pgconn: abc.PGconn) -> Any:
    while pgconn.put_copy_end() == 0:
        while not (yield waiting.WAIT_W):
            pass
    yield from generators.send(pgconn)


def _result(pgconn: abc.PGconn) -> Any:
    [result] = yield from generators.fetch_many(pgconn)
    if result.status != ExecStatus.COMMAND_OK:
        raise errors.error_from_result(result)
