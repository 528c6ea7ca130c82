"""Slightly broken embedders."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tests.testing.mutants.harness import Mutants

from memwell.embedders.hashing import Hashing

EMBEDDERS = Mutants()
breaks = EMBEDDERS.breaks


def embedding(name: str, doc: str, test: str, change: Callable[[Hashing, Sequence[str], str], Any]) -> None:
    """Add embedders that give other vectors."""

    async def embed(self: Hashing, texts: Sequence[str], kind: str) -> Any:
        return change(self, texts, kind)

    breaks(test)(type(name, (Hashing,), {"__doc__": doc, "_embed": embed}))


def pages(part: Hashing, texts: Sequence[str], most: int) -> Any:
    """Batches of so many, each turned round."""
    groups = [part._rows(texts[at : at + most]) for at in range(0, len(texts), most)]
    return np.concatenate(groups[::-1]) if len(groups) > 1 else groups[0]


PLACE = "test_a_large_batch_keeps_every_text_in_its_place"
END = "test_the_end_of_a_long_text_counts_where_there_is_no_window"
for most in (64, 300, 1_000, 10_000):
    embedding(
        f"Pages{most}", "Pages come in the wrong order.", PLACE, lambda p, t, k, most=most: pages(p, t, most)
    )
embedding(
    "FirstThousand",
    "After 1,000 texts the rest are zeros.",
    PLACE,
    lambda p, t, k: np.concatenate([p._rows(t[:1000]), np.zeros((max(0, len(t) - 1000), p.dimension))]),
)
for most in (512, 2_000, 8_000):
    embedding(
        f"Cut{most}", "A long text is cut.", END, lambda p, t, k, most=most: p._rows([x[:most] for x in t])
    )
embedding(
    "QuestionsElsewhere",
    "Questions live in another space.",
    "test_a_question_is_nearest_to_the_document_of_its_words",
    lambda p, t, k: np.roll(p._rows(t), 7, axis=1) if k == "query" else p._rows(t),
)
embedding(
    "QuestionsAway",
    "Questions point away from their documents.",
    "test_a_question_is_nearest_to_the_document_of_its_words",
    lambda p, t, k: -p._rows(t) if k == "query" else p._rows(t),
)
embedding(
    "SortedByLength",
    "Vectors come in the order of the texts' lengths.",
    "test_vectors_come_in_the_order_of_the_texts",
    lambda p, t, k: p._rows(sorted(t, key=len)),
)


@breaks("test_two_of_one_name_give_the_same")
class SeededAnew(Hashing):
    """Each object has directions of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = random.randrange(1, self.dimension)

    async def _embed(self, texts: Sequence[str], kind: str) -> Any:
        return np.roll(self._rows(texts), self._turn, axis=1)


@breaks("test_what_the_caller_does_to_a_result_changes_no_later_one")
class Remembers(Hashing):
    """A result is remembered and handed out again."""

    async def _embed(self, texts: Sequence[str], kind: str) -> Any:
        known = self.__dict__.setdefault("known", {})
        return known.setdefault(tuple(texts), self._rows(texts))


@breaks("test_texts_may_come_in_a_tuple_or_a_list_and_are_left_alone")
class SortsInPlace(Hashing):
    """The list handed in is sorted."""

    async def _embed(self, texts: Sequence[str], kind: str) -> Any:
        found = self._rows(texts)
        if isinstance(texts, list):
            texts.sort()
        return found


@breaks("test_spans_cover_the_text_in_order")
class ShortSpans(Hashing):
    """Spans end early."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        return super().spans(text)[:100]


embedding(
    "CutQuestions",
    "A long question is cut.",
    END,
    lambda p, t, k: p._rows([text[:1_000] for text in t] if k == "query" else t),
)
