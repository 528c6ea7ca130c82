"""`memwell reembed`: the move, the question before it, a kill in the middle of it, and what comes after."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.cli.calling import Call
from tests.processes import Script

from memwell import EmbeddingError, Memory
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import Words

COUNT = 600


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'cli.db'}"


@pytest.fixture
def filled(url: str) -> str:
    with Memory(url, embedder=Words(model="old")) as memory:
        memory.remember([f"apple number{n}" for n in range(COUNT)])
    return url


def embedded(url: str, model: str) -> int:
    store = open_store(url)
    found = len(run(store, store.embedded(model, limit=10_000)))
    run(store, store.close())
    return found


def serving(url: str) -> str | None:
    store = open_store(url)
    found = run(store, store.serving())
    run(store, store.close())
    return found


def test_it_moves_the_store_and_says_so(cli: Call, filled: str) -> None:
    done = cli("reembed", "--to", "hashing", "--yes", "--drop-old", "--json")
    assert (done.code, done.json["embedded"], done.json["before"]) == (0, COUNT, "old")
    assert done.json["dropped"] == COUNT
    assert embedded(filled, "old") == 0
    assert serving(filled) == done.json["model"]
    assert cli("recall", "number7", "--embedder", "hashing", "-n", "1").code == 0
    again = cli("reembed", "--to", "hashing", "--yes")
    assert "0 memories embedded" in again.out


def test_the_old_embedder_gets_the_remedy(cli: Call, filled: str) -> None:
    assert cli("reembed", "--to", "hashing", "--yes").code == 0
    with (
        Memory(filled, embedder=Words(model="old")) as memory,
        pytest.raises(EmbeddingError, match="reembed"),
    ):
        memory.recall("apple")


def test_it_asks_first_and_changes_nothing_when_nobody_can_be_asked(cli: Call, filled: str) -> None:
    done = cli("reembed", "--to", "hashing")
    assert done.code == 2
    assert "--yes" in done.err
    assert serving(filled) == "old"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([], 2), (["--to", "none"], 2), (["--to", "hashing", "--batch", "0"], 2), (["--to", "nothing"], 6)],
)
def test_what_cannot_be_is_refused(cli: Call, filled: str, arguments: list[str], code: int) -> None:
    assert cli("reembed", *arguments, "--yes").code == code
    assert serving(filled) == "old"


def test_repair_with_another_embedder_points_to_it(cli: Call, filled: str) -> None:
    done = cli("repair", "--embedder", "hashing")
    assert done.code == 7
    assert "memwell reembed --to" in done.out
    assert serving(filled) == "old"


REEMBEDDING = """
import sys
from memwell.cli.root import run
sys.exit(run(["--url", sys.argv[1], "reembed", "--to", "hashing", "--yes", "--batch", "1"]))
"""


def test_killed_in_the_middle_it_goes_on_where_it_was(cli: Call, filled: str) -> None:
    model = "hashing-1-384"
    kills = 0
    for _ in range(3):
        with Memory(filled, embedder=None) as memory, Script(REEMBEDDING, filled) as process:
            before = memory.stats().embedded.get(model, 0)
            while process.poll() is None and memory.stats().embedded.get(model, 0) < before + 20:
                time.sleep(0.005)
            kills += process.poll() is None
            process.kill()
    assert kills == 3
    assert serving(filled) == "old"
    there = _count(filled, model)
    assert 60 <= there < COUNT
    done = cli("reembed", "--to", "hashing", "--yes", "--json")
    assert done.json["embedded"] == COUNT - there
    assert serving(filled) == model


def _count(url: str, model: str) -> int:
    with Memory(url, embedder=None) as memory:
        return memory.stats().embedded.get(model, 0)
