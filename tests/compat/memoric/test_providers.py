"""The providers: each does what its interface says, on the real service or on one that speaks its protocol."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.compat.memoric.services import PineconeCloud
from tests.embedders.services import (
    DIMENSION,
    KEY,
    anthropic_messages,
    cohere,
    huggingface,
    openai_chat,
    serving,
)
from tests.embedders.services import openai as openai_embeddings
from tests.indexes.wire import base
from tests.indexes.wire.pinecone import KEY as PINECONE_KEY
from tests.indexes.wire.qdrant import QdrantWire
from tests.indexes.wire.weaviate import KEY as WEAVIATE_KEY
from tests.indexes.wire.weaviate import WeaviateWire, weaviate

from memwell.compat.memoric import Memoric
from memwell.compat.memoric.providers.cache import (
    InMemoryCacheProvider,
    MemcachedCacheProvider,
    RedisCacheProvider,
)
from memwell.compat.memoric.providers.embeddings import (
    CohereEmbedding,
    HuggingFaceEmbedding,
    MemwellEmbedding,
    OpenAIEmbedding,
)
from memwell.compat.memoric.providers.llm import AnthropicLLMProvider, OpenAILLMProvider
from memwell.compat.memoric.providers.observability import (
    DatadogProvider,
    OpenTelemetryProvider,
    SentryProvider,
)
from memwell.compat.memoric.providers.queue import InMemoryMessageQueueProvider, SQSMessageQueueProvider
from memwell.compat.memoric.providers.vector_stores import (
    ChromaVectorStore,
    InMemoryVectorStore,
    PineconeVectorStore,
    QdrantVectorStore,
    WeaviateVectorStore,
)
from memwell.errors import BackendError, ConfigError, EmbeddingError, InvalidInput, Unavailable
from memwell.testing.services import Service as Server

STORES = ("memory", "pinecone", "qdrant", "qdrant folder", "weaviate", "chroma folder")


@pytest.fixture(params=STORES)
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], Any]]:
    """Opens the store; each call gives a new object over the same vectors."""
    with ExitStack() as running:
        if request.param == "memory":
            made = InMemoryVectorStore()
            yield lambda: made
            return
        if request.param == "pinecone":
            cloud = running.enter_context(base.serving(PineconeCloud("v", dimension=3)))
            monkeypatch.setenv("PINECONE_CONTROLLER_HOST", cloud.url)
            make: Any = lambda: PineconeVectorStore("v", 3, api_key=PINECONE_KEY)  # noqa: E731
        elif request.param == "qdrant":
            wire = running.enter_context(base.serving(QdrantWire()))
            make = lambda: QdrantVectorStore("v", 3, url=wire.url)  # noqa: E731
        elif request.param == "weaviate":
            wired = running.enter_context(weaviate(WeaviateWire()))
            port = int(wired.address.partition(":")[2])
            make = lambda: WeaviateVectorStore(  # noqa: E731
                "V", 3, url=wired.url, api_key=WEAVIATE_KEY, grpc_port=port
            )
        else:
            kind = QdrantVectorStore if "qdrant" in request.param else ChromaVectorStore
            make = lambda: kind("vectors", 3, url=f"{tmp_path}/v")  # noqa: E731
        yield make


def test_vectors_come_back_with_their_metadata_and_are_found_by_filter(store: Callable[[], Any]) -> None:
    first = store()
    metadata = {"user_id": "alice", "n": {"a": [1, None]}, "price": 4}
    assert first.health_check()
    assert first.get("mem_123") is None
    assert first.upsert(id="mem_123", vector=[0.1, 0.2, 0.3], metadata=metadata) is True
    first.upsert(id="né", vector=[0.1, 0.2, 0.2], metadata={"user_id": "bob", "price": 9})
    first.upsert(id="bare", vector=[-1, 0, 0])
    assert first.get("mem_123") == {"id": "mem_123", "vector": [0.1, 0.2, 0.3], "metadata": metadata}
    assert first.get("bare") == {"id": "bare", "vector": [-1.0, 0.0, 0.0], "metadata": {}}
    found = first.search(vector=[0.1, 0.2, 0.3])
    assert [one["id"] for one in found] == ["mem_123", "né", "bare"]
    assert found[0] == {"id": "mem_123", "score": pytest.approx(1.0, abs=1e-5), "metadata": metadata}
    for filter, ids in (
        ({"user_id": "alice"}, ["mem_123"]),
        ({"price": {"$gt": 3}, "$or": [{"user_id": "bob"}, {"price": 1}]}, ["né"]),
        ({"$not": {"user_id": "alice"}}, ["né", "bare"]),
    ):
        assert [one["id"] for one in first.search(vector=[0.1, 0.2, 0.3], filter=filter)] == ids
    assert [one["id"] for one in first.search(vector=[0.1, 0.2, 0.3], top_k=1)] == ["mem_123"]
    first.upsert(id="mem_123", vector=[1, 0, 0])
    assert [first.delete("né"), first.delete("né")] == [True, False]
    with pytest.raises(EmbeddingError):
        first.upsert(id="x", vector=[1, 2])
    if not isinstance(first, InMemoryVectorStore):
        first.close()
    again = store()
    assert again.get("mem_123") == {"id": "mem_123", "vector": [1.0, 0.0, 0.0], "metadata": {}}
    again.close()


def test_metrics_dimensions_keys_and_missing_indexes_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = InMemoryVectorStore()
    assert [empty.search(vector=[1, 2]), empty.get("a"), empty.delete("a"), empty.health_check()] == [
        [],
        None,
        False,
        True,
    ]
    assert empty.upsert(id="a", vector=[1, 2, 3])
    near = InMemoryVectorStore(2, metric="euclidean")
    near.upsert(id="a", vector=[3, 4])
    assert near.search(vector=[3, 4])[0]["score"] == 1.0
    assert near.get("a") == {"id": "a", "vector": [3.0, 4.0], "metadata": {}}
    with pytest.raises(ConfigError, match="known are cosine, euclidean, dotproduct"):
        InMemoryVectorStore(metric="manhattan")
    with pytest.raises(ConfigError, match="set PINECONE_API_KEY"):
        PineconeVectorStore("v")
    with base.serving(PineconeCloud(dimension=3)) as cloud:
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", cloud.url)
        with pytest.raises(
            ConfigError, match="no Pinecone index 'v': create it, or set PINECONE_ENVIRONMENT"
        ):
            PineconeVectorStore("v", 3, api_key=PINECONE_KEY).get("a")
        with pytest.raises(ConfigError, match="refuses the key"):
            PineconeVectorStore("v", 3, api_key="other").get("a")
    away = QdrantVectorStore("v", 3, url="http://127.0.0.1:1")
    assert away.health_check() is False
    with pytest.raises(Unavailable):
        away.get("a")


@pytest.mark.parametrize("kind", ["memory", "redis", "memcached"])
def test_a_cache_keeps_values_counts_and_forgets(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "memory":
        cache: Any = InMemoryCacheProvider()
    else:
        server: Server = request.getfixturevalue(kind)
        monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
        made = RedisCacheProvider if kind == "redis" else MemcachedCacheProvider
        cache = made(port=server.port, prefix=f"t_{time.monotonic_ns()}:")
    assert [cache.get("a"), cache.exists("a"), cache.delete("a"), cache.health_check()] == [
        None,
        False,
        False,
        True,
    ]
    value = {"at": datetime(2026, 5, 1, tzinfo=UTC), "raw": b"\0x", "list": [1, None, "ü"], "b": True}
    assert cache.set("a", value) is True
    assert (cache.get("a"), cache.exists("a"), cache.delete("a")) == (value, True, True)
    cache.set("brief", 1, ttl=0.05)
    time.sleep(0.06)
    assert cache.get("brief") is None
    assert [cache.increment("n"), cache.increment("n", 4), cache.get("n")] == [1, 5, 5]
    cache.set("n", 7)
    assert cache.increment("n", -2) == 5
    for wrong in (object(), {1, 2}, float("nan")):
        if wrong == wrong:
            with pytest.raises(InvalidInput, match="the cache keeps"):
                cache.set("a", wrong)
    if kind == "redis":
        cache.set_with_expiry("later", "x", 60)
        assert 59 < cache.get_ttl("later") <= 60
        assert [cache.get_ttl("n"), cache.get_ttl("away")] == [None, None]
    cache.close()


def test_a_cache_that_is_away_says_so() -> None:
    away = RedisCacheProvider("127.0.0.1", 1)
    assert away.health_check() is False
    with pytest.raises(Unavailable):
        away.get("a")


@pytest.mark.parametrize(
    "kind", [(OpenAILLMProvider, openai_chat), (AnthropicLLMProvider, anthropic_messages)]
)
def test_a_model_completes_and_chats(kind: Any) -> None:
    provider, answer = kind
    seen: list[Any] = []

    def spoken(path: str, headers: dict[str, str], body: Any) -> Any:
        seen.append(body)
        if all(message["role"] != "system" for message in body["messages"]) and "system" not in body:
            system = {"role": "system", "content": ""}
            messages = body["messages"] if answer is anthropic_messages else [system, *body["messages"]]
            body = {**body, "messages": messages, "system": ""}
        return answer(path, headers, body)

    with serving(spoken) as service:
        model = provider(api_key=KEY, base_url=f"{service.url}/v1", timeout=5)
        assert model.complete(prompt="one note", max_tokens=7).strip() == "1 notes, in short."
        assert (seen[0]["max_tokens"], seen[0]["temperature"]) == (7, 0.7)
        talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a\n\nb"}]
        assert model.chat(messages=talk, temperature=0).strip() == "2 notes, in short."
        assert model.health_check() is True
        with pytest.raises(InvalidInput):
            model.chat(messages=[])
        service.plan.extend(["401"])
        assert model.health_check() is False
    with pytest.raises(ConfigError, match="_API_KEY"):
        provider()


@pytest.mark.parametrize(
    "kind",
    [
        (OpenAIEmbedding, openai_embeddings, "/v1"),
        (CohereEmbedding, cohere, "/v2"),
        (HuggingFaceEmbedding, huggingface, ""),
    ],
)
def test_texts_become_vectors(kind: Any) -> None:
    provider, answer, path = kind
    with serving(answer) as service:
        model = provider("a-model", KEY, base_url=f"{service.url}{path}")
        batch = model.embed_batch(["one", "two"])
        assert model.embed("one") == pytest.approx(batch[0], abs=1e-6)
        assert (model.dimension, len(batch[1]), type(batch[0][0])) == (DIMENSION, DIMENSION, float)
        model.close()
    assert MemwellEmbedding("hashing").dimension == len(MemwellEmbedding("hashing").embed("a"))


def test_opentelemetry_gets_spans_errors_and_metrics() -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, reader, tracer = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    tracer.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = OpenTelemetryProvider(tracer, MeterProvider([reader]))
    with telemetry.trace_span(name="outer", attributes={"k": 1}), telemetry.trace_span(name="inner"):
        telemetry.record_error(error=KeyError("lost"), context={"user": 5})
    with pytest.raises(RuntimeError), telemetry.trace_span(name="failing"):
        raise RuntimeError("raised on")
    telemetry.record_error(error=ValueError("alone"))
    inner, outer, failing, alone = exporter.get_finished_spans()
    assert (outer.name, dict(outer.attributes or {})) == ("outer", {"k": 1})
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert dict(inner.events[0].attributes or {})["user"] == "5"
    assert [span.status.is_ok for span in (inner, outer, failing, alone)] == [False, True, False, False]
    for value in (1.0, 3.0):
        telemetry.record_metric(name="latency", value=value, tags={"op": "recall"})
    data: Any = reader.get_metrics_data()
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert (point.count, point.sum, dict(point.attributes)) == (2, 4.0, {"op": "recall"})


class Agent(base.Wire):
    """The receiver of Datadog's agent."""

    ROUTES = (("POST", "/v1/traces", "take"), ("POST", "/v1/metrics", "take"))

    def take(self, request: base.Request) -> Any:
        return {}


