"""Parts with one URL share one client: asyncio parts on each event loop, synchronous stores in the process."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest
import redis as native
from redis import asyncio as native_asyncio
from redis import exceptions as errors
from tests.backends.parallel import forked, in_threads

from memwell.backends.redis import Clients, Settings, SyncClients
from memwell.backends.redis.clients import _async, _sync
from memwell.backends.redis.connections import sync_client
from memwell.backends.redis.keyvalue import RedisKeyValue
from memwell.backends.redis.log import RedisLog
from memwell.backends.redis.store import RedisStore
from memwell.errors import Closed, Unavailable
from memwell.registry import Url
from memwell.testing import run
from memwell.testing.samples import ANYBODY, START
from memwell.testing.services import RedisServer

Part = RedisStore | RedisKeyValue | RedisLog
OPEN: dict[str, Callable[[Settings], Part]] = {"store": RedisStore, "cache": RedisKeyValue, "log": RedisLog}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One for these tests alone, which count its connections."""
    with RedisServer(durable=False) as found:
        yield found


@pytest.fixture
def here(server: RedisServer) -> Settings:
    return settings(server)


def settings(server: RedisServer, options: str = "") -> Settings:
    return Settings.from_url(Url.parse(f"{server.url}{options}"))


def connections(server: RedisServer, expected: int) -> int:
    """How many there are, once those beyond the expected had time to end."""
    deadline = time.monotonic() + 20
    with native.Redis.from_url(server.url) as client:
        while True:
            found: int = sum(row["name"] == "memwell" for row in client.client_list())
            if found <= expected or time.monotonic() > deadline:
                return found


async def use(part: Part) -> None:
    if isinstance(part, RedisStore):
        await part.count(ANYBODY, now=START)
    elif isinstance(part, RedisKeyValue):
        await part.increment("n")
    else:
        await part.append("s", [b"entry"])


@pytest.mark.parametrize("order", list(permutations(OPEN)), ids="-".join)
def test_cache_and_log_use_one_connection_and_stores_another_until_the_last_is_closed(
    server: RedisServer, here: Settings, order: tuple[str, ...]
) -> None:
    async def main() -> None:
        parts = {name: OPEN[name](here) for name in OPEN}
        second = RedisStore(Settings(hosts=here.hosts, prefix="other:"))
        for part in [*parts.values(), second]:
            await use(part)
        assert connections(server, 2) == 2
        await second.close()
        for name in order:
            for part in parts.values():
                await use(part)
            await parts.pop(name).close()
            left = ("store" in parts) + bool(parts.keys() & {"cache", "log"})
            assert connections(server, left) == left

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ("/1", 2),
        ("?pool=15", 2),
        ("?timeout=4", 2),
        ("?connect_timeout=4", 2),
        ("?prefix=mine:", 1),
    ],
)
def test_parts_share_when_nothing_that_matters_for_a_connection_differs(
    server: RedisServer, here: Settings, options: str, count: int
) -> None:
    async def main() -> None:
        parts: list[Part] = [RedisKeyValue(here), RedisLog(settings(server, options))]
        for part in parts:
            await use(part)
        assert connections(server, count) == count
        for part in parts:
            await part.close()
        stores = [RedisStore(here), RedisStore(settings(server, options))]
        for store in stores:
            await use(store)
        assert connections(server, count) == count
        for store in stores:
            await store.close()
        assert connections(server, 0) == 0

    asyncio.run(main())


def test_parts_with_different_logins_do_not_share(server: RedisServer, here: Settings) -> None:
    with native.Redis.from_url(server.url) as admin:
        admin.acl_setuser("ana", enabled=True, passwords=["+one", "+two"], keys=["*"], commands=["+@all"])

    async def main() -> None:
        logins = [{}, *({"user": "ana", "password": word} for word in ("one", "two", "one"))]
        parts = [RedisKeyValue(Settings(hosts=here.hosts, **login)) for login in logins]  # type: ignore[arg-type]
        for part in parts:
            await use(part)
        assert connections(server, 3) == 3
        for part in parts:
            await part.close()
        assert connections(server, 0) == 0

    asyncio.run(main())


def test_a_client_passed_in_is_not_shared_and_stays_open(server: RedisServer, here: Settings) -> None:
    async def main() -> None:
        own = native_asyncio.Redis.from_url(server.url, client_name="memwell")
        given, other = RedisKeyValue(here, client=own), RedisKeyValue(here)
        await use(given)
        await use(other)
        assert connections(server, 2) == 2
        await given.close()
        await other.close()
        assert await own.ping()
        assert connections(server, 1) == 1
        await own.aclose()

    asyncio.run(main())
    with native.Redis.from_url(server.url, client_name="memwell") as own:
        given, other = RedisStore(here, client=own), RedisStore(here)
        for store in (given, other):
            run(store, use(store))
        assert connections(server, 2) == 2
        for store in (given, other):
            run(store, store.close())
        assert own.ping()
        assert connections(server, 1) == 1
    assert connections(server, 0) == 0


