"""Misspelt words are read as the word that is there and differs by one slip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.retrieval.analysis.spelling import meant

WORDS = " passport librari number floor choir metformin boot wife "


@pytest.mark.parametrize("word", ["passport", "librari", "metformin"])
@given(data=st.data())
def test_one_slip_after_the_first_letter_is_understood(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(word) - 2))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyzé"))
    slips = [word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]]
    slips.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    assert {meant(slip, WORDS, ()) for slip in slips if slip != word} <= {word}


@pytest.mark.parametrize(
    "word", ["boat", "wire", "kassport", "pasprot2", "nmbrr", "pas", "floor.x", "passwords"]
)
def test_other_words_short_ones_and_identifiers_are_left_alone(word: str) -> None:
    assert meant(word, WORDS, ()) is None


def test_of_several_the_most_frequent_is_meant_and_none_that_the_question_has_already() -> None:
    there = " hostel hotel  hotel room "
    assert meant("hotels", there, ()) == "hotel"
    assert meant("hotels", there, ("hotel",)) is None
    assert meant("hosstel", there + "hostels ", ()) == "hostel"


@given(
    st.lists(
        st.sampled_from([*WORDS.split(), "hotel", "hostel", "floorplan", "chorus", "hotelroom"]), max_size=12
    )
)
def test_a_list_of_all_words_finds_what_the_text_finds(there: list[str]) -> None:
    text, every = f" {' '.join(there)} ", f"{WORDS}hotel hotels hostel floorplan chorus hotelroom "
    for term in ("hotal", "hostels", "floor", "chior", "hotel", "bboot", "wifes"):
        if term not in there:
            assert meant(term, text, (), every) == meant(term, text, ())


def test_a_word_may_be_the_beginning_or_the_end_of_a_compound() -> None:
    text = " gehaltserhoh starroperation gehaltserhoh gehalten x.operation keller "
    assert meant("gehalt", text, ()) == "gehaltserhoh"
    assert meant("gehalt", text, {"gehaltserhoh"}) is None
    assert meant("operation", text, ()) == "starroperation"
    assert meant("kell", text, ()) is None


def test_a_first_letter_may_be_one_that_sounds_alike() -> None:
    assert meant("kroissant", " croissant bread ", ()) == "croissant"
    assert meant("troissant", " croissant bread ", ()) is None
    assert meant("kroisant", " croissant bread ", ()) is None, "one slip, not two"
