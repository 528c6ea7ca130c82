"""Language models: those of OpenAI and of services with its API, and those of Anthropic."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from memwell import _bridge
from memwell.compat.memoric.providers.interfaces import LLMProvider
from memwell.errors import MemwellError
from memwell.policies.llm import Anthropic, OpenAI

if TYPE_CHECKING:
    from memwell.policies.llm import _Model

__all__ = ["AnthropicLLMProvider", "OpenAILLMProvider"]

log = logging.getLogger("memwell.compat.memoric")


class _Provider(LLMProvider):
    """Over a model of `memwell.policies.llm`; its errors are those of memwell."""

    kind: ClassVar[type[_Model]]
    default: ClassVar[str]

    def __init__(
        self,
        model: str | None = None,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._model = self.kind(model or self.default, key=api_key, base_url=base_url, timeout=timeout)

    def complete(self, *, prompt: str, max_tokens: int = 100, temperature: float = 0.7) -> str:
        """See `LLMProvider.complete`."""
        messages = [{"role": "user", "content": prompt}]
        return self.chat(messages=messages, max_tokens=max_tokens, temperature=temperature)

    def chat(
        self, *, messages: Sequence[Mapping[str, str]], max_tokens: int = 100, temperature: float = 0.7
    ) -> str:
        """See `LLMProvider.chat`."""
        answer = self._model.chat(messages, max_tokens=max_tokens, temperature=temperature)
        return _bridge.complete(answer, blocking=False)

    def health_check(self) -> bool:
        """See `LLMProvider.health_check`. It asks for an answer of one token."""
        try:
            self.complete(prompt="ping", max_tokens=1)
        except MemwellError as error:
            log.warning("%s does not answer: %s", self._model.model, error)
            return False
        return True


class OpenAILLMProvider(_Provider):
    """OpenAI; the key is in `OPENAI_API_KEY`. With `base_url`, a service with the same API."""

    kind = OpenAI
    default = "gpt-4o-mini"


class AnthropicLLMProvider(_Provider):
    """Anthropic; the key is in `ANTHROPIC_API_KEY`."""

    kind = Anthropic
    default = "claude-3-5-haiku-latest"
