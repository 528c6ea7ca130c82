"""Groups of memories that are about the same, by vectors or by shared terms. Pure and deterministic.

Both take memories whose cosine reaches a threshold for neighbours. The memory with most neighbours leads the first
group, which takes all of them; of those that are left the next one leads, and so on. So each memory is in exactly one
group, and each is as near to its leader as the threshold says. The result depends on the order of the input only where
two memories have equally many neighbours: callers sort by what the memories say.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from memwell.ports.arrays import numpy

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["by_terms", "by_vectors", "nearest"]

_BLOCK: Final = 256
_SLACK: Final = 1e-6
"""What rounding may take from a cosine."""
_COMMON: Final = 200
"""Memories from which on a term alone makes none of them candidates for each other."""


def by_vectors(matrix: Vectors, least: float) -> list[list[int]]:
    """Rows of a matrix (n, d) of unit vectors in groups, the leader of each first: cosine with it at least `least`."""
    np, least = numpy(), least - _SLACK
    count = len(matrix)
    degrees = np.zeros(count, dtype=np.int64)
    for start in range(0, count, _BLOCK):
        degrees[start : start + _BLOCK] = (matrix[start : start + _BLOCK] @ matrix.T >= least).sum(axis=1)
    order = np.lexsort((np.arange(count), -degrees))
    block: tuple[int, Any] = -1, None

    def near(place: int) -> Iterable[int]:
        nonlocal block
        if degrees[order[place]] <= 1:
            return ()
        if block[0] != place // _BLOCK:
            start = place // _BLOCK * _BLOCK
            block = place // _BLOCK, matrix[order[start : start + _BLOCK]] @ matrix.T >= least
        found: list[int] = np.flatnonzero(block[1][place % _BLOCK]).tolist()
        return found

    return _led(order.tolist(), near)


def by_terms(texts: Sequence[frozenset[str]], least: float) -> list[list[int]]:
    """Sets of terms in groups, the leader of each first: the cosine with it, rare terms counting more, is at least
    `least`.
    """
    counts = Counter(term for each in texts for term in each)
    weights = {term: math.log(1 + len(texts) / count) ** 2 for term, count in counts.items()}
    norms = [math.sqrt(sum(weights[term] for term in each)) for each in texts]
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(texts):
        for term in each:
            if counts[term] <= _COMMON:
                holders[term].append(place)
    neighbours = []
    for place, each in enumerate(texts):
        common = sum(weights[term] for term in each if counts[term] > _COMMON)
        shared: defaultdict[int, float] = defaultdict(float)
        for term in each:
            for other in holders.get(term, ()):
                shared[other] += weights[term]
        wanted = (least - _SLACK) * norms[place]
        near = [other for other, weight in shared.items() if weight + common >= wanted * norms[other]]
        neighbours.append(
            [
                other
                for other in sorted(near)
                if other != place
                and sum(weights[term] for term in each & texts[other]) >= wanted * norms[other]
            ]
        )
    order = sorted(range(len(texts)), key=lambda place: (-len(neighbours[place]), place))
    return _led(order, lambda place: neighbours[order[place]])


def _led(order: Sequence[int], near: Callable[[int], Iterable[int]]) -> list[list[int]]:
    """Groups of leaders in their order; `near` gives the neighbours of the one at a place of the order."""
    free = [True] * len(order)
    groups = []
    for place, leader in enumerate(order):
        if not free[leader]:
            continue
        free[leader] = False
        group = [leader]
        for other in near(place):
            if free[other]:
                free[other] = False
                group.append(other)
        groups.append(group)
    return groups


def nearest(matrix: Vectors, leaders: Vectors, least: float) -> list[int | None]:
    """For each row the place of the nearest leader with a cosine of at least `least`."""
    np = numpy()
    found: list[int | None] = []
    for start in range(0, len(matrix), _BLOCK):
        cosines = matrix[start : start + _BLOCK] @ leaders.T
        best = np.argmax(cosines, axis=1)
        found += [
            int(at) if cosines[row, at] >= least - _SLACK else None for row, at in enumerate(best.tolist())
        ]
    return found
