"""What is particular to the Redis store: its keys, its server, its round trips, what it reads once and follows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import redis as driver
from hypothesis import given
from hypothesis import strategies as st

from memwell import Memory
from memwell.backends.redis import Settings
from memwell.backends.redis.store import RedisStore, commit, mirror, models, transaction
from memwell.backends.redis.store.rows import frame, name_of, unframe
from memwell.backends.redis.store.server import TABLES
from memwell.backends.redis.store.transaction import Transaction, transact
from memwell.errors import ConfigError, Conflict, Corrupt, NotSupported, Unavailable
from memwell.ports import Embedding, Store, Update
from memwell.registry import Url, open_store
from memwell.testing import run
from memwell.testing.samples import ANYBODY, START, direction, embedding
from memwell.testing.services import Service, redis
from memwell.testing.services.redis_topologies import RedisCluster
from memwell.testing.stores._harness import Harness, everything, populate
from memwell.types import Scope

OTHER = Scope(tenant_id="other")


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    part = open_store(redis_url)
    assert isinstance(part, RedisStore)
    yield part
    run(part, part.close())


@pytest.fixture
def harness(store: RedisStore) -> Harness:
    return Harness(store)


def raw(store: Store) -> Any:
    """The driver's client."""
    return store._server.client()  # type: ignore[attr-defined]


def key(store: Store, table: str) -> bytes:
    found: bytes = store._server.key(table)  # type: ignore[attr-defined]
    return found


def closed(store: Store) -> None:
    run(store, store.close())


# --------------------------------------------------------------------------------------------------- options


def test_options_of_the_url_are_checked() -> None:
    for url in ("redis://localhost?color=red", "redis://localhost?durable=perhaps", "redis://localhost/x"):
        with pytest.raises(ConfigError):
            open_store(url)
    with pytest.raises(ConfigError, match="durable"):
        open_store("redis://localhost?color=red")


@pytest.mark.parametrize(
    ("settings", "durable"),
    [
        ({"appendonly": "yes", "appendfsync": "always"}, True),
        ({"appendonly": "yes", "appendfsync": "everysec"}, False),
        ({"appendonly": "no", "appendfsync": "always"}, False),
    ],
)
def test_it_is_durable_as_far_as_the_server_is(settings: dict[str, str], durable: bool) -> None:
    with redis(settings=settings) as server:
        for option, promised in (("", durable), ("?durable=true", True), ("?durable=no", False)):
            part = open_store(server.url + option)
            assert part.capabilities.durable is promised
            closed(part)


def test_a_user_who_may_not_ask_the_server_can_still_use_the_store() -> None:
    with redis() as server:
        admin = driver.Redis.from_url(server.url)
        rights = ["on", ">pw", "~app:*", "+@all", "-@dangerous", "-@admin", "+client"]
        admin.execute_command("ACL", "SETUSER", "app", *rights)
        admin.close()
        part = open_store(f"redis://app:pw@127.0.0.1:{server.port}?prefix=app:")
        harness = Harness(part)
        populate(harness)
        assert harness.found("apple") == {"a"}
        assert not part.capabilities.durable
        assert harness.check().ok
        closed(part)


@pytest.mark.parametrize(
    ("memory", "policy", "fine"),
    [
        ("50mb", "allkeys-lru", False),
        ("50mb", "allkeys-random", False),
        ("50mb", "volatile-lru", True),
        ("50mb", "noeviction", True),
        ("0", "allkeys-lru", True),
    ],
)
def test_a_server_that_evicts_any_key_is_refused(memory: str, policy: str, fine: bool) -> None:
    with redis(durable=False, settings={"maxmemory": memory, "maxmemory-policy": policy}) as server:
        part = open_store(server.url)
        harness = Harness(part)
        if fine:
            harness.insert("tea", "a")
        else:
            for _ in range(2):
                with pytest.raises(ConfigError, match="noeviction"):
                    harness.insert("tea", "a")
        closed(part)


