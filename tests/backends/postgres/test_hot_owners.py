"""Owners who are searched often are searched in memory: with the same answers, and every write of any process."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memwell import AsyncMemory, Memory, NewMemory
from memwell._workers import THREADS
from memwell.backends.postgres.store import PostgresStore, hot_owners, replica
from memwell.backends.postgres.store.search import Searcher
from memwell.registry import open_store
from memwell.retrieval.index.postings import Postings
from memwell.testing import run
from memwell.testing.memory import Words

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
QUESTIONS = (
    "what did Miguel say about the boat?",
    "when did Ana buy bread?",
    "boat",
    "number 7",
    "who likes tea?",
)


def turns(count: int, start: int = 0) -> list[NewMemory]:
    """A conversation of two people about a few things."""
    things = ("the boat", "bread", "tea with milk", "a green bicycle", "the lighthouse")
    return [
        NewMemory(
            content=f"{('Ana', 'Miguel')[n % 2]}: number {n}, I think of {things[n % 5]} and {things[(n * 3) % 5]}",
            session_id=f"s{n // 20}",
            created_at=START + timedelta(minutes=3 * n),
        )
        for n in range(start, start + count)
    ]


@pytest.fixture
def pair(postgres_url: str) -> Iterator[tuple[Any, Any]]:
    """Two memories over one schema: one that warms its owners, and one that leaves all to the database."""
    memories = [AsyncMemory(f"{postgres_url}&warm={most}", embedder=Words()) for most in (100_000, 0)]
    yield memories[0], memories[1]
    for memory in memories:
        go(memory.close())


def go(call: Any) -> Any:
    """On the event loop of the tests."""
    return run(open_store("postgresql://localhost/nobody"), call)


async def warmed(memory: AsyncMemory, user: str = "ana") -> None:
    """Ask until the owner is held in memory."""
    for _ in range(400):
        await memory.recall("anything about the boat", user_id=user)
        if corpus_of(memory, user) is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the owner does not get warm")


def corpus_of(memory: AsyncMemory, user: str = "ana") -> Any:
    store = memory._engine.parts.store.inner  # type: ignore[attr-defined]
    assert isinstance(store, PostgresStore)
    known = store._hot._owners().get(("default", user))
    return None if known is None or known.replica is None else known.replica.corpus


def described(hits: list[Any]) -> list[tuple[str, float]]:
    return [(hit.record.content, pytest.approx(hit.score, abs=1e-6)) for hit in hits]


async def same(pair: tuple[AsyncMemory, AsyncMemory], user: str = "ana") -> None:
    """Both answer alike."""
    for question in QUESTIONS:
        warm, cold = [await memory.recall(question, user_id=user, limit=20) for memory in pair]
        assert [hit.record.id for hit in warm] == [hit.record.id for hit in cold]
        assert [hit.score for hit in warm] == pytest.approx([hit.score for hit in cold], abs=1e-5)


def test_a_hot_owner_is_answered_as_the_database_answers(pair: tuple[AsyncMemory, AsyncMemory]) -> None:
    async def check() -> None:
        await pair[0].remember(turns(40), user_id="ana")
        await pair[0].remember(turns(30), user_id="ben")
        await warmed(pair[0])
        await same(pair)
        assert corpus_of(pair[1]) is None
        filtered = await pair[0].recall("boat", user_id="ana", session_id="s1")
        assert {hit.record.session_id for hit in filtered} == {"s1"}

    go(check())


def test_what_another_process_writes_is_seen_by_the_next_search(
    pair: tuple[AsyncMemory, AsyncMemory],
) -> None:
    async def check() -> None:
        warm, other = pair
        await warm.remember(turns(30), user_id="ana")
        await warmed(warm)
        new = await other.remember("Miguel: the harbour master found a violet umbrella", user_id="ana")
        assert (await warm.recall("violet umbrella", user_id="ana"))[0].record.id == new.id
        await other.update(new.id, content="Miguel: the harbour master lost a yellow kite", user_id="ana")
        assert (await warm.recall("yellow kite", user_id="ana"))[0].record.id == new.id
        await same(pair)
        await other.forget(new.id, user_id="ana")
        assert all(hit.record.id != new.id for hit in await warm.recall("yellow kite", user_id="ana"))
        await other.remember(turns(15, start=30), user_id="ana")
        await other.remember(turns(15), user_id="ben")
        await same(pair)
        assert corpus_of(warm) is not None, "it has been warm all the while"

    go(check())


def test_a_write_is_seen_although_an_older_one_is_still_under_way(
    pair: tuple[AsyncMemory, AsyncMemory], postgres_url: str
) -> None:
    async def check() -> None:
        warm, other = pair
        await warm.remember(turns(10), user_id="ana")
        await warmed(warm)
        store = open_store(postgres_url)
        assert isinstance(store, PostgresStore)
        async with store._database.transaction() as connection:
            await connection.execute(
                "SELECT memwell_writing(), pg_current_xact_id()"
            )  # a writer that takes its time
            new = await other.remember("Ana: the purple owl came back", user_id="ana")
            for _ in range(3):
                assert (await warm.recall("purple owl", user_id="ana"))[0].record.id == new.id
        await store.close()
        await same(pair)

    go(check())


def test_of_many_who_write_and_ask_at_once_each_finds_what_was_acknowledged(
    pair: tuple[AsyncMemory, AsyncMemory],
) -> None:
    async def check() -> None:
        warm, other = pair
        await warm.remember(turns(10), user_id="ana")
        await warmed(warm)

        async def writer(name: str) -> None:
            for number in range(20):
                word = f"{name}{number}word"
                new = await other.remember(f"{word} lies beside the boat", user_id="ana")
                hits = await asyncio.gather(*(warm.recall(word, user_id="ana", limit=3) for _ in range(2)))
                assert [found[0].record.id for found in hits] == [new.id] * 2

        await asyncio.gather(*map(writer, ("oak", "elm", "ash", "fir", "yew", "bay")))
        assert corpus_of(warm) is not None, "it has been warm all the while"

    go(check())


def test_many_changes_at_once_are_read_again(pair: tuple[AsyncMemory, AsyncMemory]) -> None:
    async def check() -> None:
        warm, other = pair
        await warm.remember(turns(10), user_id="ana")
        await warmed(warm)
        await other.remember(turns(1200, start=10), user_id="ana")
        await same(pair)
        await warmed(warm)
        assert len(corpus_of(warm).slots) == 1210

    go(check())


def test_more_than_a_process_may_hold_stays_in_the_database(postgres_url: str) -> None:
    async def check() -> None:
        memory = AsyncMemory(f"{postgres_url}&warm=50", embedder=Words())
        await memory.remember(turns(60), user_id="ana")
        await memory.remember(turns(30), user_id="ben")
        await memory.remember(turns(30), user_id="eve")
        for _ in range(10):
            await memory.recall("boat", user_id="ana")
            await asyncio.sleep(0.01)
        assert corpus_of(memory) is None
        await warmed(memory, "ben")
        await warmed(memory, "eve")
        assert corpus_of(memory, "ben") is None, "the owner asked least recently makes room"
        await memory.close()

    go(check())


def test_an_event_loop_that_ends_while_an_owner_is_loaded_hinders_no_other_loop(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, begun = replica._read, threading.Event()

    async def slow(connection: Any, scope: Any, most: int, stop: threading.Event) -> Any:
        if not begun.is_set():
            begun.set()
            stop.wait(30)
        return await read(connection, scope, most, stop)

    monkeypatch.setattr(replica, "_read", slow)
    memory = AsyncMemory(f"{postgres_url}&warm=100", embedder=Words())

    async def begin() -> None:
        await memory.remember(turns(10), user_id="ana")
        while not begun.is_set():
            await memory.recall("boat", user_id="ana")

    async def check() -> None:
        await warmed(memory)
        await memory.close()

    asyncio.run(begin())
    asyncio.run(check())


def test_while_an_owner_is_loaded_few_searches_run_in_the_database(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would take the processors from what loads it. The replica answers those that wait."""
    load, search = hot_owners.load, Searcher.search

    async def check() -> None:
        loading, loaded, asked, answered = (asyncio.Event() for _ in range(4))
        asking: list[str] = []

        async def slow_load(*args: Any, **options: Any) -> Any:
            loading.set()
            await loaded.wait()
            return await load(*args, **options)

        async def slow_search(self: Searcher, connection: Any, query: Any) -> Any:
            if loading.is_set():
                asking.append(query.text)
                asked.set()
                await answered.wait()
            return await search(self, connection, query)

        monkeypatch.setattr(hot_owners, "load", slow_load)
        monkeypatch.setattr(Searcher, "search", slow_search)
        memory = AsyncMemory(f"{postgres_url}&warm=100", embedder=Words())
        await memory.remember(turns(10), user_id="ana")
        while not loading.is_set():
            await memory.recall("boat", user_id="ana")
        recalls = [asyncio.create_task(memory.recall("boat", user_id="ana")) for _ in range(THREADS + 20)]
        await asked.wait()
        loaded.set()
        while corpus_of(memory) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        answered.set()
        assert all(await asyncio.gather(*recalls))
        assert 0 < len(asking) <= THREADS
        await memory.close()

    go(check())


