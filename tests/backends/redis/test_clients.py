"""What parts on Redis share: the URL, clients per loop and process, scripts, and the table of errors."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis as native
from redis import asyncio as native_asyncio
from redis import exceptions as errors
from tests.processes import PROCESSES

from memwell.backends.redis import Clients, Script, Settings, SyncClients, together, translate
from memwell.backends.redis.keyvalue import RedisKeyValue
from memwell.backends.redis.store import RedisStore
from memwell.errors import BackendError, ConfigError, InvalidInput, MemwellError, Unavailable
from memwell.registry import Url
from memwell.testing import run
from memwell.testing.samples import ANYBODY, START
from memwell.testing.services import RedisServer, Service


def settings(text: str) -> Settings:
    return Settings.from_url(Url.parse(text))


# ------------------------------------------------------------------------------------------------------ URLs


def test_a_url_says_where_as_whom_and_how() -> None:
    url = "redis://ana:p%40ss%2Fw%3Ard@db.example:7000/3?prefix=x:&pool=4&timeout=1.5&connect_timeout=0.5"
    found = settings(url)
    assert found.hosts == (("db.example", 7000),)
    assert (found.user, found.password, found.db) == ("ana", "p@ss/w:rd", 3)
    assert (found.prefix, found.pool, found.timeout, found.connect_timeout) == ("x:", 4, 1.5, 0.5)
    assert found.tls is None


def test_a_bare_url_means_the_local_server() -> None:
    for url in ("redis:", "redis://", "redis://localhost", "redis://localhost:6379/", "redis://localhost/0"):
        assert settings(url) == Settings()


def test_a_password_needs_no_user() -> None:
    found = settings("redis://:secret@localhost")
    assert (found.user, found.password) == (None, "secret")


def test_sentinels_and_cluster_nodes_are_hosts_with_ports_of_their_kind() -> None:
    watched = settings("redis://a,b:26380/1?sentinel=mymaster&sentinel_user=w&sentinel_password=s3cr3t")
    assert (watched.hosts, watched.db, watched.sentinel) == ((("a", 26379), ("b", 26380)), 1, "mymaster")
    assert (watched.sentinel_user, watched.sentinel_password) == ("w", "s3cr3t")
    assert settings("redis://a,[::1]:7000?cluster=true").hosts == (("a", 6379), ("::1", 7000))


def test_secrets_stay_out_of_the_repr() -> None:
    found = settings("rediss://:s3cr3t@a?sentinel=m&sentinel_password=s3cr3t")
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://a,b", "cluster=true"),
        ("redis://a?cluster=true&sentinel=m", "both"),
        ("redis://a/1?cluster=true", "database 0"),
        ("redis://a/one", "number"),
        ("redis://a/-1", "number"),
        ("redis://a/１", "number"),
        ("redis://a?pool=0", "pool"),
        ("redis://a?timeout=0", "timeout"),
        ("redis://a?timeout=nan", "timeout"),
        ("redis://a?cluster=perhaps", "cluster"),
        ("redis://a?ca=x.pem", "rediss"),
        ("rediss://a?verify=maybe", "verify"),
        ("rediss://a?key=x.pem", "cert"),
        ("rediss://a?ca=/nowhere/ca.pem", "No such file"),
        ("redis://a?colour=red", "prefix"),
        ("redis://a:99999", "the port of 'a' is not a number from 1 to 65535"),
    ],
)
def test_what_does_not_go_together_is_refused(url: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        settings(url)


# --------------------------------------------------------------------------------------------------- clients


@pytest.fixture
def here(redis_url: str) -> Settings:
    return settings(redis_url)


def test_every_event_loop_has_a_client_of_its_own(here: Settings) -> None:
    clients = Clients(here)

    async def use() -> tuple[int, bool]:
        first, second = await clients.get(), await clients.get()
        assert await first.ping()
        return id(first), first is second

    async def use_and_close() -> tuple[int, bool]:
        used = await use()
        await clients.close()
        return used

    first, second = asyncio.run(use_and_close()), asyncio.run(use_and_close())
    assert first[1]
    assert second[1]
    assert not clients._own


def test_two_loops_at_once_do_not_disturb_each_other(here: Settings) -> None:
    clients, meet = Clients(here), threading.Barrier(2)
    counts: list[int] = []

    async def count() -> None:
        client = await clients.get()
        await asyncio.to_thread(meet.wait)
        counts.append(sum([await client.incr(here.prefix + "n") > 0 for _ in range(200)]))
        await asyncio.to_thread(meet.wait)
        await client.aclose()

    threads = [threading.Thread(target=asyncio.run, args=(count(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [200, 200]


def test_a_client_handed_in_is_used_and_stays_open(redis: Service) -> None:
    async def main() -> None:
        own = native_asyncio.Redis.from_url(redis.url)
        clients = Clients(Settings(), own)
        assert await clients.get() is own
        await clients.close()
        assert await own.ping()
        await own.aclose()

    asyncio.run(main())
    own = native.Redis.from_url(redis.url)
    clients = SyncClients(Settings(), own)
    assert clients.get() is own
    clients.close()
    assert own.ping()
    own.close()


def test_more_calls_than_connections_wait_for_their_turn(here: Settings) -> None:
    async def main() -> int:
        clients = Clients(Settings(hosts=here.hosts, prefix=here.prefix, pool=2))
        client = await clients.get()
        await asyncio.gather(*(client.incr(here.prefix + "n") for _ in range(100)))
        open_ = sum(row["name"] == "memwell" for row in await client.client_list())
        assert await client.get(here.prefix + "n") == b"100"
        await clients.close()
        return open_

    assert asyncio.run(main()) >= 1


def test_who_waited_in_vain_for_a_connection_is_pointed_to_the_option_pool(here: Settings) -> None:
    crowded = Settings(hosts=here.hosts, prefix=here.prefix, pool=1, timeout=0.05)

    async def main() -> None:
        keyvalue = RedisKeyValue(crowded)
        pool = (await keyvalue._clients.get()).connection_pool
        held = await pool.get_connection()
        with pytest.raises(Unavailable, match="raise the option pool") as caught:
            await keyvalue.get("x")
        assert caught.value.unsent
        await pool.release(held)
        assert await keyvalue.get("x") is None
        await keyvalue.close()

    asyncio.run(main())
    store = RedisStore(crowded)
    pool = store._server.client().connection_pool
    held = pool.get_connection()
    with pytest.raises(Unavailable, match="raise the option pool") as caught:
        run(store, store.get(ANYBODY, ["x"], now=START))
    assert caught.value.unsent
    pool.release(held)
    run(store, store.close())


def test_a_cancelled_call_is_cancelled(here: Settings) -> None:
    async def forever(client: Any) -> None:
        while True:
            await client.incr(here.prefix + "n")

    async def main() -> None:
        clients = Clients(here)
        client = await clients.get()
        for step in range(200):
            task = asyncio.ensure_future(forever(client))
            await asyncio.sleep(0.0001 * (step % 20))
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=5)
            assert done
            assert task.cancelled()
        assert await client.ping()
        await clients.close()

    asyncio.run(main())


def _in_child(work: Callable[[], None]) -> int:
    """The exit status of a forked child that ends as a program does, its objects collected."""
    child = os.fork()
    if child == 0:
        try:
            work()
            import gc

            gc.collect()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_makes_its_own_clients_and_leaves_its_parents_alone(here: Settings) -> None:
    clients, both = Clients(here), SyncClients(here)

    async def parent() -> None:
        client = await clients.get()
        await client.set(here.prefix + "who", "parent")
        both.get().set(here.prefix + "other", "parent")
        assert _in_child(child) == 0
        assert await client.get(here.prefix + "who") == b"child"
        assert both.get().get(here.prefix + "other") == b"child"
        await clients.close()

    def child() -> None:
        def run() -> None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(write())
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        both.get().set(here.prefix + "other", "child")
        both.close()

    async def write() -> None:
        await (await clients.get()).set(here.prefix + "who", "child")
        await clients.close()

    asyncio.run(parent())
    both.close()


def test_threads_share_the_synchronous_client(here: Settings) -> None:
    clients = SyncClients(here)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(id(clients.get()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    clients.close()
    clients.close()


@pytest.mark.parametrize(
    ("version", "old"), [("6.0.16", True), ("5.0", True), ("6.2.0", False), ("10.0.1", False), ("", False)]
)
def test_a_server_before_6_2_is_refused(version: str, old: bool) -> None:
    from memwell.backends.redis.clients import _refuse_old

    if old:
        with pytest.raises(ConfigError, match=r"6\.2"):
            _refuse_old(version)
    else:
        _refuse_old(version)


# ------------------------------------------------------------------------------------------ scripts, batches


def test_a_script_is_sent_where_it_is_missing(here: Settings) -> None:
    script = Script("return {KEYS[1], ARGV[1], 7} -- " + here.prefix)

    async def main() -> None:
        clients = Clients(here)
        client = await clients.get()
        for _ in range(2):
            assert await script.run(client, [b"k"], b"v") == [b"k", b"v", 7]
        assert await client.script_exists(script.sha) == [True]
        await clients.close()

    asyncio.run(main())
    sync = SyncClients(here)
    assert script.run_sync(sync.get(), [b"k"], "v") == [b"k", b"v", 7]
    sync.close()


def test_commands_together_answer_in_order_and_one_that_fails_raises(here: Settings) -> None:
    async def main() -> None:
        clients = Clients(here)
        client = await clients.get()
        keys = [f"{here.prefix}{number}" for number in range(2500)]
        await together(client, [("SET", key, key) for key in keys])
        assert await together(client, [("GET", key) for key in keys]) == [key.encode() for key in keys]
        with pytest.raises(errors.ResponseError):
            await together(client, [("SET", keys[0], "x"), ("INCR", keys[0]), ("SET", keys[1], "y")])
        assert await client.mget(keys[:2]) == [b"x", b"y"]
        assert await together(client, []) == []
        await clients.close()

    asyncio.run(main())


# ---------------------------------------------------------------------------------------------------- errors


def every_native_error() -> Iterator[type[Exception]]:
    for name in dir(errors):
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, errors.RedisError | errors.RedisClusterException):
            yield kind


TRANSIENT = [
    errors.ConnectionError,
    errors.TimeoutError,
    errors.BusyLoadingError,
    errors.ReadOnlyError,
    errors.TryAgainError,
    errors.ClusterDownError,
    errors.MasterDownError,
    errors.MaxConnectionsError,
    errors.SlotNotCoveredError,
    errors.ClusterError,
]
CREDENTIALS = [errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError]


@pytest.mark.parametrize("kind", sorted(every_native_error(), key=lambda kind: kind.__name__))
def test_every_error_of_the_driver_has_its_place(kind: type[Exception]) -> None:
    native_error = kind("1 h:1") if issubclass(kind, errors.AskError) else kind("told")
    found = translate(native_error, "redis", "get")
    assert isinstance(found, Unavailable | ConfigError | BackendError)
    assert (found.part, found.operation) == ("redis", "get")
    assert kind not in TRANSIENT or isinstance(found, Unavailable)
    assert kind not in CREDENTIALS or isinstance(found, ConfigError)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NOREPLICAS Not enough good replicas to write.", Unavailable),
        ("BUSY Redis is busy running a script.", Unavailable),
        ("Error running script (call to f_1): @user_script:1: -READONLY You can't write", Unavailable),
        ("Error running script (call to f_1): @user_script: 1: -OOM command not allowed", BackendError),
        ("MISCONF Redis is configured to save RDB snapshots", BackendError),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", BackendError),
        ("DB index is out of range", ConfigError),
        ("value is not an integer or out of range", InvalidInput),
        ("increment or decrement would overflow", InvalidInput),
        ("something nobody has seen", BackendError),
    ],
)
def test_what_the_server_says_has_its_place(text: str, kind: type[MemwellError]) -> None:
    assert type(translate(errors.ResponseError(text), "redis", "get")) is kind


def test_what_the_server_refused_was_not_done_and_what_broke_off_may_have_been() -> None:
    refused = [errors.ReadOnlyError("x"), errors.BusyLoadingError("x"), errors.MaxConnectionsError()]
    refused += [
        errors.ResponseError("BUSY Redis is busy"),
        errors.ClusterDownError("x"),
        errors.TryAgainError("x"),
    ]
    for error in refused:
        found = translate(error, "redis", "increment")
        assert isinstance(found, Unavailable)
        assert found.unsent
    for error in (
        errors.ConnectionError("Connection closed by server."),
        errors.TimeoutError("Timeout reading"),
    ):
        found = translate(error, "redis", "increment")
        assert isinstance(found, Unavailable)
        assert not found.unsent


def test_values_stay_out_of_errors() -> None:
    said = "unknown command 'FOO', with args beginning with: 'my secret' 'diary' "
    found = translate(errors.ResponseError(said), "redis", "get")
    assert "diary" not in str(found)
    assert isinstance(found, ConfigError)


def failing(call: Callable[[Clients], Awaitable[Any]], settings: Settings) -> MemwellError:
    async def main() -> MemwellError:
        clients = Clients(settings)
        try:
            await call(clients)
        except MemwellError as error:
            return error
        except (errors.RedisError, errors.RedisClusterException, OSError) as error:
            return translate(error, "redis", "get")
        finally:
            await clients.close()
        raise AssertionError("no error")

    return asyncio.run(main())


async def ping(clients: Clients) -> Any:
    return await (await clients.get()).ping()


def test_a_wrong_password_a_wrong_database_and_a_missing_right_are_configuration() -> None:
    with RedisServer(durable=False, password="s3cr3t") as server:
        at = f"127.0.0.1:{server.port}"
        for url in (
            f"redis://:wr0ng@{at}",
            f"redis://{at}",
            f"redis://nobody:s3cr3t@{at}",
            f"redis://:s3cr3t@{at}/99",
        ):
            found = failing(ping, settings(url))
            assert isinstance(found, ConfigError)
            assert "s3cr3t" not in str(found)
            assert "wr0ng" not in str(found)
        own = native.Redis.from_url(server.url)
        own.execute_command("ACL", "SETUSER", "ana", "on", ">pw", "~mine:*", "+get")
        own.close()

        async def read(clients: Clients) -> Any:
            client = await clients.get()  # INFO is not allowed either: the version is taken on trust
            assert await client.get("mine:x") is None
            return await client.get("other:x")

        assert isinstance(failing(read, settings(f"redis://ana:pw@{at}")), ConfigError)


def test_a_server_that_is_gone_or_hangs_is_unavailable() -> None:
    with RedisServer(durable=False) as server:
        here = settings(f"{server.url}?timeout=0.2")

        async def lose(clients: Clients) -> Any:
            client = await clients.get()
            await asyncio.to_thread(server.kill)
            return await client.get("x")

        lost, unreached = failing(lose, here), failing(ping, here)
        assert isinstance(lost, Unavailable)
        assert isinstance(unreached, Unavailable)
        assert unreached.unsent
        server.start()

        async def come_back(clients: Clients) -> Any:
            assert await ping(clients)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            assert await ping(clients)  # a connection found dead is replaced
            raise Unavailable("as it should be")

        assert "as it should be" in str(failing(come_back, here))

        async def hang(clients: Clients) -> Any:
            client = await clients.get()
            await client.client_pause(900)
            return await client.incr("n")

        late = failing(hang, here)
        assert isinstance(late, Unavailable)
        assert not late.unsent


def test_a_full_memory_says_what_to_do() -> None:
    with RedisServer(durable=False, settings={"maxmemory": "1mb"}) as server:

        async def fill(clients: Clients) -> Any:
            client = await clients.get()
            for number in range(100):
                await client.set(f"k{number}", b"x" * 100_000)

        found = failing(fill, settings(server.url))
        assert isinstance(found, BackendError)
        assert "maxmemory" in str(found)


def test_a_cluster_that_is_none_is_configuration(here: Settings) -> None:
    found = failing(ping, Settings(hosts=here.hosts, cluster=True))
    assert isinstance(found, ConfigError)
    assert "cluster=true" in str(found)
    sync = SyncClients(Settings(hosts=here.hosts, cluster=True))
    with pytest.raises(errors.RedisClusterException) as caught:
        sync.get()
    assert isinstance(translate(caught.value, "redis", "get"), ConfigError)


def test_spawned_processes_take_settings_with_them(here: Settings) -> None:
    child = PROCESSES.Process(target=_write, args=(here,))
    child.start()
    child.join()
    clients = SyncClients(here)
    assert clients.get().get(here.prefix + "x") == b"spawned"
    clients.close()


def _write(here: Settings) -> None:
    clients = SyncClients(here)
    clients.get().set(here.prefix + "x", "spawned")
    clients.close()
