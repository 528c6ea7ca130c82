"""The process that is killed: writes through `Memory`, and says what it is about to do and what was acknowledged.

Each line of the journal is written with one `os.write` before the next operation starts: `{"try": n, …}` before a
call, `{"done": n}` after it returned. What is done must be there; what was tried and not done is there wholly or not
at all. The killer's side of it is `benchmarks.reliability.crash`.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from typing import Any

from memwell import Memory, NewMemory

__all__ = ["run"]

BATCH = 20


class Writer:
    """Random operations from a seed, each announced and acknowledged."""

    def __init__(self, url: str, journal: str, seed: int) -> None:
        self.memory = Memory(url, embedder="hashing")
        self.journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.rng = random.Random(seed)
        self.seed = seed
        self.number = 0
        self.mine: list[str] = []

    def note(self, **line: Any) -> None:
        """One line, handed to the system at once: it outlives this process."""
        os.write(self.journal, (json.dumps(line) + "\n").encode())

    def content(self) -> str:
        """Text that is never the same twice, so that nothing counts as a duplicate; sometimes a long one."""
        words = " ".join(self.rng.choices(("river", "lamp", "Anna", "paper", "north", "seven", "walk"), k=12))
        return f"{self.seed} {self.number} {self.rng.random()} {words}" + " and on" * self.rng.choice(
            [0, 0, 0, 500]
        )

    def step(self) -> None:
        """Announce, do, acknowledge."""
        self.number += 1
        choices = [self.remember, self.remember, self.batch]
        if self.mine:
            choices += [self.update, self.update, self.forget]
        plan, act = self.rng.choice(choices)()
        self.note(**{"try": self.number, **plan})
        act()
        self.note(done=self.number)

    def remember(self) -> tuple[dict[str, Any], Callable[[], object]]:
        """One new memory."""
        return self._put([self._new()], batch=False)

    def batch(self) -> tuple[dict[str, Any], Callable[[], object]]:
        """Several new memories, all or none."""
        return self._put([self._new() for _ in range(BATCH)], batch=True)

    def update(self) -> tuple[dict[str, Any], Callable[[], object]]:
        """New content for one of them."""
        name, content = self.rng.choice(self.mine), self.content()
        return {"put": {name: content}}, lambda: self.memory.update(name, content=content)

    def forget(self) -> tuple[dict[str, Any], Callable[[], object]]:
        """Remove one of them."""
        name = self.mine.pop(self.rng.randrange(len(self.mine)))
        return {"put": {name: None}}, lambda: self.memory.forget(name)

    def _new(self) -> NewMemory:
        name = f"{self.seed}-{self.number}-{self.rng.getrandbits(48):x}"
        return NewMemory(id=name, content=self.content(), user_id="u")

    def _put(self, new: list[NewMemory], *, batch: bool) -> tuple[dict[str, Any], Callable[[], object]]:
        self.mine += [one.id for one in new if one.id]
        plan = {"put": {one.id: one.content for one in new}}
        return plan, lambda: self.memory.remember(new if batch else new[0])


def run(url: str, journal: str, seed: int) -> None:
    """Write until killed."""
    writer = Writer(url, journal, seed)
    writer.note(ready=seed)
    while True:
        writer.step()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
