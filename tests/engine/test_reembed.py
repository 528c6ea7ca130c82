"""Reembedding while others write: what they write in the very last moment is not left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from memwell import Memory
from memwell.ports import Declaration, Port, Store, declared
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import Words
from memwell.wrappers.base import Wrapper

P = TypeVar("P", bound=Port)


class Meanwhile(Wrapper):
    """Something happens just before a store is asked for the n-th time to let a model serve."""

    part = "meanwhile"
    before_serving: dict[int, Callable[[], object]]

    def __new__(cls, part: P, before_serving: dict[int, Callable[[], object]]) -> P:  # type: ignore[misc]
        wrapper = cls._wrap(part)
        wrapper.before_serving = before_serving
        return wrapper  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if operation is declared(Store.serve):
            left = {number - 1: happens for number, happens in self.before_serving.items()}
            happens = left.pop(0, None)
            self.before_serving = left
            if happens is not None:
                happens()
        return await super()._call(operation, arguments)


def test_what_comes_in_place_of_a_memory_left_behind_is_embedded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'memory.db'}"
    words = Words(model="new")
    words.poison = "number7"

    with Memory(url, embedder=Words(model="old")) as old:
        old.remember([f"apple number{number}" for number in range(10)])
        bad = old.recall("number7", limit=1)[0].record.id

        def exchange() -> None:
            old.forget(bad)
            old.remember("a late kohlrabi", id="late")

        store = Meanwhile(open_store(url), {2: exchange})
        with Memory(store, embedder=words) as new:
            done = new.reembed(skip_failed=True)
            assert done.embedded == 10
            assert [hit.record.id for hit in new.recall("kohlrabi", mode="semantic", limit=1)] == ["late"]
            assert new.health().ok
        run(store, store.close())
