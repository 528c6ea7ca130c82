"""Wrappers: each is the port that it wraps, so they stack."""
