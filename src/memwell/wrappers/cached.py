"""An embedder that embeds a text once: recent vectors in memory and, if wanted, all of them in a KeyValue."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from memwell import _bridge
from memwell._forks import fork_safe
from memwell._lazy import logger
from memwell.errors import ConfigError, MemwellError
from memwell.ports import Embedder, KeyValue, Port, Vectors

__all__ = ["CachedEmbedder"]

log = logger("memwell.embedding")

T = TypeVar("T")
Kind: TypeAlias = Literal["document", "query"]
Digest: TypeAlias = bytes

CHECK: Final = 8
"""Bytes before the vector in a KeyValue: BLAKE2b of its key and itself, so that nothing damaged or misplaced
is used."""
OVERHEAD: Final = 250
"""Bytes that one entry takes in memory beside its vector."""
RETRY_AFTER: Final = 5.0
"""Seconds before a KeyValue that failed is asked again."""
LONGEST_MODEL: Final = 200
"""Bytes of a model's name that fit a key; a longer one is hashed."""


class CachedEmbedder(Embedder):
    """The embedder inside, asked only for texts that are new.

    The most recently used vectors stay in memory: at most `capacity` of them, and at most `limit` bytes. `keyvalue`
    stores all of them, for other processes and later runs. A text that occurs twice in a batch is embedded once. If
    the embedder is `symmetric`, documents and queries share their entries. A cache that fails or holds damaged values
    costs an embedding and a warning in the log, but never gives a wrong vector or an error; after a failure it is not
    asked for some seconds. Closing closes the embedder inside, but not the KeyValue.
    """

    part = "cached"

    def __init__(
        self,
        embedder: Embedder,
        keyvalue: KeyValue | None = None,
        *,
        capacity: int = 20_000,
        limit: int = 32 << 20,
        ttl: float | None = None,
        key: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limit` is in bytes; `ttl` is how many seconds the KeyValue keeps an entry, `None` for ever. With a `key` (up
        to 64 bytes) the KeyValue's keys do not tell which texts were embedded.
        """
        if capacity < 0 or limit < 0:
            raise ConfigError("capacity and limit are at least 0", part=self.part)
        self.inner = embedder
        self.keyvalue = keyvalue
        self.blocking = embedder.blocking and (keyvalue is None or keyvalue.blocking)
        self.hits = 0
        """Texts answered without the embedder, so far."""
        self.misses = 0
        """Texts that the embedder was asked for, so far."""
        self.seconds = math.inf
        """The least that the embedder took for one of them, so far."""
        self._ttl = ttl
        self._key = key
        self._clock = clock
        self._retry_at = 0.0
        """When the KeyValue is asked again."""
        self._recent = _Recent(capacity, limit)

    @property
    def model(self) -> str:  # type: ignore[override]
        """The embedder's."""
        return self.inner.model

    @property
    def dimension(self) -> int | None:  # type: ignore[override]
        """The embedder's."""
        return self.inner.dimension

    @property
    def window(self) -> int | None:  # type: ignore[override]
        """The embedder's."""
        return self.inner.window

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """The embedder's."""
        return self.inner.symmetric

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The embedder's."""
        return self.inner.spans(text)

    def _unit(self, raw: Any, rows: int) -> Vectors:  # noqa: ARG002  the embedder has checked them
        vectors: Vectors = raw
        return vectors

    async def _prepare(self) -> None:
        await self._reach(self.inner, self.inner.prepare())

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        digests = self._digests(texts, kind)
        wanted = dict(zip(digests, texts, strict=True))
        found, missing = self._recent.get(wanted), wanted
        if found:
            missing = {digest: text for digest, text in wanted.items() if digest not in found}
        if missing and self.keyvalue is not None:
            stored = await self._stored(list(missing), kind)
            self._recent.put(stored)
            found |= stored
            missing = {digest: text for digest, text in missing.items() if digest not in stored}
        self.hits += len(texts) - len(missing)
        self.misses += len(missing)
        if missing:
            vectors = await self._fresh(missing, kind)
            if len(missing) == len(texts):
                return vectors
            found |= _rows([*missing], vectors)
        import numpy as np

        rows = bytearray().join([found[digest] for digest in digests])
        return np.frombuffer(rows, dtype=np.float32).reshape(len(digests), -1)

    async def _discard(self, texts: Sequence[str], keys: Sequence[str]) -> list[str]:
        kinds: tuple[Kind, ...] = ("document",) if self.symmetric else ("document", "query")
        digests = {kind: self._digests(texts, kind) for kind in kinds}
        self._recent.drop([digest for some in digests.values() for digest in some])
        wanted = [*keys, *(key for kind, some in digests.items() for key in self._keys(some, kind))]
        if self.keyvalue is None or not wanted:
            return []
        try:
            for key in wanted:
                await self._reach(self.keyvalue, self.keyvalue.delete(key))
            left: dict[str, bytes] = await self._reach(self.keyvalue, self.keyvalue.get_many(wanted))
        except MemwellError as error:
            log.warning("cached embeddings of what is erased could not be removed yet: %s", error)
            return wanted
        return list(left)

    async def _fresh(self, missing: Mapping[Digest, str], kind: Kind) -> Vectors:
        """Embed these texts, and store their vectors in the caches."""
        call, started = self.inner.embed([*missing.values()], kind=kind), self._clock()
        vectors: Vectors = await self._reach(self.inner, call)
        self.seconds = min(self.seconds, (self._clock() - started) / len(missing))
        digests = [*missing]
        if self.keyvalue is None and (more := len(digests) - self._recent.capacity) > 0:
            rows = _rows(digests[more:], vectors[more:])
        else:
            rows = _rows(digests, vectors)
        self._recent.put(rows)
        if self.keyvalue is not None and self._clock() >= self._retry_at:
            values = {key: _sealed(key, rows[digest]) for key, digest in self._keys(list(rows), kind).items()}
            try:
                await self._reach(self.keyvalue, self.keyvalue.set_many(values, ttl=self._ttl))
            except MemwellError as error:
                self._failed("embeddings were not cached", error)
        return vectors

    async def _stored(self, digests: Sequence[Digest], kind: Kind) -> dict[Digest, bytes]:
        """What the KeyValue has of these, damaged values left out."""
        if self.keyvalue is None or self._clock() < self._retry_at:  # it cannot be reached
            return {}
        keys = self._keys(digests, kind)
        try:
            values: dict[str, bytes] = await self._reach(self.keyvalue, self.keyvalue.get_many(keys))
        except MemwellError as error:
            self._failed("cached embeddings cannot be read", error)
            return {}
        if self.dimension is None:  # unprepared: the model is asked first
            return {}
        found = {}
        for key, value in values.items():
            row = _opened(key, value, 4 * self.dimension)
            if row is None:
                log.warning("the cached embedding %s is damaged; the text is embedded again", key)
            else:
                found[keys[key]] = row
        return found

    def _failed(self, what: str, error: MemwellError) -> None:
        """One that hangs would hold up each call twice."""
        log.warning("%s: %s", what, error)
        if error.transient:
            self._retry_at = self._clock() + RETRY_AFTER

    def _digests(self, texts: Sequence[str], kind: Kind) -> list[Digest]:
        person, key, blake2b = b"" if self.symmetric else kind.encode(), self._key, hashlib.blake2b
        return [
            blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32, person=person, key=key).digest()
            for text in texts
        ]

    def _keys(self, digests: Sequence[Digest], kind: Kind) -> dict[str, Digest]:
        """Key in the KeyValue → digest."""
        model = self.model
        if len(model.encode()) > LONGEST_MODEL or not model.isprintable():
            model = hashlib.blake2b(model.encode(), digest_size=32).hexdigest()
        shown = "any" if self.symmetric else kind
        return {f"embedding:{model}:{shown}:{digest.hex()}": digest for digest in digests}

    def _reach(self, part: Port, call: Awaitable[T]) -> Awaitable[T]:
        """A part's call, to be awaited; a blocking part beside one that is not goes to a thread, off the event loop."""
        if self.blocking or not part.blocking:
            return call
        import asyncio

        return asyncio.to_thread(_bridge.drive, cast("Coroutine[Any, Any, T]", call))

    async def _ping(self) -> None:
        await self._reach(self.inner, self.inner.ping())

    async def _close(self) -> None:
        self._recent.clear()
        await self._reach(self.inner, self.inner.close())

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return self.inner._translate(error, operation)


class _Recent:
    """The most recently used vectors. Safe for threads; a forked child begins with none, for a thread of the
    parent may have been in the middle of a change."""

    def __init__(self, capacity: int, limit: int) -> None:
        self.capacity, self._limit = capacity, limit
        self.clear()
        fork_safe(self.clear)

    def clear(self) -> None:
        """Forget all."""
        self._lock = threading.RLock()
        self._entries: OrderedDict[Digest, bytes] = OrderedDict()
        self._size = 0

    def get(self, digests: Mapping[Digest, str]) -> dict[Digest, bytes]:
        """What there is of these, which is now the most recently used."""
        found = {}
        with self._lock:
            for digest in digests:
                row = self._entries.get(digest)
                if row is not None:
                    self._entries.move_to_end(digest)
                    found[digest] = row
        return found

    def drop(self, digests: Sequence[Digest]) -> None:
        """Forget these."""
        with self._lock:
            for digest in digests:
                row = self._entries.pop(digest, None)
                if row is not None:
                    self._size -= len(row) + OVERHEAD

    def put(self, rows: Mapping[Digest, bytes]) -> None:
        """Keep these, and as many others as there is room for."""
        with self._lock:
            for digest, row in rows.items():
                if digest not in self._entries:
                    self._entries[digest] = row
                    self._size += len(row) + OVERHEAD
            while self._entries and (len(self._entries) > self.capacity or self._size > self._limit):
                self._size -= len(self._entries.popitem(last=False)[1]) + OVERHEAD


def _rows(digests: Sequence[Digest], vectors: Vectors) -> dict[Digest, bytes]:
    """The bytes of each vector, by the digest of its text; `vectors` is `(len(digests), d) float32`."""
    data, size = vectors.tobytes(), 4 * vectors.shape[1]
    if len(digests) == 1:
        return {digests[0]: data}
    return {
        digest: data[at : at + size] for digest, at in zip(digests, range(0, len(data), size), strict=True)
    }


def _sealed(key: str, row: bytes) -> bytes:
    return hashlib.blake2b(key.encode() + row, digest_size=CHECK).digest() + row


def _opened(key: str, value: bytes, size: int) -> bytes | None:
    """The vector in a stored value, or `None` when it is not as it was written."""
    row = value[CHECK:]
    return row if len(row) == size and value == _sealed(key, row) else None
