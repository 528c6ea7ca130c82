"""Summaries of texts without a model: the sentences that say most, within a number of characters. Pure.

`summary` takes the texts of a conversation or a cluster. A sentence counts by the terms that it shares with the others
(their number of sentences, as in SumBasic [1]), and each term counts less once it has been said, so that the chosen
sentences differ. Sentences with names, numbers and dates come before those without. They stand in their old order.

A summariser of your own is a function `(texts, characters) -> str`, or a coroutine function; `memwell.policies.llm` has
two that ask a model.

[1] A. Nenkova, L. Vanderwende, "The impact of frequency on summarization", 2005.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from memwell import _bridge
from memwell.errors import InvalidInput, MemwellError, shown
from memwell.retrieval.analysis.text import analyze, question_share

__all__ = ["Summariser", "cut", "summarised", "summary"]

Summariser: TypeAlias = Callable[[Sequence[str], int], str] | Callable[[Sequence[str], int], Awaitable[str]]
"""From texts, oldest first, and the most characters that are wanted: a summary."""

_SENTENCE: Final = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|(?<=[。！？])|\n+")
_TELLING: Final = re.compile(r"\d|(?<=\w\s)[A-Z]\w")
_ELLIPSIS: Final = "…"
_SAID: Final = 0.15
"""What a term still counts after a chosen sentence has said it."""


def summary(texts: Sequence[str], characters: int = 1000) -> str:
    """The most telling sentences of texts, in their order, one a line, within a number of characters."""
    sentences = list(dict.fromkeys(one for text in texts for one in _sentences(text)))
    whole = "\n".join(sentences)
    if len(whole) <= characters:
        return whole
    chosen = _chosen(sentences, characters)
    if not chosen:
        return cut(sentences[0] if sentences else "", characters)
    return "\n".join(sentences[place] for place in sorted(chosen))


def _sentences(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in _SENTENCE.split(text)) if part]


def _chosen(sentences: Sequence[str], characters: int) -> list[int]:
    """The places of the best sentences that fit, best first."""
    terms = [frozenset(analyze(sentence)) for sentence in sentences]
    weights = {term: float(count) for term, count in Counter(t for each in terms for t in each).items()}
    bonus = [
        (1.25 if _TELLING.search(sentence) else 1.0) * (1 - 0.8 * question_share(sentence))
        for sentence in sentences
    ]
    left, room = set(range(len(sentences))), characters
    chosen: list[int] = []
    while left := {at for at in left if len(sentences[at]) + bool(chosen) <= room}:
        best = max(left, key=lambda at: (bonus[at] * _mean(weights, terms[at]), -at))
        left.discard(best)
        room -= len(sentences[best]) + bool(chosen)
        chosen.append(best)
        for term in terms[best]:
            weights[term] *= _SAID
    return chosen


def _mean(weights: dict[str, float], terms: frozenset[str]) -> float:
    """What the terms of a sentence are worth; short sentences do not win by one good term."""
    return sum(weights[term] for term in terms) / (len(terms) + 3) if terms else 0.0


def cut(text: str, characters: int) -> str:
    """The beginning of a text: whole sentences if they are more than half of what fits, else up to a word and `…`."""
    if len(text) <= characters:
        return text
    head = text[:characters]
    end = max((match.end() for match in re.finditer(r"[.!?…。！？](?=\s|$)", head)), default=0)
    if end > characters // 2:
        return head[:end]
    head = text[: characters - 1]
    space = head.rfind(" ")
    return (head[:space] if space > characters // 2 else head).rstrip() + _ELLIPSIS


async def summarised(
    summariser: Summariser | None, texts: Sequence[str], characters: int, *, blocking: bool = False
) -> str:
    """A summary by a summariser of the caller, or else by `summary`. `blocking`: no event loop runs here, so that a
    coroutine runs on one of its own. Raises `InvalidInput` if it fails or gives no text.
    """
    if summariser is None:
        return summary(texts, characters)
    try:
        found: object = await _bridge.awaited(summariser(texts, characters), blocking=blocking)
    except MemwellError:
        raise
    except Exception as error:
        raise InvalidInput(f"the summariser failed: {type(error).__name__}: {error!s:.200}") from error
    if not isinstance(found, str) or not found.strip():
        raise InvalidInput(f"the summariser gives a text, not {shown(found)}")
    return cut(found.strip(), characters)
