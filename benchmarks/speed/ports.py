"""The rows about ports: how long each takes to say that it is well, and what it costs to change one for another."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed.measure import Row
from memwell import _bridge
from memwell.ports import Port
from memwell.registry import open_embedder, open_index, open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.services import chroma, memcached, postgres, redis

__all__ = ["ports"]

TIMES = 50
LIMIT = 50.0
"""Milliseconds."""


def ports(folder: Path, quick: bool) -> Iterator[Row]:
    """Health of every port over every real service, and switching among the stores."""
    times = 10 if quick else TIMES
    with ExitStack() as running:
        urls = {
            name: running.enter_context(start()).url
            for name, start in (
                ("postgres", postgres),
                ("redis", redis),
                ("memcached", memcached),
                ("chroma", chroma),
            )
        }
        for name, make in _ports(folder, urls).items():
            part = make()
            worst = _pings(part, times)
            run(part, part.close())
            yield Row(
                name=f"health of the {name}", value=worst, unit="ms", ours=f"{worst:.2f} ms", must=LIMIT
            )
        yield _switching(folder, urls, times)


def _ports(folder: Path, urls: dict[str, str]) -> dict[str, Callable[[], Port]]:
    pg, dimension = urls["postgres"], "?dimension=384"
    return {
        "sqlite store": lambda: open_store(f"sqlite:///{folder}/health.db"),
        "postgresql store": lambda: open_store(pg),
        "redis store": lambda: open_store(urls["redis"]),
        "exact index": lambda: open_index(f"exact://{dimension}"),
        "faiss index": lambda: open_index(f"faiss://{dimension}"),
        "qdrant-edge index": lambda: open_index(f"qdrant-edge:///{folder}/edge{dimension}"),
        "chroma server's index": lambda: open_index(f"{urls['chroma']}{dimension}"),
        "local embedder": lambda: open_embedder("local"),
        "sqlite key-value": lambda: open_keyvalue(f"sqlite:///{folder}/keys.db"),
        "postgresql key-value": lambda: open_keyvalue(pg),
        "redis key-value": lambda: open_keyvalue(urls["redis"]),
        "memcached key-value": lambda: open_keyvalue(urls["memcached"]),
        "sqlite log": lambda: open_log(f"sqlite:///{folder}/log.db"),
        "postgresql log": lambda: open_log(pg),
        "redis log": lambda: open_log(urls["redis"]),
    }


def _pings(part: Port, times: int) -> float:
    """The 95th percentile in milliseconds, once it is open."""

    async def all_of_them() -> list[float]:
        await part.ping()
        found = []
        for _ in range(times):
            start = time.perf_counter()
            await part.ping()
            found.append(time.perf_counter() - start)
        return found

    taken = _bridge.drive(all_of_them()) if part.blocking else run(part, all_of_them())
    return 1000 * statistics.quantiles(taken, n=20)[-1]


def _switching(folder: Path, urls: dict[str, str], times: int) -> Row:
    """Opening another store by its URL, as a program does that changes its provider."""
    choices = ("memory://", urls["postgres"], urls["redis"], f"sqlite:///{folder}/switch.db")
    opened: list[Port] = [open_store(url) for url in choices]  # the drivers are imported
    taken = []
    for number in range(3 * times):
        start = time.perf_counter()
        opened.append(open_store(choices[number % 3]))
        taken.append(time.perf_counter() - start)
    for part in opened:
        run(part, part.close())
    worst = 1000 * statistics.quantiles(taken, n=20)[-1]
    return Row(
        name="switching to another provider", value=worst, unit="ms", ours=f"{worst:.3f} ms", must=1.0,
        note="memory, PostgreSQL and Redis in turn; 95th percentile",
    )  # fmt: skip
