"""A store with a real index: the process killed again and again, the service killed and started again."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.processes import Script

from memwell import Hit, Memory, NewMemory
from memwell.testing.memory import Words
from memwell.testing.services import chroma
from memwell.wrappers import indexed

WRITER = """
import sys
from memwell import Memory
from memwell.followers import lease
from memwell.testing.memory import Words

lease.LEASE = 0.2
name, store, index = sys.argv[1:]
memory = Memory(f"sqlite:///{store}", embedder=Words(), index=index)
# Words share 64 directions: three times "pear" is nearer to it than an apple whose name or number points there too.
for number in range(10_000):
    print(memory.remember(f"apple {name} {number}", id=f"{name}{number}").id, flush=True)
    if number % 5 == 4:
        memory.update(f"{name}{number - 1}", content=f"pear pear pear {name} {number}")
        memory.forget(f"{name}{number - 2}")
"""


@pytest.mark.parametrize("scheme", ["exact", "faiss", "qdrant-edge", "chroma"])
def test_a_process_killed_again_and_again_loses_nothing(tmp_path: Path, scheme: str) -> None:
    place = tmp_path / f"index-{scheme}"
    index, chance = f"{scheme}:///{place}?dimension=64", random.Random(scheme)
    reported = 0
    for life in range(3):
        with Script(WRITER, f"life{life}n", tmp_path / "memory.db", index) as process:
            for _ in range(chance.randrange(5, 40)):
                reported += bool(process.stdout.readline())
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
    time.sleep(0.3)
    words = Words()
    with Memory(f"sqlite:///{tmp_path / 'memory.db'}", embedder=words, index=index) as memory:
        report = memory.doctor()
        assert report.ok, report.problems[:3]
        assert report.checked >= reported * 3 // 5 > 0
        hits = memory.recall("pear", mode="semantic", limit=5)
        assert {hit.content.split()[0] for hit in hits} == {"pear"}
        assert all(hit.why.notes == () for hit in hits)
    assert words.texts == ["pear"]


def damage(place: Path) -> None:
    """Overwrite every file of an index, but not its locks."""
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    for path in files:
        if "lock" not in path.name:
            path.write_bytes(b"garbage!" * (path.stat().st_size // 8 + 1))


@pytest.mark.parametrize(
    ("scheme", "how"),
    [
        *((scheme, "damaged") for scheme in ("exact", "faiss", "qdrant", "qdrant-edge", "chroma")),
        *((scheme, "deleted while open") for scheme in ("qdrant", "qdrant-edge", "chroma")),
    ],
)
def test_an_index_whose_files_are_damaged_or_gone_is_reported_and_rebuilt(
    tmp_path: Path, scheme: str, how: str
) -> None:
    place = tmp_path / "index"

    def opened() -> Memory:
        url = f"{scheme}:///{place}?dimension=64"
        return Memory(f"sqlite:///{tmp_path / 'memory.db'}", embedder=Words(), index=url)

    memory = opened()
    memory.remember([NewMemory(content=f"apple number{n}", id=f"a{n}") for n in range(30)])
    expected = _reported(memory.recall("apple number7"))
    if how == "damaged":
        memory.close()
        damage(place)
        memory = opened()
    else:
        shutil.rmtree(place)
    health = memory.health()
    assert health.status == "degraded"
    assert str(place) in health.parts["index"]
    assert "memwell repair" in health.parts["index"]
    hits = memory.recall("apple number7")
    assert _reported(hits) == expected
    assert "the store searched by itself" in hits[0].why.notes[0]
    assert memory.remember("kohlrabi", id="k").embedded
    (problem,) = memory.doctor().problems
    assert problem.kind == "index"
    assert problem.repairable
    assert memory.repair().ok
    assert memory.health().ok
    hits = memory.recall("kohlrabi", mode="semantic")
    assert (hits[0].record.id, hits[0].why.notes) == ("k", ())
    memory.close()
    with opened() as memory:
        assert memory.doctor().ok
        assert memory.recall("kohlrabi", mode="semantic")[0].why.notes == ()


def test_a_service_that_dies_and_comes_back_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexed, "PAUSE", 0.0)
    with (
        chroma() as server,
        Memory(
            f"sqlite:///{tmp_path / 'memory.db'}", embedder=Words(), index=f"{server.url}?dimension=64"
        ) as memory,
    ):
        memory.remember([NewMemory(content=f"apple number{n}", id=f"a{n}") for n in range(30)])
        before = _reported(memory.recall("apple number7"))
        server.kill()
        hits = memory.recall("apple number7")
        assert _reported(hits) == before
        assert "so the store searched by itself" in hits[0].why.notes[0]
        assert memory.health().status == "degraded"
        memory.remember("kohlrabi", id="k")
        memory.forget("a3")
        server.start()
        hits = memory.recall("kohlrabi", mode="semantic")
        assert hits[0].record.id == "k"
        assert hits[0].why.notes == ()
        assert memory.doctor().ok
        assert memory.health().ok


def _reported(hits: list[Hit]) -> list[tuple[str, float]]:
    return [(hit.record.id, round(hit.score, 6)) for hit in hits]
