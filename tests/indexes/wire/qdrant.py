"""Qdrant's REST protocol, as far as an index of ours speaks it: collections, payload indexes and points.

Requests are read with the models that Qdrant's OpenAPI document generates, which know no other fields. What filters
and scores mean is written down here anew, from the documentation.
"""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from qdrant_client import models
from tests.indexes.wire.base import Reply, Request, Wire

__all__ = ["QdrantWire"]

SELECTOR: TypeAdapter[Any] = TypeAdapter(models.PointsSelector)
INSERT: TypeAdapter[Any] = TypeAdapter(models.PointInsertOperations)
NAME = r"/collections/([^/]+)"


class Collection:
    """Points of one size and distance."""

    def __init__(self, size: int, distance: str) -> None:
        self.size, self.distance = size, distance
        self.points: dict[str, tuple[Any, dict[str, Any]]] = {}
        self.indexes: dict[str, str] = {}

    def put(self, name: Any, vector: Any, payload: dict[str, Any] | None) -> None:
        wide = np.asarray(vector, dtype=np.float32)
        if wide.shape != (self.size,):
            raise Reply(400, message=f"Vector dimension error: expected dim: {self.size}, got {wide.size}")
        length = float(np.linalg.norm(wide))
        if self.distance == "Cosine" and length > 0:
            wide = wide / np.float32(length)
        self.points[_named(name)] = (wide, payload or {})

    def score(self, query: Any, vector: Any) -> float:
        if self.distance == "Euclid":
            return float(np.linalg.norm(vector - query))
        length = float(np.linalg.norm(query))
        scaled = query / np.float32(length) if self.distance == "Cosine" and length > 0 else query
        return float(vector @ scaled)


class QdrantWire(Wire):
    """A server without a graph; with `forgetful` every other point that is not asked for exactly stays out, as a graph
    may do under a narrow filter."""

    ROUTES = (
        ("GET", NAME + "/exists", "exists"),
        ("PUT", NAME, "create"),
        ("GET", NAME, "info"),
        ("DELETE", NAME, "drop"),
        ("PUT", NAME + "/index", "index"),
        ("PUT", NAME + "/points", "upsert"),
        ("POST", NAME + "/points/delete", "delete"),
        ("POST", NAME + "/points/query", "query"),
        ("POST", NAME + "/points/scroll", "scroll"),
        ("POST", NAME + "/points/count", "count"),
        ("POST", NAME + "/points", "retrieve"),
    )

    def __init__(self, *, key: str | None = None, forgetful: bool = False) -> None:
        super().__init__()
        self.key, self.forgetful = key, forgetful
        self.collections: dict[str, Collection] = {}

    def answer(self, request: Request) -> Any:
        if self.key is not None and request.headers.get("api-key") != self.key:
            self.requests.append(request)
            raise Reply(401, message="Must provide an API key or an Authorization bearer token")
        try:
            return {"result": super().answer(request), "status": "ok", "time": 0.001}
        except ValidationError as error:
            raise Reply(400, message=f"Format error in JSON body: {error.errors()[0]['msg']}") from error

    def refusal(self, reply: Reply) -> Any:
        return {"status": {"error": reply.message}, "time": 0.001}

    # ------------------------------------------------------------------------------------------ collections

    def exists(self, _: Request, name: str) -> Any:
        return {"exists": name in self.collections}

    def create(self, request: Request, name: str) -> Any:
        wanted = models.CreateCollection.model_validate(request.body)
        if name in self.collections:
            raise Reply(409, message=f"Wrong input: Collection `{name}` already exists!")
        assert isinstance(wanted.vectors, models.VectorParams)
        self.collections[name] = Collection(wanted.vectors.size, wanted.vectors.distance.value)
        return True

    def info(self, _: Request, name: str) -> Any:
        found = self._collection(name)
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": 0,
            "points_count": len(found.points),
            "segments_count": 1,
            "config": {
                "params": {"vectors": {"size": found.size, "distance": found.distance}},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                "optimizer_config": {
                    "deleted_threshold": 0.2,
                    "vacuum_min_vector_number": 1000,
                    "default_segment_number": 0,
                    "flush_interval_sec": 5,
                },
                "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
            },
            "payload_schema": {
                name: {"data_type": kind, "points": len(found.points)} for name, kind in found.indexes.items()
            },
        }

    def drop(self, _: Request, name: str) -> Any:
        return self.collections.pop(name, None) is not None

    def index(self, request: Request, name: str) -> Any:
        wanted = models.CreateFieldIndex.model_validate(request.body)
        assert isinstance(wanted.field_schema, models.PayloadSchemaType)
        self._collection(name).indexes[wanted.field_name] = wanted.field_schema.value
        return {"operation_id": 0, "status": "completed"}

    # ----------------------------------------------------------------------------------------------- points

    def upsert(self, request: Request, name: str) -> Any:
        assert request.query.get("wait") == "true", "who does not wait cannot know that it is kept"
        collection, wanted = self._collection(name), INSERT.validate_python(request.body)
        if isinstance(wanted, models.PointsList):
            for point in wanted.points:
                collection.put(point.id, point.vector, point.payload)
        else:
            batch = wanted.batch
            for each in zip(batch.ids, batch.vectors, batch.payloads, strict=True):
                collection.put(*each)
        return {"operation_id": 0, "status": "completed"}

    def delete(self, request: Request, name: str) -> Any:
        assert request.query.get("wait") == "true"
        collection, wanted = self._collection(name), SELECTOR.validate_python(request.body)
        if isinstance(wanted, models.FilterSelector):
            gone = [
                each for each, (_, payload) in collection.points.items() if _passes(wanted.filter, payload)
            ]
        else:
            gone = [_named(each) for each in wanted.points]
        for each in gone:
            collection.points.pop(each, None)
        return {"operation_id": 0, "status": "completed"}

    def query(self, request: Request, name: str) -> Any:
        collection, wanted = self._collection(name), models.QueryRequest.model_validate(request.body)
        asked = wanted.query.nearest if isinstance(wanted.query, models.NearestQuery) else wanted.query
        vector = np.asarray(asked, dtype=np.float32)
        if vector.shape != (collection.size,):
            raise Reply(
                400, message=f"Vector dimension error: expected dim: {collection.size}, got {vector.size}"
            )
        found = [
            (collection.score(vector, held), each, payload)
            for each, (held, payload) in collection.points.items()
            if _passes(wanted.filter, payload)
        ]
        found.sort(key=lambda one: one[0] if collection.distance == "Euclid" else -one[0])
        exact = wanted.params is not None and wanted.params.exact
        found = found[:: 2 if self.forgetful and not exact else 1][: wanted.limit or 10]
        return {
            "points": [
                {"id": each, "version": 0, "score": score, "payload": _shown(payload, wanted.with_payload)}
                for score, each, payload in found
            ]
        }

    def scroll(self, request: Request, name: str) -> Any:
        collection, wanted = self._collection(name), models.ScrollRequest.model_validate(request.body)
        names = sorted(
            each
            for each, (_, payload) in collection.points.items()
            if _passes(wanted.filter, payload) and (wanted.offset is None or each >= _named(wanted.offset))
        )
        limit = wanted.limit or 10
        page = names[:limit]
        return {
            "points": [
                {"id": each, "payload": _shown(collection.points[each][1], wanted.with_payload)}
                for each in page
            ],
            "next_page_offset": names[limit] if limit < len(names) else None,
        }

    def count(self, request: Request, name: str) -> Any:
        wanted = models.CountRequest.model_validate(request.body)
        points = self._collection(name).points.values()
        return {"count": sum(_passes(wanted.filter, payload) for _, payload in points)}

    def retrieve(self, request: Request, name: str) -> Any:
        collection, wanted = self._collection(name), models.PointRequest.model_validate(request.body)
        return [
            {
                "id": _named(each),
                "payload": _shown(collection.points[_named(each)][1], wanted.with_payload),
                "vector": [float(x) for x in collection.points[_named(each)][0]]
                if wanted.with_vector
                else None,
            }
            for each in wanted.ids
            if _named(each) in collection.points
        ]

    def _collection(self, name: str) -> Collection:
        if name not in self.collections:
            raise Reply(404, message=f"Not found: Collection `{name}` doesn't exist!")
        return self.collections[name]


