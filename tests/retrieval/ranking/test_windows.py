"""What a record takes of its neighbours' evidence."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.ports.store.search import Weights
from memwell.retrieval.columns import Columns
from memwell.retrieval.columns.arrays import arrays
from memwell.retrieval.columns.lists import LISTS
from memwell.retrieval.ranking.windows import REACH, windows

PLAIN = Weights(reach=10, before=0.8, after=0.4, reply=0.0, asked=0.0)
KINDS: list[Columns] = [LISTS, arrays()]  # type: ignore[list-item]  they are alike


class Share(NamedTuple):
    words: float
    meaning: float
    length: int


@dataclass
class Talk:
    """One conversation, in the order of its slots or another."""

    lengths: array[int]
    actors: array[int]
    shares: array[float]
    before: array[int]
    after: array[int]


def talk(
    *lengths: int,
    actors: Sequence[int] = (),
    asks: Sequence[float] = (),
    order: Sequence[int] | None = None,
) -> Talk:
    """Turns of some lengths; nobody is known to speak and nothing asks, unless that is given."""
    size = len(lengths)
    actors, asks = [*actors, *[0] * size][:size], [*asks, *[0.0] * size][:size]
    order = range(size) if order is None else order
    before, after = array("q", range(size)), array("q", range(size))
    for one, other in itertools.pairwise(order):
        after[one], before[other] = other, one
    return Talk(array("q", lengths), array("q", actors), array("d", asks), before, after)


def window(turns: Talk, place: int, weights: Weights = PLAIN) -> dict[int, Share]:
    """The neighbours in the window of a turn; the same with lists and with arrays, for one turn and for all."""
    found = []
    for make in KINDS:
        for slots in ([place], list(range(len(turns.lengths)))):
            columns = windows(turns, make.index(slots), weights, make)
            rows = zip(*(column.tolist() for column in columns), strict=True)
            found.append({slot: Share(*rest) for at, slot, *rest in rows if slots[at] == place})
    for other in found[1:]:
        assert list(other) == list(found[0])
        assert all(other[key] == pytest.approx(share) for key, share in found[0].items())
    return found[0]


def test_a_share_falls_with_the_terms_between_the_middles() -> None:
    found = window(talk(6, 4, 2, 8), 2)
    assert found[1].words == pytest.approx(0.8 * exp(-(1 + 2) / 10))
    assert found[0].words == pytest.approx(0.8 * exp(-(1 + 4 + 3) / 10))
    assert found[3].words == pytest.approx(0.4 * exp(-(1 + 4) / 10))
    assert all(share.meaning == share.words for share in found.values())
    assert {key: share.length for key, share in found.items()} == {1: 4, 0: 6, 3: 8}


def test_neighbours_beyond_reach_lend_nothing() -> None:
    assert set(window(talk(*[0] * 9), 4)) == {1, 2, 3, 5, 6, 7}
    assert REACH == 3


def test_long_messages_lend_almost_nothing() -> None:
    assert window(talk(40, 40, 40), 1) == {}


def test_no_reach_no_window() -> None:
    assert window(talk(1, 1, 1), 1, Weights(reach=0, reply=0.0)) == {}


def test_one_that_stands_alone_has_no_window() -> None:
    assert window(talk(10), 0) == {}


def test_the_answer_of_somebody_else_lends_its_meaning_however_long_it_is() -> None:
    found = window(talk(500, 500, 500, actors=[1, 2, 1]), 0, Weights(reply=0.35))
    assert set(found) == {1}
    assert (found[1].words, found[1].meaning) == (0, 0.35)


def test_only_the_very_next_turn_is_an_answer() -> None:
    weights = Weights(reply=0.35)
    assert window(talk(500, 500, 500, actors=[1, 1, 2]), 0, weights) == {}
    assert window(talk(500, 500, 500), 0, weights) == {}, "nobody is known to speak"
    assert window(talk(500, 500, actors=[1, 2]), 1, weights) == {}, "what was said before is no answer"


def test_where_nobody_is_known_to_speak_a_turn_after_one_that_asks_is_an_answer() -> None:
    weights = Weights(reply=0.35)
    assert window(talk(500, 500, asks=[0.6, 0.1]), 0, weights)[1].meaning == 0.35
    assert window(talk(500, 500, asks=[0.6, 0.6]), 0, weights) == {}
    assert window(talk(500, 500, actors=[0, 1], asks=[0.6, 0.1]), 0, weights) == {}


def test_an_answer_near_by_keeps_its_larger_share() -> None:
    near = window(talk(2, 2, actors=[1, 2]), 0, Weights(after=0.9, reply=0.35))
    assert near[1].meaning == near[1].words > 0.35


def test_a_question_counts_more_to_the_turn_that_answers_it() -> None:
    weights = Weights(reply=0.0, asked=0.5)
    plain = window(talk(10, 10, 10, actors=[1, 1, 2]), 2, weights)
    asked = window(talk(10, 10, 10, actors=[1, 1, 2], asks=[0, 1.0]), 2, weights)
    assert asked[1].words == pytest.approx(1.5 * plain[1].words)
    assert asked[1].meaning == pytest.approx(1.5 * plain[1].meaning)
    assert asked[0] == plain[0]


def test_a_question_does_not_count_more_to_the_one_who_asked_it() -> None:
    weights = Weights(asked=0.5)
    asked = window(talk(10, 10, actors=[1, 1], asks=[1.0]), 1, weights)
    assert asked == window(talk(10, 10, actors=[1, 1]), 1, weights)


def test_the_order_of_the_conversation_decides_and_not_the_slots() -> None:
    found = window(talk(2, 4, 6, order=[2, 0, 1]), 0)
    assert list(found) == [2, 1]
    assert found[2].words == pytest.approx(0.8 * exp(-(1 + 3) / 10))


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0])), min_size=1),
    st.sampled_from([Weights(), PLAIN, Weights(reach=3, reply=0.9, asked=2)]),
    st.data(),
)
def test_lists_and_arrays_have_the_same_windows(
    said: list[tuple[int, int, float]], weights: Weights, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(said))))
    turns = talk(
        *(n for n, _, _ in said), actors=[a for _, a, _ in said], asks=[s for *_, s in said], order=order
    )
    for place in range(len(said)):
        for share in window(turns, place, weights).values():
            assert 0 <= share.words <= share.meaning
