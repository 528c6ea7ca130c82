"""Summaries and enrichment by a language model.

`OpenAI` speaks the API of OpenAI and of services like it, `Anthropic` its own::

    memory.plan(policies, summariser=OpenAI("gpt-4o-mini"))
    memory.plan(policies, summariser=OpenAI("llama3.2", base_url="http://localhost:11434/v1"))
    memory.plan(policies, summariser=Anthropic("claude-3-5-haiku-latest"))
    Memory("notes.db", enrich=OpenAI("gpt-4o-mini").enrich)

Both are coroutine functions `(texts, characters) -> str`, their `enrich` one from a text to an `Enrichment`, and their
`chat` one from messages to an answer. The key is read from `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`.
Needs `pip install 'memwell[http]'`. The texts are sent to the service; nothing else is.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from memwell.errors import BackendError, ConfigError, EmbeddingError, InvalidInput, Unavailable, shown
from memwell.network.api_keys import resolve_key
from memwell.network.base_url import base_url as base_of
from memwell.network.replies import contains_error, failure_of, json_of
from memwell.policies.enrichers import enrichment_of
from memwell.resilience.retry import Retry
from memwell.retrieval.analysis.enrichment import Enrichment

if TYPE_CHECKING:
    import httpx2

__all__ = ["Anthropic", "OpenAI"]

Messages: TypeAlias = Sequence[Mapping[str, str]]
Request: TypeAlias = tuple[str, Mapping[str, Any], Mapping[str, str]]

PROMPT: Final = (
    "Summarise the notes below for later recall. Keep names, numbers, dates and decisions, and say nothing that they do"
    " not say. Answer with the summary only, in the language of the notes, in at most {characters} characters."
)
ENRICH: Final = (
    'Read the note below. Answer with one JSON object only: {"topic": one lower-case word or short phrase, "category":'
    ' one lower-case word, "entities": names, places, organisations, amounts and identifiers as written, "dates": days'
    ' as YYYY-MM-DD, "importance": 0 to 1, how much it matters to remember this}. Say nothing that the note does not.'
)
_ENRICHED: Final = frozenset({"topic", "category", "entities", "dates", "importance"})


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
        return await self._ask(prompt, "\n\n".join(texts), "summarise")

    async def enrich(self, text: str) -> Enrichment:
        """Topic, category, entities, dates and importance of a text. Raises as a call does, and `InvalidInput` for an
        answer that is none.
        """
        answer = await self._ask(ENRICH, text, "enrich")
        try:
            found = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
        except ValueError as error:
            raise InvalidInput(f"{self.model} gave no JSON object, but {shown(answer)}") from error
        return enrichment_of({key: value for key, value in found.items() if key in _ENRICHED})

    async def chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int = 1024,
        temperature: float | None = None,
    ) -> str:
        """What the model says to a conversation: messages with `role` (system, user or assistant) and `content`.

        - `max_tokens`: the longest answer; `temperature`: 0 and more, as the service defines it.

        Raises as a call does, and `InvalidInput` without messages.
        """
        if not messages or not all(isinstance(one, Mapping) and one.get("content") for one in messages):
            raise InvalidInput("a conversation is a list of messages, each with a role and content")
        options: dict[str, Any] = {"max_tokens": max_tokens}
        if temperature is not None:
            options["temperature"] = temperature
        return await self._asked(messages, options, "chat")

    async def _ask(self, prompt: str, notes: str, operation: str) -> str:
        messages = [{"role": "system", "content": prompt}, {"role": "user", "content": notes}]
        return await self._asked(messages, {}, operation)

    async def _asked(self, messages: Messages, options: Mapping[str, Any], operation: str) -> str:
        return await self._retry.run(
            lambda: self._send(messages, options, operation), name=self.part, blocking=False
        )

    async def _send(self, messages: Messages, options: Mapping[str, Any], operation: str) -> str:
        import httpx2

        path, body, headers = self._request(messages, options)
        try:
            async with nullcontext(self._given) if self._given else httpx2.AsyncClient() as client:
                response = await client.post(
                    f"{self._base}{path}", json=body, headers=dict(headers), timeout=self._timeout
                )
        except httpx2.RequestError as error:
            message = f"cannot reach {self._base}: {error or type(error).__name__}"
            raise Unavailable(message, part=self.part, operation=operation) from error
        answer = json_of(response, self.part) if response.status_code == 200 else None
        if answer is None or contains_error(answer):
            raise self._failure(response, operation)
        try:
            return str(self._text(answer))
        except (KeyError, IndexError, TypeError, StopIteration) as error:
            message = f"{self.model} gave no text: {type(error).__name__} {error}"
            raise Unavailable(message, part=self.part, operation=operation) from error

    def _failure(self, response: httpx2.Response, operation: str) -> Exception:
        found = failure_of(
            response,
            part=self.part,
            model=self.model,
            secret=self._key,
            keys=self.keys,
            operation=operation,
        )
        if isinstance(found, EmbeddingError):
            return BackendError(found.message, part=self.part, operation=operation)
        return found

    @abstractmethod
    def _request(self, messages: Messages, options: Mapping[str, Any]) -> Request:
        """Path, body and headers."""

    @abstractmethod
    def _text(self, answer: Any) -> Any:
        """The text of an answer."""


class OpenAI(_Model):
    """Chat completions of OpenAI, and of services with the same API (Ollama, vLLM, LM Studio, gateways)."""

    part = "openai"
    keys = ("OPENAI_API_KEY",)
    address = "https://api.openai.com/v1"

    def _request(self, messages: Messages, options: Mapping[str, Any]) -> Request:
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        body = {"model": self.model, "messages": [dict(one) for one in messages], **options}
        return "/chat/completions", body, headers

    def _text(self, answer: Any) -> Any:
        return answer["choices"][0]["message"]["content"]


class Anthropic(_Model):
    """The messages API of Anthropic."""

    part = "anthropic"
    keys = ("ANTHROPIC_API_KEY",)
    address = "https://api.anthropic.com/v1"

    def _request(self, messages: Messages, options: Mapping[str, Any]) -> Request:
        system = "\n\n".join(one["content"] for one in messages if one["role"] == "system")
        body = {
            "model": self.model,
            "max_tokens": 4096,
            **({"system": system} if system else {}),
            "messages": [dict(one) for one in messages if one["role"] != "system"],
            **options,
        }
        headers = {"anthropic-version": "2023-06-01"}
        return "/messages", body, headers if self._key is None else headers | {"x-api-key": self._key}

    def _text(self, answer: Any) -> Any:
        return next(part["text"] for part in answer["content"] if part["type"] == "text")
