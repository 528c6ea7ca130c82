"""Reading by id and by listing: get, pages, history, counts."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from memwell.engine.context import Engine
from memwell.engine.validation import check_flag, check_id, moment_of, true_at
from memwell.errors import InvalidInput, InvalidQuery, NotFound, shown
from memwell.filters import instant
from memwell.records.codec import dumps
from memwell.types import Page, Record, Scope, Version, Where

if TYPE_CHECKING:
    from memwell.engine.requests import CountRequest, GetRequest, HistoryRequest, ListRequest, StatsRequest
    from memwell.types import Stats

__all__ = ["ORDERS", "check_limit", "count", "get", "history", "page", "stats"]

ORDERS = ("created_at", "updated_at", "importance", "id")
MAX_LIMIT = 10_000
_PLACES = {"created_at": datetime, "updated_at": datetime, "importance": float, "id": str}


async def get(engine: Engine, request: GetRequest) -> Record:
    """One memory of the scope. Raises `NotFound`."""
    scope = request.scope()
    moment = None if request.as_of is None else moment_of("as_of", request.as_of, engine.zone)
    found = await engine.store.get(scope, [check_id(request.id)], now=engine.clock())
    if moment is not None:
        from memwell.engine import past

        found = await past.versions_at(engine, scope, found, moment)
    if not found:
        then = "" if moment is None else f" at {moment.isoformat()}"
        raise NotFound(f"no memory {request.id!r} in this scope{then}", part="memory", operation="get")
    return found[0]


async def page(engine: Engine, request: ListRequest) -> Page:
    """A page of the scope's memories. Raises `InvalidQuery` for an unknown order, filter or cursor."""
    where, order, limit = true_at(request.where, request.valid_at, engine.zone), request.order, request.limit
    if not isinstance(order, str) or order not in ORDERS:
        raise InvalidQuery(f"cannot order by {shown(order)}; known: {', '.join(ORDERS)}")
    check_limit(limit)
    check_flag("descending", request.descending)
    scope = request.scope()
    seal = _seal(scope, where, order, request.descending)
    after = None if request.cursor is None else _after(request.cursor, seal, order)
    found = await engine.store.scan(
        scope,
        now=engine.clock(),
        where=where,
        order=order,
        descending=request.descending,
        limit=limit + 1,
        after=after,
    )
    more = len(found) > limit
    records = tuple(found[:limit])
    return Page(records=records, cursor=_cursor(records[-1], seal, order) if more else None)


async def history(engine: Engine, request: HistoryRequest) -> list[Version]:
    """Every version of a memory, oldest first. Raises `NotFound`."""
    return await engine.store.history(request.scope(), check_id(request.id), now=engine.clock())


async def count(engine: Engine, request: CountRequest) -> int:
    """How many memories of the scope the filter matches."""
    where = true_at(request.where, request.valid_at, engine.zone)
    return await engine.store.count(request.scope(), now=engine.clock(), where=where)


async def stats(engine: Engine, request: StatsRequest) -> Stats:
    """Counts inside the scope."""
    return await engine.store.stats(request.scope(), now=engine.clock())


def check_limit(limit: object) -> int:
    """A number of results from 1 to 10,000."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is a whole number from 1 to {MAX_LIMIT:,}, not {shown(limit)}")
    return limit


def _seal(scope: Scope, where: Where | None, order: str, descending: bool) -> str:
    """A short digest that ties a cursor to the listing it was made for."""
    asked = repr((scope, where, order, descending))
    return hashlib.blake2b(asked.encode("utf-8", "replace"), digest_size=9).hexdigest()


def _cursor(last: Record, seal: str, order: str) -> str:
    import base64

    value = getattr(last, order)
    text = dumps([seal, value.isoformat() if isinstance(value, datetime) else value, last.id])
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _after(cursor: str, seal: str, order: str) -> tuple[Any, str]:
    import base64

    broken = InvalidQuery("this cursor was not made by memwell; start again without one")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found, value, id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise broken from error
    if found != seal:
        raise InvalidQuery(
            "this cursor belongs to another listing (scope, filter or order); start again without one"
        )
    place = instant(value) if order.endswith("_at") and isinstance(value, str) else value
    if not isinstance(place, _PLACES[order]) or not isinstance(id, str):
        raise broken
    return place, id
