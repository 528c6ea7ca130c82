"""From a URL to a part: a literal table first, entry points (`memwell.stores`, …) on a miss.

A name is `scheme`, `scheme:rest` or `scheme://rest?option=value`. Classes are imported when first asked for;
a missing package is reported with the pip command that brings it. There is no current driver and no other
global state.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from memwell.errors import ConfigError, MemwellError
from memwell.ports import Embedder, KeyValue, Log, Port, Store, VectorIndex

__all__ = [
    "Place",
    "Url",
    "known",
    "open_embedder",
    "open_index",
    "open_keyvalue",
    "open_log",
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
        "local": ("memwell.embedders.local.model:MiniLM", "local"),
        "openai": ("memwell.embedders.openai:OpenAI", "http"),
        "cohere": ("memwell.embedders.cohere:Cohere", "http"),
        "ollama": ("memwell.embedders.ollama:Ollama", "http"),
        "huggingface": ("memwell.embedders.huggingface:HuggingFace", "http"),
        "sentence-transformers": (
            "memwell.embedders.sentence_transformers:SentenceTransformers",
            "sentence-transformers",
        ),
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
    "keyvalue": "redis://localhost",
    "logs": "redis://localhost",
}
"""Kind of part → a name of one."""

_ENCODE: Final = "in a user or password write / as %2F, ? as %3F, # as %23 and @ as %40"


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed name. Adapters take what they know with `take` and then call `done`. Shows no more than its scheme."""

    text: str = field(repr=False)
    scheme: str
    rest: str = field(repr=False)
    """What follows the scheme, options cut off, percent-decoded."""
    options: dict[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Url:
        """Split a name. Raises `ConfigError` for an option given twice."""
        head, _, tail = text.partition(":")
        rest, _, query = tail.removeprefix("//").partition("?")
        options: dict[str, str] = {}
        if query or "%" in rest:
            from urllib.parse import parse_qsl, unquote

            rest, pairs = unquote(rest), parse_qsl(query, keep_blank_values=True)
            options = dict(pairs)
            if len(options) != len(pairs):
                raise ConfigError(f"an option is given twice in {_shown(text)!r}")
        return cls(text, head.lower(), rest, options)

    def path(self) -> str:
        """The file path of `scheme:///relative` and `scheme:////absolute`; empty when there is none."""
        if self.rest and not self.rest.startswith("/"):
            raise ConfigError(
                f"{_shown(self.text)!r} names a host; write {self.scheme}:///relative.db or {self.scheme}:////absolute.db"
            )
        return self.rest[1:]

    def take(self, name: str, default: str | None = None) -> str | None:
        """An option's value, taken out."""
        return self.options.pop(name, default)

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        """A whole number, taken out. Raises `ConfigError` for anything else and for less than `least`."""
        number = self.number(name, default)
        if number != int(number) or number < least:
            raise ConfigError(f"option {name} is a whole number of {least} or more, not {number:g}")
        return int(number)

    def flag(self, name: str, default: bool) -> bool:
        """A yes or no, taken out: `true`, `yes`, `1`, `on` or `false`, `no`, `0`, `off`."""
        given = self.options.pop(name, None)
        if given is None:
            return default
        if given.lower() in ("true", "yes", "1", "on"):
            return True
        if given.lower() in ("false", "no", "0", "off"):
            return False
        raise ConfigError(f"option {name} is true or false, not {given!r}")

    def place(self) -> Place:
        """User, password, hosts and path of `scheme://user:password@host:port,host:port/path`, decoded. Raises
        `ConfigError` for a port that is none, showing nothing that may be part of a password.
        """
        from urllib.parse import unquote

        head, _, _ = self.text.partition(":")
        rest = self.text[len(head) + 1 :].removeprefix("//").partition("?")[0]
        rest, _, fragment = rest.partition("#")
        authority, _, path = rest.partition("/")
        login, at, hosts = authority.rpartition("@")
        user, _, password = login.partition(":")
        if "@" in path or "@" in fragment:  # a part of the password is taken for it
            raise ConfigError(f"{self.scheme} has an @ behind its host; {_ENCODE}")
        return Place(
            user=unquote(user) if at else None,
            password=unquote(password) if password else None,
            hosts=tuple(_host(host) for host in hosts.split(",") if host),
            path=unquote(path),
        )

    def number(self, name: str, default: float) -> float:
        """A numeric option of 0 or more, taken out. Raises `ConfigError` for anything else."""
        given = self.options.pop(name, None)
        try:
            number = default if given is None else float(given)
        except ValueError as error:
            raise ConfigError(f"option {name}={given!r} is not a number") from error
        if not 0 <= number < float("inf"):
            raise ConfigError(f"option {name}={given!r} is not a finite number of 0 or more")
        return number

    def done(self, *names: str) -> None:
        """Raise `ConfigError` for options that nobody took, naming those there are."""
        if self.options:
            plain = [name for name in sorted(self.options) if name.replace("-", "_").isidentifier()]
            if len(plain) < len(self.options):  # more likely the rest of a password
                raise ConfigError(f"what follows the ? of {self.scheme} is no list of options; {_ENCODE}")
            left = ", ".join(plain)
            raise ConfigError(f"{self.scheme} has no option {left}; it has: {', '.join(names) or 'none'}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service listens, and as whom to come."""

    user: str | None
    password: str | None = field(repr=False)
    hosts: tuple[tuple[str, int | None], ...]
    """Name or address, and port if one is given."""
    path: str
    """What follows the first slash."""

    def host(self, port: int, name: str = "localhost") -> tuple[str, int]:
        """The one host, with what stands for an absent name and port. Raises `ConfigError` for several."""
        if len(self.hosts) > 1:
            raise ConfigError("this URL takes one host, not several")
        found = self.hosts[0] if self.hosts else (name, None)
        return found[0], found[1] or port


def _host(text: str) -> tuple[str, int | None]:
    from urllib.parse import unquote

    if text.startswith("["):
        name, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"the port of {unquote(name)!r} is not a number from 1 to 65535; {_ENCODE}")
    return unquote(name), int(port) if port else None


def open_store(url: str) -> Store:
    """A store by URL, such as `sqlite:///notes.db` or `memory://`. Raises `ConfigError`."""
    return _open("stores", url, Store)


def open_index(url: str) -> VectorIndex:
    """A vector index by URL, such as `exact://?dimension=384`."""
    return _open("indexes", url, VectorIndex)


def open_embedder(name: str) -> Embedder:
    """An embedder by name, such as `local` or `hashing`."""
    return _open("embedders", name, Embedder)


def open_keyvalue(url: str) -> KeyValue:
    """A key-value part by URL, such as `sqlite:///cache.db`."""
    return _open("keyvalue", url, KeyValue)


def open_log(url: str) -> Log:
    """A log by URL, such as `sqlite:///events.db`."""
    return _open("logs", url, Log)


def known(kind: str) -> list[str]:
    """The schemes of one kind of part: built in and by installed plugins."""
    return sorted({*TABLE[kind], *(point.name for point in _plugins(kind))})


def _open(kind: str, text: str, port: type[P]) -> P:
    if not isinstance(text, str) or not text:
        given = "an empty one" if text == "" else type(text).__name__
        raise ConfigError(f"a {port.__name__} is named by a text such as {_EXAMPLE[kind]!r}, not {given}")
    url = Url.parse(text)
    part = _built_in(kind, url) if url.scheme in TABLE[kind] else _plugged_in(kind, url)
    if not isinstance(part, port):
        raise ConfigError(f"{url.scheme!r} gave a {type(part).__name__}, which is no {port.__name__}")
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
        raise ConfigError(
            f"unknown scheme {url.scheme!r} in {_shown(url.text)!r}; known {kind}: {', '.join(known(kind))}"
        )
    try:
        opener = point.load().from_url
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the plugin {point.value} cannot be imported: {told}") from error
    try:
        return opener(url)
    except MemwellError:
        raise
    except ImportError as error:
        raise ConfigError(f"the plugin {point.value} needs a package: {error}; install it") from error
    except Exception as error:  # its words may show a password; they are chained
        raise ConfigError(f"the plugin {point.value} failed with a {type(error).__name__}") from error


def _plugins(kind: str) -> Any:
    from importlib.metadata import entry_points

    return entry_points(group=f"memwell.{kind}")


def missing(error: ImportError, extra: str | None) -> ConfigError:
    """The error for an absent package, with the command that installs it."""
    command = f"pip install 'memwell[{extra}]'" if extra else "pip install --force-reinstall memwell"
    return ConfigError(f"the package {error.name or error} is not installed; run: {command}")


def _shown(text: str) -> str:
    """A URL without its user, its password and its options, any of which may be secret."""
    head, at, tail = text.rpartition("@")
    scheme, _, rest = head.partition(":")
    shown = f"{scheme}:{'//' if rest.startswith('//') else ''}…@{tail}" if at else text
    return shown.partition("?")[0]
