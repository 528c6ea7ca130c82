"""Windows: the context of a turn in its conversation, because a short turn often makes sense only with its neighbours.

The share of a neighbour in a window falls with the number of index terms between the middles of both turns: `before` or
`after` times `exp(-distance / reach)`. So a window spans several short turns but hardly two long messages, and the same
formula suits both kinds of text. There are two exceptions. The next turn of another speaker counts at least `reply` for
the cosine, because an answer usually repeats the topic of its question. And a question counts more in the window of its
answer, because an answer seldom repeats the words of its question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import exp
from typing import Final, NamedTuple, TypeAlias

from memwell.ports.store.search import Candidate, Features, Weights

__all__ = ["REACH", "Share", "gather", "shares"]

REACH: Final = 3
"""Turns on either side that a window can span."""

Matches: TypeAlias = Sequence[tuple[int, int]]
"""Pairs (index of the query term, count)."""


class Share(NamedTuple):
    """The share of one neighbour in the window of a record."""

    key: int
    """The neighbour."""
    words: float
    """Weight of its term counts and length."""
    meaning: float
    """Weight of its cosine."""
    length: int
    """Its number of index terms."""


def shares(
    members: Sequence[int], place: int, features: Callable[[int], Features], weights: Weights
) -> list[Share]:
    """The window of the record at index `place` of `members`, the keys of its conversation in order."""
    own = features(members[place])
    earlier = members[max(0, place - REACH) : place][::-1]
    later = members[place + 1 : place + 1 + REACH]
    found: list[Share] = []
    neighbours = [features(key) for key in earlier]
    fading = _fading(own, neighbours, weights.reach, weights.before)
    for key, other, share in zip(earlier, neighbours, fading, strict=True):
        if key == earlier[0] and other.question_share and _answers(own, other):
            share *= 1 + weights.asked
        if share > 0:
            found.append(Share(key, share, share, other.length))
    neighbours = [features(key) for key in later]
    fading = _fading(own, neighbours, weights.reach, weights.after)
    for key, other, share in zip(later, neighbours, fading, strict=True):
        meaning = share
        if key == later[0] and _answers(other, own):
            meaning = max(share, weights.reply)
        if meaning > 0:
            found.append(Share(key, share, meaning, other.length))
    return found


def _fading(own: Features, neighbours: Sequence[Features], reach: float, full: float) -> list[float]:
    """The shares of the neighbours on one side, the nearest first."""
    found, gap = [], own.length / 2
    for other in neighbours:
        distance = gap + other.length / 2
        gap += other.length
        found.append(full * exp(-distance / reach) if distance < 4 * reach else 0.0)
    return found


def _answers(later: Features, earlier: Features) -> bool:
    """Whether another speaker said the later turn; where none is known, whether it follows a turn that asks."""
    if later.actor is None and earlier.actor is None:
        return bool(earlier.question_share) and later.question_share < earlier.question_share
    return bool(later.actor and earlier.actor and later.actor != earlier.actor)


def gather(
    windows: Mapping[int, Sequence[Share]],
    *,
    features: Callable[[int], Features],
    matches: Mapping[int, Matches],
    cosines: Mapping[int, float],
    mean_cosine: float | None,
    visible: Collection[int] | None = None,
) -> list[Candidate]:
    """A candidate for each key of `windows`, with the sums over its window.

    Neighbours that are not `visible` (`None`: all are) count nothing. `mean_cosine` replaces the cosine of a record
    without a vector; if it is `None`, such a record has no window cosine.
    """
    found = []
    for key, window in windows.items():
        own, mine = features(key), matches.get(key, ())
        cosine = cosines.get(key)
        counts: dict[int, float] = dict(mine)
        length, meaning, total = float(own.length), mean_cosine if cosine is None else cosine, 1.0
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
            Candidate(key, own, mine, cosine, counts, length, None if meaning is None else meaning / total)
        )
    return found
