"""`Memoric`: its interface over a `memwell.Memory`. One memory is one record; a thread is memwell's session."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from memwell import Memory
from memwell.compat.memoric import config as configuration
from memwell.compat.memoric.context import ContextAssembler, Format
from memwell.compat.memoric.metadata import MetadataAgent
from memwell.compat.memoric.policies import PolicyExecutor
from memwell.compat.memoric.retriever import Retriever
from memwell.compat.memoric.scoring import WRITE_WEIGHTS, ScoringEngine
from memwell.compat.memoric.shapes import new_id, shown_id
from memwell.compat.memoric.storage_context import MemoricStorageContext
from memwell.compat.memoric.tiers import rules_of, tier_for
from memwell.compat.shapes import arguments_of
from memwell.errors import InvalidInput
from memwell.types import NewMemory
from memwell.urls import shown as masked

__all__ = ["Memoric"]

log = logging.getLogger("memwell.compat.memoric")

_WRITE = ScoringEngine(weights=WRITE_WEIGHTS, decay_days=30)


class Memoric:
    """Memory for agents. Without arguments, it is in the SQLite file `memoric.db`.

    - `config_path`: a YAML file; `overrides`: the same as a mapping, which wins. See `memwell.compat.memoric.config`.

    Nothing is opened before the first call; `initialize` does it at once. May be used by several threads. Raises
    `ConfigError` for a configuration that cannot be used.
    """

    def __init__(
        self,
        *,
        config_path: str | os.PathLike[str] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = configuration.load(config_path, overrides)
        self.assembler = ContextAssembler()
        self.scoring = ScoringEngine.from_config(self.config["scoring"])
        self.metadata_agent = MetadataAgent(**self.config["metadata"])
        self._lock = threading.Lock()
        self._memory: Memory | None = None

    @property
    def memory(self) -> Memory:
        """memwell's memory behind it, opened if it is not."""
        with self._lock:
            if self._memory is None:
                config = self.config
                self._memory = Memory(
                    configuration.url_of(config),
                    embedder=config["integrations"]["embedder"],
                    index=config["integrations"]["vector_db"],
                    encryption=configuration.keyring_of(config),
                    policies=rules_of(config),
                )
            return self._memory

    @property
    def retriever(self) -> Retriever:
        """What `retrieve` asks."""
        return Retriever(self.memory, self.config, self.scoring)

    def initialize(self) -> None:
        """Open the database. Raises `Unavailable` or `ConfigError` if that fails."""
        self.memory.count()

    def save(
        self,
        *,
        user_id: str,
        content: str | None = None,
        thread_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        namespace: str | None = None,
        message: str | None = None,
        role: str | None = None,
    ) -> int:
        """Store a memory and return its id. `message` is another name of `content`.

        What `metadata` say wins over what is found in the text. Raises `InvalidInput`, a `ValueError`, without content.
        """
        text = message if content is None else content
        if text is None:
            raise InvalidInput("save needs content, or message")
        given = {**(metadata or {}), **({} if role is None else {"role": role})}
        if session_id is not None:
            given["session_id"] = session_id
        found = {**self.metadata_agent.extract(text), **given}
        arguments = arguments_of(found)
        if "importance" in found:
            arguments["metadata"]["importance"] = found["importance"]
        new = NewMemory(
            content=text,
            id=new_id(),
            user_id=user_id,
            session_id=thread_id,
            namespace=namespace or self.config["privacy"]["default_namespace"],
            tier=tier_for(self.config, _WRITE.compute({"metadata": found})),
            created_at=datetime.now(UTC),
            **arguments,
        )
        record = self.memory.remember(new, on_echo="store")
        return int(record.id)

    def retrieve(
        self,
        *,
        user_id: str | None = None,
        thread_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
        scope: str | None = None,
        top_k: int | None = None,
        namespace: str | None = None,
        session_id: str | None = None,
        query: str | None = None,
        max_results: int | None = None,
    ) -> list[dict[str, Any]]:
        """Memories with their `_score`, 0..100, the best first. `max_results` is another name of `top_k`.

        - `scope`: `thread` (the thread, if one is given), `topic` (all threads that hold the topic of the filter, or of
          the thread), `user` (all threads of the user) or `global` (all users).
        - `metadata_filter`: what the metadata contain; mappings at every level, lists as subsets.
        - `namespace` counts if `privacy.allow_shared_namespace` is set.
        """
        wanted = dict(metadata_filter or {})
        if session_id is not None:
            wanted["session_id"] = session_id
        return self.retriever.search(
            user_id=user_id,
            thread_id=thread_id,
            metadata_filter=wanted,
            scope=scope,
            top_k=max_results if top_k is None else top_k,
            namespace=namespace,
            query=query,
        )

    def retrieve_context(
        self,
        *,
        user_id: str | None = None,
        thread_id: str | None = None,
        format_type: Format = "structured",
        include_scores: bool = False,
        scope: str | None = None,
        **narrowing: Any,
    ) -> dict[str, Any]:
        """The memories of the thread, and related ones of other threads, as context; see `ContextAssembler`. The other
        arguments are those of `retrieve`; `scope` says where related memories are looked for.
        """
        thread: list[dict[str, Any]] = []
        if thread_id is not None:
            thread = self.retrieve(user_id=user_id, thread_id=thread_id, scope="thread", **narrowing)
        wider = "user" if scope in (None, "thread") else scope
        found = self.retrieve(user_id=user_id, thread_id=thread_id, scope=wider, **narrowing)
        related = [row for row in found if thread_id is None or row["thread_id"] != thread_id]
        return self.assembler.assemble(
            thread,
            related,
            thread_id=thread_id,
            user_id=user_id,
            format_type=format_type,
            include_scores=include_scores,
        )

    def run_policies(self) -> dict[str, Any]:
        """Move memories from tier to tier, trim and summarise them, build clusters, and return what was done."""
        return PolicyExecutor(self.memory, self.config).run()

    def inspect(self) -> dict[str, Any]:
        """The configuration without secrets, and how many memories each tier has."""
        config = configuration.merged(self.config, {})
        config["database"]["dsn"] = masked(configuration.url_of(self.config))
        if config["integrations"]["vector_db"]:
            config["integrations"]["vector_db"] = masked(config["integrations"]["vector_db"])
        for section, name in (("privacy", "encryption_key"), ("metadata", "api_key")):
            config[section][name] = "…" if config[section][name] else None
        executor = PolicyExecutor(self.memory, self.config)
        return {"config": config, "db_table": "memories", "counts_by_tier": executor.by_tier()}

    def rebuild_clusters(self, user_id: str) -> int:
        """How many clusters the user has. They are made from the memories in each call, and never out of date."""
        return self.memory.rebuild_clusters(by="topic+category", user_id=user_id)

    def get_topic_clusters(
        self, user_id: str, topic: str | None = None, category: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The clusters of a user's memories by topic and category, the largest first."""
        found = self.memory.clusters(
            by="topic+category",
            min_size=self.config["clustering"]["min_cluster_size"],
            topic=topic,
            category=category,
            limit=limit,
            user_id=user_id,
        )
        return [
            {
                "cluster_id": one.id,
                "user_id": one.user_id,
                "topic": one.topic,
                "category": one.category,
                "memory_ids": [shown_id(id) for id in one.memory_ids],
                "summary": one.summary,
                "created_at": one.created_at,
                "last_built_at": one.built_at,
            }
            for one in found
        ]

    def as_storage_context(self) -> MemoricStorageContext:
        """The same as a store of documents."""
        return MemoricStorageContext(self)

    def close(self) -> None:
        """Close the database. A later call opens it again."""
        with self._lock:
            memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
