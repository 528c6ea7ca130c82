"""What encryption costs: the same calls on a plain and on an encrypted memory of the same chat turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.speed.measure import Row, spell, steady
from benchmarks.speed.sides import LookupEmbedder
from benchmarks.speed.texts import Lookup, Texts
from memwell import Keyring, Memory

__all__ = ["encryption", "processor"]

WARM = 10
WRITTEN = 300
"""Memories written one by one before those that are measured, so that what the first ones left is in the file."""
TURN = 25
"""Calls between two readings of the clock of the processor."""


def encryption(folder: Path, quick: bool) -> Iterator[Row]:
    """Writing and recalling at ten thousand memories, with vectors and by words only."""
    count, times = (1_000, 50) if quick else (10_000, 300)
    for name, lookup in (("with vectors", Lookup()), ("by words only", None)):
        texts = Texts()
        turns = texts.memories(count + WRITTEN + times)
        if lookup is not None:
            lookup.prepare(turns)
        sides = [
            Memory(
                f"sqlite:///{folder / f'{name}-{number}.db'}",
                embedder=lookup and LookupEmbedder(lookup),
                encryption=keyring,
            )
            for number, keyring in enumerate((None, Keyring(Keyring.generate())))
        ]
        for memory in sides:
            memory.remember(turns[:count], user_id="u")
            for turn in turns[count : count + WRITTEN]:
                memory.remember(turn, user_id="u")
        new = turns[count + WRITTEN :]
        plain, sealed = processor([[partial(m.remember, t, user_id="u") for t in new] for m in sides])
        yield _row(f"encrypted remember, {name}", plain, sealed, 1.15)
        asked = turns[: WARM + times]
        calls = [[partial(m.recall, " ".join(t.split()[:8]), user_id="u") for t in asked] for m in sides]
        for side in calls:
            for call in side[:WARM]:
                call()
        plain, sealed = processor([side[WARM:] for side in calls])
        yield _row(f"encrypted recall, {name}", plain, sealed, 1.25)
        for memory in sides:
            memory.close()


def _row(name: str, plain: float, sealed: float, bound: float) -> Row:
    return Row(name=name, value=sealed / plain, ours=spell(sealed), floor=spell(plain), must=None, aim=bound)


def processor(sides: Sequence[Sequence[Callable[[], object]]]) -> tuple[float, float]:
    """Seconds of processor time for a call on each side; the sides take turns."""
    spent = [0.0] * len(sides)
    with steady():
        for at in range(0, len(sides[0]), TURN):
            for number, side in enumerate(sides):
                start = time.process_time()
                for call in side[at : at + TURN]:
                    call()
                spent[number] += time.process_time() - start
    plain, sealed = (total / len(sides[0]) for total in spent)
    return plain, sealed
