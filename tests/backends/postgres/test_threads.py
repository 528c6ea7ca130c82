"""Callers without an event loop wait for PostgreSQL in their own threads, whether interrupted, silenced or many."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest
from tests.backends.network import Network

from memwell import Memory
from memwell._bridge import drive
from memwell.backends.postgres.store import PostgresStore
from memwell.errors import Closed, Unavailable
from memwell.ports import Insert
from memwell.registry import open_store
from memwell.testing.samples import ANYBODY, START, record
from memwell.testing.services import Service


@pytest.fixture
def network(postgres: Service) -> Iterator[Network]:
    with Network(postgres.port) as made:
        yield made


@pytest.fixture
def url(postgres: Service, network: Network, postgres_url: str) -> str:
    """The URL of the test's schema, through the network."""
    return postgres_url.replace(f":{postgres.port}/", f":{network.port}/")


@contextmanager
def opened(url: str) -> Iterator[PostgresStore]:
    store = open_store(url)
    assert isinstance(store, PostgresStore)
    store.blocking = True
    put(store, "a")
    yield store
    drive(store.close())


def put(store: PostgresStore, id: str) -> None:
    drive(store.write([Insert(record=record(id, id=id))], now=START))


def ids(store: PostgresStore) -> list[str]:
    return [found.id for found in drive(store.scan(ANYBODY, now=START, limit=100))]


def slept(store: PostgresStore, seconds: float) -> None:
    drive(store._database.read(lambda connection: connection.execute(f"SELECT pg_sleep({seconds})".encode())))


def pid_of(store: PostgresStore) -> int:
    async def ask() -> int:
        async with store._database.connection() as connection:
            return connection.pgconn.backend_pid

    return drive(ask())


