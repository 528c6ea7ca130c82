"""Which driver serves: chosen by name, made when it is first asked for, kept afterwards."""

from __future__ import annotations

import importlib
import os
import threading
from typing import ClassVar, Final

from memwell.compat.memory_drivers.base import BaseMemoryDriver

__all__ = ["DEFAULT", "MemoryDriverManager", "get_memory_driver", "set_memory_driver"]

DEFAULT: Final = "automem"
_BUILT_IN: Final = {
    "automem": "AutoMemDriver",
    "hybrid": "HybridDriver",
    "pgvector": "PGVectorDriver",
    "pinecone": "PineconeDriver",
    "redis": "RedisDriver",
    "sqlite": "SQLiteDriver",
    "weaviate": "WeaviateDriver",
}


class MemoryDriverManager:
    """The drivers by name; names are the same in capitals. All methods may be called from any thread."""

    _drivers: ClassVar[dict[str, type[BaseMemoryDriver]]] = {}
    _instances: ClassVar[dict[str, BaseMemoryDriver]] = {}
    _chosen: ClassVar[str | None] = None
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @classmethod
    def register_driver(cls, name: str, driver_class: type[BaseMemoryDriver]) -> None:
        """Offer a driver of your own. Raises `ValueError` for a class that is none."""
        if not (isinstance(driver_class, type) and issubclass(driver_class, BaseMemoryDriver)):
            raise ValueError(f"{driver_class!r} must inherit from BaseMemoryDriver")
        key = _key(name)
        with cls._lock:
            cls._drivers[key] = driver_class
            cls._close(cls._instances.pop(key, None))

    @classmethod
    def get_driver(cls, name: str | None = None) -> BaseMemoryDriver:
        """The driver of this name; without one, the one that was set, or that `MEMORY_DRIVER` names, or `automem`.

        Raises `ValueError` for an unknown name, and for a driver that cannot be made.
        """
        wanted = _key(name or cls._chosen or os.environ.get("MEMORY_DRIVER") or DEFAULT)
        with cls._lock:
            if wanted not in cls._instances:
                cls._instances[wanted] = cls._make(wanted)
            return cls._instances[wanted]

    @classmethod
    def set_driver(cls, name: str) -> BaseMemoryDriver:
        """Let this driver serve from now on. If it cannot be made, the one before goes on serving."""
        key = _key(name)
        with cls._lock:
            driver = cls.get_driver(key)
            cls._chosen = key
        return driver

    @classmethod
    def get_available_drivers(cls) -> list[str]:
        """The names that can be asked for, sorted."""
        return sorted({*_BUILT_IN, *cls._drivers})

    @classmethod
    def reset_cache(cls) -> None:
        """Close the drivers that were made; `MEMORY_DRIVER` chooses again."""
        with cls._lock:
            made, cls._instances, cls._chosen = cls._instances, {}, None
        for driver in made.values():
            cls._close(driver)

    @classmethod
    def _make(cls, name: str) -> BaseMemoryDriver:
        if name in cls._drivers:
            driver_class = cls._drivers[name]
        elif name in _BUILT_IN:
            module = importlib.import_module("memwell.compat.memory_drivers.drivers")
            driver_class = getattr(module, _BUILT_IN[name])
        else:
            known = ", ".join(cls.get_available_drivers())
            raise ValueError(f"Memory driver {name!r} not found. Available drivers: {known}")
        try:
            return driver_class()
        except Exception as error:
            raise ValueError(f"Failed to initialize driver {name!r}: {error}") from error

    @staticmethod
    def _close(driver: BaseMemoryDriver | None) -> None:
        if driver is not None:
            driver.close()


def _key(name: object) -> str:
    """A name in small letters. Raises `ValueError` for an empty one."""
    if not isinstance(name, str) or not name.strip():
        known = ", ".join(MemoryDriverManager.get_available_drivers())
        raise ValueError(f"a driver is named by a text, not {name!r}. Available drivers: {known}")
    return name.strip().lower()


def get_memory_driver() -> BaseMemoryDriver:
    """The driver that serves."""
    return MemoryDriverManager.get_driver()


def set_memory_driver(name: str) -> BaseMemoryDriver:
    """Let another driver serve from now on, and return it."""
    return MemoryDriverManager.set_driver(name)
