"""memwell's values as the dicts of the layer. Times are ISO 8601 texts in UTC."""

from __future__ import annotations

from memwell.compat.memory_adapters.base import Json
from memwell.runs import Context, ContextEvent, FlowRun, TaskOutput

__all__ = ["context_shape", "event_shape", "output_shape", "run_shape"]


def context_shape(context: Context) -> Json:
    """`{data, created_at, context_id}`"""
    return {
        "data": context.data,
        "created_at": context.created_at.isoformat(),
        "context_id": context.context_id,
    }


def event_shape(event: ContextEvent) -> Json:
    """`{event, timestamp, event_id}`"""
    return {"event": event.event, "timestamp": event.at.isoformat(), "event_id": event.event_id}


def run_shape(run: FlowRun) -> Json:
    """`{flow_id, run_id, data, created_at, updated_at}`"""
    at = run.at.isoformat()
    return {
        "flow_id": run.flow_id,
        "run_id": run.run_id,
        "data": run.data,
        "created_at": at,
        "updated_at": at,
    }


def output_shape(output: TaskOutput) -> Json:
    """`{task_id, output, metadata, created_at, updated_at}`"""
    return output.to_dict()
