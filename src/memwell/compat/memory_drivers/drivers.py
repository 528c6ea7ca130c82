"""The drivers that come with memwell, each named by a backend and set up by the environment.

| driver | where | variables |
|---|---|---|
| `automem` | an AutoMem service | `AUTOMEM_URL`, `AUTOMEM_API_TOKEN`, `AUTOMEM_TIMEOUT` |
| `pgvector` | PostgreSQL with pgvector | `DATABASE_URL` |
| `redis` | Redis | `REDIS_URL` |
| `pinecone`, `weaviate` | records in `DATABASE_URL`, vectors in the service | `PINECONE_URL`, `WEAVIATE_URL` |
| `sqlite` | a file | `MEMORY_DATABASE` |
| `hybrid` | the first of several that answers | `MEMORY_HYBRID_URLS`, `MEMORY_HYBRID_COPIES` |

`MEMORY_CACHE_TTL`, in seconds, lets any of them answer the same question from memory. An answer is dropped as soon as
the memories change.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from memwell import Memory
from memwell.compat.memory_drivers.memwell_driver import MemwellDriver
from memwell.errors import ConfigError
from memwell.ports.store import Store
from memwell.registry import open_store
from memwell.urls import shown
from memwell.wrappers import CachedStore, Fallback, MirroredStore
from memwell.wrappers.threaded import threaded

__all__ = [
    "AutoMemDriver",
    "HybridDriver",
    "PGVectorDriver",
    "PineconeDriver",
    "RedisDriver",
    "SQLiteDriver",
    "WeaviateDriver",
]


class _FromUrl(MemwellDriver):
    """A driver over the store of a URL, which an environment variable names."""

    variable: ClassVar[str]
    default: ClassVar[str | None] = None
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, url: str | None = None, **options: Any) -> None:
        place = url or os.environ.get(self.variable) or self.default
        if place is None:
            raise ConfigError(f"set {self.variable}, or give the driver its URL")
        store = _cached(open_store(place))
        super().__init__(Memory(store, **{**self.options, **options}), store)


class PGVectorDriver(_FromUrl):
    """PostgreSQL with pgvector; the tables are made when they are first used."""

    name = "pgvector"
    variable = "DATABASE_URL"


class RedisDriver(_FromUrl):
    """Redis."""

    name = "redis"
    variable = "REDIS_URL"
    default = "redis://localhost:6379"


class SQLiteDriver(_FromUrl):
    """A file, by default `memory.db`."""

    name = "sqlite"
    variable = "MEMORY_DATABASE"
    default = "sqlite:///memory.db"


class AutoMemDriver(_FromUrl):
    """An AutoMem service; users and conversations are kept apart by tags that must all agree."""

    name = "automem"
    variable = "AUTOMEM_URL"
    default = "http://localhost:8001"
    options: ClassVar[dict[str, Any]] = {"embedder": None}

    def __init__(self, url: str | None = None, *, api_token: str | None = None, **options: Any) -> None:
        place = url or os.environ.get(self.variable) or self.default
        super().__init__(_automem(str(place), api_token or os.environ.get("AUTOMEM_API_TOKEN")), **options)


class _Indexed(_FromUrl):
    """Records in a database, and their vectors in a service."""

    variable = "DATABASE_URL"
    default = "sqlite:///memory.db"
    index_variable: ClassVar[str]

    def __init__(self, url: str | None = None, *, index: str | None = None, **options: Any) -> None:
        service = index or os.environ.get(self.index_variable)
        if service is None:
            raise ConfigError(
                f"set {self.index_variable} to the URL of the index, as in {self.name}://…?dimension=384"
            )
        super().__init__(url, index=service, **options)


class PineconeDriver(_Indexed):
    """Vectors in Pinecone; its key is in `PINECONE_API_KEY`."""

    name = "pinecone"
    index_variable = "PINECONE_URL"


class WeaviateDriver(_Indexed):
    """Vectors in Weaviate."""

    name = "weaviate"
    index_variable = "WEAVIATE_URL"


class HybridDriver(MemwellDriver):
    """Several stores: the next one answers while the first is away; copies get every change of the first.

    - `urls`, or `MEMORY_HYBRID_URLS`, separated by spaces: which are asked, in this order. While the first is away,
      memories are read from the next, and writes are refused, so that no two stores differ.
    - `copies`, or `MEMORY_HYBRID_COPIES`: which are kept equal to the first; one of them may be the second of `urls`.
    """

    name = "hybrid"

    def __init__(
        self, urls: list[str] | None = None, *, copies: list[str] | None = None, **options: Any
    ) -> None:
        asked = urls or os.environ.get("MEMORY_HYBRID_URLS", "").split()
        kept = copies or os.environ.get("MEMORY_HYBRID_COPIES", "").split()
        if not asked or not (asked[1:] or kept):
            raise ConfigError("set MEMORY_HYBRID_URLS to two URLs or more, the first one first")
        first, *others = (threaded(open_store(url)) for url in asked)
        if kept:
            copied = {f"copy{n}": threaded(open_store(url)) for n, url in enumerate(kept, 1)}
            first = MirroredStore(first, copied)
        store = _cached(Fallback(first, *others) if others else first)
        super().__init__(Memory(store, **options), store)


def _cached(store: Store) -> Store:
    """The store, with answers kept for `MEMORY_CACHE_TTL` seconds if that is set."""
    text = os.environ.get("MEMORY_CACHE_TTL", "")
    if not text:
        return store
    try:
        seconds = float(text)
    except ValueError:
        raise ConfigError(f"MEMORY_CACHE_TTL={text!r} is no number of seconds") from None
    return CachedStore(store, ttl=seconds)


def _automem(url: str, token: str | None) -> str:
    """memwell's URL of an AutoMem service. Raises `ConfigError`."""
    parts = urlsplit(url)
    scheme = f"automem+{parts.scheme.removeprefix('automem+')}"
    if scheme not in ("automem+http", "automem+https"):
        raise ConfigError(f"AUTOMEM_URL is a URL such as http://localhost:8001, not {shown(url)!r}")
    place = f":{quote(token, safe='')}@{parts.netloc}" if token and "@" not in parts.netloc else parts.netloc
    query = parts.query
    timeout = os.environ.get("AUTOMEM_TIMEOUT")
    if timeout and "timeout=" not in query:
        query = f"{query}&timeout={quote(timeout)}".lstrip("&")
    return f"{scheme}://{place}{parts.path}" + (f"?{query}" if query else "")
