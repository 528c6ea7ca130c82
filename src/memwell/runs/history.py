"""The history of flows and the outputs of tasks over a key-value and a log; see `memwell.runs`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from memwell.ports import KeyValue, Log
from memwell.runs.contexts import pages
from memwell.runs.values import FlowRun, TaskOutput, checked_id, checked_limit, decoded, document, encoded

__all__ = ["History"]


class History:
    """Runs by flow, and outputs by task."""

    def __init__(self, keyvalue: KeyValue, log: Log, clock: Callable[[], datetime]) -> None:
        self._keyvalue, self._log, self._clock = keyvalue, log, clock

    async def record(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> FlowRun:
        """See `AsyncRuns.record_run`."""
        plain, at = document("data of a run", data), self._clock()
        run = {"run_id": checked_id("run_id", run_id), "data": plain, "at": at.isoformat()}
        await self._log.append(_stream(flow_id), [encoded("data of a run", run)])
        return FlowRun(flow_id=flow_id, run_id=run_id, data=plain, at=at)

    async def runs(self, flow_id: str, run_id: str | None, limit: int) -> list[FlowRun]:
        """See `AsyncRuns.list_runs`."""
        checked_limit(limit)
        if run_id is not None:
            checked_id("run_id", run_id)
        newest: deque[dict[str, Any]] = deque(maxlen=limit)
        async for page in pages(self._log, _stream(flow_id)):
            values = (decoded(entry.data) for entry in page)
            newest.extend(value for value in values if run_id in (None, value["run_id"]))
        return [
            FlowRun(
                flow_id=flow_id,
                run_id=value["run_id"],
                data=value["data"],
                at=datetime.fromisoformat(value["at"]),
            )
            for value in reversed(newest)
        ]

    async def set_output(self, task_id: str, output: Any, metadata: Mapping[str, Any] | None) -> TaskOutput:
        """See `AsyncRuns.set_output`."""
        key, plain = _key(task_id), document("metadata of an output", metadata or {})
        now = self._clock()
        old = await self._keyvalue.get(key)
        created = now if old is None else datetime.fromisoformat(decoded(old)["created_at"])
        times = {"created_at": created.isoformat(), "updated_at": now.isoformat()}
        value = {"output": output, "metadata": plain, **times}
        await self._keyvalue.set(key, encoded("an output", value))
        return TaskOutput(task_id=task_id, output=output, metadata=plain, created_at=created, updated_at=now)

    async def output(self, task_id: str) -> TaskOutput | None:
        """See `AsyncRuns.get_output`."""
        found = await self._keyvalue.get(_key(task_id))
        if found is None:
            return None
        value = decoded(found)
        times = {name: datetime.fromisoformat(value[name]) for name in ("created_at", "updated_at")}
        return TaskOutput(task_id=task_id, output=value["output"], metadata=value["metadata"], **times)


def _key(task_id: str) -> str:
    return f"output:{checked_id('task_id', task_id)}"


def _stream(flow_id: str) -> str:
    return f"flow:{checked_id('flow_id', flow_id)}"
