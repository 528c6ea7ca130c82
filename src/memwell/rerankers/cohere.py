"""The rerank API of Cohere (v2), and of services with the same one.

URL: `cohere:rerank-v3.5`. Options: `base_url`, `key_env` (name of the environment variable with the key), `attempts`,
and those of every reranker: `candidates`, `timeout`, `weight`. The key is read from `COHERE_API_KEY` or `CO_API_KEY`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import httpx2

from memwell.errors import BackendError, ConfigError, EmbeddingError, Unavailable
from memwell.network.api_keys import resolve_key
from memwell.network.base_url import base_url as base_of
from memwell.network.clients import Clients
from memwell.network.replies import contains_error, failure_of, json_of
from memwell.ports import Reranker
from memwell.rerankers.options import OPTIONS, configure, from_options
from memwell.resilience.retry import Retry

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["Cohere"]

_KEYS: Final = ("COHERE_API_KEY", "CO_API_KEY")
_DEFAULT: Final = "rerank-v3.5"


class Cohere(Reranker):
    """See the module docstring. Scores are Cohere's, 0..1."""

    part = "cohere"
    proof = "wire"

    def __init__(
        self,
        model: str = "",
        *,
        key: str | None = None,
        base_url: str | None = None,
        candidates: int = 30,
        timeout: float = 5.0,
        weight: float = 0.7,
        attempts: int = 2,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`client` is used as it is and stays open. Raises `ConfigError` for invalid arguments or a missing key."""
        self.model = model or _DEFAULT
        self._base = base_of(base_url or "https://api.cohere.com/v2", self.part)
        self._key = resolve_key(key, _KEYS, part=self.part)
        if self._key is None and base_url is None:
            names = " or ".join(_KEYS)
            raise ConfigError(
                f"cohere needs an API key: set {names} in the environment, or pass key=", part=self.part
            )
        configure(self, candidates, timeout, weight)
        self._retry = Retry(
            max_attempts=attempts, initial_delay=0.2, max_delay=timeout, max_retry_after=timeout
        )
        self._given = client
        self._clients = Clients(httpx2.AsyncClient, httpx2.AsyncClient.aclose)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `cohere:MODEL?option=value`; see the module docstring for the options."""
        variable, base = url.take("key_env"), url.take("base_url")
        found = from_options(url) | {"attempts": url.whole("attempts", 2, least=1)}
        url.done("attempts", "base_url", "key_env", *OPTIONS)
        key = None if variable is None else resolve_key(None, [variable], part=cls.part)
        if variable is not None and key is None:
            raise ConfigError(f"key_env={variable}: the environment variable is not set", part=cls.part)
        return cls(url.rest, key=key, base_url=base, **found)

    async def _score(self, query: str, texts: Sequence[str]) -> list[float]:
        return await self._retry.run(lambda: self._send(query, texts), name=self.part, blocking=False)

    async def _send(self, query: str, texts: Sequence[str]) -> list[float]:
        body = {"model": self.model, "query": query, "documents": list(texts), "top_n": len(texts)}
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        client = self._clients.current() if self._given is None else self._given
        try:
            response = await client.post(
                f"{self._base}/rerank", json=body, headers=headers, timeout=self.timeout
            )
        except httpx2.RequestError as error:
            message = f"cannot reach {self._base}: {error or type(error).__name__}"
            raise Unavailable(message, part=self.part, operation="score") from error
        answer = json_of(response, self.part) if response.status_code == 200 else None
        if answer is None or contains_error(answer):
            failure = failure_of(
                response, part=self.part, model=self.model, secret=self._key, keys=_KEYS, operation="score"
            )
            if isinstance(failure, EmbeddingError):
                raise BackendError(failure.message, part=self.part, operation="score")
            raise failure
        return self._scores(answer, len(texts))

    def _scores(self, answer: Any, count: int) -> list[float]:
        """The scores in the order of the texts. Raises `Unavailable` if the answer lacks any."""
        try:
            found = {int(each["index"]): float(each["relevance_score"]) for each in answer["results"]}
            return [found[at] for at in range(count)]
        except (KeyError, TypeError, ValueError) as error:
            message = f"{self.model} did not score each of {count} texts: {type(error).__name__} {error}"
            raise Unavailable(message, part=self.part, operation="score") from error

    async def _ping(self) -> None:
        """Score one word: only that checks key, model and service."""
        await self._send("tea", ["tea"])

    async def _close(self) -> None:
        await self._clients.close()
