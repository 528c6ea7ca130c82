"""A loopback server that speaks AutoMem's API as its source and its answers show it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.backends.mem0.wire import cosine
from tests.indexes.wire.base import Reply, Request, Wire

TOKEN = "am-very-secret-0123456789"
AUTHORABLE = frozenset(
    "RELATES_TO LEADS_TO OCCURRED_BEFORE PREFERS_OVER EXEMPLIFIES CONTRADICTS REINFORCES INVALIDATED_BY"
    " EVOLVED_INTO DERIVED_FROM PART_OF".split()
)
_TIMES = ("timestamp", "updated_at", "last_accessed", "t_valid", "t_invalid")


class AutoMemWire(Wire):
    """See the module. What was stored is found by vectors from `embed()` on."""

    ROUTES = (
        ("GET", "/health", "health"),
        ("POST", "/memory", "store"),
        ("GET", "/memory/by-tag", "by_tag"),
        ("GET", "/memory/([^/]+)", "get"),
        ("PATCH", "/memory/([^/]+)", "patch"),
        ("DELETE", "/memory/([^/]+)", "delete"),
        ("GET", "/recall", "recall"),
        ("POST", "/associate", "associate"),
    )
    enrichment = "disabled"
    summarises = False
    """Whether it has a model that puts summaries in the place of texts of more than 500 characters."""

    def __init__(self) -> None:
        super().__init__()
        self.memories: dict[str, dict[str, Any]] = {}
        self.embedded: set[str] = set()
        self.orphans: dict[str, dict[str, Any]] = {}
        """Memories that are gone, but not their vectors."""
        self.relations: dict[tuple[str, str, str], float] = {}

    def refusal(self, reply: Reply) -> Any:
        return {"status": "error", "code": reply.status, "message": reply.message}

    def answer(self, request: Request) -> Any:
        if request.path != "/health" and request.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Reply(401, message="Unauthorized")
        return super().answer(request)

    def embed(self) -> None:
        """Let the vectors of all memories be there."""
        self.embedded.update(self.memories)

    def put(self, content: str, **fields: Any) -> str:
        """A memory as another client writes it."""
        id, now = str(uuid.uuid4()), datetime.now(UTC).isoformat()
        self.memories[id] = {
            "id": id,
            "content": content,
            "tags": [],
            "type": "Memory",
            "importance": 0.5,
            "confidence": 0.9,
            "metadata": {},
            "timestamp": now,
            "updated_at": now,
            "last_accessed": now,
            "t_valid": now,
            "t_invalid": None,
            **fields,
        }
        return id

    def health(self, _: Request) -> Any:
        return {"status": "healthy", "falkordb": "connected", "qdrant": "connected"}

    def store(self, request: Request) -> Any:
        body = request.body
        content = (body.get("content") or "").strip()
        if not content:
            raise Reply(400, message="'content' is required")
        if len(content) > 2000:
            raise Reply(400, message=f"Content exceeds maximum length of 2000 characters ({len(content)})")
        fields = {name: _moment(body[name]) for name in _TIMES if body.get(name)}
        metadata = dict(body.get("metadata") or {})
        if self.summarises and len(content) > 500:
            metadata |= {"original_content": content, "was_summarized": True, "original_length": len(content)}
            content = f"{content[:100]} (summary)"
        id = self.put(content, type=body["type"], importance=_share(body["importance"]), **fields)
        self.memories[id] |= {"tags": _tags(body.get("tags")), "metadata": metadata}
        reply = {"status": "success", "memory_id": id, "qdrant": "queued", "enrichment": self.enrichment}
        raise Reply(201, raw=_json(reply))

    def enrich(self) -> None:
        """Add what the service adds to memories in the background."""
        for memory in self.memories.values():
            memory["metadata"] |= {"entities": {}, "enrichment": {"temporal_links": 0}}
            memory["tags"].append("entity:people:ana")

    def by_tag(self, request: Request) -> Any:
        tags = [value.strip().lower() for name, value in request.pairs if name == "tags"]
        limit, offset = (
            max(1, min(int(request.query.get("limit", 20)), 200)),
            int(request.query.get("offset", 0)),
        )
        found = [m for m in self.memories.values() if {tag.lower() for tag in m["tags"]} & set(tags)]
        found.sort(key=lambda m: m["id"])
        found.sort(key=lambda m: (m["importance"], m["timestamp"]), reverse=True)
        page = found[offset : offset + limit]
        more = len(found) > offset + limit
        return {"status": "success", "count": len(page), "has_more": more, "memories": page}

    def get(self, _: Request, id: str) -> Any:
        return {"status": "success", "memory": self._there(id)}

    def patch(self, request: Request, id: str) -> Any:
        memory, body = self._there(id), dict(request.body)
        body |= {name: _moment(body[name]) for name in _TIMES if body.get(name)}
        if "tags" in body:
            body["tags"] = _tags(body["tags"])
        memory |= body
        return {"status": "success", "memory_id": id}

    def delete(self, _: Request, id: str) -> Any:
        del self.memories[self._there(id)["id"]]
        self.relations = {ends: s for ends, s in self.relations.items() if id not in ends}
        return {"status": "success", "memory_id": id}

    def recall(self, request: Request) -> Any:
        tags = [value for name, value in request.pairs if name == "tags"]
        exact, every = request.query["tag_match"] == "exact", request.query.get("tag_mode") == "all"
        limit, query = min(int(request.query.get("limit", 5)), 100), request.query["query"]
        results = []
        for id, memory in (self.memories | self.orphans).items():
            has = [_tagged(memory["tags"], tag, exact=exact) for tag in tags]
            if tags and not (all(has) if every else any(has)):
                continue
            score = cosine(query, memory["content"])
            parts = {"vector": score if id in self.embedded else 0.0, "keyword": score}
            source = "qdrant" if id in self.embedded else "graph"
            shown = dict(memory)
            if source == "qdrant":
                del shown["id"]
            results.append(
                {
                    "id": id,
                    "score": score,
                    "score_components": parts,
                    "source": source,
                    "memory": shown,
                }
            )
        results = [result for result in results if result["score"] > 0]
        results.sort(key=lambda result: -result["score"])
        return {"status": "success", "count": len(results[:limit]), "results": results[:limit]}

    def associate(self, request: Request) -> Any:
        body = request.only(memory1_id_=str, memory2_id_=str, type_=str, strength=float)
        if body["type"] not in AUTHORABLE:
            raise Reply(400, message=f"Relation type must be one of {sorted(AUTHORABLE)}")
        if body["memory1_id"] == body["memory2_id"]:
            raise Reply(400, message="Cannot associate a memory with itself")
        if not {body["memory1_id"], body["memory2_id"]} <= self.memories.keys():
            raise Reply(404, message="One or both memories do not exist")
        self.relations[body["memory1_id"], body["memory2_id"], body["type"]] = _share(body["strength"])
        raise Reply(201, raw=_json({"status": "success"}))

    def _there(self, id: str) -> dict[str, Any]:
        try:
            uuid.UUID(id)
        except ValueError as error:
            raise Reply(400, message="memory_id must be a valid UUID") from error
        if id not in self.memories:
            raise Reply(404, message="Memory not found")
        return self.memories[id]


def _json(value: Mapping[str, Any]) -> bytes:
    import json

    return json.dumps(value).encode()


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _share(number: float) -> float:
    if not 0 <= number <= 1:
        raise Reply(400, message="importance")
    return number


def _tags(found: Any) -> list[str]:
    return [tag.strip() for tag in found or () if tag.strip()]


def _tagged(tags: list[str], wanted: str, *, exact: bool) -> bool:
    """As the vectors' filter compares: exact tags with the wanted one in lower case, beginnings both in lower case."""
    if exact:
        return wanted.strip().lower() in tags
    prefix = wanted.strip().lower().replace("/", ":")
    return any(f"{tag.lower().replace('/', ':')}:".startswith(f"{prefix}:") for tag in tags)
