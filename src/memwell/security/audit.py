"""The audit log: every operation, allowed or refused, in a chain of hashes over a `Log`.

An entry is appended only if it follows the newest one (`Log.append_if`), so that any number of processes write one
chain without forks. Entries of calls that run at the same time are appended together.

`mode` says when a call returns: `durable` (the default) when its entry is in the log, `batched` at once; then its entry
is written within about a second, and a process that is killed before loses it. A call whose entry cannot be written
raises `Unavailable`, though it has happened; the entry is kept and written before anything else. While that is not
possible, calls are refused before they do anything.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar

from memwell import _bridge
from memwell._forks import fork_safe
from memwell.errors import BackendError, Closed, MemwellError, Unavailable
from memwell.ports import Log
from memwell.security.acting import current
from memwell.security.entries import FIRST, Header, decode, digest_of, encode, header_of, scope_to_json, texts
from memwell.security.receipts import canonical
from memwell.security.signing import Key
from memwell.security.tracing import traced

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
class _Waiting:
    """An entry that is not in the log yet."""

    at: datetime
    operation: str
    outcome: str
    detail: str
    done: bool = False


class Audit:
    """Writes one chain. `clock` gives the time; `key` keys the digests of contents."""

    def __init__(
        self,
        log: Log,
        *,
        clock: Callable[[], datetime],
        mode: AuditMode = "durable",
        key: Key | None = None,
        stream: str = STREAM,
    ) -> None:
        self.log, self.stream, self.key = log, stream, key
        self._clock, self._mode = clock, mode
        self._head: tuple[str, Header] | None = None
        """Position and header of the newest entry that this object knows."""
        self._lock = _bridge.PerLoopLock(blocking=log.blocking)
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._queue: deque[_Waiting] = deque()
        self._stop: Callable[[], None] | None = None
        self._failure: MemwellError | None = None

    async def around(self, operation: str, given: Mapping[str, Any], call: Callable[[], Awaitable[T]]) -> T:
        """Run an operation and append its entry, also if it raises."""
        if self._failure is not None:
            await self._ready(operation)
        try:
            result = await call()
        except Exception as error:
            self._enter(operation, given, error=error)
            await self._written(operation)
            raise
        self._enter(operation, given, result=result)
        await self._written(operation)
        return result

    async def refused(self, operation: str, given: Mapping[str, Any], error: Exception) -> None:
        """Append the entry of a call that was refused before it began."""
        self.note_refused(operation, given, error)
        await self._written(operation)

    def note_refused(self, operation: str, given: Mapping[str, Any], error: Exception) -> None:
        """The same, written with the next entry."""
        self._enter(operation, given, error=error)

    async def append(self, operation: str, detail: Mapping[str, Any]) -> None:
        """Append an entry of the log itself, such as `redact`."""
        self._add(operation, "allowed", {**detail, "nonce": secrets.token_hex(16)})
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
        nonce = secrets.token_hex(16)
        found = traced(given, result, lambda content: digest_of(content, self.key, nonce))
        data = dict(found.data)
        if error is not None:
            data["error"] = type(error).__name__
        detail = {
            "scope": scope_to_json(given),
            "ids": texts(found.ids, len(found.ids) if found.changes else _NAMED),
            "changes": found.changes,
            "data": data,
            "nonce": nonce,
        }
        self._add(operation, _outcome(error), detail)

    def _add(self, operation: str, outcome: str, detail: dict[str, Any]) -> None:
        who = current()
        detail |= {"actor": who.actor, "correlation_id": who.correlation_id}
        kept = {name: value for name, value in detail.items() if value or value == 0}
        self._queue.append(_Waiting(self._clock(), operation, outcome, canonical(kept)))

    async def _written(self, operation: str) -> None:
        if self._mode == "batched" and len(self._queue) < _TOGETHER:
            if self._stop is None:
                self._stop = _bridge.repeat(self._flush_quietly, _EVERY, blocking=self.log.blocking)
            return
        try:
            await self.flush()
        except MemwellError as error:
            self._failure = error
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

    async def _flush_quietly(self) -> bool:
        try:
            await self.flush()
        except Closed:
            return False
        except MemwellError as error:
            self._failure = error
            log.warning("entries wait for the audit log: %s", error)
        return True

    async def _append(self, batch: Sequence[_Waiting]) -> None:
        for attempt in range(_ATTEMPTS):
            if self._head is None or attempt:
                self._head = await self._newest()
            position, header = self._head if self._head is not None else (None, None)
            headers: list[Header] = []
            for entry in batch:
                before = headers[-1] if headers else header
                number, chained = (1, FIRST) if before is None else (before.number + 1, before.hash)
                names = (entry.operation, entry.outcome)
                headers.append(header_of(number, chained, entry.at, names, entry.detail))
            data = [encode(made, entry.detail) for made, entry in zip(headers, batch, strict=True)]
            positions = await self.log.append_if(self.stream, data, last=position)
            if positions is not None:
                self._head = positions[-1], headers[-1]
                return
            if attempt > 2:
                await _bridge.pause(secrets.randbelow(min(attempt, 20)) / 1000, blocking=self.log.blocking)
        raise Unavailable("other processes append to the audit log all the time; try again", part="audit")

    async def _newest(self) -> tuple[str, Header] | None:
        found = await self.log.last(self.stream)
        return None if found is None else (found.position, decode(found.data)[0])


def _outcome(error: Exception | None) -> str:
    if error is None:
        return "allowed"
    failed = isinstance(error, Unavailable | BackendError) or not isinstance(error, MemwellError | TypeError)
    return "failed" if failed else "refused"
