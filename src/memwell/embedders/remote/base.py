"""What embedders behind an HTTP API share: batches, limits, keys, failures, and answers that are checked.

A call is split into requests of at most `most_texts` texts and about `most_tokens` tokens, a few of them under way at
once; their vectors come back in the order of the texts, or the call raises and gives none. An answer is only believed
when it holds one row of one length for each text: a truncated batch is never taken for a whole one.

Failures: a timeout, a broken connection, 408, 425, 429, 5xx and a truncated answer are `Unavailable` (with
`retry_after` where the service says it) and are tried again, `attempts` times in all, unless the service asks to wait
for over a minute; 401 and 403 are `ConfigError` (the key), 404, 405 and redirects too (the address or the model),
anything else that the service refuses is `EmbeddingError`.

Keys come from the environment or the constructor, are sent in one header, and appear in no message, representation or
log. Options of every URL: `base_url`, `key_env` (name of the variable that holds the key), `dimension` (what the model
gives), `dimensions` (ask for a shortened output), `window`, `batch` (texts a request), `timeout` (seconds a request),
`attempts`, `document_prefix`, `query_prefix`.
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias

import httpx2

from memwell import _bridge
from memwell.embedders.remote.batches import cut, requests, spans
from memwell.embedders.remote.prefixes import prefixes_of
from memwell.embedders.remote.replies import failure_of, json_of, refuses
from memwell.errors import ConfigError, EmbeddingError, MemwellError, TimedOut, Unavailable
from memwell.network.api_keys import resolve_key
from memwell.network.clients import Clients
from memwell.ports import Embedder, Vectors
from memwell.resilience.retry import Retry

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["OPTIONS", "RemoteEmbedder"]

Kind: TypeAlias = Literal["document", "query"]

_NUMBERS: Final = ("dimension", "dimensions", "window", "batch")
_TEXTS: Final = ("base_url", "document_prefix", "query_prefix")
OPTIONS: Final = (*_TEXTS, *_NUMBERS, "attempts", "key_env", "timeout")
"""Options that every URL of a remote embedder takes."""
AT_ONCE: Final = 4
"""Requests of one call that are under way together."""
PATIENCE: Final = 60.0
"""Seconds; a service that asks to wait for longer is not waited for."""
PROBE: Final = "dimension"


class RemoteEmbedder(Embedder):
    """The base of the adapters. Natively asynchronous; one client for each event loop, made when first used.

    The dimension, if neither the caller nor the adapter knows it, is learnt from the first vectors; asked for before,
    it raises `ConfigError`.
    """

    proof = "wire"
    key_names: ClassVar[tuple[str, ...]] = ()
    """Variables of the environment that may hold the key; the first that is set counts."""
    key_needed: ClassVar[bool] = True
    address: ClassVar[str]
    """Where the service is, unless `base_url` says otherwise."""
    most_texts: ClassVar[int] = 64
    most_tokens: ClassVar[int] = 100_000
    """Estimated tokens of one request."""
    default_window: ClassVar[int] = 512
    default_model: ClassVar[str] = ""
    sizes: ClassVar[Mapping[str, int]] = {}
    """Model → length of its vectors, where that is known."""
    shortens: ClassVar[bool] = False
    """Whether the service gives shortened vectors when asked."""

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
        """`client` is used as it is, for its proxies and certificates, and stays open. An empty `key` sends none, not
        that of the environment either. Raises `ConfigError`.
        """
        given = {"dimension": dimension, "dimensions": dimensions, "window": window, "batch": batch}
        for option, number in given.items():
            if number is not None and number < 1:
                raise ConfigError(f"{option} is a whole number of 1 or more", part=self.part)
        if not 0 < timeout < float("inf"):
            raise ConfigError("timeout is a finite number of seconds over 0", part=self.part)
        model = model or self.default_model
        if not model:
            raise ConfigError(f"name the model, as in {self.part}:MODEL", part=self.part)
        if dimensions and not self.shortens:
            raise ConfigError(f"{self.part} cannot shorten vectors; leave dimensions away", part=self.part)
        self.name = model
        """The model as the service knows it."""
        self.window = window or self.default_window
        self._base = _base(base_url or self.address, self.part)
        self._key = resolve_key(key, self.key_names, part=self.part)
        self._shortened = dimensions
        self.dimension = dimensions or dimension or self.sizes.get(model)
        self._batch = min(batch or self.most_texts, self.most_texts)
        self._timeout = timeout
        self._retry = Retry(
            max_attempts=attempts, initial_delay=0.25, max_delay=20.0, max_retry_after=PATIENCE
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
                f"{self.part} needs a key: set {names} in the environment, or give key=", part=self.part
            )

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `SCHEME:MODEL?option=value`; see the module for the options."""
        variable = url.take("key_env")
        found: dict[str, Any] = {"timeout": url.number("timeout", 30.0)}
        found["attempts"] = url.whole("attempts", 4, least=1)
        found |= {name: url.whole(name, 1, least=1) for name in _NUMBERS if name in url.options}
        found |= {name: url.take(name) for name in _TEXTS}
        url.done(*OPTIONS)
        key = None if variable is None else resolve_key(None, [variable], part=cls.part)
        if variable is not None and key is None:
            raise ConfigError(
                f"key_env={variable}: this variable is not set in the environment", part=cls.part
            )
        return cls(url.rest, key=key, **found)

    @property
    def model(self) -> str:  # type: ignore[override]
        """The model's name, with `@512` behind it when the output is shortened to that, and a mark of the prefixes when
        they are not the model's own: other vectors have another name.
        """
        shortened = f"@{self._shortened}" if self._shortened else ""
        words = self._prefixes["document"], self._prefixes["query"]
        if words == prefixes_of(self.name):
            return f"{self.name}{shortened}"
        mark = hashlib.blake2b("\0".join(words).encode(), digest_size=4).hexdigest()
        return f"{self.name}{shortened}+{mark}"

    @property
    def symmetric(self) -> bool:
        """Whether documents and queries are embedded alike."""
        return self._prefixes["document"] == self._prefixes["query"]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """About a token each."""
        return spans(text)

    async def _prepare(self) -> None:
        if self.dimension is None:
            await self._embed([PROBE], "document")

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        import numpy as np

        turns = asyncio.Semaphore(AT_ONCE)

        async def request(part: list[str]) -> Vectors:
            async with turns:
                return await self._retry.run(
                    lambda: self._requested(part, kind), name=self.part, blocking=False
                )

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(request(part)) for part in self._requests(texts, kind)]
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__
        parts = [task.result() for task in tasks]
        size = self.dimension or parts[0].shape[1]
        for part in parts:
            self._fitting(part, size)
        self.dimension = size  # learnt from a whole answer only: nothing corrects it later
        vectors: Vectors = np.concatenate(parts)
        return vectors

    def _requests(self, texts: Sequence[str], kind: Kind) -> Iterator[list[str]]:
        """The texts as they are sent: a text longer than the window is passages when memories are kept."""
        # Services refuse a text of no characters.
        sent = (cut(self._prefixes[kind] + text, self.window or self.default_window) or " " for text in texts)
        return requests(sent, most_texts=self._batch, most_tokens=self.most_tokens)

    async def _requested(self, texts: list[str], kind: Kind) -> Vectors:
        """The vectors of one request, one row a text."""
        path, body = self._request(texts, kind)

        async def post() -> httpx2.Response:
            return await self._client().post(
                self._base + path, json=body, headers=self._headers(), timeout=None
            )

        try:
            # The client's own limits are for each piece of an answer: one that trickles in never reaches them.
            response = await _bridge.within(self._timeout, post)
        except TimedOut as error:
            message = f"{self.name} did not answer within {self._timeout:g} seconds"
            raise TimedOut(message, part=self.part, operation="embed") from error
        except httpx2.RequestError as error:
            message = f"{self._base} cannot be reached: {error or type(error).__name__}"
            raise Unavailable(message, part=self.part, operation="embed") from error
        answer = json_of(response, self.part) if response.status_code == 200 else None
        if answer is None or refuses(answer):
            raise failure_of(response, part=self.part, model=self.name, secret=self._key, keys=self.key_names)
        rows = self._rows(answer, len(texts))
        return self._checked(rows, len(texts))

    def _checked(self, rows: Any, count: int) -> Vectors:
        import numpy as np

        if len(rows) != count:
            raise Unavailable(
                f"{self.name} gave {len(rows)} vectors for {count} texts", part=self.part, operation="embed"
            )
        try:
            vectors: Vectors = np.asarray(rows, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbeddingError(f"{self.name} gave no rows of numbers: {error}", part=self.part) from error
        if vectors.ndim != 2 or not vectors.shape[1]:
            raise EmbeddingError(
                f"{self.name} gave an array of shape {vectors.shape}; one vector a text is expected",
                part=self.part,
            )
        if self.dimension is not None:
            self._fitting(vectors, self.dimension)
        return vectors

    def _fitting(self, vectors: Vectors, size: int) -> None:
        if vectors.shape[1] != size:
            raise EmbeddingError(
                f"{self.name} gave vectors of {vectors.shape[1]} numbers, not {size}", part=self.part
            )

    def _client(self) -> httpx2.AsyncClient:
        return self._clients.current() if self._given is None else self._given

    def _headers(self) -> Mapping[str, str]:
        return {} if self._key is None else {"Authorization": f"Bearer {self._key}"}

    async def _ping(self) -> None:
        """One small request: nothing less tells that key, model and service are right."""
        await self._requested([PROBE], "query")

    async def _close(self) -> None:
        await self._clients.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, UnicodeEncodeError):
            return EmbeddingError("the text holds half a surrogate pair", part=self.part, operation=operation)
        return super()._translate(error, operation)

    @abstractmethod
    def _request(self, texts: list[str], kind: Kind) -> tuple[str, dict[str, Any]]:
        """Path and JSON body of a request."""

    @abstractmethod
    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        """The vectors in an answer, in the order of the texts. May raise `KeyError` or `TypeError`."""


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(limits=httpx2.Limits(max_connections=4 * AT_ONCE))


def _base(text: str, part: str) -> str:
    """A base URL that requests can be made of, without its last slash. Raises `ConfigError`."""
    wrong = ConfigError("base_url is written like http://host:8000/v1, without ? and #", part=part)
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise wrong from None  # it may show a part of a password
    if url.userinfo:
        raise ConfigError("base_url holds a user: clients would log it; give a client= instead", part=part)
    plain = url.scheme in ("http", "https") and url.host and 0 < (url.port or 1) < 65536
    if not plain or url.query or url.fragment:
        raise wrong
    return text.rstrip("/")
