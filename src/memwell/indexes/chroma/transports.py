"""Two transports for Chroma: the library with a local folder, and the server's REST API (version 2).

We call the server directly, because the library's own client has no timeout and shares its headers between servers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from memwell._forks import ForkSafeLock
from memwell.indexes.file_lock import acquire_shared, release_shared
from memwell.indexes.folder import OpenFolder, set_aside
from memwell.network.clients import Clients
from memwell.network.retry_after import parse_retry_after

__all__ = ["Folder", "Server", "ServerError", "Transport"]

_STARTING = ForkSafeLock()
"""The library starts one system per folder and does not wait while another thread starts it."""

_VECTORS = frozenset({"embeddings", "query_embeddings"})
"""Arguments that are arrays."""

Found = Mapping[str, Any]
"""Lists by name: `ids`, and the others that `include` names."""


class ServerError(Exception):
    """An error response of the server: status, name and message."""

    def __init__(self, status: int, name: str, message: str, retry_after: float | None) -> None:
        super().__init__(f"{status} {name}: {message}")
        self.status, self.name, self.message, self.retry_after = status, name, message, retry_after


class Transport(ABC):
    """One collection; both transports have the same operations and arguments. Call `open_collection` first."""

    @abstractmethod
    async def open_collection(
        self, name: str, *, space: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Create the collection if it is missing; returns its metadata."""

    @abstractmethod
    async def count(self) -> int:
        """Number of points."""

    @abstractmethod
    async def close(self) -> None:
        """Close everything. `open_collection` opens it again."""

    @abstractmethod
    async def _call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run an operation on the collection and return its result."""

    async def upsert(
        self, ids: Sequence[str], embeddings: Any, metadatas: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add or replace points; `embeddings` are `(n, d) float32`."""
        await self._request("upsert", ids=list(ids), embeddings=embeddings, metadatas=list(metadatas))

    async def query(self, embedding: Any, size: int, where: Any, include: Sequence[str]) -> Found:
        """Approximately the nearest points that match, nearest first, at most `size`."""
        found = await self._request(
            "query", query_embeddings=embedding[None], n_results=size, where=where, include=list(include)
        )
        return {name: values[0] for name, values in found.items() if name == "ids" or name in include}

    async def get(
        self,
        include: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        where: Any = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Found:
        """Points by id, or a page of the points that match."""
        found: Found = await self._request(
            "get", include=list(include), ids=ids, where=where, limit=limit, offset=offset
        )
        return found

    async def delete(self, *, ids: Sequence[str] | None = None, where: Any = None) -> None:
        """Delete points by id, or those that match."""
        await self._request("delete", ids=ids, where=where)

    async def _request(self, name: str, **arguments: Any) -> Any:
        return await self._call(name, {key: value for key, value in arguments.items() if value is not None})


def _configuration(space: str) -> dict[str, Any]:
    """HNSW settings: a broader search than Chroma's default, for better recall."""
    return {"hnsw": {"space": space, "max_neighbors": 16, "ef_construction": 100, "ef_search": 200}}


class Folder(Transport):
    """The library, in process. It locks the folder against other processes; this process may open further
    collections.
    """

    def __init__(self, path: Path, *, part: str) -> None:
        self._path, self._part = path, part
        self._guard = ForkSafeLock()
        self._lock: Path | None = None
        self._folder = OpenFolder(path, part=part)
        self._client: Any = None
        self._collection: Any = None

    async def open_collection(
        self, name: str, *, space: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """See `Transport`. Imports chromadb, which takes a second."""
        with self._guard:
            if self._client is None:
                self._client = self._create_client()
            collection = self._collection = self._client.get_or_create_collection(
                name,
                configuration=_configuration(space),
                metadata=dict(metadata),
                embedding_function=None,
            )
        return collection.metadata or {}

    def _create_client(self) -> Any:
        import chromadb
        from chromadb.config import Settings

        self._path.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock or acquire_shared(self._path, part=self._part)
        settings = Settings(anonymized_telemetry=False)
        path = str(self._path.resolve())
        with _STARTING:
            systems = _systems()
            known = path in systems
            try:
                client = chromadb.PersistentClient(path, settings)
            except Exception:
                if not known:  # the library keeps what it has half started, and would hand it out again
                    systems.pop(path, None)
                raise
        self._folder.opened()
        return client

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        self._folder.check()
        return getattr(self._collection, name)(**arguments)

    async def count(self) -> int:
        """Number of points."""
        self._folder.check()
        return int(self._collection.count())

    async def start_over(self) -> None:
        """Set a damaged folder aside, with all its collections; `open_collection` creates a new one."""
        with suppress(Exception):  # it is not usable any more
            await self.close()
        set_aside(self._path)

    async def close(self) -> None:
        """Close the client and unlock the folder."""
        self._folder.closed()
        client, self._client, lock, self._lock = self._client, None, self._lock, None
        try:
            if client is not None:
                client.close()
        finally:
            if lock is not None:
                release_shared(lock)


def _systems() -> dict[str, Any]:
    """What the library has started in this process, by folder."""
    from chromadb.api.shared_system_client import SharedSystemClient

    found: dict[str, Any] = getattr(SharedSystemClient, "_identifier_to_system", {})
    return found


class Server(Transport):
    """The REST API, with one client per event loop."""

    def __init__(self, base: str, *, key: str | None, tenant: str, database: str, timeout: float) -> None:
        self._base = f"{base}/api/v2/tenants/{tenant}/databases/{database}/collections"
        self._key, self._timeout = key, timeout
        self._clients: Clients[Any] = Clients(self._create_client, lambda client: client.aclose())
        self._collection = ""

    async def open_collection(
        self, name: str, *, space: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """See `Transport`. The server handles concurrent creation."""
        body = {
            "name": name,
            "metadata": dict(metadata),
            "configuration": _configuration(space),
            "get_or_create": True,
        }
        found = await self._send("POST", "", body)
        self._collection = f"/{found['id']}"
        return found["metadata"] or {}

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        body = {key: value.tolist() if key in _VECTORS else value for key, value in arguments.items()}
        return await self._send("POST", f"{self._collection}/{name}", body)

    async def count(self) -> int:
        """Number of points."""
        return int(await self._send("GET", f"{self._collection}/count"))

    async def close(self) -> None:
        """Close the connections."""
        await self._clients.close()

    async def _send(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._clients.current().request(method, f"{self._base}{path}", json=body)
        if answer.status_code < 400:
            return answer.json()
        try:
            message = answer.json()
            name, message = str(message["error"]), str(message["message"])
        except (ValueError, KeyError, TypeError):
            name, message = answer.reason_phrase, answer.text[:200]
        raise ServerError(answer.status_code, name, message, parse_retry_after(answer.headers))

    def _create_client(self) -> Any:
        import httpx2

        headers = {"x-chroma-token": self._key} if self._key else {}
        return httpx2.AsyncClient(headers=headers, timeout=self._timeout)
