"""Erasing: after it nothing of a memory is found anywhere, and the receipt says what is true."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.processes import PROCESSES

from memwell import Erased, InvalidInput, Memory, NotFound, Receipt, Receipts, acting
from memwell.errors import Unavailable
from memwell.registry import open_index, open_keyvalue, open_log, open_store
from memwell.security.receipts import verify
from memwell.security.signing import open_key
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.wrappers.cached_store import CachedStore
from memwell.wrappers.fallback import Fallback
from memwell.wrappers.mirrored_store import MirroredStore

SECRET = "hmac:a secret of the tests"
TEXT = "Ana hides the zebra-striped key KQ47 under a flowerpot in Lisbon"
WORDS = [b"zebra", b"KQ47", b"flowerpot", b"Lisbon", b"lisbon", b"giraffe", b"5550123"]


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


def test_nothing_is_found_of_what_was_erased_and_the_receipt_says_where_it_was(url: str) -> None:
    with Memory(url, embedder="hashing", receipts=SECRET) as memory:
        kept = memory.remember("Ana keeps bees", user_id="ana")
        record = memory.remember(TEXT, user_id="ana", metadata={"phone": "5550123"})
        memory.update(record.id, content=TEXT.replace("zebra", "giraffe"), user_id="ana")
        memory.relate(kept.id, record.id, "supersedes", user_id="ana")
        memory.recall("zebra key", user_id="ana")
        with acting(actor="eva"):
            receipt = memory.erase(record.id, reason="asked by Ana", user_id="ana")
        assert (receipt.reason, receipt.actor, receipt.complete, receipt.is_signed) == (
            "asked by Ana",
            "eva",
            True,
            True,
        )
        (erased,) = receipt.records
        assert (erased.id, erased.versions) == (record.id, 2)
        key = open_key(SECRET)
        assert key is not None
        assert erased.digest == key.digest(TEXT.replace("zebra", "giraffe"))
        places = {trace.place: trace.state for trace in receipt.traces}
        for place in ("rows", "words", "history", "links", "vectors", "cached embeddings"):
            assert places.pop(place) == "gone"
        assert set(places.values()) <= {"gone", "remains"}
        assert not any(word in receipt.to_json().encode() for word in WORDS)
        assert verify(receipt.to_json(), key) == receipt
        assert memory.receipts(user_id="ana") == [receipt]
        assert memory.receipts(pending=True) == []
        assert [hit.record.id for hit in memory.recall("zebra giraffe flowerpot key", user_id="ana")] == [
            kept.id
        ]
        assert memory.get(kept.id, user_id="ana").links == ()
        for call in (memory.get, memory.history, lambda id, **o: memory.restore(id, 1, **o)):
            with pytest.raises(NotFound):
                call(record.id, user_id="ana")
        again = memory.erase([record.id], reason="twice", user_id="ana")
        assert again == receipt  # the earlier receipt says what happened


def test_no_byte_is_left_in_a_sqlite_file_its_log_and_the_cache(tmp_path: Path) -> None:
    cache, audit = f"sqlite:///{tmp_path}/cache.db", f"sqlite:///{tmp_path}/audit.db"
    options: Any = {"embedder": "hashing", "cache": cache, "audit": audit, "receipts": SECRET}
    with Memory(tmp_path / "a.db", **options) as memory:
        ids = []
        for number in range(300):  # cells move between pages as they fill and split
            text = (
                f"{TEXT} {'x' * (number * 7 % 900)} {number}" if number % 3 == 0 else f"bees {'y' * number}"
            )
            record = memory.remember(text, user_id="ana", id=f"m{number * 7919 % 300:03d}")
            if number % 3 == 0:
                memory.update(record.id, content=text.replace("zebra", "giraffe"), user_id="ana")
                ids.append(record.id)
        memory.remember(TEXT * 2000, user_id="ana", id="long", metadata={"phone": "5550123"})
        assert found_in(tmp_path)
        receipt = memory.erase([*ids, "long"], reason="asked", user_id="ana", audit=True)
        assert receipt.complete
        assert not receipt.remaining
        assert found_in(tmp_path) == []
        assert memory.verify_audit().ok
        assert memory.count(user_id="ana") == 200
        assert memory.doctor().ok
    assert found_in(tmp_path) == []


def found_in(folder: Path) -> list[tuple[str, bytes]]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [(file.name, word) for file in files for word in WORDS if word in file.read_bytes()]


def test_no_row_is_left_in_postgresql_and_the_receipt_says_what_the_server_keeps(postgres_url: str) -> None:
    import psycopg

    with Memory(postgres_url, embedder="hashing") as memory:
        record = memory.remember(TEXT, user_id="ana")
        memory.update(record.id, content=f"{TEXT}!", user_id="ana")
        receipt = memory.erase(record.id, reason="asked", user_id="ana")
    (server,) = receipt.remaining
    assert server.place == "postgresql server"
    assert server.detail.startswith("vacuumed")
    assert "VACUUM FULL" in server.detail
    assert "write-ahead log" in server.detail
    schema = postgres_url.partition("schema=")[2]
    with psycopg.connect(postgres_url.partition("?")[0]) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM {schema}."{table}" t').fetchall()
            assert not [row for row in rows for word in WORDS if word.decode() in row[0]], table


@pytest.mark.parametrize(
    "index",
    [
        "exact://?dimension=384",
        "faiss:///{folder}/faiss?dimension=384",
        "qdrant-edge:///{folder}/edge?dimension=384",
        "qdrant:///{folder}/qdrant?dimension=384",
    ],
)
def test_mirrors_caches_and_indexes_are_read_back_too(index: str, tmp_path: Path) -> None:
    first, copy = open_store("memory://"), open_store(f"sqlite:///{tmp_path}/copy.db")
    store = CachedStore(MirroredStore(first, {"copy": copy}))
    points = open_index(index.format(folder=tmp_path))
    cache = open_keyvalue("memory://")
    with Memory(store, embedder="hashing", index=points, cache=cache, receipts=SECRET) as memory:
        kept = memory.remember("Ana keeps bees", user_id="ana")
        record = memory.remember(TEXT, user_id="ana", metadata={"phone": "5550123"})
        memory.recall("zebra", user_id="ana")
        assert run(points, points.count()) == 2
        receipt = memory.erase(record.id, reason="asked", user_id="ana")
        states = {trace.place: trace.state for trace in receipt.traces}
        assert states["index"] == states["mirror copy: rows"] == states["mirror copy: sqlite file"] == "gone"
        assert states["cached searches"] == states["cached embeddings"] == "gone"
        assert receipt.complete
        assert run(points, points.count()) == 1
        assert [hit.record.id for hit in memory.recall("zebra flowerpot", user_id="ana")] in ([], [kept.id])
        assert memory.recall("bees", user_id="ana")[0].record.id == kept.id
        (trace,) = (trace for trace in receipt.traces if trace.place == "index")
    run(points, points.close())
    assert "compacts" in trace.detail or found_in(tmp_path) == []


def test_a_mirror_that_is_down_is_named_and_the_receipt_is_completed_later(tmp_path: Path) -> None:
    faults = Faults()
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    store = MirroredStore(open_store("memory://"), {"copy": Flaky(copy, faults)}, recovery_timeout=0)
    log = open_log(f"sqlite:///{tmp_path}/receipts.db")
    with Memory(store, embedder=None, receipts=Receipts(key=SECRET, log=log)) as memory:
        record = memory.remember(TEXT, user_id="ana")
        faults.down = Unavailable("no route")
        receipt = memory.erase(record.id, reason="asked", user_id="ana")
        assert not receipt.complete
        assert [trace.place for trace in receipt.pending] == ["mirror copy"]
        assert memory.receipts(pending=True) == [receipt]
        assert memory.complete_receipts(user_id="bob") == []
        assert [one.id for one in memory.doctor().problems if one.kind == "receipts"] == [receipt.id]
        assert not memory.repair().ok
        faults.down = None
        (done,) = memory.complete_receipts(user_id="ana")
        assert done.complete
        assert done.id == receipt.id
        assert done.records == receipt.records
        assert memory.receipts() == [done]
        assert memory.doctor().ok
    assert found_in(tmp_path) == []


def test_a_cache_that_is_down_is_named_and_cleaned_later_without_the_texts() -> None:
    faults, cache = Faults(), open_keyvalue("memory://")
    with Memory("memory://", embedder="hashing", cache=Flaky(cache, faults)) as memory:
        record = memory.remember(TEXT, user_id="ana")
        held = len(cache._entries)  # type: ignore[attr-defined]
        assert held
        faults.down = Unavailable("no route")
        receipt = memory.erase(record.id, reason="asked", user_id="ana")
        assert [trace.place for trace in receipt.pending] == ["cached embeddings"]
        faults.down = None
        (done,) = memory.complete_receipts()
        assert done.complete
        assert len(cache._entries) < held  # type: ignore[attr-defined]


def test_a_stand_in_and_what_waits_for_replay_are_erased_too(tmp_path: Path) -> None:
    first, second = open_store("memory://"), open_store(f"sqlite:///{tmp_path}/second.db")
    faults = Faults()
    store = Fallback(
        Flaky(first, faults), second, replay=open_log(f"sqlite:///{tmp_path}/log.db"), recovery_timeout=0
    )
    with Memory(store, embedder=None) as memory:
        faults.down = Unavailable("no route")
        record = memory.remember(TEXT, user_id="ana")  # the second store has it, and the log until the replay
        faults.down = None
        assert memory.get(record.id, user_id="ana").content == TEXT
        receipt = memory.erase(record.id, reason="asked", user_id="ana")
        states = {trace.place: trace.state for trace in receipt.traces}
        assert states["fallback sqlite: rows"] == states["replay log"] == "gone"
        assert receipt.complete
    assert found_in(tmp_path) == []


def test_a_store_that_fails_in_the_middle_leaves_a_pending_receipt_that_the_next_call_completes(
    url: str,
) -> None:
    faults = Faults()
    store = Flaky(open_store(url), faults)
    with Memory(store, embedder=None, receipts=SECRET) as memory:
        record = memory.remember(TEXT, user_id="ana")
        faults.fail(Unavailable("busy"), on="write")
        with pytest.raises(Unavailable):
            memory.erase(record.id, reason="asked", user_id="ana")
        (pending,) = memory.receipts(pending=True)
        assert [one.id for one in pending.records] == [record.id]
        other = memory.remember("something else", user_id="ana")
        memory.erase(other.id, reason="another", user_id="ana")
        assert memory.receipts(pending=True) == []
        assert memory.count(user_id="ana") == 0
    run(store, store.close())


def test_what_another_writer_stores_again_under_the_id_is_left_alone_and_named() -> None:
    faults = Faults()
    store = Flaky(open_store("memory://"), faults)
    with Memory(store, embedder=None) as memory:
        memory.remember(TEXT, user_id="ana", id="m1")
        faults.fail(Unavailable("busy"), on="write")
        with pytest.raises(Unavailable):
            memory.erase("m1", reason="asked", user_id="ana")
        memory.forget("m1", user_id="ana")
        memory.remember("Ana keeps bees", user_id="ana", id="m1")
        (receipt,) = memory.complete_receipts()
        assert memory.get("m1", user_id="ana").content == "Ana keeps bees"
        assert receipt.complete
        assert [(trace.place, trace.state) for trace in receipt.remaining] == [("rows", "returned")]


@pytest.mark.parametrize("everything", [False, True])
def test_a_scope_and_a_filter_choose_and_nothing_outside_goes(url: str, everything: bool) -> None:
    with Memory(url, embedder=None) as memory:
        for user in ("ana", "bob"):
            memory.remember([f"{user} {number}" for number in range(5)], user_id=user, tags=["old"])
        memory.remember("ana keeps this", user_id="ana")
        owner: Any = {"everything": True} if everything else {"user_id": "ana"}
        receipt = memory.erase(where={"tags": {"$contains": "old"}}, reason="retention", **owner)
        assert len(receipt.records) == (10 if everything else 5)
        assert memory.count(user_id="ana") == 1
        assert memory.count(user_id="bob") == (0 if everything else 5)
        nothing = memory.erase(where={"tags": {"$contains": "old"}}, reason="again", user_id="ana")
        assert (nothing.records, nothing.complete) == ((), True)


def test_bad_input_is_refused_and_erases_nothing() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember(TEXT, user_id="ana", id="m1")
        for given, message in (
            ({"ids": "m1", "reason": ""}, "reason"),
            ({"ids": "m1", "reason": "  "}, "reason"),
            ({"ids": "m1", "reason": "\ud800"}, "reason"),
            ({"ids": "m1", "reason": 7}, "reason"),
            ({"ids": 7, "reason": "x"}, "id"),
            ({"ids": ["m1", ""], "reason": "x"}, "id"),
            ({"reason": "x"}, "everything=True"),
            ({"ids": "m1", "reason": "x", "audit": True}, "audit"),
            ({"ids": "m1", "reason": "x", "where": {"$nope": 1}}, "nope"),
        ):
            with pytest.raises(InvalidInput, match=message):
                memory.erase(**given)  # type: ignore[arg-type]
        for scope in ({"user_id": "bob"}, {"tenant_id": "acme"}):
            with pytest.raises(NotFound):
                memory.erase("m1", reason="x", **scope)
        assert memory.count() == 1
        assert memory.receipts() == []


def _erase(url: str, ids: list[str], start: Any, found: Any) -> None:
    with Memory(url, embedder=None, receipts=SECRET) as memory:
        start.wait()
        for id in ids:
            try:
                found.put(memory.erase(id, reason="asked", user_id="ana").to_json())
            except NotFound:
                found.put(None)


def test_two_processes_that_erase_the_same_leave_nothing_and_no_pending_receipt(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    ids = [f"m{number}" for number in range(8)]
    with Memory(url, embedder=None) as memory:
        for id in ids:
            memory.remember(f"{TEXT} {id}", user_id="ana", id=id)
    start, found = PROCESSES.Barrier(2), PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_erase, args=(url, ids, start, found)) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = [found.get(timeout=60) for _ in range(2 * len(ids))]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    given = [verify(text, open_key(SECRET)) for text in answers if text is not None]
    assert {one.id for receipt in given for one in receipt.records} == set(ids)
    with Memory(url, embedder=None, receipts=SECRET) as memory:
        assert memory.count(user_id="ana") == 0
        memory.complete_receipts()
        assert memory.receipts(pending=True) == []
    assert found_in(tmp_path) == []


def test_what_deletions_of_older_versions_left_in_a_big_file_is_looked_for(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """A file too large to be rewritten each time is searched for the texts."""
    from memwell.backends.sqlite import purging

    monkeypatch.setattr(purging, "SMALL", 0)
    with Memory(tmp_path / "a.db", embedder=None) as memory:
        memory.remember(TEXT, user_id="ana", id="m1")
        connection = sqlite3.connect(tmp_path / "a.db")
        connection.execute("PRAGMA secure_delete = OFF")  # another program, which leaves its bytes
        connection.execute("CREATE TABLE copy (content)")
        connection.executemany("INSERT INTO copy VALUES (?)", [(TEXT + "x" * 4000,)] * 50)
        connection.execute("DROP TABLE copy")
        connection.commit()
        connection.close()
        receipt = memory.erase("m1", reason="asked", user_id="ana")
        (file,) = [trace for trace in receipt.traces if trace.place == "sqlite file"]
        assert file.detail == "rewritten by VACUUM"
        memory.remember("Ana keeps bees in Porto", user_id="ana", id="m2")
        receipt = memory.erase("m2", reason="asked", user_id="ana")
        (file,) = [trace for trace in receipt.traces if trace.place == "sqlite file"]
        assert file.detail != "rewritten by VACUUM"
    assert found_in(tmp_path) == []


def test_a_reader_of_an_older_state_keeps_the_log_and_the_receipt_waits_for_it(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.db", embedder=None) as memory:
        memory.remember(TEXT, user_id="ana", id="m1")
        reader = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        receipt = memory.erase("m1", reason="asked", user_id="ana")
        assert [trace.place for trace in receipt.pending] == ["sqlite write-ahead log"]
        reader.execute("COMMIT")
        reader.close()
        (done,) = memory.complete_receipts()
        assert done.complete
        assert found_in(tmp_path) == []


steps = st.lists(
    st.tuples(
        st.sampled_from(["remember", "update", "relate", "forget", "erase", "erase all"]),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(steps=steps)
def test_receipts_are_true_whatever_happened_before(
    steps: list[tuple[str, int, int]], fresh: Callable[[], Path]
) -> None:
    """After an erase nothing of any version is found by any call, nor in any file; what was not named is there."""
    folder = fresh()
    alive: dict[str, list[str]] = {}
    erased: list[str] = []
    with Memory(folder / "a.db", embedder=None, receipts=SECRET) as memory:
        for number, (step, at, other) in enumerate(steps):
            id, text = f"m{at}", f"wombat{number:04d}burrow"
            if step == "remember" and id not in alive:
                memory.remember(text, user_id="ana", id=id)
                alive[id] = [text]
            elif step == "update" and id in alive:
                memory.update(id, content=text, user_id="ana")
                alive[id].append(text)
            elif step == "relate" and {id, f"m{other}"} <= alive.keys() and at != other:
                memory.relate(id, f"m{other}", user_id="ana")
            elif step == "forget" and id in alive:
                memory.forget(id, user_id="ana")
                alive.pop(id)
            elif step.startswith("erase") and (step == "erase all" or id in alive):
                ids = [id] if step == "erase" else list(alive)
                receipt = memory.erase(ids, reason="law", user_id="ana") if ids else None
                if receipt is not None:
                    _is_true(receipt, {one: len(alive[one]) for one in ids})
                erased += [text for one in ids for text in alive.pop(one)]
                files = [file.read_bytes() for file in folder.iterdir()]
                assert not [text for text in erased for data in files if text.encode() in data]
        assert {record.id for record in memory.list(user_id="ana")} == alive.keys()
        for text in erased:
            assert not memory.recall(text, user_id="ana", mode="lexical")


def _is_true(receipt: Receipt, versions: dict[str, int]) -> None:
    assert verify(receipt.to_json(), open_key(SECRET)).complete
    assert {one.id: one.versions for one in receipt.records} == versions
    assert {trace.state for trace in receipt.traces} == {"gone"}
    assert all(isinstance(one, Erased) and one.digest for one in receipt.records)


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Path]:
    made: list[Path] = []

    def folder() -> Path:
        made.append(tmp_path / str(len(made)))
        made[-1].mkdir()
        return made[-1]

    return folder


def test_a_process_killed_while_it_erases_leaves_nothing_half_done() -> None:
    """More of it: `python -m benchmarks.reliability.erasing --kills 200`."""
    from benchmarks.reliability.erasing import run as kill

    assert kill(3, seed=1).failures == ()
