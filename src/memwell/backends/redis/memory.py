"""Checks of a Redis's memory: is it full, and may it evict keys?

A Redis that is full and does not evict still answers reads, but refuses MULTI and commands that may need memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import redis.asyncio.cluster
import redis.exceptions

from memwell.backends.redis.connections import AsyncClient
from memwell.errors import BackendError

__all__ = ["evicting", "full", "refuse_full"]

_FULL: Final = 0.95
"""The used share of `maxmemory` above which writes may fail at any moment."""


def evicting(memory: Mapping[str, Any]) -> str | None:
    """Why the server may evict any key, given `INFO memory`; `None` if it never does."""
    policy = str(memory.get("maxmemory_policy", ""))
    if not int(memory.get("maxmemory", 0) or 0) or not policy.startswith("allkeys"):
        return None
    return (
        f"this Redis evicts keys when its memory is full (maxmemory-policy {policy}), and memories with them;"
        " set it to noeviction, or use another Redis than the cache's"
    )


def full(memory: Mapping[str, Any]) -> str | None:
    """Why writes fail or will fail soon, given `INFO memory`; `None` while there is room, or the server evicts."""
    most = int(memory.get("maxmemory", 0) or 0)
    used = int(memory.get("used_memory", 0)) - int(memory.get("mem_not_counted_for_evict", 0) or 0)
    if not most or used < _FULL * most or evicting(memory):
        return None
    return (
        f"Redis has used {used:,} of {most:,} bytes (maxmemory): it still reads, but writes fail;"
        " raise maxmemory, or delete what is not needed"
    )


async def refuse_full(client: AsyncClient, part: str) -> None:
    """Raise `BackendError` when writes fail for lack of memory. Nodes of a Cluster are not checked."""
    if isinstance(client, redis.asyncio.cluster.RedisCluster):
        return
    try:
        found = full(await client.info("memory"))
    except redis.exceptions.ResponseError:  # the user may not ask
        return
    if found:
        raise BackendError(found, part=part, readable=True)
