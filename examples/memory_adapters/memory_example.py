"""The Memory Adapter Layer over memwell: context, events, flow runs, task outputs, embeddings, locks.

Runs without any service, in memory. With services: set REDIS_URL and POSTGRES_URL.
"""

from __future__ import annotations

import os
from typing import Any

from memwell import Conflict, InvalidInput, Unavailable
from memwell.compat.memory_adapters.api import (
    MemoryAPI,
    get_global_memory_api,
    initialize_memory_api,
    set_global_memory_api,
)


def configurations() -> dict[str, Any]:
    """Redis and PostgreSQL where the environment names them; what is missing is embedded."""
    urls = {"redis_config": os.environ.get("REDIS_URL"), "postgres_config": os.environ.get("POSTGRES_URL")}
    found: dict[str, Any] = {name: {"url": url} for name, url in urls.items() if url}
    return {**found, "vector_config": {"dimension": 4, "metric": "cosine"}}


def context_management(api: MemoryAPI) -> None:
    api.set_context("session_456", {"user_id": "user_123", "step": 1}, ttl=3600)
    api.append_event("session_456", {"type": "user_action", "action": "login"})
    api.append_event("session_456", {"type": "user_action", "action": "search"})
    context = api.get_context("session_456")
    assert context is not None
    actions = [event["event"]["action"] for event in api.get_events("session_456")]
    print(f"context: {context['data']['user_id']} did {', '.join(actions)}")
    api.clear_context("session_456")


def flow_run_history(api: MemoryAPI) -> None:
    api.write_flow_run_history("nightly", "run_001", {"status": "started"})
    api.write_flow_run_history("nightly", "run_001", {"status": "completed", "duration": 120})
    newest = api.read_flow_run_history("nightly", "run_001", limit=1)[0]
    print(f"flow: {newest['flow_id']} {newest['data']['status']}")


def task_outputs(api: MemoryAPI) -> None:
    api.write_task_output("task_001", {"result": "success", "data": [1, 2, 3]}, {"model": "small"})
    output = api.read_task_output("task_001")
    assert output is not None
    print(f"task: {output['output']['result']} by {output['metadata']['model']}")


def embeddings(api: MemoryAPI) -> None:
    api.index_embedding("doc_cats", [1.0, 0.1, 0.0, 0.0], {"type": "document"})
    api.index_embedding("doc_rain", [0.0, 0.1, 1.0, 0.0], {"type": "document"})
    api.index_embedding("note", [1.0, 0.0, 0.0, 0.0], {"type": "note"})
    nearest = api.query_embeddings([1.0, 0.0, 0.0, 0.0], top_k=1, filter_metadata={"type": "document"})
    print(f"embedding: {nearest[0]['id']} {nearest[0]['score']:.2f}")


def locking(api: MemoryAPI) -> None:
    with api.acquire_lock("critical_section", timeout=10):
        try:
            with api.acquire_lock("critical_section", blocking_timeout=0):
                print("never: two holders")
        except Unavailable:
            print("lock: only one holder at a time")


def error_handling(api: MemoryAPI) -> None:
    try:
        api.set_context("session", {"at": object()})
    except InvalidInput as error:
        print(f"refused: {str(error).partition(':')[0]}")
    if not api.set_context("session", {"step": 1}):  # the backend is down; the log says why
        print("not stored")
    try:
        with api.acquire_lock("short", timeout=10):
            api.write_audit_entry("report", "r1", "created", {"by": "user_123"})
    except Conflict:  # the work took longer than the lock lasted
        print("somebody else may have worked meanwhile")
    health = api.health_check()
    print(f"health: {health['overall_status']}, {len(api.read_audit_log('report'))} audit entries")


def main() -> None:
    initialize_memory_api(**configurations())
    api = get_global_memory_api()
    assert api is not None
    try:
        for part in (
            context_management,
            flow_run_history,
            task_outputs,
            embeddings,
            locking,
            error_handling,
        ):
            part(api)
        stats = api.get_memory_stats()["adapters"]
        print(f"stats: {stats['vector']['total_embeddings']} embeddings")
    finally:
        api.disconnect()
        set_global_memory_api(None)


if __name__ == "__main__":
    main()
