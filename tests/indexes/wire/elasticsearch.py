"""Elasticsearch's REST protocol, as far as an index of ours speaks it, from its documentation."""

from __future__ import annotations

import base64
import json
import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import numpy as np
from tests.indexes.wire.base import Reply, Request, Wire

__all__ = ["ElasticsearchWire"]

NAME = r"/([^/_][^/]*)"
BOUNDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Index:
    """Documents under one strict mapping."""

    def __init__(self, mappings: dict[str, Any]) -> None:
        if set(mappings) != {"dynamic", "properties"} or mappings["dynamic"] is not False:
            raise Reply(400, message="mapper_parsing_exception")
        self.mappings = mappings
        (self.field, self.vector), *more = [
            (name, kind) for name, kind in mappings["properties"].items() if kind["type"] == "dense_vector"
        ]
        assert not more
        self.documents: dict[str, dict[str, Any]] = {}

    def put(self, name: str, document: dict[str, Any]) -> str | None:
        """What is wrong with the document, if anything."""
        vector = np.asarray(document[self.field], dtype=np.float32)
        if vector.shape != (self.vector["dims"],):
            return f"The [dense_vector] field has a different number of dimensions [{len(vector)}]"
        if self.vector["similarity"] == "cosine" and not vector.any():
            return "The [cosine] similarity does not support vectors with zero magnitude."
        for column, value in document.items():
            if self.mappings["properties"][column]["type"] == "double" and not isinstance(value, int | float):
                return f"failed to parse field [{column}] of type [double]"
        self.documents[name] = document
        return None

    def score(self, asked: Any, document: dict[str, Any]) -> float:
        vector = np.asarray(document[self.field], dtype=np.float32)
        product = float(asked @ vector)
        if self.vector["similarity"] == "l2_norm":
            return 1 / (1 + float(((asked - vector) ** 2).sum()))
        if self.vector["similarity"] == "max_inner_product":
            return product + 1 if product >= 0 else 1 / (1 - product)
        return (1 + product / float(np.linalg.norm(asked) * np.linalg.norm(vector))) / 2


