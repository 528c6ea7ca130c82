"""Vector stores: Pinecone, Qdrant, Weaviate, Chroma, and one in memory, over memwell's vector indexes.

Ids are any texts. A filter names values of the metadata, `{"user_id": "alice"}`, or compares them,
`{"price": {"$lt": 5}}`, with the operators of memwell's filters. A score is the cosine, the inner product
(`dotproduct`), or `1 - distance² / 2` (`euclidean`): the greater, the nearer. Failures raise memwell's errors.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode, urlsplit

from memwell.compat.memoric.providers._runner import answers, run
from memwell.compat.memoric.providers.interfaces import VectorStoreProvider
from memwell.errors import ConfigError, EmbeddingError
from memwell.ports import Point, VectorIndex
from memwell.ports.arrays import Vectors, numpy
from memwell.registry import open_index

__all__ = [
    "ChromaVectorStore",
    "InMemoryVectorStore",
    "PineconeVectorStore",
    "QdrantVectorStore",
    "WeaviateVectorStore",
]

METRICS: Final = {"cosine": "cosine", "euclidean": "l2", "dotproduct": "dot"}
_LENGTH: Final = "length"
"""The field with the length of a vector: services keep those of unit length if the metric is the cosine."""


class _IndexStore(VectorStoreProvider):
    """Over the index of a URL, which is opened when it is first needed."""

    scheme: ClassVar[str]

    def __init__(self, dimension: int, metric: str) -> None:
        if metric not in METRICS:
            raise ConfigError(f"unknown metric {metric!r:.60}; known are {', '.join(METRICS)}")
        self.dimension, self.metric = dimension, metric
        self._guard = threading.Lock()
        self._index: VectorIndex | None = None

    @property
    def index(self) -> VectorIndex:
        """The index of memwell, opened if it is not."""
        with self._guard:
            if self._index is None:
                options = {"dimension": self.dimension, "metric": METRICS[self.metric], **self._options()}
                self._index = open_index(f"{self.scheme}://{self._place()}?{urlencode(options)}")
            return self._index

    def upsert(self, *, id: str, vector: Sequence[float], metadata: Mapping[str, Any] | None = None) -> bool:
        """See `VectorStoreProvider.upsert`. Raises `EmbeddingError` for another dimension."""
        numbers = self._vector(vector)
        fields = {"metadata": dict(metadata or {})}
        if self.metric == "cosine":
            fields[_LENGTH] = float(numpy().linalg.norm(numbers.astype("float64")))  # type: ignore[assignment]
        run(self.index, self.index.upsert([Point(id=str(id), vector=numbers, fields=fields)]))
        return True

    def search(
        self, *, vector: Sequence[float], top_k: int = 10, filter: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """See `VectorStoreProvider.search`."""
        index = self.index
        matches = run(index, index.search(self._vector(vector), limit=top_k, where=_where(filter)))
        fields = run(index, index.fields([match.id for match in matches]))
        return [
            {"id": match.id, "score": match.similarity, "metadata": dict(fields[match.id]["metadata"])}
            for match in matches
            if match.id in fields  # another process may have removed it meanwhile
        ]

    def delete(self, id: str) -> bool:
        """See `VectorStoreProvider.delete`."""
        held = bool(run(self.index, self.index.fields([str(id)])))
        run(self.index, self.index.delete([str(id)]))
        return held

    def get(self, id: str) -> dict[str, Any] | None:
        """See `VectorStoreProvider.get`. The numbers of the vector are exact to six digits."""
        vectors = run(self.index, self.index.vectors([str(id)]))
        fields = run(self.index, self.index.fields([str(id)]))
        if str(id) not in vectors or str(id) not in fields:
            return None
        held = fields[str(id)]
        numbers = (float(f"{float(number) * held.get(_LENGTH, 1.0):.6g}") for number in vectors[str(id)])
        return {"id": str(id), "vector": list(numbers), "metadata": dict(held["metadata"])}

    def health_check(self) -> bool:
        """See `VectorStoreProvider.health_check`."""
        return answers(self.index)

    def close(self) -> None:
        """Close the connections. A later call opens them again."""
        with self._guard:
            index, self._index = self._index, None
        if index is not None:
            run(index, index.close())

    def _place(self) -> str:
        """The URL behind the scheme."""
        return ""

    def _options(self) -> dict[str, Any]:
        """Options of the URL."""
        return {}

    def _vector(self, values: Sequence[float]) -> Vectors:
        try:
            found: Vectors = numpy().asarray(values, dtype="float32")
        except (TypeError, ValueError) as error:
            raise EmbeddingError("a vector is a list of numbers") from error
        return found


class InMemoryVectorStore(_IndexStore):
    """In the memory of this process, for development and tests. The first vector gives the dimension."""

    scheme = "exact"

    def __init__(self, dimension: int | None = None, *, metric: str = "cosine") -> None:
        super().__init__(dimension or 0, metric)

    def upsert(self, *, id: str, vector: Sequence[float], metadata: Mapping[str, Any] | None = None) -> bool:
        """See `VectorStoreProvider.upsert`."""
        self.dimension = self.dimension or len(vector)
        return super().upsert(id=id, vector=vector, metadata=metadata)

    def search(
        self, *, vector: Sequence[float], top_k: int = 10, filter: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """See `VectorStoreProvider.search`."""
        return super().search(vector=vector, top_k=top_k, filter=filter) if self.dimension else []

    def delete(self, id: str) -> bool:
        """See `VectorStoreProvider.delete`."""
        return self.dimension > 0 and super().delete(id)

    def get(self, id: str) -> dict[str, Any] | None:
        """See `VectorStoreProvider.get`."""
        return super().get(id) if self.dimension else None

    def health_check(self) -> bool:
        """See `VectorStoreProvider.health_check`."""
        return not self.dimension or super().health_check()


class PineconeVectorStore(_IndexStore):
    """An index of Pinecone. Its host is asked for by its name, unless `host` is given.

    - `api_key`: by default `PINECONE_API_KEY`.
    - `environment`: cloud and region, such as `aws/us-east-1`, where the index is created if there is none of this
      name; by default `PINECONE_ENVIRONMENT`. Without it, a missing index is an error.
    """

    scheme = "pinecone"

    def __init__(
        self,
        index_name: str,
        dimension: int = 1536,
        metric: str = "cosine",
        api_key: str | None = None,
        environment: str | None = None,
        *,
        host: str | None = None,
        namespace: str = "",
    ) -> None:
        super().__init__(dimension, metric)
        self.index_name, self._namespace, self._host = index_name, namespace, host
        self._key = api_key or os.environ.get("PINECONE_API_KEY")
        self._environment = environment or os.environ.get("PINECONE_ENVIRONMENT")
        if not self._key:
            raise ConfigError("Pinecone needs an API key: set PINECONE_API_KEY, or pass api_key=")

    def _place(self) -> str:
        from memwell.compat.memoric.providers.pinecone_names import host_of

        host = self._host or host_of(
            self.index_name, self._key, self.dimension, self.metric, self._environment
        )
        return f":{quote(str(self._key), safe='')}@{host.rpartition('://')[2].rstrip('/')}"

    def _options(self) -> dict[str, Any]:
        return {"namespace": self._namespace}


class _Served(_IndexStore):
    """A collection on a server with an address and, perhaps, an API key."""

    default: ClassVar[str]

    def __init__(
        self,
        collection_name: str,
        dimension: int = 1536,
        url: str | None = None,
        api_key: str | None = None,
        *,
        metric: str = "cosine",
    ) -> None:
        super().__init__(dimension, metric)
        self.collection_name, self.url, self._key = (
            collection_name,
            self.default if url is None else url,
            api_key,
        )

    def _place(self) -> str:
        if "://" not in self.url:
            return self.url
        parts = urlsplit(self.url)
        login = f":{quote(self._key, safe='')}@" if self._key else ""
        return f"{login}{parts.netloc}{parts.path.rstrip('/')}"

    def _options(self) -> dict[str, Any]:
        secure = {"https": "true"} if urlsplit(self.url).scheme == "https" else {}
        return {"collection": self.collection_name, **secure}


class QdrantVectorStore(_Served):
    """A collection of a Qdrant server; or `url=":memory:"`, or the path of a folder, `url="/data/qdrant"`."""

    scheme = "qdrant"
    default = "http://localhost:6333"


class WeaviateVectorStore(_Served):
    """A collection of a Weaviate server; the port for gRPC is 50051 unless `grpc_port` says otherwise."""

    scheme = "weaviate"
    default = "http://localhost:8080"

    def __init__(self, *args: Any, grpc_port: int | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._grpc = {} if grpc_port is None else {"grpc_port": grpc_port}

    def _options(self) -> dict[str, Any]:
        return {**super()._options(), **self._grpc}


class ChromaVectorStore(_Served):
    """A collection of a Chroma server; or `url=""` in memory, or the path of a folder, `url="/data/chroma"`."""

    scheme = "chroma"
    default = "http://localhost:8000"


def _where(filter: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """memwell's filter for metadata."""
    return _named(filter) if filter else None


def _named(filter: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in filter.items():
        if key in ("$and", "$or"):
            found[key] = [_named(part) for part in value]
        elif key == "$not":
            found[key] = _named(value)
        else:
            found[f"metadata.{key}"] = value
    return found
