"""Loopback servers that speak mem0's APIs as its OpenAPI document and the answers of its own server show them."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.indexes.wire.base import Reply, Request, Wire

KEY = "m0-very-secret-0123456789"
SECRET = "hmac-very-secret"
ENTITIES = ("user_id", "agent_id", "run_id", "app_id")
TODAY = "2026-05-01"


def cosine(one: str, other: str) -> float:
    """Similarity of two texts by their words."""
    a, b = (Counter(re.findall(r"\w+|\S", text.lower())) for text in (one, other))
    norm = (sum(n * n for n in a.values()) * sum(n * n for n in b.values())) ** 0.5
    return sum(n * b[word] for word, n in a.items()) / norm if norm else 0.0


class Mem0Wire(Wire):
    """What all of them share: memories in a dict."""

    known = ENTITIES[:3]

    def __init__(self) -> None:
        super().__init__()
        self.memories: dict[str, dict[str, Any]] = {}

    def put(self, text: str, metadata: Mapping[str, Any] | None = None, **fields: Any) -> str:
        """A memory as another client writes it."""
        id = str(uuid.uuid4())
        now = datetime.now(UTC).isoformat()
        found = {"id": id, "memory": text, "metadata": dict(metadata or {}), "created_at": now}
        self.memories[id] = {**found, "updated_at": now, "expiration_date": None, **fields}
        return id

    def owned(self, owner: Mapping[str, str], *, expired: bool) -> list[dict[str, Any]]:
        """The memories of an owner, in the order in which they came."""
        return [
            memory
            for memory in self.memories.values()
            if all(memory.get(name) == value for name, value in owner.items())
            and (expired or (memory["expiration_date"] or "9") >= TODAY)
        ]

    def nearest(self, found: list[dict[str, Any]], query: str, limit: int) -> list[dict[str, Any]]:
        """The best matches of a query."""
        if not query.strip():
            raise Reply(400, message="Invalid query: cannot be empty or whitespace-only.")
        scored = [{**memory, "score": cosine(query, memory["memory"])} for memory in found]
        return sorted(scored, key=lambda memory: -memory["score"])[:limit]

    def owner_of(self, body: Mapping[str, Any]) -> dict[str, str]:
        """Whom a new memory belongs to."""
        owner = {name: body[name] for name in self.known if body.get(name)}
        if not owner:
            raise Reply(400, message="At least one identifier (user_id, agent_id, run_id) is required.")
        if any(re.search(r"\s", value) for value in owner.values()):
            raise Reply(400, message="Invalid user_id: cannot contain whitespace.")
        return owner

    def added(self, body: Mapping[str, Any], **fields: Any) -> str:
        """Store what a request says, as it is."""
        (message,) = body["messages"]
        if message["role"] not in ("user", "assistant"):
            raise Reply(422, message="role")
        return self.put(message["content"], body.get("metadata"), **self.owner_of(body), **fields)

    def changed(self, id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change a memory; its metadata are merged."""
        memory = self.memories[id]
        memory["memory"] = body.get("text") or memory["memory"]
        memory["metadata"].update(body.get("metadata") or {})
        if "expiration_date" in body:
            memory["expiration_date"] = body["expiration_date"]
        memory["updated_at"] = datetime.now(UTC).isoformat()
        return memory

    def listed_owners(self) -> list[dict[str, Any]]:
        """Every owner."""
        pairs = {(n, m[n]) for m in self.memories.values() for n in self.known if m.get(n)}
        return [{"type": name.removesuffix("_id"), "name": id, "id": id} for name, id in sorted(pairs)]


