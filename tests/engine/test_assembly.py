"""How the parts of a memory are put together: gears that differ, health by name, and when one cannot be had."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from memwell import AsyncMemory, ConfigError, Memory, Unavailable
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.engine import assembly
from memwell.engine.encoding import Encoder
from memwell.indexes.exact import Exact
from memwell.ports import KeyValue, Port, Store, VectorIndex
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import OnALoop, Words
from memwell.wrappers.indexed import Indexed
from memwell.wrappers.threaded import threaded

DIMENSION = 64


class Watched(Words):
    """An embedder that notes in which threads it works."""

    def __init__(self) -> None:
        super().__init__(dimension=DIMENSION)
        self.threads: set[str] = set()

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        self.threads.add(threading.current_thread().name)
        return await super()._embed(texts, kind)


class WatchedIndex(Exact):
    """An index that does."""

    def __init__(self) -> None:
        super().__init__(DIMENSION)
        self.threads: set[str] = set()

    async def _upsert(self, points: Any) -> None:
        self.threads.add(threading.current_thread().name)
        await super()._upsert(points)


MODES = [
    (store, index, cache, embedder)
    for store in ("blocks", "suspends")
    for index in ("none", "blocks", "suspends")
    for cache in ("none", "blocks", "suspends")
    for embedder in ("blocks", "suspends")
]


@pytest.fixture
def made() -> Iterator[list[Port]]:
    """Parts that were handed in."""
    parts: list[Port] = []
    yield parts
    for part in reversed(parts):
        run(part, part.close())


def in_mode(part: Any, mode: str, made: list[Port]) -> Any:
    if mode == "suspends":
        part = threaded(part)
    made.append(part)
    return part


@pytest.mark.parametrize("face", [Memory, AsyncMemory])
@pytest.mark.parametrize(("store", "index", "cache", "embedder"), MODES)
def test_parts_of_every_mode_work_together_and_none_blocks_the_loop(
    face: type, store: str, index: str, cache: str, embedder: str, tmp_path: Path, made: list[Port]
) -> None:
    words, points = Watched(), WatchedIndex()
    options: dict[str, Any] = {"embedder": in_mode(words, embedder, made)}
    if index != "none":
        options["index"] = in_mode(points, index, made)
    if cache != "none":
        options["cache"] = in_mode(MemoryKeyValue(), cache, made)
    found = in_mode(open_store(f"sqlite:///{tmp_path / 'a.db'}"), store, made)
    opened = (
        Memory(found, **options) if face is Memory else cast("Memory", OnALoop(AsyncMemory(found, **options)))
    )
    with opened as memory:
        memory.remember("apple pie", id="a", user_id="ann")
        memory.remember("plum cake", id="b", user_id="ann")
        (best, *_) = memory.recall("apple", user_id="ann", mode="semantic")
        assert (best.record.id, best.why.notes) == ("a", ())
        health = memory.health()
        assert health.ok
        wanted = {"store", "embedder"} | {
            n for n, mode in (("index", index), ("cache", cache)) if mode != "none"
        }
        assert health.parts.keys() == wanted
        assert memory.repair().ok
    loops = {name for name in words.threads | points.threads if name == "memwell-loop"}
    assert loops == set()
    assert bool(points.threads) is (index != "none")
    if face is Memory and "suspends" not in (store, index, cache, embedder):
        assert words.threads == {threading.current_thread().name}


def test_a_store_that_comes_with_its_index_tells_of_both(made: list[Port]) -> None:
    store: Store = in_mode(open_store("memory://"), "blocks", made)
    index: VectorIndex = in_mode(threaded(Exact(DIMENSION)), "blocks", made)
    indexed = Indexed(store, index, model="words")
    with Memory(indexed, embedder=Words()) as memory:
        memory.remember("apple")
        assert set(memory.health().parts) == {"store", "embedder", "index"}
        assert memory.recall("apple")


class Down(MemoryKeyValue):
    """A cache that cannot be reached."""

    async def _ping(self) -> None:
        raise Unavailable("the cache is down", part=self.part)


def test_a_part_that_is_down_is_named_and_the_memory_serves_on() -> None:
    with Memory("memory://", embedder=Words(), cache=Down()) as memory:
        health = memory.health()
        assert (health.ok, health.status) == (False, "degraded")
        assert "the cache is down" in health.parts["cache"]
        assert health.parts["store"] == health.parts["embedder"] == "ok"


@pytest.mark.parametrize(
    "wrong",
    [
        {"embedder": "nosuch"},
        {"embedder": "hashing", "index": "nosuch:"},
        {"embedder": "hashing", "index": "exact:?dimension=7"},
        {"embedder": "hashing", "index": 7},
        {"embedder": "hashing", "cache": "nosuch:"},
        {"embedder": None, "cache": "memory://"},
        {"embedder": None, "index": "exact:?dimension=7"},
    ],
    ids=str,
)
def test_when_one_part_cannot_be_had_those_opened_before_are_closed(
    wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Port] = []

    def watched(url: str) -> Store:
        opened.append(open_store(url))
        return opened[-1]  # type: ignore[return-value]

    monkeypatch.setattr(assembly.registry, "open_store", watched)
    with pytest.raises(ConfigError):
        Memory(f"sqlite:///{tmp_path / 'a.db'}", **wrong)
    (store,) = opened
    assert store.closed


def test_what_was_handed_in_stays_open_when_another_part_cannot_be_had(made: list[Port]) -> None:
    cache: KeyValue = in_mode(MemoryKeyValue(), "blocks", made)
    with pytest.raises(ConfigError):
        Memory("memory://", embedder="hashing", cache=cache, index="exact:?dimension=7")
    assert not cache.closed


class Busy(Words):
    """An embedder whose service is overloaded."""

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        del kind
        self.texts += texts
        raise Unavailable("too many requests", part=self.part)


def test_an_overloaded_embedder_is_not_asked_again_in_other_words() -> None:
    busy = Busy()
    encoder = Encoder(busy)
    with pytest.raises(Unavailable):
        asyncio.run(encoder.strictly(["user: hello"]))
    assert busy.texts == ["hello"]
    assert asyncio.run(encoder.question("apple", "what of apple")) is None
    assert busy.texts == ["hello", "apple"]


def test_a_single_text_is_looked_up_before_it_is_embedded_unless_that_takes_no_longer(tmp_path: Path) -> None:
    url, words = f"sqlite:///{tmp_path}/a.db", Words()
    with Memory(url, embedder=Words()) as memory:
        memory.remember("tea")
    with Memory(url, embedder=words) as memory:
        encoder = cast("Any", memory._memory._engine.encoder)
        encoder.embedder.seconds = 0.01
        assert memory.remember("tea").reinforced == 1
        assert words.texts == []
        encoder.embedder.seconds = 0.000001
        assert memory.remember("tea").reinforced == 2
        assert words.texts == ["tea"]


HOMELESS = """
import os, sys
if os.getuid() == 0:
    os.setresuid(54321, 0, 0)  # a user that no passwd entry names, who can still read this Python
