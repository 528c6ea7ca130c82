"""Each signal moves the order the way it says, and the parts of a score explain it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from math import exp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.ports.store.search import DEFAULT, Candidate, Features, Interval, Statistics, Weights
from memwell.retrieval.analysis.features import Question, describe, question
from memwell.retrieval.analysis.text import read_query
from memwell.retrieval.index.postings import idf
from memwell.retrieval.ranking.rank import Ranked, rank

DAY = date(2023, 7, 19).toordinal()
STATISTICS = Statistics(documents=100, frequencies=[2, 30], mean_cosine=0.1)
ANYTHING = Question()


def candidate(
    key: int,
    *,
    cosine: float | None = 0.5,
    window_cosine: float | None = None,
    words: Sequence[tuple[int, int]] = ((0, 1),),
    length: float = 10,
    session: Hashable | None = None,
    phrases: float = 0.0,
    **features: Any,
) -> Candidate:
    return Candidate(
        key,
        Features(length=int(length), **features),
        tuple(words),
        cosine,
        dict(words),
        length,
        cosine if window_cosine is None else window_cosine,
        session,
        phrases,
    )


def ranked(*candidates: Candidate, ask: Question = ANYTHING, **options: Any) -> list[Ranked]:
    options = {"statistics": STATISTICS, "limit": 10} | options
    return rank(candidates, question=ask, **options)


def order(*candidates: Candidate, ask: Question = ANYTHING, **options: Any) -> list[int | str]:
    return [item.key for item in ranked(*candidates, ask=ask, **options)]


def values(item: Ranked) -> dict[str, float]:
    return {part.name: part.value for part in item.parts}


# ------------------------------------------------------------------------------------------- each signal


def test_the_nearer_by_meaning_is_better() -> None:
    assert order(candidate(1, cosine=0.3), candidate(2, cosine=0.8), candidate(3, cosine=0.5)) == [2, 3, 1]


def test_meaning_goes_from_typical_to_the_best_of_the_query() -> None:
    many = Statistics(documents=10**9, frequencies=[2, 30], mean_cosine=0.1)
    some = [candidate(i, cosine=cosine, words=()) for i, cosine in enumerate((0.5, 0.3, 0.1, 0.0))]
    found = [values(item).get("semantic", 0) for item in ranked(*some, statistics=many)]
    assert found == pytest.approx([1, 0.5, 0, 0], abs=1e-6)


def test_without_a_typical_cosine_the_lowest_is_zero() -> None:
    known = Statistics(documents=100, frequencies=[2, 30])
    low, high = candidate(1, cosine=0.4, words=()), candidate(2, cosine=0.6, words=())
    assert [values(item) for item in ranked(low, high, statistics=known)] == [{"semantic": 1}, {}]


def test_the_window_counts_for_meaning_and_not_the_record_alone() -> None:
    assert order(
        candidate(1, cosine=0.5, window_cosine=0.3), candidate(2, cosine=0.4, window_cosine=0.4)
    ) == [2, 1]


def test_rare_words_count_more_than_frequent_ones() -> None:
    assert order(candidate(1, words=[(1, 1)]), candidate(2, words=[(0, 1)])) == [2, 1]


def test_more_words_more_often_and_in_less_text_are_better() -> None:
    assert order(candidate(1, words=[(0, 1)]), candidate(2, words=[(0, 1), (1, 1)])) == [2, 1]
    assert order(candidate(1, words=[(0, 1)]), candidate(2, words=[(0, 3)])) == [2, 1]
    assert order(candidate(1, length=30), candidate(2, length=10)) == [2, 1]


def test_the_lexical_part_is_bm25_by_the_best() -> None:
    first, second = ranked(
        candidate(1, cosine=None, words=[(0, 2)], length=10),
        candidate(2, cosine=None, words=[(1, 1)], length=30),
    )
    k1, b = DEFAULT.k1, DEFAULT.b
    best = idf(100, 2) * 2 / (2 + k1 * (1 - b + b * 10 / 20))
    other = idf(100, 30) / (1 + k1 * (1 - b + b * 30 / 20))
    assert values(first)["lexical"] == 1
    assert values(second)["lexical"] == pytest.approx(other / best)


def test_what_the_named_one_said_is_better() -> None:
    ask = Question(actors=frozenset({"ana"}), named=True)
    first, second = ranked(candidate(1, actor="bo"), candidate(2, actor="ana"), ask=ask)
    assert (first.key, values(first)["actor"]) == (2, 1)
    assert "actor" not in values(second)


def test_what_the_meant_role_said_is_better() -> None:
    ask = Question(actors=frozenset({"user"}))
    first, _ = ranked(candidate(1, actor=None), candidate(2, actor="user"), ask=ask)
    assert (first.key, values(first)["role"]) == (2, 1)
    assert "actor" not in values(first)


def around(first: int, last: int) -> Question:
    return Question(intervals=((DAY + first, DAY + last),))


@pytest.mark.parametrize(
    ("wanted", "features", "value"),
    [
        ((0, 0), {"day": DAY}, 1),
        ((-3, 3), {"day": DAY}, 1),
        ((0, 0), {"day": DAY + 5}, 0.6 * exp(-1)),
        ((-1, 0), {"day": DAY + 5}, exp(-1)),
        ((0, 0), {"day": DAY - 5}, 0.6 * exp(-3)),
        ((0, 0), {"day": None}, 0),
        ((0, 0), {"day": None, "intervals": ((DAY, DAY),)}, 1),
        ((0, 6), {"day": None, "intervals": ((DAY + 6, DAY + 6),)}, 1),
        ((0, 0), {"day": None, "intervals": ((DAY - 5, DAY - 5),)}, exp(-2)),
        ((0, 0), {"day": None, "intervals": ((DAY, DAY + 8),)}, 0.5),
        ((0, 0), {"day": DAY + 90, "intervals": ((DAY - 400, DAY - 390), (DAY, DAY))}, 1),
    ],
)
def test_nearness_in_time(wanted: Interval, features: dict[str, Any], value: float) -> None:
    """Told a while after is nearer than told before; a vague time is less than a precise one."""
    [found] = ranked(candidate(1, **features), ask=around(*wanted))
    assert values(found).get("time", 0) == pytest.approx(value)


def test_the_nearest_of_several_times_counts() -> None:
    ask = Question(intervals=((DAY - 900, DAY - 900), (DAY, DAY)))
    [found] = ranked(candidate(1, day=DAY), ask=ask)
    assert values(found)["time"] == 1


def test_records_of_the_time_asked_for_are_better() -> None:
    assert order(candidate(1, day=DAY - 60), candidate(2, day=DAY), ask=around(-1, 1)) == [2, 1]


def test_when_asks_for_records_that_mention_a_time() -> None:
    ask = Question(asks_when=True)
    timed, plain = candidate(2, intervals=((DAY, DAY),)), candidate(1)
    assert order(plain, timed, ask=ask) == [2, 1]
    assert order(plain, timed) == [1, 2]


def test_a_quoted_phrase_lifts_those_that_hold_it() -> None:
    ask = Question(quotes=True)
    assert order(candidate(1), candidate(2, phrases=0.5), candidate(3, phrases=1), ask=ask) == [3, 2, 1]
    assert order(candidate(1), candidate(2, phrases=1)) == [1, 2]


def test_what_only_asks_is_worse() -> None:
    statement, asked = ranked(candidate(1, question_share=1.0), candidate(2))
    assert (statement.key, asked.key) == (2, 1)
    [share] = [part for part in asked.parts if part.name == "question_share"]
    assert share.value == 1
    assert share.weight < 0


def test_the_session_of_the_best_is_better() -> None:
    best = candidate(1, cosine=0.9, session="s")
    others = candidate(2, cosine=0.3, session="t"), candidate(3, cosine=0.3, session="s")
    assert order(best, *others) == [1, 3, 2]


def test_one_session_alone_tells_nothing() -> None:
    found = ranked(candidate(1, session="s"), candidate(2, session="s"), candidate(3))
    assert not [item for item in found if "session" in values(item)]


def test_a_record_without_a_session_is_its_own() -> None:
    found = ranked(
        candidate(1, cosine=0.9, session="s"), candidate(2, cosine=0.9), candidate(3, cosine=0.2, session="t")
    )
    assert {item.key: values(item)["session"] for item in found[:2]} == {1: 1, 2: 1}
    assert values(found[2])["session"] < 1


@pytest.mark.parametrize(
    "name", ["semantic", "lexical", "actor", "time", "when", "phrase", "session", "question_share"]
)
def test_a_weight_of_zero_switches_a_signal_off(name: str) -> None:
    ask = Question(
        actors=frozenset({"ana"}), named=True, intervals=((DAY, DAY),), asks_when=True, quotes=True
    )
    full = candidate(
        1, session="s", phrases=1.0, actor="ana", day=DAY, intervals=((DAY, DAY),), question_share=1.0
    )
    found = ranked(full, candidate(2, session="t"), ask=ask)
    assert name in values(found[0])
    off = ranked(full, candidate(2, session="t"), ask=ask, weights=Weights(**{name: 0.0}))
    assert not [part for item in off for part in item.parts if part.name == name and part.weight]


def test_larger_weights_win() -> None:
    by_words = candidate(1, cosine=0.2, words=[(0, 1)])
    by_meaning = candidate(2, cosine=0.9, words=[(1, 1)])
    assert order(by_words, by_meaning, weights=Weights(semantic=1, lexical=0.1))[0] == 2
    assert order(by_words, by_meaning, weights=Weights(semantic=0.1, lexical=1))[0] == 1


# ------------------------------------------------------------------------------------------------ scores


def test_without_vectors_words_stand_alone() -> None:
    found = ranked(candidate(1, cosine=None, words=()), candidate(2, cosine=None))
    assert [item.key for item in found] == [2, 1]
    assert set(values(found[0])) == {"lexical", "coverage"}


def test_without_matching_words_meaning_stands_alone() -> None:
    found = ranked(candidate(1, words=(), cosine=0.2), candidate(2, words=(), cosine=0.6))
    assert [item.key for item in found] == [2, 1]
    assert set(values(found[0])) == {"semantic"}


def test_with_neither_the_actor_still_orders() -> None:
    ask = Question(actors=frozenset({"ana"}), named=True)
    nothing = {"cosine": None, "words": ()}
    found = ranked(candidate(1, **nothing), candidate(2, actor="ana", **nothing), ask=ask)
    assert [(item.key, item.score) for item in found] == [(2, 0), (1, 0)]


def score(*, ask: Question = ANYTHING, documents: int = 100, **given: Any) -> float:
    known = Statistics(documents=documents, frequencies=[2, 30], mean_cosine=0.0)
    return ranked(candidate(1, **given), ask=ask, statistics=known)[0].score


def test_the_score_tells_how_surely_the_record_answers() -> None:
    nothing: list[tuple[int, int]] = []
    one, both = [(0, 1)], [(0, 1), (1, 1)]
    assert score(cosine=0.2, words=nothing) < 0.25 < score(cosine=0.8, words=nothing) < 0.6
    assert score(cosine=0.5, words=nothing) < score(cosine=0.5, words=one) < score(cosine=0.5, words=both)
    assert score(cosine=0.7, words=both) > 0.9
    assert score(cosine=None, words=[(1, 1)]) < score(cosine=None, words=one) < score(cosine=None, words=both)
    assert score(cosine=None, words=[(1, 1)]) < 0.5 < 0.7 < score(cosine=None, words=both)
    common = Question(light=frozenset({1}))
    assert score(cosine=0.5, words=one, ask=common) == score(cosine=0.5, words=both)


def test_the_same_about_another_person_is_evidence_against() -> None:
    tomas = Question(names=frozenset({1}))
    assert score(cosine=0.6, words=[(0, 1)], ask=tomas) < 0.5
    assert score(cosine=0.6, words=[(0, 1), (1, 1)], ask=tomas) > 0.8


def test_an_identifier_that_is_lacking_is_evidence_against() -> None:
    version = Question(identifiers=({0: 1.0},))
    both = [(0, 1), (1, 1)]
    assert score(cosine=0.6, words=[(1, 1)], ask=version) < score(cosine=0.6, words=both, ask=version) - 0.05
    assert score(cosine=0.6, words=[(0, 1), (1, 1)], ask=version) > 0.9


def test_a_score_is_the_same_whatever_else_is_stored_that_fits_less() -> None:
    tea = candidate(1, cosine=0.6, words=[(0, 1)])
    others = [candidate(key, cosine=0.05 * key, words=[(1, 1)] * (key % 2)) for key in range(2, 9)]
    assert [ranked(tea)[0].score] == [ranked(tea, *others)[0].score]
    better = candidate(9, cosine=0.9, words=[(0, 1), (1, 1)])
    assert ranked(tea, better)[1].score == ranked(tea)[0].score


def test_ties_keep_the_order_of_the_candidates() -> None:
    assert order(*(candidate(key) for key in (5, 3, 9, 1))) == [5, 3, 9, 1]


def test_a_limit_cuts_after_ordering() -> None:
    some = [candidate(i, cosine=i / 10) for i in range(9)]
    assert order(*some, limit=3) == [8, 7, 6]
    assert order(*some, limit=0) == []


def test_no_candidates_no_hits() -> None:
    ask = Question(actors=frozenset({"a"}), intervals=((1, 2),), asks_when=True, quotes=True)
    assert ranked(ask=ask, statistics=Statistics(documents=0, frequencies=[])) == []


CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.integers(),
        cosine=st.none() | st.floats(-1, 1),
        words=st.dictionaries(st.integers(0, 1), st.integers(1, 9)).map(lambda d: list(d.items())),
        length=st.integers(0, 500),
        session=st.sampled_from([None, "s", "t"]),
        phrases=st.sampled_from([0.0, 0.5, 1.0]),
        actor=st.sampled_from([None, "ana", "bo"]),
        day=st.none() | st.integers(DAY - 50, DAY + 50),
        intervals=st.lists(st.integers(DAY - 50, DAY).map(lambda day: (day, day + 3)), max_size=2),
        question_share=st.floats(0, 1),
    ),
    max_size=15,
)
QUESTIONS = st.builds(
    Question,
    actors=st.sampled_from([frozenset[str](), frozenset({"ana"})]),
    named=st.booleans(),
    intervals=st.lists(st.integers(DAY - 50, DAY).map(lambda day: (day, day + 3)), max_size=2),
    asks_when=st.booleans(),
    quotes=st.booleans(),
)


@given(CANDIDATES, QUESTIONS, st.none() | st.floats(-1, 1))
def test_scores_fall_from_1_to_0_and_are_the_sums_of_their_parts(
    candidates: list[Candidate], ask: Question, mean_cosine: float | None
) -> None:
    statistics = Statistics(documents=100, frequencies=[2, 30], mean_cosine=mean_cosine)
    found = ranked(*candidates, ask=ask, statistics=statistics, limit=99)
    assert len(found) == len(candidates)
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True)
    for item in found:
        total = sum(part.weight * part.value for part in item.parts)
        assert item.score == pytest.approx(min(1.0, max(0.0, total)))
        assert all(0 <= part.value <= 1 + 1e-9 for part in item.parts)
        assert len({part.name for part in item.parts}) == len(item.parts)


@given(CANDIDATES, QUESTIONS, st.integers(0, 20))
def test_a_limit_gives_the_beginning_of_all(candidates: list[Candidate], ask: Question, limit: int) -> None:
    assert ranked(*candidates, ask=ask, limit=limit) == ranked(*candidates, ask=ask, limit=99)[:limit]


# ----------------------------------------------------------------------------------------------- evidence


def test_facts_of_a_record() -> None:
    statement = datetime(2023, 7, 19, 9, tzinfo=UTC)
    terms, features = describe("Ána: I moved yesterday. And you?", created_at=statement)
    assert terms == ["ana", "move", "yesterday", "2023-07-18"]
    assert features == Features(
        length=4,
        actor="ana",
        day=DAY,
        second=9 * 3600,
        intervals=((DAY - 1, DAY - 1),),
        shifted={-1: ((DAY - 2, DAY - 2),), 1: ((DAY, DAY),)},
        question_share=features.question_share,
    )
    assert 0 < features.question_share < 1


def test_an_actor_in_the_metadata_counts_before_a_prefix() -> None:
    _, features = describe("Note: buy tea", created_at=datetime(2023, 7, 19, tzinfo=UTC), actor="Ana")
    assert features.actor == "ana"


def test_what_replaces_the_best_is_newer_or_older_and_shares_its_rare_terms_and_names() -> None:
    texts = ("flour bellegard sack", "bellegard mill barton flour", "boat porto jona")
    fits, days = (0.6, 0.55, 0.56), (DAY - 600, DAY - 500, DAY - 500)
    found = [
        replace(
            candidate(at, cosine=fits[at], day=days[at]), lexemes=text, matches=((0, 1),) if at < 2 else ()
        )
        for at, text in enumerate(texts)
    ]
    best, *others = ranked(*found, ask=Question(newest=1.0))
    assert (best.key, values(best)["succession"] > 0.3) == (1, True)
    assert not any("succession" in values(other) for other in others)
    before = ranked(found[1], replace(found[0], cosine=0.5, window_cosine=0.5), ask=Question(newest=-1.0))
    assert {item.key: "succession" in values(item) for item in before} == {0: True, 1: False}
    named = replace(found[1], matches=())
    asked = ranked(found[0], named, found[2], ask=Question(newest=1.0, names=frozenset({0})))
    assert not any("succession" in values(item) for item in asked)


def test_a_question_resolves_its_times_against_now() -> None:
    now = datetime(2023, 7, 19, tzinfo=UTC)
    asked = question(read_query('When did Ana say "blue heron" last week?', actors=["ana"]), now=now)
    week = (date(2023, 7, 10).toordinal(), date(2023, 7, 16).toordinal())
    assert replace(asked, light=frozenset()) == Question(
        actors=frozenset({"ana"}), named=True, intervals=(week,), asks_when=True, quotes=True
    )


def test_what_is_typical_of_a_single_record_is_not_its_own_cosine() -> None:
    from memwell.retrieval.ranking.signals import _shrunk

    assert _shrunk(0.8, 1) == pytest.approx(0.4)
    assert _shrunk(0.8, 10_000) == pytest.approx(0.8, abs=1e-4)
