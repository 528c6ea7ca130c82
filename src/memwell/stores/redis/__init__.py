"""Redis as a store: `store` is the port; each other module is one of its concerns."""

from memwell.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
