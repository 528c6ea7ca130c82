"""A part that is not called while its backend fails: `Breaker(part)` is a part of the same port.

While the circuit breaker is open, every call raises `Unavailable` at once, with `retry_after`: callers do not wait for
a timeout, and the backend can recover. `memwell.resilience.circuit_breaker.CircuitBreaker` says what opens and closes
it. Pass one to read its state, or to share it between parts that use one service::

    breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=30)
    store, cache = Breaker(store, breaker), Breaker(cache, breaker)
    breaker.state  # 'closed', 'open' or 'half_open'
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
    """A part behind a circuit breaker."""

    part = "breaker"
    _breaker: CircuitBreaker

    def __new__(cls, part: P, breaker: CircuitBreaker | None = None) -> P:  # type: ignore[misc]
        wrapper = cls._wrap(part)
        wrapper._breaker = breaker or CircuitBreaker()
        return wrapper  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        try:
            return await self._breaker.run(
                lambda: call(self.inner, operation, arguments), name=self.inner.part
            )
        except Unavailable as error:
            if not error.part:
                error.part, error.operation = self.part, operation.name
            raise
