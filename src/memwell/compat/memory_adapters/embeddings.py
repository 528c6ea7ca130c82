"""Where embeddings are: in a vector index with their metadata beside it, or in the table `vector_embeddings`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from memwell import _bridge
from memwell.compat.memory_adapters.base import Json
from memwell.ports import KeyValue, Point, VectorIndex
from memwell.ports.arrays import Vectors
from memwell.runs.values import decoded, encoded

if TYPE_CHECKING:
    from memwell.compat.memory_adapters.tables import Tables

__all__ = ["Embeddings", "IndexedEmbeddings", "KeyValueMetadata", "Metadata", "TableEmbeddings"]

_SAVE: Final = """INSERT INTO vector_embeddings (namespace, embedding_id, embedding_vector, metadata)
VALUES (%(namespace)s, %(id)s, %(vector)s::real[], %(metadata)s::jsonb)
ON CONFLICT (namespace, embedding_id)
DO UPDATE SET embedding_vector = excluded.embedding_vector, metadata = excluded.metadata"""
_REMOVE: Final = """DELETE FROM vector_embeddings
WHERE namespace = %(namespace)s AND embedding_id = %(id)s RETURNING 1"""
_LOAD: Final = """SELECT embedding_id, metadata::text FROM vector_embeddings
WHERE namespace = %(namespace)s AND embedding_id = ANY (%(ids)s::text[])"""
_SEARCH: Final = """SELECT embedding_id, similarity, metadata::text FROM search_similar_embeddings(
  %(vector)s::real[], NULL, %(limit)s::integer, %(namespace)s, %(metric)s, %(filter)s::jsonb)"""
_COUNT: Final = "SELECT count(*) FROM vector_embeddings WHERE namespace = %(namespace)s"


class Metadata(ABC):
    """Keeps the metadata of embeddings, by id."""

    @abstractmethod
    def save(self, id: str, vector: Vectors, metadata: Mapping[str, Any]) -> None:
        """Keep it; replaces that of this id."""

    @abstractmethod
    def load(self, ids: list[str]) -> dict[str, Json]:
        """That of the ids which are there."""

    @abstractmethod
    def remove(self, id: str) -> bool:
        """Remove it; whether it was there."""


class Embeddings(ABC):
    """Embeddings of one namespace."""

    @abstractmethod
    def save(self, id: str, vector: Vectors, metadata: Mapping[str, Any]) -> None:
        """Add or replace one."""

    @abstractmethod
    def remove(self, id: str) -> bool:
        """Remove one; whether it was there."""

    @abstractmethod
    def search(self, vector: Vectors, limit: int, filter: Mapping[str, Any]) -> list[Json]:
        """`{id, score, metadata}` of the nearest, the nearest first."""

    @abstractmethod
    def count(self) -> int:
        """How many there are."""

    @abstractmethod
    def ping(self) -> None:
        """Return when it can serve; raise what is wrong otherwise."""

    @abstractmethod
    def close(self) -> None:
        """Release what was opened."""


class KeyValueMetadata(Metadata):
    """Metadata under the keys `embedding:<namespace>:<id>`. `part` gives the key-value, which stays open."""

    def __init__(self, part: Callable[[], KeyValue], namespace: str) -> None:
        self._part, self._prefix = part, f"embedding:{namespace}:"

    def save(self, id: str, vector: Vectors, metadata: Mapping[str, Any]) -> None:
        """See `Metadata.save`."""
        del vector
        part = self._part()
        stored = part.set(self._prefix + id, encoded("metadata", dict(metadata)))
        _bridge.complete(stored, blocking=part.blocking)

    def load(self, ids: list[str]) -> dict[str, Json]:
        """See `Metadata.load`."""
        part = self._part()
        found = _bridge.complete(part.get_many([self._prefix + id for id in ids]), blocking=part.blocking)
        return {key[len(self._prefix) :]: decoded(value) for key, value in found.items()}

    def remove(self, id: str) -> bool:
        """See `Metadata.remove`."""
        part = self._part()
        return _bridge.complete(part.delete(self._prefix + id), blocking=part.blocking)


class TableEmbeddings(Metadata, Embeddings):
    """The table `vector_embeddings`, which is searched without an index."""

    def __init__(self, tables: Tables, namespace: str, metric: str) -> None:
        self._tables, self._metric = tables, metric
        self._namespace = {"namespace": namespace}

    def save(self, id: str, vector: Vectors, metadata: Mapping[str, Any]) -> None:
        """See `Embeddings.save`."""
        values = {"id": id, "vector": vector.tolist(), "metadata": _text(metadata)}
        self._tables.write(_SAVE, {**self._namespace, **values})

    def load(self, ids: list[str]) -> dict[str, Json]:
        """See `Metadata.load`."""
        rows = self._tables.read(_LOAD, {**self._namespace, "ids": ids})
        return {id: decoded(metadata.encode()) for id, metadata in rows}

    def remove(self, id: str) -> bool:
        """See `Embeddings.remove`."""
        return bool(self._tables.write(_REMOVE, {**self._namespace, "id": id}))

    def search(self, vector: Vectors, limit: int, filter: Mapping[str, Any]) -> list[Json]:
        """See `Embeddings.search`."""
        asked = {"vector": vector.tolist(), "limit": limit, "metric": self._metric, "filter": _text(filter)}
        rows = self._tables.read(_SEARCH, {**self._namespace, **asked})
        return [
            {"id": id, "score": similarity, "metadata": decoded(metadata.encode())}
            for id, similarity, metadata in rows
        ]

    def count(self) -> int:
        """See `Embeddings.count`."""
        return int(self._tables.read(_COUNT, self._namespace)[0][0])

    def ping(self) -> None:
        """See `Embeddings.ping`."""
        self._tables.read("SELECT 1")

    def close(self) -> None:
        """Nothing: the tables belong to the PostgreSQL adapter."""


class IndexedEmbeddings(Embeddings):
    """A vector index, and the metadata beside it. Metadata is written first and removed last, so that no embedding is
    found without it.
    """

    def __init__(self, index: VectorIndex, metadata: Metadata) -> None:
        self._index, self._metadata = index, metadata

    def save(self, id: str, vector: Vectors, metadata: Mapping[str, Any]) -> None:
        """See `Embeddings.save`."""
        self._metadata.save(id, vector, metadata)
        point = Point(id=id, vector=vector, fields={"metadata": dict(metadata)})
        self._run(self._index.upsert([point]))

    def remove(self, id: str) -> bool:
        """See `Embeddings.remove`."""
        self._run(self._index.delete([id]))
        return self._metadata.remove(id)

    def search(self, vector: Vectors, limit: int, filter: Mapping[str, Any]) -> list[Json]:
        """See `Embeddings.search`."""
        where = {f"metadata.{key}": {"$eq": value} for key, value in filter.items()}
        matches = self._run(self._index.search(vector, limit=limit, where=where or None))
        if not matches:
            return []
        known = self._metadata.load([match.id for match in matches])
        return [{"id": m.id, "score": m.similarity, "metadata": known.get(m.id, {})} for m in matches]

    def count(self) -> int:
        """See `Embeddings.count`."""
        return int(self._run(self._index.count()))

    def ping(self) -> None:
        """See `Embeddings.ping`."""
        self._run(self._index.ping())

    def close(self) -> None:
        """See `Embeddings.close`."""
        self._run(self._index.close())

    def _run(self, call: Any) -> Any:
        return _bridge.complete(call, blocking=self._index.blocking)


def _text(value: Mapping[str, Any]) -> str:
    return encoded("metadata", dict(value)).decode()
