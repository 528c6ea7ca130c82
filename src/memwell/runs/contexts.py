"""Contexts and their events over a key-value and a log; see `memwell.runs`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from memwell.errors import Unavailable
from memwell.ports import Entry, KeyValue, Log
from memwell.ports.keyvalue import check_ttl
from memwell.runs.values import Context, ContextEvent, checked_id, checked_limit, decoded, document, encoded

__all__ = ["Contexts", "pages"]

PAGE: Final = 1000
"""Entries read from the log at a time."""
SWEEP: Final = 16
"""Known contexts looked at when one is created."""
ATTEMPTS: Final = 100
CREATION: Final = timedelta(minutes=10)
"""How long a context may be in the register before it exists; the clocks of log and caller may differ by as much."""
_CENTURY: Final = 36_525 * 86_400
"""Seconds; the furthest expiry that is shown."""
_REGISTER: Final = "contexts"


async def pages(log: Log, stream: str, after: str | None = None) -> AsyncIterator[list[Entry]]:
    """All entries of a stream after a position, in pages."""
    while page := await log.read(stream, after=after, limit=PAGE):
        yield page
        after = page[-1].position


class Contexts:
    """Contexts by id. A context's value names the position in its stream of events after which its own begin."""

    def __init__(self, keyvalue: KeyValue, log: Log, clock: Callable[[], datetime]) -> None:
        self._keyvalue, self._log, self._clock = keyvalue, log, clock
        self._swept: str | None = None
        """Position in the register up to which this object has swept."""

    async def put(self, context_id: str, data: Mapping[str, Any], ttl: float | None) -> None:
        """See `AsyncRuns.set_context`."""
        key, plain, ttl = _key(context_id), document("data of a context", data), check_ttl(ttl)
        encoded("data of a context", plain)
        for _ in range(ATTEMPTS):
            old = await self._keyvalue.get(key)
            if old is None:
                if await self._create(context_id, plain, ttl):
                    return
                continue
            value = {**decoded(old), "data": plain, **self._times(ttl)}
            if await self._keyvalue.replace(key, encoded(key, value), expected=old, ttl=ttl):
                return
        raise Unavailable(
            f"the context {context_id!r} was changed by others {ATTEMPTS} times meanwhile; try again",
            part="runs",
            unsent=True,
        )

    async def get(self, context_id: str) -> Context | None:
        """See `AsyncRuns.get_context`."""
        value = await self._value(context_id)
        if value is None:
            return None
        times = {name: _time(value[name]) for name in ("created_at", "updated_at")}
        expiry = None if value["expires_at"] is None else _time(value["expires_at"])
        return Context(context_id=context_id, data=value["data"], expires_at=expiry, **times)

    async def append(self, context_id: str, event: Mapping[str, Any]) -> ContextEvent:
        """See `AsyncRuns.append_event`."""
        plain = document("an event", event)
        at = self._clock()
        entry = encoded("an event", {"event": plain, "at": at.isoformat()})
        if await self._value(context_id) is None:
            await self._create(context_id, {}, None)  # or another caller just did
        [position] = await self._log.append(_stream(context_id), [entry])
        return ContextEvent(event_id=position, event=plain, at=at)

    async def events(self, context_id: str, after: str | None, limit: int | None) -> list[ContextEvent]:
        """See `AsyncRuns.get_events`."""
        if limit is not None:
            checked_limit(limit)
        value = await self._value(context_id)
        if value is None:
            return []
        start = max((p for p in (after, value["since"]) if p is not None), default=None)
        found: list[ContextEvent] = []
        async for page in pages(self._log, _stream(context_id), start):
            found += map(_event, page)
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    async def clear(self, context_id: str) -> bool:
        """See `AsyncRuns.clear_context`."""
        stream = _stream(context_id)
        last = await self._log.last(stream)
        existed = await self._keyvalue.delete(_key(context_id))
        await self._drop(stream, last)
        return existed

    async def ids(self) -> list[str]:
        """See `AsyncRuns.list_contexts`."""
        found: set[str] = set()
        async for page in pages(self._log, _REGISTER):
            found |= await self._living({decoded(entry.data) for entry in page})
        return sorted(found)

    async def sweep(self) -> int:
        """See `AsyncRuns.sweep`."""
        return sum([await self._sweep(page) async for page in pages(self._log, _REGISTER)])

    async def _create(self, context_id: str, data: dict[str, Any], ttl: float | None) -> bool:
        """Begin a context; false if there is one."""
        stream = _stream(context_id)
        last = await self._log.last(stream)
        since = None if last is None else last.position
        times = self._times(ttl)
        value = {"data": data, "created_at": times["updated_at"], **times, "since": since}
        # The register comes first: a context that is not in it would never be listed.
        await self._log.append(_REGISTER, [encoded("context_id", context_id)])
        if not await self._keyvalue.add(_key(context_id), encoded("a context", value), ttl=ttl):
            return False
        await self._drop(stream, last)
        await self._sweep_some()
        return True

    async def _sweep_some(self) -> None:
        """Sweep the next few contexts of the register; after those that are settled, begin again."""
        page = await self._log.read(_REGISTER, after=self._swept, limit=SWEEP)
        more = len(page) == SWEEP and page[-1].at < self._clock() - CREATION
        self._swept = page[-1].position if more else None
        await self._sweep(page)

    async def _sweep(self, page: list[Entry]) -> int:
        """Remove what ended contexts have left. Events are dropped up to those seen before the context was looked for:
        if a new context of this id begins meanwhile, its events come later."""
        settled = self._clock() - CREATION
        ids = {entry.position: str(decoded(entry.data)) for entry in page if entry.at < settled}
        last = {id: await self._log.last(_stream(id)) for id in sorted(set(ids.values()))}
        ended = set(last) - await self._living(set(last))
        for id in ended:
            await self._drop(_stream(id), last[id])
        await self._log.remove(_REGISTER, [position for position, id in ids.items() if id in ended])
        return len(ended)

    async def _drop(self, stream: str, through: Entry | None) -> None:
        if through is not None:
            await self._log.trim(stream, through=through.position)

    async def _living(self, ids: set[str]) -> set[str]:
        keys = {_key(id): id for id in ids}
        return {keys[key] for key in await self._keyvalue.get_many(list(keys))}

    async def _value(self, context_id: str) -> dict[str, Any] | None:
        found = await self._keyvalue.get(_key(context_id))
        return None if found is None else decoded(found)

    def _times(self, ttl: float | None) -> dict[str, str | None]:
        now = self._clock()
        expiry = None if ttl is None else (now + timedelta(seconds=min(ttl, _CENTURY))).isoformat()
        return {"updated_at": now.isoformat(), "expires_at": expiry}


def _key(context_id: str) -> str:
    return f"context:{checked_id('context_id', context_id)}"


def _stream(context_id: str) -> str:
    return f"events:{checked_id('context_id', context_id)}"


def _event(entry: Entry) -> ContextEvent:
    value = decoded(entry.data)
    return ContextEvent(event_id=entry.position, event=value["event"], at=_time(value["at"]))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
