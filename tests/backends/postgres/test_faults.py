"""PostgreSQL when the network or the server misbehaves: silence, broken connections, encodings, lost transactions."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from tests.backends.network import Network

from memwell import AsyncMemory, Memory
from memwell.backends.postgres.pool import Pool
from memwell.backends.postgres.store import PostgresStore
from memwell.backends.postgres.store.lineage import Lineage, State
from memwell.errors import ConfigError, NotSupported, Unavailable
from memwell.ports import Insert
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing.samples import ANYBODY, START, record
from memwell.testing.services import PostgresServer, Service, postgres

TEXT = "rent – 900 €, żółw 🐢"


@pytest.fixture
def network(postgres: Service) -> Iterator[Network]:
    with Network(postgres.port) as made:
        yield made


@pytest.fixture
def url(postgres: Service, network: Network, postgres_url: str) -> str:
    """The URL of the test's schema, through the network."""
    return postgres_url.replace(f":{postgres.port}/", f":{network.port}/")


@contextmanager
def quickly(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.3, answers: float = 0.5) -> Iterator[None]:
    """Let silence be noticed soon."""
    monkeypatch.setattr("memwell.backends.postgres.database._PATIENCE", seconds)
    for place in ("watch", "database"):
        monkeypatch.setattr(f"memwell.backends.postgres.{place}.ANSWERS_WITHIN", answers)
    yield


