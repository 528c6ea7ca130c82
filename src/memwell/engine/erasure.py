"""One receipt on its way: remove what it means, read every place back, and sign what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Final

from memwell._dataclasses import dataclass
from memwell.engine import stored_clusters
from memwell.engine.context import Engine, report
from memwell.errors import MemwellError, NotFound
from memwell.ports import Delete, Search
from memwell.retrieval.analysis.text import read_query
from memwell.security.chain import redact
from memwell.security.journal import Pending
from memwell.security.receipts import Receipt, signed
from memwell.types import Progress, Record, Scope, Trace, Where

__all__ = ["EVER", "Erasure"]

_BATCH: Final = 500
_REMEMBERED: Final = 2000
"""Texts that a store is asked to look for in its files; of more it gets none."""
_SEARCHED: Final = 50
"""Texts that are searched for afterwards."""
EVER: Final = datetime.min.replace(tzinfo=UTC)
"""A time at which nothing has expired."""


@dataclass(slots=True)
class Erasure:
    """One receipt on its way."""

    engine: Engine
    pending: Pending
    where: Where | None
    progress: Progress | None
    again: bool = False
    """Whether another call, perhaps of a process that died, has begun it."""
    texts: list[str] = field(default_factory=list)
    """What was said, as far as it is remembered."""
    unknown: bool = False
    """Whether more was said than `texts` holds."""
    gone: list[str] = field(default_factory=list)
    owners: set[tuple[str, str | None]] = field(default_factory=set)
    """Tenants and users of what was removed."""
    summaries: set[str] = field(default_factory=set)
    """Ids of the memories that say in short what was removed."""

    async def run(self) -> Receipt:
        """Write the journal, remove, read back, sign."""
        engine, journal = self.engine, await self.engine.proof.journal()
        await self._write(signed(self.pending.receipt, engine.proof.key))
        erased = self.pending.receipt.records
        self.unknown = self.again
        report(self.progress, 0, len(erased))
        for at in range(0, len(erased), _BATCH):
            await self._batch([one.id for one in erased[at : at + _BATCH]])
            report(self.progress, min(at + _BATCH, len(erased)), len(erased))
        traces = await self._traces()
        unfinished = any(trace.state == "pending" for trace in traces)
        finished = None if unfinished else engine.clock()
        done = replace(self.pending.receipt, traces=tuple(traces), finished_at=finished)
        done = signed(done, engine.proof.key)
        await journal.put(replace(self.pending, receipt=done))
        if self.gone:
            engine.emit("forgotten", done.scope, tuple(self.gone), receipt=done.id)
        ids = tuple(one.id for one in erased)
        engine.emit("erased", done.scope, ids, receipt=done.id, complete=done.complete)
        await engine.housekeeping(engine.clock())
        return done

    async def _write(self, receipt: Receipt) -> None:
        self.pending = replace(self.pending, receipt=receipt)
        await (await self.engine.proof.journal()).put(self.pending)

    async def _batch(self, ids: Sequence[str]) -> None:
        """Remove what is still as it was meant; leave what was stored again under the same id."""
        store, scope = self.engine.store, self.pending.receipt.scope
        found = await store.get(scope, ids, now=EVER)
        meant = found
        if self.again:
            meant = [r for r in found if self.pending.marks.get(r.id) == self.pending.mark(r.content)]
        if not meant:
            return
        contents = [content for record in meant for content in await self._contents(record)]
        self._remember(contents)
        await self._discard(contents)
        await self._leave_clusters(meant)
        await self._note_summaries(meant)
        self.engine.recalled.drop(record.id for record in meant)
        operation = Delete(scope=scope, ids=tuple(record.id for record in meant), where=self.where)
        self.gone += (await self.engine.write([operation], now=self.engine.clock()))[0]

    async def _contents(self, record: Record) -> list[str]:
        if record.version == 1 or not self.engine.store.capabilities.history:
            return [record.content]
        try:
            versions = await self.engine.store.history(record.scope, record.id, now=EVER)
        except NotFound:  # removed by another call since it was read
            return [record.content]
        return list(dict.fromkeys(version.record.content for version in versions))

    async def _leave_clusters(self, records: Sequence[Record]) -> None:
        """Take the memories out of stored clusters, while it is known whose they are."""
        log = (await self.engine.proof.journal()).log
        owners = {(record.tenant_id, record.user_id) for record in records}
        for owner in owners:
            await stored_clusters.discard(log, owner, [record.id for record in records])
        self.owners |= owners

    async def _note_summaries(self, records: Sequence[Record]) -> None:
        """Note what was derived from the memories, while links lead there."""
        store = self.engine.store
        if store.capabilities.links:
            tenant = Scope(tenant_id=self.pending.receipt.scope.tenant_id)
            links = await store.links(tenant, [record.id for record in records], incoming=True)
            self.summaries |= {source for source, link in links if link.kind == "derived_from"}

    def _remember(self, contents: Sequence[str]) -> None:
        self.unknown |= len(self.texts) + len(contents) > _REMEMBERED
        if not self.unknown:
            self.texts += contents

    async def _discard(self, contents: Sequence[str]) -> None:
        """Remove cached embeddings; note those that cannot be removed now, before their texts are gone."""
        encoder = self.engine.encoder
        if encoder is None:
            return
        left = await encoder.embedder.discard(encoder.texts(contents))
        if left:
            self.pending = replace(self.pending, cached=[*self.pending.cached, *left])
            await self._write(self.pending.receipt)

    async def _traces(self) -> list[Trace]:
        store, scope = self.engine.store, self.pending.receipt.scope
        ids = [one.id for one in self.pending.receipt.records]
        try:
            found = await store.purge(scope, ids, texts=None if self.unknown else self.texts)
        except MemwellError as error:
            found = [Trace(place="store", state="pending", detail=f"could not be read back: {error}")]
        if store.capabilities.lexical and self.texts:
            found.append(await self._searched())
        found += await self._cached()
        found += await self._clustered(ids)
        found += self._quoted(ids)
        if self.pending.audit:
            found += await self._redacted(ids)
        return found

    async def _searched(self) -> Trace:
        """Whether a search by their own words still brings them."""
        store, scope = self.engine.store, self.pending.receipt.scope
        gone, here = set(self.gone), set[str]()
        try:
            for text in self.texts[:_SEARCHED]:
                query = read_query(text)
                search = Search(
                    scope=scope, now=self.engine.clock(), terms=query.terms, phrases=query.phrases
                )
                here |= gone.intersection((await store.search(search)).ids.values())
            back = {record.id for record in await store.get(scope, sorted(here), now=EVER)}
        except MemwellError as error:
            return Trace(place="words", state="pending", detail=f"could not be searched: {error}")
        left = sorted(here - back)
        detail = f"a search still brings {', '.join(left[:5])}" if left else ""
        return Trace(place="words", state="pending" if left else "gone", detail=detail)

    async def _cached(self) -> list[Trace]:
        encoder = self.engine.encoder
        if encoder is None:
            if not self.pending.cached:
                return []
            detail = "complete the receipt with the embedder and the cache that it was begun with"
            return [Trace(place="cached embeddings", state="pending", detail=detail)]
        left = await encoder.embedder.discard([], keys=self.pending.cached) if self.pending.cached else []
        self.pending = replace(self.pending, cached=left)
        if left:
            detail = f"{len(left)} could not be removed"
            return [Trace(place="cached embeddings", state="pending", detail=detail)]
        return [Trace(place="cached embeddings", state="gone")]

    async def _clustered(self, ids: Sequence[str]) -> list[Trace]:
        """Whether stored clusters still name them."""
        log = (await self.engine.proof.journal()).log
        try:
            left = [owner for owner in self.owners if await stored_clusters.holds(log, owner, ids)]
        except MemwellError as error:
            return [Trace(place="clusters", state="pending", detail=f"could not be read back: {error}")]
        if left:
            detail = "built again meanwhile, and named there until rebuild_clusters is called again"
            return [Trace(place="clusters", state="returned", detail=detail)]
        return [Trace(place="clusters", state="gone")]

    def _quoted(self, ids: Sequence[str]) -> list[Trace]:
        """The memories that were made from what was removed, and still quote it."""
        left = sorted(self.summaries - set(ids))
        if not left:
            return []
        detail = f"made from it, and to be erased by themselves: {', '.join(left[:20])}"
        return [Trace(place="summaries", state="remains", detail=detail)]

    async def _redacted(self, ids: Sequence[str]) -> list[Trace]:
        receipt, audit = self.pending.receipt, self.engine.proof.audit
        if audit is None:
            detail = "complete the receipt with the audit log that it was begun with"
            return [Trace(place="audit log", state="pending", detail=detail)]
        try:
            return await redact(audit, ids, receipt.scope.tenant_id, receipt.id)
        except MemwellError as error:
            return [Trace(place="audit log", state="pending", detail=str(error))]
