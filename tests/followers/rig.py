"""A store with one sink that follows it, each in a file, so that any number of processes may open both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.wrappers.durable import Durable

from memwell.followers import Follower
from memwell.followers.index_projection import follower_of
from memwell.followers.index_projection.points import key_of
from memwell.followers.replica import Replica
from memwell.ports import Declaration, Port
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.samples import MODEL, embedding
from memwell.testing.stores import Harness
from memwell.wrappers.base import Wrapper

DEGREES = {"apple": 0, "pear": 90, "plum": 30}
"""Content → direction of its vector."""


class Halting(Wrapper):
    """Calls `halt` before each write of the part inside: what is written was read before that."""

    part = "halting"
    halt: Callable[[], object]
    after: Callable[[], object]

    def __new__(
        cls, part: Port, halt: Callable[[], object], after: Callable[[], object] = lambda: None
    ) -> Any:
        wrapper = cls._wrap(part)
        wrapper.halt, wrapper.after = halt, after
        return wrapper

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        writes = operation.name in ("upsert", "write")
        if writes:
            self.halt()
        answer = await super()._call(operation, arguments)
        if writes:
            self.after()
        return answer


class Rig:
    """`kind` is `index` or `replica`."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.store = open_store(f"sqlite:///{folder / 'store.db'}")
        self.target: Any = (
            Durable(folder / "index.db", dimension=8)
            if kind == "index"
            else open_store(f"sqlite:///{folder / 'replica.db'}")
        )
        self.harness = Harness(self.store)

    def follower(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), target: Any = None
    ) -> Follower:
        """What follows the store, as another process would make it; with `target` instead of the sink's own part."""
        target = target or self.target
        if self.kind == "index":
            return follower_of(self.store, target, MODEL, clock)[0]
        return Follower(self.store, Replica(self.store, target), name="mirror copy", clock=clock)

    def insert(self, content: str, id: str) -> None:
        self.harness.insert(content, id, embedding=embedding(DEGREES[content.split()[0]]))

    def update(self, id: str, content: str) -> None:
        self.harness.update(id, content=content, embedding=embedding(DEGREES[content]))

    def delivered(self) -> dict[str, str]:
        """Id → first word of the content, as the sink holds it."""
        if self.kind == "index":
            names = run(self.target, self.target.ids(limit=100_000))
            vectors = run(self.target, self.target.vectors(names))
            return {key_of(name)[1]: _nearest(vector) for name, vector in vectors.items()}
        return {r.id: r.content.split()[0] for r in Harness(self.target).scan(limit=100_000)}

    def stored(self) -> dict[str, str]:
        """The same of the store."""
        rows = run(self.store, self.store.embedded(MODEL, limit=100_000))
        return {record.id: record.content.split()[0] for record, _ in rows}

    def close(self) -> None:
        run(self.store, self.store.close())
        run(self.target, self.target.close())


def _nearest(vector: Any) -> str:
    near = {word: float(vector @ embedding(degrees).vectors[0]) for word, degrees in DEGREES.items()}
    return max(near, key=lambda word: near[word])
