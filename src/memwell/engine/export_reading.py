"""What an export reads of a store, also of one with damaged rows: these are left out and named."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from memwell.engine.context import Engine
from memwell.engine.jsonl import LINE_LIMIT
from memwell.errors import Corrupt
from memwell.ports import Embedding, Store
from memwell.records.codec import dumps, embedding_to_json, record_to_json, version_to_json
from memwell.records.revisions import stored_versions
from memwell.types import Record, Scope

__all__ = ["Reader"]

log = logging.getLogger("memwell")

_EXCLUDED: Final = 100
"""How many ids one condition leaves out."""


class Reader:
    """The records of one scope, with their history and, if asked for, their vectors."""

    def __init__(self, engine: Engine, store: Store, scope: Scope) -> None:
        self._engine = engine
        self._store = store
        self._scope = scope
        self._models: list[str] = []
        self.unreadable: list[str] = []
        """Memories that are left out."""
        self._incomplete: list[str] = []
        """Memories whose history or vectors are left out, wholly or in part."""

    async def with_vectors(self) -> None:
        """Read vectors, too: those of the models that have some now."""
        self._models = list((await self._store.stats(self._scope, now=self._engine.clock())).embedded)

    async def page(self, after: str | None, limit: int) -> list[Record]:
        """Records in order of id. Those that cannot be read are left out once `check` has named them."""
        try:
            return await self._scan(after, limit)
        except Corrupt:
            known = set(self.unreadable)
            report = await self._store.check()
            ids = {problem.id for problem in report.problems if problem.kind == "corrupt" and problem.id}
            for id in sorted(ids - known):
                if await self._is_unreadable(id):
                    self.unreadable.append(id)
            if known == set(self.unreadable):
                raise
            return await self._scan(after, limit)

    async def _scan(self, after: str | None, limit: int) -> list[Record]:
        ids = self.unreadable
        parts = [{"id": {"$nin": ids[at : at + _EXCLUDED]}} for at in range(0, len(ids), _EXCLUDED)]
        return await self._store.scan(
            self._scope,
            now=self._engine.clock(),
            where={"$and": parts} if parts else None,
            order="id",
            limit=limit,
            after=None if after is None else (after, after),
        )

    async def _is_unreadable(self, id: str) -> bool:
        try:
            await self._store.get(self._scope, [id], now=self._engine.clock())
        except Corrupt:
            return True
        return False

    async def get(self, id: str) -> list[Record]:
        """The record with this id; none if it is gone or cannot be read."""
        try:
            return await self._store.get(self._scope, [id], now=self._engine.clock())
        except Corrupt:
            if id not in self.unreadable:
                self.unreadable.append(id)
            return []

    async def lines(self, records: Sequence[Record]) -> list[str]:
        """The line of each record, with its history and vectors."""
        vectors = await self._embeddings(records)
        found = []
        for record in records:
            line: dict[str, Any] = {"record": record_to_json(replace(record, links=()))}
            past = await self._past(record)
            if past:
                line["past"] = past
            if own := [embedding_to_json(model[record.id]) for model in vectors if record.id in model]:
                line["vectors"] = own
            try:
                found.append(self._fitting(line, record.id))
            except ValueError:  # a number that JSON does not have, as a damaged row may hold
                if record.id not in self.unreadable:
                    self.unreadable.append(record.id)
        return found

    async def _past(self, record: Record) -> list[dict[str, Any]]:
        if record.version == 1 or not self._store.capabilities.history:
            return []
        try:
            versions = await self._store.history(self._scope, record.id, now=self._engine.clock())
        except Corrupt:
            self._incomplete.append(record.id)
            return []
        return [version_to_json(version) for version in stored_versions(versions)]

    def _fitting(self, line: dict[str, Any], id: str) -> str:
        """The line as JSON; a history that makes it longer than an import takes loses its oldest versions."""
        text = dumps(line)
        while len(text.encode()) >= LINE_LIMIT and line.get("past"):
            line["past"] = line["past"][len(line["past"]) // 2 + 1 :]
            self._incomplete.append(id)
            text = dumps(line)
        return text

    async def _embeddings(self, records: Sequence[Record]) -> list[dict[str, Embedding]]:
        """For each model, id → vectors."""
        ids = [record.id for record in records]
        return [await self._of_model(model, ids) for model in self._models] if ids else []

    async def _of_model(self, model: str, ids: list[str]) -> dict[str, Embedding]:
        try:
            return await self._store.embeddings(self._scope, ids, model)
        except Corrupt:
            if len(ids) == 1:
                self._incomplete += ids
                return {}
            halves = ids[: len(ids) // 2], ids[len(ids) // 2 :]
            return await self._of_model(model, halves[0]) | await self._of_model(model, halves[1])

    def warn(self) -> None:
        """Log which memories were left out, and which are incomplete."""
        remedy = "run `memwell doctor`, then restore these from an older backup or forget them"
        for ids, what in (
            (self.unreadable, "left out"),
            (self._incomplete, "exported without all history or vectors"),
        ):
            if ids:
                names = ", ".join(map(repr, sorted(set(ids))))
                log.warning("%d damaged memories were %s: %s; %s", len(set(ids)), what, names, remedy)
