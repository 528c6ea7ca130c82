"""Qdrant in process: the shared suite, and what is its own: the folder, the graph, the death of the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memwell.errors import ConfigError
from memwell.indexes.qdrant.edge import QdrantEdge
from memwell.ports import Point
from memwell.registry import open_index
from memwell.testing import run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened


class TestEdge(VectorIndexConformance):
    many = 20_000

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: QdrantEdge(
                dimension or self.dimension, tmp_path / name, metric=metric
            )
        ) as opening:
            yield opening


def points(count: int) -> list[Point]:
    vectors = np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)
    return [
        Point(id=f"p{row}", vector=vectors[row], fields={"metadata": {"ten": row % 10}})
        for row in range(count)
    ]


def test_a_folder_is_open_once_and_says_so(tmp_path: Path) -> None:
    first = open_index(f"qdrant-edge:///{tmp_path}/e?dimension=8")
    with pytest.raises(ConfigError, match="open in another process or index"):
        QdrantEdge(8, tmp_path / "e")
    run(first, first.close())
    again = QdrantEdge(8, tmp_path / "e")
    run(again, again.close())


def test_namespaces_of_a_folder_are_apart(tmp_path: Path) -> None:
    one = QdrantEdge(8, tmp_path / "e", namespace="one")
    run(one, one.upsert(points(5)))
    run(one, one.close())
    other = QdrantEdge(8, tmp_path / "e", namespace="other")
    assert other.identity != one.identity
    assert run(other, other.count()) == 0
    run(other, other.upsert(points(2)))
    run(other, other.clear())
    run(other, other.close())
    one = QdrantEdge(8, tmp_path / "e", namespace="one")
    assert run(one, one.ids()) == ["p0", "p1", "p2", "p3", "p4"]
    run(one, one.close())


def test_graphs_leave_nothing_out_of_a_narrow_search(tmp_path: Path) -> None:
    index = QdrantEdge(8, tmp_path / "e")
    made = points(3000)
    run(index, index.upsert(made))
    run(index, index.save())
    run(index, index.optimize())
    for each in made[::300]:
        assert run(index, index.search(each.vector, limit=1))[0].id == each.id
    where = {"ten": 3, "$not": {"metadata.ten": {"$gt": 5}}}
    assert len(run(index, index.search(made[0].vector, limit=1000, where=where))) == 300
    run(index, index.close())


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("qdrant-edge://?dimension=8", "needs a folder"),
        ("qdrant-edge:///x", "dimension"),
        ("qdrant-edge:////dev/null/x?dimension=8", "not usable"),
    ],
)
def test_a_url_that_is_wrong_says_what_to_do(url: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        open_index(url)
