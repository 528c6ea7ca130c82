"""Parts with one URL share one pool of connections on each event loop."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable
from itertools import permutations
from typing import Any

import psycopg
import pytest
from tests.backends.network import Network
from tests.backends.parallel import forked, in_threads

from memwell.backends.postgres import Database
from memwell.backends.postgres.pools import _pools
from memwell.errors import Closed, ConfigError, Unavailable
from memwell.ports import KeyValue, Log, Store
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing.samples import ANYBODY, START
from memwell.testing.services import Service

Part = Store | KeyValue | Log


class Server:
    """The server as seen beside the parts under test, whose connections it knows by their application name."""

    def __init__(self, url: str, schema_url: str) -> None:
        self.schema = schema_url.partition("?schema=")[2]
        self.url = f"{schema_url}&application_name={self.schema}"
        self._connection = psycopg.connect(url, autocommit=True)

    def pids(self) -> list[int]:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid"
        return [row[0] for row in self._connection.execute(query, (self.schema,))]

    def connections(self, expected: int) -> int:
        """How many there are, once those beyond the expected had time to end."""
        deadline = time.monotonic() + 20
        while True:
            found = len(self.pids())
            if found <= expected or time.monotonic() > deadline:
                return found

    def end(self, pid: int) -> None:
        self._connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    def components(self) -> set[str]:
        query = f'SELECT DISTINCT component FROM "{self.schema}".memwell_migrations'
        return {row[0] for row in self._connection.execute(query.encode())}

    def close(self) -> None:
        self._connection.execute(f'DROP SCHEMA IF EXISTS "{self.schema}_2" CASCADE'.encode())
        self._connection.close()


@pytest.fixture
def server(postgres: Service, postgres_url: str) -> Any:
    found = Server(postgres.url, postgres_url)
    yield found
    found.close()


OPEN: dict[str, Callable[[str], Part]] = {"store": open_store, "cache": open_keyvalue, "log": open_log}


async def use(part: Part) -> None:
    if isinstance(part, Store):
        await part.count(ANYBODY, now=START)
    elif isinstance(part, KeyValue):
        await part.increment("n")
    else:
        await part.append("s", [b"entry"])


def database(part: Part) -> Database:
    found = part._database  # type: ignore[union-attr]
    assert isinstance(found, Database)
    return found


async def pid_of(part: Part) -> int:
    async with database(part).connection() as connection:
        return connection.pgconn.backend_pid


@pytest.mark.parametrize("order", list(permutations(OPEN)), ids="-".join)
def test_store_cache_and_log_use_one_connection_until_the_last_is_closed(
    server: Server, order: tuple[str, ...]
) -> None:
    async def run() -> None:
        parts = {name: OPEN[name](server.url) for name in OPEN}
        for part in parts.values():
            await use(part)
        assert server.components() >= {"store", "vectors", "keyvalue", "log"}
        assert server.connections(1) == 1
        for name in order:
            for part in parts.values():
                await use(part)
            await parts.pop(name).close()
        assert server.connections(0) == 0

    asyncio.run(run())


def test_calls_of_all_parts_at_once_open_no_more_connections_than_the_pool_has(server: Server) -> None:
    async def run() -> None:
        parts = [open_part(f"{server.url}&pool=3") for open_part in OPEN.values() for _ in range(2)]
        await asyncio.gather(*(use(part) for part in parts for _ in range(10)))
        assert server.connections(3) == 3
        for part in parts:
            await part.close()
        assert server.connections(0) == 0

    asyncio.run(run())


async def opened(*urls: str) -> list[Part]:
    """A cache for each URL, used once."""
    parts: list[Part] = [open_keyvalue(url) for url in urls]
    for part in parts:
        await use(part)
    return parts


@pytest.mark.parametrize(
    ("option", "connections"),
    [
        ("schema={schema}_2", 2),
        ("pool=9", 2),
        ("timeout=29", 2),
        ("connect_timeout=9", 2),
        ("statement_timeout=60", 2),
        ("prepare=false", 2),
        ("sslmode=disable", 2),
        ("migrate=off", 1),
        ("warm=0", 1),
        ("replica=127.0.0.1:1", 1),
    ],
)
def test_parts_share_when_nothing_that_matters_for_a_connection_differs(
    server: Server, option: str, connections: int
) -> None:
    base, added = server.url, option.format(schema=server.schema)
    other = base.replace(f"schema={server.schema}", added) if "schema" in added else f"{base}&{added}"

    async def run() -> None:
        parts = await opened(base, other)
        assert server.connections(connections) == connections
        for part in parts:
            await part.close()
        assert server.connections(0) == 0

    asyncio.run(run())


def test_parts_with_different_passwords_do_not_share(server: Server) -> None:
    async def run() -> None:
        parts = await opened(
            *(server.url.replace("memwell@", f"memwell:{word}@") for word in ("a", "b", "a"))
        )
        assert server.connections(2) == 2
        for part in parts:
            await part.close()

    asyncio.run(run())


def test_what_libpq_reads_from_the_environment_tells_pools_apart(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        parts: list[Part] = []
        for password in ("one", "two", "one"):
            monkeypatch.setenv("PGPASSWORD", password)
            parts += await opened(server.url)
        assert server.connections(2) == 2
        for part in parts:
            await part.close()

    asyncio.run(run())


def test_a_closed_part_leaves_its_connection_in_use_to_the_others(server: Server) -> None:
    async def run() -> None:
        first, second = await opened(f"{server.url}&pool=1", f"{server.url}&pool=1")
        async with database(first).connection() as connection:
            pid = connection.pgconn.backend_pid
            await first.close()
            waiting = asyncio.ensure_future(pid_of(second))
            await asyncio.sleep(0)
            assert (await (await connection.execute("SELECT 1")).fetchone()) == (1,)
        assert await waiting == pid
        await second.close()
        assert server.connections(0) == 0

    asyncio.run(run())


def test_only_the_waiting_calls_of_the_part_that_is_closed_fail(server: Server) -> None:
    async def run() -> None:
        one, two, three = await opened(*[f"{server.url}&pool=1"] * 3)
        async with database(one).connection():
            refused, served = asyncio.ensure_future(pid_of(two)), asyncio.ensure_future(pid_of(three))
            await asyncio.sleep(0)
            await two.close()
            with pytest.raises(Closed):
                await refused
            assert not served.done()
        pid = await served
        assert server.connections(1) == 1
        assert server.pids() == [pid]
        await one.close()
        await three.close()

    asyncio.run(run())


def test_a_connection_that_breaks_under_one_part_is_counted_by_all(server: Server) -> None:
    """So that a store notices that the server was lost, whichever part had the connection."""

    async def run() -> None:
        cache, log = open_keyvalue(server.url), open_log(server.url)
        await use(cache)
        await use(log)
        server.end(await pid_of(cache))
        await log.read("s")
        assert database(cache).lost == database(log).lost == 1
        await cache.close()
        await log.close()

    asyncio.run(run())


# ------------------------------------------------------------------------------------------------------- opening


def test_a_part_that_cannot_be_opened_disturbs_no_other(server: Server) -> None:
    async def run() -> None:
        [cache] = await opened(server.url)
        log = open_log(f"{server.url}&migrate=off")
        with pytest.raises(ConfigError, match="memwell db migrate"):
            await use(log)
        await use(cache)
        async with open_log(server.url) as other:
            await use(other)
        await use(log)
        assert server.connections(1) == 1
        await log.close()
        await use(cache)
        await cache.close()
        assert server.connections(0) == 0

    asyncio.run(run())


def test_parts_that_find_the_server_silent_share_a_pool_once_it_answers(
    server: Server, postgres: Service
) -> None:
    async def run(network: Network) -> None:
        url = server.url.replace(f":{postgres.port}/", f":{network.port}/") + "&connect_timeout=2"
        parts = [open_part(url) for open_part in OPEN.values()]
        network.swallow()
        failed = await asyncio.gather(*map(use, parts), return_exceptions=True)
        assert [type(error) for error in failed] == [Unavailable] * 3
        network.flow()
        for part in parts:
            await use(part)
        assert server.connections(1) == 1
        for part in parts:
            await part.close()
        assert server.connections(0) == 0

    with Network(postgres.port) as network:
        asyncio.run(run(network))


def test_a_part_that_is_closed_while_it_opens_says_so_and_another_goes_on(
    server: Server, postgres: Service
) -> None:
    async def run(network: Network) -> None:
        url = server.url.replace(f":{postgres.port}/", f":{network.port}/")
        first, second = open_keyvalue(url), open_keyvalue(url)
        network.swallow()
        calls = [asyncio.ensure_future(use(part)) for part in (first, second)]
        while network.connected < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await first.close()
        with pytest.raises(Closed):
            await calls[0]
        network.flow()
        await calls[1]
        await second.close()
        assert server.connections(0) == 0

    with Network(postgres.port) as network:
        asyncio.run(run(network))


# ---------------------------------------------------------------------------------- loops, threads, processes


def test_each_loop_has_one_pool_and_closing_on_one_leaves_the_other(server: Server) -> None:
    meet = threading.Barrier(2, timeout=30)
    cache, log = open_keyvalue(server.url), open_log(server.url)

    async def together() -> None:
        await asyncio.to_thread(meet.wait)

    async def work(leaves: Part, stays: Part, last: bool) -> None:
        await together()
        await use(leaves)
        await use(stays)
        await together()
        if last:
            assert server.connections(2) == 2
        await together()
        await asyncio.gather(*(use(part) for part in (leaves, stays) for _ in range(20)))
        await together()
        if last:
            await leaves.close()  # on both loops
        await together()
        await use(stays)
        await together()
        if last:
            await stays.close()
        await together()

    in_threads(lambda: work(cache, log, False), lambda: work(cache, log, True))
    assert server.connections(0) == 0


def test_a_loop_that_ended_leaves_no_connection_when_the_next_one_is_used(server: Server) -> None:
    cache, log = open_keyvalue(server.url), open_log(server.url)

    async def run(*parts: Part, close: bool = False) -> None:
        for part in parts:
            await use(part)
        for part in parts if close else ():
            await part.close()

    asyncio.run(run(cache, log))
    asyncio.run(run(cache))
    assert server.connections(1) == 1
    asyncio.run(run(cache, log, close=True))
    assert server.connections(0) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_opens_a_pool_of_its_own_and_leaves_the_parents_alone(server: Server) -> None:
    cache, log = open_keyvalue(server.url), open_log(server.url)

    async def child(parents: int) -> None:
        await use(log)
        assert await pid_of(log) == await pid_of(cache) != parents
        await cache.close()
        await use(log)
        await log.close()

    async def parent() -> None:
        await use(cache)
        await use(log)
        pid = await pid_of(cache)
        assert forked(lambda: child(pid)) == 0
        assert await pid_of(cache) == await pid_of(log) == pid
        await cache.close()
        await log.close()

    asyncio.run(parent())
    assert server.connections(0) == 0


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_parts_that_were_never_closed_hold_nothing_once_they_are_collected(server: Server) -> None:
    async def run() -> None:
        cache, log = open_keyvalue(server.url), open_log(server.url)
        await use(cache)
        await use(log)
        del log
        gc.collect()
        assert server.connections(1) == 1
        await use(cache)
        await cache.close()
        assert server.connections(0) == 0
        [forgotten] = await opened(server.url)
        del forgotten

    asyncio.run(run())
    gc.collect()
    assert server.connections(0) == 0


def test_secrets_are_in_no_repr_of_what_is_shared(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "s3cr3t")

    async def run() -> None:
        url = server.url.replace("memwell@", "memwell:s3cr3t@")
        parts = await opened(url, server.url)
        keys = list(_pools._objects)
        assert len(keys) >= 2
        assert "s3cr3t" not in f"{keys} {list(_pools._objects.items())} {vars(database(parts[0]))}"
        for part in parts:
            await part.close()

    asyncio.run(run())
