"""Memoric's trimmer and summarisers. Each summariser is one of memwell, too: call it with texts and a length."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from memwell import _bridge
from memwell.errors import MemwellError

__all__ = ["LLMSummarizer", "TextSummarizer", "TextTrimmer", "summarizer_of"]

log = logging.getLogger("memwell.compat.memoric")


class TextTrimmer:
    """Cuts texts."""

    def trim(self, text: str, max_chars: int) -> str:
        """The text, or its beginning and `…`: at most `max_chars` characters."""
        return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"


class TextSummarizer:
    """A text that fits as it is, else its first sentence, else its beginning."""

    def summarize(self, text: str, target_chars: int = 300) -> str:
        """A summary of at most `target_chars` characters."""
        text = text.strip()
        if len(text) <= target_chars:
            return text
        ends = [at + 1 for mark in (". ", "! ", "? ", "\n") if (at := text.find(mark)) > 0]
        first = text[: min(ends, default=len(text))].strip()
        return first if len(first) <= target_chars else TextTrimmer().trim(text, target_chars)

    def __call__(self, texts: Sequence[str], characters: int) -> str:
        """A summary of texts: that of each, as far as they fit."""
        share = max(characters // max(len(texts), 1) - 1, 20)
        joined = " ".join(self.summarize(text, share) for text in texts)
        return TextTrimmer().trim(joined, characters)


class LLMSummarizer(TextSummarizer):
    """A summary by OpenAI. If the service fails, that is logged, and the summary is the one of `TextSummarizer`."""

    def __init__(
        self, model: str = "gpt-4o-mini", *, api_key: str | None = None, base_url: str | None = None
    ) -> None:
        from memwell.policies.llm import OpenAI

        self._model = OpenAI(model, key=api_key, base_url=base_url)

    def summarize(self, text: str, target_chars: int = 300) -> str:
        """See `TextSummarizer.summarize`."""
        return self([text], target_chars)

    def __call__(self, texts: Sequence[str], characters: int) -> str:
        """See `TextSummarizer.__call__`."""
        try:
            found: str = _bridge.complete(self._model(texts, characters), blocking=False).strip()
        except MemwellError as error:
            log.warning("a summary is made by rules: %s", error)
            return TextSummarizer()(texts, characters)
        return TextTrimmer().trim(found, characters)


def summarizer_of(config: Mapping[str, Any]) -> TextSummarizer | None:
    """The summariser that `text_processing.summarizer` names: simple or llm; `None` for noop."""
    name = config["text_processing"]["summarizer"]
    if name == "llm":
        return LLMSummarizer(**{key: config["metadata"][key] for key in ("model", "api_key", "base_url")})
    return TextSummarizer() if name == "simple" else None