from memwell import ConfigError, Memory
with Memory(f"sqlite:///{sys.argv[1]}") as memory:
    memory.remember("tea")
    print(memory.recall("tea")[0].record.content)
try:
    Memory()
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("home", [None, "/proc/nowhere"])
def test_without_a_home_a_named_store_works_by_words_and_the_default_says_what_to_set(
    tmp_path: Path, home: str | None
) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MEMWELL_", "HOME"))
    }
    environment |= {} if home is None else {"HOME": home}
    tmp_path.chmod(0o777)
    command = [sys.executable, "-c", HOMELESS, str(tmp_path / "a.db")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "tea"
    assert "MEMWELL_URL" in second


def test_a_data_folder_that_cannot_be_made_is_reported_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="MEMWELL_URL"):
        Memory()


def test_weights_that_could_not_be_converted_here_are_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memwell.embedders.local import weights

    (tmp_path / "file").touch()
    official = tmp_path / "official"
    official.mkdir()
    for name in weights.SHA256:
        (official / name).touch()
    monkeypatch.setattr(weights, "_wheel", lambda: weights.Source(official))
    assert weights.usable(cache=tmp_path / "new")
    assert weights.available(cache=tmp_path / "file" / "models")
    assert not weights.usable(cache=tmp_path / "file" / "models")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with Memory("memory://") as memory:
        assert set(memory.health().parts) == {"store"}
