"""Choosing and opening the parts of one engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from memwell import _bridge, ports, registry
from memwell._dataclasses import dataclass
from memwell._lazy import logger
from memwell.errors import ConfigError, MemwellError
from memwell.ports import Embedder, Port, Store
from memwell.urls import of_file

if TYPE_CHECKING:
    from memwell.ports import KeyValue, Log, Reranker, VectorIndex
    from memwell.security.keyring import Keyring
    from memwell.wrappers.threaded import Threaded
    from memwell.wrappers.unkeyed import Unkeyed

__all__ = ["Parts", "default_url", "guard_of", "keyring_of", "off_loop", "open_journal", "open_parts"]

P = TypeVar("P", bound=Port)

log = logger("memwell")
_advised: set[str] = set()
_NAME_A_FILE: Final = (
    "name a store, such as Memory('sqlite:////data/notes.db'), or for the command line MEMWELL_URL or --url"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one engine, and those of them that it opened and therefore closes."""

    store: Store
    embedder: Embedder | None
    index: VectorIndex | None = None
    """The one inside the store, to be asked for its health."""
    cache: KeyValue | None = None
    """The one inside the embedder, likewise."""
    reranker: Reranker | None = None
    audit: Log | None = None
    """Where the audit log is kept."""
    shared: Log | None = None
    """The same as it was opened, if the store takes appends to it into its transactions."""
    url: str | None = None
    """The URL of the store, if it was opened here by one."""
    owned: tuple[Port, ...] = ()
    threads: tuple[Threaded, ...] = ()
    """Wrappers that the engine put around parts, also around those of the caller: their threads end with the engine."""

    @property
    def blocking(self) -> bool:
        """Whether no part ever suspends. With a reranker they do: a recall waits for it no longer than its timeout."""
        plain = self.embedder is None or self.embedder.blocking
        logs = self.audit is None or self.audit.blocking
        return self.store.blocking and plain and logs and self.reranker is None

    def without_loop(self) -> Parts:
        """The same, for callers without an event loop: parts opened here that can work without one do so, if no other
        part needs one."""
        adapting = [part for part in self.owned if part.adapts and not part.blocking]
        for part in adapting:
            part.blocking = True
        if not self.blocking:
            for part in adapting:
                part.blocking = False
        return self

    def threaded(self) -> Parts:
        """The same as coroutines on an event loop and in worker threads may call them: blocking parts off the loop,
        those inside a store with an index or keys too, and suspending ones on it.
        """
        from memwell.wrappers.encrypted import Encrypted
        from memwell.wrappers.indexed import Indexed
        from memwell.wrappers.threaded import Threaded, anchored

        made: dict[int, Any] = {}
        threads: list[Threaded] = []

        def off(part: Any) -> Any:
            if part is not None and id(part) not in made:
                mixed = isinstance(part, Indexed) and not part.blocking
                if isinstance(part, Encrypted):
                    wrapper: Any = part.over(off(part.inner))
                else:
                    wrapper = anchored(part.over(off(part.inner), off(part.index)) if mixed else part)
                made[id(part)] = wrapper
                if wrapper is not part and isinstance(wrapper, Threaded):
                    threads.append(wrapper)
            return made.get(id(part))

        return Parts(
            store=off(self.store),
            embedder=off(self.embedder),
            index=off(self.index),
            cache=off(self.cache),
            reranker=off(self.reranker),
            audit=off(self.audit),
            shared=self.shared,
            url=self.url,
            owned=tuple(made.get(id(part)) or anchored(part) for part in self.owned),
            threads=tuple(threads),
        )

    async def close(self) -> None:
        """Close what was opened here, all of it even if one fails; the first failure is raised then."""
        failures: list[MemwellError] = []
        for part in self.owned:
            try:
                await part.close()
            except MemwellError as error:
                failures.append(error)
        for part in self.threads:
            part.dismiss()
        if failures:
            raise failures[0]


def open_parts(
    url: str | PathLike[str] | Store | None,
    embedder: str | Embedder | Callable[..., Any] | object | None,
    index: str | VectorIndex | None,
    cache: str | KeyValue | None,
    reranker: str | Reranker | Callable[..., Any] | object | None = None,
    encryption: Keyring | None = None,
    audit: str | Log | None = None,
) -> Parts:
    """Open the parts that are named, and use those that are passed. If one fails to open, those opened before are
    closed."""
    owned: list[Port] = []
    try:
        if encryption is not None and not isinstance(encryption, _keyring()):
            raise ConfigError(f"encryption takes a Keyring, not {type(encryption).__name__}")
        parts = _opened(url, embedder, index, cache, reranker, encryption, audit, owned)
        if encryption is not None:
            parts = _encrypted(parts, encryption)
        log = parts.audit
        return replace(parts, shared=log) if log is not None and parts.store.shares(log) else parts
    except BaseException:
        for part in owned:
            if part.blocking:  # others open nothing before they are used
                with suppress(MemwellError):
                    _bridge.drive(part.close())
        raise


