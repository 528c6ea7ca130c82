"""The process's memory as a store, and the model that the others are proved against."""

from memwell.backends.memory.store.store import MemoryStore

__all__ = ["MemoryStore"]
