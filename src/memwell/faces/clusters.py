"""The methods that group memories and summarise them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwell.engine import requests
from memwell.engine.keywords import explain_keywords
from memwell.faces.base import AsyncFace, Face, audited, delegated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memwell.policies.clusters import By, Cluster
    from memwell.policies.model import Originals
    from memwell.policies.summaries import Summariser
    from memwell.types import Record

__all__ = ["AsyncClusters", "Clusters"]


@audited
@explain_keywords
class AsyncClusters(AsyncFace):
    """Clusters and summaries, with `await`."""

    async def clusters(
        self, *, by: By = "topic", min_size: int = 2, topic: str | None = None, category: str | None = None,
        threshold: float | None = None, limit: int = 100, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> list[Cluster]:  # fmt: skip
        """The memories of each user that are about the same, as clusters, the largest first. Each memory is in one,
        and none has memories of two users. Memories of kind `summary` are left out.

        - `by`: `"topic"`, `"category"` or `"topic+category"`: `topic` of the metadata and `category`, or what
          `memwell.enrich` reads from the text where they are missing. `"vectors"`: memories whose vectors are near to
          that of the one that leads the cluster; those without vectors by the terms that they share.
        - `min_size`: memories of a cluster at least; `limit`: how many clusters at most.
        - `topic`, `category`: only clusters of this topic or category, whatever the case.
        - `threshold`: the least cosine, by vectors; 0.5 by default, 0.3 for terms.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        By vectors the clusters of a user are those that `rebuild_clusters` stored, if it was called with the same
        threshold: a newer memory joins the nearest of them, or makes one of its own. Else, and for a scope that is
        narrower than a user, they are made in this call.
        """
        from memwell.engine import clusters

        request = requests.ClustersRequest(
            by=by, min_size=min_size, topic=topic, category=category, threshold=threshold, limit=limit,
            tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await clusters.clusters(self._engine, request)

    async def rebuild_clusters(
        self, *, by: By = "vectors", threshold: float | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> int:  # fmt: skip
        """Make the clusters of each user, store those by vectors for `clusters`, and return how many there are,
        those of one memory among them.

        - `by`, `threshold`: as for `clusters`. Clusters by topic and category are made in each call, so there is
          nothing to store: they are counted.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope. Clusters of a
          scope that is narrower than a user are counted, and not stored.

        Which memories belong together depends on them alone, not on the order in which they came. Stored are their ids,
        where receipts are kept (see `Receipts`): in the store, if it was opened by its URL.
        """
        from memwell.engine import clusters

        request = requests.RebuildClustersRequest(
            by=by, threshold=threshold, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await clusters.rebuild_clusters(self._engine, request)

    async def summarise(
        self, ids: Iterable[str] | None = None, *, characters: int = 1000, originals: Originals = "keep",
        summariser: Summariser | None = None, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> list[Record]:  # fmt: skip
        """Store a summary of memories, as a memory of kind `summary`, and return it: one for each user, conversation
        and 500 memories.

        - `ids`: the memories, such as `cluster.memory_ids`. By default the conversations (`session_id`) of the scope,
          each from where its last summary ends; nothing new: an empty list.
        - `characters`: the longest text.
        - `originals`: `"keep"` leaves the memories as they are, `"hide"` hides them from `recall` behind the summary,
          `"forget"` removes them.
        - `summariser`: a function of texts and the most characters that gives a summary, or a coroutine function, such
          as those of `memwell.policies.llm`. By default the most telling sentences are taken.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        The summary has a link `derived_from` to each source (`related(id, kind="derived_from")` finds either end from
        the other), and their ids in the metadata `sources`. The same memories again give the stored summary. Raises
        `NotFound` for an id that is not in the scope, and `Conflict` if a memory changes meanwhile.
        """
        from memwell.engine import summarising

        request = requests.SummariseRequest(
            ids=ids, characters=characters, originals=originals, summariser=summariser, tenant_id=tenant_id,
            user_id=user_id, agent_id=agent_id, session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await summarising.summarise(self._engine, request)


@explain_keywords
class Clusters(Face):
    """Clusters and summaries, without `await`. Its docstrings are those of `AsyncClusters`, copied by `make docs`."""

    _memory: AsyncClusters

    @delegated
    def clusters(
        self, *, by: By = "topic", min_size: int = 2, topic: str | None = None, category: str | None = None,
        threshold: float | None = None, limit: int = 100, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> list[Cluster]:  # fmt: skip
        """The memories of each user that are about the same, as clusters, the largest first. Each memory is in one,
        and none has memories of two users. Memories of kind `summary` are left out.

        - `by`: `"topic"`, `"category"` or `"topic+category"`: `topic` of the metadata and `category`, or what
          `memwell.enrich` reads from the text where they are missing. `"vectors"`: memories whose vectors are near to
          that of the one that leads the cluster; those without vectors by the terms that they share.
        - `min_size`: memories of a cluster at least; `limit`: how many clusters at most.
        - `topic`, `category`: only clusters of this topic or category, whatever the case.
        - `threshold`: the least cosine, by vectors; 0.5 by default, 0.3 for terms.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        By vectors the clusters of a user are those that `rebuild_clusters` stored, if it was called with the same
        threshold: a newer memory joins the nearest of them, or makes one of its own. Else, and for a scope that is
        narrower than a user, they are made in this call.
        """

    @delegated
    def rebuild_clusters(
        self, *, by: By = "vectors", threshold: float | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> int:  # fmt: skip
        """Make the clusters of each user, store those by vectors for `clusters`, and return how many there are,
        those of one memory among them.

        - `by`, `threshold`: as for `clusters`. Clusters by topic and category are made in each call, so there is
          nothing to store: they are counted.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope. Clusters of a
          scope that is narrower than a user are counted, and not stored.

        Which memories belong together depends on them alone, not on the order in which they came. Stored are their ids,
        where receipts are kept (see `Receipts`): in the store, if it was opened by its URL.
        """

    @delegated
    def summarise(
        self, ids: Iterable[str] | None = None, *, characters: int = 1000, originals: Originals = "keep",
        summariser: Summariser | None = None, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> list[Record]:  # fmt: skip
        """Store a summary of memories, as a memory of kind `summary`, and return it: one for each user, conversation
        and 500 memories.

        - `ids`: the memories, such as `cluster.memory_ids`. By default the conversations (`session_id`) of the scope,
          each from where its last summary ends; nothing new: an empty list.
        - `characters`: the longest text.
        - `originals`: `"keep"` leaves the memories as they are, `"hide"` hides them from `recall` behind the summary,
          `"forget"` removes them.
        - `summariser`: a function of texts and the most characters that gives a summary, or a coroutine function, such
          as those of `memwell.policies.llm`. By default the most telling sentences are taken.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        The summary has a link `derived_from` to each source (`related(id, kind="derived_from")` finds either end from
        the other), and their ids in the metadata `sources`. The same memories again give the stored summary. Raises
        `NotFound` for an id that is not in the scope, and `Conflict` if a memory changes meanwhile.
        """