def _named(given: Any) -> str:
    """A point id: an unsigned number or a UUID, and nothing else."""
    if isinstance(given, int) and given >= 0:
        return str(given)
    try:
        return str(uuid.UUID(str(given)))
    except ValueError as error:
        raise Reply(400, message=f"value {given} is not a valid point ID") from error


def _shown(payload: dict[str, Any], wanted: Any) -> dict[str, Any] | None:
    if isinstance(wanted, list):
        return {name: payload[name] for name in wanted if name in payload}
    return payload if wanted else None


def _passes(condition: Any, payload: dict[str, Any]) -> bool:
    if condition is None:
        return True
    if isinstance(condition, models.Filter):
        must, should, must_not = map(_list, (condition.must, condition.should, condition.must_not))
        return (
            all(_passes(each, payload) for each in must)
            and (not should or any(_passes(each, payload) for each in should))
            and not any(_passes(each, payload) for each in must_not)
        )
    assert isinstance(condition, models.FieldCondition), "the index uses no other condition"
    values = _list(payload.get(condition.key))
    return any(_meets(condition, value) for value in values)


def _meets(condition: models.FieldCondition, value: Any) -> bool:
    if condition.match is not None:
        assert isinstance(condition.match, models.MatchAny)
        return type(value) is str and value in condition.match.any
    bounds = condition.range
    assert isinstance(bounds, models.Range)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (
        (bounds.gt is None or value > bounds.gt)
        and (bounds.gte is None or value >= bounds.gte)
        and (bounds.lt is None or value < bounds.lt)
        and (bounds.lte is None or value <= bounds.lte)
    )


def _list(given: Any) -> list[Any]:
    return [] if given is None else given if isinstance(given, list) else [given]
