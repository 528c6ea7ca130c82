"""Several users of one part, each as if alone: keys, streams and ids get a prefix.

`NamespacedKeyValue(part, "app")` and `NamespacedLog(part, "app")` put `app:` before every key and stream.
`NamespacedIndex(part, "app")` does the same with ids, and marks its points, so that searches and filters see no
others. Names consist of letters, digits, `_`, `.` and `-`, so that no two namespaces overlap.

`NamespacedStore` confines a store by parts of its scope instead. Closing closes the part inside.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from memwell import filters
from memwell.errors import ConfigError
from memwell.ports import (
    Declaration,
    KeyValue,
    Log,
    Match,
    Point,
    VectorIndex,
    Vectors,
)
from memwell.types import Where
from memwell.wrappers.base import KeyValueWrapper, LogWrapper, VectorIndexWrapper

__all__ = ["NamespacedIndex", "NamespacedKeyValue", "NamespacedLog"]

_NAME: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
_LONGEST: Final = 1024
"""Bytes that a key may have."""
_MARK: Final = "memwell_namespace"
"""The metadata key that names the namespace of a point."""
_BATCH: Final = 1000


def _checked(name: str, part: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"a namespace is 1 to 100 letters, digits, '_', '.' or '-', not {name!r:.120}", part=part
        )
    return name


def _prefixed(name: str, key: str) -> str:
    """The key inside; one that would be too long is hashed, and cannot meet a plain one."""
    inside = f"{name}:{key}"
    if len(inside.encode()) <= _LONGEST:
        return inside
    return f"{name}#{hashlib.blake2b(key.encode(), digest_size=32).hexdigest()}"


class NamespacedKeyValue(KeyValueWrapper):
    """Keys of one namespace."""

    part = "namespaced"

    def __init__(self, keyvalue: KeyValue, name: str) -> None:
        self.inner = keyvalue
        self._name = _checked(name, self.part)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        inside = {_prefixed(self._name, key): key for key in keys}
        found = await super()._get_many(list(inside))
        return {inside[key]: value for key, value in found.items()}

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        inside = {_prefixed(self._name, key): value for key, value in values.items()}
        await super()._set_many(inside, ttl)

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if arguments and isinstance(arguments[0], str):
            arguments = (_prefixed(self._name, arguments[0]), *arguments[1:])
        return await super()._call(operation, arguments)


class NamespacedLog(LogWrapper):
    """Streams of one namespace."""

    part = "namespaced"

    def __init__(self, log: Log, name: str) -> None:
        self.inner = log
        self._name = _checked(name, self.part)

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if arguments:
            arguments = (_prefixed(self._name, arguments[0]), *arguments[1:])
        return await super()._call(operation, arguments)


class NamespacedIndex(VectorIndexWrapper):
    """Points of one namespace. Counting and clearing walk over their ids."""

    part = "namespaced"

    def __init__(self, index: VectorIndex, name: str) -> None:
        self.inner = index
        self._prefix = f"{_checked(name, self.part)}:"
        self._mine = filters.parse({f"metadata.{_MARK}": name})

    @property
    def identity(self) -> str | None:  # type: ignore[override]
        """That of the index inside, with the namespace."""
        inside: str | None = self.inner.identity
        return None if inside is None else f"{inside}#{self._prefix[:-1]}"

    async def _upsert(self, points: Sequence[Point]) -> None:
        await super()._upsert([self._inside(point) for point in points])

    def _inside(self, point: Point) -> Point:
        metadata = {**point.fields.get("metadata", {}), _MARK: self._prefix[:-1]}
        return replace(point, id=self._prefix + point.id, fields={**point.fields, "metadata": metadata})

    async def _delete(self, ids: Sequence[str]) -> None:
        await super()._delete([self._prefix + id for id in ids])

    async def _search(self, vector: Vectors, limit: int, where: Where | filters.Node | None) -> list[Match]:
        node = self._mine if where is None else filters.And((self._mine, filters.parse(where)))
        matches = await super()._search(vector, limit, node)
        return [replace(match, id=match.id[len(self._prefix) :]) for match in matches]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        found = await super()._ids(self._prefix + (after or ""), limit)
        return [id[len(self._prefix) :] for id in found if id.startswith(self._prefix)]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        found = await super()._vectors([self._prefix + id for id in ids])
        return {id[len(self._prefix) :]: vector for id, vector in found.items()}

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found = await super()._fields([self._prefix + id for id in ids])
        return {id[len(self._prefix) :]: self._outside(fields) for id, fields in found.items()}

    @staticmethod
    def _outside(fields: Mapping[str, Any]) -> Mapping[str, Any]:
        metadata = {name: value for name, value in fields["metadata"].items() if name != _MARK}
        return {**fields, "metadata": metadata}

    async def _count(self) -> int:
        return sum([len(ids) async for ids in self._pages()])

    async def _clear(self) -> None:
        async for ids in self._pages():
            await self._delete(ids)

    async def _pages(self) -> AsyncIterator[list[str]]:
        after: str | None = None
        while ids := await self._ids(after, _BATCH):
            yield ids
            after = ids[-1]
