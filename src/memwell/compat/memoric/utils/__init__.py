"""Helpers of Memoric."""
