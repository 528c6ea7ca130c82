"""What embedders behind an HTTP API share: batches, limits, keys, failures, and answers that are checked.

A call is split into requests of at most `most_texts` texts and about `most_tokens` tokens, a few of them under way at
once; their vectors come back in the order of the texts, or the call raises and gives none. An answer is only believed
when it holds one row of one length for each text: a truncated batch is never taken for a whole one.

Failures: a timeout, a broken connection, 408, 425, 429, 5xx and a truncated answer are `Unavailable` (with
`retry_after` where the service says it) and are tried again, `attempts` times in all; 401 and 403 are `ConfigError`
(the key), 404 too (the address or the model), anything else that the service refuses is `EmbeddingError`.

Keys come from the environment or the constructor, are sent in one header, and appear in no message, representation or
log. Options of every URL: `base_url`, `key_env` (name of the variable that holds the key), `dimension` (what the model
gives), `dimensions` (ask for a shortened output), `window`, `batch` (texts a request), `timeout` (seconds a request),
`attempts`, `document_prefix`, `query_prefix`.
"""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias

import httpx2

from memwell.embedders.prefixes import prefixes_of
from memwell.embedders.replies import failure_of, json_of
from memwell.errors import ConfigError, EmbeddingError, MemwellError, Unavailable
from memwell.guards import Retry
from memwell.ports import Embedder, Vectors, guarded

if TYPE_CHECKING:
    from memwell.registry import Url

__all__ = ["OPTIONS", "RemoteEmbedder"]

Kind: TypeAlias = Literal["document", "query"]