def test_datadogs_agent_gets_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    monkeypatch.setenv("DD_ENV", "test")
    with base.serving(Agent()) as agent:
        datadog = DatadogProvider(service="notes", endpoint=agent.url)
        with datadog.trace_span(name="recall"):
            datadog.record_metric(name="latency", value=0.5)
        assert datadog.flush()
        datadog.close()
        bodies = {request.path: request.raw for request in agent.requests}
    sent = ExportTraceServiceRequest.FromString(bodies["/v1/traces"])
    (resource,) = sent.resource_spans
    names = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (names["service.name"], names["deployment.environment.name"]) == ("notes", "test")
    assert resource.scope_spans[0].spans[0].name == "recall"
    assert b"latency" in bodies["/v1/metrics"]


def test_sentry_gets_errors_and_transactions_and_nothing_else_is_touched() -> None:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    sent: list[dict[str, Any]] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.extend(item.payload.json for item in envelope.items if item.payload.json)

    sentry = SentryProvider("https://key@example.com/1", transport=Kept, environment="test")
    with sentry.trace_span(name="recall", attributes={"k": 1}), sentry.trace_span(name="inner"):
        pass
    try:
        raise KeyError("lost")
    except KeyError as error:
        sentry.record_error(error=error, context={"operation": "recall"})
    sentry.record_metric(name="latency", value=0.5, tags={"op": "recall"})
    sentry.flush()
    transaction = next(one for one in sent if one.get("type") == "transaction")
    error = next(one for one in sent if "exception" in one)
    assert (transaction["transaction"], transaction["spans"][0]["description"]) == ("recall", "inner")
    assert error["exception"]["values"][0]["type"] == "KeyError"
    assert (error["contexts"]["memoric"]["operation"], error["environment"]) == ("recall", "test")
    assert "latency" in str(sent)
    assert not sentry_sdk.is_initialized()
    sentry.close()
    with pytest.raises(ConfigError, match="set SENTRY_DSN"):
        SentryProvider()


