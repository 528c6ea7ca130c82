"""The Redis store when something dies: what was acknowledged stays, what raised is not there."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from benchmarks.reliability.crash import Expected
from tests.backends.redis.proxy import Proxy
from tests.processes import Script

from memwell import Memory
from memwell.backends.redis.store import commit
from memwell.backends.redis.store.scripts import COMMIT
from memwell.errors import BackendError, MemwellError, NotSupported, Unavailable
from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.samples import ANYBODY, START, direction, embedding
from memwell.testing.services import Service, redis
from memwell.testing.services.redis_topologies import WatchedRedis, call
from memwell.testing.stores._harness import Harness
from memwell.types import Scope

WRITER = """
import sys
from benchmarks.reliability.writer import run
run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


@pytest.fixture
def opened() -> Iterator[list[Store]]:
    """Stores to be closed after the test."""
    stores: list[Store] = []
    yield stores
    for store in stores:
        run(store, store.close())


# ------------------------------------------------------------------------------------------------ the network


@pytest.fixture
def proxy(redis: Service) -> Iterator[Proxy]:
    made = Proxy(redis.port)
    yield made
    made.close()


def through(proxy: Proxy, redis_url: str, opened: list[Store]) -> Harness:
    options = redis_url.partition("?")[2]
    opened.append(open_store(f"redis://127.0.0.1:{proxy.port}?{options}"))
    harness = Harness(opened[-1])
    harness.insert("first", "first", embedding=embedding(0))
    return harness


def test_a_commit_whose_answer_is_lost_is_found_done_and_not_done_again(
    proxy: Proxy, redis_url: str, opened: list[Store]
) -> None:
    harness = through(proxy, redis_url, opened)
    proxy.lose("answer", COMMIT.sha.encode())
    assert harness.insert("tea").reinforced == 0
    assert proxy.caught == 1
    assert [found.reinforced for found in harness.scan({"content": "tea"})] == [0]


def test_a_commit_that_never_arrived_raises_and_cannot_happen_later(
    proxy: Proxy, redis_url: str, opened: list[Store]
) -> None:
    harness = through(proxy, redis_url, opened)
    proxy.lose("request", COMMIT.sha.encode())
    with pytest.raises(Unavailable):
        harness.insert("tea", "a")
    assert proxy.caught == 1
    assert b"-1" in proxy.deliver()
    assert harness.ids() == ["first"]
    assert harness.check().ok


@pytest.mark.parametrize("what", ["answer", "request"])
def test_a_read_whose_connection_breaks_is_done_again(
    proxy: Proxy, redis_url: str, opened: list[Store], what: Literal["answer", "request"]
) -> None:
    harness = through(proxy, redis_url, opened)
    for word, read in (
        (b"ZLEXCOUNT", harness.count),
        (b"HMGET", harness.ids),
        (b"seq", lambda: harness.run(opened[0].position())),
    ):
        proxy.lose(what, word)
        assert read()
    assert proxy.caught == 3