def using(url: str, action: Callable[[PostgresStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        store = open_store(url)
        assert isinstance(store, PostgresStore)
        async with store:
            return await action(store)

    return asyncio.run(run())


def pool_of(store: PostgresStore) -> Pool:
    """The pool of the running loop."""
    pool = store._database._primary._access().pool
    assert pool is not None
    return pool


async def put(store: PostgresStore, id: str, content: str = "") -> None:
    await store.write([Insert(record=record(content or id, id=id))], now=START)


async def ids(store: PostgresStore) -> list[str]:
    return [found.id for found in await store.scan(ANYBODY, now=START, limit=100)]


# --------------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("where", ["environment", "role", "database", "options"])
def test_texts_travel_as_utf8_whatever_a_client_is_set_to(
    postgres: Service, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"latin_{token_hex(4)}"
    with psycopg.connect(postgres.url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN".encode())
        server.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        url = f"postgresql://{name}@127.0.0.1:{postgres.port}/{name}?warm=0"
        if where == "environment":
            monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        elif where == "options":
            url += "&options=-c%20client_encoding%3DLATIN1"
        else:
            server.execute(f"ALTER {where.upper()} {name} SET client_encoding = 'LATIN1'".encode())
        try:
            with Memory(url, embedder=None) as memory:
                memory.remember(TEXT, metadata={"ключ": "🐢"})
                [hit] = memory.recall("rent 900")
                assert hit.record.content == TEXT
                assert memory.count(where={"ключ": "🐢"}) == 1
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            server.execute(f"DROP ROLE {name}".encode())


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_hold_utf8_is_refused_by_name(postgres: Service, encoding: str) -> None:
    name = f"other_{token_hex(4)}"
    make = f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    with psycopg.connect(postgres.url, autocommit=True) as server:
        server.execute(make.encode())
        try:
            url = f"postgresql://memwell@127.0.0.1:{postgres.port}/{name}"
            with pytest.raises(ConfigError, match=f"{name} has the encoding {encoding}.*CREATE DATABASE"):
                using(url, lambda store: store.ping())
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


# -------------------------------------------------------------------------------------- forgotten connections


def test_reads_ask_once_more_when_the_network_has_forgotten_the_connection(
    url: str, network: Network
) -> None:
    async def run() -> None:
        store, values, log = open_store(url), open_keyvalue(url), open_log(url)
        assert isinstance(store, PostgresStore)
        async with store, values, log:
            await put(store, "a")
            await values.set("k", b"v")
            await log.append("s", [b"e"])
            reads: list[Callable[[], Awaitable[Any]]] = [
                lambda: ids(store),
                lambda: store.count(ANYBODY, now=START),
                lambda: store.history(ANYBODY, "a", now=START),
                lambda: store.stats(ANYBODY, now=START),
                lambda: store.ping(),
                lambda: values.get("k"),
                lambda: log.read("s"),
            ]
            for read in reads:
                forgotten(network)
                await read()
            forgotten(network)
            await put(store, "b")  # a hung-up connection is noticed before anything is sent
            assert await ids(store) == ["a", "b"]

    def forgotten(network: Network) -> None:
        network.cut()
        network.flow()

    asyncio.run(run())


def test_a_connection_that_breaks_under_a_read_is_replaced_and_under_a_write_is_not(
    url: str, postgres: Service
) -> None:
    async def run(store: PostgresStore) -> None:
        await put(store, "a")

        async def broken(operation: Callable[[], Awaitable[Any]]) -> Any:
            [(_, connection)] = pool_of(store)._idle
            with psycopg.connect(postgres.url, autocommit=True) as server:
                server.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.pgconn.backend_pid,))
            # As where the last words of the server are lost: nothing tells before something is sent.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("memwell.backends.postgres.pool.alive", lambda _: True)
                return await operation()

        assert await broken(lambda: ids(store)) == ["a"]
        with pytest.raises(Unavailable) as failed:
            await broken(lambda: put(store, "b"))
        assert not failed.value.unsent
        assert await ids(store) == ["a"]

    using(url, run)


# ------------------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize("operation", ["read", "write", "ping", "first"])
def test_a_network_that_swallows_everything_is_noticed(
    url: str, network: Network, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    async def run(store: PostgresStore) -> None:
        if operation != "first":
            await put(store, "a")
        network.swallow()
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await (
                put(store, "b")
                if operation == "write"
                else store.ping()
                if operation == "ping"
                else ids(store)
            )
        assert time.monotonic() - began < 5
        network.flow()
        assert "a" in await ids(store) or operation == "first"

    with quickly(monkeypatch):
        using(url + "&connect_timeout=2", run)


def test_with_a_limit_on_statements_silence_is_noticed_soon_after_it(url: str, network: Network) -> None:
    async def run(store: PostgresStore) -> None:
        await put(store, "a")
        network.swallow()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer"):
            await ids(store)
        assert time.monotonic() - began < 6

    using(url + "&connect_timeout=2&statement_timeout=0.2", run)


def test_a_server_that_is_stopped_is_noticed_and_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with quickly(monkeypatch), postgres(durable=False) as server:

        async def run() -> None:
            async with AsyncMemory(f"{server.url}?connect_timeout=2", embedder=None) as memory:
                await memory.remember("tea")
                with frozen(server):
                    began = time.monotonic()
                    with pytest.raises(Unavailable):
                        await memory.recall("tea")
                    health = await memory.health()
                    assert health.status == "unhealthy"
                    assert time.monotonic() - began < 6
                assert await memory.recall("tea")
                assert (await memory.health()).ok

        asyncio.run(run())


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """All processes of a server are stopped, as when its machine hangs."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
    head = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    pids = [head, *(row[0] for row in rows)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_statement_that_the_server_works_on_may_take_long_and_waiting_for_it_costs_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(store: PostgresStore) -> None:
        async def ask(connection: Any) -> list[Any]:
            return await (await connection.execute("SELECT 1 FROM pg_sleep(1.5)")).fetchall()

        await ids(store)
        began = time.thread_time()
        assert await store._database.read(ask) == [(1,)]
        assert time.thread_time() - began < 0.3

    with quickly(monkeypatch, 0.2, 10):
        using(url, run)


def test_a_cancelled_call_drops_a_silent_connection_soon(url: str, network: Network) -> None:
    async def run(store: PostgresStore) -> None:
        await put(store, "a")
        network.swallow()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ids(store)
        assert time.monotonic() - began < 3
        network.flow()
        assert await ids(store) == ["a"]

    using(url, run)


def test_a_cancelled_statement_ends_on_the_server_and_its_connection_is_used_on(url: str) -> None:
    async def run(store: PostgresStore) -> None:
        await put(store, "a")
        pool = pool_of(store)
        [(_, before)] = pool._idle
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await store._database.read(lambda connection: connection.execute("SELECT pg_sleep(20)"))
        assert await ids(store) == ["a"]
        assert [connection for _, connection in pool._idle] == [before]

    using(url, run)


@pytest.mark.parametrize("opened", [False, True])
def test_of_many_callers_all_learn_at_once_that_the_server_is_silent(
    url: str, network: Network, opened: bool
) -> None:
    async def run(store: PostgresStore) -> None:
        if opened:
            await put(store, "a")
            store._database._primary.drop_idle()
        network.swallow()
        before, began = network.connected, time.monotonic()
        failed = await asyncio.gather(*(ids(store) for _ in range(40)), return_exceptions=True)
        assert all(isinstance(error, Unavailable) and error.unsent for error in failed)
        assert time.monotonic() - began < 5
        assert network.connected - before <= 2  # `pool`

    using(url + "&connect_timeout=2&pool=2", run)


def test_a_refused_connection_has_sent_nothing() -> None:
    with pytest.raises(Unavailable) as failed:
        using("postgresql://memwell@127.0.0.1:1/memwell", lambda store: put(store, "a"))
    assert failed.value.unsent


# ------------------------------------------------------------------------------------------- lost transactions


def test_after_a_crash_that_lost_writes_nothing_goes_on_from_them() -> None:
    """With `synchronous_commit=off` the server may lose what it acknowledged, and gives the same numbers again."""
    lazy = {"synchronous_commit": "off", "wal_writer_delay": "10s", "autovacuum": "off"}
    with postgres(settings=lazy) as server:

        async def run() -> None:
            async with (
                AsyncMemory(server.url, embedder=None) as memory,
                AsyncMemory(server.url, embedder=None) as other,
            ):
                store = memory._engine.store
                await memory.remember("tea is kept", user_id="ana")
                for _ in range(8):  # until the owner is searched in this process
                    await memory.recall("tea", user_id="ana")
                    await asyncio.sleep(0.01)
                first = await store.position()
                checkpoint(server)
                for n in range(5):
                    await memory.remember(f"tea number {n} is lost", user_id="ana")
                await memory.recall("tea", user_id="ana")
                seen = await store.changes(first, limit=100)
                assert len(seen) == 5
                server.kill()
                server.start()
                for n in range(10):
                    await other.remember(f"tea number {n} is new", user_id="ana")
                with pytest.raises(NotSupported, match="lost"):
                    await store.changes(seen[-1].seq, limit=100)
                found = {hit.record.content for hit in await memory.recall("tea", user_id="ana", limit=50)}
                assert found == {"tea is kept", *(f"tea number {n} is new" for n in range(10))}
                again = await store.position()
                assert await store.changes(again, limit=10) == []
                with pytest.raises(NotSupported):  # what others noted as reached before is not true either
                    await other._engine.store.changes(first, limit=10)
                await other.remember("tea goes on", user_id="ana")
                assert len(await store.changes(again, limit=10)) == 1
                assert len(await other._engine.store.changes(again, limit=10)) == 1
                assert (await memory.doctor()).ok

        asyncio.run(run())


def checkpoint(server: PostgresServer) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def test_after_a_restart_that_lost_nothing_followers_go_on() -> None:
    with postgres(durable=False) as server:

        async def run(store: PostgresStore) -> None:
            await put(store, "a")
            reached = await store.position()
            await store.changes(reached, limit=10)
            for end in (server.stop, server.kill):
                end()
                server.start()
                await put(store, f"after {end.__name__}")
                [change] = await store.changes(reached, limit=10)
                reached = change.seq
                await store.changes(reached, limit=10)

        using(server.url, run)


def test_what_a_server_says_of_itself_tells_whether_it_may_have_lost_something() -> None:
    durable = State(started=1, checkpointer=7, timeline="1", written=100, flushed=100, lazy=True)
    pending = replace(durable, written=200)
    later = replace(durable, started=2, written=300, flushed=300)

    def lost(*states: State) -> bool:
        lineage = Lineage()
        return [lineage.observe(state) for state in states][-1]

    assert not lost(durable)
    assert not lost(durable, pending, replace(pending, flushed=200))
    assert not lost(durable, later)
    assert lost(pending, later)
    assert not lost(replace(pending, lazy=False), replace(later, lazy=False))
    assert lost(durable, replace(later, timeline="2"))
    assert lost(durable, replace(durable, written=90))
    assert lost(pending, replace(pending, checkpointer=8, flushed=200))
    assert not lost(replace(durable, written=None, flushed=None), replace(later, written=None, flushed=None))


def test_positions_of_another_server_are_not_gone_on_from(postgres_url: str) -> None:
    async def run(store: PostgresStore) -> None:
        await put(store, "a")
        with pytest.raises(NotSupported, match="another server"):
            await store.changes((await store.position()) + (10**9 << 32), limit=10)

    using(postgres_url, run)
