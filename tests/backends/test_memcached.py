"""The memcached key-value: the shared suite, keys and values at its limits, several processes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymemcache import exceptions as native
from pymemcache.client.base import Client, PooledClient
from tests.backends.network import Network
from tests.processes import PROCESSES

from memwell._bridge import drive
from memwell.backends.memcached import MemcachedKeyValue
from memwell.errors import BackendError, ConfigError, Corrupt, InvalidInput, MemwellError, Unavailable
from memwell.ports import KeyValue
from memwell.registry import open_keyvalue
from memwell.testing import run
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.keyvalue.expiry import Expiry
from memwell.testing.services import MemcachedServer, Service

MANY = 4


class Clock:
    """The time, and as much later as was told."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def prefix(memcached_url: str) -> str:
    return memcached_url.rpartition("=")[2]


@pytest.fixture
def part(memcached: Service, prefix: str, clock: Clock) -> Iterator[MemcachedKeyValue]:
    made = MemcachedKeyValue("127.0.0.1", memcached.port, prefix=prefix, clock=clock)
    yield made
    run(made, made.close())


@pytest.fixture
def raw(memcached: Service) -> Iterator[Client]:
    client = Client(("127.0.0.1", memcached.port), default_noreply=False)
    yield client
    client.close()


class TestMemcachedKeyValue(KeyValueConformance):
    ttl = 10.0

    @pytest.fixture
    def keyvalue(self, part: MemcachedKeyValue) -> KeyValue:
        return part

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


class TestMemcachedInRealTime(Expiry):
    """Expiry without a clock of ours: what a user gets."""

    ttl = 0.2

    @pytest.fixture
    def keyvalue(self, memcached_url: str) -> Iterator[KeyValue]:
        part = open_keyvalue(memcached_url)
        assert isinstance(part, MemcachedKeyValue)
        yield part
        run(part, part.close())

    @pytest.fixture
    def advance(self) -> Callable[[float], None]:
        return time.sleep


def test_a_ttl_of_months_is_not_taken_for_a_date(part: MemcachedKeyValue, clock: Clock) -> None:
    run(part, part.set("key", b"1", ttl=45 * 86_400))
    clock.advance(44 * 86_400)
    assert run(part, part.get("key")) == b"1"
    clock.advance(2 * 86_400)
    assert run(part, part.get("key")) is None


def test_memcached_drops_by_itself_what_has_expired(
    part: MemcachedKeyValue, raw: Client, prefix: str
) -> None:
    run(part, part.set("key", b"1", ttl=0.1))
    assert raw.get(f"{prefix}k:key") is not None
    end = time.monotonic() + 10
    while raw.get(f"{prefix}k:key") is not None:
        assert time.monotonic() < end, "memcached keeps it"
        time.sleep(0.1)


def test_a_key_that_looks_like_a_hash_is_not_one(part: MemcachedKeyValue) -> None:
    long = "k" * 500
    name = part._name(long).decode()
    keys = [long, name, name.partition(":h:")[2], "h:" + name.partition(":h:")[2]]
    run(part, part.set_many({key: b"%d" % at for at, key in enumerate(keys)}))
    assert run(part, part.get_many(keys)) == {key: b"%d" % at for at, key in enumerate(keys)}


def test_names_fit_whatever_the_key(prefix: str) -> None:
    part = MemcachedKeyValue(prefix="p" * 180)
    keys = ["k", "k" * 68, "k" * 69, "k" * 1024, "two words", "żółw", "tab\t", "\x7f", "\x01"]
    names = [part._name(key) for key in keys]
    assert all(len(name) <= 250 and all(32 < byte < 127 for byte in name) for name in names)
    assert len(set(names)) == len(keys)


@pytest.mark.parametrize("value", [b"", b"short", b"\1" + bytes(10) + b"something else"])
def test_a_value_of_another_program_is_reported_and_never_taken(
    part: MemcachedKeyValue, raw: Client, prefix: str, value: bytes
) -> None:
    raw.set(f"{prefix}k:key", value)
    for call in (
        lambda: part.get("key"),
        lambda: part.increment("key"),
        lambda: part.add("key", b""),
        lambda: part.delete("key"),
    ):
        with pytest.raises(Corrupt, match="prefix"):
            run(part, call())
    assert raw.get(f"{prefix}k:key") == value


def test_what_is_too_large_is_refused_and_the_old_value_stays(part: MemcachedKeyValue) -> None:
    run(part, part.set("key", b"old"))
    for call in (
        lambda: part.set("key", b"x" * 2**20),
        lambda: part.set_many({"other": b"1", "key": b"x" * 2**20}),
        lambda: part.replace("key", b"x" * 2**20, expected=b"old"),
        lambda: part.add("new", b"x" * 2**20),
    ):
        with pytest.raises(InvalidInput, match="too large"):
            run(part, call())
    assert run(part, part.get_many(["key", "other", "new"])) == {"key": b"old"}


def test_the_largest_value_allowed_is_really_stored(part: MemcachedKeyValue) -> None:
    key = "k" * 1024
    with pytest.raises(InvalidInput) as caught:
        run(part, part.set(key, b"x" * 2**20))
    most = int(re.search(r"takes ([0-9,]+):", str(caught.value))[1].replace(",", ""))
    run(part, part.set(key, b"x" * most))
    assert len(run(part, part.get(key)) or b"") == most
    with pytest.raises(InvalidInput):
        run(part, part.set(key, b"x" * (most + 1)))