def test_a_client_handed_in_is_used_and_stays_open_and_must_give_bytes(redis: Service) -> None:
    client = driver.Redis.from_url(redis.url)
    part = RedisStore(Settings(prefix="given:"), client=client)
    Harness(part).insert("tea", "a")
    closed(part)
    assert client.ping()
    client.delete(*client.keys("given:*"))
    client.close()
    texts = driver.Redis.from_url(redis.url, decode_responses=True)
    part = RedisStore(client=texts)
    with pytest.raises(ConfigError, match="decode_responses"):
        Harness(part).insert("tea", "a")
    closed(part)
    texts.close()


# ------------------------------------------------------------------------------------------------------ keys


def test_all_keys_begin_with_the_prefix_and_nothing_else_is_touched(redis: Service) -> None:
    with driver.Redis.from_url(redis.url) as client:
        client.set("mine", "stays")
        before = set(client.keys("*"))
        part = open_store(f"{redis.url}?prefix=app:")
        harness = Harness(part)
        populate(harness)
        harness.run(part.claim("index", "ann", seconds=9, now=START))
        own = set(client.keys("*")) - before
        assert all(name.startswith(b"app:{app:}") for name in own)
        tables = {name for name in own if b"commit:" not in name}
        assert tables == {b"app:{app:}" + table.encode() for table in TABLES if table != "expiring"}
        assert all(client.ttl(name) == -1 for name in tables)
        assert all(0 < client.ttl(name) <= 60 for name in own - tables)
        harness.delete()
        harness.run(part.drop_model("suite"))
        left = {table for table in TABLES if client.exists(key(part, table))}
        assert left == {"meta", "changes", "followers"}
        assert client.get("mine") == b"stays"
        closed(part)
        client.delete("mine", *client.keys("app:*"))


def test_a_prefix_that_is_used_by_something_else_is_refused(store: RedisStore, harness: Harness) -> None:
    with driver.Redis.from_url(f"redis://127.0.0.1:{store._clients.settings.hosts[0][1]}") as client:
        client.set(key(store, "records"), "a text")
        with pytest.raises(ConfigError, match="prefix"):
            harness.insert("tea")
        client.delete(key(store, "records"))
        client.hset(key(store, "meta").decode(), "format", "7")
        with pytest.raises(ConfigError, match="newer"):
            harness.insert("tea")


names = st.text(st.sampled_from("\0\1\2ab=-é\U0001f600"), max_size=5)


@given(names, names)
def test_framed_texts_come_back_and_sort_as_they_are(one: str, other: str) -> None:
    assert unframe(frame(one)) == one
    assert b"\0" not in frame(one)
    assert (frame(one) < frame(other)) == (one < other)
    assert ((frame(one) + b"\0") < (frame(other) + b"\0")) == (one < other)


@given(st.tuples(names, names), st.tuples(names, names))
def test_no_two_records_have_one_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (name_of(*one) == name_of(*other)) == (one == other)


def test_control_characters_in_owners_and_ids_lead_nowhere_else(harness: Harness) -> None:
    scopes = [
        Scope(tenant_id=tenant, user_id=user)
        for tenant in ("t", "t\0", "t\1", "t\0=u", "t\0-")
        for user in (None, "u", "\0", "\0u", "-", "=")
    ]
    for number, scope in enumerate(scopes):
        harness.insert(f"apple {number}", f"\0{number}\1", scope=scope, embedding=embedding(0))
    for number, scope in enumerate(scopes):
        if scope.user_id is not None:
            assert harness.ids(scope=scope) == [f"\0{number}\1"]
            assert harness.count(scope=scope) == 1
            assert harness.found("apple", scope=scope) == {f"\0{number}\1"}
        assert harness.count(scope=Scope(tenant_id=scope.tenant_id)) == 6
    assert [change.tenant_id for change in harness.changes()] == [scope.tenant_id for scope in scopes]
    assert [change.user_id for change in harness.changes()] == [scope.user_id for scope in scopes]
    assert harness.check().ok


