"""Processes of tests: forked from one that has imported what tests import, so that each starts in a moment."""

from __future__ import annotations

import multiprocessing

__all__ = ["PROCESSES"]

PROCESSES = multiprocessing.get_context("forkserver")
"""In place of `multiprocessing`. Processes share nothing with the tests but what they are given, as with `spawn`."""

PROCESSES.set_forkserver_preload(
    [
        "psycopg",
        "pytest",
        "redis.asyncio",
        "memwell.testing.keyvalue",
        "memwell.testing.logs",
        "memwell.testing.stores",
    ]
)
