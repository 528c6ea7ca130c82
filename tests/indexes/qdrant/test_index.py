"""Qdrant: the shared suite in local mode for real, and over the wire against a loopback server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient
from tests.indexes.wire.base import Reply, serving
from tests.indexes.wire.qdrant import QdrantWire

from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.indexes.qdrant.index import Qdrant
from memwell.ports import Metric, Point, VectorIndex
from memwell.registry import open_index
from memwell.testing import race, run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.indexes.keeping import Keeping
from memwell.testing.indexes.searching import Searching


class TestMemory(Keeping, Searching):
    many = 3000

    @pytest.fixture
    def opening(self) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: Qdrant(dimension or self.dimension, metric=metric)
        ) as opening:
            yield opening


class TestFolder(VectorIndexConformance):
    """Each point is a transaction of its own there, so fewer are tried."""

    many = 1000
    filtered = 15

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: Qdrant(
                dimension or self.dimension, path=tmp_path / name, metric=metric
            )
        ) as opening:
            yield opening


class TestNamespace(Keeping, Searching):
    """Of a collection that others use as well, through a client handed in."""

    many = 3000

    @pytest.fixture
    def opening(self) -> Iterator[Opening]:
        client = AsyncQdrantClient(":memory:", force_disable_check_same_thread=True)

        def make(name: str, metric: Metric, dimension: int | None) -> VectorIndex:
            size = dimension or self.dimension
            return Qdrant(size, client=client, collection=metric, namespace=name, metric=metric)

        other = Qdrant(self.dimension, client=client, collection="cosine", namespace="neighbour")
        points = [self.point(name, self.at(0)) for name in ("a", "p1", "neighbour")]
        run(other, other.upsert(points))
        with opened(make) as opening:
            yield opening
        assert run(other, other.ids()) == ["a", "neighbour", "p1"], "closing an index leaves the client open"


class TestServer(VectorIndexConformance):
    """One collection of a server and a namespace for each set of points."""

    many = 3000

    @pytest.fixture
    def opening(self, wire: QdrantWire) -> Iterator[Opening]:
        def make(name: str, metric: Metric, dimension: int | None) -> VectorIndex:
            size = dimension or self.dimension
            return open_index(
                f"qdrant://{wire.url.removeprefix('http://')}?dimension={size}&metric={metric}&namespace={name}"
            )

        with opened(make) as opening:
            yield opening


@pytest.fixture
def wire() -> Iterator[QdrantWire]:
    with serving(QdrantWire()) as wire:
        yield wire


@contextmanager
def opened_at(wire: QdrantWire, **settings: Any) -> Iterator[Qdrant]:
    index = Qdrant(2, url=wire.url, **settings)
    yield index
    run(index, index.close())


def points(count: int, **fields: Any) -> list[Point]:
    angles = np.linspace(0, 1, count)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return [
        Point(id=f"p{row}", vector=vectors[row], fields={"metadata": {"row": row}, **fields})
        for row in range(count)
    ]


FIRST = np.array([1, 0], dtype=np.float32)


def test_what_a_graph_leaves_out_is_asked_for_again() -> None:
    with serving(QdrantWire(forgetful=True)) as wire, opened_at(wire) as index:
        run(index, index.upsert(points(300)))
        found = run(index, index.search(FIRST, limit=10, where={"row": {"$in": [3, 4, 5, 99, 200]}}))
        assert [match.id for match in found] == ["p3", "p4", "p5", "p99", "p200"]


def test_filters_reach_the_server(wire: QdrantWire) -> None:
    with opened_at(wire) as index:
        run(index, index.upsert(points(100, tenant_id="t", user_id="ann")))
        before = len(wire.requests)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        where = {"tenant_id": "t", "$or": [{"expires_at": None}, {"expires_at": {"$gt": now}}], "row": 7}
        found = run(index, index.search(FIRST, limit=3, where=where))
        assert [match.id for match in found] == ["p7"]
        asked = wire.requests[before:]
        assert all(request.body["with_payload"] == ["m_id"] for request in asked), "the filter is all there"
        assert all("exact" in str(request.body["params"]) for request in asked[1:])


def test_the_collection_is_made_once_with_its_indexes_and_used_by_many(wire: QdrantWire) -> None:
    with opened_at(wire, namespace="a") as one, opened_at(wire, namespace="b") as other:
        race(one, [one.count, other.count, one.ping, other.ping])
        made = [r for r in wire.requests if r.method == "PUT" and r.path == "/collections/memwell"]
        assert len(made) >= 1
        assert wire.collections["memwell"].indexes["m_namespace"] == "keyword"
        assert wire.collections["memwell"].indexes["f_expires_at"] == "float"
        before = len(wire.requests)
        run(one, one.count())
        assert len(wire.requests) == before + 1, "it is looked at once"


def test_a_large_upsert_goes_in_requests_that_a_server_takes(wire: QdrantWire) -> None:
    with opened_at(wire) as index:
        run(index, index.upsert(points(2500)))
        sent = [r for r in wire.requests if r.path.endswith("/points") and r.method == "PUT"]
        assert [len(r.body["batch"]["ids"]) for r in sent] == [1000, 1000, 500]
        wide = [replace(p, fields={"metadata": {"text": "x" * 60_000}}) for p in points(100)]
        run(index, index.upsert(wide))
        assert max(len(r.raw) for r in wire.requests) < 32_000_000


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (Reply(429, headers={"retry-after": "3"}, message="slow down"), Unavailable, "wait"),
        (Reply(503, message="starting"), Unavailable, "503: starting"),
        (Reply(502, raw=b"<html>"), Unavailable, "502"),
        (Reply(0, hang_up=True), Unavailable, "cannot be reached"),
        (Reply(500, message="disk full"), BackendError, "500: disk full"),
        (Reply(400, message="bad"), BackendError, "400: bad"),
        (Reply(200, raw=b"no json"), BackendError, "Qdrant"),
        (Reply(403, message="Forbidden"), ConfigError, "QDRANT_API_KEY"),
    ],
)
def test_each_failure_is_translated(
    wire: QdrantWire, reply: Reply, error: type[MemwellError], says: str
) -> None:
    with opened_at(wire) as index:
        run(index, index.upsert(points(3)))
        wire.next(reply)
        with pytest.raises(error, match=says) as caught:
            run(index, index.search(FIRST, limit=1))
        assert caught.value.transient is issubclass(error, Unavailable)
        assert (caught.value.part, caught.value.operation) == ("qdrant", "search")
        assert caught.value.__cause__ is not None
        if reply.status == 429:
            assert isinstance(caught.value, Unavailable)
            assert caught.value.retry_after == 3
        assert run(index, index.count()) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_moment_that_a_server_names_is_a_wait(wire: QdrantWire, status: int) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    with opened_at(wire) as index:
        run(index, index.upsert(points(3)))
        wire.next(Reply(status, headers={"retry-after": moment}, message="slow down"))
        with pytest.raises(Unavailable) as caught:
            run(index, index.search(FIRST, limit=1))
        assert 3500 < (caught.value.retry_after or 0) <= 3600


def test_a_server_that_is_not_there_is_unavailable_and_found_when_it_is(wire: QdrantWire) -> None:
    gone = Qdrant(2, url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        run(gone, gone.upsert(points(1)))
    assert caught.value.unsent
    run(gone, gone.close())


def test_a_collection_that_was_dropped_is_said_and_created_again(wire: QdrantWire) -> None:
    with opened_at(wire) as index:
        run(index, index.upsert(points(3)))
        wire.collections.clear()
        with pytest.raises(BackendError, match="memwell repair"):
            run(index, index.count())
        assert run(index, index.count()) == 0


def test_points_that_are_not_ours_are_never_seen_and_named_vectors_refused(wire: QdrantWire) -> None:
    with opened_at(wire) as index:
        run(index, index.count())
        foreign = wire.collections["memwell"]
        foreign.put(7, [1.0, 0.0], {"title": "theirs"})
        assert run(index, index.search(FIRST, limit=5)) == []
        run(index, index.clear())
        assert list(foreign.points) == ["7"]


def test_the_key_comes_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(QdrantWire(key="s3cret")) as wire:
        address = f"qdrant://{wire.url.removeprefix('http://')}?dimension=2"
        without = open_index(address)
        with pytest.raises(ConfigError, match="QDRANT_API_KEY"):
            run(without, without.count())
        run(without, without.close())
        monkeypatch.setenv("QDRANT_API_KEY", "s3cret")
        index = open_index(address)
        with pytest.warns(UserWarning, match="insecure"):
            assert run(index, index.count()) == 0
        assert index.identity == f"qdrant:{wire.url}/memwell/"
        wire.key = "changed"
        with pytest.raises(ConfigError) as caught:
            run(index, index.count())
        assert "s3cret" not in f"{caught.value!s}{caught.value!r}{index!r}{index.identity}"
        run(index, index.close())


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        ("qdrant://db?dimension=2", "qdrant:http://db:6333/memwell/"),
        (
            "qdrant://db:7000/behind/a/proxy?dimension=2&collection=c",
            "qdrant:http://db:7000/behind/a/proxy/c/",
        ),
        ("qdrant://db?dimension=2&api_key=k&namespace=n", "qdrant:https://db:6333/memwell/n"),
        ("qdrant://127.0.0.1?dimension=2&api_key=k", "qdrant:http://127.0.0.1:6333/memwell/"),
        ("qdrant://db?dimension=2&api_key=k&https=false", "qdrant:http://db:6333/memwell/"),
        ("qdrant://[::1]:7000?dimension=2&https=true", "qdrant:https://[::1]:7000/memwell/"),
        ("qdrant://:memory:?dimension=2", None),
        ("qdrant://?dimension=2", None),
    ],
)
def test_a_url_names_the_points(url: str, identity: str | None) -> None:
    assert open_index(url).identity == identity


@pytest.mark.parametrize(
    "url", ["qdrant://db", "qdrant://a,b?dimension=2", "qdrant://db?dimension=2&colection=c"]
)
def test_a_url_that_is_wrong_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError):
        open_index(url)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the client drops its lock file
def test_a_folder_has_one_opener(tmp_path: Path) -> None:
    url = f"qdrant:///{tmp_path}?dimension=2"
    first, second = open_index(url), open_index(url)
    run(first, first.upsert([Point(id="a", vector=np.ones(2, dtype=np.float32), fields={"metadata": {}})]))
    with pytest.raises(ConfigError, match="open in another process or index"):
        run(second, second.count())
    run(first, first.close())
    assert run(second, second.count()) == 1
    assert second.identity == first.identity
    run(second, second.close())
