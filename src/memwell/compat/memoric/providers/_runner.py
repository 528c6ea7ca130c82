"""Calls of memwell's parts from providers, which are synchronous."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from memwell import _bridge
from memwell.errors import MemwellError
from memwell.ports import Port

__all__ = ["answers", "run"]

log = logging.getLogger("memwell.compat.memoric")
T = TypeVar("T")


def run(part: Port, call: Coroutine[Any, Any, T]) -> T:
    """The result of a part's operation."""
    return _bridge.complete(call, blocking=part.blocking)


def answers(part: Port) -> bool:
    """Whether a part answers; what is wrong is logged."""
    try:
        run(part, part.ping())
    except MemwellError as error:
        log.warning("%s does not answer: %s", part.part, error)
        return False
    return True
