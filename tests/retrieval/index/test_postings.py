"""Postings find what the formula of BM25 says, however documents came and went."""

from __future__ import annotations

import gc
from collections.abc import Collection, Sequence
from math import log

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memwell.ports.store.search import DEFAULT
from memwell.retrieval.columns import Columns
from memwell.retrieval.columns.arrays import arrays
from memwell.retrieval.columns.lists import LISTS
from memwell.retrieval.index.postings import Postings, idf

WORDS = "tea milk oat rye fig yam"
TERMS = st.lists(st.sampled_from(WORDS.split()), max_size=8)
LONG = st.builds(lambda terms, times: terms * times, TERMS, st.integers(1, 60))
DOCUMENTS = st.lists(TERMS | LONG, max_size=25)


def formula(
    documents: dict[int, list[str]], question: Collection[str], allowed: Collection[int]
) -> dict[int, float]:
    """Okapi BM25 as in textbooks, for the documents with any of the terms."""
    k1, b = DEFAULT.k1, DEFAULT.b
    mean = sum(map(len, documents.values())) / max(1, len(documents))
    scores = {}
    for number in allowed:
        document = documents[number]
        score = 0.0
        for term in set(question) & set(document):
            holding = sum(term in other for other in documents.values())
            count = document.count(term)
            rarity = log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            score += rarity * count * (k1 + 1) / (count + k1 * (1 - b + b * len(document) / mean))
        if score:
            scores[number] = score
    return scores


KINDS: list[Columns] = [LISTS, arrays()]  # type: ignore[list-item]  they are alike


def searched(
    postings: Postings, question: Sequence[str], limit: int, *, allowed: Collection[int] | None = None
) -> dict[int, float]:
    """Document → score, which is the same with lists and with arrays."""
    mask = None
    if allowed is not None:
        mask = bytearray(number in allowed for number in range(len(postings.lengths)))
    found = []
    for make in KINDS:
        documents, scores = postings.search(postings.terms(question, make), limit, make, allowed=mask)
        found.append(dict(zip(documents.tolist(), scores.tolist(), strict=True)))
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    return found[0]


def frequencies(postings: Postings, question: Sequence[str]) -> list[int]:
    return [term.frequency for term in postings.terms(question, LISTS)]  # type: ignore[arg-type]


def indexed(documents: Sequence[list[str]], given_at_once: int = 0) -> Postings:
    """An index of documents numbered as they stand, the first of them given at the start."""
    postings = Postings(" ".join(terms) for terms in documents[:given_at_once])
    for number, terms in list(enumerate(documents))[given_at_once:]:
        assert postings.add(terms) == number
    return postings


@given(DOCUMENTS, st.integers(0, 25), TERMS)
@example([["tea"] * 3, ["tea", "milk"], []], 0, ["tea", "milk", "salt"])
@example([["tea"] + ["rye"] * 127, ["tea"] + ["rye"] * 128, ["tea"] * 500], 3, ["tea"])
@example([["tea", "teapot"], [], ["pot", "tea"]], 2, ["tea", "pot"])
def test_scores_are_those_of_the_formula(
    documents: list[list[str]], given_at_once: int, question: list[str]
) -> None:
    expected = formula(dict(enumerate(documents)), question, range(len(documents)))
    assert searched(indexed(documents, given_at_once), question, 100) == pytest.approx(expected)


@given(DOCUMENTS, st.integers(0, 25), st.sets(st.integers(0, 24)), TERMS)
def test_removed_documents_are_as_if_they_had_never_been(
    documents: list[list[str]], given_at_once: int, gone: set[int], question: list[str]
) -> None:
    postings = indexed(documents, given_at_once)
    for number in gone & set(range(len(documents))):
        postings.remove(number, documents[number])
    left = {number: terms for number, terms in enumerate(documents) if number not in gone}
    assert searched(postings, question, 100) == pytest.approx(formula(left, question, left))
    assert len(postings) == len(left)
    assert frequencies(postings, question) == [
        sum(term in terms for terms in left.values()) for term in question
    ]


@given(st.lists(st.tuples(TERMS, st.booleans(), TERMS), max_size=25))
def test_searching_between_changes_keeps_nothing_stale(
    steps: list[tuple[list[str], bool, list[str]]],
) -> None:
    postings, living = Postings(), dict[int, list[str]]()
    for terms, remove, question in steps:
        if remove and living:
            number, old = living.popitem()
            postings.remove(number, old)
        else:
            living[postings.add(terms)] = terms
        assert searched(postings, question, 100) == pytest.approx(formula(living, question, living))
        there = (postings.words(1000) or "").split()
        assert sorted(there) == sorted({term for each in living.values() for term in each})
        assert postings.words(0) is None


@given(DOCUMENTS, TERMS, st.sets(st.integers(0, 24)))
def test_allowed_limits_the_documents_and_not_the_statistics(
    documents: list[list[str]], question: list[str], allowed: set[int]
) -> None:
    within = allowed & set(range(len(documents)))
    expected = formula(dict(enumerate(documents)), question, within)
    assert searched(indexed(documents), question, 100, allowed=within) == pytest.approx(expected)


