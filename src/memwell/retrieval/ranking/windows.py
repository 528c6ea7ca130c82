"""Windows: the context of a turn in its conversation, because a short turn often makes sense only with its neighbours.

The share of a neighbour in a window falls with the number of index terms between the middles of both turns: `before` or
`after` times `exp(-distance / reach)`. So a window spans several short turns but hardly two long messages, and the same
formula suits both kinds of text. There are two exceptions. The next turn of another speaker counts at least `reply` for
the cosine, because an answer usually repeats the topic of its question. And a question counts more in the window of its
answer, because an answer seldom repeats the words of its question.
"""

from __future__ import annotations

from array import array
from collections.abc import MutableMapping, Sequence
from typing import NamedTuple, Protocol

from memwell.ports.store.search import Weights
from memwell.retrieval.columns import Columns, Numbers
from memwell.retrieval.index.conversations import REACH

__all__ = ["REACH", "Turns", "Windows", "kept_windows", "windows"]


class Turns(Protocol):
    """Turns of conversations by slot."""

    before: array[int]
    """The slot of the turn before; its own if there is none."""
    after: array[int]
    """The slot of the turn after; its own if there is none."""
    lengths: array[int]
    """Number of index terms."""
    actors: array[int]
    """Who speaks; 0 if that is unknown."""
    shares: array[float]
    """Share that only asks, 0..1."""


class Windows(NamedTuple):
    """The neighbours in the windows of some turns: columns with an entry for each."""

    at: Numbers
    """The place of the turn whose window it is."""
    slots: Numbers
    """The neighbour."""
    words: Numbers
    """Weight of its term counts and length."""
    meaning: Numbers
    """Weight of its cosine."""
    lengths: Numbers
    """Its number of index terms."""


def kept_windows(
    turns: Turns,
    slots: Numbers,
    known: MutableMapping[int, Sequence[Numbers]],
    weights: Weights,
    make: Columns,
) -> Windows:
    """As `windows`, of which those in `known` are taken from there, and the others are put there. For lists, of which
    each step costs as much as for arrays all do.
    """
    fresh = make.index([slot for slot in slots.tolist() if slot not in known])
    if len(fresh):
        found = windows(turns, fresh, weights, make)
        of: dict[int, list[int]] = {at: [] for at in range(len(fresh))}
        for row, at in enumerate(found.at.tolist()):
            of[at].append(row)
        known.update((fresh[at], [column.take(rows) for column in found[1:]]) for at, rows in of.items())
    rows = [known[slot] for slot in slots.tolist()]
    counts = [len(row[0]) for row in rows]
    at = make.index([at for at, count in enumerate(counts) for _ in range(count)])
    return Windows(at, *(make.joined(parts) for parts in zip(*rows, strict=True)))


def windows(turns: Turns, slots: Numbers, weights: Weights, make: Columns) -> Windows:
    """The windows of the turns with these slots; each neighbour has some weight."""
    earlier = _side(turns.before, turns, slots, weights.reach, weights.before, make)
    later = _side(turns.after, turns, slots, weights.reach, weights.after, make)
    many = len(slots)
    one, other = make.part(earlier[0], 0, many), make.part(later[0], 0, many)
    asks = _answers(turns, slots, one, make) & (make.stored(turns.shares, one) > 0)
    replies = _answers(turns, other, slots, make)
    nearest = make.part(earlier[1], 0, many)
    before = make.joined(
        [make.chosen(asks, nearest * (1 + weights.asked), nearest), make.part(earlier[1], many, REACH * many)]
    )
    nearest = make.part(later[1], 0, many)
    after = make.joined(
        [
            make.chosen(replies, make.most(nearest, weights.reply), nearest),
            make.part(later[1], many, REACH * many),
        ]
    )
    there = make.joined([earlier[3], later[3]])
    words, meaning = make.joined([before, later[1]]), make.joined([before, after])
    kept = make.places(there & (meaning > 0))
    at = make.joined([make.upto(many)] * (2 * REACH))
    columns = at, make.joined([earlier[0], later[0]]), words, meaning, make.joined([earlier[2], later[2]])
    return Windows(*(column.take(kept) for column in columns))


def _side(
    links: array[int], turns: Turns, slots: Numbers, reach: float, full: float, make: Columns
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """The neighbours on one side, the nearest of all turns first: their slots, shares and lengths, and a mask of those
    that there are.
    """
    many, chain = len(slots), [slots]
    for _ in range(REACH):
        chain.append(make.stored(links, chain[-1]))
    every = make.joined(chain)
    lengths = make.stored(turns.lengths, every)
    found = make.part(every, many, len(every))
    there = make.differs(found, make.part(every, 0, REACH * many))
    steps = (make.part(lengths, 0, REACH * many) + make.part(lengths, many, len(every))) / 2
    distances = [make.part(steps, 0, many)]
    for at in range(1, REACH):
        distances.append(distances[-1] + make.part(steps, at * many, (at + 1) * many))
    distance = make.joined(distances)
    if reach:
        shares = make.chosen(distance < 4 * reach, make.exp(distance / -reach) * full, 0.0)
    else:
        shares = make.zeros(len(distance))
    return found, shares, make.part(lengths, many, len(every)), there


def _answers(turns: Turns, later: Numbers, earlier: Numbers, make: Columns) -> Numbers:
    """Whether another speaker said the later turn; where none is known, whether it follows a turn that asks."""
    one, other = make.stored(turns.actors, later), make.stored(turns.actors, earlier)
    asks, share = make.stored(turns.shares, earlier), make.stored(turns.shares, later)
    unknown = make.same(one + other, 0) & (asks > 0) & (share < asks)
    return (make.differs(one, other) & (one > 0) & (other > 0)) | unknown
