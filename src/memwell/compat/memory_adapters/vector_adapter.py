"""Embeddings in the vector index that the configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from memwell._forks import ForkSafeLock
from memwell.compat.memory_adapters.base import EmbeddingAdapter, Json
from memwell.compat.memory_adapters.embeddings import (
    Embeddings,
    IndexedEmbeddings,
    KeyValueMetadata,
    TableEmbeddings,
)
from memwell.compat.memory_adapters.settings import LOCAL, METRICS, VECTOR, checked, index_url
from memwell.engine.metadata import check_metadata
from memwell.errors import ConfigError, EmbeddingError, InvalidInput
from memwell.ports import KeyValue
from memwell.ports.arrays import Vectors, numpy
from memwell.registry import known, open_index, open_keyvalue
from memwell.runs.values import checked_id
from memwell.wrappers import NamespacedIndex

if TYPE_CHECKING:
    from memwell.compat.memory_adapters.tables import Tables

__all__ = ["VectorMemoryAdapter"]

TABLE: Final = "postgres"
"""The backend that is the table `vector_embeddings`."""


class VectorMemoryAdapter(EmbeddingAdapter):
    """See `settings.VECTOR` for the configuration.

    - `backend`: `placeholder` (exact search), `faiss`, `pinecone`, `weaviate`, `qdrant`, `chroma`, `elasticsearch`, or
      `postgres`. With PostgreSQL, `placeholder` is the same as `postgres`.
    - `tables`: those of the PostgreSQL adapter; `vector_embeddings` then has every embedding with its metadata.
    - `keyvalue`: gives the part that keeps the metadata otherwise.
    - `path`: the SQLite file beside which indexes of this process have their file; they are in memory without it.

    A score is the cosine, the inner product (`dotproduct`), or `1 - distance² / 2` (`euclidean`): the greater, the
    nearer.
    """

    name = "vector"

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        tables: Tables | None = None,
        keyvalue: Callable[[], KeyValue] | None = None,
        path: str | None = None,
    ) -> None:
        self.config = checked("vector_config", config, VECTOR)
        self._tables, self._path = tables, path
        own = open_keyvalue("memory://")
        self._keyvalue = keyvalue or (lambda: own)
        self._guard = ForkSafeLock()
        self._opened: Embeddings | None = None
        self._check()

    @property
    def backend(self) -> str:
        """The backend that is really used."""
        given = str(self.config["backend"])
        return TABLE if given == "placeholder" and self._tables is not None else given

    @property
    def embeddings(self) -> Embeddings:
        """The index or table; opened if it is not."""
        with self._guard:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def connect(self) -> None:
        """See `BaseMemoryAdapter.connect`. An index in a file is opened at its first use: only one process can."""
        if not self._resting:
            self.embeddings.ping()

    def disconnect(self) -> None:
        """See `BaseMemoryAdapter.disconnect`. An index in a file is saved."""
        with self._guard:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def health(self) -> Json:
        """See `BaseMemoryAdapter.health`."""
        self.connect()
        names = ("dimension", "metric", "namespace")
        return {"backend": self.backend, **{name: self.config[name] for name in names}}

    def stats(self) -> Json:
        """`total_embeddings` of the namespace (`None`: it is in a file that is not open here), and its dimension."""
        total = None if self._resting else self.embeddings.count()
        return {"total_embeddings": total, "dimension": self.config["dimension"]}

    def index_embedding(
        self, id: str, embedding: Sequence[float], metadata: Mapping[str, Any] | None
    ) -> None:
        """See `EmbeddingAdapter.index_embedding`. Raises `EmbeddingError` for another dimension."""
        vector = self._vector(embedding)
        self.embeddings.save(checked_id("id", id), vector, check_metadata(metadata or {}))

    def query_embeddings(
        self, query_embedding: Sequence[float], top_k: int, filter_metadata: Mapping[str, Any] | None
    ) -> list[Json]:
        """See `EmbeddingAdapter.query_embeddings`."""
        if isinstance(top_k, bool) or not isinstance(top_k, int) or not 0 < top_k < 2**31:
            raise InvalidInput("top_k must be a whole number of at least 1")
        vector = self._vector(query_embedding)
        return self.embeddings.search(vector, top_k, check_metadata(filter_metadata or {}))

    def delete_embedding(self, id: str) -> bool:
        """See `EmbeddingAdapter.delete_embedding`."""
        return self.embeddings.remove(checked_id("id", id))

    @property
    def _resting(self) -> bool:
        """Whether it is an index in a file that is not open here."""
        return self._opened is None and self._path is not None and self.backend in LOCAL

    def _check(self) -> None:
        config, names = self.config, {*known("indexes"), "placeholder", TABLE}
        if config["backend"] not in names:
            raise ConfigError(
                f"unknown backend {config['backend']!r:.60}; known are {', '.join(sorted(names))}"
            )
        if config["metric"] not in METRICS:
            raise ConfigError(f"unknown metric {config['metric']!r:.60}; known are {', '.join(METRICS)}")
        if config["backend"] == TABLE and self._tables is None:
            raise ConfigError("the backend 'postgres' needs postgres_config")
        size = config["dimension"]
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"dimension is a whole number of at least 1, not {size!r:.60}")
        checked_id("namespace", config["namespace"])

    def _open(self) -> Embeddings:
        namespace = self.config["namespace"]
        table = (
            None if self._tables is None else TableEmbeddings(self._tables, namespace, self.config["metric"])
        )
        if table is not None and self.backend == TABLE:
            return table
        index = open_index(index_url(self.config, self._path))
        if index.capabilities.durable and table is None and self._keyvalue().part == "memory":
            raise ConfigError(
                f"the backend {self.backend!r} outlives this process, and the metadata must, too: give path=,"
                " redis_config or postgres_config"
            )
        if self.backend in (*LOCAL, "chroma"):
            index = NamespacedIndex(index, namespace)
        return IndexedEmbeddings(index, table or KeyValueMetadata(self._keyvalue, namespace))

    def _vector(self, values: Sequence[float]) -> Vectors:
        np = numpy()
        try:
            vector: Vectors = np.asarray(values, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise EmbeddingError("an embedding is a list of numbers") from error
        if vector.shape != (self.config["dimension"],):
            raise EmbeddingError(
                f"an embedding has dimension {self.config['dimension']} here, not the shape {vector.shape}"
            )
        if not np.isfinite(vector).all():
            raise EmbeddingError("an embedding holds NaN or infinity; embed the text again")
        return vector