def test_a_client_handed_in_works_and_stays_open(memcached: Service, prefix: str) -> None:
    client = PooledClient(("127.0.0.1", memcached.port), default_noreply=False)
    part = MemcachedKeyValue(prefix=prefix, client=client)
    run(part, part.set("key", b"1"))
    assert run(part, part.increment("key")) == 2
    run(part, part.close())
    assert client.version()
    client.close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("memcached://ana:pw@host", "login"),
        ("memcached://host/1", "path"),
        ("memcached://a,b", "one host"),
        ("memcached://host?prefix=two%20words", "prefix"),
        ("memcached://host?prefix=" + "p" * 181, "prefix"),
        ("memcached://host?pool=0", "pool"),
        ("memcached://host?timeout=0", "timeout"),
        ("memcached://host?colour=red", "connect_timeout"),
    ],
)
def test_urls_that_mean_nothing_are_refused(url: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        open_keyvalue(url)


def test_a_killed_server_is_unavailable_and_a_new_one_is_empty() -> None:
    with MemcachedServer() as server:
        part = open_keyvalue(f"{server.url}?timeout=2")
        run(part, part.set("key", b"1"))
        server.kill()
        for call in (lambda: part.get("key"), lambda: part.set("key", b"1"), part.ping):
            with pytest.raises(Unavailable):
                run(part, call())
        server.start()
        run(part, part.ping())
        assert run(part, part.get("key")) is None
        run(part, part.close())


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (native.MemcacheUnexpectedCloseError(), Unavailable),
        (native.MemcacheServerError("out of memory"), BackendError),
        (native.MemcacheUnknownCommandError(), BackendError),
        (native.MemcacheIllegalInputError(), BackendError),
        (native.MemcacheUnknownError(), BackendError),
        (ConnectionRefusedError(), Unavailable),
        (TimeoutError(), Unavailable),
        (ValueError(), BackendError),
    ],
)
def test_every_error_of_the_driver_has_its_place(error: Exception, kind: type[MemwellError]) -> None:
    assert type(MemcachedKeyValue()._translate(error, "get")) is kind


def test_more_threads_than_connections_wait_for_their_turn(memcached: Service, prefix: str) -> None:
    part = MemcachedKeyValue("127.0.0.1", memcached.port, prefix=prefix, pool=2)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: drive(part.set(f"key {n}", b"%d" % n)), range(200)))
    assert part._own is not None
    assert len(part._own[0].client_pool.free) <= 2
    assert len(run(part, part.get_many([f"key {n}" for n in range(200)]))) == 200
    run(part, part.close())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_connections_of_its_own(part: MemcachedKeyValue) -> None:
    run(part, part.set("key", b"parent"))
    child = os.fork()
    if child == 0:
        try:
            for number in range(100):
                run(part, part.set("child", b"%d" % number))
            run(part, part.close())
            os._exit(0)
        finally:
            os._exit(1)
    for _ in range(100):
        assert run(part, part.get("key")) == b"parent"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(part, part.get("child")) == b"99"


def _race(url: str, start: Any, number: int, results: Any) -> None:
    part = open_keyvalue(url)
    start.wait()
    won = [name for name in range(30) if run(part, part.add(f"lock {name}", b"%d" % number))]
    counts = [run(part, part.increment("count", -1)) for _ in range(100)]
    removed = sum(run(part, part.delete(f"token {name}", expected=b"t")) for name in range(30))
    swapped = sum(run(part, part.replace(f"swap {name}", b"new", expected=b"t")) for name in range(30))
    run(part, part.close())
    results.put((won, counts, removed, swapped))


def test_processes_that_race_lose_nothing(memcached_url: str) -> None:
    part = open_keyvalue(memcached_url)
    run(part, part.set_many({f"{kind} {name}": b"t" for kind in ("token", "swap") for name in range(30)}))
    start, results = PROCESSES.Barrier(MANY), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_race, args=(memcached_url, start, number, results))
        for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    won, counts, removed, swapped = zip(*[results.get() for _ in workers], strict=True)
    for worker in workers:
        worker.join()
    assert sorted(name for names in won for name in names) == list(range(30))
    assert sorted(-n for some in counts for n in some) == list(range(1, 100 * MANY + 1))
    assert sum(removed) == sum(swapped) == 30
    run(part, part.close())


def test_reads_go_on_where_the_network_has_cut_idle_connections(memcached: Service) -> None:
    with Network(memcached.port) as network:
        part = MemcachedKeyValue("127.0.0.1", network.port, prefix="cut:")
        run(part, part.set("k", b"v"))
        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(lambda _: run(part, part.get("k")), range(40))) == {b"v"}
        network.cut()
        assert run(part, part.get("k")) == b"v"
        network.cut()
        with pytest.raises(Unavailable) as failed:
            run(part, part.increment("n"))
        assert not failed.value.unsent
        run(part, part.close())


def test_a_refused_connection_has_sent_nothing() -> None:
    part = MemcachedKeyValue("127.0.0.1", 1)
    with pytest.raises(Unavailable) as failed:
        run(part, part.set("k", b"v"))
    assert failed.value.unsent