_NUMBERS: Final = ("dimension", "dimensions", "window", "batch")
_TEXTS: Final = ("base_url", "document_prefix", "query_prefix")
OPTIONS: Final = (*_TEXTS, *_NUMBERS, "attempts", "key_env", "timeout")
"""Options that every URL of a remote embedder takes."""
AT_ONCE: Final = 4
"""Requests of one call that are under way together."""
BYTES_PER_TOKEN: Final = 4
"""Of English, about; a character beyond ASCII is counted as a token of its own."""
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
        """`client` is used as it is, for its proxies and certificates, and stays open. Raises `ConfigError`."""
        model = model or self.default_model
        if not model:
            raise ConfigError(f"name the model, as in {self.part}:MODEL", part=self.part)
        if dimensions and not self.shortens:
            raise ConfigError(f"{self.part} cannot shorten vectors; leave dimensions away", part=self.part)
        self.name = model
        """The model as the service knows it."""
        self.window = window or self.default_window
        self._base = (base_url or self.address).rstrip("/")
        self._key = key if key is not None else self._found_key(self.key_names)
        self._shortened = dimensions
        self._dimension = dimensions or dimension or self.sizes.get(model)
        self._batch = min(batch or self.most_texts, self.most_texts)
        self._timeout = timeout
        self._retry = Retry(max_attempts=attempts, initial_delay=0.25, max_delay=20.0)
        self._given = client
        self._clients: dict[asyncio.AbstractEventLoop, httpx2.AsyncClient] = {}
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
        found |= {name: url.whole(name, 0) or None for name in _NUMBERS}
        found |= {name: url.take(name) for name in _TEXTS}
        url.done(*OPTIONS)
        return cls(url.rest, key=None if variable is None else cls._named_key(variable), **found)

    @property
    def model(self) -> str:  # type: ignore[override]
        """The model's name, with `@512` behind it when the output is shortened to that."""
        return f"{self.name}@{self._shortened}" if self._shortened else self.name

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """Length of the vectors. Raises `ConfigError` while it is not known."""
        if self._dimension is None:
            raise ConfigError(
                f"the dimension of {self.name} is not known before it has embedded a text; give it, as in "
                f"{self.part}:{self.name}?dimension=768",
                part=self.part,
            )
        return self._dimension

    @property
    def symmetric(self) -> bool:
        """Whether documents and queries are embedded alike."""
        return self._prefixes["document"] == self._prefixes["query"]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """About a token each: up to four ASCII characters, or one beyond ASCII."""
        if text.isascii():
            return super().spans(text)
        found, start = [], 0
        for at, character in enumerate(text):
            if not character.isascii():
                if start < at:
                    found.append((start, at))
                found.append((at, at + 1))
                start = at + 1
            elif at + 1 - start == BYTES_PER_TOKEN:
                found.append((start, at + 1))
                start = at + 1
        return [*found, (start, len(text))] if start < len(text) else found

    @guarded
    async def embed(self, texts: Sequence[str], *, kind: Kind = "document") -> Vectors:
        """As the port promises; the dimension of no vectors at all is found by a probe."""
        if not texts and self._dimension is None:
            await self._embed([PROBE], kind)
        return await super().embed(texts, kind=kind)

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        import numpy as np

        prefix = self._prefixes[kind]
        turns = asyncio.Semaphore(AT_ONCE)

        async def request(part: list[str]) -> Vectors:
            async with turns:
                return await self._retry.run(
                    lambda: self._requested(part, kind), name=self.part, blocking=False
                )

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(request(part)) for part in self._requests(texts, prefix)]
        vectors: Vectors = np.concatenate([task.result() for task in tasks])
        return vectors

    def _requests(self, texts: Sequence[str], prefix: str) -> Iterator[list[str]]:
        """The texts as they are sent, in requests that keep the service's limits."""
        part: list[str] = []
        tokens = 0
        for text in texts:
            sent = self._cut(prefix + text) or " "  # services refuse a text of no characters
            size = len(sent.encode()) // BYTES_PER_TOKEN + 1
            if part and (len(part) == self._batch or tokens + size > self.most_tokens):
                yield part
                part, tokens = [], 0
            part.append(sent)
            tokens += size
        yield part

    def _cut(self, text: str) -> str:
        """The text as far as the model reads it: a text longer than the window is passages when memories are kept."""
        most = BYTES_PER_TOKEN * (self.window or self.default_window)
        if len(text) * BYTES_PER_TOKEN <= most:
            return text
        return text.encode()[:most].decode(errors="ignore")

    async def _requested(self, texts: list[str], kind: Kind) -> Vectors:
        """The vectors of one request, one row a text."""
        path, body = self._request(texts, kind)
        try:
            response = await self._client().post(
                self._base + path, json=body, headers=self._headers(), timeout=self._timeout
            )
        except httpx2.TimeoutException as error:
            raise Unavailable(
                f"{self.name} did not answer within {self._timeout:g} seconds",
                part=self.part,
                operation="embed",
            ) from error
        except httpx2.TransportError as error:
            raise Unavailable(
                f"{self._base} cannot be reached: {error or type(error).__name__}",
                part=self.part,
                operation="embed",
            ) from error
        if response.status_code != 200:
            raise failure_of(response, part=self.part, model=self.name, secret=self._key, keys=self.key_names)
        rows = self._rows(json_of(response, self.part), len(texts))
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
        if self._dimension is None:
            self._dimension = vectors.shape[1]
        if vectors.shape[1] != self._dimension:
            raise EmbeddingError(
                f"{self.name} gave vectors of {vectors.shape[1]} numbers, not {self._dimension}",
                part=self.part,
            )
        return vectors

    def _client(self) -> httpx2.AsyncClient:
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients = {
                other: client for other, client in self._clients.items() if not other.is_closed()
            }
            self._clients[loop] = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=4 * AT_ONCE))
        return self._clients[loop]

    def _headers(self) -> Mapping[str, str]:
        return {} if self._key is None else {"Authorization": f"Bearer {self._key}"}

    async def _ping(self) -> None:
        """One small request: nothing less tells that key, model and service are right."""
        await self._requested([PROBE], "query")

    async def _close(self) -> None:
        here = asyncio.get_running_loop()
        clients, self._clients = self._clients, {}
        for loop, client in clients.items():
            if loop is here:
                await client.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(client.aclose(), loop))

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, ExceptionGroup):
            first = error.exceptions[0]
            return first if isinstance(first, MemwellError) else self._translate(first, operation)
        if isinstance(error, UnicodeEncodeError):
            return EmbeddingError("the text holds half a surrogate pair", part=self.part, operation=operation)
        return super()._translate(error, operation)

    @classmethod
    def _found_key(cls, names: Sequence[str]) -> str | None:
        return next((key for name in names if (key := os.environ.get(name))), None)

    @classmethod
    def _named_key(cls, name: str) -> str:
        key = cls._found_key([name])
        if key is None:
            raise ConfigError(f"key_env={name}: this variable is not set in the environment", part=cls.part)
        return key

    @abstractmethod
    def _request(self, texts: list[str], kind: Kind) -> tuple[str, dict[str, Any]]:
        """Path and JSON body of a request."""

    @abstractmethod
    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        """The vectors in an answer, in the order of the texts. May raise `KeyError` or `TypeError`."""
