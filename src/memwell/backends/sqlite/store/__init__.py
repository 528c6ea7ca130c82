"""One SQLite file as a store: `store` is the port; each other module is one of its concerns."""

from memwell.backends.sqlite.store.store import SqliteStore

__all__ = ["SqliteStore"]
