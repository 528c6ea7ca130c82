"""The process's memory as a store, and the model that the others are proved against."""

from memwell.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
