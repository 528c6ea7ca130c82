"""Append-only streams: one file per adapter of the `Log` port."""
