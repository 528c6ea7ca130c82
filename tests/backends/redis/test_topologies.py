"""Key-value and log over every way to come to a Redis: login and database, TLS, Sentinel with failovers, a Cluster."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.backends.tls_front import Authority, TlsFront

from memwell.backends.redis import Script, Settings, SyncClients, translate
from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.ports import KeyValue, Log, Port
from memwell.registry import Url, open_keyvalue, open_log
from memwell.testing import race, run
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.keyvalue.conditions import Conditions
from memwell.testing.logs import LogConformance
from memwell.testing.services import RedisServer, Service
from memwell.testing.services.redis_topologies import RedisCluster, WatchedRedis, call

T = TypeVar("T")
_runs = count()


def fresh(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}prefix=t{next(_runs)}:"


class RealTime(KeyValueConformance):
    ttl = 0.2

    @pytest.fixture
    def advance(self) -> Callable[[float], None]:
        return time.sleep


def opened(part: Port) -> Iterator[Any]:
    yield part
    run(part, part.close())


# --------------------------------------------------------------------------------------------------- Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster(password="pw") as started:
        yield started


class TestKeyValueOnACluster(RealTime):
    @pytest.fixture
    def keyvalue(self, cluster: RedisCluster) -> Iterator[KeyValue]:
        yield from opened(open_keyvalue(fresh(cluster.url)))


class TestLogOnACluster(LogConformance):
    @pytest.fixture
    def log(self, cluster: RedisCluster) -> Iterator[Log]:
        yield from opened(open_log(fresh(cluster.url)))


def test_keys_lie_on_all_nodes_of_a_cluster(cluster: RedisCluster) -> None:
    part = open_keyvalue(fresh(cluster.url))
    values = {f"key {n}": b"%d" % n for n in range(300)}
    run(part, part.set_many(values))
    assert run(part, part.get_many(values)) == values
    assert all(call(node, "DBSIZE") > 30 for node in cluster.nodes)
    run(part, part.close())


def test_more_calls_than_places_wait_for_their_turn_on_a_cluster(cluster: RedisCluster) -> None:
    part = open_keyvalue(fresh(cluster.url) + "&pool=2")
    race(part, [lambda: part.increment("count") for _ in range(100)])
    many = {f"key {n}": b"x" for n in range(50)}
    race(part, [lambda: part.set_many(many) for _ in range(20)])
    assert run(part, part.get("count")) == b"100"
    run(part, part.close())


def test_a_script_over_keys_of_several_nodes_says_what_prefix_helps(cluster: RedisCluster) -> None:
    sync = SyncClients(Settings.from_url(Url.parse(cluster.url)))
    script = Script("return #KEYS")
    with pytest.raises(Exception, match="slot") as caught:
        script.run_sync(sync.get(), [b"a", b"b"])
    found = translate(caught.value, "redis", "write")
    assert isinstance(found, BackendError)
    assert "{memwell}" in str(found)
    assert script.run_sync(sync.get(), [b"{memwell}:a", b"{memwell}:b"]) == 2
    sync.close()


def test_a_slot_that_moved_is_found_at_its_new_node(cluster: RedisCluster) -> None:
    part = open_keyvalue(fresh(cluster.url))
    run(part, part.set("key", b"before"))
    name = part._name("key").decode()
    slot = call(cluster.nodes[0], "CLUSTER", "KEYSLOT", name)
    ids = [call(node, "CLUSTER", "MYID").decode() for node in cluster.nodes]
    source = next(n for n, node in enumerate(cluster.nodes) if call(node, "CLUSTER", "COUNTKEYSINSLOT", slot))
    target = (source + 1) % 3
    call(cluster.nodes[target], "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    call(cluster.nodes[source], "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    assert run(part, part.get("key")) == b"before"
    port = cluster.nodes[target].port
    for key in call(cluster.nodes[source], "CLUSTER", "GETKEYSINSLOT", slot, 100):
        call(cluster.nodes[source], "MIGRATE", "127.0.0.1", port, key, 0, 5000, "AUTH", "pw")
    assert run(part, part.get("key")) == b"before"  # ASK
    for node in cluster.nodes:
        call(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    assert run(part, part.replace("key", b"after", expected=b"before")) is True  # MOVED
    assert run(part, part.get_many(["key", "other"])) == {"key": b"after"}
    run(part, part.close())


def test_a_cluster_that_lost_a_node_is_unavailable_until_the_node_is_back() -> None:
    with RedisCluster() as own:
        part = open_keyvalue(own.url + "&timeout=1&connect_timeout=1")
        values = {f"key {n}": b"%d" % n for n in range(60)}
        run(part, part.set_many(values))
        own.nodes[1].kill()
        with pytest.raises(Unavailable):
            run(part, part.get_many(values))
        own.nodes[1].start()
        assert patiently(part, lambda: part.get_many(values)) == values
        run(part, part.close())


# -------------------------------------------------------------------------------------------------- Sentinel


@pytest.fixture(scope="module")
def watched() -> Iterator[WatchedRedis]:
    with WatchedRedis(password="pw", sentinel_password="watch") as started:
        yield started


class TestKeyValueByWayOfSentinel(Conditions):
    """The clients are those of one server, but for the way to it; here are the calls that carry a script."""

    @pytest.fixture
    def keyvalue(self, watched: WatchedRedis) -> Iterator[KeyValue]:
        yield from opened(open_keyvalue(fresh(watched.url)))


def test_a_log_goes_by_way_of_sentinel_too(watched: WatchedRedis) -> None:
    for log in opened(open_log(fresh(watched.url))):
        LogConformance().test_calls_at_once_lose_nothing_and_keep_each_call_together(log)
        LogConformance().test_random_operations_equal_a_list(log)


def patiently(part: Port, again: Callable[[], Awaitable[T]]) -> T:
    """The result of a call that is repeated while the part is unavailable, as `Retrying` would."""
    end = time.monotonic() + 60
    while True:
        try:
            return run(part, again())
        except Unavailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_after_the_master_was_killed_the_replica_serves_with_all_data() -> None:
    with WatchedRedis() as group:
        url = group.url + "&timeout=1&connect_timeout=1"
        keyvalue, log = open_keyvalue(url), open_log(url)
        sync = SyncClients(Settings.from_url(Url.parse(url)))
        run(keyvalue, keyvalue.increment("count", 41))
        given = run(log, log.append("s", [b"one", b"two"]))
        assert sync.get().ping()
        group.settle()
        old = group.master()
        old.kill()
        with pytest.raises(Unavailable):
            run(keyvalue, keyvalue.increment("count"))
        assert patiently(keyvalue, lambda: keyvalue.increment("count")) == 42
        assert group.master() is not old
        after = patiently(log, lambda: log.append("s", [b"three"]))
        assert after > given[-1:]
        assert [entry.data for entry in run(log, log.read("s"))] == [b"one", b"two", b"three"]
        assert int(sync.get().get("memwell:kv:count")) == 42
        for part in (keyvalue, log):
            run(part, part.close())
        sync.close()


def test_a_master_made_a_replica_while_it_runs_takes_no_more_writes(watched: WatchedRedis) -> None:
    part = open_keyvalue(fresh(watched.url))
    run(part, part.set("key", b"before"))
    watched.settle()
    old = watched.master()
    watched.fail_over()
    assert patiently(part, lambda: part.replace("key", b"after", expected=b"before")) is True
    assert call(watched.master(), "GET", part._name("key").decode()) == b"after"
    assert watched.master() is not old
    run(part, part.close())


def test_a_sentinel_that_is_down_is_passed_over(watched: WatchedRedis) -> None:
    watched.sentinels[0].kill()
    part = open_keyvalue(fresh(watched.url) + "&connect_timeout=1")
    run(part, part.set("key", b"1"))
    assert run(part, part.get("key")) == b"1"
    run(part, part.close())
    watched.sentinels[0].start()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (("sentinel=memwell", "sentinel=nobody"), Unavailable),
        (("sentinel_password=watch", "sentinel_password=s3cr3t"), MemwellError),
        ((":pw@", ":s3cr3t@"), ConfigError),
    ],
)
def test_a_wrong_name_or_password_is_reported_without_secrets(
    watched: WatchedRedis, change: tuple[str, str], kind: type[MemwellError]
) -> None:
    part = open_keyvalue(watched.url.replace(*change))
    with pytest.raises(kind) as caught:
        run(part, part.ping())
    assert "s3cr3t" not in str(caught.value)
    assert "watch" not in str(caught.value)
    run(part, part.close())


# ------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def front(redis: Service, authority: Authority) -> Iterator[TlsFront]:
    with TlsFront(redis.port, *authority.issue("127.0.0.1", "localhost")) as started:
        yield started


def test_tls_with_our_authority_serves_keyvalue_and_log(front: TlsFront, authority: Authority) -> None:
    for host in ("127.0.0.1", "localhost"):
        url = fresh(
            f"rediss://{host}:{front.port}/3?ca={authority.certificate}&connect_timeout=60&timeout=60"
        )
        keyvalue, log = open_keyvalue(url), open_log(url)
        run(keyvalue, keyvalue.set("key", b"x" * 300_000))
        assert race(keyvalue, [lambda: keyvalue.increment("n") for _ in range(50)])  # noqa: B023
        assert run(keyvalue, keyvalue.get("key")) == b"x" * 300_000
        run(log, log.append("s", [b"one"]))
        assert len(run(log, log.read("s"))) == 1
        for part in (keyvalue, log):
            run(part, part.close())
        sync = SyncClients(Settings.from_url(Url.parse(url)))
        assert sync.get().ping()
        sync.close()


def refused(url: str) -> MemwellError:
    part = open_keyvalue(url)
    with pytest.raises(MemwellError) as caught:
        run(part, part.ping())
    run(part, part.close())
    sync = SyncClients(Settings.from_url(Url.parse(url)))
    with pytest.raises(Exception, match=r".") as native:
        sync.get()
    assert type(translate(native.value, "redis", "ping")) is type(caught.value)
    sync.close()
    return caught.value


def test_a_certificate_nobody_vouches_for_is_refused_unless_asked_otherwise(front: TlsFront) -> None:
    found = refused(f"rediss://127.0.0.1:{front.port}")
    assert isinstance(found, ConfigError)
    assert "ca, verify and cert" in str(found)
    part = open_keyvalue(fresh(f"rediss://127.0.0.1:{front.port}?verify=none"))
    run(part, part.ping())
    run(part, part.close())


def test_a_certificate_of_another_host_is_refused_unless_names_do_not_matter(
    redis: Service, authority: Authority
) -> None:
    with TlsFront(redis.port, *authority.issue("elsewhere.example")) as front:
        url = f"rediss://127.0.0.1:{front.port}?ca={authority.certificate}"
        assert isinstance(refused(url), ConfigError)
        part = open_keyvalue(f"{url}&verify=ca")
        run(part, part.ping())
        run(part, part.close())


def test_a_server_that_asks_for_a_certificate_is_shown_ours(redis: Service, authority: Authority) -> None:
    server, (cert, key) = authority.issue("127.0.0.1"), authority.issue("client")
    with TlsFront(redis.port, *server, clients=authority.certificate) as front:
        url = f"rediss://127.0.0.1:{front.port}?ca={authority.certificate}"
        part = open_keyvalue(f"{url}&cert={cert}&key={key}")
        run(part, part.ping())
        run(part, part.close())
        bare = open_keyvalue(url)
        with pytest.raises((Unavailable, ConfigError)):
            run(bare, bare.ping())
        run(bare, bare.close())


def test_tls_towards_a_plain_server_and_plain_towards_tls_are_errors(redis: Service, front: TlsFront) -> None:
    assert isinstance(
        refused(f"rediss://127.0.0.1:{redis.port}?timeout=0.5&connect_timeout=0.5"), Unavailable
    )
    assert isinstance(refused(f"redis://127.0.0.1:{front.port}?timeout=0.5&connect_timeout=0.5"), Unavailable)


def test_files_that_are_none_are_refused_before_a_connection(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    certificate, _ = authority.issue("one.example")
    _, other = authority.issue("other.example")
    for options in (f"ca={tmp_path / 'empty.pem'}", f"cert={certificate}", f"cert={certificate}&key={other}"):
        with pytest.raises(ConfigError, match="cannot be used"):
            open_keyvalue(f"rediss://127.0.0.1?{options}")


# --------------------------------------------------------------------------------------- login and database


def test_login_and_database() -> None:
    with RedisServer(durable=False, password="p@ss/w:rd") as server:
        one = open_keyvalue(f"{server.url}/1")
        two = open_keyvalue(f"{server.url}/2")
        run(one, one.set("key", b"1"))
        assert run(two, two.get("key")) is None
        assert run(one, one.get("key")) == b"1"
        for part in (one, two):
            run(part, part.close())
