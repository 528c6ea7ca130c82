"""Where store and audit log share a database, an entry is written in the transaction of what it tells of."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memwell import Conflict, Keyring, Memory, NotFound, NotSupported
from memwell.errors import MemwellError, Unavailable
from memwell.ports import Append, Insert
from memwell.registry import open_log, open_store
from memwell.security.signing import open_key
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.types import Record, Scope
from memwell.wrappers.retrying import Retrying

SECRET = "hmac:a secret of the tests"
_WRITER = """
import sys
from memwell import Memory
store, log, seed = sys.argv[1:]
with Memory(store, embedder=None, audit=log) as memory:
    for number in range(3_000):
        memory.remember(f"{seed} {number}", user_id="ana")
        if number == 3:
            print("writing", flush=True)
"""


@pytest.fixture(params=["one file", "a file beside", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URLs of a store and of a log that share a database."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url, url
    beside = "a.db" if request.param == "one file" else "audit.db"
    return f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/{beside}"


def opened(place: tuple[str, str], **options: Any) -> Memory:
    return Memory(place[0], embedder=None, audit=place[1], receipts=SECRET, **options)


def test_a_killed_process_leaves_no_memory_without_its_entry_and_no_entry_without_its_memory(
    place: tuple[str, str],
) -> None:
    with opened(place):
        pass
    for seed in range(3):
        command = [sys.executable, "-c", _WRITER, *place, str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.05 + 0.1 * seed)
            process.kill()
    with opened(place) as memory:
        stored = {record.id for record in memory.list(limit=10_000)}
        entered = [entry.changes for entry in memory.audit_log(operation="remember", limit=10_000)]
        different = {id for changes in entered for id, _, _ in changes} ^ stored
        one_database = "audit.db" not in place[1]
        assert len(different) <= (0 if one_database else 3)  # SQLite commits one file after the other
        assert len(entered) > 0
        assert memory.verify_audit().ok


def test_every_write_has_its_entry_in_the_order_of_the_commits(place: tuple[str, str]) -> None:
    key = open_key(SECRET)
    assert key is not None
    with opened(place) as memory:
        old = memory.remember("Ana lives in Porto", user_id="ana")
        memory.remember("Ana lives in Porto", user_id="ana")  # reinforces
        new = memory.remember("Ana lives in Faro", user_id="ana", supersedes=old.id)
        memory.update(old.id, tags=["past"], user_id="ana")
        with pytest.raises(Conflict):
            memory.update(old.id, tags=["x"], expected_version=1, user_id="ana")
        memory.relate(new.id, old.id, "related", user_id="ana")
        memory.unrelate(new.id, old.id, kind="related", user_id="ana")
        memory.forget(new.id, user_id="ana")
        with pytest.raises(NotFound):
            memory.forget(new.id, user_id="ana")
        shown = [(e.operation, e.outcome, [c[:2] for c in e.changes]) for e in memory.audit_log()]
        assert shown == [
            ("remember", "allowed", [(old.id, 1)]),
            ("remember", "allowed", [(old.id, 1)]),
            ("remember", "allowed", [(new.id, 1)]),
            ("update", "allowed", [(old.id, 2)]),
            ("update", "refused", []),
            ("relate", "allowed", []),
            ("unrelate", "allowed", []),
            ("forget", "allowed", []),
            ("forget", "refused", []),
        ]
        assert memory.audit_log()[3].changes[0][2] == key.digest("Ana lives in Porto")
        assert memory.verify_audit().ok


def test_a_call_with_several_writes_leaves_an_entry_with_each_and_one_at_its_end(
    place: tuple[str, str], tmp_path: Path
) -> None:
    today = datetime(2026, 5, 1, tzinfo=UTC)
    rules = {"tier": [{"name": "short_term", "expiry": "7d"}, {"name": "long_term"}]}
    with opened(place, policies=rules, clock=lambda: today) as memory:
        for tenant in ("acme", "default"):
            memory.remember(
                f"a note of {tenant}", id=tenant, user_id="ana", tier="short_term", tenant_id=tenant
            )
        memory.export(tmp_path / "out.jsonl")
        today += timedelta(days=8)
        memory.apply(memory.plan(tenant_id="acme"))
        part, end = memory.audit_log(operation="apply", tenant_id="acme") + memory.audit_log(
            operation="apply"
        )
        assert (part.data, part.changes[0][:2], end.changes) == ({"part": 1}, ("acme", 2), ())
        receipt = memory.erase("default", reason="asked", user_id="ana")
        part, end = memory.audit_log(operation="erase")
        assert (part.ids, part.data, end.data["receipt"]) == (("default",), {"part": 1}, receipt.id)
        memory.erase(everything=True, reason="asked", tenant_id="acme", audit=True)
        assert memory.audit_log(id="acme", tenant_id="acme") == []
        memory.import_(tmp_path / "out.jsonl")
        assert [one.ids for one in memory.audit_log(operation="import_")] == [("default",), ()]
        assert memory.verify_audit().ok


def test_digests_are_of_the_plain_text_where_the_store_is_encrypted(place: tuple[str, str]) -> None:
    key = open_key(SECRET)
    assert key is not None
    with opened(place, encryption=Keyring(Keyring.generate())) as memory:
        record = memory.remember("the zebra-striped key", user_id="ana")
        memory.remember("the zebra-striped key", user_id="ana")
        memory.update(record.id, content="the spotted key", user_id="ana")
        memory.update(record.id, tags=["key"], user_id="ana")
        entered = [entry.changes[0][1:] for entry in memory.audit_log()]
        first, later = key.digest("the zebra-striped key"), key.digest("the spotted key")
        assert entered == [(1, first), (1, first), (2, later), (3, later)]


@pytest.fixture
def refusing(tmp_path: Path) -> str:
    """A file whose log takes no entry."""
    url = f"sqlite:///{tmp_path}/a.db"
    with opened((url, url)) as memory:
        memory.remember("before")
    with sqlite3.connect(tmp_path / "a.db") as raw:
        raw.execute(
            "CREATE TRIGGER full BEFORE INSERT ON memwell_log_item BEGIN SELECT raise(ABORT, 'full'); END"
        )
    raw.close()
    return url


def test_nothing_is_stored_whose_entry_cannot_be(refusing: str) -> None:
    memory = opened((refusing, refusing))
    with pytest.raises(MemwellError, match="full"):
        memory.remember("after")
    with pytest.raises(MemwellError):
        memory.close()
    with Memory(refusing, embedder=None) as plain:
        assert [record.content for record in plain.list()] == ["before"]


def test_a_retry_of_a_write_whose_answer_was_lost_leaves_one_entry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    faults = Faults()
    store = Retrying(Flaky(open_store(url), faults), initial_delay=0.001)
    with Memory(store, embedder=None, audit=url) as memory:
        record = memory.remember("once")
        faults.fail(Unavailable("cut off"), on="write", lost=True)
        twice = memory.remember("a text")
        faults.fail(Unavailable("cut off"), on="write", lost=True)
        memory.update(record.id, tags=["x"], expected_version=1)
        assert [entry.ids for entry in memory.audit_log()] == [(record.id,), (twice.id,), (record.id,)]
        assert memory.verify_audit().ok
    run(store, store.close())


def test_a_store_takes_no_append_to_a_log_elsewhere() -> None:
    store, log = open_store("memory://"), open_log("memory://")
    now = datetime(2026, 5, 1, tzinfo=UTC)
    record = Record(id="a", scope=Scope(), content="x", created_at=now, updated_at=now)
    append = Append(log=log, stream="s", entries=lambda *_: [b"x"])
    with pytest.raises(NotSupported, match="same database"):
        run(store, store.write([Insert(record=record), append], now=now))
    assert run(store, store.get(Scope(), ["a"], now=now)) == []
    run(store, store.close())
    run(log, log.close())
