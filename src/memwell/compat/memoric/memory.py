"""`Memory`, the newer and smaller class of Memoric: the memories of one user."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal, Self

from memwell import Memory as _Memory
from memwell.compat.labels import level_of
from memwell.compat.memoric.providers.embeddings import LocalEmbedding, OpenAIEmbedding
from memwell.compat.memoric.providers.interfaces import EmbeddingProvider, VectorStoreProvider
from memwell.compat.memoric.providers.vector_stores import PineconeVectorStore, QdrantVectorStore
from memwell.compat.memoric.shapes import id_of, new_id, row_of, shown_id
from memwell.compat.shapes import arguments_of
from memwell.errors import ConfigError, InvalidInput, NotFound, shown
from memwell.types import NewMemory, Owner, Record

__all__ = ["Memory"]

log = logging.getLogger("memwell.compat.memoric")

_STORES: Final = {"pinecone": PineconeVectorStore, "qdrant": QdrantVectorStore}
_SEMANTIC: Final = 0.6
"""What meaning counts beside words, if a vector store finds it."""
_PAGE: Final = 1000


class Memory:
    """The memories of `user_id` in a SQLite file.

    - `db_path`: the file, or a URL of memwell; by default `memoric.db`.
    - `vector_store`: `pinecone` or `qdrant` with the arguments in `vector_store_config`, or a `VectorStoreProvider`. It
      finds by meaning, which counts 60 %, and words 40 %. Without one, memwell's recall does both.
    - `embedding`: makes the vectors for it; by default OpenAI if `OPENAI_API_KEY` is set, else the local model.

    A vector store that fails is logged, and memories are found by words alone. Raises `ConfigError`.
    """

    def __init__(
        self,
        *,
        user_id: str = "default",
        db_path: str | os.PathLike[str] | None = None,
        vector_store: str | VectorStoreProvider | None = None,
        vector_store_config: Mapping[str, Any] | None = None,
        embedding: EmbeddingProvider | None = None,
    ) -> None:
        self.user_id = user_id
        self.vector_store = _store_of(vector_store, vector_store_config or {})
        self._embedding = embedding
        self._memory = _Memory(
            "memoric.db" if db_path is None else db_path,
            embedder=None if self.vector_store else "auto",
        )

    def add(
        self,
        content: str,
        *,
        thread_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        importance: str | float | None = None,
    ) -> int:
        """Store a memory and return its id. `importance` is low, medium, high, critical, or a number of 0..1."""
        arguments = arguments_of(metadata)
        if importance is not None:
            number = level_of(importance) if isinstance(importance, str) else importance
            arguments["importance"] = number
        new = NewMemory(content=content, id=new_id(), created_at=datetime.now(UTC), **arguments)
        record = self._memory.remember(new, on_echo="store", **self._owner(thread_id))
        self._index(record)
        return int(record.id)

    def search(
        self, query: str, *, thread_id: str | None = None, limit: int = 5, min_relevance: float = 0.0
    ) -> list[dict[str, Any]]:
        """The memories that answer a question best, with their `relevance` of 0..1."""
        hits = self._memory.recall(query, limit=max(limit, 1), **self._owner(thread_id))
        relevances = {hit.id: hit.score for hit in hits}
        records = {hit.id: hit.record for hit in hits}
        if self.vector_store is not None:
            relevances, records = self._with_meaning(query, thread_id, limit, relevances, records)
        best = sorted(relevances, key=lambda id: -relevances[id])[:limit]
        found = [{**row_of(records[id]), "relevance": relevances[id]} for id in best]
        return [row for row in found if row["relevance"] >= min_relevance]

    def get_context(
        self,
        query: str,
        *,
        thread_id: str | None = None,
        max_memories: int = 10,
        format: Literal["text", "json"] = "text",
    ) -> Any:
        """What is known about a question: as text, a line for each memory, or the list of `search`."""
        if format not in ("text", "json"):
            raise InvalidInput(f"format is text or json, not {shown(format)}")
        found = self.search(query, thread_id=thread_id, limit=max_memories)
        return found if format == "json" else "\n".join(f"- {row['content']}" for row in found)

    def get_thread(self, thread_id: str, limit: int = 50) -> list[dict[str, Any]]:
        """The latest memories of a thread, oldest first."""
        page = self._memory.list(limit=limit, **self._owner(thread_id))
        return [row_of(record) for record in reversed(page.records)]

    def delete(self, id: int | str) -> bool:
        """Remove a memory of this user; whether there was one."""
        removed = bool(self._memory.forget([id_of(id)], user_id=self.user_id))
        if removed:
            self._unindex([id_of(id)])
        return removed

    def clear(self, thread_id: str | None = None) -> int:
        """Remove the memories of a thread, or all of this user; return how many there were."""
        done = 0
        while ids := [one.id for one in self._memory.list(limit=_PAGE, **self._owner(thread_id)).records]:
            done += len(self._memory.forget(ids, user_id=self.user_id))
            self._unindex(ids)
        return done

    def stats(self) -> dict[str, Any]:
        """`user_id`, `total_memories`, `threads`, `oldest` and `newest`, and whether there is a vector store."""
        found = self._memory.stats(user_id=self.user_id)
        return {
            "user_id": self.user_id,
            "total_memories": found.records,
            "threads": found.sessions,
            "oldest": found.oldest,
            "newest": found.newest,
            "vector_store": None if self.vector_store is None else type(self.vector_store).__name__,
        }

    def close(self) -> None:
        """Close the file."""
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def embedding(self) -> EmbeddingProvider:
        """What makes vectors for the vector store."""
        if self._embedding is None:
            self._embedding = OpenAIEmbedding() if os.environ.get("OPENAI_API_KEY") else LocalEmbedding()
        return self._embedding

    def _owner(self, thread_id: str | None) -> Owner:
        return {"user_id": self.user_id, "session_id": thread_id}

    def _index(self, record: Record) -> None:
        if self.vector_store is None:
            return
        metadata = {"user_id": self.user_id, "thread_id": record.session_id}
        try:
            vector = self.embedding.embed(record.content)
            self.vector_store.upsert(id=record.id, vector=vector, metadata=metadata)
        except Exception as error:  # noqa: BLE001  # a provider of the user's may raise anything
            log.warning("memory %s is found by words alone: %s", shown_id(record.id), error)

    def _unindex(self, ids: list[str]) -> None:
        for id in ids if self.vector_store else ():
            try:
                assert self.vector_store is not None
                self.vector_store.delete(id)
            except Exception as error:  # noqa: BLE001  # as above
                log.warning("the vector of memory %s is still there: %s", shown_id(id), error)

    def _with_meaning(
        self,
        query: str,
        thread_id: str | None,
        limit: int,
        words: dict[str, float],
        records: dict[str, Record],
    ) -> tuple[dict[str, float], dict[str, Record]]:
        """Relevance by meaning and words. An id that the vector store knows and the file does not is left out."""
        assert self.vector_store is not None
        wanted = {"user_id": self.user_id, **({} if thread_id is None else {"thread_id": thread_id})}
        try:
            vector = self.embedding.embed(query)
            near = self.vector_store.search(vector=vector, top_k=3 * limit, filter=wanted)
        except Exception as error:  # noqa: BLE001  # as above
            log.warning("memories are found by words alone: %s", error)
            return words, records
        meaning = {str(one["id"]): min(max(float(one["score"]), 0.0), 1.0) for one in near}
        known = {**records}
        for id in meaning.keys() - records.keys():
            try:
                known[id] = self._memory.get(id, **self._owner(thread_id))
            except NotFound:
                continue
        return {
            id: _SEMANTIC * meaning.get(id, 0.0) + (1 - _SEMANTIC) * words.get(id, 0.0) for id in known
        }, known


def _store_of(given: object, config: Mapping[str, Any]) -> VectorStoreProvider | None:
    if given is None or isinstance(given, VectorStoreProvider):
        return given
    if not isinstance(given, str) or given not in _STORES:
        raise ConfigError(
            f"vector_store is {', '.join(_STORES)} or a VectorStoreProvider, not {shown(given)}"
        )
    try:
        made: VectorStoreProvider = _STORES[given](**config)
    except TypeError as error:
        raise ConfigError(f"vector_store_config of {given}: {error}") from error
    return made