class OssWire(Mem0Wire):
    """The server of the open-source package: no version in the path, no slash behind it."""

    ROUTES = (
        ("POST", "/memories", "add"),
        ("GET", "/memories", "list"),
        ("GET", "/entities", "owners"),
        ("POST", "/search", "search"),
        ("GET", "/memories/([^/]+)", "get"),
        ("PUT", "/memories/([^/]+)", "update"),
        ("DELETE", "/memories/([^/]+)", "delete"),
    )
    sees_owners = True
    """False: as over Qdrant, where it finds none."""

    def refusal(self, reply: Reply) -> Any:
        return {"detail": reply.message or "Not Found"}

    def answer(self, request: Request) -> Any:
        if request.headers.get("x-api-key") != KEY:
            raise Reply(401, message="Invalid or expired token.", headers={"www-authenticate": "Bearer"})
        return super().answer(request)

    def add(self, request: Request) -> Any:
        body = request.only(
            messages_=list,
            user_id=str,
            agent_id=str,
            run_id=str,
            metadata=dict,
            expiration_date=str,
            infer=bool,
            memory_type=str,
            prompt=str,
        )
        assert body["infer"] is False
        created = body["metadata"].pop("created_at", datetime.now(UTC).isoformat())
        id = self.added(
            body,
            expiration_date=body.get("expiration_date"),
            created_at=created,
            updated_at=created,
            role="user",
        )
        text = self.memories[id]["memory"]
        return {"results": [{"id": id, "memory": text, "event": "ADD", "actor_id": None, "role": "user"}]}

    def list(self, request: Request) -> Any:
        limit = int(request.query.get("top_k", 20))
        if limit > 1000:
            raise Reply(422, message="top_k")
        owner = {name: request.query[name] for name in self.known if name in request.query}
        found = self.owned(owner, expired=not owner or request.query.get("show_expired") == "true")[:limit]
        if not owner and not self.sees_owners:
            return {"results": [{"id": None, "memory": None, "metadata": {}} for _ in (1, 2)]}
        return {"results": found}

    def owners(self, _: Request) -> Any:
        return self.listed_owners() if self.sees_owners else []

    def search(self, request: Request) -> Any:
        body = request.body
        owner = {name: body["filters"][name] for name in self.known if name in body["filters"]}
        if not owner:
            raise Reply(400, message="filters must contain at least one of: user_id, agent_id, run_id")
        found = self.owned(owner, expired=bool(body.get("show_expired")))
        best = self.nearest(found, body["query"], body.get("top_k", 20))
        best = [memory for memory in best if memory["score"] >= body.get("threshold", 0.1)]
        if not body.get("explain"):
            return {"results": best}
        return {
            "results": [
                {**memory, "score": memory["score"] / 2, "score_details": {"semantic_score": memory["score"]}}
                for memory in best
            ]
        }

    def get(self, _: Request, id: str) -> Any:
        self._check(id)
        return self.memories.get(id)  # null for one that is not there

    def update(self, request: Request, id: str) -> Any:
        self._check(id)
        if id not in self.memories:
            raise Reply(404, message=f"Memory with id {id} not found.")
        self.changed(id, request.only(text=str, metadata=dict, expiration_date=(str, type(None))))
        return {"message": "Memory updated successfully!"}

    def delete(self, _: Request, id: str) -> Any:
        self._check(id)
        if self.memories.pop(id, None) is None:
            raise Reply(404, message=f"Memory with id {id} not found.")
        return {"message": "Memory deleted successfully"}

    def _check(self, id: str) -> None:
        try:
            uuid.UUID(id)
        except ValueError as error:
            raise Reply(502, message="Upstream provider returned an error.") from error


