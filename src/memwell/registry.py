"""From a URL to a part: a table of our own first, then entry points (`memwell.stores`, …).

Classes are imported when they are first asked for; a missing package is reported with the pip command that installs
it. There is no current driver and no other global state.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeVar

from memwell import ports
from memwell.errors import ConfigError, MemwellError
from memwell.masking import hide
from memwell.ports import Port
from memwell.urls import Place, Url, of_file, shown

if TYPE_CHECKING:
    from memwell.ports import Embedder, KeyValue, Log, Reranker, Store, VectorIndex

__all__ = [
    "Place",
    "Url",
    "known",
    "open_embedder",
    "open_index",
    "open_keyvalue",
    "open_log",
    "open_reranker",
    "open_store",
]

P = TypeVar("P", bound=Port)

TABLE: Final[Mapping[str, Mapping[str, tuple[str, str | None]]]] = {
    "stores": {
        "memory": ("memwell.backends.memory.store:MemoryStore", None),
        "sqlite": ("memwell.backends.sqlite.store:SqliteStore", None),
        "postgresql": ("memwell.backends.postgres.store:PostgresStore", "postgres"),
        "postgres": ("memwell.backends.postgres.store:PostgresStore", "postgres"),
        "redis": ("memwell.backends.redis.store:RedisStore", "redis"),
        "rediss": ("memwell.backends.redis.store:RedisStore", "redis"),
        "mem0+https": ("memwell.backends.mem0.store:Mem0Store", "http"),
        "mem0+http": ("memwell.backends.mem0.store:Mem0Store", "http"),
        "automem+https": ("memwell.backends.automem.store:AutoMemStore", "http"),
        "automem+http": ("memwell.backends.automem.store:AutoMemStore", "http"),
    },
    "indexes": {
        "exact": ("memwell.indexes.exact:Exact", "vectors"),
        "faiss": ("memwell.indexes.faiss:Faiss", "faiss"),
        "qdrant": ("memwell.indexes.qdrant.index:Qdrant", "qdrant"),
        "qdrant-edge": ("memwell.indexes.qdrant.edge:QdrantEdge", "qdrant-edge"),
        "chroma": ("memwell.indexes.chroma.index:Chroma", "chroma"),
        "pinecone": ("memwell.indexes.pinecone.index:Pinecone", "pinecone"),
        "weaviate": ("memwell.indexes.weaviate.index:Weaviate", "weaviate"),
        "elasticsearch": ("memwell.indexes.elasticsearch.index:Elasticsearch", "elasticsearch"),
    },
    "embedders": {
        "hashing": ("memwell.embedders.hashing:Hashing", "vectors"),
        "local": ("memwell.embedders.local.model:Local", "local"),
        "fastembed": ("memwell.embedders.fastembed:FastEmbed", "fastembed"),
        "openai": ("memwell.embedders.openai:OpenAI", "http"),
        "cohere": ("memwell.embedders.cohere:Cohere", "http"),
        "ollama": ("memwell.embedders.ollama:Ollama", "http"),
        "huggingface": ("memwell.embedders.huggingface:HuggingFace", "http"),
        "sentence-transformers": (
            "memwell.embedders.sentence_transformers:SentenceTransformers",
            "sentence-transformers",
        ),
    },
    "rerankers": {
        "cohere": ("memwell.rerankers.cohere:Cohere", "http"),
        "sentence-transformers": (
            "memwell.rerankers.sentence_transformers:SentenceTransformers",
            "sentence-transformers",
        ),
        "fastembed": ("memwell.rerankers.fastembed:FastEmbed", "fastembed"),
    },
    "keyvalue": {
        "memory": ("memwell.backends.memory.keyvalue:MemoryKeyValue", None),
        "sqlite": ("memwell.backends.sqlite.keyvalue:SqliteKeyValue", None),
        "postgresql": ("memwell.backends.postgres.keyvalue:PostgresKeyValue", "postgres"),
        "postgres": ("memwell.backends.postgres.keyvalue:PostgresKeyValue", "postgres"),
        "redis": ("memwell.backends.redis.keyvalue:RedisKeyValue", "redis"),
        "rediss": ("memwell.backends.redis.keyvalue:RedisKeyValue", "redis"),
        "memcached": ("memwell.backends.memcached:MemcachedKeyValue", "memcached"),
    },
    "logs": {
        "memory": ("memwell.backends.memory.log:MemoryLog", None),
        "sqlite": ("memwell.backends.sqlite.log:SqliteLog", None),
        "postgresql": ("memwell.backends.postgres.log:PostgresLog", "postgres"),
        "postgres": ("memwell.backends.postgres.log:PostgresLog", "postgres"),
        "redis": ("memwell.backends.redis.log:RedisLog", "redis"),
        "rediss": ("memwell.backends.redis.log:RedisLog", "redis"),
    },
}
"""Kind of part → scheme → (dotted path of the class, extra that installs what it needs)."""

_EXAMPLE: Final = {
    "stores": "sqlite:///notes.db",
    "indexes": "exact://?dimension=384",
    "embedders": "local",
    "rerankers": "cohere:rerank-v3.5",
    "keyvalue": "redis://localhost",
    "logs": "redis://localhost",
}
"""Kind of part → a name of one."""


def open_store(url: str | PathLike[str]) -> Store:
    """A store by URL, such as `sqlite:///notes.db` or `memory://`, or a SQLite file by its path, such as `notes.db`.
    Raises `ConfigError`.
    """
    return _open("stores", url, ports.Store)


def open_index(url: str) -> VectorIndex:
    """A vector index by URL, such as `exact://?dimension=384`."""
    return _open("indexes", url, ports.VectorIndex)


def open_embedder(name: str) -> Embedder:
    """An embedder by name, such as `local` or `hashing`."""
    return _open("embedders", name, ports.Embedder)


def open_reranker(name: str) -> Reranker:
    """A reranker by name, such as `cohere:rerank-v3.5`."""
    return _open("rerankers", name, ports.Reranker)


def open_keyvalue(url: str) -> KeyValue:
    """A key-value part by URL, such as `sqlite:///cache.db`."""
    return _open("keyvalue", url, ports.KeyValue)


def open_log(url: str) -> Log:
    """A log by URL, such as `sqlite:///events.db`."""
    return _open("logs", url, ports.Log)


def known(kind: str) -> list[str]:
    """The schemes of one kind of part: built in and by installed plugins."""
    return sorted({*TABLE[kind], *(point.name for point in _plugins(kind))})


def _open(kind: str, text: object, port: type[P]) -> P:
    if "sqlite" in TABLE[kind]:
        text = of_file(text)
    if not isinstance(text, str) or not text:
        given = "an empty one" if text == "" else type(text).__name__
        raise ConfigError(f"a {port.__name__} is named by a text such as {_EXAMPLE[kind]!r}, not {given}")
    url = Url.parse(text)
    try:
        part = _built_in(kind, url) if url.scheme in TABLE[kind] else _plugged_in(kind, url)
    except Exception as error:
        hide(error, url.secrets)
        raise
    if not isinstance(part, port):
        raise ConfigError(f"{url.scheme!r} gave a {type(part).__name__}, which is not a {port.__name__}")
    part.secrets = url.secrets
    return part


def _built_in(kind: str, url: Url) -> Any:
    try:
        return _class(kind, url.scheme).from_url(url)
    except ImportError as error:  # also of a package that is imported when it is first needed
        raise missing(error, TABLE[kind][url.scheme][1]) from error


def _class(kind: str, scheme: str) -> Any:
    module, _, name = TABLE[kind][scheme][0].partition(":")
    return getattr(importlib.import_module(module), name)


def _plugged_in(kind: str, url: Url) -> Any:
    """What a plugin makes of a URL. Raises `ConfigError` for anything that goes wrong in it."""
    point = next((point for point in _plugins(kind) if point.name.lower() == url.scheme), None)
    if point is None:
        raise ConfigError(_unknown(kind, url))
    try:
        opener = point.load().from_url
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the plugin {point.value} cannot be imported: {reason}") from error
    try:
        return opener(url)
    except MemwellError:
        raise
    except ImportError as error:
        raise ConfigError(f"the plugin {point.value} needs a package: {error}; install it") from error
    except Exception as error:  # its words may show a password; they are chained
        raise ConfigError(f"the plugin {point.value} failed with a {type(error).__name__}") from error


def _unknown(kind: str, url: Url) -> str:
    """What to write instead of a name with an unknown scheme."""
    import difflib

    names, given = known(kind), _short(shown(url.text))
    close = difflib.get_close_matches(url.scheme, names, n=1, cutoff=0.75)
    if close:
        hint = f"did you mean {close[0]!r}? "
    elif kind == "embedders" and ":" not in url.text:
        hint = f"{_model_forms(given)}; "
    elif "sqlite" in TABLE[kind] and ":" not in url.text:
        hint = f"a SQLite file is named by its path, such as './{given}' or '{given}.db'; "
    else:
        hint = ""
    return f"unknown scheme {_short(url.scheme)!r} in {given!r}; {hint}known {kind}: {', '.join(names)}"


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"


def _model_forms(name: str) -> str:
    """How an embedder is named by a model: the service first."""
    here = "sentence-transformers" if "/" in name else "ollama"
    away = "huggingface" if "/" in name else "openai"
    return f"name what runs the model, too: '{here}:{name}' on this machine, '{away}:{name}' over HTTP"


def _plugins(kind: str) -> Any:
    from importlib.metadata import entry_points

    return entry_points(group=f"memwell.{kind}")


def missing(error: ImportError, extra: str | None) -> ConfigError:
    """The error for an absent package, with the command that installs it."""
    command = f"pip install 'memwell[{extra}]'" if extra else "pip install --force-reinstall memwell"
    return ConfigError(f"the package {error.name or error} is not installed; run: {command}")
