"""Lists of related words are found by the first letters of a term."""

from __future__ import annotations

import pytest

from memwell.retrieval.analysis.related import _lists, _opposites, is_word, related_terms
from memwell.retrieval.analysis.words import word_terms


@pytest.mark.parametrize("negated", [False, True])
def test_every_word_of_a_list_meets_the_others(negated: bool) -> None:
    lists = (_opposites if negated else _lists)()
    for words, others, _ in {one for each in lists.values() for one in each}:
        for term in word_terms(words):
            found = related_terms([term], negated=negated).get(term, {})
            assert {other for other in word_terms(others) if other != term} <= found.keys()
            assert negated or is_word(term)


def test_an_unknown_term_has_none() -> None:
    assert related_terms(["zebrafish", "x", ""]) == {}
    assert not is_word("zebrafish")
