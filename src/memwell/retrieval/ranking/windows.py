"""Evidence of the neighbours in a conversation: a short turn is understood from the turns around it. Pure.

The share that a turn takes from a neighbour falls with the index terms between their middles, `before` or `after`
times `exp(-distance / reach)`: a window spans several short turns and of two long messages almost nothing, so that no
switch by kind of text is needed. But a long answer says again what its question was about: the next turn of somebody
else lends its cosine at least `reply`; and a question counts more to the turn that answers it, which seldom repeats
its words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import exp
from typing import Final, NamedTuple, TypeAlias

from memwell.ports.store.search import Candidate, Facts, Weights

__all__ = ["REACH", "Share", "gather", "shares"]

REACH: Final = 3
"""Turns on either side that a window can span."""

Matches: TypeAlias = Sequence[tuple[int, int]]
"""Pairs (index of the query term, count)."""


class Share(NamedTuple):
    """What a record takes of one neighbour's evidence."""

    key: int
    """The neighbour."""
    words: float
    """Share of its term counts and length."""
    meaning: float
    """Share of its cosine."""
    length: int
    """Its index terms."""


def shares(seats: Sequence[int], place: int, facts: Callable[[int], Facts], weights: Weights) -> list[Share]:
    """The window of the record at a `place` of its conversation, whose keys are the `seats` in order."""
    own = facts(seats[place])
    earlier = seats[max(0, place - REACH) : place][::-1]
    later = seats[place + 1 : place + 1 + REACH]
    found: list[Share] = []
    near = [facts(key) for key in earlier]
    for key, other, share in zip(
        earlier, near, _fading(own, near, weights.reach, weights.before), strict=True
    ):
        if key == earlier[0] and other.question_share and _answers(own, other):
            share *= 1 + weights.asked
        if share > 0:
            found.append(Share(key, share, share, other.length))
    near = [facts(key) for key in later]
    for key, other, share in zip(later, near, _fading(own, near, weights.reach, weights.after), strict=True):
        meaning = share
        if key == later[0] and _answers(other, own):
            meaning = max(share, weights.reply)
        if meaning > 0:
            found.append(Share(key, share, meaning, other.length))
    return found


def _fading(own: Facts, near: Sequence[Facts], reach: float, full: float) -> list[float]:
    """The shares of the neighbours on one side, nearest first."""
    found, gap = [], own.length / 2
    for other in near:
        distance = gap + other.length / 2
        gap += other.length
        found.append(full * exp(-distance / reach) if distance < 4 * reach else 0.0)
    return found


def _answers(later: Facts, earlier: Facts) -> bool:
    return bool(later.actor and earlier.actor and later.actor != earlier.actor)


def gather(
    windows: Mapping[int, Sequence[Share]],
    *,
    facts: Callable[[int], Facts],
    matches: Mapping[int, Matches],
    cosines: Mapping[int, float],
    mean_cosine: float | None,
    visible: Collection[int] | None = None,
) -> list[Candidate]:
    """A candidate for each key of `windows`, with the evidence of its window.

    Neighbours that are not `visible` lend nothing (`None`: all are). `typical` stands in for the cosine of a record
    without a vector; when it is `None`, nothing is added to such a record.
    """
    found = []
    for key, window in windows.items():
        own, mine = facts(key), matches.get(key, ())
        near = cosines.get(key)
        counts: dict[int, float] = dict(mine)
        length, meaning, total = float(own.length), mean_cosine if near is None else near, 1.0
        for other, words, weight, terms in window:
            if visible is not None and other not in visible:
                continue
            length += words * terms
            if other in matches:
                for term, count in matches[other]:
                    counts[term] = counts.get(term, 0.0) + words * count
            if meaning is not None:
                meaning += weight * cosines.get(other, mean_cosine or 0.0)
                total += weight
        found.append(
            Candidate(key, own, mine, near, counts, length, None if meaning is None else meaning / total)
        )
    return found
