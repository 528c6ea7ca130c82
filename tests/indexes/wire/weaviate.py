"""Weaviate's REST and gRPC protocols, as far as an index of ours speaks them, from their documentation."""

from __future__ import annotations

import operator
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import grpc
import numpy as np
from tests.indexes.wire.base import Reply, Request, Wire, serving
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

__all__ = ["KEY", "WeaviateWire", "weaviate"]

KEY: Final = "secret-key"
NAME = r"/v1/schema/([A-Z][_0-9A-Za-z]*)"
MOST: Final = 10_000
SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What the tokenization `field` cuts off both ends of a text."""
FILTER: Final = base_pb2.Filters
COMPARED: Final[Mapping[int, Callable[[Any, Any], bool]]] = {
    FILTER.OPERATOR_EQUAL: operator.eq,
    FILTER.OPERATOR_GREATER_THAN: operator.gt,
    FILTER.OPERATOR_GREATER_THAN_EQUAL: operator.ge,
    FILTER.OPERATOR_LESS_THAN: operator.lt,
    FILTER.OPERATOR_LESS_THAN_EQUAL: operator.le,
}
TYPES: Final = {"text": str, "number": float, "text[]": list}
HNSW: Final = {
    "cleanupIntervalSeconds": 300,
    "dynamicEfMin": 100,
    "dynamicEfMax": 500,
    "dynamicEfFactor": 8,
    "ef": -1,
    "efConstruction": 128,
    "flatSearchCutoff": 40000,
    "maxConnections": 32,
    "skip": False,
    "vectorCacheMaxObjects": 1000000000000,
}
"""What the service sets where the client sets nothing."""
INVERTED: Final = {
    "bm25": {"b": 0.75, "k1": 1.2},
    "cleanupIntervalSeconds": 60,
    "stopwords": {"preset": "en", "additions": None, "removals": None},
}


class Refused(Exception):
    """A gRPC call is answered so; without a code as by any error of the service."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Object:
    properties: dict[str, Any]
    vector: Any


@dataclass
class Collection:
    """Tenants under one schema."""

    schema: dict[str, Any]
    tenants: dict[str, dict[str, Object]] = field(default_factory=dict)
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def vector(self) -> tuple[str, str]:
        """Name and distance of the one vector."""
        ((name, config),) = self.schema["vectorConfig"].items()
        return name, config["vectorIndexConfig"]["distance"]

    def tenant(self, name: str) -> dict[str, Object]:
        if name not in self.tenants:
            raise Refused(f'tenant not found: "{name}"')
        return self.tenants[name]

    def distance(self, asked: Any, held: Any) -> float:
        if asked.shape != held.shape:
            raise Refused(f"vector lengths don't match: {len(asked)} vs {len(held)}")
        _, kind = self.vector
        if kind == "l2-squared":
            return float(((asked - held) ** 2).sum())
        if kind == "dot":
            return -float(asked @ held)
        return max(0.0, 1 - float(_unit(asked) @ _unit(held)))


