"""Pinecone: its own client, driven by the shared suite, against a loopback server that speaks the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
import tests.indexes.wire.pinecone
from tests.indexes.wire.base import Reply, serving
from tests.indexes.wire.pinecone import KEY, PineconeWire

from memwell.errors import BackendError, ConfigError, NotSupported, Unavailable
from memwell.indexes.pinecone.index import Pinecone
from memwell.indexes.pinecone.records import METRICS
from memwell.ports import Metric, Point, VectorIndex
from memwell.registry import open_index
from memwell.testing import run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.indexes.keeping import Keeping
from memwell.testing.indexes.searching import Searching

FIRST = np.array([1, 0], dtype=np.float32)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", KEY)


class TestPinecone(VectorIndexConformance):
    """An index of the service for each set of points, as it has one metric and one dimension."""

    many = 3000

    @pytest.fixture
    def opening(self) -> Iterator[Opening]:
        with ExitStack() as services:
            wires: dict[str, PineconeWire] = {}

            def make(name: str, metric: Metric, dimension: int | None) -> VectorIndex:
                if name not in wires:
                    fresh = PineconeWire(dimension or self.dimension, METRICS[metric][0])
                    wires[name] = services.enter_context(serving(fresh))
                host = wires[name].url.removeprefix("http://")
                return open_index(
                    f"pinecone://{host}?dimension={dimension or self.dimension}&metric={metric}"
                )

            with opened(make) as opening:
                yield opening


class TestNamespace(Keeping, Searching):
    """Of an index that others use as well."""

    many = 1000

    @pytest.fixture
    def index(self) -> Iterator[VectorIndex]:
        with serving(PineconeWire(self.dimension)) as wire:
            other, index = (
                Pinecone(self.dimension, host=wire.url, namespace=name) for name in ("other", "mine")
            )
            points = [self.point(name, self.at(0)) for name in ("a", "p1", "neighbour")]
            run(other, other.upsert(points))
            yield index
            assert run(other, other.ids()) == ["a", "neighbour", "p1"]
            for part in (other, index):
                run(part, part.close())


@pytest.fixture
def wire() -> Iterator[PineconeWire]:
    with serving(PineconeWire(2)) as wire:
        yield wire


@pytest.fixture
def index(wire: PineconeWire) -> Iterator[Pinecone]:
    part = Pinecone(2, host=wire.url)
    yield part
    run(part, part.close())


def point(name: str, vector: np.ndarray = FIRST, **metadata: object) -> Point:
    return Point(id=name, vector=vector, fields={"metadata": metadata})


def test_metadata_beyond_the_limit_are_left_out_and_a_filter_on_them_says_so(index: Pinecone) -> None:
    run(index, index.upsert([point("long", text="x" * 60_000), point("short", text="y")]))
    found = run(index, index.search(FIRST, limit=5, where={"user_id": None}))
    assert [match.id for match in found] == ["long", "short"]
    with pytest.raises(NotSupported, match="40 KB"):
        run(index, index.search(FIRST, limit=5, where={"text": "y"}))


def test_large_writes_go_in_requests_that_the_service_takes(index: Pinecone, wire: PineconeWire) -> None:
    run(index, index.upsert([point(f"p{at}", text="x" * 15_000) for at in range(200)]))
    assert run(index, index.count()) == 200
    assert len([request for request in wire.requests if request.path == "/vectors/upsert"]) > 1
    assert len(run(index, index.ids(limit=1000))) == 200


def test_a_query_that_needs_more_than_the_service_gives_looks_at_every_point(index: Pinecone) -> None:
    points = [point(f"p{at:04}", wanted=at >= 1990) for at in range(2000)]
    run(index, index.upsert(points))
    found = run(index, index.search(FIRST, limit=5, where={"wanted": {"$ne": False}, "user_id": None}))
    assert [match.id for match in found] == [f"p{at}" for at in range(1990, 1995)]


def test_a_wrong_key_and_a_missing_one_are_errors_of_configuration(
    wire: PineconeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Pinecone(2, host=wire.url, api_key="wrong-key")
    with pytest.raises(ConfigError, match="PINECONE_API_KEY") as caught:
        run(part, part.count())
    assert "wrong-key" not in str(caught.value)
    run(part, part.close())
    monkeypatch.delenv("PINECONE_API_KEY")
    with pytest.raises(ConfigError, match="needs an API key"):
        open_index("pinecone://somewhere?dimension=2")
    with pytest.raises(ConfigError, match="host"):
        open_index("pinecone://?dimension=2")


def test_the_end_of_a_keys_line_is_cut_off_and_what_no_header_can_hold_is_refused(wire: PineconeWire) -> None:
    part = Pinecone(2, host=wire.url, api_key=f"{KEY}\n")
    assert run(part, part.count()) == 0
    run(part, part.close())
    with pytest.raises(ConfigError) as caught:
        Pinecone(2, host=wire.url, api_key=f"{KEY}é")
    assert KEY not in str(caught.value)


def test_an_address_of_version_six_keeps_its_brackets() -> None:
    assert open_index("pinecone://[::1]:81?dimension=2").identity == "pinecone:http://[::1]:81/"


def test_an_index_of_another_metric_is_an_error_of_configuration(wire: PineconeWire) -> None:
    part = Pinecone(2, host=wire.url, metric="dot")
    with pytest.raises(ConfigError, match="metric cosine"):
        run(part, part.count())
    run(part, part.close())


def test_a_service_that_hangs_up_or_refuses_are_distinguished(index: Pinecone, wire: PineconeWire) -> None:
    run(index, index.upsert([point("a")]))
    wire.next(*[Reply(503, headers={"retry-after": "0"}, message="busy")] * 4)
    with pytest.raises(Unavailable) as caught:
        run(index, index.count())
    assert caught.value.retry_after == 0
    wire.next(Reply(400, message="no such thing"))
    with pytest.raises(BackendError, match="no such thing"):
        run(index, index.count())
    assert run(index, index.count()) == 1


def test_identity_names_the_index_and_the_namespace_without_the_key() -> None:
    part = open_index("pinecone://my-index.svc.pinecone.io?dimension=2&namespace=team")
    assert part.identity == "pinecone:https://my-index.svc.pinecone.io/team"
    assert KEY not in repr(vars(part).get("identity"))


def test_an_answer_that_would_be_longer_than_the_service_gives_is_fetched_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tests.indexes.wire.pinecone, "ANSWER", 60_000)
    with serving(PineconeWire(2)) as wire:
        index = Pinecone(2, host=wire.url)
        angles = np.radians(np.arange(150) / 2)
        vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        points = [
            Point(id=f"p{row:03}", vector=vector, fields={"metadata": {"note": "x" * 100}})
            for row, vector in enumerate(vectors)
        ]
        run(index, index.upsert(points))
        matches = run(index, index.search(vectors[0], limit=120))
        assert [match.id for match in matches] == [f"p{row:03}" for row in range(120)]
        assert [request.path for request in wire.requests].count("/query") == 2
        run(index, index.close())