class ElasticsearchWire(Wire):
    """A server with one password."""

    HEADERS: ClassVar[Mapping[str, str]] = {
        "x-elastic-product": "Elasticsearch",
        "content-type": "application/vnd.elasticsearch+json",
    }

    ROUTES = (
        ("HEAD", NAME, "exists"),
        ("PUT", NAME, "create"),
        ("GET", NAME + "/_mapping", "mapping"),
        ("PUT", NAME + "/_bulk", "bulk"),
        ("POST", NAME + "/_search", "search"),
        ("POST", NAME + "/_mget", "mget"),
        ("POST", NAME + "/_count", "count"),
        ("POST", NAME + "/_delete_by_query", "clear"),
    )
    LOGIN: Final = "Basic " + base64.b64encode(b"elastic:geheim").decode()

    def __init__(self) -> None:
        super().__init__()
        self.indexes: dict[str, Index] = {}
        self.refuse: set[str] = set()
        """Ids of documents that a bulk request is refused for."""

    def answer(self, request: Request) -> Any:
        if request.headers.get("authorization") != self.LOGIN:
            raise Reply(401, message="security_exception")
        accepted = request.headers.get("accept", "")
        if not accepted.startswith("application/vnd.elasticsearch+"):
            raise Reply(406, message=f"Accept version is wrong: {accepted}")
        return super().answer(request)

    def refusal(self, reply: Reply) -> Any:
        return {"error": {"type": reply.message, "reason": reply.message}, "status": reply.status}

    def _of(self, name: str) -> Index:
        if name not in self.indexes:
            raise Reply(404, message="index_not_found_exception")
        return self.indexes[name]

    # ------------------------------------------------------------------------------------------- requests

    def exists(self, request: Request, name: str) -> Any:
        self._of(name)
        return {}

    def create(self, request: Request, name: str) -> Any:
        body = request.only(mappings_=dict)
        if name in self.indexes:
            raise Reply(400, message="resource_already_exists_exception")
        self.indexes[name] = Index(body["mappings"])
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def mapping(self, request: Request, name: str) -> Any:
        return {name: {"mappings": self._of(name).mappings}}

    def bulk(self, request: Request, name: str) -> Any:
        if request.query.get("refresh") not in ("true", "wait_for"):
            raise Reply(400, message="this index is to be read at once")
        index, lines = self._of(name), [json.loads(line) for line in request.raw.splitlines()]
        items = []
        while lines:
            ((action, where),) = lines.pop(0).items()
            own = where["_id"]
            if action == "delete":
                found = index.documents.pop(own, None)
                items.append({"delete": {"_id": own, "status": 200 if found else 404}})
                continue
            document = lines.pop(0)
            fault = "refused" if document["m_id"] in self.refuse else index.put(own, document)
            result: dict[str, Any] = {"_id": own, "status": 400 if fault else 201}
            if fault:
                result["error"] = {"type": "document_parsing_exception", "reason": fault}
            items.append({action: result})
        errors = any("error" in next(iter(item.values())) for item in items)
        return {"took": 1, "errors": errors, "items": items}

    def search(self, request: Request, name: str) -> Any:
        body = request.only(knn=dict, query=dict, size_=int, sort=list, search_after=list, _source=dict)
        index = self._of(name)
        if body["size"] > 10_000:
            raise Reply(400, message="Result window is too large")
        found = self._knn(index, body["knn"]) if "knn" in body else self._sorted(index, body)
        kept = [
            {
                "_id": own,
                "_score": score,
                "_source": {k: document[k] for k in body["_source"]["includes"] if k in document},
            }
            for own, document, score in found[: body["size"]]
        ]
        return {"took": 1, "timed_out": False, "hits": {"total": {"value": len(found)}, "hits": kept}}

    def _knn(self, index: Index, knn: dict[str, Any]) -> list[tuple[str, dict[str, Any], float]]:
        if (
            set(knn) - {"field", "query_vector", "k", "num_candidates", "filter"}
            or knn["field"] != index.field
        ):
            raise Reply(400, message="unknown field in knn")
        if not 0 < knn["k"] <= knn["num_candidates"] <= 10_000:
            raise Reply(400, message="[num_candidates] cannot be less than [k], or exceed [10000]")
        asked = np.asarray(knn["query_vector"], dtype=np.float32)
        if index.vector["similarity"] == "cosine" and not asked.any():
            raise Reply(400, message="The [cosine] similarity does not support vectors with zero magnitude.")
        found = [
            (own, document, index.score(asked, document))
            for own, document in index.documents.items()
            if _passes(document, knn["filter"])
        ]
        return sorted(found, key=lambda item: -item[2])[: knn["k"]]

    def _sorted(self, index: Index, body: dict[str, Any]) -> list[tuple[str, dict[str, Any], float]]:
        ((key, way),) = body["sort"][0].items()
        if way != "asc" or index.mappings["properties"][key] != {"type": "keyword"}:
            raise Reply(400, message="cannot sort by that")
        found = [(o, d, 0.0) for o, d in index.documents.items() if _passes(d, body["query"])]
        if "search_after" in body:
            found = [item for item in found if item[1][key].encode() > body["search_after"][0].encode()]
        return sorted(found, key=lambda item: item[1][key].encode())

    def mget(self, request: Request, name: str) -> Any:
        body = request.only(ids_=list)
        documents, wanted = self._of(name).documents, request.query["_source_includes"].split(",")
        docs = []
        for own in body["ids"]:
            if own in documents:
                source = {k: documents[own][k] for k in wanted}
                docs.append({"_id": own, "found": True, "_source": source})
            else:
                docs.append({"_id": own, "found": False})
        return {"docs": docs}

    def count(self, request: Request, name: str) -> Any:
        body = request.only(query_=dict)
        return {"count": sum(_passes(d, body["query"]) for d in self._of(name).documents.values())}

    def clear(self, request: Request, name: str) -> Any:
        body, index = request.only(query_=dict), self._of(name)
        gone = [own for own, document in index.documents.items() if _passes(document, body["query"])]
        for own in gone:
            del index.documents[own]
        return {"deleted": len(gone), "failures": []}


def _passes(document: dict[str, Any], query: dict[str, Any]) -> bool:
    ((kind, asked),) = query.items()
    if kind == "bool":
        return _bool(document, asked)
    ((column, value),) = asked.items()
    found = document.get(column)
    elements = found if isinstance(found, list) else [] if found is None else [found]
    if kind == "term":
        return value in elements
    if kind == "terms":
        return any(item in value for item in elements)
    if kind == "range":
        return any(all(BOUNDS[bound](item, limit) for bound, limit in value.items()) for item in elements)
    raise Reply(400, message=f"unknown query [{kind}]")


def _bool(document: dict[str, Any], asked: dict[str, Any]) -> bool:
    if set(asked) - {"filter", "must_not", "should", "minimum_should_match"}:
        raise Reply(400, message="unknown clause of [bool]")
    should = [_passes(document, part) for part in asked.get("should", [])]
    return (
        all(_passes(document, part) for part in asked.get("filter", []))
        and not any(_passes(document, part) for part in asked.get("must_not", []))
        and (not should or sum(should) >= asked.get("minimum_should_match", 0))
    )
