"""Base of embedders behind an HTTP API: batches, limits, keys, errors, and checks of the responses.

A call is split into requests of at most `max_texts` texts and about `max_tokens` tokens, a few of them at the same
time. The vectors are returned in the order of the texts; if any request fails, the call raises. A response is accepted
only if it has one row per text, all of the same length, so an incomplete one is never mistaken for a complete one.

Errors: a timeout, a broken connection, 408, 425, 429, 5xx and an incomplete response raise `Unavailable` (with
`retry_after` if the service gives it) after `attempts` attempts in all; if the service asks to wait for more than a
minute, it is not retried. 401 and 403 raise `ConfigError` (the key), 404, 405 and redirects too (the address or the
model). Any other error of the service raises `EmbeddingError`.

Keys come from the environment or the constructor, are sent in one header, and never appear in messages, `repr` or logs.
Options of every URL: `base_url`, `key_env` (name of the environment variable with the key), `dimension` (length of the
model's vectors), `dimensions` (request shorter vectors), `window` (tokens), `batch` (texts per request), `timeout`
(seconds per request), `attempts`, `document_prefix`, `query_prefix`.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias

import httpx2

from memwell import _bridge
from memwell.embedders.prefixes import prefixes_of, variant
from memwell.embedders.remote.batches import cut, requests, spans
from memwell.errors import ConfigError, EmbeddingError, MemwellError, TimedOut, Unavailable
from memwell.network.api_keys import resolve_key
from memwell.network.base_url import base_url as base_of
from memwell.network.clients import Clients
from memwell.network.replies import contains_error, failure_of, json_of
from memwell.ports import Embedder, Vectors
from memwell.resilience.retry import Retry

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["OPTIONS", "RemoteEmbedder"]

Kind: TypeAlias = Literal["document", "query"]

_NUMBERS: Final = ("dimension", "dimensions", "window", "batch")
_TEXTS: Final = ("base_url", "document_prefix", "query_prefix")
OPTIONS: Final = (*_TEXTS, *_NUMBERS, "attempts", "key_env", "timeout")
"""Options that every URL of a remote embedder accepts."""
CONCURRENCY: Final = 4
"""Requests of one call that run at the same time."""
MAX_RETRY_AFTER: Final = 60.0
"""Seconds; if a service asks to wait longer, the call is not retried."""
PROBE: Final = "dimension"


class RemoteEmbedder(Embedder):
    """Base of the adapters. Asynchronous, with one client per event loop, created on first use.

    If the dimension is not given and the adapter does not know it, it is learnt from the first vectors; before that,
    `dimension` raises `ConfigError`.
    """

    proof = "wire"
    key_names: ClassVar[tuple[str, ...]] = ()
    """Environment variables that may contain the key; the first one that is set is used."""
    key_needed: ClassVar[bool] = True
    address: ClassVar[str]
    """URL of the service, if `base_url` is not given."""
    max_texts: ClassVar[int] = 64
    max_tokens: ClassVar[int] = 100_000
    """Estimated number of tokens per request."""
    default_window: ClassVar[int] = 512
    default_model: ClassVar[str] = ""
    sizes: ClassVar[Mapping[str, int]] = {}
    """Model → length of its vectors, for known models."""
    shortens: ClassVar[bool] = False
    """Whether the service can return shortened vectors."""

    def __init__(
        self,
        model: str = "",
        *,
        key: str | None = None,
        base_url: str | None = None,
        dimension: int | None = None,
        dimensions: int | None = None,
        window: int | None = None,
        batch: int | None = None,
        timeout: float = 30.0,
        attempts: int = 4,
        document_prefix: str | None = None,
        query_prefix: str | None = None,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`client` is used as it is, with its proxies and certificates, and stays open. With an empty `key`, no key is
        sent, not even that of the environment. Raises `ConfigError` for invalid arguments or a missing key.
        """
        given = {"dimension": dimension, "dimensions": dimensions, "window": window, "batch": batch}
        for option, number in given.items():
            if number is not None and number < 1:
                raise ConfigError(f"{option} must be an integer of at least 1", part=self.part)
        if not 0 < timeout < float("inf"):
            raise ConfigError("timeout must be a finite number of seconds above 0", part=self.part)
        model = model or self.default_model
        if not model:
            raise ConfigError(f"{self.part} needs a model, as in {self.part}:MODEL", part=self.part)
        if dimensions and not self.shortens:
            raise ConfigError(f"{self.part} cannot shorten vectors; omit dimensions=", part=self.part)
        self.name = model
        """The name of the model at the service."""
        self.window = window or self.default_window
        self._base = base_of(base_url or self.address, self.part)
        self._key = resolve_key(key, self.key_names, part=self.part)
        self._shortened = dimensions
        self.dimension = dimensions or dimension or self.sizes.get(model)
        self._batch = min(batch or self.max_texts, self.max_texts)
        self._timeout = timeout
        self._retry = Retry(
            max_attempts=attempts, initial_delay=0.25, max_delay=20.0, max_retry_after=MAX_RETRY_AFTER
        )
        self._given = client
        self._clients = Clients(_client, httpx2.AsyncClient.aclose)
        known = prefixes_of(model)
        self._prefixes: dict[Kind, str] = {
            "document": known[0] if document_prefix is None else document_prefix,
            "query": known[1] if query_prefix is None else query_prefix,
        }
        if self._key is None and self.key_needed and base_url is None:
            names = " or ".join(self.key_names)
            raise ConfigError(
                f"{self.part} needs an API key: set {names} in the environment, or pass key=", part=self.part
            )

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `SCHEME:MODEL?option=value`; see the module docstring for the options."""
        variable = url.take("key_env")
        found: dict[str, Any] = {"timeout": url.number("timeout", 30.0)}
        found["attempts"] = url.whole("attempts", 4, least=1)
        found |= {name: url.whole(name, 1, least=1) for name in _NUMBERS if name in url.options}
        found |= {name: url.take(name) for name in _TEXTS}
        url.done(*OPTIONS)
        key = None if variable is None else resolve_key(None, [variable], part=cls.part)
        if variable is not None and key is None:
            raise ConfigError(f"key_env={variable}: the environment variable is not set", part=cls.part)
        return cls(url.rest, key=key, **found)

    @property
    def model(self) -> str:  # type: ignore[override]
        """The name under which vectors are stored: the model, `@512` if vectors are shortened to that length, and a
        digest of the prefixes if they are not the model's own. Different vectors have different names.
        """
        shortened = f"@{self._shortened}" if self._shortened else ""
        words = self._prefixes["document"], self._prefixes["query"]
        if words == prefixes_of(self.name):
            return f"{self.name}{shortened}"
        return variant(f"{self.name}{shortened}", *words)

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """Whether documents and queries are embedded in the same way."""
        return self._prefixes["document"] == self._prefixes["query"]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Character ranges of about one token each."""
        return spans(text)

    async def _prepare(self) -> None:
        if self.dimension is None:
            await self._embed([PROBE], "document")

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        import numpy as np

        slots = asyncio.Semaphore(CONCURRENCY)

        async def request(part: list[str]) -> Vectors:
            async with slots:
                return await self._retry.run(lambda: self._send(part, kind), name=self.part, blocking=False)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(request(part)) for part in self._requests(texts, kind)]
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__
        parts = [task.result() for task in tasks]
        size = self.dimension or parts[0].shape[1]
        for part in parts:
            self._check_dimension(part, size)
        self.dimension = size  # learnt only from a complete response, because it is never corrected later
        vectors: Vectors = np.concatenate(parts)
        return vectors

    def _requests(self, texts: Sequence[str], kind: Kind) -> Iterator[list[str]]:
        """The texts as they are sent, cut at the window; the engine splits longer memories into passages before."""
        # Services reject empty texts.
        sent = (cut(self._prefixes[kind] + text, self.window or self.default_window) or " " for text in texts)
        return requests(sent, max_texts=self._batch, max_tokens=self.max_tokens)

    async def _send(self, texts: list[str], kind: Kind) -> Vectors:
        """Send one request; returns its vectors, one row per text."""
        path, body = self._request(texts, kind)

        async def post() -> httpx2.Response:
            return await self._client().post(
                self._base + path, json=body, headers=self._headers(), timeout=None
            )

        try:
            # The client's own timeouts apply to each chunk; a response that trickles in would never reach them.
            response = await _bridge.within(self._timeout, post)
        except TimedOut as error:
            message = f"{self.name} did not answer within {self._timeout:g} seconds"
            raise TimedOut(message, part=self.part, operation="embed") from error
        except httpx2.RequestError as error:
            message = f"cannot reach {self._base}: {error or type(error).__name__}"
            raise Unavailable(message, part=self.part, operation="embed") from error
        answer = json_of(response, self.part) if response.status_code == 200 else None
        if answer is None or contains_error(answer):
            raise failure_of(response, part=self.part, model=self.name, secret=self._key, keys=self.key_names)
        rows = self._rows(answer, len(texts))
        return self._checked(rows, len(texts))

    def _checked(self, rows: Any, count: int) -> Vectors:
        import numpy as np

        if len(rows) != count:
            raise Unavailable(
                f"{self.name} returned {len(rows)} vectors for {count} texts",
                part=self.part,
                operation="embed",
            )
        try:
            vectors: Vectors = np.asarray(rows, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbeddingError(
                f"{self.name} did not return rows of numbers: {error}", part=self.part
            ) from error
        if vectors.ndim != 2 or not vectors.shape[1]:
            raise EmbeddingError(
                f"{self.name} returned an array of shape {vectors.shape}; expected one vector per text",
                part=self.part,
            )
        if self.dimension is not None:
            self._check_dimension(vectors, self.dimension)
        return vectors

    def _check_dimension(self, vectors: Vectors, size: int) -> None:
        if vectors.shape[1] != size:
            raise EmbeddingError(
                f"{self.name} returned vectors of dimension {vectors.shape[1]}, not {size}", part=self.part
            )

    def _client(self) -> httpx2.AsyncClient:
        return self._clients.current() if self._given is None else self._given

    def _headers(self) -> Mapping[str, str]:
        return {} if self._key is None else {"Authorization": f"Bearer {self._key}"}

    async def _ping(self) -> None:
        """Embed one word: only that checks key, model and service."""
        await self._send([PROBE], "query")

    async def _close(self) -> None:
        await self._clients.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, UnicodeEncodeError):
            return EmbeddingError("the text contains a lone surrogate", part=self.part, operation=operation)
        return super()._translate(error, operation)

    @abstractmethod
    def _request(self, texts: list[str], kind: Kind) -> tuple[str, dict[str, Any]]:
        """Path and JSON body of a request."""

    @abstractmethod
    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        """The vectors of a response, in the order of the texts."""


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(limits=httpx2.Limits(max_connections=4 * CONCURRENCY))
