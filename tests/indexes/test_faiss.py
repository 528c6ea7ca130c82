"""FAISS: the shared suite flat and as a graph, and what is its own: tombstones, the file, one opener."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.indexes.disk import full

from memwell.errors import BackendError, ConfigError, Corrupt
from memwell.indexes.faiss import SLACK, Faiss, Kind
from memwell.ports import Point
from memwell.registry import open_index
from memwell.testing import run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened

KINDS: tuple[Kind, ...] = ("flat", "hnsw")


class TestFlat(VectorIndexConformance):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: Faiss(dimension or self.dimension, tmp_path / name, metric=metric)
        ) as opening:
            yield opening


class TestGraph(VectorIndexConformance):
    exact = False
    many = 20_000

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: Faiss(
                dimension or self.dimension, tmp_path / name, metric=metric, kind="hnsw"
            )
        ) as opening:
            yield opening


def points(count: int, *, dimension: int = 8, seed: int = 1) -> list[Point]:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return [
        Point(id=f"ż{row}", vector=vectors[row], fields={"metadata": {"row": row}}) for row in range(count)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_points_replaced_again_and_again_leave_no_growing_waste(kind: Kind) -> None:
    index = Faiss(8, kind=kind)
    for turn in range(12):
        run(index, index.upsert(points(400, seed=turn)))
        assert index._index.ntotal <= 400 + SLACK + 400
    last = points(400, seed=11)
    assert run(index, index.count()) == 400
    for each in last[::29]:
        assert run(index, index.search(each.vector, limit=1))[0].id == each.id
    run(index, index.close())


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_index_answers_as_before_and_without_its_tombstones(tmp_path: Path, kind: Kind) -> None:
    url = f"faiss:///{tmp_path}/i.faiss?dimension=8&kind={kind}&metric=l2"
    first = open_index(url)
    run(first, first.upsert(points(300)))
    run(first, first.upsert(points(100, seed=2)))
    run(first, first.delete(["ż7", "ż250"]))
    query, where = np.ones(8, dtype=np.float32), {"row": {"$gte": 5}}
    expected = run(first, first.search(query, limit=20, where=where))
    run(first, first.close())
    second = open_index(url)
    assert run(second, second.search(query, limit=20, where=where)) == expected
    assert run(second, second.count()) == 298
    assert isinstance(second, Faiss)
    assert second._index.ntotal == 298
    run(second, second.close())


def test_the_file_is_open_once(tmp_path: Path) -> None:
    first = Faiss(8, tmp_path / "i")
    with pytest.raises(ConfigError, match="open in another process"):
        Faiss(8, tmp_path / "i")
    run(first, first.close())
    run(again := Faiss(8, tmp_path / "i"), again.close())


def test_a_file_of_another_kind_or_damaged_is_refused_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "i"
    index = Faiss(8, path, kind="hnsw")
    run(index, index.upsert(points(50)))
    run(index, index.close())
    with pytest.raises(ConfigError, match="kind hnsw, not flat"):
        Faiss(8, path)
    whole = path.read_bytes()
    for broken in (whole[:-40], whole[: len(whole) // 2], b"", whole.replace(b'"row": 7', b'"row": 8')):
        path.write_bytes(broken)
        index = Faiss(8, path, kind="hnsw")
        with pytest.raises(Corrupt, match="repair"):
            run(index, index.count())
        run(index, index.close())
    path.write_bytes(whole)
    again = Faiss(8, path, kind="hnsw")
    assert run(again, again.count()) == 50
    run(again, again.close())


def test_a_save_that_fails_leaves_the_file_of_the_last_one(tmp_path: Path) -> None:
    index = Faiss(8, tmp_path / "i")
    run(index, index.upsert(points(5)))
    run(index, index.save())
    before = (tmp_path / "i").read_bytes()
    run(index, index.save())
    assert (tmp_path / "i").read_bytes() == before
    run(index, index.upsert(points(9)))
    with full(), pytest.raises(BackendError, match="free disk space"):
        run(index, index.save())
    assert (tmp_path / "i").read_bytes() == before
    run(index, index.close())
    again = Faiss(8, tmp_path / "i")
    assert run(again, again.count()) == 9
    run(again, again.close())


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("faiss://", "dimension"),
        ("faiss://?dimension=8&kind=ivf", "use flat, hnsw"),
        ("faiss://?dimension=8&metric=manhattan", "use cosine, l2, dot"),
        ("faiss://?dimension=8&size=3", "no option size"),
        ("faiss://host/x?dimension=8", "names a host"),
    ],
)
def test_a_url_that_is_wrong_says_what_to_do(url: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        open_index(url)
