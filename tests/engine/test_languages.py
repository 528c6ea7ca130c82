"""Words count more beside the vectors of a model that does not know the language of the question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from memwell import Memory
from memwell.embedders.function import as_embedder


def weights(model: str, question: str) -> dict[str, float]:
    def embed(texts: Sequence[str]) -> list[list[float]]:
        return np.ones((len(texts), 4)).tolist()

    with Memory("memory://", embedder=as_embedder(embed, model=model)) as memory:
        memory.remember(
            ["Der Schlüssel liegt im Keller", "Heute scheint die Sonne im Garten"], user_id="greta"
        )
        (first, *_) = memory.recall(question, user_id="greta")
        return {part.name: part.weight for part in first.why.components}


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", False),
        ("BAAI/bge-small-en-v1.5", False),
        ("embed-english-v3.0", False),
        ("intfloat/multilingual-e5-small", True),
        ("text-embedding-3-small", True),
        ("BAAI/bge-m3", True),
    ],
)
def test_meaning_counts_less_for_a_language_that_the_model_does_not_know(model: str, known: bool) -> None:
    german, english = weights(model, "Wo ist der Keller?"), weights(model, "Keller")
    less = (german["semantic"] / german["lexical"]) / (english["semantic"] / english["lexical"])
    assert less == pytest.approx(1.0 if known else 0.35)
