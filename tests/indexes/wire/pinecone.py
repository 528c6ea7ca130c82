"""Pinecone's data plane over REST, as far as an index of ours speaks it, from its documentation.

It is as strict as that: ids are ASCII, metadata flat and at most 40 KB, vectors not zero, requests at most 2 MB, and
answers to queries 4 MB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from tests.indexes.wire.base import Reply, Request, Wire

__all__ = ["KEY", "PineconeWire"]

KEY: Final = "pcsk-secret-0123456789"
ANSWER: Final = 4 * 2**20
"""Bytes of an answer to a query, at most."""
COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": lambda found, asked: found > asked,
    "$gte": lambda found, asked: found >= asked,
    "$lt": lambda found, asked: found < asked,
    "$lte": lambda found, asked: found <= asked,
}


class PineconeWire(Wire):
    """One index with all its namespaces."""

    ROUTES = (
        ("POST", "/vectors/upsert", "upsert"),
        ("POST", "/query", "query"),
        ("POST", "/vectors/delete", "delete"),
        ("GET", "/vectors/fetch", "fetch"),
        ("GET", "/vectors/list", "names"),
        ("POST", "/describe_index_stats", "stats"),
    )

    def __init__(self, dimension: int = 16, metric: str = "cosine") -> None:
        super().__init__()
        self.dimension, self.metric = dimension, metric
        self.spaces: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {}

    def answer(self, request: Request) -> Any:
        if request.headers.get("api-key") != KEY:
            raise Reply(401, message="Invalid API Key")
        if len(request.raw) > 2 * 2**20:
            raise Reply(400, message="Error, message length too large: found more than 2097152 bytes")
        return super().answer(request)

    def refusal(self, reply: Reply) -> Any:
        return {"code": 3, "message": reply.message, "details": []}

    # ------------------------------------------------------------------------------------------- requests

    def upsert(self, request: Request) -> Any:
        body = request.only(vectors_=list, namespace=str)
        if not 0 < len(body["vectors"]) <= 1000:
            raise Reply(400, message="Vector count must be between 1 and 1000")
        fresh = {}
        for item in body["vectors"]:
            if not item["id"].isascii() or not 0 < len(item["id"]) <= 512:
                raise Reply(400, message="Vector ID must be ASCII and at most 512 characters")
            fresh[item["id"]] = (self._vector(item["values"]), _checked(item.get("metadata", {})))
        self.spaces.setdefault(body.get("namespace", ""), {}).update(fresh)
        return {"upsertedCount": len(fresh)}

    def query(self, request: Request) -> Any:
        body = request.only(
            topK_=int, vector_=list, namespace=str, filter=dict, includeMetadata=bool, includeValues=bool
        )
        if not 0 < body["topK"] <= 10_000:
            raise Reply(400, message="topK must be between 1 and 10000")
        if body.get("includeMetadata") and body["topK"] > 1000:
            raise Reply(400, message="topK is at most 1000 with metadata")
        asked = self._vector(body["vector"])
        space = self.spaces.get(body.get("namespace", ""), {})
        passing = {n: held for n, held in space.items() if _passes(held[1], body.get("filter") or {})}
        scores = {name: self._score(asked, vector) for name, (vector, _) in passing.items()}
        best = sorted(scores, key=scores.__getitem__, reverse=self.metric != "euclidean")[: body["topK"]]
        matches = [
            {"id": name, "score": scores[name], "values": []}
            | ({"metadata": passing[name][1]} if body.get("includeMetadata") else {})
            for name in best
        ]
        answer = {"matches": matches, "namespace": body.get("namespace", ""), "usage": {"readUnits": 1}}
        if len(json.dumps(answer)) > ANSWER:
            raise Reply(400, message="the result is longer than 4 MB: ask for fewer, or without metadata")
        return answer

    def delete(self, request: Request) -> Any:
        body = request.only(ids=list, deleteAll=bool, namespace=str)
        space = self.spaces.get(body.get("namespace", ""))
        if space is None:
            raise Reply(404, message="Namespace not found")
        if body.get("deleteAll"):
            del self.spaces[body.get("namespace", "")]
            return {}
        if not 0 < len(body["ids"]) <= 1000:
            raise Reply(400, message="ids must be between 1 and 1000")
        for name in body["ids"]:
            space.pop(name, None)
        return {}

    def fetch(self, request: Request) -> Any:
        space = self.spaces.get(request.query.get("namespace", ""), {})
        names = [value for name, value in request.pairs if name == "ids"]
        if not 0 < len(names) <= 1000 or sum(map(len, names)) > 8000:
            raise Reply(414, message="Request-URI too long")
        held = {name: space[name] for name in names if name in space}
        vectors = {n: {"id": n, "values": v.tolist(), "metadata": m} for n, (v, m) in held.items()}
        return {
            "vectors": vectors,
            "namespace": request.query.get("namespace", ""),
            "usage": {"readUnits": 1},
        }

    def names(self, request: Request) -> Any:
        limit = int(request.query.get("limit", "100"))
        if not 0 < limit <= 100:
            raise Reply(400, message="limit must be between 1 and 100")
        space = sorted(self.spaces.get(request.query.get("namespace", ""), {}))
        start = int(request.query.get("paginationToken", "0"))
        found: dict[str, Any] = {"vectors": [{"id": name} for name in space[start : start + limit]]}
        if start + limit < len(space):
            found["pagination"] = {"next": str(start + limit)}
        return found | {"namespace": request.query.get("namespace", ""), "usage": {"readUnits": 1}}

    def stats(self, request: Request) -> Any:
        request.only(filter=dict)
        counts = {name: {"vectorCount": len(space)} for name, space in self.spaces.items()}
        total = sum(len(space) for space in self.spaces.values())
        return {
            "namespaces": counts,
            "dimension": self.dimension,
            "metric": self.metric,
            "vectorType": "dense",
            "indexFullness": 0,
            "totalVectorCount": total,
        }

    # -------------------------------------------------------------------------------------------- meaning

    def _vector(self, values: list[float]) -> Any:
        if len(values) != self.dimension:
            raise Reply(
                400, message=f"Vector dimension {len(values)} does not match the index's {self.dimension}"
            )
        wide = np.asarray(values, dtype=np.float32)
        if not wide.any():
            raise Reply(400, message="Dense vectors must contain at least one non-zero value")
        return wide

    def _score(self, asked: Any, vector: Any) -> float:
        if self.metric == "euclidean":
            return float(((asked - vector) ** 2).sum())
        product = float(asked @ vector)
        return (
            product
            if self.metric == "dotproduct"
            else product / float(np.linalg.norm(asked) * np.linalg.norm(vector))
        )


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > 40 * 1024:
        raise Reply(400, message="Metadata size is over the limit of 40960 bytes per vector")
    for name, value in metadata.items():
        flat = isinstance(value, str | bool | int | float)
        if not flat and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise Reply(
                400,
                message=f"Metadata value must be a string, number, boolean or list of strings, got {name}",
            )
    return metadata


def _passes(metadata: dict[str, Any], asked: dict[str, Any]) -> bool:
    return all(_holds(metadata, name, given) for name, given in asked.items())


def _holds(metadata: dict[str, Any], name: str, given: Any) -> bool:
    if name in ("$and", "$or"):
        if not given:
            raise Reply(400, message=f"{name} needs an array with at least one element")
        each = [_passes(metadata, part) for part in given]
        return all(each) if name == "$and" else any(each)
    found = metadata.get(name)
    return all(_compared(found, operator, value) for operator, value in given.items())


def _compared(found: Any, operator: str, asked: Any) -> bool:
    elements = found if isinstance(found, list) else [found]
    if operator == "$eq":
        return asked in elements
    if operator == "$in":
        return any(item in asked for item in elements)
    if operator == "$nin":
        return not any(item in asked for item in elements)
    if operator in COMPARED and isinstance(asked, int | float):
        numeric = isinstance(found, int | float) and not isinstance(found, bool)
        return numeric and COMPARED[operator](found, asked)
    raise Reply(400, message=f"unknown operator {operator}")