def test_on_a_cluster_a_store_lies_on_one_node() -> None:
    with RedisCluster(password="pw") as cluster:
        for prefix in ("", "&prefix=", "&prefix=x{tag}:"):
            part = open_store(cluster.url + prefix)
            harness = Harness(part)
            populate(harness)
            before = everything(harness)
            assert harness.found("apple", vector=direction(0)) == {"a", "b", "c"}
            assert not part.capabilities.durable
            harness.write(*(harness.insertion(f"text {n}", f"r{n}") for n in range(600)))
            harness.delete(where={"id": {"$contains": "r"}})
            assert everything(harness)["records"] == before["records"]
            assert harness.check().ok
            closed(part)


# ----------------------------------------------------------------------------------------------- round trips


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """How often a call goes to the server and back."""
    sent: list[int] = []
    send = driver.connection.AbstractConnection.send_packed_command

    def counted(self: Any, command: Any, check_health: bool = True) -> None:
        sent.append(1)
        send(self, command, check_health)

    monkeypatch.setattr(driver.connection.AbstractConnection, "send_packed_command", counted)

    def count(call: Callable[[], object]) -> int:
        sent.clear()
        call()
        return len(sent)

    return count


def test_calls_go_to_the_server_as_seldom_as_promised(
    harness: Harness, trips: Callable[[Callable[[], object]], int]
) -> None:
    populate(harness)
    harness.scan()
    harness.found("apple", vector=direction(0))
    harness.get("a")  # a script is sent once to each server
    assert trips(lambda: harness.get("a")) == 2  # one more for the other ends of its links
    assert trips(lambda: harness.get("a", "b", "c", "missing")) == 1
    assert trips(lambda: harness.insert("new", embedding=embedding(3))) == 2
    assert trips(lambda: harness.write(*(harness.insertion(f"text {n}") for n in range(500)))) == 2
    assert trips(lambda: harness.update("a", importance=0.9)) == 3
    assert trips(lambda: harness.update("a", category="x")) == 4
    assert trips(lambda: harness.update("a", category="x")) == 2
    assert trips(lambda: harness.touch("a")) == 2
    assert trips(lambda: harness.delete("missing")) == 1
    assert trips(lambda: harness.insert("new")) == 3
    assert trips(lambda: harness.count()) == 1
    assert trips(lambda: harness.count({"category": "x"})) == 1
    assert trips(lambda: harness.scan({"category": "x"}, order="importance")) == 4
    assert trips(lambda: harness.found("apple")) == 3
    assert trips(lambda: harness.found("apple")) == 1
    assert trips(lambda: harness.found("apple", vector=direction(0))) == 2


def test_a_script_that_the_server_has_forgotten_is_sent_again(store: RedisStore, harness: Harness) -> None:
    harness.insert("tea", "a")
    raw(store).script_flush()
    harness.insert("coffee", "b")
    assert harness.ids() == ["a", "b"]


def test_a_long_batch_travels_in_parts_and_is_still_all_or_nothing(
    store: RedisStore, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "_STAGED", 100)
    harness.insert("taken", "taken")
    harness.write(*(harness.insertion(f"text {n}", f"r{n}", embedding=embedding(n)) for n in range(3000)))
    assert harness.count() == 3001
    assert harness.check().ok
    with pytest.raises(Conflict):
        harness.write(
            *(harness.insertion(f"more {n}", f"m{n}") for n in range(50)), harness.insertion("x", "taken")
        )
    assert harness.count() == 3001
    assert not list(raw(store).scan_iter(match=key(store, "staged:") + b"*"))


