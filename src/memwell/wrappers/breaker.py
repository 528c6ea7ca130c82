"""A part that is not called while its backend fails: `Breaker(part)` is again a part of the same port.

While the breaker is open every call raises `Unavailable` at once, with `retry_after`, so that a backend that is down
costs nobody a time limit, and is left in peace to come back. What opens and closes it is told at
`memwell.resilience.circuit_breaker.CircuitBreaker`. Hand one in to read its state, or to let several parts share it
that stand on one service::

    guard = CircuitBreaker(failure_threshold=5, recovery_timeout=30)
    store, cache = Breaker(store, guard), Breaker(cache, guard)
    guard.state  # 'closed', 'open' or 'half_open'
"""

from __future__ import annotations

from typing import Any, TypeVar

from memwell.errors import Unavailable
from memwell.ports import Declaration, Port, call
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.wrappers.base import Wrapper

__all__ = ["Breaker"]

P = TypeVar("P", bound=Port)


class Breaker(Wrapper):
    """See the module."""

    part = "breaker"
    _guard: CircuitBreaker

    def __new__(cls, part: P, guard: CircuitBreaker | None = None) -> P:  # type: ignore[misc]
        wrapper = cls._wrap(part)
        wrapper._guard = guard or CircuitBreaker()
        return wrapper  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        try:
            return await self._guard.run(lambda: call(self.inner, operation, arguments), name=self.inner.part)
        except Unavailable as error:
            if not error.part:
                error.part, error.operation = self.part, operation.name
            raise
