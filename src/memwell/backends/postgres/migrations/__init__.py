"""Numbered SQL scripts, and what runs them."""
