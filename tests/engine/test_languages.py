"""Questions in other languages than English, and than that of what was noted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from memwell import Memory
from memwell.embedders.function import as_embedder
from memwell.retrieval.analysis.translations import _rows


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


@pytest.mark.parametrize(
    "question",
    [
        "Wie heißt der Hund?",
        "Comment s'appelle le chien ?",
        "¿Cómo se llama el perro?",
        "Come si chiama il cane?",
        "Hoe heet de hond?",
        "Vad heter hunden?",
        "hvad hedder hunden?",
        "Как зовут собаку?",
    ],
)
def test_an_everyday_word_of_another_language_finds_its_english_one(question: str) -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("Skip is a brown dog with one bent ear")
        memory.remember("The tram stops at the corner")
        (hit,) = memory.recall(question)
        assert hit.content.startswith("Skip")
        assert "related" in [part.name for part in hit.why.components]


@pytest.mark.parametrize(
    ("note", "question"),
    [
        ("Am Montag ist ein Termin beim Zahnarzt", "Wann ist mein Zahnarzttermin?"),
        ("Am Montag ist der Zahnarzttermin", "Wann muss ich zum Zahnarzt?"),
        ("Möte med föreningen är på fredag", "När är föreningsmötet?"),
    ],
)
def test_a_compound_and_its_parts_meet(note: str, question: str) -> None:
    with Memory("memory://", embedder="hashing") as memory:
        memory.remember(note)
        memory.remember("Der Schlüssel liegt im Keller und die Sonne scheint")
        hit = memory.recall(question)[0]
        assert hit.content == note
        assert {part.name for part in hit.why.components} & {"related", "lexical"}


@pytest.mark.parametrize("code", ["de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "ru"])
def test_each_line_of_the_dictionary_has_words_in_every_language(code: str) -> None:
    rows = list(_rows(code))
    assert len(rows) > 180
    assert all(english for english, _ in rows)
    assert sum(bool(words) for _, words in rows) > 0.97 * len(rows)
