"""What a new memory is about: topic, category, entities, importance. By OpenAI if there is a key, else by rules."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from memwell import _bridge
from memwell.compat.labels import label_of
from memwell.errors import MemwellError

__all__ = ["MetadataAgent"]

log = logging.getLogger("memwell.compat.memoric")

_LONG = 60
"""Characters above which a text is of medium importance."""


class MetadataAgent:
    """Finds metadata of texts. The key is `OPENAI_API_KEY` unless one is given; without a key no service is asked.

    `enrichers` may name `timestamp` (when it was stored) and `hash` (SHA-256 of the text).
    """

    def __init__(
        self,
        *,
        model: str = "gpt-4o-mini",
        api_key: str | None = None,
        base_url: str | None = None,
        enrichers: Iterable[str] = (),
    ) -> None:
        self.model, self.base_url = model, base_url
        self.api_key = api_key or os.environ.get("OPENAI_API_KEY") or None
        self.enrichers = tuple(enrichers)

    def extract(self, text: str, **owner: str | None) -> dict[str, Any]:
        """The metadata of a text, with the ids of its owner that are given. A service that fails is logged, and the
        rules are used.
        """
        found = {**self._found(text), **{name: value for name, value in owner.items() if value is not None}}
        if "timestamp" in self.enrichers:
            found["timestamp"] = datetime.now(UTC).isoformat()
        if "hash" in self.enrichers:
            found["hash"] = hashlib.sha256(text.encode()).hexdigest()
        return found

    def _found(self, text: str) -> Mapping[str, Any]:
        if self.api_key is not None:
            try:
                return self._asked(text)
            except MemwellError as error:
                log.warning("metadata are found by rules: %s", error)
        return _by_rules(text)

    def _asked(self, text: str) -> dict[str, Any]:
        from memwell.policies.llm import OpenAI

        model = OpenAI(self.model, key=self.api_key, base_url=self.base_url)
        found = _bridge.complete(model.enrich(text), blocking=False)
        rules = _by_rules(text)
        return {
            "topic": found.topic or rules["topic"],
            "category": found.category or rules["category"],
            "entities": [entity.text for entity in found.entities],
            "importance": rules["importance"] if found.importance is None else label_of(found.importance),
        }


def _by_rules(text: str) -> dict[str, Any]:
    words = text.split()
    return {
        "topic": words[0].lower() if words else "general",
        "category": "general",
        "entities": [],
        "importance": "medium" if len(text) > _LONG else "low",
    }
