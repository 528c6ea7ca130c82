"""Several providers as one: which comes first, which stands in, and how each of them did."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from memwell.compat.memory_providers.base import MemoryProvider
from memwell.errors import (
    ConfigError,
    InvalidInput,
    MemwellError,
    NotFound,
    NotSupported,
    TimedOut,
    Unavailable,
)
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.resilience.retry import Retry

__all__ = ["Metrics", "ProviderChain", "Strategy"]

Strategy: TypeAlias = Literal["priority", "health", "round_robin", "performance", "hybrid"]

_STRATEGIES: Final = ("priority", "health", "round_robin", "performance", "hybrid")
_ATTEMPTS: Final = {"remember": 3, "recall": 2, "delete": 3, "list_memories": 2, "health_check": 1}
"""Attempts at one provider, by operation."""
_RECENT: Final = 100
"""Calls that the metrics of a provider are about."""


@dataclass
class Metrics:
    """How a provider did: all calls and failures, and the seconds of the latest calls."""

    calls: int = 0
    failures: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def health(self) -> float:
        """The share of the latest calls that succeeded; 1 before the first."""
        return sum(self.outcomes) / len(self.outcomes) if self.outcomes else 1.0

    @property
    def mean_seconds(self) -> float:
        """Of the latest calls that succeeded; 0 before the first."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For a page of statistics."""
        return {
            "calls": self.calls,
            "failures": self.failures,
            "success_rate": self.health,
            "mean_response_ms": 1000 * self.mean_seconds,
        }

    async def timed(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of a call, counted. What the caller did wrong is no failure of the provider."""
        self.calls += 1
        started = time.perf_counter()
        try:
            result = await call()
        except (InvalidInput, NotFound, NotSupported):
            self.outcomes.append(True)
            raise
        except Exception:
            self.failures += 1
            self.outcomes.append(False)
            raise
        self.seconds.append(time.perf_counter() - started)
        self.outcomes.append(True)
        return result


class ProviderChain:
    """Several providers as one: when one cannot be reached, the next is asked.

    - `providers`: by name, the most important first;
    - `strategy`: which comes first. `priority`: the first; `round_robin`: each in turn; `health`: the one that failed
      least lately; `performance`: the one that was fastest lately; `hybrid`: 0.4 of health, 0.4 of speed, 0.2 of the
      place.

    A provider that failed five times in a row is left alone for `recovery_timeout` seconds. A mistake of the caller
    goes to the caller, not to the next provider, and so does a `remember` that took too long: it may still happen.
    Memories are where they were written: writes that went to another provider during an outage stay there, and
    `delete` asks all.
    """

    def __init__(
        self,
        providers: Mapping[str, MemoryProvider],
        strategy: Strategy = "priority",
        *,
        recovery_timeout: float = 300.0,
        initial_delay: float = 0.1,
    ) -> None:
        if not providers:
            raise ConfigError("a chain needs at least one provider")
        if strategy not in _STRATEGIES:
            raise ConfigError(f"a strategy is one of {', '.join(_STRATEGIES)}, not {strategy!r}")
        self.providers, self.strategy = dict(providers), strategy
        self.metrics = {name: Metrics() for name in providers}
        self._turns = itertools.count()
        self._delay = initial_delay
        self._breakers = {
            (name, operation): CircuitBreaker(failure_threshold=5, recovery_timeout=recovery_timeout)
            for name in providers
            for operation in _ATTEMPTS
        }

    async def remember(self, user_id: str, content: str, metadata: dict[str, Any] | None = None) -> str:
        """Store a memory with the first provider that answers, and return its id there."""
        return str(await self._first("remember", user_id, content, metadata))

    async def recall(self, user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """The answer of the first provider that gives one."""
        found: list[dict[str, Any]] = await self._first("recall", user_id, query, limit)
        return found

    async def delete(self, user_id: str, memory_id: str) -> bool:
        """Delete a memory wherever it is. Raises the error of a provider that cannot be asked, if no other had it."""
        failed: Exception | None = None
        for name in self._order():
            try:
                if await self._call(name, "delete", user_id, memory_id):
                    return True
            except Unavailable as error:
                failed = error
        if failed is not None:
            raise failed
        return False

    async def list_memories(self, user_id: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The list of the first provider that gives one."""
        found: list[dict[str, Any]] = await self._first("list_memories", user_id, limit, offset)
        return found

    async def health_check(self) -> dict[str, Any]:
        """`healthy` if one of them is; each under its name in `providers`."""
        found = {name: await provider.health_check() for name, provider in self.providers.items()}
        healthy = [one["healthy"] for one in found.values()]
        return {
            "healthy": any(healthy),
            "provider": "ProviderChain",
            "status": "healthy" if all(healthy) else "degraded" if any(healthy) else "unhealthy",
            "providers": found,
        }

    def statistics(self) -> dict[str, Any]:
        """How each provider did, and which are left alone for a while."""
        return {
            name: {
                **metrics.to_dict(),
                "left_alone": [op for op in _ATTEMPTS if self._breakers[name, op].state == "open"],
            }
            for name, metrics in self.metrics.items()
        }

    def _order(self) -> list[str]:
        names = list(self.providers)
        if self.strategy == "round_robin":
            turn = next(self._turns) % len(names)
            return names[turn:] + names[:turn]
        return sorted(names, key=lambda name: -self._merit(name, names.index(name)))

    def _merit(self, name: str, place: int) -> float:
        """The higher, the earlier it is asked. A sort keeps the order of those that are equal."""
        metrics = self.metrics[name]
        speed = 1 / (1 + 10 * metrics.mean_seconds)
        merits = {
            "priority": 0.0,
            "health": metrics.health,
            "performance": speed * metrics.health,
            "hybrid": 0.4 * metrics.health + 0.4 * speed + 0.2 / (place + 1),
        }
        return merits[self.strategy]

    async def _first(self, operation: str, *arguments: Any) -> Any:
        """The result of the first provider that can be reached; the error of the first one, if none can."""
        failed: Exception | None = None
        for name in self._order():
            try:
                return await self._call(name, operation, *arguments)
            except (InvalidInput, NotFound):
                raise
            except MemwellError as error:
                if isinstance(error, TimedOut) and operation == "remember":
                    raise
                failed = failed or error
        assert failed is not None
        raise failed

    async def _call(self, name: str, operation: str, *arguments: Any) -> Any:
        method = getattr(self.providers[name], operation)
        metrics, breaker = self.metrics[name], self._breakers[name, operation]
        retry = Retry(
            max_attempts=_ATTEMPTS[operation],
            initial_delay=self._delay,
            max_delay=2.0,
            should_retry=lambda error: (
                isinstance(error, Unavailable)
                and not (isinstance(error, TimedOut) and operation == "remember")
            ),
        )

        @breaker
        async def call() -> Any:
            return await metrics.timed(lambda: method(*arguments))

        return await retry.run(call, name=f"{name}.{operation}", blocking=False)