@given(DOCUMENTS, TERMS, st.integers(1, 5))
def test_a_limit_keeps_so_many_with_their_true_scores(
    documents: list[list[str]], question: list[str], limit: int
) -> None:
    expected = formula(dict(enumerate(documents)), question, range(len(documents)))
    found = searched(indexed(documents), question, limit)
    assert len(found) == min(limit, len(expected))
    assert found == pytest.approx({number: expected[number] for number in found})


def test_terms_are_no_objects_of_the_garbage_collector() -> None:
    """It would hold up all threads for long, with many owners in the process."""

    def tracked() -> int:
        gc.collect()
        return len(gc.get_objects())

    before = tracked()
    postings = indexed([[f"word{n}", f"word{n % 500}"] for n in range(1000)], given_at_once=1000)
    postings.remove(999, ["word999", "word499"])
    assert searched(postings, ["word7"], 5).keys() == {7, 507}
    assert tracked() - before < 50


def test_the_best_are_kept() -> None:
    documents = [["tea"] * n + ["rye"] * (20 - n) for n in range(1, 15)]
    assert set(searched(indexed(documents), ["tea"], 3)) == {11, 12, 13}


def test_a_rare_term_wins_over_one_that_all_have() -> None:
    documents = [["tea", "milk"]] * 300 + [["fig", "rye"]]
    assert set(searched(indexed(documents), ["tea", "fig"], 1)) == {300}


def test_common_terms_still_count_for_documents_with_rare_ones() -> None:
    """Also once enough are found, and common terms find no more documents."""
    documents = [["fig", "rye"]] * 40 + [["fig", "tea"]] + [["tea", "rye"]] * 500
    found = searched(indexed(documents), ["fig", "tea"], 5)
    assert max(found, key=found.__getitem__) == 40
    assert set(found) <= set(range(41))


def test_a_term_asked_twice_counts_once() -> None:
    postings = indexed([["tea"], ["milk"]])
    assert searched(postings, ["tea", "tea"], 9) == searched(postings, ["tea"], 9)


def test_nothing_is_found_where_nothing_is() -> None:
    assert searched(Postings(), ["tea"], 9) == {}
    assert searched(indexed([[], []]), ["tea"], 9) == {}
    assert searched(indexed([["tea"]]), [], 9) == {}
    assert searched(indexed([["tea"]]), ["tea"], 9, allowed=set()) == {}


@given(DOCUMENTS, st.lists(st.sampled_from(WORDS.split()), unique=True), st.sets(st.integers(0, 24)))
def test_matches_are_the_counts_of_the_terms(
    documents: list[list[str]], question: list[str], wanted: set[int]
) -> None:
    wanted &= set(range(len(documents)))
    postings = indexed(documents)
    for make in KINDS:
        numbered = make.numbered([make.index(sorted(wanted))], len(documents))
        which, place, counts = postings.matches(postings.terms(question, make), numbered, make)
        number = numbered.values.take(place).tolist()
        assert sorted(zip(number, which.tolist(), counts.tolist(), strict=True)) == [
            (number, i, documents[number].count(term))
            for number in sorted(wanted)
            for i, term in enumerate(question)
            if term in documents[number]
        ]


def test_of_equal_scores_the_first_are_kept() -> None:
    """In both kinds of columns, so that they find the same."""
    assert set(searched(indexed([["tea", "oat"]] * 9 + [["tea", "tea"]]), ["tea"], 4)) == {9, 0, 1, 2}
    documents = [["tea", "oat"]] * 3 + [["milk", "oat"]] * 2
    assert set(searched(indexed([*documents, ["tea", "milk"]]), ["tea", "milk"], 2)) == {5, 3}


def test_many_different_questions_find_what_the_first_one_does() -> None:
    """Few terms are looked for in the texts, then all are indexed; the answers do not tell which."""
    documents = [[f"word{i}", f"word{i}", "tea"] for i in range(110)]
    postings = indexed(documents, 110)
    for i in [*range(110), 0, 3, 99]:
        assert searched(postings, [f"word{i}"], 9) == pytest.approx(
            formula(dict(enumerate(documents)), [f"word{i}"], [i])
        )
    assert frequencies(postings, ["tea", "word"]) == [110, 0]


@pytest.mark.parametrize("given_at_once", [0, 3])
def test_lengths_and_their_mean(given_at_once: int) -> None:
    postings = indexed([["tea", "tea"], [], ["milk"] * 4], given_at_once)
    assert list(postings.lengths) == [2, 0, 4]
    assert postings.mean_length == 2
    postings.remove(2, ["milk"] * 4)
    assert postings.mean_length == 1
    assert Postings().mean_length == 1


def test_idf_is_never_negative_and_falls_with_frequency() -> None:
    values = [idf(10, frequency) for frequency in range(11)]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0
    assert idf(10, 2) == pytest.approx(log(1 + 8.5 / 2.5))
    assert idf(3, 5) > 0, "statistics that lag behind are no trouble"
