"""The methods that manage what is stored: plans of policies, and what other rules decide."""

from __future__ import annotations

from memwell.engine.keywords import explain_keywords
from memwell.faces.base import AsyncFace, Face, audited

__all__ = ["AsyncManagement", "Management"]


@audited
@explain_keywords
class AsyncManagement(AsyncFace):
    """Management of what is stored, with `await`."""


@explain_keywords
class Management(Face):
    """Management of what is stored, without `await`. Its docstrings are those of `AsyncManagement`, copied by
    `make docs`.
    """

    _memory: AsyncManagement
