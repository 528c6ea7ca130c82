"""PostgreSQL as a store: `store` is the port; each other module is one of its concerns."""

from memwell.backends.postgres.store.store import COMPONENTS, PostgresStore

__all__ = ["COMPONENTS", "PostgresStore"]
