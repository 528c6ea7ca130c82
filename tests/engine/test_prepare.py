"""The engine lets an embedder learn its dimension before it is first used."""

from __future__ import annotations

from pathlib import Path

import pytest

from memwell import Memory
from memwell.errors import ConfigError, Corrupt, Unavailable
from memwell.testing.memory import Words


class Asked:
    """A function whose texts are noted; it can be away."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.away = False

    def __call__(self, texts: list[str]) -> list[list[float]]:
        if self.away:
            raise Unavailable("the model is away")
        self.texts += texts
        return [[float(len(text)), 1.0] for text in texts]


def test_an_embedder_is_prepared_once() -> None:
    given = Asked()
    with Memory("memory://", embedder=given) as memory:
        assert given.texts == []
        memory.remember("tea")
        memory.remember("coffee")
        memory.recall("milk")
    assert given.texts == ["dimension", "tea", "coffee", "milk"]


def test_one_that_was_away_is_prepared_later() -> None:
    given = Asked()
    given.away = True
    with Memory("memory://", embedder=given) as memory:
        memory.remember("tea")
        given.away = False
        memory.remember("coffee")
        assert memory.stats().unembedded == 0
        assert [hit.record.content for hit in memory.recall("tea", mode="semantic", limit=1)] == ["tea"]


def test_a_table_of_vectors_need_not_know_the_probe() -> None:
    table = {"tea": [1.0, 0.0], "coffee": [0.0, 1.0], "a drink": [0.9, 0.1]}
    with Memory("memory://", embedder=lambda texts: [table[text] for text in texts]) as memory:
        memory.remember(["tea", "coffee"])
        assert [hit.record.content for hit in memory.recall("a drink", mode="semantic")] == ["tea", "coffee"]


def test_an_index_that_does_not_fit_a_function_is_refused_at_opening() -> None:
    with pytest.raises(ConfigError, match=r"dimension 7, .* makes 2"):
        Memory("memory://", embedder=Asked(), index="exact:?dimension=7")


def test_an_import_knows_the_dimension_of_a_function(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    with Memory("memory://", embedder=Words(dimension=3, model="same")) as memory:
        memory.remember("tea")
        memory.export(path)
    given = Asked()
    given.model = "same"  # type: ignore[attr-defined]
    with (
        Memory("memory://", embedder=given) as memory,
        pytest.raises(Corrupt, match="have dimension 2, not 3"),
    ):
        memory.import_(path)
