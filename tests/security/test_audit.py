"""The audit log: every call leaves an entry, and nothing can be changed in it unseen."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.processes import PROCESSES

from memwell import (
    AsyncMemory,
    AuditEntry,
    ConfigError,
    Conflict,
    Corrupt,
    InvalidInput,
    Memory,
    NotFound,
    NotSupported,
    acting,
)
from memwell.errors import Unavailable
from memwell.ports import Entry, Log
from memwell.registry import open_log
from memwell.security.audit import STREAM
from memwell.security.chain import verify
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky

SECRET = "hmac:a secret of the tests"
TEXT = "Ana hides the zebra-striped key under a flowerpot"


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/audit.db"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


def names(entries: list[AuditEntry]) -> list[tuple[str, str]]:
    return [(entry.operation, entry.outcome) for entry in entries]


def test_every_call_leaves_an_entry_allowed_or_refused(url: str) -> None:
    with Memory("memory://", embedder=None, audit=url, receipts=SECRET) as memory:
        with acting(actor="eva", correlation_id="r1"):
            record = memory.remember(TEXT, user_id="ana")
            with acting(correlation_id="r2"):
                memory.update(record.id, content=f"{TEXT}!", user_id="ana")
            memory.recall("zebra", user_id="ana")
        with pytest.raises(NotFound):
            memory.get(record.id, user_id="bob")
        with pytest.raises(Conflict):
            memory.update(record.id, content="x", expected_version=7, user_id="ana")
        with pytest.raises(InvalidInput):
            memory.remember("")
        view = memory.scoped(user_id="bob")
        with pytest.raises(InvalidInput):
            view.forget(record.id, user_id="ana")
        with pytest.raises(NotSupported):
            view.doctor()
        memory.forget(record.id, user_id="ana")
        entries = memory.audit_log()
        assert names(entries) == [
            ("remember", "allowed"),
            ("update", "allowed"),
            ("recall", "allowed"),
            ("get", "refused"),
            ("update", "refused"),
            ("remember", "refused"),
            ("forget", "refused"),
            ("doctor", "refused"),
            ("forget", "allowed"),
        ]
        assert [entry.number for entry in entries] == list(range(1, 10))
        assert [entry.actor for entry in entries[:4]] == ["eva", "eva", "eva", None]
        assert [entry.correlation_id for entry in entries[:4]] == ["r1", "r2", "r1", None]
        assert [(id, version) for entry in entries for id, version, _ in entry.changes] == [
            (record.id, 1),
            (record.id, 2),
        ]
        assert {entry.ids for entry in entries if entry.operation != "doctor"} == {(record.id,), ()}
        assert entries[3].data["error"] == "NotFound"
        assert entries[6].scope is not None
        assert entries[6].scope.user_id == "bob"  # the view's owner asked, whatever it named
        shown = json.dumps([entry.to_dict() for entry in entries])
        assert not [word for word in ("zebra", "flowerpot") if word in shown]


def test_entries_are_found_by_actor_memory_operation_request_and_time(url: str) -> None:
    with Memory("memory://", embedder=None, audit=url) as memory:
        for number in range(6):
            with acting(actor=f"a{number % 2}", correlation_id=f"r{number % 3}"):
                memory.remember(f"text {number}", user_id=f"u{number % 2}", id=f"m{number}")
        memory.get("m4", user_id="u0")
        every = memory.audit_log()
        assert len(memory.audit_log(actor="a1")) == 3
        assert len(memory.audit_log(actor="a1", correlation_id="r1")) == 1
        assert names(memory.audit_log(id="m4")) == [("remember", "allowed"), ("get", "allowed")]
        assert len(memory.audit_log(operation="get")) == 1
        assert len(memory.audit_log(user_id="u0")) == 4
        assert len(memory.audit_log(tenant_id="acme")) == 0
        assert len(memory.scoped(user_id="u1").audit_log(limit=1000)) == 3
        later = [entry.number for entry in memory.audit_log(since=every[2].at, until=every[4].at)]
        assert later == [3, 4, 5]
        assert [entry.number for entry in memory.audit_log(limit=2, operation="remember")] == [5, 6]
        for wrong in ({"limit": 0}, {"since": "nonsense"}, {"actor": 7}, {"id": b"x"}):
            with pytest.raises(InvalidInput):
                memory.audit_log(**wrong)  # type: ignore[arg-type]


class _Edited(Log):
    """A log whose entries are as given."""

    part = "edited"
    blocking = True

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    async def _append(self, *_: Any) -> list[str]:
        raise NotImplementedError

    async def _trim(self, *_: Any) -> int:
        raise NotImplementedError

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        assert stream == STREAM
        return [one for one in self._entries if after is None or one.position > after][:limit]


def _written() -> tuple[list[Entry], str]:
    """Seven entries, one of which was redacted, and the head."""
    log = open_log("memory://")
    with Memory("memory://", embedder=None, audit=log, receipts=SECRET) as memory:
        for number in range(5):
            memory.remember(f"text {number}", id=f"m{number}", user_id="ana")
        memory.erase("m2", reason="asked", user_id="ana", audit=True)
        head = memory.audit_head()
    return run(log, log.read(STREAM)), head.to_json()


ENTRIES, HEAD = _written()


def check(entries: list[Entry]) -> Any:
    log = _Edited(entries)
    return run(log, verify(log, STREAM))


def test_the_chain_as_written_verifies() -> None:
    assert check(ENTRIES).ok
    assert check(ENTRIES).checked == len(ENTRIES) == 7


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_changed_removed_moved_or_repeated_entry_is_found(data: st.DataObject) -> None:
    entries = list(ENTRIES)
    at = data.draw(st.integers(0, len(entries) - 1))
    how = data.draw(st.sampled_from(["byte", "remove", "swap", "repeat", "positions"]))
    if how == "byte":
        text = entries[at].data
        place = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
        entries[at] = Entry(
            position=entries[at].position,
            at=entries[at].at,
            data=text[:place] + bytes([other]) + text[place + 1 :],
        )
    elif how == "remove":
        if at == len(entries) - 1:
            return  # the end: only a head tells, below
        del entries[at]
    elif how == "swap":
        to = data.draw(st.integers(0, len(entries) - 1).filter(lambda to: to != at))
        first, second = entries[at], entries[to]
        entries[at] = Entry(position=first.position, at=first.at, data=second.data)
        entries[to] = Entry(position=second.position, at=second.at, data=first.data)
    elif how == "repeat":
        entries.insert(
            at, Entry(position=entries[at].position[:-1] + "!", at=entries[at].at, data=entries[at].data)
        )
        entries = [Entry(position=f"{n:03d}", at=one.at, data=one.data) for n, one in enumerate(entries)]
    else:
        entries = [Entry(position=f"{n:03d}", at=one.at, data=one.data) for n, one in enumerate(entries)]
        assert check(entries).ok  # positions are the log's own affair
        return
    assert not check(entries).ok


def test_a_log_that_was_cut_off_or_replaced_is_found_by_a_head_kept_apart(tmp_path: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path}/audit.db")
    options: Any = {"embedder": None, "audit": log, "receipts": SECRET}
    with Memory("memory://", **options) as memory:
        empty = memory.audit_head().to_json()
        for number in range(4):
            memory.remember(f"text {number}")
        head = memory.audit_head().to_json()
        memory.remember("later")
        assert memory.verify_audit(head=head).ok
        assert memory.verify_audit(head=empty).ok
        with pytest.raises(Corrupt, match="changed"):
            memory.verify_audit(head=head.replace('"number":5', '"number":4'))
        for wrong in ("", "{}", "null", HEAD + " "):
            with pytest.raises(Corrupt):
                memory.verify_audit(head=wrong)
        with pytest.raises(InvalidInput):
            memory.verify_audit(head=4)  # type: ignore[arg-type]
    positions = [entry.position for entry in run(log, log.read(STREAM))]
    run(log, log.remove(STREAM, positions[3:]))
    with Memory("memory://", **options) as memory:  # another process goes on after the cut
        (problem,) = memory.verify_audit(head=head).problems
        assert problem.kind == "truncated"
        assert memory.verify_audit().ok  # what is there is a chain
        memory.remember("forged")
        (problem,) = memory.verify_audit(head=head).problems
        assert problem.kind == "replaced"


def test_a_process_that_lives_through_a_cut_shows_it() -> None:
    log = open_log("memory://")
    with Memory("memory://", embedder=None, audit=log) as memory:
        for number in range(4):
            memory.remember(f"text {number}")
        positions = [entry.position for entry in run(log, log.read(STREAM))]
        run(log, log.remove(STREAM, positions[2:]))
        memory.remember("goes on")
        (problem,) = memory.verify_audit().problems
        assert (problem.kind, problem.detail) == ("gap", "entries 3 to 4 are missing")
    run(log, log.close())
    run(log, log.close())


def test_erasing_audit_details_keeps_the_chain_and_forgets_who_was_named(url: str) -> None:
    with Memory("memory://", embedder=None, audit=url, receipts=SECRET) as memory:
        memory.remember("kept", id="kept", user_id="ana")
        memory.remember(TEXT, id="secret-id", user_id="ana")
        memory.recall("zebra", user_id="ana")
        memory.remember("of another tenant", id="secret-id", tenant_id="acme")
        head = memory.audit_head().to_json()
        receipt = memory.erase("secret-id", reason="asked", user_id="ana", audit=True)
        assert {trace.place: trace.state for trace in receipt.traces}["audit log"] == "gone"
        assert memory.audit_log(id="secret-id") == []
        assert len(memory.audit_log(id="secret-id", tenant_id="acme")) == 1
        assert len(memory.audit_log(id="kept")) == 1
        assert memory.audit_log(operation="erase")[0].data["receipt"] == receipt.id
        assert memory.verify_audit(head=head).ok


def test_while_the_log_cannot_be_written_nothing_is_done_and_nothing_is_lost() -> None:
    faults, log = Faults(), open_log("memory://")
    heard: list[str] = []
    with Memory("memory://", embedder=None, audit=Flaky(log, faults)) as memory:
        memory.on("audit_failed", lambda event: heard.append(event.data["error"]), inline=True)
        memory.remember("one")
        faults.down = Unavailable("no route")
        with pytest.raises(Unavailable, match="remember has ended"):
            memory.remember("two")
        with pytest.raises(Unavailable, match="nothing was done"):
            memory.remember("three")
        assert heard == ["no route"]
        faults.down = None
        assert memory.count() == 2
        memory.remember("four")
        assert names(memory.audit_log(operation="remember")) == [("remember", "allowed")] * 3
        assert memory.verify_audit().ok


def test_batched_entries_are_written_soon_and_at_close(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/audit.db"
    with Memory("memory://", embedder=None, audit=url, audit_mode="batched") as memory:
        for number in range(20):
            memory.remember(f"text {number}")
    log = open_log(url)
    assert len(run(log, log.read(STREAM))) == 20
    assert run(log, verify(log, STREAM)).ok
    run(log, log.close())


def _write(url: str, writer: int, start: Any) -> None:
    with Memory("memory://", embedder=None, audit=url) as memory, acting(actor=f"w{writer}"):
        start.wait()
        for number in range(25):
            memory.remember(f"text {number}")


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_processes_write_one_chain_without_forks(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/audit.db" if kind == "sqlite" else request.getfixturevalue(f"{kind}_url")
    start = PROCESSES.Barrier(3)
    workers = [PROCESSES.Process(target=_write, args=(url, writer, start)) for writer in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    with Memory("memory://", embedder=None, audit=url) as memory:
        report = memory.verify_audit()
        assert (report.ok, report.checked) == (True, 75)
        for writer in range(3):
            assert len(memory.audit_log(actor=f"w{writer}", limit=1000)) == 25


def test_threads_and_tasks_share_one_chain(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/audit.db"
    with Memory("memory://", embedder=None, audit=url) as memory:
        threads = [
            threading.Thread(target=lambda n=n: [memory.remember(f"{n} {k}") for k in range(20)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert memory.verify_audit().checked >= 80

    async def tasks() -> None:
        async with AsyncMemory("memory://", embedder=None, audit=url) as memory:

            async def one(number: int) -> None:
                with acting(actor=f"t{number}"):
                    await memory.remember(f"text {number}")

            await asyncio.gather(*map(one, range(40)))
            assert (await memory.verify_audit()).ok
            for number in (0, 39):
                assert len(await memory.audit_log(actor=f"t{number}")) == 1

    asyncio.run(tasks())


def test_without_an_audit_log_its_methods_say_how_to_get_one() -> None:
    with Memory("memory://", embedder=None) as memory:
        for call in (memory.audit_log, memory.verify_audit, memory.audit_head):
            with pytest.raises(NotSupported, match="audit="):
                call()
    for wrong in ({"audit": 7}, {"audit_mode": "later"}, {"receipts": 7}, {"receipts": "short"}):
        with pytest.raises(ConfigError):
            Memory("memory://", embedder=None, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["", "x" * 501, 7, "\ud800"])
def test_an_actor_is_a_text(wrong: Any) -> None:
    with pytest.raises(InvalidInput), acting(actor=wrong):
        pass
