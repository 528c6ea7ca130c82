"""What each group of methods works with."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from memwell import _bridge
from memwell.engine.context import Engine

__all__ = ["AsyncFace", "Face"]

T = TypeVar("T")


class AsyncFace:
    """Methods with `await`, over an engine."""

    _engine: Engine


class Face:
    """Methods without `await`: each runs the coroutine of the asynchronous memory behind it."""

    _memory: AsyncFace
    _loop: _bridge.Loop | None
    """The loop in a background thread; `None` if every part is a blocking one."""

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return _bridge.drive(call) if self._loop is None else self._loop.run(call)
