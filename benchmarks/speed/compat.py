"""What the interfaces of other layers cost over the engine, and the numbers that their documents promise."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.backends.mem0.wire import KEY, SECRET, SeedWire
from tests.indexes.wire.base import serving

from benchmarks.speed.encryption import WARM, processor
from benchmarks.speed.measure import Row, spell
from benchmarks.speed.sides import LookupEmbedder
from benchmarks.speed.texts import Lookup, Texts
from memwell import AsyncMemory, Memory
from memwell.compat.memory_drivers import MemoryDriverManager
from memwell.compat.memory_drivers.memwell_driver import MemwellDriver
from memwell.compat.memory_providers import Mem0HttpMemoryProvider, MemwellProvider, PostgresMemoryProvider
from memwell.compat.memorycore import MemoryManager, Settings
from memwell.compat.memorycore.storage import MemwellStorage
from memwell.testing.services import postgres

__all__ = ["compat"]


def compat(folder: Path, quick: bool) -> Iterator[Row]:
    """Recall at ten thousand memories through each interface, then times over PostgreSQL and HTTP."""
    count, times = (1_000, 50) if quick else (10_000, 300)
    yield from _overhead(folder, count, times)
    with postgres() as server:
        provider = PostgresMemoryProvider(server.url, embedder="hashing")
        yield from _times("native provider", provider, times // 5, 100.0)
    with serving(SeedWire()) as gateway:
        http = Mem0HttpMemoryProvider(gateway.url, KEY, SECRET)
        yield from _times("HTTP provider", http, times // 5, 500.0)
    yield _switching(times)


def _overhead(folder: Path, count: int, times: int) -> Iterator[Row]:
    texts, lookup = Texts(), Lookup()
    turns = texts.memories(count)
    lookup.prepare(turns)
    url = f"sqlite:///{folder}/turns.db"
    with Memory(url, embedder=LookupEmbedder(lookup)) as memory:
        memory.remember(turns, user_id="u")
    asked = [" ".join(turn.split()[:8]) for turn in turns[: WARM + times]]
    plain = Memory(url, embedder=LookupEmbedder(lookup))
    driver = MemwellDriver(Memory(url, embedder=LookupEmbedder(lookup)))
    sides = [
        [partial(plain.recall, question, user_id="u") for question in asked],
        [partial(driver.recall, "u", query=question) for question in asked],
    ]
    yield _row("recall by a memory driver", *_warmed(sides))
    plain.close()
    driver.close()

    loop = asyncio.new_event_loop()
    direct = AsyncMemory(url, embedder=LookupEmbedder(lookup))
    provider = MemwellProvider(url, embedder=LookupEmbedder(lookup))
    manager = MemoryManager(
        MemwellStorage(AsyncMemory(url, embedder=LookupEmbedder(lookup))),
        settings=Settings(tenant_id="default"),
    )
    for name, call, same in (
        ("recall by a memory provider", partial(provider.recall, "u"), partial(direct.recall, user_id="u")),
        ("search by MemoryCore", manager.search, direct.recall),
    ):
        sides = [[partial(_complete, loop, one, question) for question in asked] for one in (same, call)]
        yield _row(name, *_warmed(sides))
    for part in (direct, provider, manager):
        loop.run_until_complete(part.close())
    loop.close()


def _complete(loop: asyncio.AbstractEventLoop, call: Callable[[str], Awaitable[Any]], text: str) -> Any:
    return loop.run_until_complete(call(text))  # type: ignore[arg-type]


def _warmed(sides: Sequence[Sequence[Callable[[], object]]]) -> tuple[float, float]:
    for side in sides:
        for call in side[:WARM]:
            call()
    return processor([side[WARM:] for side in sides])


def _row(name: str, plain: float, through: float) -> Row:
    return Row(
        name=f"{name}, of the engine's",
        value=through / plain,
        ours=spell(through),
        floor=spell(plain),
        must=1.05,
    )


def _times(name: str, provider: MemwellProvider, times: int, limit: float) -> Iterator[Row]:
    texts = Texts().memories(times)

    async def all_of_them() -> dict[str, float]:
        taken: dict[str, list[float]] = {"remember": [], "recall": [], "health": []}
        await provider.remember("u", "the first one")
        for text in texts:
            for call, arguments in (("remember", ("u", text)), ("recall", ("u", text[:60])), ("health", ())):
                method = provider.health_check if call == "health" else getattr(provider, call)
                start = time.perf_counter()
                await method(*arguments)
                taken[call].append(1000 * (time.perf_counter() - start))
        await provider.close()
        return {call: statistics.quantiles(one, n=20)[-1] for call, one in taken.items()}

    for call, worst in asyncio.run(all_of_them()).items():
        must = 50.0 if call == "health" else limit
        yield Row(name=f"{call} of the {name}", value=worst, unit="ms", ours=f"{worst:.2f} ms", must=must)


def _switching(times: int) -> Row:
    """Asking for another driver that was used before."""
    for number in range(2):
        driver = type(f"Driver{number}", (MemwellDriver,), {"__init__": _in_memory})
        MemoryDriverManager.register_driver(f"bench{number}", driver)
        MemoryDriverManager.set_driver(f"bench{number}")
    taken = []
    for number in range(times):
        start = time.perf_counter()
        MemoryDriverManager.set_driver(f"bench{number % 2}")
        taken.append(1000 * (time.perf_counter() - start))
    MemoryDriverManager.reset_cache()
    worst = statistics.quantiles(taken, n=20)[-1]
    return Row(name="switching to another driver", value=worst, unit="ms", ours=f"{worst:.4f} ms", must=1.0)


def _in_memory(self: MemwellDriver) -> None:
    MemwellDriver.__init__(self, Memory("memory://", embedder=None))
