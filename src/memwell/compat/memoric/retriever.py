"""Which memories `retrieve` finds: scopes, namespaces, filters, and the order."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from memwell import Memory, filters
from memwell.compat.memoric.config import SCOPES
from memwell.compat.memoric.scoring import ScoringEngine
from memwell.compat.memoric.shapes import row_of, where_of
from memwell.errors import InvalidInput, shown
from memwell.retrieval.ranking.strategies import Strategy, to_100
from memwell.types import Record

__all__ = ["Retriever"]

log = logging.getLogger("memwell.compat.memoric")

_PAGE: Final = 1000
Owner = dict[str, Any]


class Retriever:
    """Finds and scores the memories of a `Memory`.

    With a query they are ordered by how well they answer it (0.7), by recency (0.2) and importance (0.1); without one
    by Memoric's score.
    """

    def __init__(self, memory: Memory, config: Mapping[str, Any], scoring: ScoringEngine) -> None:
        self._memory, self._config, self._scoring = memory, config, scoring
        days = config["scoring"]["decay_days"]
        self._strategy = Strategy(relevance=0.7, recency=0.2, importance=0.1, linear=days)

    def search(
        self,
        *,
        user_id: str | None,
        thread_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
        scope: str | None = None,
        top_k: int | None = None,
        namespace: str | None = None,
        query: str | None = None,
    ) -> list[dict[str, Any]]:
        """The best memories, as rows with a `_score` of 0..100. Raises `InvalidInput`."""
        limit = self._config["recall"]["default_top_k"] if top_k is None else top_k
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidInput(f"top_k is a whole number of at least 1, not {shown(limit)}")
        owner, where = self._narrowed(user_id, thread_id, metadata_filter, scope, namespace)
        found = self._listed(owner, where) if query is None else self._recalled(query, owner, where, limit)
        return heapq.nlargest(limit, found, key=lambda row: row["_score"])

    def _narrowed(
        self,
        user_id: str | None,
        thread_id: str | None,
        metadata_filter: Mapping[str, Any] | None,
        scope: str | None,
        namespace: str | None,
    ) -> tuple[Owner, dict[str, Any] | None]:
        """The scope in memwell, and the filter."""
        scope = scope or self._config["recall"]["scope"]
        if scope not in SCOPES:
            raise InvalidInput(f"scope is one of {', '.join(SCOPES)}, not {shown(scope)}")
        if scope != "global" and user_id is None and self._config["privacy"]["enforce_user_scope"]:
            raise InvalidInput("retrieve needs a user_id; scope='global' reads the memories of all users")
        if scope == "global" and user_id is not None:
            log.warning("scope='global' reads the memories of all users, not only those of user_id")
        shared = self._config["privacy"]["allow_shared_namespace"]
        owner: Owner = {
            "user_id": None if scope == "global" else user_id,
            "session_id": thread_id if scope == "thread" else None,
            "namespace": (namespace or self._config["privacy"]["default_namespace"]) if shared else None,
        }
        if scope == "topic":
            return owner, self._of_topic(owner, thread_id, dict(metadata_filter or {}))
        return owner, where_of(metadata_filter)

    def _of_topic(self, owner: Owner, thread_id: str | None, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """A filter for all memories of the threads that hold a topic: the one asked, or those of a thread."""
        if "topic" in wanted:
            topics = {wanted.pop("topic")}
        elif thread_id is not None:
            records = _walk(self._memory, {**owner, "session_id": thread_id})
            topics = {record.metadata.get("topic") for record in records} - {None}
        else:
            raise InvalidInput("scope='topic' needs metadata_filter={'topic': …} or a thread_id")
        held = {"metadata.topic": {"$in": sorted(map(str, topics))}}
        threads = {record.session_id for record in _walk(self._memory, owner, held)} - {None}
        conditions: list[dict[str, Any]] = [
            {"$or": [held, {"session_id": {"$in": sorted(map(str, threads))}}]}
        ]
        rest = where_of(wanted)
        return {"$and": [*conditions, *([rest] if rest else [])]}

    def _recalled(
        self, query: str, owner: Owner, where: Mapping[str, Any] | None, limit: int
    ) -> Iterator[dict[str, Any]]:
        superseded: Any = "show" if self._config["recall"]["include_summarized"] else "hide"
        hits = self._memory.recall(
            query, where=where, limit=limit, strategy=self._strategy, superseded=superseded, **owner
        )
        for hit in hits:
            row = row_of(hit.record, summarized=hit.superseded_by is not None)
            yield {**row, "_score": to_100(hit.score)}

    def _listed(self, owner: Owner, where: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
        records = list(_walk(self._memory, owner))
        hidden = {link.target for record in records for link in record.links if link.kind == "supersedes"}
        node = filters.parse(where or {})
        for record in records:
            summarized = record.id in hidden
            if summarized and not self._config["recall"]["include_summarized"]:
                continue
            if filters.matches(record, node):
                row = row_of(record, summarized=summarized)
                yield {**row, "_score": self._scoring.compute(row)}


def _walk(memory: Memory, owner: Owner, where: Mapping[str, Any] | None = None) -> Iterator[Record]:
    """All memories of a scope, the newest first."""
    cursor = None
    while True:
        page = memory.list(limit=_PAGE, cursor=cursor, where=where, **owner)
        yield from page.records
        cursor = page.cursor
        if cursor is None:
            return
