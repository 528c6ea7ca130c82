"""Cohere's rerank API, on loopback by its documented protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.embedders.services import KEY, Service, cohere_rerank, serving

from memwell import Memory
from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.ports import Reranker
from memwell.registry import open_reranker
from memwell.testing import run

TEXTS = ["rain on monday", "the cat sleeps", "where the cat eats"]


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(cohere_rerank) as found:
        yield found


@pytest.fixture
def name(service: Service, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    return f"cohere:rerank-v3.5?base_url={service.url}/v2&candidates=10&timeout=4&weight=0.6"


@pytest.fixture
def reranker(name: str) -> Iterator[Reranker]:
    part = open_reranker(name)
    yield part
    run(part, part.close())


def test_scores_come_in_the_order_of_the_texts(reranker: Reranker, service: Service) -> None:
    assert run(reranker, reranker.score("the cat", TEXTS)) == [0.0, 1.0, 1.0]
    _, _, body = service.requests[0]
    assert body == {"model": "rerank-v3.5", "query": "the cat", "documents": TEXTS, "top_n": 3}
    assert (reranker.candidates, reranker.timeout, reranker.weight) == (10, 4.0, 0.6)
    run(reranker, reranker.ping())


@pytest.mark.parametrize("fault", ["rate", "503", "200 500"])
def test_a_passing_failure_is_tried_once_more(reranker: Reranker, service: Service, fault: str) -> None:
    service.plan.append(fault)
    assert run(reranker, reranker.score("the cat", TEXTS)) == [0.0, 1.0, 1.0]
    assert len(service.requests) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [("400", BackendError), ("401", ConfigError), ("404", ConfigError), ("503", Unavailable),
     ("truncated", Unavailable), ("page", Unavailable), ("cut", Unavailable), ("quota", BackendError)],
)  # fmt: skip
def test_a_failure_that_stays_is_one_of_our_errors_and_a_note_of_the_recall(
    reranker: Reranker, name: str, service: Service, fault: str, error: type[MemwellError]
) -> None:
    service.plan.extend([fault] * 4)
    with pytest.raises(error) as caught:
        run(reranker, reranker.score("the cat", TEXTS))
    assert KEY not in str(caught.value)
    assert caught.value.part == "cohere"
    service.plan.extend([fault] * 4)
    with Memory("memory://", embedder=None, reranker=name) as memory:
        memory.remember(TEXTS)
        hits = memory.recall("the cat")
    assert {hit.content for hit in hits} >= {*TEXTS[1:]}
    assert hits[0].why.notes == ("the reranker failed: ranked without it",)


def test_a_memory_opens_it_by_its_name(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_KEY", KEY)
    name = f"cohere:?base_url={service.url}/v2&key_env=OWN_KEY"
    with Memory("memory://", embedder=None, reranker=name) as memory:
        memory.remember(TEXTS)
        best = memory.recall("where does the cat eat")[0]
    assert best.why.components[0].name == "rerank"
    assert service.requests[0][2]["model"] == "rerank-v3.5"


def test_without_a_key_it_says_which_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COHERE_API_KEY", "CO_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="COHERE_API_KEY"):
        open_reranker("cohere:rerank-v3.5")
    with pytest.raises(ConfigError, match="has no option top"):
        open_reranker("cohere:rerank-v3.5?top=3")
