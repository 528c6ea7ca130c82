"""`Memory` in both gears and `AsyncMemory`: the shared suite."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, cast

import pytest

from memwell import AsyncMemory, Closed, ConfigError, Event, Memory, NewMemory, Unavailable
from memwell.ports import Store
from memwell.registry import open_embedder, open_store
from memwell.testing import run
from memwell.testing.memory import MemoryConformance, MemoryFrontage, OnALoop, Words
from memwell.testing.memory.changing import Changing
from memwell.testing.memory.recalling import Recalling
from memwell.testing.memory.relating import Relating
from memwell.testing.memory.remembering import Remembering
from memwell.testing.samples import Clock
from memwell.wrappers.threaded import threaded


class TestInTheCallersThread(MemoryConformance, MemoryFrontage):
    """All parts are blocking: no loop, no thread."""

    def test_it_is_so(self, memory: Memory) -> None:
        assert memory._loop is None


class Looping(Memory):
    """A memory whose store suspends, so that every call goes over the loop in the background."""

    def __init__(self, url: str, **options: Any) -> None:
        self.store: Store = threaded(open_store(url))
        super().__init__(self.store, **options)

    def close(self) -> None:
        super().close()
        run(self.store, self.store.close())


class TestOnABackgroundLoop(MemoryConformance):
    @pytest.fixture
    def opening(self) -> type[Memory]:
        return Looping

    def test_it_is_so(self, memory: Memory) -> None:
        assert memory._loop is not None


class TestAsync(MemoryConformance):
    @pytest.fixture
    def opening(self) -> Any:
        return lambda *a, **o: cast("Memory", OnALoop(AsyncMemory(*a, **o)))


class TestInMemory(Remembering, Changing, Recalling, Relating):
    """What touches storage. The store is the model of `memwell.testing.machine`, and passes the suite of stores."""

    @pytest.fixture
    def url(self) -> str:
        return "memory://"


TALK = [
    NewMemory(content=content, id=f"t{n}", session_id="s", metadata={"speaker": speaker})
    for n, (speaker, content) in enumerate(
        [
            ("Ann", "I adopted a turtle last May"),
            ("Bob", "What is its name?"),
            ("Ann", "Shelly, and she eats lettuce"),
            ("Bob", "I went to Lisbon in June"),
            ("Ann", "Did you see the tower?"),
            ("Bob", "Yes, and the old tram"),
        ]
        * 3
    )
]


@pytest.mark.parametrize("query", ["What did Ann adopt?", "when was Bob in Lisbon", "tower", "I adopted"])
def test_the_modes_and_the_async_twin_give_the_same_hits_scores_and_reasons(
    query: str, tmp_path: Path
) -> None:
    url, clock = f"sqlite:///{tmp_path / 'talk.db'}", Clock()
    with Memory(url, embedder=Words(), clock=clock) as memory:
        memory.remember(TALK, user_id="u")
        expected = memory.recall(query, user_id="u", explain=True)
    assert expected
    with Looping(url, embedder=Words(), clock=clock) as looping:
        found = looping.recall(query, user_id="u", explain=True)
        assert [(hit.record.id, hit.score, hit.why) for hit in found] == [
            (hit.record.id, hit.score, hit.why) for hit in expected
        ]
    twin = OnALoop(AsyncMemory(url, embedder=Words(), clock=clock))
    found = twin.recall(query, user_id="u", explain=True)
    twin.close()
    assert [(hit.record.id, hit.score, hit.why) for hit in found] == [
        (hit.record.id, hit.score, hit.why) for hit in expected
    ]


def test_parts_handed_in_stay_open_and_those_opened_here_are_closed() -> None:
    store, words = open_store("memory://"), Words()
    memory = Memory(store, embedder=words)
    memory.remember("tea")
    memory.close()
    assert not store.closed
    assert not words.closed
    assert not memory.health().ok
    with pytest.raises(Closed):
        memory.forget([])
    assert Memory(store, embedder=words).count() == 1
    own = Memory("memory://", embedder="hashing")
    parts = own._memory._engine.parts
    own.close()
    assert all(part.closed for part in parts.owned)
    assert parts.store in parts.owned


@pytest.mark.parametrize("index", [None, "exact:?dimension=384"])
def test_closing_ends_every_thread_even_of_parts_that_were_handed_in(
    tmp_path: Path, index: str | None
) -> None:
    async def use() -> AsyncMemory:
        embedder = open_embedder("hashing")
        memory = AsyncMemory(
            f"sqlite:///{tmp_path}/a.db", embedder=embedder, index=index, cache=f"sqlite:///{tmp_path}/c.db"
        )
        await memory.remember("tea")
        await memory.recall("tea")
        await memory.close()
        assert not embedder.closed
        return memory

    before = set(threading.enumerate())
    memory = asyncio.run(use())  # kept, so that nothing ends only because it is collected
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
    assert not asyncio.run(memory.health()).ok


@pytest.mark.parametrize("given", [{"index": 7}, {"cache": 7}, {"index": "hashing"}, {"cache": "exact:"}])
def test_what_is_no_part_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Memory("memory://", embedder="hashing", **given)


def test_a_coroutine_handler_runs_beside_the_caller_and_its_failure_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events: list[str] = []

    async def main() -> None:
        done = asyncio.Event()
        async with AsyncMemory("memory://", embedder=None) as memory:

            async def slow(event: Event) -> None:
                await asyncio.sleep(0)
                events.append(event.name)
                done.set()

            async def broken(event: Event) -> None:
                raise RuntimeError(f"broken handler of {event.name}")

            memory.on("remembered", broken)
            memory.on("remembered", slow)
            await memory.remember("tea")
            assert events == []
            await done.wait()

    asyncio.run(main())
    assert events == ["remembered"]
    assert "broken handler of remembered" in caplog.text


def test_many_tasks_share_one_async_memory(tmp_path: Path) -> None:
    async def work(memory: AsyncMemory, task: int) -> None:
        for number in range(10):
            record = await memory.remember(f"apple {task} {number}", user_id=f"u{task}")
            assert record.id in {
                hit.record.id for hit in await memory.recall("apple", user_id=f"u{task}", limit=50)
            }
            await memory.update(record.id, category="c", expected_version=1)

    async def main() -> None:
        async with AsyncMemory(f"sqlite:///{tmp_path / 'many.db'}", embedder=Words()) as memory:
            await asyncio.gather(*(work(memory, task) for task in range(12)))
            assert await memory.count(where={"version": 2}) == 120
            assert (await memory.doctor()).ok

    asyncio.run(main())


def test_recalls_noted_by_many_threads_are_counted_once_each() -> None:
    clock = Clock()
    with Memory("memory://", embedder=None, clock=clock) as memory:
        memory.remember([NewMemory(content=f"apple {n}", id=f"a{n}") for n in range(10)])

        def recalling(_: int) -> None:
            for _ in range(60):
                assert len(memory.recall("apple", limit=10)) == 10
                clock.advance(1)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(recalling, range(8)))
        clock.advance(60)
        memory.remember("a call that notes")
        apples = memory.list(where={"content": {"$contains": "apple"}})
        assert [record.access_count for record in apples] == [480] * 10


NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001  without a zone, as `datetime.utcnow` gives it


class Zoneless(tzinfo):
    """A time zone that says nothing."""

    def utcoffset(self, _moment: datetime | None) -> None:
        return None


class Failing(tzinfo):
    """A time zone that fails."""

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        raise LookupError("no such zone")


def raising() -> datetime:
    raise OSError("no clock here")


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        (lambda: NOON, "no time zone"),
        (lambda: NOON.replace(tzinfo=Zoneless()), "no time zone"),
        (lambda: NOON.replace(tzinfo=Failing()), "no such zone"),
        (lambda: datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), "time zone fails"),
        (lambda: 1_700_000_000.0, "not a datetime"),
        (lambda: None, "not a datetime"),
        (raising, "no clock here"),
        (lambda _now: NOON, "TypeError"),
        (datetime(2026, 1, 1, tzinfo=UTC), "not a function"),
    ],
)
@pytest.mark.parametrize("face", [Memory, AsyncMemory])
@pytest.mark.parametrize("url", ["memory://", "postgresql://127.0.0.1:9/nowhere"])
def test_a_clock_that_gives_no_time_of_the_world_is_refused_at_opening(
    url: str, face: Any, clock: Any, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        face(url, embedder=None, clock=clock)
    assert "datetime.now(UTC)" in str(caught.value)


def test_a_clock_that_fails_later_is_named_by_the_call() -> None:
    times: list[Any] = [datetime(2026, 1, 1, tzinfo=UTC), NOON]
    memory = Memory("memory://", embedder=None, clock=lambda: times.pop(0) if times else raising())
    for reason in ("no time zone", "no clock here"):
        with pytest.raises(ConfigError, match=reason):
            memory.remember("tea")


def test_a_clock_of_another_zone_gives_times_in_utc() -> None:
    class Stamp(datetime):
        """What libraries make of datetimes."""

    here = Stamp(2026, 1, 1, 1, 30, 0, 7, tzinfo=timezone(timedelta(hours=2)))
    with Memory("memory://", embedder=None, clock=lambda: here) as memory:
        record = memory.remember("tea")
    assert type(record.created_at) is datetime
    assert record.created_at.isoformat() == "2025-12-31T23:30:00.000007+00:00"


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
def test_a_memory_works_in_the_last_minute_of_the_calendar(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    with Memory(url, embedder="hashing", clock=lambda: last) as memory:
        memory.remember("tea last May", id="a")
        assert [hit.record.id for hit in memory.recall("tea next year", strategy="balanced", as_of=last)] == [
            "a"
        ]
        assert memory.update("a", content="tea in two weeks").updated_at == last
    assert caplog.records == []


class Counting(Words):
    """Counts how often it is asked."""

    calls = 0

    async def _embed(self, texts: Any, kind: Any) -> Any:
        self.calls += 1
        return await super()._embed(texts, kind)


def test_an_embedder_that_is_down_is_not_asked_for_every_part_of_a_long_list() -> None:
    words, calls = Counting(), list[tuple[int, int]]()
    words.failing = True
    with Memory("memory://", embedder=words) as memory:
        items = [f"apple {n}" for n in range(2000)]
        records = memory.remember(items, progress=lambda done, total: calls.append((done, total)))
        assert words.calls == 1
        assert calls == [(0, 2000), (2000, 2000)]
        assert not any(record.embedded for record in records)
        words.failing = False
        memory.repair()
        assert memory.stats().unembedded == 0


def test_an_update_of_a_duplicate_is_published_after_the_reinforcement() -> None:
    events: list[tuple[str, float]] = []
    with Memory("memory://", embedder=None) as memory:
        memory.on("*", lambda event: events.append((event.name, event.records[0].importance)), inline=True)
        for importance in (0.5, 0.9, 0.9):
            memory.remember("tea", importance=importance, on_duplicate="update")
    assert events == [("remembered", 0.5), ("reinforced", 0.9), ("updated", 0.9), ("reinforced", 0.9)]


def test_a_short_life_sweeps_what_has_expired(tmp_path: Path) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with Memory(url, embedder=None, clock=lambda: day) as memory:
        memory.remember("soon gone", ttl=60)
    with Memory(url, embedder=None, clock=lambda: day + timedelta(days=1)) as memory:
        memory.count()
    with Memory(url, embedder=None, clock=lambda: day + timedelta(days=2)) as memory:
        assert memory.stats().expired == 0


def test_a_store_that_fails_is_not_asked_to_sweep_as_well(caplog: pytest.LogCaptureFixture) -> None:
    url = "postgresql://127.0.0.1:9/nowhere"
    with pytest.raises(Unavailable), Memory(url, embedder=None) as memory:
        memory.count()

    async def ask() -> None:
        async with AsyncMemory(url, embedder=None) as memory:
            await memory.count()

    with pytest.raises(Unavailable):
        asyncio.run(ask())
    assert caplog.records == []
