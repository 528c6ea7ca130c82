"""Followers of a store's change sequence."""
