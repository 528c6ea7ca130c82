"""The cache before an embedder: the shared suite, what is embedded how often, and what happens to damage."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.embedders.function import as_embedder
from memwell.embedders.hashing import Hashing
from memwell.errors import ConfigError, Unavailable
from memwell.ports import Embedder
from memwell.registry import open_keyvalue
from memwell.testing import race, run
from memwell.testing.embedders import EmbedderConformance
from memwell.wrappers.cached import RETRY_AFTER, CachedEmbedder

Kind = Literal["document", "query"]


class Counting(Hashing):
    """Remembers what it was asked for."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.asked: list[str] = []

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Any:
        self.asked.extend(texts)
        return await super()._embed(texts, kind)


class Apart(Counting):
    """Embeds queries otherwise than documents."""

    symmetric = False

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Any:
        return await super()._embed([f"{kind} {text}" for text in texts], kind)


async def asynchronous(texts: list[str]) -> Any:
    return await Hashing(16).embed(texts)


class TestCached(EmbedderConformance):
    large = 1_100

    @pytest.fixture(params=["apart", "async"])
    def embedder(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedder]:
        inner: Embedder = Apart() if request.param == "apart" else as_embedder(asynchronous)
        keyvalue = None if request.param == "apart" else open_keyvalue(f"sqlite:////{tmp_path}/cache.db")
        part = CachedEmbedder(inner, keyvalue, capacity=3 if request.param == "apart" else 1000)
        yield part
        run(part, part.close())
        if keyvalue is not None:
            run(keyvalue, keyvalue.close())


def ask(part: Embedder, *texts: str, kind: Kind = "document") -> Any:
    return run(part, part.embed(texts, kind=kind))


def test_a_text_is_embedded_once() -> None:
    inner = Counting()
    part = CachedEmbedder(inner)
    ask(part, "tea", "milk", "tea")
    ask(part, "milk", "honey")
    assert inner.asked == ["tea", "milk", "honey"]
    assert (part.hits, part.misses) == (2, 3)


def test_queries_and_documents_share_an_entry_only_where_the_model_says_so() -> None:
    for inner, times in ((Counting(), 1), (Apart(), 2)):
        part = CachedEmbedder(inner, MemoryKeyValue())
        document, query = ask(part, "tea"), ask(part, "tea", kind="query")
        assert len(inner.asked) == times
        assert bool((document == query).all()) is (times == 1)


def test_a_keyvalue_serves_the_next_process() -> None:
    shared = MemoryKeyValue()
    first = ask(CachedEmbedder(Counting(), shared), "tea", "milk")
    inner = Counting()
    again = ask(CachedEmbedder(inner, shared), "milk", "tea")
    assert inner.asked == []
    assert abs(first[::-1] - again).max() == 0


def test_models_do_not_share_entries() -> None:
    shared, other = MemoryKeyValue(), Counting(32)
    ask(CachedEmbedder(Counting(64), shared), "tea")
    assert ask(CachedEmbedder(other, shared), "tea").shape == (1, 32)
    assert other.asked == ["tea"]


