"""Pinecone with its control plane, and OpenAI with embeddings and chat, on loopback."""

from __future__ import annotations

from typing import Any

from tests.embedders.services import Refused, openai, openai_chat
from tests.indexes.wire.base import Reply, Request
from tests.indexes.wire.pinecone import PineconeWire

__all__ = ["PineconeCloud", "openai_service"]


class PineconeCloud(PineconeWire):
    """The indexes of a project by name; all of them are the one index of the wire."""

    ROUTES = (
        ("GET", "/indexes/([^/]+)", "describe"),
        ("POST", "/indexes", "create"),
        *PineconeWire.ROUTES,
    )

    def __init__(self, *names: str, dimension: int, metric: str = "cosine") -> None:
        super().__init__(dimension, metric)
        self.names_known = {*names}
        self.created: list[dict[str, Any]] = []

    def describe(self, request: Request, name: str) -> Any:
        if name not in self.names_known:
            raise Reply(404, message=f"Resource {name} not found")
        field = {"type": "dense_vector", "dimension": self.dimension, "metric": self.metric}
        return {
            "name": name,
            "host": self.url.removeprefix("http://"),
            "status": {"ready": True, "state": "Ready"},
            "schema": {"fields": {"_values": field}},
            "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
            "deletion_protection": "disabled",
        }

    def create(self, request: Request) -> Any:
        self.created.append(request.body)
        self.names_known.add(request.body["name"])
        return self.describe(request, request.body["name"])


def openai_service(path: str, headers: dict[str, str], body: Any) -> Any:
    if path == "/v1/embeddings":
        return openai(path, headers, {"dimensions": 1536, **body})
    if path == "/v1/chat/completions":
        return openai_chat(path, headers, body)
    raise Refused(404, {"error": {"message": f"Invalid URL (POST {path})"}})
