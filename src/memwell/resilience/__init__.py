"""Retries, time limits and circuit breakers."""
