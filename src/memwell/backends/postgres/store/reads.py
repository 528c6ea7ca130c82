"""Reads of the PostgreSQL store: vectors, records without vectors, history and statistics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from memwell.backends.postgres import Connection
from memwell.backends.postgres.store.rows import (
    SELECT,
    Condition,
    embedding_of,
    record_of,
    rows_of,
    select,
    visible,
)
from memwell.errors import NotFound
from memwell.ports import Embedding
from memwell.records.codec import loads
from memwell.records.revisions import chain, stored_version
from memwell.types import Record, Scope, Stats, Version

__all__ = ["embedded", "embeddings", "history", "lacking", "past", "stats"]

_NUMBER = "(SELECT m.number FROM models m WHERE m.name = %s)"
_HAS = f"EXISTS (SELECT FROM vectors v WHERE v.key = r.key AND v.model = {_NUMBER})"


async def embeddings(
    connection: Connection, scope: Scope, ids: Sequence[str], model: str
) -> dict[str, Embedding]:
    """See `Store.embeddings`."""
    text, values = visible(scope, None, by_id=True)
    rows = await rows_of(
        connection,
        "SELECT r.id, vector_send(v.vec), v.spans, v.passages FROM records r"
        f" JOIN vectors v ON v.key = r.key AND v.model = {_NUMBER} WHERE r.id = ANY (%s::text[]) AND {text}",
        [model, list(ids), *values],
    )
    return {row[0]: embedding_of(model, *row[1:]) for row in rows}


def lacking(model: str) -> Condition:
    """Records without vectors of a model."""
    return f"NOT {_HAS}", [model]


async def embedded(
    connection: Connection, model: str, after: tuple[str, str] | None, limit: int
) -> list[tuple[Record, Embedding]]:
    """See `Store.embedded`."""
    text = f"{_HAS} AND (r.tenant_id, r.id) > (%s, %s)"
    values = [model, *(after or ("", ""))]
    records = await select(connection, (text, values), "ORDER BY r.tenant_id, r.id LIMIT %s", [limit])
    found: list[tuple[Record, Embedding]] = []
    for tenant in dict.fromkeys(record.scope.tenant_id for record in records):
        own = [record for record in records if record.scope.tenant_id == tenant]
        ids = [record.id for record in own]
        vectors = await embeddings(connection, Scope(tenant_id=tenant), ids, model)
        found.extend((record, vectors[record.id]) for record in own if record.id in vectors)
    return found


async def history(connection: Connection, scope: Scope, id: str, now: datetime) -> list[Version]:
    """See `Store.history`. The connection stands in a snapshot."""
    text, values = visible(scope, now, by_id=True)
    rows = await rows_of(connection, f"{SELECT} WHERE r.id = %s AND {text}", [id, *values])
    if not rows:
        raise NotFound(f"no memory {id!r} in this scope", part="postgres")
    return chain(await past(connection, rows[0][0], id), record_of(rows[0]))


async def past(connection: Connection, key: int, id: str) -> list[Version]:
    """The earlier versions of a record, oldest first. Raises `Corrupt` naming the first that cannot be read."""
    rows = await rows_of(
        connection,
        "SELECT version, record, changed_at, changed FROM history WHERE key = %s ORDER BY version",
        [key],
    )
    return [_version_of(row, id) for row in rows]


def _version_of(row: Sequence[Any], id: str) -> Version:
    number, body, at, changed = row

    def read() -> dict[str, Any]:
        return {"record": loads(body), "changed_at": at.isoformat(), "changed": loads(changed)}

    return stored_version(read, number, id, part="postgres")


async def stats(connection: Connection, scope: Scope, now: datetime, *, vectors: bool) -> Stats:
    """See `Store.stats`. The connection stands in a snapshot."""
    text, values = visible(scope, now)
    whole, bound = visible(scope, None)

    async def grouped(query: str) -> dict[str, int]:
        return dict(await rows_of(connection, query, values))

    async def number(query: str, more: Sequence[Any]) -> int:
        return int((await rows_of(connection, query, more))[0][0])

    [(records, sessions, users, oldest, newest, unembedded)] = await rows_of(
        connection,
        "SELECT count(*), count(DISTINCT r.session_id), count(DISTINCT r.user_id), min(r.created_at),"
        f" max(r.created_at), count(*) FILTER (WHERE NOT r.embedded) FROM records r WHERE {text}",
        values,
    )
    by = f"SELECT {{0}}, count(*) FROM records r WHERE {text} AND {{0}} IS NOT NULL GROUP BY 1"
    of_models = (
        "SELECT m.name, count(*) FROM models m JOIN vectors v ON v.model = m.number JOIN records r ON r.key = v.key"
        f" WHERE {text} GROUP BY 1 ORDER BY 1"
    )
    return Stats(
        records=records,
        sessions=sessions,
        users=users,
        by_kind=await grouped(by.format("r.kind")),
        by_category=await grouped(by.format("r.category")),
        versions=await number(
            f"SELECT count(*) FROM history h JOIN records r ON r.key = h.key WHERE {text}", values
        ),
        links=await number(
            f"SELECT count(*) FROM links l JOIN records r ON r.key = l.source WHERE {text}", values
        ),
        embedded=await grouped(of_models) if vectors else {},
        unembedded=unembedded,
        expired=await number(f"SELECT count(*) FROM records r WHERE {whole}", bound) - records,
        oldest=oldest,
        newest=newest,
        bytes=await number(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class"
            " WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r'",
            [],
        ),
    )
