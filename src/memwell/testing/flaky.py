"""A part that fails on command, around a real one, for tests of retries and fallbacks.

::

    faults = Faults()
    store = Flaky(open_store("memory://"), faults)
    faults.fail(Unavailable("busy"), times=2)            # the next two calls
    faults.fail(Unavailable("cut off"), lost=True)       # the next is done, and its answer lost
    faults.fail(Unavailable("busy"), on="search")        # the next search
    faults.down = Unavailable("no route")                # every call, until it is None again
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

from memwell._dataclasses import dataclass
from memwell.ports import Declaration, Port, call
from memwell.wrappers.base import Wrapper

__all__ = ["Faults", "Flaky"]

P = TypeVar("P", bound=Port)


@dataclass(slots=True)
class _Fault:
    error: Exception
    times: int
    on: str | None
    lost: bool


class Faults:
    """What goes wrong with the next calls of a `Flaky` part. Safe for threads."""

    def __init__(self) -> None:
        self.down: Exception | None = None
        """Raised by every call; no call is done."""
        self.calls: list[str] = []
        """Every operation asked for, in order."""
        self._next: list[_Fault] = []
        self._lock = threading.Lock()

    def fail(self, error: Exception, *, times: int = 1, on: str | None = None, lost: bool = False) -> None:
        """Let the next calls, of one operation or of any, raise an error; `lost`: after they were done."""
        self._next.append(_Fault(error, times, on, lost))

    def of(self, operation: str) -> _Fault | None:
        """Note a call, and take the fault that is meant for it."""
        with self._lock:
            self.calls.append(operation)
            if self.down is not None:
                return _Fault(self.down, 1, None, lost=False)
            fault = next((fault for fault in self._next if fault.on in (None, operation)), None)
            if fault is not None:
                fault.times -= 1
                if not fault.times:
                    self._next.remove(fault)
            return fault


class Flaky(Wrapper):
    """See the module."""

    part = "flaky"
    _faults: Faults

    def __new__(cls, part: P, faults: Faults) -> P:  # type: ignore[misc]
        wrapper = cls._wrap(part)
        wrapper._faults = faults
        return wrapper  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        fault = self._faults.of(operation.name)
        if fault is not None and not fault.lost:
            raise fault.error
        answer = await call(self.inner, operation, arguments)
        if fault is not None:
            raise fault.error
        return answer
