"""What parts of one process share, such as a pool of connections: made for the first part, closed with the last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakSet, WeakValueDictionary

from memwell._forks import fork_safe

__all__ = ["Shared", "Used"]


class Used:
    """Something with users. They are held weakly: a part that was never closed stops counting once it is collected."""

    def __init__(self) -> None:
        self.users: WeakSet[Any] = WeakSet()


V = TypeVar("V", bound=Used)


class Shared(Generic[V]):
    """Objects by key, each for all users that come with an equal key. A forked child begins with none.

    They are held weakly too, so that parts which were never closed take them along when they are collected.
    """

    def __init__(self) -> None:
        self._reset()
        fork_safe(self._reset)

    def join(self, key: Hashable, user: object, make: Callable[[], V]) -> V:
        """The object of this key, with one more user. `make` opens nothing: other threads wait for it."""
        with self._lock:
            found = self._objects.get(key)
            if found is None:
                found = self._objects.setdefault(key, make())
            found.users.add(user)
            return found

    def leave(self, key: Hashable, used: V, user: object) -> bool:
        """Whether the user was the last one. Then the caller closes the object, and no one else gets it any longer."""
        with self._lock:
            if user not in used.users:
                return False
            used.users.discard(user)
            if used.users:
                return False
            if self._objects.get(key) is used:
                del self._objects[key]
            return True

    def _reset(self) -> None:
        self._lock = threading.RLock()  # a signal handler may open a part while its own thread does
        self._objects: WeakValueDictionary[Hashable, V] = WeakValueDictionary()
