"""The configuration dicts of the Memory Adapter Layer, as URLs and settings of memwell's parts.

A dict has the keys of its table below, each optional; an unknown key raises `ConfigError`. `url` takes the place of
the keys that say where the server is, and may have any option of memwell's URLs (TLS, Sentinel, replicas).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from memwell.errors import ConfigError, shown
from memwell.urls import Url

__all__ = [
    "LOCAL",
    "METRICS",
    "POSTGRES",
    "REDIS",
    "VECTOR",
    "checked",
    "index_url",
    "postgres_url",
    "redis_url",
]

REDIS: Final[Mapping[str, Any]] = {
    "host": "localhost",
    "port": 6379,
    "db": 0,
    "username": None,
    "password": None,
    "connection_timeout": 5,
    "socket_timeout": 5,
    "max_connections": 50,
    "key_prefix": "agent_framework:",
    "url": None,
    "lock_servers": None,  # URLs of independent servers: locks are taken on a majority of them (Redlock)
}
POSTGRES: Final[Mapping[str, Any]] = {
    "host": "localhost",
    "port": None,  # PGPORT, or 5432
    "database": "agent_framework",
    "user": "postgres",
    "password": None,
    "connection_timeout": 30,
    "max_connections": 10,
    "schema": "public",
    "url": None,
    "migrate": "auto",  # "off": never create tables
}
VECTOR: Final[Mapping[str, Any]] = {
    "backend": "placeholder",
    "dimension": 768,
    "metric": "cosine",
    "namespace": "default",
    "url": None,  # where the backend is, such as "qdrant://localhost:6333"
}

METRICS: Final = {"cosine": "cosine", "euclidean": "l2", "dotproduct": "dot"}
"""The layer's names of metrics → memwell's."""
LOCAL: Final = ("placeholder", "exact", "faiss")
"""Backends that search in this process."""
EXAMPLES: Final = {
    "pinecone": "pinecone://INDEX-HOST",
    "weaviate": "weaviate://localhost:8080",
    "qdrant": "qdrant://localhost:6333",
    "chroma": "chroma://localhost:8000",
    "elasticsearch": "elasticsearch://localhost:9200",
}


def checked(name: str, given: Mapping[str, Any] | None, known: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with its defaults. Raises `ConfigError` for anything but a dict of known keys."""
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"{name} is a dict, not {type(given).__name__}; its keys are {', '.join(known)}")
    unknown = sorted(str(key) for key in given or {} if key not in known)
    if unknown:
        raise ConfigError(f"{name} has no key {', '.join(unknown)}; it has: {', '.join(known)}")
    return {**known, **(given or {})}


def redis_url(config: Mapping[str, Any]) -> Url:
    """Where Redis is, and how to use it."""
    options = {
        "prefix": config["key_prefix"],
        "pool": config["max_connections"],
        "timeout": config["socket_timeout"],
        "connect_timeout": config["connection_timeout"],
    }
    where = config["url"] or _server("redis", config, "username", config["port"], config["db"])
    return Url.parse(_with_options(where, options))


def postgres_url(config: Mapping[str, Any]) -> Url:
    """Where PostgreSQL is, and how to use it."""
    options = {
        "schema": config["schema"],
        "pool": config["max_connections"],
        "connect_timeout": config["connection_timeout"],
    }
    port = config["port"] or os.environ.get("PGPORT") or 5432
    where = config["url"] or _server("postgresql", config, "user", port, config["database"])
    return Url.parse(_with_options(where, options))


def index_url(config: Mapping[str, Any], path: str | None) -> str:
    """The URL of the vector index. Those of this process are in memory, or beside the file `path`."""
    backend, where = config["backend"], config["url"]
    if backend in LOCAL:
        scheme = "exact" if backend == "placeholder" else backend
        where = where or f"{scheme}://{'' if path is None else f'/{quote(path)}.{scheme}'}"
    if where is None:
        raise ConfigError(
            f"vector_config of the backend {backend!r} needs url=, such as {EXAMPLES.get(backend, f'{backend}://…')!r}"
        )
    options = {"dimension": config["dimension"], "metric": METRICS[config["metric"]]}
    if backend not in (*LOCAL, "chroma"):
        options["namespace"] = config["namespace"]
    return _with_options(where, options)


def _server(scheme: str, config: Mapping[str, Any], user: str, port: object, path: object) -> str:
    for name in ("host", user, "password"):
        if config[name] is not None and not isinstance(config[name], str):
            raise ConfigError(f"{name} is a text, not {shown(config[name])}")
    host = config["host"] or "localhost"
    login = quote(config[user] or "", safe="")
    if config["password"] is not None:
        login += f":{quote(config['password'], safe='')}"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{login}{'@' if login else ''}{host}:{port}/{quote(str(path), safe='')}"


def _with_options(url: str, options: Mapping[str, Any]) -> str:
    """The URL with the options that it does not have itself."""
    present = Url.parse(url).options
    missing = {name: value for name, value in options.items() if name not in present}
    return f"{url}{'&' if '?' in url else '?'}{urlencode(missing)}"
