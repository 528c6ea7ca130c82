"""`erase`: remove memories from every place that kept something of them, read each back, and give a receipt.

The receipt is written to the journal first, as pending, with what is meant. Then go, in batches, embeddings cached of
the texts, and the records with all that hangs on them, in one transaction. Then the store, and what is around it,
clears away what deletions leave behind. A process that dies in between leaves the receipt pending; completing it does
the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from memwell.engine.context import Engine
from memwell.engine.erasure import EVER, Erasure
from memwell.engine.remember import selection
from memwell.engine.requests import CompleteReceiptsRequest, EraseRequest, ReceiptsRequest
from memwell.engine.validation import check_flag, check_progress
from memwell.errors import ConfigError, InvalidInput, NotFound, shown
from memwell.records.ids import new_id
from memwell.security.acting import current
from memwell.security.journal import Pending
from memwell.security.receipts import Erased, Receipt, signed
from memwell.types import Progress, Record, Scope, Trace, Where

__all__ = ["complete_all", "complete_receipts", "erase", "pending_receipts", "receipts"]

_BATCH: Final = 500
_LONGEST: Final = 2000
_BEGUN: Final = Trace(place="store", state="pending", detail="begun and not finished")


async def erase(engine: Engine, request: EraseRequest, progress: Progress | None = None) -> Receipt:
    """Remove memories of the scope from everywhere, and return the receipt."""
    check_progress(progress)
    reason, scope = _reason(request.reason), request.scope()
    chosen, where = selection(engine, request, "erase")
    if check_flag("audit", request.audit) and engine.proof.audit is None:
        raise InvalidInput("audit=True removes details from the audit log, and this memory has none; omit it")
    await _complete(engine, scope)
    now = engine.clock()
    receipt = Receipt(
        id=new_id(), action="erase", scope=scope, reason=reason, actor=current().actor, begun_at=now
    )
    pending = Pending(receipt=receipt, audit=request.audit)
    pending = await _meant(engine, pending, chosen, where)
    if not pending.receipt.records:
        return await _absent(engine, pending, chosen)
    work = Erasure(engine, pending, where, progress)
    return await work.run()


async def receipts(engine: Engine, request: ReceiptsRequest) -> list[Receipt]:
    """The receipts of the scope, oldest first."""
    check_flag("pending", request.pending)
    scope = request.scope()
    journal = await engine.proof.journal()
    found = [one.receipt for one in await journal.read() if scope.sees(one.receipt.scope)]
    return [receipt for receipt in found if not (request.pending and receipt.complete)]


async def complete_receipts(engine: Engine, request: CompleteReceiptsRequest) -> list[Receipt]:
    """Try again what is pending in the scope; returns those receipts as they are now."""
    return await _complete(engine, request.scope())


async def complete_all(engine: Engine) -> list[Receipt]:
    """Try again what is pending in every tenant."""
    journal = await engine.proof.journal()
    return [await Erasure(engine, one, None, None, again=True).run() for one in await journal.pending()]


async def pending_receipts(engine: Engine) -> list[Receipt]:
    """What is pending in every tenant, as it was last written."""
    try:
        journal = await engine.proof.journal()
    except ConfigError:
        if engine.proof.beside:  # a store that is opened for reading only: nothing is erased in it
            return []
        raise
    return [one.receipt for one in await journal.pending()]


async def _complete(engine: Engine, scope: Scope) -> list[Receipt]:
    if engine.closed:
        _ = engine.store  # raises
    journal = await engine.proof.journal()
    waiting = [one for one in await journal.pending() if scope.sees(one.receipt.scope)]
    return [await Erasure(engine, one, None, None, again=True).run() for one in waiting]


async def _meant(
    engine: Engine, pending: Pending, chosen: Sequence[str] | None, where: Where | None
) -> Pending:
    """The receipt with the records that the call means, and a mark of each content."""
    receipt = pending.receipt
    found: list[Erased] = []
    marks: dict[str, str] = {}
    async for record in _records(engine, receipt.scope, chosen, where):
        key = engine.proof.key
        digest = None if key is None else key.digest(record.content)
        found.append(Erased(id=record.id, versions=record.version, digest=digest))
        marks[record.id] = pending.mark(record.content)
    return replace(pending, receipt=replace(receipt, records=tuple(found), traces=(_BEGUN,)), marks=marks)


async def _records(
    engine: Engine, scope: Scope, ids: Sequence[str] | None, where: Where | None
) -> AsyncIterator[Record]:
    """The records that are meant, expired ones among them."""
    after: tuple[str, str] | None = None
    wanted = None if ids is None else sorted(set(ids))
    while True:
        if wanted is None:
            page = await engine.store.scan(
                scope, now=EVER, where=where, order="id", limit=_BATCH, after=after
            )
        else:
            part, wanted = wanted[:_BATCH], wanted[_BATCH:]
            page = await engine.store.get(scope, part, now=EVER)
            if where is not None and page:
                both = {"$and": [where, {"id": {"$in": [record.id for record in page]}}]}
                page = await engine.store.scan(scope, now=EVER, where=both, limit=_BATCH)
        for record in page:
            yield record
        if not (page if wanted is None else wanted):
            return
        after = (page[-1].id, page[-1].id) if wanted is None else None


async def _absent(engine: Engine, pending: Pending, chosen: Sequence[str] | None) -> Receipt:
    """The answer where nothing is stored: the receipt of an earlier call that names these ids, or one of nothing.
    Raises `NotFound` for ids that no receipt names.
    """
    receipt = pending.receipt
    if chosen:
        journal = await engine.proof.journal()
        for one in reversed(await journal.read()):
            named = {erased.id for erased in one.receipt.records}
            if receipt.scope.sees(one.receipt.scope) and named >= set(chosen):
                return one.receipt
        missing = ", ".join(map(shown, chosen[:5]))
        raise NotFound(f"no memory {missing} in this scope", part="memory", operation="erase")
    done = replace(receipt, traces=(), finished_at=engine.clock())
    return signed(done, engine.proof.key)


def _reason(reason: object) -> str:
    if not isinstance(reason, str) or not reason.strip() or len(reason) > _LONGEST:
        raise InvalidInput(
            f"reason says why, in 1 to {_LONGEST} characters, such as 'asked by the user', not {shown(reason)}"
        )
    try:
        reason.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("reason holds half of a surrogate pair, which is not text") from error
    return reason