def test_a_part_that_closes_disturbs_no_call_of_another(server: RedisServer, here: Settings) -> None:
    async def main() -> None:
        cache, log, done = RedisKeyValue(here), RedisLog(here), asyncio.Event()

        async def work() -> int:
            turns = 0
            while not done.is_set():
                await use(log)
                turns += 1
            return turns

        working = [asyncio.ensure_future(work()) for _ in range(4)]
        for _ in range(20):
            async with RedisKeyValue(here) as short:
                await use(short)
        await use(cache)
        await cache.close()
        done.set()
        assert all(turns > 0 for turns in await asyncio.gather(*working))
        await log.close()

    asyncio.run(main())
    assert connections(server, 0) == 0


def test_stores_that_threads_open_and_close_at_once_share_and_close_all(
    server: RedisServer, here: Settings
) -> None:
    meet, failed = threading.Barrier(8, timeout=30), []

    def work() -> None:
        try:
            for _ in range(10):
                clients = SyncClients(here)
                meet.wait()
                assert clients.get().ping()
                clients.close()
            last = SyncClients(here)
            meet.wait()
            client = last.get()
            meet.wait()
            used.add(id(client))
            meet.wait()
            last.close()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
            meet.abort()

    used: set[int] = set()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert len(used) == 1
    assert connections(server, 0) == 0


def test_a_client_that_is_made_while_its_part_is_closed_is_closed_too(
    server: RedisServer, here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = SyncClients(here)

    def slowly(of: Settings) -> Any:
        made = sync_client(of)
        made.ping()
        clients.close()  # by another thread
        return made

    monkeypatch.setattr("memwell.backends.redis.clients.sync_client", slowly)
    with pytest.raises(Closed):
        clients.get()
    assert connections(server, 0) == 0


def test_a_server_that_is_down_fails_every_part_and_serves_them_when_it_is_back() -> None:
    with RedisServer(durable=False) as server:
        parts = [make(settings(server, "?connect_timeout=2")) for make in OPEN.values()]

        async def main() -> None:
            server.kill()
            failed = await asyncio.gather(*map(use, parts), return_exceptions=True)
            assert [type(error) for error in failed] == [Unavailable] * 3
            server.start()
            for part in parts:
                await use(part)
            assert connections(server, 2) == 2
            for part in parts:
                await part.close()
            assert connections(server, 0) == 0

        asyncio.run(main())


def test_a_cluster_that_cannot_be_opened_leaves_nothing_behind(server: RedisServer, here: Settings) -> None:
    cluster = Settings(hosts=here.hosts, cluster=True)
    one, two = SyncClients(cluster), SyncClients(cluster)
    for clients in (one, two, one):
        with pytest.raises(errors.RedisClusterException):
            clients.get()
    one.close()
    two.close()
    assert cluster not in {key for key in _sync._objects if isinstance(key, Settings)}
    assert connections(server, 0) == 0


# ---------------------------------------------------------------------------------- loops, threads, processes


def test_each_loop_has_one_client_and_closing_on_one_closes_those_of_others(
    server: RedisServer, here: Settings
) -> None:
    meet, cache, log = threading.Barrier(2, timeout=30), RedisKeyValue(here), RedisLog(here)

    async def work(last: bool) -> None:
        async def together() -> None:
            await asyncio.to_thread(meet.wait)

        await use(cache)
        await use(log)
        await together()
        if last:
            assert connections(server, 2) == 2
            await cache.close()  # on both loops
        await together()
        await use(log)
        await together()
        if last:
            await log.close()
            assert connections(server, 0) == 0
        await together()

    in_threads(lambda: work(False), lambda: work(True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_shares_among_its_own_parts_and_leaves_the_parents_alone(
    server: RedisServer, here: Settings
) -> None:
    parts: list[Part] = [make(here) for make in OPEN.values()]
    parts.append(RedisStore(here))  # which the child does not use

    async def child() -> None:
        for part in parts[:3]:
            await use(part)
        assert connections(server, 4) == 4
        for part in parts[:3]:
            await part.close()
        assert connections(server, 2) == 2

    async def parent() -> None:
        for part in parts:
            await use(part)
        assert forked(child) == 0
        assert connections(server, 2) == 2
        for part in parts:
            await use(part)
            await part.close()

    asyncio.run(parent())
    assert connections(server, 0) == 0


def test_secrets_are_in_no_repr_of_what_is_shared(here: Settings) -> None:
    secret = Settings(hosts=here.hosts, user="ana", password="s3cr3t")

    async def main() -> None:
        clients, sync = Clients(secret), SyncClients(secret)
        clients._joined()
        sync._joined()
        shown = f"{list(_async._objects)} {list(_async._objects.values())} {list(_sync._objects.items())}"
        assert "ana" in shown
        assert "s3cr3t" not in f"{shown} {vars(clients)} {vars(sync)}"
        await clients.close()
        sync.close()

    asyncio.run(main())