def stored(keyvalue: MemoryKeyValue) -> dict[str, bytes]:
    return {key: value for key, (value, _) in keyvalue._entries.items()}


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-4],
        lambda value: value + b"\0" * 4,
        lambda value: b"",
        lambda value: value[:20] + bytes([value[20] ^ 1]) + value[21:],
        lambda value: b"\xff" * len(value),
    ],
)
def test_a_damaged_value_is_a_miss_and_is_mended(damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    shared = MemoryKeyValue()
    right = ask(CachedEmbedder(Counting(), shared), "tea")
    (key, value), *_ = stored(shared).items()
    run(shared, shared.set(key, damage(value)))
    with caplog.at_level(logging.WARNING, "memwell.embedding"):
        assert abs(ask(CachedEmbedder(Counting(), shared), "tea") - right).max() == 0
    assert "damaged" in caplog.text
    assert stored(shared)[key] == value


def test_a_value_under_another_texts_key_is_not_used() -> None:
    shared = MemoryKeyValue()
    ask(CachedEmbedder(Counting(), shared), "tea", "milk")
    one, other = stored(shared)
    run(shared, shared.set(one, stored(shared)[other]))
    expected = ask(Hashing(64), "tea", "milk")
    assert abs(ask(CachedEmbedder(Counting(), shared), "tea", "milk") - expected).max() < 1e-6


def test_a_cache_that_fails_costs_an_embedding_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    closed = MemoryKeyValue()
    run(closed, closed.close())
    with caplog.at_level(logging.WARNING, "memwell.embedding"):
        assert ask(CachedEmbedder(Counting(), closed), "tea").shape == (1, 64)
    assert "cannot be read" in caplog.text
    assert "not cached" in caplog.text


def test_memory_stays_within_both_limits() -> None:
    for options in ({"capacity": 10}, {"limit": 10 * (64 * 4 + 250)}):
        part = CachedEmbedder(Counting(), **options)
        for number in range(50):
            ask(part, f"text {number}")
        assert len(part._recent._entries) == 10
        ask(part, "text 49", "text 40")
        assert part.hits == 2


def test_what_was_used_last_stays() -> None:
    inner = Counting()
    part = CachedEmbedder(inner, capacity=2)
    for text in ("tea", "milk", "tea", "honey", "tea"):
        ask(part, text)
    assert inner.asked == ["tea", "milk", "honey"]


def test_a_batch_beyond_the_capacity_is_answered_whole() -> None:
    texts = [f"text {number}" for number in range(20)]
    part = CachedEmbedder(Counting(), capacity=3)
    assert abs(ask(part, *texts) - ask(Hashing(64), *texts)).max() < 1e-6


def test_an_asynchronous_embedder_of_unknown_dimension_finds_its_cache() -> None:
    shared = MemoryKeyValue()
    first = ask(CachedEmbedder(as_embedder(asynchronous), shared), "tea", "milk")
    again = CachedEmbedder(as_embedder(asynchronous), shared)
    run(again, again.prepare())
    assert abs(ask(again, "tea", "milk") - first).max() == 0
    assert (again.hits, again.misses) == (2, 0)


class Elsewhere(MemoryKeyValue):
    """A cache over an event loop."""

    blocking = False


def test_a_blocking_embedder_beside_an_asynchronous_cache_leaves_the_loop_alone() -> None:
    threads = []

    def embed(texts: list[str]) -> Any:
        threads.append(threading.current_thread())
        return [[1.0, 2.0]] * len(texts)

    part = CachedEmbedder(as_embedder(embed, dimension=2), Elsewhere())
    assert not part.blocking
    ask(part, "tea")
    assert threads[0] is not threading.current_thread()


def test_many_threads_at_once_get_the_right_vectors() -> None:
    part = CachedEmbedder(Hashing(64), MemoryKeyValue(), capacity=5)
    batches = [[f"text {(number * 7 + at) % 30}" for at in range(10)] for number in range(8)]
    found = race(part, [lambda batch=batch: part.embed(batch) for batch in batches])
    for batch, vectors in zip(batches, found, strict=True):
        assert abs(vectors - ask(Hashing(64), *batch)).max() < 1e-6


def test_a_long_or_odd_model_name_still_makes_a_key() -> None:
    for name in ("m" * 3000, "line\nbreak\0", "模型" * 300):
        shared, inner = MemoryKeyValue(), as_embedder(lambda texts: [[1.0, 2.0]] * len(texts), model=name)
        ask(CachedEmbedder(inner, shared), "tea")
        assert len(stored(shared)) == 1


def test_closing_closes_the_embedder_and_leaves_the_keyvalue_open() -> None:
    inner, shared = Counting(), MemoryKeyValue()
    part = CachedEmbedder(inner, shared)
    run(part, part.close())
    assert inner.closed
    assert not shared.closed


@pytest.mark.parametrize("options", [{"capacity": -1}, {"limit": -1}])
def test_limits_are_not_negative(options: Mapping[str, int]) -> None:
    with pytest.raises(ConfigError, match="at least 0"):
        CachedEmbedder(Hashing(), **options)  # type: ignore[arg-type]


def test_a_cache_that_cannot_be_reached_is_left_alone_for_some_seconds() -> None:
    class Gone(MemoryKeyValue):
        asked = 0

        async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
            self.asked += 1
            raise Unavailable("it hangs")

    now = [100.0]
    gone = Gone()
    part = CachedEmbedder(Hashing(), gone, clock=lambda: now[0])
    for text in ("one", "two", "three"):
        run(part, part.embed([text]))
    assert gone.asked == 1
    assert not gone._entries, "nothing was written either"
    now[0] += RETRY_AFTER
    run(part, part.embed(["four"]))
    assert gone.asked == 2
    run(part, part.close())
