"""Passages cover every token, in order, without overlap, none longer than the window."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.engine.chunking import chunks

Span = tuple[int, int]

texts = st.text(st.sampled_from("ab .!?\n\t。…\"')żółw🐢"), max_size=300)


def words(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def pieces(text: str) -> list[Span]:
    """Tokens of at most three characters, as a word-piece model has them."""
    return [(at, min(at + 3, end)) for start, end in words(text) for at in range(start, end, 3)]


@given(text=texts, window=st.integers(1, 20), tokens=st.sampled_from([words, pieces]))
def test_passages_cover_every_token_and_none_is_too_long(text: str, window: int, tokens: object) -> None:
    spans = tokens(text)  # type: ignore[operator]
    found = chunks(text, spans, window)
    if len(spans) <= window:
        assert found == [(0, len(text))]
        return
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(found))
    inside = [[t for t in spans if start <= t[0] and t[1] <= end] for start, end in found]
    assert [token for some in inside for token in some] == spans
    assert all(1 <= len(some) <= window for some in inside)


@given(text=texts, window=st.integers(2, 20))
def test_a_passage_is_at_least_half_a_window_but_for_the_last(text: str, window: int) -> None:
    spans = words(text)
    found = chunks(text, spans, window)
    for start, end in found[:-1]:
        assert sum(start <= a and b <= end for a, b in spans) >= window // 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c\n\nd e. f\ng h i", ["a b c", "d e. f", "g h i"]),
        ("a b c d. e f g h", ["a b c d.", "e f g h"]),
        ("a b\nc d e f g h", ["a b\nc d", "e f g h"]),
    ],
)
def test_a_passage_ends_at_the_best_break_of_its_later_half(text: str, expected: list[str]) -> None:
    found = [text[a:b] for a, b in chunks(text, words(text), 4)]
    assert [part.split() for part in found] == [part.split() for part in expected]


def test_a_text_that_fits_is_one_passage_and_an_empty_one_too() -> None:
    assert chunks("a b c", words("a b c"), 3) == [(0, 5)]
    assert chunks("", [], 3) == [(0, 0)]


def test_a_word_without_any_break_is_cut_by_tokens() -> None:
    text = "x" * 30
    assert chunks(text, pieces(text), 4) == [(0, 12), (12, 24), (24, 30)]
