"""What a record takes of its neighbours' evidence."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.ports.store.search import Features, Weights
from memwell.retrieval.ranking.windows import REACH, Share, gather, shares

PLAIN = Weights(reach=10, before=0.8, after=0.4, reply=0.0, asked=0.0)


def turns(*features: Features) -> dict[int, Features]:
    return dict(enumerate(features))


def window(features: dict[int, Features], place: int, weights: Weights = PLAIN) -> dict[int, Share]:
    return {share.key: share for share in shares(list(features), place, features.__getitem__, weights)}


def talk(*actors: str, length: int = 10, question_share: Sequence[float] = ()) -> dict[int, Features]:
    asks = [*question_share, *[0.0] * len(actors)]
    return turns(
        *(Features(length=length, actor=actor, question_share=asks[i]) for i, actor in enumerate(actors))
    )


# ------------------------------------------------------------------------------------------------ shares


def test_a_share_falls_with_the_terms_between_the_middles() -> None:
    found = window(turns(*(Features(length=n) for n in (6, 4, 2, 8))), 2)
    assert found[1].words == pytest.approx(0.8 * exp(-(1 + 2) / 10))
    assert found[0].words == pytest.approx(0.8 * exp(-(1 + 4 + 3) / 10))
    assert found[3].words == pytest.approx(0.4 * exp(-(1 + 4) / 10))
    assert all(share.meaning == share.words for share in found.values())
    assert {key: share.length for key, share in found.items()} == {1: 4, 0: 6, 3: 8}


def test_neighbours_beyond_reach_lend_nothing() -> None:
    assert set(window(talk(*"abcdefghi", length=0), 4)) == {1, 2, 3, 5, 6, 7}
    assert REACH == 3


def test_long_messages_lend_almost_nothing() -> None:
    assert window(talk("a", "b", "a", length=40), 1) == {}


def test_no_reach_no_window() -> None:
    off = Weights(reach=0, reply=0.0)
    assert window(talk("a", "b", "a", length=1), 1, off) == {}


def test_one_that_stands_alone_has_no_window() -> None:
    assert window(talk("a"), 0) == {}


def test_the_answer_of_somebody_else_lends_its_meaning_however_long_it_is() -> None:
    weights = Weights(reply=0.35)
    found = window(talk("a", "b", "a", length=500), 0, weights)
    assert set(found) == {1}
    assert (found[1].words, found[1].meaning) == (0, 0.35)


def test_only_the_very_next_turn_is_an_answer() -> None:
    weights = Weights(reply=0.35)
    assert window(talk("a", "a", "b", length=500), 0, weights) == {}
    assert window(turns(*(Features(length=500) for _ in range(3))), 0, weights) == {}, (
        "nobody is known to speak"
    )
    assert window(talk("a", "b", length=500), 1, weights) == {}, "what was said before is no answer"


def test_an_answer_near_by_keeps_its_larger_share() -> None:
    near = window(talk("a", "b", length=2), 0, Weights(after=0.9, reply=0.35))
    assert near[1].meaning == near[1].words > 0.35


def test_a_question_counts_more_to_the_turn_that_answers_it() -> None:
    weights = Weights(reply=0.0, asked=0.5)
    plain = window(talk("a", "a", "b"), 2, weights)
    asked = window(talk("a", "a", "b", question_share=[0, 1.0]), 2, weights)
    assert asked[1].words == pytest.approx(1.5 * plain[1].words)
    assert asked[1].meaning == pytest.approx(1.5 * plain[1].meaning)
    assert asked[0] == plain[0]


def test_a_question_does_not_count_more_to_the_one_who_asked_it() -> None:
    asked = talk("a", "a", question_share=[1.0])
    assert window(asked, 1, Weights(asked=0.5)) == window(talk("a", "a"), 1, Weights(asked=0.5))


def test_the_order_of_seats_decides_and_not_the_keys() -> None:
    features = turns(*(Features(length=n) for n in (2, 4, 6)))
    found = shares([2, 0, 1], 1, features.__getitem__, PLAIN)
    assert [share.key for share in found] == [2, 1]
    assert found[0].words == pytest.approx(0.8 * exp(-(1 + 3) / 10))


# ------------------------------------------------------------------------------------------------ gather

FEATURES = turns(Features(length=10), Features(length=4), Features(length=8))
HALF = {0: [Share(1, 0.5, 0.25, 4)]}


def test_counts_lengths_and_cosines_are_summed_over_the_window() -> None:
    [found] = gather(
        HALF,
        features=FEATURES.__getitem__,
        matches={0: [(0, 2)], 1: [(0, 4), (3, 1)]},
        cosines={0: 0.6, 1: 0.2},
        mean_cosine=0.1,
    )
    assert (found.key, found.features) == (0, FEATURES[0])
    assert list(found.matches) == [(0, 2)], "its own only"
    assert found.cosine == 0.6, "its own only"
    assert found.counts == {0: 2 + 0.5 * 4, 3: 0.5}
    assert found.length == 10 + 0.5 * 4
    assert found.window_cosine == pytest.approx((0.6 + 0.25 * 0.2) / 1.25)


def test_neighbours_that_are_not_visible_lend_nothing() -> None:
    [found] = gather(
        HALF,
        features=FEATURES.__getitem__,
        matches={1: [(0, 4)]},
        cosines={0: 0.6, 1: 0.2},
        mean_cosine=0.1,
        visible={0, 2},
    )
    assert (found.counts, found.length, found.window_cosine) == ({}, 10, 0.6)


def test_typical_stands_in_for_a_missing_cosine() -> None:
    windows = {0: HALF[0], 2: []}
    alone, other = gather(
        windows, features=FEATURES.__getitem__, matches={}, cosines={1: 0.5}, mean_cosine=0.1
    )
    assert alone.cosine is None
    assert alone.window_cosine == pytest.approx((0.1 + 0.25 * 0.5) / 1.25)
    assert (other.cosine, other.window_cosine) == (None, 0.1)
    [lender] = gather(HALF, features=FEATURES.__getitem__, matches={}, cosines={0: 0.5}, mean_cosine=0.1)
    assert lender.window_cosine == pytest.approx((0.5 + 0.25 * 0.1) / 1.25)


def test_without_vectors_there_is_no_meaning() -> None:
    [found] = gather(HALF, features=FEATURES.__getitem__, matches={}, cosines={}, mean_cosine=None)
    assert (found.cosine, found.window_cosine) == (None, None)


def test_the_evidence_handed_in_is_not_changed() -> None:
    matches = {0: [(0, 2)], 1: [(0, 4)]}
    for _ in range(2):
        [found] = gather(HALF, features=FEATURES.__getitem__, matches=matches, cosines={}, mean_cosine=None)
        assert found.counts == {0: 4}
    assert matches == {0: [(0, 2)], 1: [(0, 4)]}


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("ab"), st.sampled_from([0.0, 1.0])), min_size=1),
    st.data(),
)
def test_a_mean_cosine_lies_between_those_it_is_made_of(
    said: list[tuple[int, str, float]], data: st.DataObject
) -> None:
    features = turns(*(Features(length=n, actor=actor, question_share=share) for n, actor, share in said))
    cosines = data.draw(st.dictionaries(st.sampled_from(list(features)), st.floats(-1, 1)))
    windows = {place: shares(list(features), place, features.__getitem__, Weights()) for place in features}
    for found in gather(windows, features=features.__getitem__, matches={}, cosines=cosines, mean_cosine=0.0):
        assert found.window_cosine is not None
        known = [cosines.get(found.key, 0.0), *(cosines.get(s.key, 0.0) for s in windows[int(found.key)])]
        assert min(known) - 1e-9 <= found.window_cosine <= max(known) + 1e-9
        assert found.length >= features[int(found.key)].length
