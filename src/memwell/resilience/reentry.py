"""Locks that a signal handler may meet while its own thread holds them."""

from __future__ import annotations

from threading import RLock
from typing import Any, TypeAlias

from memwell.errors import Unavailable

__all__ = ["Reentrant", "busy", "unheld"]

Reentrant: TypeAlias = Any
"""What `threading.RLock()` makes: a function, not a class, before Python 3.13."""

assert hasattr(RLock(), "_is_owned")  # `threading.Condition` needs it, too


def unheld(lock: Reentrant, part: str) -> Reentrant:
    """A lock to be entered by `with`, unless this thread is inside it already. Raises `Unavailable` then.

    A signal handler, or a callback, runs in the middle of what its thread was doing. It can neither wait for that to
    end, nor change what is half changed.
    """
    if lock._is_owned():
        raise busy(part)
    return lock


def busy(part: str) -> Unavailable:
    """The error for a call in the middle of a write by the same thread."""
    return Unavailable(
        "this thread is busy with a write already: the call came from a signal handler or a callback in the middle of"
        " it; try again when the write has ended",
        part=part,
        unsent=True,
    )
