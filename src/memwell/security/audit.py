"""The audit log: every operation, allowed or refused, in a chain of hashes over a `Log`.

An entry is appended only if it follows the newest one (`Log.append_if`), so that any number of processes write one
chain without forks. Entries of calls that run at the same time are appended together.

`mode` says when a call returns: `durable` (the default) when its entry is in the log, `batched` at once; then its entry
is written within about a second, and a process that is killed before loses it. A call whose entry cannot be written
raises `Unavailable`, though it has happened; the entry is kept and written before anything else. While that is not
possible, calls are refused before they do anything.

Where the store takes appends to the log into its transactions (`Store.shares`), a `durable` entry is written in the
transaction of the write that it tells of: neither is there without the other.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar

from memwell import _bridge
from memwell._dataclasses import dataclass
from memwell._forks import fork_safe
from memwell.errors import BackendError, Closed, MemwellError, Unavailable
from memwell.ports import Append, Log, Operation, Store
from memwell.security.acting import current
from memwell.security.entries import Chain, Waiting, detail_of, scope_of, scope_to_json
from memwell.security.signing import Key
from memwell.security.tracing import Traced, traced, traced_write

__all__ = ["STREAM", "Audit", "AuditMode"]

log = logging.getLogger("memwell.audit")

T = TypeVar("T")
AuditMode: TypeAlias = Literal["durable", "batched"]

STREAM: Final = "memwell:audit"
_TOGETHER: Final = 500
"""Entries of one append."""
_EVERY: Final = 1.0
"""Seconds between two appends of `batched`."""
_ATTEMPTS: Final = 200
_NAMED: Final = 1000
"""Ids that an entry names at most, where nothing was changed."""


@dataclass(slots=True)
class _Call:
    """A call under way."""

    operation: str
    given: Mapping[str, Any]
    parts: int = 0
    """Entries that were written with one of its writes."""
    entered: bool = False
    """Whether its own entry was."""


_calling: ContextVar[_Call | None] = ContextVar("memwell_audited", default=None)


class Audit:
    """Writes one chain. `clock` gives the time; `key` keys the digests of contents. `beside` is a store that takes
    appends to the log, and the log as it knows it.
    """

    def __init__(
        self,
        log: Log,
        *,
        clock: Callable[[], datetime],
        mode: AuditMode = "durable",
        key: Key | None = None,
        stream: str = STREAM,
        beside: tuple[Store, Log] | None = None,
    ) -> None:
        self.log, self.stream, self.key = log, stream, key
        self._clock, self._mode = clock, mode
        self._chain = Chain()
        self._newest: tuple[str, bytes] | None = None
        """Position and bytes of the newest entry that this object knows."""
        self._beside = None if mode == "batched" else beside
        self.failed: Callable[[MemwellError], None] = lambda _: None
        """Called when an entry could not be written."""
        self._lock = _bridge.PerLoopLock(blocking=log.blocking)
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._queue: deque[Waiting] = deque()
        self._stop: Callable[[], None] | None = None
        self._failure: MemwellError | None = None

    async def around(self, operation: str, given: Mapping[str, Any], call: Callable[[], Awaitable[T]]) -> T:
        """Run an operation and append its entry, also if it raises."""
        if self._failure is not None:
            await self._ready(operation)
        calling = _Call(operation, given)
        token = _calling.set(calling)
        try:
            result = await call()
        except Exception as error:
            self._enter(operation, given, error=error)
            await self._written(operation)
            raise
        finally:
            _calling.reset(token)
        if not calling.entered:
            self._enter(operation, given, result=result)
        if self._queue:
            await self._written(operation)
        return result

    async def write(
        self,
        store: Store,
        operations: Sequence[Operation],
        *,
        now: datetime,
        gives: Callable[[list[Any]], Any] | None = None,
    ) -> list[Any]:
        """`Store.write` for the call under way, with the entry of what it does in the same transaction where the store
        takes one. `gives` tells from the results what the call returns: then this is its whole entry. `None`, or
        no such function, means that the call goes on, and gets an entry at its end.
        """
        calling = _calling.get()
        if self._beside is None or calling is None or not operations:
            return await store.write(operations, now=now)
        made: list[bytes] = []
        entered = False

        def entries(results: list[Any], newest: bytes | None) -> list[bytes]:
            nonlocal made, entered
            result = None if gives is None or calling.entered else gives(results)
            entered = result is not None
            if entered:
                waiting = [self._waiting(calling.operation, calling.given, result=result)]
            else:
                waiting = self._parts(calling, operations, results)
            made = self._chain.following(newest, waiting)
            return made

        append = Append(log=self._beside[1], stream=self.stream, entries=entries, after=self._newest)
        results = await store.write([*operations, append], now=now)
        if positions := results.pop():  # unknown after a repeated attempt
            self._note(positions[-1], made[-1])
        if made:
            calling.parts += not entered
            calling.entered |= entered
        return results

    async def refused(self, operation: str, given: Mapping[str, Any], error: Exception) -> None:
        """Append the entry of a call that was refused before it began."""
        self.note_refused(operation, given, error)
        await self._written(operation)

    def note_refused(self, operation: str, given: Mapping[str, Any], error: Exception) -> None:
        """The same, written with the next entry."""
        self._enter(operation, given, error=error)

    async def append(self, operation: str, data: Mapping[str, Any]) -> None:
        """Append an entry of the log itself, such as `redact`."""
        found = Traced(data=dict(data))
        self._queue.append(
            Waiting(
                self._clock(), operation, "allowed", detail_of(None, found, os.urandom(16).hex(), current())
            )
        )
        await self.flush()

    async def flush(self) -> None:
        """Write all entries that wait. Raises what the log raises; they are kept then."""
        if not self._queue:
            return
        async with self._lock:
            while batch := list(self._queue)[:_TOGETHER]:
                await self._append(batch)
                for entry in batch:
                    entry.done = True
                    self._queue.remove(entry)
            self._failure = None

    async def close(self) -> None:
        """Write what waits. The log stays open."""
        if self._stop is not None:
            self._stop()
        await self.flush()

    # ------------------------------------------------------------------------------------------ entries

    def _enter(
        self,
        operation: str,
        given: Mapping[str, Any],
        *,
        result: object = None,
        error: Exception | None = None,
    ) -> None:
        self._queue.append(self._waiting(operation, given, result=result, error=error))

    def _waiting(
        self,
        operation: str,
        given: Mapping[str, Any],
        *,
        result: object = None,
        error: Exception | None = None,
    ) -> Waiting:
        """The entry of a call."""
        nonce = os.urandom(16).hex()
        found = traced(given, result, self.key, nonce)
        if error is not None:
            found.data["error"] = type(error).__name__
        most = None if found.changes else _NAMED
        detail = detail_of(scope_to_json(given), found, nonce, current(), most)
        return Waiting(self._clock(), operation, _outcome(error), detail)

    def _parts(
        self, calling: _Call, operations: Sequence[Operation], results: Sequence[Any]
    ) -> list[Waiting]:
        """The entries of one of several writes of a call, one for each tenant."""
        nonce = os.urandom(16).hex()
        made = []
        for scope, found in traced_write(operations, results, self.key, nonce):
            found.data = {"part": calling.parts + 1}
            if calling.given.get("audit"):  # the details of these memories are to be removed
                found = Traced(data=found.data | {"count": len(found.ids)})
            detail = detail_of(scope_of(scope), found, nonce, current())
            made.append(Waiting(self._clock(), calling.operation, "allowed", detail))
        return made

    async def _written(self, operation: str) -> None:
        if self._mode == "batched" and len(self._queue) < _TOGETHER:
            if self._stop is None:
                self._stop = _bridge.repeat(self._flush_quietly, _EVERY, blocking=self.log.blocking)
            return
        try:
            await self.flush()
        except MemwellError as error:
            self._fail(error)
            raise Unavailable(
                f"{operation} has ended, but its entry could not be written to the audit log yet: {error}",
                part="audit",
                operation=operation,
            ) from error

    async def _ready(self, operation: str) -> None:
        try:
            await self.flush()
        except MemwellError as error:
            raise Unavailable(
                f"the audit log cannot be written, so nothing was done: {error}",
                part="audit",
                operation=operation,
                unsent=True,
            ) from error

    def _fail(self, error: MemwellError) -> None:
        self._failure = error
        self.failed(error)

    async def _flush_quietly(self) -> bool:
        try:
            await self.flush()
        except Closed:
            return False
        except MemwellError as error:
            self._fail(error)
            log.warning("entries wait for the audit log: %s", error)
        return True

    async def _append(self, batch: Sequence[Waiting]) -> None:
        if self._beside is not None:
            await self._append_beside(*self._beside, batch)
            return
        for attempt in range(_ATTEMPTS):
            if self._newest is None or attempt:
                found = await self.log.last(self.stream)
                self._newest = None if found is None else (found.position, found.data)
            position, newest = self._newest if self._newest is not None else (None, None)
            data = self._chain.following(newest, batch)
            positions = await self.log.append_if(self.stream, data, last=position)
            if positions is not None:
                self._note(positions[-1], data[-1])
                return
            if attempt > 2:
                await _bridge.pause(secrets.randbelow(min(attempt, 20)) / 1000, blocking=self.log.blocking)
        raise Unavailable("other processes append to the audit log all the time; try again", part="audit")

    async def _append_beside(self, store: Store, log: Log, batch: Sequence[Waiting]) -> None:
        data: list[bytes] = []

        def entries(_: list[Any], newest: bytes | None) -> list[bytes]:
            nonlocal data
            data = self._chain.following(newest, batch)
            return data

        append = Append(log=log, stream=self.stream, entries=entries, after=self._newest)
        (positions,) = await store.write([append], now=self._clock())
        if positions:
            self._note(positions[-1], data[-1])

    def _note(self, position: str, data: bytes) -> None:
        """Note the newest entry that is surely in the log."""
        self._newest = position, data
        self._chain.written(data)


def _outcome(error: Exception | None) -> str:
    if error is None:
        return "allowed"
    failed = isinstance(error, Unavailable | BackendError) or not isinstance(error, MemwellError | TypeError)
    return "failed" if failed else "refused"
