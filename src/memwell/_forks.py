"""Resets locks, threads and connections in a forked child, because they belong to its parent.

A fork copies a lock in its current state. If another thread of the parent holds it, no thread of the child will ever
release it. So an object with locks registers a method that replaces them::

    class Counter:
        def __init__(self) -> None:
            self._reset()
            fork_safe(self._reset)

        def _reset(self) -> None:
            self._lock = threading.Lock()
"""

from __future__ import annotations

import inspect
import itertools
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from types import MethodType
from typing import Any, Final

__all__ = ["ForkSafeLock", "disable_onnx_telemetry", "fork_safe", "leave_to_parent"]

_resets: Final[dict[int, Callable[[], Callable[[], object] | None]]] = {}
"""Number of the registration → reference to the function. One dict operation is atomic, so no lock is needed."""
_numbers: Final = itertools.count()


def disable_onnx_telemetry() -> None:
    """Call before the first import of onnxruntime. Since 1.31 its wheels send usage reports to Microsoft, from a thread
    that also makes forked children hang at exit. A value that is already set stays.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def fork_safe(reset: Callable[[], object]) -> None:
    """Call `reset` in every child that is forked from now on, and in the children's children.

    Functions are called in the order of registration, each even if another one raises, before any other code of the
    child. A bound method is held weakly: its object can still be collected. `reset` must not take a lock that it does
    not replace.
    """
    number = next(_numbers)
    if inspect.ismethod(reset):
        # Not a WeakMethod: its callback fails when the interpreter ends, which is printed.
        method, resets = reset.__func__, _resets
        owner = weakref.ref(reset.__self__, lambda _: resets.pop(number, None))
        _resets[number] = lambda: None if (found := owner()) is None else MethodType(method, found)
    else:
        _resets[number] = lambda: reset


class ForkSafeLock:
    """A lock for `with`, free in every child."""

    def __init__(self) -> None:
        self._reset_lock()
        fork_safe(self._reset_lock)

    def _reset_lock(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def leave_to_parent(inherited: object) -> None:
    """Keep an object of the parent for ever: to collect it in the child would close the parent's connections."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


def _in_child() -> None:
    with ExitStack() as every:  # it calls the last one first
        for reference in reversed(list(_resets.values())):
            every.callback(_call, reference)


def _call(reference: Callable[[], Callable[[], Any] | None]) -> None:
    if reset := reference():
        reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
