"""What can be derived from a listing: the defaults of `count` and `stats`. They read every record of the scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from memwell.ports.store.visibility import EVER
from memwell.types import Record, Scope, Where

if TYPE_CHECKING:
    from memwell.ports.store import Store
    from memwell.types import Stats

__all__ = ["count", "stats"]

_PAGE: Final = 1000


async def count(store: Store, scope: Scope, now: datetime, where: Where | None) -> int:
    """The number of records in a listing."""
    return sum([len(page) async for page in _pages(store, scope, now, where)])


async def stats(store: Store, scope: Scope, now: datetime) -> Stats:
    """Counts inside a scope, from the records and, where they are kept, their versions and vectors."""
    records = [record async for page in _pages(store, scope, now, None) for record in page]
    ids = [record.id for record in records]
    versions, embedded = 0, {}
    if store.capabilities.history:
        changed = [record.id for record in records if record.version > 1]
        versions = sum([len(await store._history(scope, id, now)) - 1 for id in changed])
    if store.capabilities.vectors:
        models = await store._embedding_models()
        embedded = {model: len(await store._embeddings(scope, ids, model)) for model in sorted(models)}
    times = [record.created_at for record in records]
    from memwell.types import Stats

    return Stats(
        records=len(records),
        sessions=len({record.scope.session_id for record in records} - {None}),
        users=len({record.scope.user_id for record in records} - {None}),
        by_kind=dict(Counter(record.kind for record in records)),
        by_category=dict(Counter(record.category for record in records if record.category is not None)),
        versions=versions,
        links=sum(len(record.links) for record in records),
        embedded={model: number for model, number in embedded.items() if number},
        unembedded=sum(not record.embedded for record in records),
        expired=await count(store, scope, EVER, None) - len(records),
        oldest=min(times, default=None),
        newest=max(times, default=None),
        bytes=None,
    )


async def _pages(
    store: Store, scope: Scope, now: datetime, where: Where | None
) -> AsyncIterator[list[Record]]:
    after: tuple[str, str] | None = None
    while page := await store._scan(scope, now, where, "id", False, _PAGE, after):
        yield page
        after = page[-1].id, page[-1].id
