"""Redis as a store: `store` is the port; each other module is one of its concerns."""

from memwell.backends.redis.store.store import RedisStore

__all__ = ["RedisStore"]