def test_an_interrupt_while_changes_are_applied_spoils_no_later_search(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(f"{postgres_url}&warm=100", embedder=Words()) as memory:
        memory.remember(turns(30), user_id="ana")
        store = memory._memory._engine.parts.store
        for _ in range(400):
            memory.recall("anything about the boat", user_id="ana")
            if store._hot._owners()["default", "ana"].replica is not None:  # type: ignore[attr-defined]
                break
            time.sleep(0.01)
        memory.remember(turns(10, start=30), user_id="ana")
        with monkeypatch.context() as patched:
            patched.setattr(Postings, "add", interrupted)
            with pytest.raises(KeyboardInterrupt):
                memory.recall("boat", user_id="ana")
        assert len(memory.recall("number 35", user_id="ana", limit=50)) > 30


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_neither_a_search_nor_what_follows_a_write_computes_on_the_event_loop(
    pair: tuple[AsyncMemory, AsyncMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: dict[str, set[str]] = {"find": set(), "_apply": set()}

    def watched(module: Any, name: str) -> None:
        call = getattr(module, name)

        def noted(*arguments: Any, **options: Any) -> Any:
            used[name].add(threading.current_thread().name.rpartition("_")[0])
            return call(*arguments, **options)

        monkeypatch.setattr(module, name, noted)

    async def check() -> None:
        warm, other = pair
        await warm.remember(turns(10), user_id="ana")
        await warmed(warm)
        watched(hot_owners, "find")
        watched(replica, "_apply")
        await other.remember("Ana: the purple owl came back", user_id="ana")
        assert (await warm.recall("purple owl", user_id="ana"))[0].record.content.endswith("came back")

    go(check())
    assert used == {"find": {"memwell-work"}, "_apply": {"memwell-postgres"}}