def test_a_long_batch_that_comes_too_late_leaves_nothing_of_its_attempts(
    store: RedisStore, harness: Harness, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, staged = Harness(open_store(redis_url)), key(store, "staged:") + b"*"
    harness.insert("apple", "a")
    monkeypatch.setattr(commit, "_STAGED", 100)
    lengths, planned = [], Transaction._plan

    def plan(self: Transaction, commands: Any) -> list[bytes]:
        lengths.append(len(list(raw(store).scan_iter(match=staged))))
        if self.server is store._server and len(lengths) < 6:
            there.update("a", content=f"apple {len(lengths)}")
        return planned(self, commands)

    monkeypatch.setattr(Transaction, "_plan", plan)
    changed = harness.write(
        *(harness.insertion(f"text {n}", f"r{n}") for n in range(50)),
        Update(scope=ANYBODY, id="a", changes={"category": "fruit"}),
    )
    assert changed[-1].category == "fruit"
    assert len(lengths) > 6
    assert set(lengths) == {0}
    assert not list(raw(store).scan_iter(match=staged))
    closed(there.store)


def test_who_is_always_too_late_gets_an_error(
    store: RedisStore, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "_TRIES", 3)
    harness.insert("tea", "a")
    tried: list[int] = []

    def failing(given: Transaction) -> None:
        given.row(name_of("default", "a"))
        given.put("access", name_of("default", "a"), b"[1,0]")
        harness.update("a", content=f"changed {len(tried)}")
        tried.append(1)

    with pytest.raises(Unavailable, match="other writers"):
        transact(store._server, failing)
    assert len(tried) == 3
    assert harness.one("a").access_count == 0


def test_forgetting_a_scope_takes_what_came_while_it_was_read(
    store: RedisStore, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of the same owner that another process adds between reading and committing goes as well."""
    ann, bob = Scope(user_id="ann"), Scope(user_id="bob")
    for id in ("a", "b"):
        harness.insert(f"text {id}", id, scope=ann)
    harness.insert("text c", "c", scope=bob)
    with_others = mirror.Mirror.rows
    late = [("late", ann), ("other", bob)]

    def rows(self: Any, scope: Scope) -> Any:
        found = with_others(self, scope)
        if late:
            id, owner = late.pop()
            harness.insert(f"text {id}", id, scope=owner)
        return found

    monkeypatch.setattr(mirror.Mirror, "rows", rows)
    assert harness.delete(scope=bob) == ["c", "other"]
    assert harness.delete(scope=ann) == ["a", "b", "late"]
    assert harness.ids() == []


# ------------------------------------------------------------------------------------------ what is followed


def test_a_process_sees_what_another_writes(store: RedisStore, redis_url: str) -> None:
    there = open_store(redis_url)
    one, two = Harness(store), Harness(there)
    populate(one)
    for harness in (one, two):
        assert harness.ids({"category": "fruit"}) == ["a", "c"]
        assert harness.found("apple", vector=direction(0)) == {"a", "b", "c"}
    two.update("b", category="fruit")
    two.delete("a")
    two.insert("apple tree", "d", embedding=embedding(0), category="fruit")
    one.touch("d", 5)
    for harness in (one, two):
        assert harness.ids({"category": "fruit"}) == ["b", "c", "d"]
        assert harness.ids({"access_count": {"$gte": 3}}) == ["c", "d"]
        assert harness.found("apple", vector=direction(0)) == {"b", "c", "d"}
        assert harness.found("apple", where={"access_count": {"$gte": 5}}) == {"d"}
        assert [record.access_count for record in harness.scan(order="id")] == [0, 3, 5]
    closed(there)


def test_what_is_written_while_an_owner_is_read_is_seen_however_much_it_is(
    store: RedisStore, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_MANY", 5)
    there = open_store(redis_url)
    one, two = Harness(store), Harness(there)
    for number in range(4):
        one.insert(f"apple {number}", f"a{number}")
    read = type(there._server).read  # type: ignore[attr-defined]
    interrupted: list[str] = []

    def meanwhile(self: Any, table: str, fields: Any) -> Any:
        found = read(self, table, fields)
        if self is there._server and table not in interrupted and table in ("records", "words"):  # type: ignore[attr-defined]
            interrupted.append(table)
            one.write(*(one.insertion(f"apple {table} {n}", f"{table}{n}") for n in range(12)))
            one.update("a1", content=f"pear {table}")
            one.delete("a2", "records3")
            one.insert(f"apple again {table}", "a2")
        return found

    monkeypatch.setattr(type(there._server), "read", meanwhile)  # type: ignore[attr-defined]
    assert two.ids({"content": {"$contains": "apple"}}) == one.ids({"content": {"$contains": "apple"}})
    found = two.found("apple", pool=100)
    assert found == one.found("apple", pool=100) == set(one.ids()) - {"a1"}
    assert interrupted == ["records", "words"]
    closed(there)


def test_an_id_that_was_taken_again_is_another_record(store: RedisStore, redis_url: str) -> None:
    there = open_store(redis_url)
    one, two = Harness(store), Harness(there)
    one.insert("apple", "a", embedding=embedding(0))
    assert two.found("apple", vector=direction(0)) == {"a"}
    one.delete("a")
    one.insert("banana", "a", scope=Scope(user_id="ann"))
    one.delete("a")
    one.insert("cherry", "a")
    assert two.found("apple", vector=direction(0)) == two.found("banana") == set()
    assert two.found("cherry") == {"a"}
    assert [found.content for found in two.scan()] == ["cherry"]
    assert two.count({"content": "cherry"}, scope=Scope(user_id="ann")) == 0
    closed(there)


def test_changes_are_trimmed_when_every_follower_has_passed_them(
    store: RedisStore, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_KEPT_CHANGES", 10)
    monkeypatch.setattr(models, "_KEPT_FOR_FOLLOWERS", 40)
    there = open_store(redis_url)
    one, two = Harness(store), Harness(there)

    def written(count: int) -> None:
        for number in range(count):
            one.insert(f"apple {one._number} {number}")

    def swept() -> None:
        one.run(store.sweep(one.now))

    written(5)
    assert len(two.found("apple")) == two.count({"importance": 0.5}) == 5
    assert one.run(store.claim("index", "ann", seconds=60, now=START)) == 0
    written(25)
    swept()
    assert [change.seq for change in one.changes()] == list(range(1, 31))
    assert one.run(store.advance("index", "ann", 12))
    swept()
    assert one.changes(12)[0].seq == 13
    with pytest.raises(NotSupported, match="trimmed"):
        one.changes(11)
    assert len(two.found("apple", pool=100)) == two.count({"importance": 0.5}) == 30
    written(40)
    swept()
    assert one.run(store.position()) == 70
    with pytest.raises(NotSupported):
        one.changes(29)
    assert len(one.changes(30)) == 40
    assert len(two.found("apple", pool=100)) == two.count({"importance": 0.5}) == 70
    closed(there)


def test_owners_that_are_not_used_are_put_away(
    store: RedisStore, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store._mirror._shelves, "budget", 20)
    for user in "abcde":
        harness.write(*(harness.insertion(f"text {n}", scope=Scope(user_id=user)) for n in range(4)))
    for user in "abcdea":
        assert harness.count({"importance": 0.5}, scope=Scope(user_id=user)) == 4
    assert [user for _, user in store._mirror._shelves.owners()] == ["e", "a"]


def test_times_beyond_the_exactness_of_a_double_are_kept_and_ordered(harness: Harness) -> None:
    """A sorted set's scores are doubles: exact to the microsecond until 2255, so nothing is decided by them alone."""
    end = START.replace(year=9999)
    for micro in (3, 1, 2):
        harness.insert(f"text {micro}", str(micro), at=end.replace(microsecond=micro), ttl=2e-6)
    assert [record.id for record in harness.scan()] == ["1", "2", "3"]
    assert harness.run(harness.store.sweep(end.replace(microsecond=4))) == 2
    assert harness.ids() == ["3"]


# ---------------------------------------------------------------------------------------------------- damage


def _row(store: Store, change: Callable[[list[Any]], object]) -> None:
    """Change the stored row of `a`, as no memwell would."""
    field = name_of("default", "a")
    row = json.loads(raw(store).hget(key(store, "records"), field))
    change(row)
    raw(store).hset(key(store, "records"), field, json.dumps(row))


NAME = name_of("default", "a")
DAMAGES: dict[str, Callable[[Store], object]] = {
    "lexemes": lambda s: raw(s).hset(key(s, "words"), NAME, b"[]"),
    "missing lexemes": lambda s: raw(s).hdel(key(s, "words"), NAME),
    "digest": lambda s: _row(s, lambda row: row.__setitem__(1, 7)),
    "missing digest": lambda s: raw(s).delete(key(s, "marks")),
    "foreign digest": lambda s: raw(s).hset(key(s, "marks"), "7", json.dumps([NAME.decode()])),
    "owners": lambda s: raw(s).zrem(key(s, "owners"), b"default\0-\0a"),
    "other owners": lambda s: raw(s).zadd(key(s, "owners"), {b"default\0=ann\0gone": 0}),
    "ages": lambda s: raw(s).zadd(key(s, "ages"), {NAME: 99}),
    "expiring": lambda s: raw(s).zadd(key(s, "expiring"), {b"default\0gone": 5}),
    "embedded": lambda s: raw(s).zrem(key(s, "embedded"), b"suite\0" + NAME),
    "other embedded": lambda s: raw(s).zadd(key(s, "embedded"), {b"suite\0default\0gone": 0}),
    "vectors": lambda s: raw(s).hset(key(s, "vectors"), b"suite\0001", b"\nxyz"),
    "long vectors": lambda s: raw(s).hset(key(s, "vectors"), b"suite\0001", b"\n" + b"\0\0\0\x40" * 8),
    "missing vectors": lambda s: raw(s).hdel(key(s, "vectors"), b"suite\0001"),
    "orphaned vectors": lambda s: raw(s).hset(key(s, "vectors"), b"suite\00099", b"\n" + bytes(32)),
    "links": lambda s: raw(s).hset(key(s, "links"), NAME, json.dumps([["gone", "x", 1.0, 0]])),
    "unreadable links": lambda s: raw(s).hset(key(s, "links"), NAME, b"[3]"),
    "other end of links": lambda s: raw(s).hdel(key(s, "sources"), name_of("default", "b")),
    "access": lambda s: raw(s).hset(key(s, "access"), b"default\0gone", b"[1,0]"),
    "history": lambda s: raw(s).hset(key(s, "history"), b"default\0gone\0000", b"{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_does_not_agree_with_the_rows_is_found_and_mended(
    damage: str, store: RedisStore, harness: Harness, redis_url: str
) -> None:
    populate(harness)
    assert harness.check().ok
    DAMAGES[damage](store)
    found = harness.check()
    assert not found.ok
    assert found.checked == 3
    assert damage.split()[-1] in {problem.kind for problem in found.problems}
    assert all(problem.repairable for problem in found.problems)
    mended = harness.check(repair=True)
    assert mended.ok
    assert mended.repaired == len(mended.problems) > 0
    assert harness.check().problems == ()
    fresh = open_store(redis_url)
    for each in (harness, Harness(fresh)):
        assert each.found("apple") == {"a"}
        assert each.ids() == ["a", "b", "c"]
    assert harness.insert("apple", category="fruit").id == "a"
    closed(fresh)


def test_the_doctor_raises_no_alarm_while_others_write(store: RedisStore, redis_url: str) -> None:
    there = open_store(redis_url)
    populate(Harness(there))
    stop = threading.Event()

    def writing() -> None:
        harness, number = Harness(there), 0
        while not stop.is_set():
            number += 1
            harness.insert(f"text {number}", f"r{number % 7}{number}", embedding=embedding(number), ttl=60)
            harness.update("a", content=f"apple {number}", embedding=embedding(number))
            harness.link("a", f"r{number % 7}{number}")
            harness.delete("none", *(f"r{n % 7}{n}" for n in range(max(1, number - 5), number - 2)))

    thread = threading.Thread(target=writing)
    thread.start()
    try:
        reports = [Harness(store).check(repair=n == 5) for n in range(10)]
    finally:
        stop.set()
        thread.join()
    assert [report.problems for report in reports] == [()] * 10
    closed(there)


def test_what_changes_between_two_looks_of_the_doctor_is_no_problem(
    store: RedisStore, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Harness(open_store(redis_url))
    there.insert("apple", "a")
    there.insert("pear", "b")
    looks, read = [0], Transaction.load

    def load(self: Transaction, places: Iterable[tuple[str, bytes]], keys: int = 0) -> None:
        places = list(places)
        if self.server is store._server and places and places[0][0] == "marks" and looks[0] < 6:
            looks[0] += 1
            there.update("a", content=f"apple {looks[0]}")
        read(self, places, keys)

    monkeypatch.setattr(Transaction, "load", load)
    assert Harness(store).check().ok
    assert looks[0] == 6
    store._server.command("HDEL", "words", name_of("default", "b"))
    looks[0] = 0
    assert [(each.kind, each.id) for each in Harness(store).check().problems] == [("lexemes", "b")]
    closed(there.store)


def test_a_corrupt_row_is_reported_by_name_and_harms_no_other(store: RedisStore, harness: Harness) -> None:
    populate(harness)
    raw(store).hset(key(store, "records"), NAME, b"[1,2")
    for call in (lambda: harness.get("a", "b"), lambda: harness.update("a", content="x"), harness.scan):
        with pytest.raises(Corrupt, match="'a'"):
            call()
    assert harness.one("b").content == "banana"
    found = harness.check(repair=True)
    assert not found.ok
    assert [(problem.kind, problem.id) for problem in found.problems if not problem.repairable] == [
        ("corrupt", "a")
    ]
    raw(store).hset(key(store, "words"), name_of("default", "b"), b"[1,2")
    with pytest.raises(Corrupt, match="'b'"):
        harness.found("banana")


def test_unreadable_vectors_are_reported(store: RedisStore, harness: Harness) -> None:
    harness.insert("apple", "a", embedding=embedding(0))
    raw(store).hset(key(store, "vectors"), b"suite\0001", b"xyz")
    with pytest.raises(Corrupt):
        harness.embeddings("a")
    with pytest.raises(Corrupt):
        harness.found(vector=direction(0))
    harness.check(repair=True)
    assert harness.unembedded() == ["a"]


def test_vectors_of_many_dimensions_and_passages_come_back_bit_by_bit(harness: Harness) -> None:
    rng = np.random.default_rng(7)
    vectors = rng.standard_normal((3, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    given_ = Embedding(model="m\n\0", vectors=vectors, spans=((0, 2), (2, 4), (4, 6)))
    harness.insert("abcdef", "a", embedding=given_)
    found = harness.embeddings("a", model="m\n\0")["a"]
    assert np.array_equal(found.vectors, vectors)
    assert found.spans == given_.spans
    assert harness.run(harness.store.serving()) == "m\n\0"
    assert harness.stats().embedded == {"m\n\0": 1}


def test_a_memory_on_redis_works_with_an_index(redis_url: str) -> None:
    with Memory(redis_url, embedder="hashing", index="exact:?dimension=384") as memory:
        memory.remember(["Ana keeps bees in Porto", "Bob sails at weekends"], user_id="u")
        assert memory.recall("bees", user_id="u")[0].content == "Ana keeps bees in Porto"
        assert memory.doctor().ok


def test_the_url_names_the_store_and_its_scope(redis: Service) -> None:
    url = Url.parse(f"{redis.url}?prefix=one:")
    one, two = RedisStore.from_url(url), open_store(f"{redis.url}?prefix=two:")
    Harness(one).insert("tea", "a")
    assert Harness(two).ids(scope=ANYBODY) == []
    assert Harness(two).ids(scope=OTHER) == []
    raw(one).delete(*one._server._keys)
    closed(one)
    closed(two)


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff"])
def test_a_damaged_version_is_named_by_doctor_and_history(
    store: RedisStore, harness: Harness, text: bytes
) -> None:
    harness.insert("tea", "a")
    harness.update("a", importance=0.9)
    [field] = raw(store).hkeys(key(store, "history"))
    raw(store).hset(key(store, "history"), field, text)
    for repair in (False, True):
        report = run(store, store.check(repair=repair))
        assert [(problem.kind, problem.id, problem.repairable) for problem in report.problems] == [
            ("corrupt", "a", False)
        ]
    with pytest.raises(Corrupt, match=r"version 1 of memory 'a'.*restore a backup"):
        run(store, store.history(ANYBODY, "a", now=START))


def test_a_call_from_a_signal_handler_gets_a_connection_while_its_thread_takes_one(
    store: RedisStore, harness: Harness
) -> None:
    harness.insert("tea", "a")
    free = raw(store).connection_pool.pool
    with free.mutex:  # where a handler interrupts the thread
        assert harness.ids() == ["a"]
        harness.insert("rye", "b")