class WeaviateWire(Wire):
    """A server with one key."""

    ROUTES = (
        ("GET", "/v1/meta", "meta"),
        ("POST", "/v1/schema", "create"),
        ("GET", NAME, "get"),
        ("GET", NAME + "/tenants/([A-Za-z0-9_-]{1,64})", "tenant"),
        ("POST", NAME + "/tenants", "add_tenants"),
    )

    def __init__(self, version: str = "1.34.0") -> None:
        super().__init__()
        self.version = version
        self.collections: dict[str, Collection] = {}
        self.refuse: set[str] = set()
        """Ids of points that a batch is refused for."""
        self.failures: deque[tuple[grpc.StatusCode, str]] = deque()
        """How the next gRPC calls are answered, which then do nothing."""
        self.calls: list[tuple[str, Any]] = []
        """Every gRPC call: its name and the request."""
        self.address = ""
        """Where gRPC is spoken, while `weaviate`."""

    def answer(self, request: Request) -> Any:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            raise Reply(401, message="anonymous access not enabled, please provide an auth scheme")
        return super().answer(request)

    def refusal(self, reply: Reply) -> Any:
        return {"error": [{"message": reply.message}]}

    # ---------------------------------------------------------------------------------------------- REST

    def meta(self, request: Request) -> Any:
        return {"hostname": self.url, "version": self.version, "modules": {}, "grpcMaxMessageSize": 10485760}

    def create(self, request: Request) -> Any:
        body = request.only(
            class_=str, description=str, vectorConfig_=dict, multiTenancyConfig_=dict, properties_=list
        )
        name = body["class"]
        if not re.fullmatch("[A-Z][_0-9A-Za-z]{0,254}", name):
            raise Reply(422, message=f"'{name}' is not a valid class name")
        if name.lower() in map(str.lower, self.collections):
            raise Reply(422, message=f"class name {name} already exists")
        collection = Collection(body | {"replicationConfig": {"factor": 1}, "invertedIndexConfig": INVERTED})
        for config in body["vectorConfig"].values():
            if config["vectorizer"] != {"none": {}} or config["vectorIndexType"] != "hnsw":
                raise Reply(422, message="no module with that name present")
            config["vectorIndexConfig"] = {"distance": "cosine", **HNSW, **config["vectorIndexConfig"]}
        for each in body["properties"]:
            collection.properties[each["name"]] = _checked(each)
        self.collections[name] = collection
        return collection.schema

    def get(self, request: Request, name: str) -> Any:
        return self._class(name).schema

    def tenant(self, request: Request, name: str, tenant: str) -> Any:
        if tenant not in self._class(name).tenants:
            raise Reply(404, message="tenant not found")
        return {"name": tenant, "activityStatus": "ACTIVE"}

    def add_tenants(self, request: Request, name: str) -> Any:
        collection = self._class(name)
        if not collection.schema["multiTenancyConfig"].get("enabled"):
            raise Reply(422, message=f'multi-tenancy is not enabled for class "{name}"')
        for each in request.body:
            if not re.fullmatch("[A-Za-z0-9_-]{1,64}", each["name"]):
                raise Reply(422, message="invalid tenant name")
            collection.tenants.setdefault(each["name"], {})
        return request.body

    def _class(self, name: str) -> Collection:
        if name not in self.collections:
            raise Reply(404, message="class not found")
        return self.collections[name]

    # ---------------------------------------------------------------------------------------------- gRPC

    def called(self, name: str, request: Any, metadata: Mapping[str, Any]) -> Any:
        """The answer to a gRPC call."""
        if metadata.get("authorization") != f"Bearer {KEY}":
            raise Refused("extract auth: unauthorized: invalid api key", grpc.StatusCode.UNAUTHENTICATED)
        with self.lock:
            self.calls.append((name, request))
            if self.failures:
                code, message = self.failures.popleft()
                raise Refused(message, code)
            return getattr(self, f"grpc_{name}")(request)

    def grpc_search(self, request: Any) -> Any:
        _only(
            request,
            "collection tenant properties metadata limit after filters near_vector"
            " uses_123_api uses_125_api uses_127_api",
        )
        collection = self._collection(request.collection)
        held = collection.tenant(request.tenant)
        limit = request.limit or 10
        if limit > MOST:
            raise Refused("query maximum results exceeded")
        near = request.HasField("near_vector")
        if request.after:
            if request.HasField("filters") or near:
                raise Refused("where cannot be set with after and limit parameters")
            names = sorted(name for name in held if name > str(uuid.UUID(request.after)))
        elif request.HasField("filters"):
            names = [name for name in held if _passes(collection, name, held[name], request.filters)]
        else:
            names = list(held)
        distances: dict[str, float] = {}
        if near:
            asked = _asked(collection, request.near_vector)
            distances = {name: collection.distance(asked, held[name].vector) for name in names}
            names.sort(key=lambda name: distances[name])
        results = [
            search_get_pb2.SearchResult(
                properties=_properties(collection, held[name], request),
                metadata=_metadata(collection, name, held[name], request.metadata, distances.get(name)),
            )
            for name in names[:limit]
        ]
        return search_get_pb2.SearchReply(took=0.001, results=results)

    def grpc_batch_objects(self, request: Any) -> Any:
        _only(request, "objects")
        reply = batch_pb2.BatchObjectsReply(took=0.001)
        for index, given in enumerate(request.objects):
            try:
                self._put(given)
            except (Refused, ValueError) as error:
                reply.errors.append(batch_pb2.BatchObjectsReply.BatchError(index=index, error=str(error)))
        return reply

    def _put(self, given: Any) -> None:
        _only(given, "collection tenant uuid properties vectors")
        _only(given.properties, "non_ref_properties text_array_properties")
        collection = self._collection(given.collection)
        held, name = collection.tenant(given.tenant), str(uuid.UUID(given.uuid))
        properties: dict[str, Any] = dict(given.properties.non_ref_properties)
        properties |= {each.prop_name: list(each.values) for each in given.properties.text_array_properties}
        for key, value in properties.items():
            if key not in collection.properties:
                raise Refused(f"no such prop with name '{key}' found in class '{given.collection}'")
            (kind,) = collection.properties[key]["dataType"]
            if not isinstance(value, TYPES[kind]):
                raise Refused(f"invalid {kind} property '{key}'")
        if properties.get("m_id") in self.refuse:
            raise Refused("refused")
        (vector,) = given.vectors
        if vector.name != collection.vector[0]:
            raise Refused(f"vector {vector.name} is not configured")
        array = np.frombuffer(vector.vector_bytes, dtype="<f4")
        for other in held.values():
            if other.vector.shape != array.shape:
                raise Refused(f"new node has a vector with length {len(array)}. Existing nodes have others")
            break
        held[name] = Object(properties, array)

    def grpc_batch_delete(self, request: Any) -> Any:
        _only(request, "collection tenant filters")
        collection = self._collection(request.collection)
        held = collection.tenant(request.tenant)
        names = [name for name in held if _passes(collection, name, held[name], request.filters)]
        for name in names[:MOST]:
            del held[name]
        return batch_delete_pb2.BatchDeleteReply(matches=len(names), successful=len(names[:MOST]), failed=0)

    def grpc_aggregate(self, request: Any) -> Any:
        _only(request, "collection tenant objects_count")
        held = self._collection(request.collection).tenant(request.tenant)
        single = aggregate_pb2.AggregateReply.Single(objects_count=len(held))
        return aggregate_pb2.AggregateReply(took=0.001, single_result=single)

    def _collection(self, name: str) -> Collection:
        if name not in self.collections:
            raise Refused(f"could not find class {name} in schema")
        return self.collections[name]


