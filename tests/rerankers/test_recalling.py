"""`Memory(reranker=…)`, on both faces: the best candidates are ordered anew, and no answer is ever lost to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from memwell import AsyncMemory, Hit, Memory
from memwell.errors import ConfigError
from memwell.rerankers.function import FunctionReranker

NOTES = ["the cat sleeps on the sofa", "the cat eats fish", "a cat was seen in the garden", "rain on Monday"]


def shortest(query: str, texts: Sequence[str]) -> list[float]:
    """The shorter, the better."""
    return [1 / len(text) for text in texts]


class Object:
    def rerank(self, query: str, documents: Sequence[str]) -> Any:
        yield from shortest(query, documents)


class CrossEncoder:
    def predict(self, pairs: Sequence[tuple[str, str]]) -> Any:
        return np.array([shortest(query, [text]) for query, text in pairs], dtype=np.float32)


async def asynchronous(query: str, texts: Sequence[str]) -> list[float]:
    await asyncio.sleep(0)
    return shortest(query, texts)


def on_a_loop(reranker: object, query: str, **options: Any) -> list[Hit]:
    async def main() -> list[Hit]:
        async with AsyncMemory("memory://", embedder=None, reranker=reranker) as memory:
            await memory.remember(NOTES)
            return await memory.recall(query, **options)

    return asyncio.run(main())


def plainly(reranker: object, query: str, **options: Any) -> list[Hit]:
    with Memory("memory://", embedder=None, reranker=reranker) as memory:
        memory.remember(NOTES)
        return memory.recall(query, **options)


FACES = [plainly, on_a_loop]


def part(hit: Hit) -> float:
    return sum(each.points for each in hit.why.components if each.name == "rerank")


@pytest.mark.parametrize("recall", FACES)
@pytest.mark.parametrize(
    "reranker", [shortest, asynchronous, Object(), CrossEncoder(), FunctionReranker(shortest)]
)
def test_its_order_is_a_part_of_the_score_and_parts_add_up(
    recall: Callable[..., list[Hit]], reranker: object
) -> None:
    plain, hits = recall(None, "cat"), recall(reranker, "cat")
    assert [hit.content for hit in hits[:3]] == sorted(NOTES[:3], key=len)
    before = {hit.content: hit.score for hit in plain}
    for hit in hits[:3]:
        own = shortest("cat", [hit.content])[0]
        assert part(hit) == pytest.approx(0.7 * own, abs=1e-6)
        assert hit.score == pytest.approx(0.3 * before[hit.content] + 0.7 * own, abs=1e-6)
        assert sum(each.points for each in hit.why.components) == pytest.approx(hit.score, abs=1e-6)
        assert not hit.why.notes


@pytest.mark.parametrize("strategy", ["balanced", "recent"])
def test_strategies_weigh_the_reranked_relevance(strategy: str) -> None:
    hits = plainly(shortest, "cat", strategy=strategy)
    assert all(part(hit) > 0 for hit in hits)


def test_more_candidates_than_the_limit_are_asked_about_and_no_more_than_said() -> None:
    asked: list[int] = []

    def last(query: str, texts: Sequence[str]) -> list[float]:
        asked.append(len(texts))
        return [float("garden" in text) for text in texts]

    with Memory("memory://", embedder=None, reranker=FunctionReranker(last, candidates=25)) as memory:
        memory.remember([f"cat cat cat {number}" for number in range(40)])
        memory.remember("one cat in a very long sentence about the garden")
        memory.recall("cat", limit=2)
    assert asked == [25]
    with Memory("memory://", embedder=None, reranker=FunctionReranker(last, candidates=50)) as memory:
        memory.remember([f"cat cat cat {number}" for number in range(40)])
        memory.remember("one cat in a very long sentence about the garden")
        assert "garden" in memory.recall("cat", limit=2)[0].content
    with Memory("memory://", embedder=None, reranker=FunctionReranker(shortest, candidates=1)) as memory:
        memory.remember(NOTES)
        hits = memory.recall("cat")
        assert [part(hit) > 0 for hit in hits].count(True) == 1
        assert len(hits) >= 3, "those it was not asked about stay in the answer"


@pytest.mark.parametrize(
    "scores",
    [[-5.0, 0.5, 20.0], [1e308, -1e308, 0.0], [3, 2, 1], [np.float32(-1), np.float32(9), np.float32(4)]],
)
def test_scores_of_any_scale_keep_their_order_within_0_and_1(scores: list[float]) -> None:
    hits = plainly(
        FunctionReranker(lambda query, texts: scores[: len(texts)], candidates=3, weight=1.0), "cat"
    )
    found = [part(hit) for hit in hits[:3]]
    assert found == sorted(found, reverse=True)
    assert found[0] == 1
    assert found[2] == 0
    assert hits[0].score == 1


def fails(query: str, texts: Sequence[str]) -> Any:
    raise RuntimeError("the model is gone")


def later(query: str, texts: Sequence[str]) -> Any:
    return asynchronous(query, texts)


WRONG: dict[str, Callable[[str, Sequence[str]], Any]] = {
    "raises": fails,
    "too few": lambda query, texts: [0.5],
    "too many": lambda query, texts: [0.5] * (len(texts) + 1),
    "NaN": lambda query, texts: [float("nan")] * len(texts),
    "infinity": lambda query, texts: [float("inf"), *[0.1] * (len(texts) - 1)],
    "texts": lambda query, texts: ["high"] * len(texts),
    "numbers as text": lambda query, texts: ["0.5"] * len(texts),
    "flags": lambda query, texts: [True] * len(texts),
    "nothing": lambda query, texts: None,
    "a number": lambda query, texts: 0.5,
    "pairs": lambda query, texts: [(0.1, 0.2)] * len(texts),
}


@pytest.mark.parametrize("recall", FACES)
@pytest.mark.parametrize("wrong", WRONG)
def test_one_that_fails_leaves_the_answer_as_it_is_with_a_note(
    recall: Callable[..., list[Hit]], wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain, hits = recall(None, "cat"), recall(WRONG[wrong], "cat")
    assert [(hit.content, hit.score) for hit in hits] == [(hit.content, hit.score) for hit in plain]
    assert all(hit.why.notes == ("the reranker failed: ranked without it",) for hit in hits)
    assert "ranked without the reranker" in caplog.text


@pytest.mark.parametrize("recall", FACES)
@pytest.mark.parametrize("asynchronously", [False, True])
def test_one_that_is_slow_is_not_waited_for(recall: Callable[..., list[Hit]], asynchronously: bool) -> None:
    released = threading.Event()

    def slow(query: str, texts: Sequence[str]) -> list[float]:
        released.wait(60)
        return shortest(query, texts)

    async def never(query: str, texts: Sequence[str]) -> list[float]:
        await asyncio.Event().wait()
        return []

    try:
        hits = recall(FunctionReranker(never if asynchronously else slow, timeout=0.05), "cat")
    finally:
        released.set()
    assert len(hits) >= 3
    assert all(
        hit.why.notes == ("the reranker took longer than 0.05 seconds: ranked without it",) for hit in hits
    )


def test_it_is_not_asked_when_nothing_was_found() -> None:
    assert plainly(fails, "helicopter", where={"category": "none"}) == []


def test_of_a_long_memory_it_reads_the_passage_that_was_found() -> None:
    read: list[str] = []

    def keep(query: str, texts: Sequence[str]) -> list[float]:
        read.extend(texts)
        return [0.5] * len(texts)

    with Memory("memory://", embedder="hashing", reranker=keep) as memory:
        memory._memory._engine.encoder.embedder.inner.inner.window = 40  # type: ignore[union-attr]
        memory.remember(" ".join(f"filler{number} words here" for number in range(150)) + " the walrus sings")
        memory.recall("walrus sings")
    assert len(read[0]) < 400
    assert "walrus" in read[0]


def test_health_asks_it_and_close_leaves_an_object_open() -> None:
    reranker = FunctionReranker(shortest)
    with Memory("memory://", embedder=None, reranker=reranker) as memory:
        assert memory.health().parts["reranker"] == "ok"
    assert not reranker.closed


@pytest.mark.parametrize("given", [3, object(), str, "nothing:x", "cohere:x?candidates=0", ""])
def test_what_is_no_reranker_is_refused_at_opening(given: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHERE_API_KEY", "none")
    with pytest.raises(ConfigError):
        Memory("memory://", embedder=None, reranker=given)


@pytest.mark.parametrize("option", [{"candidates": 0}, {"candidates": True}, {"timeout": 0}, {"weight": 1.5}])
def test_its_options_are_checked(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(option))):
        FunctionReranker(shortest, **option)
