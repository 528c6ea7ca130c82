"""Several providers as one: which comes first, which stands in, and how each of them did."""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any, Final, Literal, TypeAlias

from memwell import _bridge
from memwell._dataclasses import dataclass
from memwell.compat.memory_providers.base import MemoryProvider, closed
from memwell.errors import ConfigError, InvalidInput, NotFound, NotSupported, Unavailable
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.resilience.retry import Retry

__all__ = ["RULES", "Metrics", "ProviderChain", "Rule", "Strategy"]

log = logging.getLogger("memwell.compat.memory_providers")

Strategy: TypeAlias = Literal["priority", "health", "round_robin", "performance", "hybrid"]

_STRATEGIES: Final = ("priority", "health", "round_robin", "performance", "hybrid")
_RECENT: Final = 100
"""Calls that the metrics of a provider are about."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an operation is tried: by which strategy, how often at one provider, and for how many seconds each time."""

    strategy: Strategy
    attempts: int
    timeout: float


RULES: Final[Mapping[str, Rule]] = {
    "remember": Rule("hybrid", 3, 5.0),
    "recall": Rule("performance", 2, 3.0),
    "delete": Rule("priority", 3, 2.0),
    "list_memories": Rule("health", 2, 3.0),
    "health_check": Rule("round_robin", 1, 1.0),
}


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
      place; `None`: for each operation that of its rule;
    - `rules`: by operation, instead of those of `RULES`.

    Any failure of a provider, also one that is no error of memwell, lets the next one be asked. One that failed five
    times in a row is left alone for `recovery_timeout` seconds. A mistake of the caller goes to the caller, not to the
    next provider, and so does a `remember` that took too long: it may still happen. Memories are where they were
    written: writes that went to another provider during an outage stay there, and `delete` asks all.
    """

    def __init__(
        self,
        providers: Mapping[str, MemoryProvider],
        strategy: Strategy | None = "priority",
        *,
        rules: Mapping[str, Rule] | None = None,
        recovery_timeout: float = 300.0,
        initial_delay: float = 0.1,
    ) -> None:
        if not providers:
            raise ConfigError("a chain needs at least one provider")
        self.providers, self.strategy, self._rules = dict(providers), strategy, {**RULES, **(rules or {})}
        if unknown := sorted(self._rules.keys() - RULES.keys()):
            raise ConfigError(f"there is no operation {', '.join(unknown)}; rules are for {', '.join(RULES)}")
        for given in (strategy or "priority", *(rule.strategy for rule in self._rules.values())):
            if given not in _STRATEGIES:
                raise ConfigError(f"a strategy is one of {', '.join(_STRATEGIES)}, not {given!r}")
        self.metrics = {name: Metrics() for name in providers}
        self._turns = itertools.count()
        self._delay = initial_delay
        self._breakers = {
            (name, operation): CircuitBreaker(failure_threshold=5, recovery_timeout=recovery_timeout)
            for name in providers
            for operation in RULES
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
        for name in self._order("delete"):
            try:
                if await self._call(name, "delete", user_id, memory_id):
                    return True
            except NotFound:
                continue
            except InvalidInput:
                raise
            except Exception as error:  # noqa: BLE001  # a custom provider may raise anything
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
        found = {name: await self._health(name) for name in self._order("health_check")}
        healthy = [bool(one.get("healthy")) for one in found.values()]
        return {
            "healthy": any(healthy),
            "provider": "ProviderChain",
            "status": "healthy" if all(healthy) else "degraded" if any(healthy) else "unhealthy",
            "providers": found,
        }

    async def close(self) -> None:
        """Close the providers."""
        for provider in self.providers.values():
            await closed(provider)

    def statistics(self) -> dict[str, Any]:
        """How each provider did, and which are left alone for a while."""
        return {
            name: {
                **metrics.to_dict(),
                "left_alone": [op for op in RULES if self._breakers[name, op].state == "open"],
            }
            for name, metrics in self.metrics.items()
        }

    async def _health(self, name: str) -> dict[str, Any]:
        try:
            return await _bridge.within(
                self._rules["health_check"].timeout, self.providers[name].health_check
            )
        except Exception as error:  # noqa: BLE001  # whatever fails, it is not healthy
            return {"healthy": False, "error": str(error) or type(error).__name__}

    def _order(self, operation: str) -> list[str]:
        names, strategy = list(self.providers), self.strategy or self._rules[operation].strategy
        if strategy == "round_robin":
            turn = next(self._turns) % len(names)
            return names[turn:] + names[:turn]
        return sorted(names, key=lambda name: -self._merit(strategy, name, names.index(name)))

    def _merit(self, strategy: Strategy, name: str, place: int) -> float:
        """The higher, the earlier it is asked. A sort keeps the order of those that are equal."""
        metrics = self.metrics[name]
        speed = 1 / (1 + 10 * metrics.mean_seconds)
        merits = {
            "priority": 0.0,
            "health": metrics.health,
            "performance": speed * metrics.health,
            "hybrid": 0.4 * metrics.health + 0.4 * speed + 0.2 / (place + 1),
        }
        return merits[strategy]

    async def _first(self, operation: str, *arguments: Any) -> Any:
        """The result of the first provider that can be reached; the error of the first one, if none can."""
        failed: Exception | None = None
        for name in self._order(operation):
            try:
                return await self._call(name, operation, *arguments)
            except (InvalidInput, NotFound):
                raise
            except Exception as error:  # a custom provider may raise anything
                if isinstance(error, TimeoutError) and operation == "remember":
                    raise
                log.warning("%s of the provider %s failed: %r", operation, name, error)
                failed = failed or error
        assert failed is not None
        raise failed

    async def _call(self, name: str, operation: str, *arguments: Any) -> Any:
        method = getattr(self.providers[name], operation)
        metrics, breaker, rule = self.metrics[name], self._breakers[name, operation], self._rules[operation]
        retry = Retry(
            max_attempts=rule.attempts,
            initial_delay=self._delay,
            max_delay=2.0,
            should_retry=lambda error: (
                isinstance(error, Unavailable | OSError)
                and not (isinstance(error, TimeoutError) and operation == "remember")
            ),
        )

        @breaker
        async def call() -> Any:
            return await metrics.timed(lambda: _bridge.within(rule.timeout, lambda: method(*arguments)))

        return await retry.run(call, name=f"{name}.{operation}", blocking=False)
