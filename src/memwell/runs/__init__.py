"""The working memory of agents: contexts that expire, their events, the history of flows, outputs of tasks.

::

    from memwell import Runs

    with Runs("sqlite:///agents.db") as runs:
        runs.set_context("ana", {"step": 1}, ttl=3600)
        runs.append_event("ana", {"type": "login"})
        runs.record_run("nightly", "run-1", {"status": "completed"})
        runs.set_output("task-1", {"rows": 3})

`Runs` and `AsyncRuns` need a `KeyValue` and a `Log` only, so they work in memory, on SQLite, PostgreSQL and Redis.

*What is kept where.* A context is the key `context:<id>`, an output the key `output:<id>`. Events are the stream
`events:<context>`, the runs of a flow the stream `flow:<id>`. The stream `contexts` lists the ids. Values are JSON.

*Contexts and their events end together.* A context expires `ttl` seconds after it was last set. From then on its events
are not found either, also when a new context has the same id. What expired contexts leave in the log is removed in
passing, when contexts are created; `sweep` removes all of it.

*Concurrent callers.* Each append is one append to the log, so no event of another caller is lost. Setting a context
replaces its data as a whole and keeps its events; the last caller wins.
"""

from __future__ import annotations

from memwell.runs.faces import AsyncRuns, Runs
from memwell.runs.values import Context, ContextEvent, FlowRun, TaskOutput

__all__ = ["AsyncRuns", "Context", "ContextEvent", "FlowRun", "Runs", "TaskOutput"]