def _opened(
    url: str | PathLike[str] | Store | None,
    embedder: str | Embedder | Callable[..., Any] | object | None,
    index: str | VectorIndex | None,
    cache: str | KeyValue | None,
    reranker: str | Reranker | Callable[..., Any] | object | None,
    encryption: Keyring | None,
    audit: str | Log | None,
    owned: list[Port],
) -> Parts:
    place = url if url is not None else default_url()
    store = place if isinstance(place, Store) else registry.open_store(place)
    if store is not url:
        owned.append(store)
    coder, cached = _embedder(_allowed(embedder, store), cache, encryption, owned)
    found = getattr(store, "index", None)  # of a store that was passed with its index
    if index is not None:
        if coder is None:
            raise ConfigError(
                "index= searches vectors, but there is no embedder; give embedder= or omit index="
            )
        store, found = _indexed(store, index, coder, owned)
    return Parts(
        store=store,
        embedder=coder,
        index=found if found is not None and isinstance(found, ports.VectorIndex) else None,
        cache=cached,
        reranker=_reranker(reranker, owned),
        audit=_log(audit, owned),
        url=None if isinstance(place, Store) else os.fspath(place),
        owned=tuple(owned),
    )


def _encrypted(parts: Parts, keyring: Keyring) -> Parts:
    """The same parts with all that is stored encrypted. Raises `ConfigError` for anything but a `Keyring`."""
    from memwell.wrappers.encrypted import Encrypted

    if keyring_of(parts.store) is not None:
        raise ConfigError("the store that you passed is encrypted already; omit encryption=")
    if parts.index is not None and keyring.vectors == "encrypted":
        raise ConfigError(
            "an index holds vectors as they are; omit index=, or leave vectors plain: Keyring(…, vectors='plain')"
        )
    return replace(parts, store=Encrypted(parts.store, keyring))


def keyring_of(store: Port) -> Keyring | None:
    """The keyring of a store that encrypts; `None` for any other."""
    part: object = store
    while part is not None:
        found = getattr(part, "keyring", None)
        if found is not None and isinstance(found, _keyring()):
            return found
        part = getattr(part, "inner", None)
    return None


def _keyring() -> type[Keyring]:
    from memwell.security.keyring import Keyring

    return Keyring


def guard_of(store: Store) -> Unkeyed | None:
    """What refuses an encrypted store if there is no keyring; `None` with one."""
    from memwell.wrappers.unkeyed import Unkeyed

    return Unkeyed(store) if keyring_of(store) is None else None


def _reranker(given: object, owned: list[Port]) -> Reranker | None:
    if given is None or isinstance(given, ports.Reranker):
        return given
    if isinstance(given, str):
        part = registry.open_reranker(given)
    else:
        from memwell.rerankers.function import as_reranker

        part = as_reranker(given)
    owned.append(part)
    return part


def _log(given: object, owned: list[Port]) -> Log | None:
    if given is None or isinstance(given, ports.Log):
        return given
    if not isinstance(given, str):
        raise ConfigError(f"audit is a Log or its URL such as sqlite:///audit.db, not {given!r:.100}")
    opened = registry.open_log(given)
    owned.append(opened)
    return opened


def open_journal(given: str | Log | None, url: str | None, *, blocking: bool) -> tuple[Log, Port | None]:
    """The log that keeps receipts, and what of it was opened here: the one given, else one beside the store of the URL,
    else one in this process.
    """
    from memwell.wrappers.completed import completed
    from memwell.wrappers.threaded import threaded

    fit = completed if blocking else threaded
    if isinstance(given, ports.Log):
        return fit(given), None
    if given is None and (url is None or url.partition(":")[0] not in (*registry.known("logs"), url)):
        url = "memory://"
    opened = fit(registry.open_log(given or url or "memory://"))
    return opened, opened


def off_loop(part: P) -> P:
    """The part, in threads of its own if it blocks."""
    from memwell.wrappers.threaded import threaded

    return threaded(part)


