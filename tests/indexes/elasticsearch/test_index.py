"""Elasticsearch: Elastic's own client, driven by the shared suite, against a loopback server of its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.indexes.wire.base import Reply, serving
from tests.indexes.wire.elasticsearch import ElasticsearchWire

from memwell import _bridge
from memwell.errors import BackendError, ConfigError, Unavailable
from memwell.indexes.elasticsearch.index import Elasticsearch
from memwell.ports import Metric, Point, VectorIndex
from memwell.registry import open_index
from memwell.testing import race, run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.indexes.keeping import Keeping
from memwell.testing.indexes.searching import Searching

FIRST = np.array([1, 0], dtype=np.float32)


def named(wire: ElasticsearchWire, options: str, login: str = "elastic:geheim@") -> VectorIndex:
    return open_index(f"elasticsearch://{login}{wire.url.removeprefix('http://')}?{options}")


class TestElasticsearch(VectorIndexConformance):
    many = 3000

    @pytest.fixture
    def opening(self, wire: ElasticsearchWire) -> Iterator[Opening]:
        def make(name: str, metric: Metric, dimension: int | None) -> VectorIndex:
            return named(
                wire, f"dimension={dimension or self.dimension}&metric={metric}&index={name.lower()}"
            )

        with opened(make) as opening:
            yield opening


class TestNamespace(Keeping, Searching):
    """Of an index that others use as well."""

    many = 1000

    @pytest.fixture
    def index(self, wire: ElasticsearchWire) -> Iterator[VectorIndex]:
        other, index = (
            named(wire, f"dimension={self.dimension}&namespace={name}") for name in ("other", "mine")
        )
        points = [self.point(name, self.at(0)) for name in ("a", "p1", "neighbour")]
        run(other, other.upsert(points))
        yield index
        assert run(other, other.ids()) == ["a", "neighbour", "p1"]
        for part in (other, index):
            run(part, part.close())


@pytest.fixture
def wire() -> Iterator[ElasticsearchWire]:
    with serving(ElasticsearchWire()) as wire:
        yield wire


@pytest.fixture
def index(wire: ElasticsearchWire) -> Iterator[VectorIndex]:
    part = named(wire, "dimension=2")
    yield part
    run(part, part.close())


def point(name: str, vector: np.ndarray = FIRST, **metadata: object) -> Point:
    return Point(id=name, vector=vector, fields={"metadata": metadata})


def test_documents_that_are_refused_are_reported_and_the_others_stay(
    index: VectorIndex, wire: ElasticsearchWire
) -> None:
    wire.refuse = {"b"}
    with pytest.raises(BackendError, match="rejected 1 of 3 points"):
        run(index, index.upsert([point("a"), point("b"), point("c")]))
    assert run(index, index.ids()) == ["a", "c"]
    wire.refuse = set()
    run(index, index.upsert([point("a"), point("b"), point("c")]))
    assert run(index, index.ids()) == ["a", "b", "c"]


def test_several_at_once_make_the_index_once(wire: ElasticsearchWire) -> None:
    parts = [named(wire, "dimension=2") for _ in range(6)]
    race(parts[0], [lambda part=part, at=at: part.upsert([point(f"p{at}")]) for at, part in enumerate(parts)])
    assert run(parts[0], parts[0].count()) == 6
    for part in parts:
        run(part, part.close())


def test_a_wrong_password_is_an_error_of_configuration_that_does_not_show_it(wire: ElasticsearchWire) -> None:
    part = named(wire, "dimension=2", "elastic:wrong-password@")
    with pytest.raises(ConfigError, match="rejected the login") as caught:
        run(part, part.count())
    assert "wrong-password" not in str(caught.value)
    assert "wrong-password" not in str(part.identity)
    run(part, part.close())


def test_a_busy_server_is_unavailable_and_one_that_is_gone_too(
    index: VectorIndex, wire: ElasticsearchWire
) -> None:
    run(index, index.upsert([point("a")]))
    wire.next(Reply(429, headers={"retry-after": "3"}, message="es_rejected_execution_exception"))
    with pytest.raises(Unavailable) as caught:
        run(index, index.search(FIRST, limit=1))
    assert caught.value.retry_after == 3
    gone = open_index("elasticsearch://127.0.0.1:9?dimension=2&timeout=1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        run(gone, gone.count())
    run(gone, gone.close())


def test_an_index_that_was_dropped_is_created_again_by_the_next_call(
    index: VectorIndex, wire: ElasticsearchWire
) -> None:
    run(index, index.upsert([point("a")]))
    wire.indexes.clear()
    with pytest.raises(BackendError, match="memwell repair"):
        run(index, index.count())
    assert run(index, index.count()) == 0


@pytest.mark.parametrize("login", ["elastic:pässword@", "elastic:pass%0Aword@"])
def test_a_password_of_any_characters_is_sent_and_not_shown(wire: ElasticsearchWire, login: str) -> None:
    part = named(wire, "dimension=2", login)
    with pytest.raises(ConfigError, match="rejected the login") as caught:
        run(part, part.count())
    assert "word" not in repr(caught.value.__cause__)
    run(part, part.close())


def test_each_event_loop_has_a_client_of_its_own_and_all_are_closed(wire: ElasticsearchWire) -> None:
    part = named(wire, "dimension=2")
    assert isinstance(part, Elasticsearch)

    async def count() -> None:
        await part.count()

    other = _bridge.Loop()
    other.run(count())
    nodes: list[Any] = []

    async def close() -> None:
        await count()
        nodes.extend(
            node for client in part._clients._open.values() for node in client.transport.node_pool.all()
        )
        await part.close()

    asyncio.run(close())
    other.stop()
    assert [node.session for node in nodes] == [None, None]


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, wire: ElasticsearchWire) -> None:
    monkeypatch.setenv("ELASTICSEARCH_API_KEY", "secret-key")
    part = Elasticsearch(2, url=wire.url)
    with pytest.raises(ConfigError):
        run(part, part.count())
    assert wire.requests == []
    assert part._settings["api_key"] == "secret-key"
    run(part, part.close())
