"""Retries, timeouts and circuit breakers."""