def _allowed(embedder: object, store: Store) -> object:
    """The embedder that was asked for, if the store can keep its vectors. Raises `ConfigError` for one by name."""
    if embedder is None or store.capabilities.vectors:
        return embedder
    if embedder == "auto":
        return None
    raise ConfigError(f"{store.part} stores no vectors; omit embedder=, or use another store")


def default_url() -> str:
    """One SQLite file in the user's data directory, which is created. Raises `ConfigError` if it cannot be."""
    from platformdirs import user_data_path

    try:
        folder = user_data_path("memwell", appauthor=False, ensure_exists=True)
        writable = os.access(folder, os.W_OK) or (folder / "memory.db").is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home directory
        raise ConfigError(f"there is no place for the default file: {error}; {_NAME_A_FILE}") from error
    if not writable:
        raise ConfigError(f"the folder {folder} cannot be written; {_NAME_A_FILE}")
    return str(of_file(folder / "memory.db"))


def _embedder(
    given: object, cache: str | KeyValue | None, encryption: Keyring | None, owned: list[Port]
) -> tuple[Embedder | None, KeyValue | None]:
    coder: Embedder | None
    if given is None:
        coder = None
    elif isinstance(given, Embedder):
        coder = given
    elif given == "auto":
        coder = _local_if_available()
    elif isinstance(given, str):
        coder = registry.open_embedder(given)
    else:
        from memwell.embedders.function import as_embedder

        coder = as_embedder(given)
    if coder is None:
        if cache is not None:
            raise ConfigError(
                "cache= keeps embeddings, but there is no embedder; give embedder= or omit cache="
            )
        return None, None
    if coder is not given:
        owned.append(coder)
    return _cached(coder, cache, encryption, owned)


def _cached(
    coder: Embedder, cache: str | KeyValue | None, encryption: Keyring | None, owned: list[Port]
) -> tuple[Embedder, KeyValue | None]:
    from memwell.wrappers.cached import CachedEmbedder

    if isinstance(coder, CachedEmbedder):
        if cache is not None:
            raise ConfigError("the embedder you passed has its own cache; omit cache=")
        return coder, coder.keyvalue
    opened = registry.open_keyvalue(cache) if isinstance(cache, str) else cache
    if opened is not None and not isinstance(opened, ports.KeyValue):
        raise ConfigError(f"cache is a KeyValue or its URL such as sqlite:///cache.db, not {cache!r:.100}")
    if isinstance(cache, str) and opened is not None:
        owned.append(opened)
    key = b"" if encryption is None or opened is None else encryption.cache_key
    return CachedEmbedder(coder, opened, key=key), opened


def _local_if_available() -> Embedder | None:
    """The local model when its packages and weights are installed; nothing is downloaded unasked."""
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in ("numpy", "onnxruntime", "tokenizers")):
        _lexical_only("pip install 'memwell[local]' && memwell models pull")
        return None
    from memwell.embedders.local import weights

    if not weights.usable():
        _lexical_only("memwell models pull")
        return None
    return registry.open_embedder("local")


def _lexical_only(remedy: str) -> None:
    if remedy not in _advised:
        _advised.add(remedy)
        log.warning("recall is lexical only; for recall by meaning run: %s (or pass embedder=None)", remedy)


def _indexed(
    store: Store, index: str | VectorIndex, coder: Embedder, owned: list[Port]
) -> tuple[Store, VectorIndex]:
    from memwell.wrappers.indexed import Indexed

    opened = registry.open_index(index) if isinstance(index, str) else index
    if not isinstance(opened, ports.VectorIndex):
        raise ConfigError(
            f"index is a VectorIndex or its URL such as exact:?dimension=384, not {index!r:.100}"
        )
    if opened is not index:
        owned.append(opened)
    _check_fit(opened, getattr(coder, "inner", coder))
    together = Indexed(store, opened, model=coder.model)
    owned.insert(0, together)
    return together, opened


def _check_fit(index: VectorIndex, coder: Embedder) -> None:
    """Raise `ConfigError` for an index that cannot hold the embedder's vectors. These are of unit length, so that every
    metric orders them alike.
    """
    if index.metric not in get_args(ports.Metric):
        raise ConfigError(
            f"the index compares by {index.metric!r}; memwell knows {', '.join(get_args(ports.Metric))}"
        )
    if coder.blocking:
        _bridge.drive(coder.prepare())
    dimension = coder.dimension
    if dimension is not None and index.dimension != dimension:  # a service tells it when it is first asked
        raise ConfigError(
            f"the index holds vectors of dimension {index.dimension}, {coder.model} makes {dimension};"
            f" open the index with dimension={dimension}, as a new one where it exists already"
        )
