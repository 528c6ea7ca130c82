"""Cutting a text into passages that fit an embedding model's window. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from memwell._patterns import pattern

__all__ = ["chunks"]

_BREAKS = (
    pattern(r"\n\s*\n"),
    pattern(r"\n"),
    pattern(r"[.!?。！？…][\"')\]]*\s"),
    pattern(r"\s"),
)
"""Where a passage may end, best first: paragraph, line, sentence, word."""


def chunks(text: str, tokens: Sequence[tuple[int, int]], window: int) -> list[tuple[int, int]]:
    """Character ranges of passages of at most `window` tokens that together cover every token, without
    overlap.

    `tokens` are the character ranges of the text's tokens in order. Each passage ends at the best break in
    the last half of its window, and inside a word only when there is none. A text that fits is one passage.
    O(tokens).
    """
    if len(tokens) <= window:
        return [(0, len(text))]
    ends = [end for _, end in tokens]
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(tokens):
        start = tokens[first][0]
        last = min(first + window, len(tokens))
        if last < len(tokens):
            last = bisect_right(
                ends, _break(text, ends[(first + last) // 2], ends[last - 1]), first + 1, last
            )
        found.append((start, ends[last - 1]))
        first = last
    return found


def _break(text: str, low: int, high: int) -> int:
    """The position of the last break of the best kind between two characters, or `high`."""
    for each in _BREAKS:
        at = -1
        for match in each.finditer(text, low, min(high + 1, len(text))):
            at = match.start() + 1
        if at > 0:
            return min(at, high)
    return high
