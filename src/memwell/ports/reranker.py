"""The `Reranker` port: how well texts answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from memwell.errors import BackendError, InvalidInput
from memwell.ports.base import Port
from memwell.ports.declaration import Effect, operation, required

__all__ = ["Reranker"]


class Reranker(Port):
    """A question and texts to scores."""

    model: str
    """Name of the model, for notes and health."""
    candidates: int = 30
    """How many of the best memories of a recall it is asked about."""
    timeout: float = 5.0
    """Seconds that a recall waits for it; then the memories keep their order."""
    weight: float = 0.7
    """Share of the score that it decides, 0..1."""

    @operation(Effect.READS)
    async def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """One number per text, in order; the higher, the better the text answers the question. Best in 0..1: other
        numbers are scaled from the lowest (0) to the highest (1) of the call.

        Raises `BackendError` for a wrong number of scores, for anything that is not a finite number, and when the model
        fails; `Unavailable` when trying again may help.
        """
        if isinstance(texts, str | bytes):
            raise InvalidInput("score takes a list of texts; for one text, a list of one", part=self.part)
        if not texts:
            return []
        return self._checked(await self._score(query, list(texts)), len(texts))

    def _checked(self, raw: Any, count: int) -> list[float]:
        wrong = f"{self.model} must give a number for each of {count} texts"
        raw = raw.tolist() if hasattr(raw, "tolist") else raw
        try:
            rows = [each[0] if isinstance(each, list | tuple) and len(each) == 1 else each for each in raw]
            found = [float(each) for each in rows if not isinstance(each, str | bytes | bool)]
        except (TypeError, ValueError, OverflowError) as error:
            raise BackendError(f"{wrong}, not {type(raw).__name__}: {error}", part=self.part) from error
        if len(found) != count or len(rows) != count:
            raise BackendError(f"{wrong}, not {len(found)} numbers of {len(rows)} values", part=self.part)
        if not all(map(isfinite, found)):
            raise BackendError(f"{self.model} gave NaN or infinity", part=self.part)
        return found

    @required
    async def _score(self, query: str, texts: Sequence[str]) -> Any:
        raise NotImplementedError
