"""Summaries by a language model: `OpenAI` for the API of OpenAI and of services like it, `Anthropic` for its own.

::

    memory.plan(policies, summariser=OpenAI("gpt-4o-mini"))
    memory.plan(policies, summariser=OpenAI("llama3.2", base_url="http://localhost:11434/v1"))
    memory.plan(policies, summariser=Anthropic("claude-3-5-haiku-latest"))

Both are coroutine functions `(texts, characters) -> str`. The key is read from `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`.
Needs `pip install 'memwell[http]'`. The texts are sent to the service; nothing else is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final

from memwell.errors import BackendError, ConfigError, EmbeddingError, Unavailable
from memwell.network.api_keys import resolve_key
from memwell.network.base_url import base_url as base_of
from memwell.network.replies import contains_error, failure_of, json_of
from memwell.resilience.retry import Retry

if TYPE_CHECKING:
    import httpx2

__all__ = ["Anthropic", "OpenAI"]

PROMPT: Final = (
    "Summarise the notes below for later recall. Keep names, numbers, dates and decisions, and say nothing that they do"
    " not say. Answer with the summary only, in the language of the notes, in at most {characters} characters."
)


class _Model(ABC):
    """A model behind an HTTP API."""

    part: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    address: ClassVar[str]

    def __init__(
        self,
        model: str,
        *,
        key: str | None = None,
        base_url: str | None = None,
        timeout: float = 60.0,
        attempts: int = 3,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`client` is used as it is and stays open. Raises `ConfigError` for invalid arguments or a missing key."""
        if not isinstance(model, str) or not model:
            raise ConfigError("name a model, such as gpt-4o-mini", part=self.part)
        self.model = model
        self._base = base_of(base_url or self.address, self.part)
        self._key = resolve_key(key, self.keys, part=self.part)
        if self._key is None and base_url is None:
            names = " or ".join(self.keys)
            raise ConfigError(f"{self.part} needs an API key: set {names}, or pass key=", part=self.part)
        self._timeout = timeout
        self._retry = Retry(
            max_attempts=attempts, initial_delay=0.5, max_delay=timeout, max_retry_after=timeout
        )
        self._given = client

    async def __call__(self, texts: Sequence[str], characters: int) -> str:
        """A summary of texts. Raises `Unavailable`, `ConfigError` or `BackendError` if the service gives none."""
        prompt = PROMPT.format(characters=characters)
        notes = "\n\n".join(texts)
        return await self._retry.run(lambda: self._send(prompt, notes), name=self.part, blocking=False)

    async def _send(self, prompt: str, notes: str) -> str:
        import httpx2

        path, body, headers = self._request(prompt, notes)
        try:
            async with nullcontext(self._given) if self._given else httpx2.AsyncClient() as client:
                response = await client.post(
                    f"{self._base}{path}", json=body, headers=dict(headers), timeout=self._timeout
                )
        except httpx2.RequestError as error:
            message = f"cannot reach {self._base}: {error or type(error).__name__}"
            raise Unavailable(message, part=self.part, operation="summarise") from error
        answer = json_of(response, self.part) if response.status_code == 200 else None
        if answer is None or contains_error(answer):
            raise self._failure(response)
        try:
            return str(self._text(answer))
        except (KeyError, IndexError, TypeError, StopIteration) as error:
            message = f"{self.model} gave no text: {type(error).__name__} {error}"
            raise Unavailable(message, part=self.part, operation="summarise") from error

    def _failure(self, response: httpx2.Response) -> Exception:
        found = failure_of(
            response,
            part=self.part,
            model=self.model,
            secret=self._key,
            keys=self.keys,
            operation="summarise",
        )
        if isinstance(found, EmbeddingError):
            return BackendError(found.message, part=self.part, operation="summarise")
        return found

    @abstractmethod
    def _request(self, prompt: str, notes: str) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
        """Path, body and headers."""

    @abstractmethod
    def _text(self, answer: Any) -> Any:
        """The text of an answer."""


class OpenAI(_Model):
    """Chat completions of OpenAI, and of services with the same API (Ollama, vLLM, LM Studio, gateways)."""

    part = "openai"
    keys = ("OPENAI_API_KEY",)
    address = "https://api.openai.com/v1"

    def _request(self, prompt: str, notes: str) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": notes}]
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        return "/chat/completions", {"model": self.model, "messages": messages}, headers

    def _text(self, answer: Any) -> Any:
        return answer["choices"][0]["message"]["content"]


class Anthropic(_Model):
    """The messages API of Anthropic."""

    part = "anthropic"
    keys = ("ANTHROPIC_API_KEY",)
    address = "https://api.anthropic.com/v1"

    def _request(self, prompt: str, notes: str) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
        body = {
            "model": self.model,
            "max_tokens": 4096,
            "system": prompt,
            "messages": [{"role": "user", "content": notes}],
        }
        headers = {"anthropic-version": "2023-06-01"}
        return "/messages", body, headers if self._key is None else headers | {"x-api-key": self._key}

    def _text(self, answer: Any) -> Any:
        return next(part["text"] for part in answer["content"] if part["type"] == "text")
