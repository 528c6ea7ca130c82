"""A store of four hooks opens, stores and reads; what it does not have says so, with what to do instead."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from memwell import Memory
from memwell.errors import ConfigError, NotSupported
from memwell.ports import Store
from memwell.ports.store import Changes, Embeddings, Records
from memwell.testing import run
from memwell.testing.samples import START
from memwell.testing.stores import StoreConformance
from memwell.types import Scope

_PATH = Path(__file__).parents[2] / "examples" / "small_store.py"
_SPEC = importlib.util.spec_from_file_location("small_store", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
small_store: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(small_store)


class TestSmallStore(StoreConformance):
    """What the store does not promise is skipped; all the rest holds for a store of four hooks too."""

    plenty = 300  # it looks at every record for each insert

    @pytest.fixture
    def store(self) -> Store:
        store: Store = small_store.SmallStore()
        return store


def test_a_memory_works_on_it() -> None:
    with Memory(small_store.SmallStore(), embedder="auto") as memory:
        one = memory.remember("The key is under the mat", user_id="ana", category="home")
        memory.remember("The cat is on the mat", user_id="ana")
        assert memory.get(one.id, user_id="ana").content == "The key is under the mat"
        assert memory.update(one.id, content="The key is gone", user_id="ana").version == 2
        assert [r.id for r in memory.list(where={"category": "home"}, user_id="ana").records] == [one.id]
        assert memory.count(user_id="ana") == 2
        stats = memory.stats(user_id="ana")
        assert (stats.records, stats.users, stats.by_category, stats.unembedded) == (2, 1, {"home": 1}, 2)
        assert memory.forget(one.id, user_id="ana") == [one.id]


def test_what_it_does_not_have_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with Memory(small_store.SmallStore(), embedder=None) as memory:
        one, two = (memory.remember(text).id for text in ("tea", "coffee"))
        with pytest.raises(NotSupported, match="`search`: list"):
            memory.recall("tea")
        with pytest.raises(NotSupported, match="`history`: read"):
            memory.history(one)
        with pytest.raises(NotSupported, match="use a store with that capability"):
            memory.relate(one, two)
        with pytest.raises(NotSupported, match="`check`"):
            memory.doctor()
        memory.update(one, content="green tea")
        assert memory.export(tmp_path / "all.jsonl") == 2
    with pytest.raises(ConfigError, match="stores no vectors; omit embedder="):
        Memory(small_store.SmallStore(), embedder="hashing")


@pytest.mark.parametrize(
    "name", [each.name for each in Store.operations.values() if each.role in (Embeddings, Changes)]
)
def test_a_role_is_declined_as_a_whole(name: str) -> None:
    arguments: dict[str, Any] = {
        "embeddings": ((Scope(), ["a"], "m"), {}),
        "unembedded": (("m",), {"limit": 1}),
        "embedded": (("m",), {"limit": 1}),
        "serve": (("m",), {}),
        "drop_model": (("m",), {}),
        "changes": ((0,), {"limit": 1}),
        "claim": (("f", "h"), {"seconds": 1.0, "now": START}),
        "advance": (("f", "h", 1), {}),
    }
    given, named = arguments.get(name, ((), {}))
    store = small_store.SmallStore()
    with pytest.raises(NotSupported, match="or use "):
        run(store, getattr(store, name)(*given, **named))


def test_every_store_must_keep_records() -> None:
    assert {
        hook for hook in Records.operations if getattr(getattr(Records, hook), "__isabstractmethod__", False)
    } == {
        "_write",
        "_get",
        "_scan",
        "_sweep",
    }