class HostedWire(Mem0Wire):
    """The hosted API, current and deprecated paths."""

    known = ENTITIES
    ROUTES = (
        ("POST", "/v3/memories/add/", "add"),
        ("POST", "/v3/memories/", "list"),
        ("POST", "/v3/memories/search/", "search"),
        ("POST", "/v1/memories/", "add_v1"),
        ("GET", "/v1/memories/", "list_v1"),
        ("POST", "/v1/memories/search/", "search_v1"),
        ("GET", "/v1/memories/([^/]+)/", "get"),
        ("PUT", "/v1/memories/([^/]+)/", "update"),
        ("DELETE", "/v1/memories/([^/]+)/", "delete"),
        ("GET", "/v1/event/([^/]+)/", "event"),
        ("GET", "/v1/entities/", "owners"),
        ("GET", "/v1/ping/", "ping"),
    )
    queued = False
    """Whether an add of `hosted_v3` is queued, too."""
    looks = 2
    """How often an event is asked for until it has ended."""
    outcome = "SUCCEEDED"

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, dict[str, Any]] = {}

    def refusal(self, reply: Reply) -> Any:
        return {"error": reply.message}

    def answer(self, request: Request) -> Any:
        if request.headers.get("authorization") != f"Token {KEY}":
            raise Reply(401, message="Given token not valid for any token type")
        return super().answer(request)

    def add(self, request: Request) -> Any:
        body = request.body
        assert body["infer"] is False
        event = str(uuid.uuid4())
        if self.queued:
            self.events[event] = {"looks": self.looks, "body": body}
            return {"event_id": event, "status": "PENDING"}
        done = [{"id": self._stored(body), "data": {"memory": ""}, "event": "ADD"}]
        return {"message": "Done", "status": "SUCCEEDED", "event_id": event, "results": done}

    def add_v1(self, request: Request) -> Any:
        event = str(uuid.uuid4())
        self.events[event] = {"looks": self.looks, "body": request.body}
        return [{"message": "Memory processing has been queued", "status": "PENDING", "event_id": event}]

    def _stored(self, body: Mapping[str, Any]) -> str:
        moment = datetime.fromtimestamp(body["timestamp"], UTC).isoformat()
        return self.added(
            body, created_at=moment, updated_at=moment, expiration_date=body.get("expiration_date")
        )

    def event(self, _: Request, id: str) -> Any:
        if id not in self.events:
            raise Reply(404, message="Event not found or you don't have permission to access it.")
        event = self.events[id]
        event["looks"] -= 1
        if event["looks"] > 0:
            return {"id": id, "status": "RUNNING", "results": []}
        if self.outcome == "FAILED":
            return {"id": id, "status": "FAILED", "results": [], "error": "the model is overloaded"}
        if "id" not in event:
            event["id"] = self._stored(event["body"])
        return {"id": id, "status": "SUCCEEDED", "results": [{"id": event["id"], "event": "ADD"}]}

    def _filtered(self, filters: Mapping[str, Any], *, expired: bool) -> list[dict[str, Any]]:
        if "OR" in filters:
            assert all(value == "*" for each in filters["OR"] for value in each.values())
            return self.owned({}, expired=expired)
        parts = filters.get("AND", [filters])
        owner = {name: value for part in parts for name, value in part.items()}
        if not owner.keys() & set(ENTITIES):
            raise Reply(400, message="filters must contain at least one entity id")
        return self.owned(owner, expired=expired)

    def list(self, request: Request) -> Any:
        body = request.only(filters_=dict, show_expired=bool)
        found = self._filtered(body["filters"], expired=bool(body.get("show_expired")))
        return self._page(request, found, 200, "session_id")

    def _page(self, request: Request, found: list[dict[str, Any]], most: int, run: str) -> dict[str, Any]:
        page, size = int(request.query["page"]), int(request.query["page_size"])
        if not 0 < size <= most:
            raise Reply(400, message=f"page_size is at most {most}")
        shown = [{**memory, run: memory.get("run_id")} for memory in found[(page - 1) * size : page * size]]
        if run != "run_id":
            for memory in shown:
                memory.pop("run_id", None)
        after = f"{self.url}{request.path}?page={page + 1}" if page * size < len(found) else None
        return {"count": len(found), "next": after, "previous": None, "results": shown}

    def search(self, request: Request) -> Any:
        body = request.body
        if any(name in body for name in ENTITIES):
            raise Reply(400, message="user_id must be in filters")
        found = self._filtered(body["filters"], expired=bool(body.get("show_expired")))
        best = self.nearest(found, body["query"], body.get("top_k", 10))
        return {
            "results": [
                {**memory, "score": memory["score"] / 2, "score_breakdown": {"semantic": memory["score"]}}
                for memory in best
            ]
        }

    def search_v1(self, request: Request) -> Any:
        body = request.body
        owner = {name: body[name] for name in self.known if name in body}
        if not owner:
            raise Reply(400, message="At least one of user_id, agent_id, app_id, run_id")
        return self.nearest(self.owned(owner, expired=False), body["query"], body.get("top_k", 10))

    def list_v1(self, request: Request) -> Any:
        owner = {name: request.query[name] for name in self.known if name in request.query}
        return self._page(request, self.owned(owner, expired=False), 100, "session_id")

    def get(self, _: Request, id: str) -> Any:
        return self._there(id)

    def update(self, request: Request, id: str) -> Any:
        self._there(id)
        return self.changed(id, request.only(text=str, metadata=dict, expiration_date=(str, type(None))))

    def delete(self, _: Request, id: str) -> Any:
        self._there(id)
        del self.memories[id]
        return {"message": "Memory deleted successfully!"}

    def _there(self, id: str) -> dict[str, Any]:
        try:
            uuid.UUID(id)
        except ValueError as error:
            raise Reply(400, message="memory_id should be a valid UUID") from error
        if id not in self.memories:
            raise Reply(404, message="Memory not found!")
        return self.memories[id]

    def owners(self, request: Request) -> Any:
        found = self.listed_owners()
        page = int(request.query.get("page", 1))
        after = f"{self.url}/v1/entities/?page={page + 1}" if page * 10 < len(found) else None
        shown = found[(page - 1) * 10 : page * 10]
        return {"count": len(found), "next": after, "previous": None, "results": shown}

    def ping(self, _: Request) -> Any:
        return {"status": "ok", "org_id": "o", "project_id": "p", "user_email": "e"}


