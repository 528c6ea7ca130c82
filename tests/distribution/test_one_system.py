"""Two API processes on one PostgreSQL, one Redis and one index work as one system."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from tests.processes import Script

from memwell.registry import open_index, open_log
from memwell.testing import run
from memwell.testing.services import Service


class Process:
    """An agent in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.popen = Script("from tests.distribution.agent import main; main()", *arguments)

    def begin(self, method: str, *arguments: Any) -> None:
        """Tell it, and do not wait."""
        self.popen.stdin.write(json.dumps([method, arguments]) + "\n")
        self.popen.stdin.flush()

    def answer(self) -> Any:
        """What it says to the oldest thing it was told."""
        line = self.popen.stdout.readline()
        assert line, "the process has died"
        return json.loads(line)

    def __call__(self, method: str, *arguments: Any) -> Any:
        self.begin(method, *arguments)
        return self.answer()

    def end(self) -> int:
        """Close its input and wait for it."""
        self.popen.stdin.close()
        code = self.popen.wait(timeout=60)
        self.popen.stdout.close()
        return code


@pytest.fixture
def places(postgres_url: str, redis_url: str, chroma: Service) -> tuple[str, str, str]:
    """Where PostgreSQL, Redis and an index of this test are."""
    return postgres_url, redis_url, f"{chroma.url}?dimension=384&collection=t{uuid4().hex}"


@pytest.fixture
def agents(places: tuple[str, str, str]) -> Iterator[tuple[Process, Process]]:
    one, two = (Process(name, *places) for name in ("one", "two"))
    yield one, two
    assert [agent.end() for agent in (one, two)] == [0, 0]


def test_what_one_writes_the_other_finds_although_it_had_cached_the_answer(
    agents: tuple[Process, Process],
) -> None:
    one, two = agents
    (cat, _) = one("remember", ["the cat sleeps on the sofa", "rain is expected"], "ana")
    question = ("where does the cat sleep?", "ana")
    assert two("recall", *question)[0] == "the cat sleeps on the sofa"
    assert two("recall", *question)[0] == "the cat sleeps on the sofa"
    assert two("hits") == 1
    assert one("update", cat, "the cat sleeps in the kitchen", "ana") == 2
    assert two("recall", *question)[0] == "the cat sleeps in the kitchen"
    two("recall", *question)
    one("remember", ["another user has a cat"], "ben")
    hits = two("hits")
    two("recall", *question)
    assert two("hits") == hits + 1, "a write of another user leaves the answer alone"
    assert one("forget", cat, "ana") == [cat]
    assert not any("cat" in content for content in two("recall", *question))
    assert two("notes", *question) == []


def test_every_change_reaches_the_index_once(
    agents: tuple[Process, Process], places: tuple[str, str, str]
) -> None:
    for agent in agents:
        agent.begin("one_by_one", 60, "ana")
    assert [agent.answer() for agent in agents] == [60, 60]
    for _ in range(200):  # the rest is fed beside the calls that follow
        if agents[0]("notes", "notes number 3", "ana") == []:
            break
        sleep(0.1)
    assert agents[0]("doctor") == []
    log = open_log(places[1])
    delivered = [json.loads(entry.data) for entry in run(log, log.read("delivered", limit=10_000))]
    run(log, log.close())
    counts = Counter(id for _, id in delivered)
    assert len(counts) == 120
    assert set(counts.values()) == {1}
    index = open_index(places[2])
    assert run(index, index.count()) == 120
    run(index, index.close())


def test_a_lock_keeps_them_apart_and_a_limit_counts_them_together(agents: tuple[Process, Process]) -> None:
    one, two = agents
    one("begin_counting")
    for agent in agents:
        agent.begin("count_under_a_lock", 15)
    tokens = [token for agent in agents for token in agent.answer()]
    assert len(set(tokens)) == 30
    assert one("update", "counter", "a counter that ended", "lock") == 32, "thirty rounds, none of them lost"
    for agent in agents:
        agent.begin("allowed", 15)
    assert sum(agent.answer() for agent in agents) == 10
    assert two("recall", "counter", "lock") == ["a counter that ended"]