class _Servicer(weaviate_pb2_grpc.WeaviateServicer):
    METHODS: ClassVar = {
        "Search": "search",
        "BatchObjects": "batch_objects",
        "BatchDelete": "batch_delete",
        "Aggregate": "aggregate",
    }

    def __init__(self, wire: WeaviateWire) -> None:
        for method, name in self.METHODS.items():
            setattr(self, method, self._answering(wire, name))

    def _answering(self, wire: WeaviateWire, name: str) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return wire.called(name, request, dict(context.invocation_metadata()))
            except Refused as refused:
                context.abort(refused.code, str(refused))

        return answer


@contextmanager
def weaviate(wire: WeaviateWire) -> Iterator[WeaviateWire]:
    """The service on two free ports of this machine."""
    with serving(wire), ThreadPoolExecutor(8) as threads:
        server = grpc.server(threads)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(_Servicer(wire), server)
        wire.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield wire
        finally:
            server.stop(0).wait()


def _only(message: Any, names: str) -> None:
    """Refuse what the service would do more about than is done here."""
    for given, _ in message.ListFields():
        if given.name not in names.split():
            raise Refused(f"unexpected {given.name}")


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """A property of the schema, with the service's defaults."""
    (kind,) = given["dataType"]
    text = kind.startswith("text")
    if kind not in TYPES or not re.fullmatch("[_A-Za-z][_0-9A-Za-z]{0,230}", given["name"]):
        raise Reply(422, message=f"property '{given['name']}': unknown data type")
    if text and given.get("tokenization") != "field":
        raise Reply(422, message=f"property '{given['name']}': what is no whole value is not done here")
    if given.get("indexRangeFilters") and text:
        raise Reply(422, message="`indexRangeFilters` is allowed only for number/int/date data types")
    if not text and (given.get("tokenization") or given.get("indexSearchable")):
        raise Reply(422, message="Tokenization is not allowed for data type 'number'")
    given.setdefault("indexFilterable", True)
    given.setdefault("indexSearchable", text)
    given.setdefault("indexRangeFilters", False)
    return given


