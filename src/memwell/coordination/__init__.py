"""Locks and rate limits on any `KeyValue`."""