@pytest.mark.parametrize("operation", ["read", "write", "ping"])
def test_a_network_that_swallows_everything_is_noticed(
    url: str, network: Network, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    calls: dict[str, Callable[[PostgresStore], Any]] = {
        "read": ids,
        "write": partial(put, id="b"),
        "ping": lambda store: drive(store.ping()),
    }
    monkeypatch.setattr("memwell.backends.postgres.database._PATIENCE", 0.3)
    for place in ("watch", "database"):
        monkeypatch.setattr(f"memwell.backends.postgres.{place}.ANSWERS_WITHIN", 0.5)
    with opened(url + "&connect_timeout=2") as store:
        network.swallow()
        began = time.monotonic()
        with pytest.raises(Unavailable):
            calls[operation](store)
        assert time.monotonic() - began < 5
        network.flow()
        assert "a" in ids(store)


def test_a_read_asks_once_more_when_the_network_has_forgotten_the_connection(
    url: str, network: Network
) -> None:
    with opened(url) as store:
        network.cut()
        assert ids(store) == ["a"]


def test_an_interrupted_statement_ends_on_the_server_and_its_connection_is_used_on(
    url: str, postgres: Service
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with opened(url) as store, psycopg.connect(postgres.url, autocommit=True) as server:
        before, handler = pid_of(store), signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            began = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                slept(store, 20)
            assert time.monotonic() - began < 3
        finally:
            signal.signal(signal.SIGALRM, handler)
        query = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        assert server.execute(query, (before,)).fetchall() == [("idle",)]
        assert pid_of(store) == before
        assert ids(store) == ["a"]


def test_who_finds_no_free_connection_waits_for_one_within_the_timeout(url: str) -> None:
    with opened(url + "&pool=1&timeout=0.3") as store:
        busy = threading.Thread(target=slept, args=(store, 0.8))
        busy.start()
        while store._database._primary._access().pool._idle:  # type: ignore[union-attr]
            time.sleep(0.01)
        with pytest.raises(Unavailable, match="make `pool` larger") as failed:
            ids(store)
        assert failed.value.unsent
        busy.join()
        slow = threading.Thread(target=slept, args=(store, 0.1))
        slow.start()
        assert ids(store) == ["a"]
        slow.join()


def test_who_waits_for_a_connection_of_a_part_that_is_closed_learns_it(url: str) -> None:
    failed: list[BaseException] = []

    def wait(store: PostgresStore) -> None:
        try:
            ids(store)
        except Closed as error:
            failed.append(error)

    with opened(url + "&pool=1") as store:
        busy = threading.Thread(target=slept, args=(store, 0.6))
        busy.start()
        while store._database._primary._access().pool._idle:  # type: ignore[union-attr]
            time.sleep(0.01)
        waiting = threading.Thread(target=wait, args=(store,))
        waiting.start()
        time.sleep(0.1)
    waiting.join(5)
    busy.join()
    assert len(failed) == 1


def test_threads_at_once_share_the_pool_and_lose_nothing(url: str, network: Network) -> None:
    def write(name: str) -> None:
        for number in range(10):
            put(store, f"{name}{number}")

    with opened(url + "&pool=3") as store:
        before = network.connected
        threads = [threading.Thread(target=write, args=(name,)) for name in "bcdefg"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids(store)) == 61
        assert network.connected <= before + 2  # `pool`, with the one that was open


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_opens_connections_of_its_own(url: str) -> None:
    with opened(url) as store:
        before = pid_of(store)
        child = os.fork()
        if child == 0:
            try:
                put(store, "b")
                os._exit(0 if pid_of(store) != before else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert pid_of(store) == before
        assert sorted(ids(store)) == ["a", "b"]


def test_a_loop_that_runs_in_the_callers_thread_does_no_harm(postgres_url: str) -> None:
    async def notebook() -> None:
        with Memory(postgres_url, embedder="hashing") as memory:
            assert memory._loop is None
            memory.remember("tea in the garden", user_id="ana")
            assert [hit.record.content for hit in memory.recall("tea", user_id="ana")] == [
                "tea in the garden"
            ]

    asyncio.run(notebook())


def test_beside_a_part_that_needs_an_event_loop_it_uses_that(postgres_url: str) -> None:
    async def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, float(len(text))] for text in texts]

    with Memory(postgres_url, embedder=embed) as memory:
        assert memory._loop is not None
        memory.remember("tea", user_id="ana")
        assert memory.recall("tea", user_id="ana")[0].record.content == "tea"


def test_a_connection_whose_lock_an_interrupt_left_held_is_not_given_out_again(url: str) -> None:
    """Ctrl-C came between the lock of psycopg and its statement: every later call with it failed."""

    async def interrupted(connection: Any) -> None:
        await connection.lock.acquire()
        raise KeyboardInterrupt

    with opened(url) as store:
        with pytest.raises(KeyboardInterrupt):
            drive(store._database.read(interrupted))
        assert ids(store) == ["a"]


def test_an_interrupt_while_a_condition_is_entered_leaves_no_lock_of_the_pool_held(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Condition.__enter__` is a function in Python: Ctrl-C at its end left the lock held, and others hung."""

    enter = threading.Condition.__enter__

    def interrupted(self: threading.Condition) -> bool:
        entered = enter(self)
        if self is changed:
            raise KeyboardInterrupt
        return entered

    with opened(url) as store, monkeypatch.context() as patched:
        changed = next(iter(store._database._primary._of.values())).pool._changed  # type: ignore[union-attr]
        patched.setattr(threading.Condition, "__enter__", interrupted)
        assert ids(store) == ["a"]


def test_a_statement_that_is_prepared_needs_no_cursor_and_a_rollback_that_forgets_it_does_no_harm(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    async def roll_back(store: PostgresStore) -> None:
        async with store._database.connection() as connection, connection.transaction(force_rollback=True):
            pass

    with opened(url) as store:
        for _ in range(8):  # psycopg prepares what comes often
            ids(store)
        pid, cursor = pid_of(store), psycopg.AsyncConnection.cursor
        monkeypatch.setattr(
            psycopg.AsyncConnection, "cursor", lambda *a, **o: made.append(1) or cursor(*a, **o)
        )
        assert (ids(store), made) == (["a"], [])
        drive(roll_back(store))
        assert (ids(store), pid_of(store)) == (["a"], pid)
