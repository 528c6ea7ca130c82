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
    many, every = len(slots), make.joined(_chains(turns, slots, make))
    size = 2 * REACH * many
    found = make.part(every, 2 * many, size + 2 * many)
    lengths = make.stored(turns.lengths, every)
    shares = _shares(lengths, many, weights, make)
    before, after = make.part(shares, 0, many), make.part(shares, many, 2 * many)
    rest = make.part(shares, 2 * many, size)
    answered, replied = _answers(turns, slots, found, make)
    before = make.chosen(answered, before * (1 + weights.asked), before)
    words = make.joined([before, after, rest])
    after = make.chosen(replied, make.most(after, weights.reply), after)
    meaning = make.joined([before, after, rest])
    kept = make.places(make.differs(found, make.part(every, 0, size)) & (meaning > 0))
    at = make.joined([make.upto(many)] * (2 * REACH))
    columns = at, found, words, meaning, make.part(lengths, 2 * many, size + 2 * many)
    return Windows(*(column.take(kept) for column in columns))


def _chains(turns: Turns, slots: Numbers, make: Columns) -> list[Numbers]:
    """The slots twice, their neighbours before and after, the neighbours of these, and so on to the end of `REACH`. A
    turn without a neighbour stands in its place.
    """
    before = after = slots
    chains = [before, after]
    for _ in range(REACH):
        before, after = make.stored(turns.before, before), make.stored(turns.after, after)
        chains += before, after
    return chains


def _shares(lengths: Numbers, many: int, weights: Weights, make: Columns) -> Numbers:
    """The share of each neighbour by its distance, in the order of `_chains`, where `lengths` are those of all turns
    in there.
    """
    both, size = 2 * many, 2 * REACH * many
    if not weights.reach:
        return make.zeros(size)
    steps = make.part(lengths, 0, size) + make.part(lengths, both, size + both)
    twice = [make.part(steps, 0, both)]
    """Twice the distances."""
    for at in range(1, REACH):
        twice.append(twice[-1] + make.part(steps, at * both, (at + 1) * both))
    doubled, none = make.joined(twice), make.zeros(many)
    full = make.joined([none + weights.before, none + weights.after] * REACH)
    return make.exp(doubled * (-0.5 / weights.reach)) * full * (doubled < 8 * weights.reach)


def _answers(turns: Turns, slots: Numbers, found: Numbers, make: Columns) -> tuple[Numbers, Numbers]:
    """Whether each turn answers a question, which is the turn before, and whether the turn after replies to it:
    another speaker said it, or, where none is known, it follows a turn that asks. `found` are the neighbours in the
    order of `_chains`.
    """
    many = len(slots)
    three = make.joined([make.part(found, 0, many), slots, make.part(found, many, 2 * many)])
    actors, shares = make.stored(turns.actors, three), make.stored(turns.shares, three)
    one, other = make.part(actors, 0, 2 * many), make.part(actors, many, 3 * many)
    asks, share = make.part(shares, 0, 2 * many), make.part(shares, many, 3 * many)
    asking = asks > 0
    unknown = make.same(one + other, 0) & asking & (share < asks)
    answers = (make.differs(one, other) & (one * other > 0)) | unknown
    replied = make.part(answers, many, 2 * many)
    return make.part(answers, 0, many) & make.part(asking, 0, many), replied
