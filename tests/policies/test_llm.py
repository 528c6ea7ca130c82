"""Summaries and enrichment by language models, on loopback by the documented protocols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.embedders.services import KEY, Service, anthropic_messages, openai_chat, serving

from memwell import AsyncMemory, Memory
from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.policies.llm import Anthropic, OpenAI

SUMMARISE = {"summarise": [{"at_least": 3}]}


@pytest.fixture(params=[(OpenAI, openai_chat), (Anthropic, anthropic_messages)], ids=["openai", "anthropic"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Service]]:
    kind, answer = request.param
    with serving(answer) as service:
        yield (
            (lambda **more: kind("a-model", **{"key": KEY, "base_url": f"{service.url}/v1", **more})),
            service,
        )


def test_a_plan_has_the_summary_of_the_model_in_both_faces(served: Any) -> None:
    make, service = served
    with Memory("memory://", embedder=None) as memory:
        memory.remember(["one", "two", "three"], user_id="ana", session_id="s")
        plan = memory.plan(SUMMARISE, summariser=make())
        assert plan.steps[0].after["content"] == "3 notes, in short."
        assert memory.apply(plan).done == 1
    _, _, body = service.requests[0]
    assert "1000 characters" in str(body)


async def planned(summariser: Any) -> str:
    async with AsyncMemory("memory://", embedder=None) as memory:
        await memory.remember(["one", "two", "three"], user_id="ana", session_id="s")
        plan = await memory.plan(SUMMARISE, summariser=summariser)
        return str(plan.steps[0].after["content"])


def test_it_is_awaited_where_a_loop_runs(served: Any) -> None:
    import asyncio

    assert asyncio.run(planned(served[0]())) == "3 notes, in short."


def test_a_model_enriches_and_where_it_fails_the_memory_is_stored_without(served: Any) -> None:
    make, service = served
    with Memory("memory://", embedder=None, enrich=make(attempts=1).enrich) as memory:
        record = memory.remember("Ana keeps bees", user_id="ana")
        assert (record.importance, record.category) == (0.9, None)
        assert record.metadata == {"topic": "bees", "dates": ["2026-05-01"]}
        service.plan.extend(["503", "401"])
        plain = memory.remember(["Ana keeps a dog", "Ana keeps a cat"], user_id="ana")
        assert [(one.importance, dict(one.metadata)) for one in plain] == [(0.5, {})] * 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [("400", BackendError), ("401", ConfigError), ("404", ConfigError), ("503", Unavailable)],
)
def test_a_failure_is_one_of_our_errors_and_nothing_is_planned(
    served: Any, fault: str, error: type[MemwellError]
) -> None:
    make, service = served
    service.plan.extend([fault] * 9)
    with Memory("memory://", embedder=None) as memory:
        memory.remember(["one", "two", "three"], user_id="ana", session_id="s")
        with pytest.raises(error) as caught:
            memory.plan(SUMMARISE, summariser=make(attempts=1))
        assert KEY not in str(caught.value)
        assert memory.count() == 3


def test_a_missing_key_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="needs an API key: set OPENAI_API_KEY"):
        OpenAI("gpt-4o-mini")
    with pytest.raises(ConfigError, match="name a model"):
        Anthropic("")