def test_a_queue_in_memory_delivers_in_time_and_knows_how_tasks_end() -> None:
    queue = InMemoryMessageQueueProvider()
    later = queue.enqueue(task="later", payload={}, delay=0.05)
    first = queue.enqueue(task="embed", payload={"id": 1})
    assert queue.get_status(first) == "pending"
    delivered = queue.dequeue()
    assert delivered is not None
    task, payload = delivered
    assert (task, payload, delivered.id, queue.get_status(first)) == ("embed", {"id": 1}, first, "processing")
    assert queue.dequeue() is None
    assert queue.get_status(first) == "completed"
    delayed = queue.dequeue(timeout=5)
    assert (delayed and delayed.id) == later
    queue.fail(later)
    got: list[Any] = []
    worker = threading.Thread(target=lambda: got.append(queue.dequeue(timeout=5)))
    worker.start()
    queue.enqueue(task="woken", payload={})
    worker.join()
    assert (got[0][0], queue.get_status(later), queue.get_status("?")) == ("woken", "failed", None)
    for wrong in ({"payload": {"x": object()}}, {"payload": {}, "delay": -1}):
        with pytest.raises(InvalidInput):
            queue.enqueue(task="x", **wrong)  # type: ignore[arg-type]


def test_sqs_delivers_again_what_was_not_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from moto import mock_aws

    with mock_aws():
        client = boto3.client("sqs", region_name="eu-west-1")
        options = {"VisibilityTimeout": "0"}
        url = client.create_queue(QueueName="tasks", Attributes=options)["QueueUrl"]
        queue = SQSMessageQueueProvider(url, region="eu-west-1")
        id = queue.enqueue(task="embed", payload={"id": 1})
        for end in (queue.fail, queue.complete):
            delivered = queue.dequeue()
            assert delivered is not None
            assert (tuple(delivered), delivered.id) == (("embed", {"id": 1}), id)
            assert queue.get_status(id) == "processing"
            end(id)
        assert [queue.get_status(id), queue.dequeue()] == ["completed", None]
        queue.enqueue(task="next", payload={})
        assert queue.dequeue() is not None
        assert queue.dequeue() is None
        with pytest.raises(InvalidInput, match="900 seconds"):
            queue.enqueue(task="x", payload={}, delay=901)
        client.send_message(QueueUrl=url, MessageBody="not ours")
        with pytest.raises(BackendError, match="is no task"):
            queue.dequeue()
        with pytest.raises(BackendError, match="NonExistentQueue"):
            SQSMessageQueueProvider(f"{url}x", region="eu-west-1").dequeue()
        queue.close()


@pytest.mark.parametrize(
    ("package", "make", "extra"),
    [
        ("opentelemetry", OpenTelemetryProvider, "opentelemetry"),
        ("opentelemetry.sdk.trace", DatadogProvider, "datadog"),
        ("sentry_sdk", lambda: SentryProvider("https://key@example.com/1"), "sentry"),
        ("boto3", lambda: SQSMessageQueueProvider("https://sqs/1/q"), "sqs"),
        ("pinecone", lambda: PineconeVectorStore("v", api_key="k").get("a"), "pinecone"),
        ("yaml", lambda: Memoric(config_path="m.yaml"), "yaml"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    package: str, make: Callable[[], Any], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"pip install 'memwell\[{extra}\]'"):
        make()
