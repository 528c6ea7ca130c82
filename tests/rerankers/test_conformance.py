"""Every way to a reranker that runs here keeps the promises of the port."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from tests.rerankers.test_cohere import KEY, cohere_rerank, serving

from memwell.ports import Reranker
from memwell.registry import open_reranker
from memwell.rerankers.function import FunctionReranker
from memwell.testing import run
from memwell.testing.rerankers import RerankerConformance


def shared(query: str, texts: Sequence[str]) -> list[float]:
    """How many words a text shares with the question."""
    return [float(len({*query.split()} & {*text.split()})) for text in texts]


async def slowly(query: str, texts: Sequence[str]) -> list[float]:
    await asyncio.sleep(0)
    return shared(query, texts)


class TestFunctions(RerankerConformance):
    @pytest.fixture(params=[shared, slowly], ids=["function", "coroutine"])
    def reranker(self, request: pytest.FixtureRequest) -> Iterator[Reranker]:  # type: ignore[override]
        part = FunctionReranker(request.param)
        yield part
        run(part, part.close())


class TestCohere(RerankerConformance):
    @pytest.fixture
    def reranker(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reranker]:  # type: ignore[override]
        monkeypatch.setenv("COHERE_API_KEY", KEY)
        with serving(cohere_rerank) as service:
            part = open_reranker(f"cohere:rerank-v3.5?base_url={service.url}/v2")
            yield part
            run(part, part.close())