class SeedWire(HostedWire):
    """A gateway with signed users. It may put a text in other words."""

    known = ("user_id",)
    ROUTES = (
        ("POST", "/v1/memories/", "add"),
        ("POST", "/v1/memories/search/", "search"),
        ("GET", "/health", "health"),
        ("GET", "/v1/memories/", "list_v1"),
        ("GET", "/v1/memories/([^/]+)/", "get"),
        ("PUT", "/v1/memories/([^/]+)/", "update"),
        ("DELETE", "/v1/memories/([^/]+)/", "delete"),
    )
    documented = False
    """Whether only adding, searching and health are there."""

    def answer(self, request: Request) -> Any:
        if request.path != "/health":
            self._check(request)
        hidden = self.documented and request.path != "/health"
        if hidden and (request.method == "GET" or request.path.count("/") > 4):
            raise Reply(405 if request.path == "/v1/memories/" else 404, message="Not Found")
        return Wire.answer(self, request)

    def _check(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            raise Reply(401, message="Invalid API key")
        user = request.headers.get("x-user-context")
        right = hmac.new(SECRET.encode(), f"user:{user}".encode(), hashlib.sha256).hexdigest()
        if user is None or request.headers.get("x-signature") != right:
            raise Reply(403, message="Invalid signature")
        named = request.query.get("user_id") or (request.body.get("user_id") if request.raw else None)
        if named not in (None, user):
            raise Reply(403, message="Another user")

    def health(self, _: Request) -> Any:
        return {"status": "ok"}

    def add(self, request: Request) -> Any:
        body = request.only(messages_=list, user_id_=str, metadata=dict)
        id = self.added(body)
        self.memories[id]["memory"] = f"The user said: {self.memories[id]['memory']}"
        return {"memory_id": id, "status": "stored"}

    def search(self, request: Request) -> Any:
        body = request.only(query_=str, user_id_=str, limit=int)
        found = self.owned({"user_id": body["user_id"]}, expired=True)
        best = self.nearest(found, body["query"], body["limit"])
        return {"memories": [{**memory, "content": memory.pop("memory")} for memory in best]}