def test_a_long_batch_that_is_cut_off_on_its_way_leaves_nothing_for_good(
    proxy: Proxy, redis_url: str, opened: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = through(proxy, redis_url, opened)
    monkeypatch.setattr(commit, "_STAGED", 10)
    proxy.lose("request", b"EXPIRE")
    with pytest.raises(Unavailable):
        harness.insert("tea", "a")
    assert proxy.caught == 1
    server = opened[0]._server  # type: ignore[attr-defined]
    assert not list(server.client().scan_iter(match=server.key("staged:") + b"*"))
    assert harness.ids() == ["first"]


def test_a_server_that_stays_away_during_a_commit_leaves_it_open_and_says_so(
    opened: list[Store],
) -> None:
    with redis() as server:
        proxy = Proxy(server.port)
        harness = through(proxy, "?timeout=1", opened)
        proxy.lose("request", COMMIT.sha.encode())
        proxy.refuse()
        with pytest.raises(Unavailable, match="unknown whether"):
            harness.insert("tea", "a")
        proxy.close()


# ------------------------------------------------------------------------------------------------ the client


def test_a_killed_client_leaves_each_of_its_writes_whole_or_not_at_all(
    redis_url: str, tmp_path: Path, opened: list[Store]
) -> None:
    with Memory(redis_url, embedder=None) as memory:
        for seed in range(3):
            journal = tmp_path / f"{seed}.jsonl"
            writer = Script(WRITER, redis_url, journal, seed)
            while not journal.exists() or journal.read_bytes().count(b"done") < 10 + 10 * seed:
                assert writer.poll() is None
                time.sleep(0.005)
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            expected = Expected()
            assert expected.read(journal) >= 10
            mine = {"id": {"$contains": f"{seed}-"}}
            stored = {r.id: r.content for r in memory.list(limit=1000, user_id="u", where=mine).records}
            mine_alone = {id: content for id, content in stored.items() if id.startswith(f"{seed}-")}
            assert expected.judge(mine_alone) is None
        assert memory.doctor().ok


def test_processes_that_write_at_once_lose_nothing_and_count_every_duplicate(redis_url: str) -> None:
    script = (
        "import sys\n"
        "from memwell import Memory\n"
        "url, name = sys.argv[1:]\n"
        "with Memory(url, embedder='hashing') as memory:\n"
        "    for n in range(60):\n"
        "        memory.remember(f'{name} wrote {n}', user_id='u', id=f'{name}-{n}')\n"
        "        memory.remember('what everybody says', user_id='u')\n"
        "        memory.update(f'{name}-{n}', category=name)\n"
        "        if n % 3 == 0:\n"
        "            memory.forget(f'{name}-{n}')\n"
    )
    writers = [Script(script, redis_url, f"p{n}") for n in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    with Memory(redis_url, embedder="hashing") as memory:
        (shared,) = memory.list(where={"content": "what everybody says"}).records
        assert shared.reinforced == 239
        assert memory.count(user_id="u", where={"category": {"$exists": True}}) == 160
        assert memory.count() == 161
        assert memory.doctor().ok


def test_both_sides_of_a_fork_go_on(redis_url: str) -> None:
    with Memory(redis_url, embedder=None) as memory:
        memory.remember("apple", id="before")
        assert [hit.record.id for hit in memory.recall("apple")] == ["before"]
        child = os.fork()
        if child == 0:
            try:
                memory.remember("banana of the child", id="child")
                found = {record.id for record in memory.list().records}
                os._exit(0 if {"before", "child"} <= found else 1)
            finally:
                os._exit(2)
        memory.remember("cherry of the parent", id="parent")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert {record.id for record in memory.list().records} == {"before", "child", "parent"}
        assert {hit.record.id for hit in memory.recall("banana cherry")} == {"child", "parent"}


# ------------------------------------------------------------------------------------------------ the server


def test_what_a_durable_server_acknowledged_outlives_its_death(opened: list[Store]) -> None:
    """Also: what raised is not there, unless it said that this unknown whether."""
    with redis() as server:
        opened.append(open_store(f"{server.url}?pool=8&timeout=2"))
        store = opened[0]
        assert store.capabilities.durable
        done, refused, open_ = set[str](), set[str](), set[str]()
        stop = threading.Event()

        def write(name: int) -> None:
            number = 0
            harness = Harness(store)
            while not stop.is_set():
                number += 1
                ids = [f"{name}-{number}-{part}" for part in range(3)]
                try:
                    harness.write(*(harness.insertion(f"text {id}", id) for id in ids))
                    done.update(ids)
                except Unavailable as error:
                    (open_ if "unknown whether" in str(error) else refused).update(ids)
                    stop.wait(0.01)

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = len(done)
            while len(done) < before + 150:
                time.sleep(0.005)
            server.kill()
            time.sleep(0.2)
            server.start()
        before = len(done)
        while len(done) < before + 150:
            time.sleep(0.005)
        stop.set()
        for thread in threads:
            thread.join()
        harness = Harness(store)
        stored = set(harness.ids(limit=1_000_000))
        assert refused
        assert done <= stored
        assert not refused & stored
        assert stored <= done | open_
        assert {id.rpartition("-")[0] for id in stored} == {
            name
            for id in stored
            if (name := id.rpartition("-")[0]) and {f"{name}-{n}" for n in range(3)} <= stored
        }
        assert harness.check().ok


def test_a_past_that_has_become_another_is_noticed(redis_url: str, opened: list[Store]) -> None:
    """A server that lost its last writes, and has as many others now, is not taken for the one that was read."""
    opened += [open_store(redis_url), open_store(redis_url)]
    here, there = Harness(opened[0]), Harness(opened[1])
    for id in ("a", "b", "c"):
        here.insert(f"apple {id}", id, embedding=embedding(0))
    assert here.found("apple") == here.found("apple", vector=direction(0)) == {"a", "b", "c"}
    assert here.count({"importance": 0.5}) == 3
    server = opened[0]._server  # type: ignore[attr-defined]
    server.client().delete(*server._keys)
    with pytest.raises(MemwellError, match="lost its last writes"):
        here.changes(3)
    for id in ("x", "y", "z"):
        there.insert(f"apple {id}", id, embedding=embedding(0))
    assert here.run(opened[0].position()) == 3
    assert here.found("apple") == here.found("apple", vector=direction(0)) == {"x", "y", "z"}
    assert here.ids({"importance": 0.5}) == ["x", "y", "z"]


def test_after_a_failover_by_sentinels_the_store_goes_on(opened: list[Store]) -> None:
    with WatchedRedis() as watched:
        opened.append(open_store(watched.url))
        harness = Harness(opened[0])
        harness.insert("apple", "a")
        assert harness.found("apple") == {"a"}
        (change,) = harness.changes(0)
        watched.settle()
        watched.fail_over()
        deadline = time.monotonic() + 30
        while True:
            try:
                harness.insert("apple tree", "b")
                break
            except Unavailable:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert harness.found("apple") == {"a", "b"}
        with pytest.raises(NotSupported, match="read the whole store again"):
            harness.changes(change.seq)  # the new master may never have heard of what came after


def test_a_server_that_is_away_is_unavailable_and_no_promise_is_made_for_it(opened: list[Store]) -> None:
    with redis() as server:
        opened.append(open_store(f"{server.url}?timeout=1"))
        server.stop()
        harness = Harness(opened[0])
        assert not opened[0].capabilities.durable
        with pytest.raises(Unavailable):
            harness.insert("tea")
        with pytest.raises(Unavailable):
            harness.run(opened[0].ping())
        server.start()
        harness.insert("tea", "a")
        assert opened[0].capabilities.durable
        assert harness.ids() == ["a"]


def test_a_full_memory_is_reported_and_what_is_there_stays(opened: list[Store]) -> None:
    with redis(durable=False, settings={"maxmemory": "6mb", "maxmemory-policy": "noeviction"}) as server:
        opened.append(open_store(server.url))
        harness = Harness(opened[0])
        kept = 0

        def fill() -> None:
            nonlocal kept
            while True:
                harness.write(
                    *(harness.insertion(f"{kept + n} " + "x" * 20_000, f"{kept + n}") for n in range(5))
                )
                kept += 5

        with pytest.raises(BackendError, match="memory"):
            fill()
        assert harness.count() == kept > 0
        assert harness.check().ok
        server.kill()
        server.start()
        call(server, "CONFIG", "SET", "maxmemory", "2mb")
        assert len(harness.ids(limit=10_000)) == kept
        harness.delete(*harness.ids(limit=10_000))
        call(server, "CONFIG", "SET", "maxmemory", "6mb")
        harness.insert("there is room again", "a", scope=Scope(user_id="u"))
        assert harness.count(scope=ANYBODY) == 1
        assert harness.run(opened[0].sweep(START)) == 0
