"""`Runs`: contexts that expire with their events, flows, task outputs; alike on every backend."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.processes import PROCESSES

from memwell import AsyncRuns, InvalidInput, Runs, Unavailable
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.backends.memory.log import MemoryLog
from memwell.testing.services import redis as start_redis


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    return str(request.getfixturevalue(f"{request.param}_url"))


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> Iterator[tuple[Runs, MemoryLog]]:
    log = MemoryLog(clock=clock)
    with Runs(keyvalue=MemoryKeyValue(clock=clock), log=log, clock=clock.moment) as runs:
        yield runs, log


def stored(log: MemoryLog, stream: str) -> int:
    async def count() -> int:
        return len(await log.read(stream))

    return asyncio.run(count())


# ------------------------------------------------------------------------------------------------ every backend


def test_a_day_of_an_agent_is_alike_on_every_backend(url: str) -> None:
    with Runs(url) as runs:
        runs.set_context("ana", {"step": 1}, ttl=3600)
        first = runs.append_event("ana", {"type": "login"})
        runs.append_event("ana", {"type": "click"})
        runs.set_context("ana", {"step": 2, "név": None}, ttl=7200)
        runs.set_context("bo", {})
        runs.record_run("nightly", "r1", {"status": "started"})
        runs.record_run("nightly", "r2", {"status": "started"})
        runs.record_run("nightly", "r1", {"status": "completed"})
        runs.set_output("t", [1, 2], {"took": 3})
        runs.set_output("t", {"rows": 3})
    with Runs(url) as runs:  # another process, for all that is kept
        runs.ping()
        context = runs.get_context("ana")
        assert context is not None
        assert context.data == {"step": 2, "név": None}
        assert context.expires_at == context.updated_at + timedelta(seconds=7200)
        assert context.created_at < context.updated_at
        assert [e.event["type"] for e in runs.get_events("ana")] == ["login", "click"]
        assert [e.event["type"] for e in runs.get_events("ana", after=first.event_id, limit=1)] == ["click"]
        assert runs.list_contexts() == ["ana", "bo"]
        found = [(run.run_id, run.data["status"]) for run in runs.list_runs("nightly")]
        assert found == [("r1", "completed"), ("r2", "started"), ("r1", "started")]
        assert [run.data["status"] for run in runs.list_runs("nightly", "r1", limit=1)] == ["completed"]
        assert runs.list_runs("weekly") == []
        output = runs.get_output("t")
        assert output is not None
        assert (output.output, output.metadata) == ({"rows": 3}, {})
        assert output.created_at < output.updated_at
        assert runs.get_output("other") is None
        assert runs.clear_context("ana")
        assert not runs.clear_context("ana")
        assert runs.get_context("ana") is None
        assert runs.get_events("ana") == []
        assert runs.list_contexts() == ["bo"]


def append_many(url: str, name: str) -> None:
    with Runs(url) as runs:
        for number in range(20):
            runs.append_event("shared", {"from": name, "number": number})
            runs.set_context("shared", {"last": name}, ttl=1000)


def test_events_of_two_processes_all_survive_each_other_and_new_data(url: str) -> None:
    with ProcessPoolExecutor(2, mp_context=PROCESSES) as pool:
        list(pool.map(append_many, [url, url], ["a", "b"]))
    with Runs(url) as runs:
        events = [event.event for event in runs.get_events("shared")]
        assert runs.list_contexts() == ["shared"]
    for name in ("a", "b"):
        assert [e["number"] for e in events if e["from"] == name] == list(range(20))


def test_async_runs_do_the_same_off_the_loop(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncRuns(tmp_path / "runs.db") as runs:
            await runs.set_context("ana", {"step": 1})
            await asyncio.gather(*(runs.append_event("ana", {"n": n}) for n in range(20)))
            assert sorted(e.event["n"] for e in await runs.get_events("ana")) == list(range(20))
            await runs.set_output("t", 1)

    asyncio.run(main())
    with Runs(tmp_path / "runs.db") as runs:
        assert runs.list_contexts() == ["ana"]


# ------------------------------------------------------------------------------------------------ expiry


def test_events_and_their_appends_leave_the_expiry_alone_and_end_with_it(
    timed: tuple[Runs, MemoryLog], clock: Clock
) -> None:
    runs, log = timed
    runs.set_context("ana", {"step": 1}, ttl=60)
    clock.now += 50
    runs.append_event("ana", {"n": 1})
    assert [e.event for e in runs.get_events("ana")] == [{"n": 1}]
    clock.now += 10
    assert runs.get_context("ana") is None
    assert runs.get_events("ana") == []
    assert runs.list_contexts() == []
    runs.append_event("ana", {"n": 2})  # begins a new context
    assert [e.event for e in runs.get_events("ana")] == [{"n": 2}]
    context = runs.get_context("ana")
    assert context is not None
    assert (context.data, context.expires_at) == ({}, None)
    assert stored(log, "events:ana") == 1


def test_what_expired_contexts_leave_is_removed_in_passing_and_by_sweep(
    timed: tuple[Runs, MemoryLog], clock: Clock
) -> None:
    runs, log = timed
    for number in range(40):
        runs.set_context(f"c{number}", {}, ttl=60)
        runs.append_event(f"c{number}", {"n": number})
    runs.set_context("kept", {})
    runs.append_event("kept", {"n": -1})
    clock.now += 3600
    runs.set_context("new", {})
    assert stored(log, "events:c0") == 0
    assert stored(log, "events:c39") == 1
    assert runs.sweep() == 24  # the others went when "new" was created
    assert stored(log, "events:c39") == 0
    assert stored(log, "contexts") == 2
    assert runs.list_contexts() == ["kept", "new"]
    assert len(runs.get_events("kept")) == 1
    assert runs.sweep() == 0


# ------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda runs: runs.set_context("", {}), "context_id is a text of 1 to 900 bytes"),
        (lambda runs: runs.set_context("c", [1]), "data of a context is a dict, not list"),
        (lambda runs: runs.set_context("c", {"at": datetime.now(UTC)}), "as isoformat"),
        (lambda runs: runs.set_context("c", {"x": float("nan")}), "cannot be written as JSON"),
        (lambda runs: runs.set_context("c", {}, ttl=0), "ttl is a finite number of seconds over 0"),
        (lambda runs: runs.append_event("c", "login"), "an event is a dict, not str"),
        (lambda runs: runs.append_event("c" * 901, {}), "context_id"),
        (lambda runs: runs.get_events("c", limit=0), "limit must be at least 1"),
        (lambda runs: runs.record_run("f", 3, {}), "run_id"),
        (lambda runs: runs.list_runs("f", limit=0), "limit must be at least 1"),
        (lambda runs: runs.set_output("t", {1, 2}), "an output cannot be written as JSON"),
    ],
)
def test_bad_input_is_refused_with_what_to_pass(call: Any, words: str) -> None:
    with Runs("memory://") as runs:
        with pytest.raises(InvalidInput, match=words):
            call(runs)
        assert runs.list_contexts() == []


def test_a_redis_that_is_down_is_unavailable_and_has_everything_when_it_is_back() -> None:
    with start_redis() as server, Runs(server.url) as runs:
        runs.set_context("ana", {"step": 1}, ttl=1000)
        runs.append_event("ana", {"n": 1})
        server.kill()
        for call in (lambda: runs.get_context("ana"), lambda: runs.append_event("ana", {"n": 2})):
            with pytest.raises(Unavailable):
                call()
        server.start()
        assert [e.event for e in runs.get_events("ana")] == [{"n": 1}]


def test_both_faces_have_the_same_methods_and_arguments() -> None:
    def methods(face: type) -> dict[str, list[str]]:
        members = inspect.getmembers(face, inspect.isfunction)
        return {n: [*inspect.signature(m).parameters] for n, m in members if not n.startswith("_")}

    assert methods(Runs) == methods(AsyncRuns)
    assert [*inspect.signature(Runs).parameters] == [*inspect.signature(AsyncRuns).parameters]
