"""A `Memoric` as a store of documents, as LlamaIndex knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memwell.compat.memoric.memory_manager import Memoric

__all__ = ["MemoricStorageContext"]


class MemoricStorageContext:
    """Stores documents as memories, and finds them again."""

    def __init__(self, memoric: Memoric) -> None:
        self.memoric = memoric

    def store_document(
        self,
        content: str,
        *,
        user_id: str,
        thread_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Store a document and return its id."""
        return self.memoric.save(user_id=user_id, content=content, thread_id=thread_id, metadata=metadata)

    def retrieve_documents(
        self, query: str | None = None, *, user_id: str, top_k: int | None = None, **narrowing: Any
    ) -> list[dict[str, Any]]:
        """Documents as `id`, `text`, `metadata` and `score` (0..100), the best first. See `Memoric.retrieve`."""
        rows = self.memoric.retrieve(user_id=user_id, query=query, top_k=top_k, **narrowing)
        return [
            {"id": row["id"], "text": row["content"], "metadata": row["metadata"], "score": row["_score"]}
            for row in rows
        ]

    def as_dict(self) -> dict[str, Any]:
        """What it is, for a description of the program."""
        return {"type": "memoric", **self.memoric.inspect()}