def _unit(vector: Any) -> Any:
    """At length 1; a zero vector stays as it is."""
    norm = np.linalg.norm(vector)
    return vector / norm if norm else vector


def _asked(collection: Collection, near: Any) -> Any:
    _only(near, "targets vectors vector_bytes vector_for_targets")
    name, _ = collection.vector
    if list(near.targets.target_vectors) != [name]:
        raise Refused(f"class does not have named vector {list(near.targets.target_vectors)}")
    given = [each.vector_bytes for each in (*near.vectors, *near.vector_for_targets)]
    (raw,) = given or [near.vector_bytes]
    return np.frombuffer(raw, dtype="<f4")


def _properties(collection: Collection, held: Object, request: Any) -> Any:
    _only(request.properties, "non_ref_properties")
    fields = {}
    for name in request.properties.non_ref_properties:
        if name not in collection.properties:
            raise Refused(f"no such prop with name '{name}' found")
        if collection.properties[name]["dataType"] != ["text"]:
            raise Refused("only texts are told here")
        if name in held.properties:
            fields[name] = properties_pb2.Value(text_value=held.properties[name])
    return search_get_pb2.PropertiesResult(
        non_ref_props=properties_pb2.Properties(fields=fields), target_collection=request.collection
    )


def _metadata(collection: Collection, name: str, held: Object, asked: Any, distance: float | None) -> Any:
    _only(asked, "uuid distance vector vectors")
    answer = search_get_pb2.MetadataResult()
    if asked.uuid:
        answer.id, answer.id_as_bytes = name, uuid.UUID(name).bytes
    if asked.distance and distance is not None:
        answer.distance, answer.distance_present = distance, True
    if asked.vector or asked.vectors:
        kind = base_pb2.Vectors.VECTOR_TYPE_SINGLE_FP32
        answer.vectors.append(
            base_pb2.Vectors(name=collection.vector[0], vector_bytes=held.vector.tobytes(), type=kind)
        )
    return answer


def _passes(collection: Collection, name: str, held: Object, asked: Any) -> bool:
    if asked.operator in (FILTER.OPERATOR_AND, FILTER.OPERATOR_OR):
        if not asked.filters:
            raise Refused("invalid 'where' filter: empty operands")
        combine = all if asked.operator == FILTER.OPERATOR_AND else any
        return combine(_passes(collection, name, held, part) for part in asked.filters)
    column = asked.target.property
    found = _found(collection, name, held, column)
    value = _value(asked)
    if asked.operator == FILTER.OPERATOR_CONTAINS_ANY:
        return any(each in found for each in value)
    if isinstance(value, list) or any(type(each) is not type(value) for each in found):
        raise Refused(f"data type filter cannot use another type on property '{column}'")
    if asked.operator == FILTER.OPERATOR_NOT_EQUAL:
        return value not in found
    if asked.operator not in COMPARED:
        raise Refused(f"unknown filter operator {asked.operator}")
    return any(COMPARED[asked.operator](each, value) for each in found)


def _found(collection: Collection, name: str, held: Object, column: str) -> list[Any]:
    """What a filter compares: the elements of the property, texts without white space at their ends."""
    if column == "_id":
        return [name]
    if not collection.properties.get(column, {}).get("indexFilterable"):
        raise Refused(f"Filtering by property '{column}' requires inverted index")
    value = held.properties.get(column)
    elements = value if isinstance(value, list) else [] if value is None else [value]
    return [each.strip(SPACES) if isinstance(each, str) else each for each in elements]


def _value(asked: Any) -> Any:
    kind = asked.WhichOneof("test_value")
    if kind == "value_text":
        return asked.value_text.strip(SPACES)
    if kind == "value_text_array":
        return [each.strip(SPACES) for each in asked.value_text_array.values]
    if kind == "value_number":
        return asked.value_number
    raise Refused(f"unknown value type {kind}")
