"""Retries, circuit breakers, timeouts and fallbacks: those of `memwell.resilience`."""

from __future__ import annotations

from memwell.resilience.decorators import (
    CircuitBreaker,
    create_resilient_caller,
    fallback,
    retry_with_backoff,
    with_timeout,
)

__all__ = ["CircuitBreaker", "create_resilient_caller", "fallback", "retry_with_backoff", "with_timeout"]
