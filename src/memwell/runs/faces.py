"""`AsyncRuns`, and `Runs` without await."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar

from memwell import _bridge, registry
from memwell._dataclasses import dataclass
from memwell.engine import assembly
from memwell.engine import clock as clocks
from memwell.ports import KeyValue, Log, Port
from memwell.runs.contexts import Contexts
from memwell.runs.history import History
from memwell.runs.values import Context, ContextEvent, FlowRun, TaskOutput
from memwell.urls import of_file

__all__ = ["AsyncRuns", "Runs"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Parts:
    """A key-value and a log, and those of them that were opened here and are therefore closed here."""

    keyvalue: KeyValue
    log: Log
    owned: tuple[Port, ...]

    @classmethod
    def of(
        cls, url: str | PathLike[str] | None, keyvalue: KeyValue | str | None, log: Log | str | None
    ) -> _Parts:
        """The parts that were passed, and those that are missing by the URL."""
        where = ""
        if keyvalue is None or log is None:
            where = assembly.default_url() if url is None else str(of_file(url))
        kept, written = keyvalue or where, log or where
        kept = kept if isinstance(kept, KeyValue) else registry.open_keyvalue(kept)
        written = written if isinstance(written, Log) else registry.open_log(written)
        opened = tuple(part for part in (kept, written) if part is not keyvalue and part is not log)
        return cls(kept, written, opened)

    def threaded(self) -> _Parts:
        """The same, off the event loop."""
        keyvalue, log = assembly.off_loop(self.keyvalue), assembly.off_loop(self.log)
        pairs = ((self.keyvalue, keyvalue), (self.log, log))
        return _Parts(keyvalue, log, tuple(fit for part, fit in pairs if part in self.owned))


class AsyncRuns:
    """The working memory of agents; see `memwell.runs`.

    - `url`: where both parts are: the path of a SQLite file such as `"agents.db"`, or a URL (`redis://host`,
      `postgresql://host/database`, `memory://`). By default the file that `Memory()` uses.
    - `keyvalue`, `log`: a part, or its URL, to be used instead. Parts that you pass as objects stay open at `close`.
    - `clock`: a function that gives the current time as an aware datetime; for tests. Expiry goes by the clock of the
      key-value.

    Ids are texts of 1 to 900 bytes. Raises `InvalidInput` for other ids, and for values that JSON cannot hold;
    `ConfigError` for an argument that it cannot use; `Unavailable` when a part cannot be reached.
    """

    def __init__(
        self,
        url: str | PathLike[str] | None = None,
        *,
        keyvalue: KeyValue | str | None = None,
        log: Log | str | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._start(_Parts.of(url, keyvalue, log).threaded(), clock)

    def _start(self, parts: _Parts, clock: Callable[[], datetime] | None) -> Self:
        self._parts = parts
        now = clocks.checked(clock)
        self._contexts = Contexts(parts.keyvalue, parts.log, now)
        self._history = History(parts.keyvalue, parts.log, now)
        return self

    async def set_context(
        self, context_id: str, data: Mapping[str, Any], *, ttl: float | None = None
    ) -> None:
        """Set the data of a context, which expires in `ttl` seconds, or never. Replaces data and expiry of one that is
        there; its events stay.
        """
        await self._contexts.put(context_id, data, ttl)

    async def get_context(self, context_id: str) -> Context | None:
        """The context; `None` if it was never set, was cleared or has expired."""
        return await self._contexts.get(context_id)

    async def append_event(self, context_id: str, event: Mapping[str, Any]) -> ContextEvent:
        """Append an event to a context, whose expiry does not change. One that is not there begins, without data and
        without expiry.
        """
        return await self._contexts.append(context_id, event)

    async def get_events(
        self, context_id: str, *, after: str | None = None, limit: int | None = None
    ) -> list[ContextEvent]:
        """The events of a context, the oldest first: all of them, or `limit` of those after an `event_id`."""
        return await self._contexts.events(context_id, after, limit)

    async def clear_context(self, context_id: str) -> bool:
        """Remove a context and its events. Returns whether it was there."""
        return await self._contexts.clear(context_id)

    async def list_contexts(self) -> list[str]:
        """The ids of all contexts that have not expired, sorted."""
        return await self._contexts.ids()

    async def sweep(self) -> int:
        """Remove the events of contexts that have expired; returns how many contexts that were. Leaves those that were
        created within the last ten minutes.
        """
        return await self._contexts.sweep()

    async def record_run(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> FlowRun:
        """Add an entry to the history of a flow. A run may have several entries, such as one for each change of its
        status.
        """
        return await self._history.record(flow_id, run_id, data)

    async def list_runs(self, flow_id: str, run_id: str | None = None, *, limit: int = 100) -> list[FlowRun]:
        """The newest `limit` entries in the history of a flow, or of one of its runs, the newest first. Reads the
        history of the whole flow.
        """
        return await self._history.runs(flow_id, run_id, limit)

    async def set_output(
        self, task_id: str, output: Any, metadata: Mapping[str, Any] | None = None
    ) -> TaskOutput:
        """Set the output of a task, any JSON value. Replaces that of an earlier attempt."""
        return await self._history.set_output(task_id, output, metadata)

    async def get_output(self, task_id: str) -> TaskOutput | None:
        """The output of a task; `None` if it has none."""
        return await self._history.output(task_id)

    async def ping(self) -> None:
        """Return when both parts can serve; raise what is wrong otherwise."""
        await self._parts.keyvalue.ping()
        await self._parts.log.ping()

    async def close(self) -> None:
        """Close the parts that were opened by URL. Twice is fine."""
        for part in self._parts.owned:
            await part.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Runs:
    """The working memory of agents, without await: see `AsyncRuns` for the arguments, and `memwell.runs`.

    Safe to share between threads and after a fork.
    """

    def __init__(
        self,
        url: str | PathLike[str] | None = None,
        *,
        keyvalue: KeyValue | str | None = None,
        log: Log | str | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        parts = _Parts.of(url, keyvalue, log)
        self._blocking = parts.keyvalue.blocking and parts.log.blocking
        self._runs = AsyncRuns.__new__(AsyncRuns)._start(parts, clock)

    def set_context(self, context_id: str, data: Mapping[str, Any], *, ttl: float | None = None) -> None:
        """See `AsyncRuns.set_context`."""
        self._run(self._runs.set_context(context_id, data, ttl=ttl))

    def get_context(self, context_id: str) -> Context | None:
        """See `AsyncRuns.get_context`."""
        return self._run(self._runs.get_context(context_id))

    def append_event(self, context_id: str, event: Mapping[str, Any]) -> ContextEvent:
        """See `AsyncRuns.append_event`."""
        return self._run(self._runs.append_event(context_id, event))

    def get_events(
        self, context_id: str, *, after: str | None = None, limit: int | None = None
    ) -> list[ContextEvent]:
        """See `AsyncRuns.get_events`."""
        return self._run(self._runs.get_events(context_id, after=after, limit=limit))

    def clear_context(self, context_id: str) -> bool:
        """See `AsyncRuns.clear_context`."""
        return self._run(self._runs.clear_context(context_id))

    def list_contexts(self) -> list[str]:
        """See `AsyncRuns.list_contexts`."""
        return self._run(self._runs.list_contexts())

    def sweep(self) -> int:
        """See `AsyncRuns.sweep`."""
        return self._run(self._runs.sweep())

    def record_run(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> FlowRun:
        """See `AsyncRuns.record_run`."""
        return self._run(self._runs.record_run(flow_id, run_id, data))

    def list_runs(self, flow_id: str, run_id: str | None = None, *, limit: int = 100) -> list[FlowRun]:
        """See `AsyncRuns.list_runs`."""
        return self._run(self._runs.list_runs(flow_id, run_id, limit=limit))

    def set_output(self, task_id: str, output: Any, metadata: Mapping[str, Any] | None = None) -> TaskOutput:
        """See `AsyncRuns.set_output`."""
        return self._run(self._runs.set_output(task_id, output, metadata))

    def get_output(self, task_id: str) -> TaskOutput | None:
        """See `AsyncRuns.get_output`."""
        return self._run(self._runs.get_output(task_id))

    def ping(self) -> None:
        """See `AsyncRuns.ping`."""
        self._run(self._runs.ping())

    def close(self) -> None:
        """See `AsyncRuns.close`."""
        self._run(self._runs.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return _bridge.complete(call, blocking=self._blocking)
