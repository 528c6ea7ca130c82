"""What of the hits fits a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from memwell._patterns import pattern
from memwell.engine.chunking import chunks
from memwell.retrieval.analysis.text import analyze
from memwell.types import Hit

__all__ = ["within"]

_WORD: Final = pattern(r"\S{1,8}")
_WINDOWS: Final = (48, 16)
"""Lengths of the passages that are tried, in pieces of at most eight characters."""
_READ: Final = 50_000
"""Characters of a content that are looked at."""


def within(hits: Sequence[Hit], budget: int, count: Callable[[str], int], terms: Sequence[str]) -> list[Hit]:
    """The hits that fit the budget together, in their order: one that is too long for what is left is given by its
    best passage (`Hit.excerpt`), or left out.
    """
    found, left = [], budget
    for hit in hits:
        cost = count(hit.content)
        if cost > left:
            excerpt = _passage(hit, left, count, frozenset(terms))
            if excerpt is None:
                continue
            hit, cost = replace(hit, excerpt=excerpt), count(excerpt)
        found.append(hit)
        left -= cost
    return found


def _passage(hit: Hit, budget: int, count: Callable[[str], int], terms: frozenset[str]) -> str | None:
    """The passage that vectors found, or the part of it, or of the content, with the most words of the question."""
    near = hit.why.passage
    if near is not None and near != hit.content and count(near) <= budget:
        return near
    text = (near or hit.content)[:_READ]
    pieces = [match.span() for match in _WORD.finditer(text)]
    for window in _WINDOWS:
        parts = [text[start:end].strip() for start, end in chunks(text, pieces, window)]
        shared = [(len(terms.intersection(analyze(part))), part) for part in parts if count(part) <= budget]
        most, best = max(shared, key=lambda each: each[0], default=(0, ""))
        if most:
            return best
    return None
