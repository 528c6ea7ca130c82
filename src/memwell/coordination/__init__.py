"""Locks and rate limits over any `KeyValue`."""
