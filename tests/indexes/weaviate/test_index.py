"""Weaviate: its own client, driven by the shared suite, against a loopback server that speaks its protocols."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tests.indexes.wire.weaviate
from grpc import StatusCode
from tests.indexes.wire.base import Reply
from tests.indexes.wire.weaviate import KEY, WeaviateWire, weaviate

import memwell.indexes.weaviate.index
from memwell import _bridge
from memwell.errors import BackendError, ConfigError, TimedOut, Unavailable
from memwell.indexes.weaviate.connection import addresses, create_client
from memwell.indexes.weaviate.index import Weaviate
from memwell.ports import Metric, Point, VectorIndex
from memwell.registry import Url, open_index
from memwell.testing import race, run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.indexes.keeping import Keeping
from memwell.testing.indexes.searching import Searching

FIRST = np.array([1, 0], dtype=np.float32)


def named(wire: WeaviateWire, options: str) -> VectorIndex:
    port = wire.address.partition(":")[2]
    return open_index(f"weaviate://{wire.url.removeprefix('http://')}?grpc_port={port}&{options}")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVIATE_API_KEY", KEY)


@pytest.fixture
def wire() -> Iterator[WeaviateWire]:
    with weaviate(WeaviateWire()) as wire:
        yield wire


@pytest.fixture
def index(wire: WeaviateWire) -> Iterator[VectorIndex]:
    part = named(wire, "dimension=2&timeout=2")
    yield part
    run(part, part.close())


class TestWeaviate(VectorIndexConformance):
    many = 3000

    @pytest.fixture
    def opening(self, wire: WeaviateWire) -> Iterator[Opening]:
        def make(name: str, metric: Metric, dimension: int | None) -> VectorIndex:
            return named(wire, f"dimension={dimension or self.dimension}&metric={metric}&collection={name}")

        with opened(make) as opening:
            yield opening


class TestNamespace(Keeping, Searching):
    """Of a collection that others use as well."""

    many = 1000

    @pytest.fixture
    def index(self, wire: WeaviateWire) -> Iterator[VectorIndex]:
        other, index = (
            named(wire, f"dimension={self.dimension}&namespace={name}") for name in ("other", "mine")
        )
        points = [self.point(name, self.at(0)) for name in ("a", "p1", "neighbour")]
        run(other, other.upsert(points))
        yield index
        assert run(other, other.ids()) == ["a", "neighbour", "p1"]
        for part in (other, index):
            run(part, part.close())


def point(name: str, vector: np.ndarray = FIRST, **metadata: object) -> Point:
    return Point(id=name, vector=vector, fields={"metadata": metadata})


def test_several_at_once_make_collection_and_tenant_once(wire: WeaviateWire) -> None:
    parts = [named(wire, "dimension=2") for _ in range(6)]
    race(parts[0], [lambda part=part, at=at: part.upsert([point(f"p{at}")]) for at, part in enumerate(parts)])
    assert run(parts[0], parts[0].count()) == 6
    assert [len(collection.tenants) for collection in wire.collections.values()] == [1]
    for part in parts:
        run(part, part.close())


def test_calls_at_once_open_one_connection(wire: WeaviateWire) -> None:
    part = named(wire, "dimension=2")
    assert race(part, [part.count] * 10) == [0] * 10
    assert [request.path for request in wire.requests].count("/v1/meta") == 1
    run(part, part.close())


def test_each_loop_has_one_connection_and_all_are_closed(wire: WeaviateWire) -> None:
    part = named(wire, "dimension=2")
    loops = [_bridge.Loop(), _bridge.Loop()]
    transports = []

    async def count() -> int:
        transports.append(part._connections.current())  # type: ignore[attr-defined]
        return await part.count()

    assert [loop.run(count()) for loop in loops * 3] == [0] * 6
    assert [request.path for request in wire.requests].count("/v1/meta") == 2
    clients = [transport._client for transport in transports]
    run(part, part.close())
    assert not any(client.is_connected() for client in clients)
    for loop in loops:
        loop.stop()


def test_points_that_are_refused_are_reported_and_the_others_stay(
    index: VectorIndex, wire: WeaviateWire
) -> None:
    wire.refuse = {"b"}
    with pytest.raises(BackendError, match="rejected 1 of 3 points: refused"):
        run(index, index.upsert([point("a"), point("b"), point("c")]))
    assert run(index, index.ids()) == ["a", "c"]
    with pytest.raises(BackendError, match="refused"):
        run(index, index.upsert([point("b")]))
    wire.refuse = set()
    run(index, index.upsert([point("a"), point("b"), point("c")]))
    assert run(index, index.ids()) == ["a", "b", "c"]


def test_the_content_of_a_refused_point_is_not_logged(
    index: VectorIndex, wire: WeaviateWire, caplog: pytest.LogCaptureFixture
) -> None:
    wire.refuse = {"b"}
    with pytest.raises(BackendError) as caught:
        run(index, index.upsert([point("a"), point("b", diagnosis="confidential")]))
    assert "Failed to send 1 objects" in caplog.text
    assert "confidential" not in f"{caplog.text}{caught.value}"


def test_texts_that_differ_in_white_space_only_are_distinguished(index: VectorIndex) -> None:
    names = ["plain", " plain", "plain\n", "\u2003plain", "Plain"]
    points = [
        Point(id=name, vector=FIRST, fields={"user_id": name, "metadata": {"n": name}}) for name in names
    ]
    run(index, index.upsert(points))
    for name in names:
        for field in ("user_id", "metadata.n"):
            found = run(index, index.search(FIRST, limit=9, where={field: name}))
            assert [match.id for match in found] == [name]
            found = run(index, index.search(FIRST, limit=9, where={field: {"$ne": name}}))
            assert {match.id for match in found} == {*names} - {name}


def test_large_writes_go_in_requests_that_the_service_takes(index: VectorIndex, wire: WeaviateWire) -> None:
    run(index, index.upsert([point(f"p{at}", text="x" * 20_000) for at in range(200)]))
    sizes = [request.ByteSize() for name, request in wire.calls if name == "batch_objects"]
    assert len(sizes) > 1
    assert max(sizes) < 10_000_000
    assert run(index, index.count()) == 200


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """As many points as the service tells or deletes at once, far less than usual."""
    for module in (memwell.indexes.weaviate.index, tests.indexes.wire.weaviate):
        monkeypatch.setattr(module, "MOST", 1000)
    return 1000


def test_a_query_that_needs_more_than_the_service_gives_looks_at_every_point(
    index: VectorIndex, few: int
) -> None:
    run(index, index.upsert([point(f"p{at:04}", wanted=[at >= few]) for at in range(few + 100)]))
    found = run(index, index.search(FIRST, limit=5, where={"wanted": [True]}))
    assert [match.id for match in found] == [f"p{at}" for at in range(few, few + 5)]


def test_more_points_are_cleared_than_one_request_deletes(
    index: VectorIndex, wire: WeaviateWire, few: int
) -> None:
    run(index, index.upsert([point(f"p{at}") for at in range(few + 1)]))
    run(index, index.clear())
    assert run(index, index.count()) == 0
    assert [name for name, _ in wire.calls].count("batch_delete") == 2


def test_a_wrong_key_is_an_error_of_configuration_that_does_not_show_it(wire: WeaviateWire) -> None:
    part = Weaviate(2, url=wire.url, grpc=wire.address, api_key="wrong-key")
    with pytest.raises(ConfigError, match="WEAVIATE_API_KEY") as caught:
        run(part, part.count())
    assert "wrong-key" not in str(caught.value)
    run(part, part.close())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (StatusCode.UNAUTHENTICATED, ConfigError),
        (StatusCode.PERMISSION_DENIED, ConfigError),
        (StatusCode.DEADLINE_EXCEEDED, TimedOut),
        (StatusCode.UNKNOWN, BackendError),
    ],
)
def test_what_the_service_says_decides_the_error(
    index: VectorIndex, wire: WeaviateWire, code: StatusCode, error: type[Exception]
) -> None:
    calls = [
        lambda: index.search(FIRST, limit=1),
        lambda: index.upsert([point("a"), point("b")]),
        lambda: index.delete(["a"]),
        index.count,
    ]
    for call in calls:
        run(index, index.ping())
        wire.failures.append((code, "no such thing"))
        with pytest.raises(error):
            run(index, call())


def test_a_server_that_is_busy_for_a_moment_is_asked_again_until_the_time_is_over(
    wire: WeaviateWire,
) -> None:
    part = named(wire, "dimension=2&timeout=2")
    run(part, part.upsert([point("a")]))
    wire.failures.append((StatusCode.UNAVAILABLE, "restarting"))
    assert run(part, part.count()) == 1
    run(part, part.close())
    part = named(wire, "dimension=2&timeout=0.5")
    run(part, part.ping())
    wire.failures.append((StatusCode.UNAVAILABLE, "restarting"))
    with pytest.raises(TimedOut, match=r"0\.5 seconds"):
        run(part, part.count())
    run(part, part.close())


def test_a_server_that_is_not_there_or_busy_at_the_start_is_unavailable(wire: WeaviateWire) -> None:
    gone = open_index("weaviate://127.0.0.1:9?dimension=2&timeout=1")
    with pytest.raises(Unavailable, match="cannot be reached"):
        run(gone, gone.count())
    run(gone, gone.close())
    part = named(wire, "dimension=2")
    wire.next(Reply(503, message="starting"))
    with pytest.raises(Unavailable):
        run(part, part.count())
    wire.next(Reply(200, hang_up=True))
    with pytest.raises(Unavailable):
        run(part, part.count())
    assert run(part, part.count()) == 0
    run(part, part.close())


def test_a_server_that_is_too_old_is_an_error_of_configuration() -> None:
    with weaviate(WeaviateWire("1.26.1")) as wire:
        part = named(wire, "dimension=2")
        with pytest.raises(ConfigError, match="too old"):
            run(part, part.count())
        run(part, part.close())


def test_a_collection_that_was_dropped_is_created_again_by_the_next_call(
    index: VectorIndex, wire: WeaviateWire
) -> None:
    run(index, index.upsert([point("a")]))
    wire.collections.clear()
    with pytest.raises(BackendError, match="could not find class"):
        run(index, index.count())
    assert run(index, index.count()) == 0
    next(iter(wire.collections.values())).tenants.clear()
    with pytest.raises(BackendError, match="tenant not found"):
        run(index, index.search(FIRST, limit=1))
    assert run(index, index.search(FIRST, limit=1)) == []


def test_a_collection_of_someone_else_is_refused(index: VectorIndex, wire: WeaviateWire) -> None:
    run(index, index.ping())
    next(iter(wire.collections.values())).schema["description"] = "My articles."
    part = named(wire, "dimension=2")
    with pytest.raises(ConfigError, match="not created by memwell"):
        run(part, part.count())
    run(part, part.close())


def test_a_client_handed_in_stays_open(index: Weaviate, wire: WeaviateWire) -> None:
    client = create_client(wire.url, wire.address, key=KEY, timeout=2)
    part = Weaviate(2, client=client)
    assert part.identity is None
    run(part, part.upsert([point("a")]))
    run(part, part.close())
    assert client.is_connected()
    run(index, client.close())


def test_nobody_but_the_server_is_asked(
    index: VectorIndex, wire: WeaviateWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    send = httpx.AsyncClient.send

    async def noted(self: httpx.AsyncClient, request: httpx.Request, **options: object) -> httpx.Response:
        asked.append(str(request.url))
        return await send(self, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", noted)
    run(index, index.ping())
    assert asked
    assert all(address.startswith(wire.url) for address in asked)


def test_a_url_says_where_both_protocols_are_spoken() -> None:
    named = "weaviate://my.weaviate.cloud?grpc_host=grpc-my.weaviate.cloud"
    part = open_index(f"{named}&dimension=2&namespace=team")
    assert part.identity == "weaviate:https://my.weaviate.cloud:443/Memwell/team"
    assert addresses(Url.parse(named)) == ("https://my.weaviate.cloud:443", "grpc-my.weaviate.cloud:443")
    part = open_index("weaviate://[::1]?dimension=2&collection=notes")
    assert part.identity == "weaviate:http://[::1]:8080/Notes/"
    assert addresses(Url.parse("weaviate://[::1]")) == ("http://[::1]:8080", "[::1]:50051")
    with pytest.raises(ConfigError, match="grpc_host or grpc_port"):
        open_index("weaviate://my.weaviate.cloud?dimension=2")
    with pytest.raises(ConfigError, match="letters, digits"):
        open_index("weaviate://localhost?dimension=2&collection=my-notes")
    for wrong in ("weaviate://ana:secret@localhost?dimension=2", "weaviate://localhost/v1?dimension=2"):
        with pytest.raises(ConfigError, match="WEAVIATE_API_KEY") as caught:
            open_index(wrong)
        assert "secret@" not in str(caught.value)
    with pytest.raises(ConfigError, match="url and grpc, or a client"):
        Weaviate(2, url="http://localhost:8080")
