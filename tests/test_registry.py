"""Every part that the registry names opens by its URL."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from memwell import ConfigError, Memory
from memwell.registry import TABLE, open_embedder, open_index, open_keyvalue, open_log, open_store

OPENERS = {
    "stores": (open_store, {"memory": "memory://", "sqlite": "sqlite:///part.db"}),
    "indexes": (open_index, {"exact": "exact://?dimension=8"}),
    "embedders": (open_embedder, {"hashing": "hashing"}),
    "keyvalue": (open_keyvalue, {"memory": "memory://", "sqlite": "sqlite:///part.db?durability=full"}),
    "logs": (open_log, {"memory": "memory://", "sqlite": "sqlite:///part.db?timeout=3"}),
}
NAMES = [(kind, name) for kind, (_, urls) in OPENERS.items() for name in urls]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_part_opens_by_its_url_and_answers(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opener, urls = OPENERS[kind]

    async def ping() -> None:
        async with opener(urls[name]) as part:
            await part.ping()

    asyncio.run(ping())


def test_the_table_names_nothing_that_is_not_tried_here() -> None:
    """The local model needs its weights and has tests of its own."""
    assert {(kind, name) for kind, parts in TABLE.items() for name in parts} - {*NAMES} == {
        ("embedders", "local")
    }


@pytest.mark.parametrize("url", ["exact://", "exact://?dimension=1.5", "exact://?dimension=8&size=3"])
def test_an_index_url_without_a_fitting_dimension_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="dimension"):
        open_index(url)


def test_a_cache_named_by_its_url_keeps_embeddings(tmp_path: Path) -> None:
    with Memory("memory://", embedder="hashing", cache=f"sqlite:///{tmp_path / 'cache.db'}") as memory:
        memory.remember("Biscuit is a dog")
    assert (tmp_path / "cache.db").exists()


def test_the_default_file_may_lie_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "50%20 of? #1"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    with Memory(embedder=None) as memory:
        memory.remember("x")
    if sys.platform == "linux":
        assert (folder / "memwell" / "memory.db").exists()
