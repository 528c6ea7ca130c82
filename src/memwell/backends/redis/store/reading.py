"""Reads of the Redis store: records by id, listings, counts, history and statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from memwell import filters
from memwell.backends.redis.store.mirror import Mirror
from memwell.backends.redis.store.records import access_of, alive, history_field, past_of, record_of
from memwell.backends.redis.store.rows import Row, frame, links_of, name_of, names_of, row_of, user_mark
from memwell.backends.redis.store.server import Server, in_parts
from memwell.errors import NotFound
from memwell.records.codec import to_micros
from memwell.records.revisions import chain
from memwell.types import Link, Record, Scope, Stats, Version

__all__ = ["Reading"]

_PART: Final = 500
_USES: Final = frozenset({"access_count", "last_accessed_at"})
"""Fields of a record that change without its row."""


class Reading:
    """The reading side of a store."""

    def __init__(self, server: Server, mirror: Mirror) -> None:
        self._server = server
        self._mirror = mirror

    def get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        """See `Store.get`."""
        found: dict[str, Record] = {}
        for part in in_parts(dict.fromkeys(ids), _PART):
            names = [name_of(scope.tenant_id, id) for id in part]
            for _, record in self._records_of(names):
                if scope.sees(record.scope) and alive(record, now):
                    found[record.id] = record
        return [found[id] for id in ids if id in found]

    def scan(
        self,
        scope: Scope,
        now: datetime,
        where: filters.Node | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]:
        """See `Store.scan`."""
        with self._mirror.shelf(scope) as shelf:
            rows = self._passing(shelf.ordered(order, descending, after), scope, now, where)
            chosen = list(islice(rows, limit))
        names = [row.name for row in chosen]
        links, access = self._server.read("links", names), self._server.read("access", names)
        return [record_of(*each) for each in zip(chosen, links, access, strict=True)]

    def choose(self, scope: Scope, now: datetime, where: filters.Node | None) -> list[Row]:
        """The rows that a call may see and that pass its filter, in no order."""
        with self._mirror.shelf(scope) as shelf:
            return list(self._passing(list(shelf.rows.values()), scope, now, where))

    def count(self, scope: Scope, now: datetime, where: filters.Node | None) -> int:
        """See `Store.count`. The server counts whole owners, except expired records that are not swept yet."""
        if where is not None or not (scope.agent_id is scope.session_id is scope.namespace is None):
            return len(self.choose(scope, now, where))
        head = frame(scope.tenant_id) + b"\0"
        if scope.user_id is not None:
            head += user_mark(scope.user_id) + b"\0"
        total, expired = self._server.atomically(
            ("ZLEXCOUNT", "owners", b"[" + head, b"(" + head[:-1] + b"\1"),
            ("ZRANGEBYSCORE", "expiring", "-inf", to_micros(now), "LIMIT", 0, _PART),
        )
        own = [name for name in expired if name.startswith(frame(scope.tenant_id) + b"\0")]
        texts = self._server.read("records", own)
        if len(expired) == _PART or None in texts:  # too many, or swept meanwhile
            return len(self.choose(scope, now, None))
        rows = [row_of(name, text) for name, text in zip(own, texts, strict=True) if text is not None]
        gone = sum(scope.sees(row.record.scope) and not alive(row.record, now) for row in rows)
        return int(total) - gone

    def history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        """See `Store.history`."""
        name = name_of(scope.tenant_id, id)
        for row, record in self._records_of([name]):
            if scope.sees(record.scope) and alive(record, now):
                texts = self._server.read("history", [history_field(name, n) for n in range(row.past)])
                return chain(past_of(texts, id), record)
        raise NotFound(f"no memory {id!r} in this scope", part="redis")

    def links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        """See `Store.links`."""
        tenant = scope.tenant_id
        names = [name_of(tenant, id) for id in dict.fromkeys(ids)]
        table = "sources" if incoming else "links"
        rows, values = self._server.read("records", names), self._server.read(table, names)
        found: list[tuple[str, Link]] = []
        for name, text, value in zip(names, rows, values, strict=True):
            if text is None or value is None:
                continue
            row = row_of(name, text)
            if not scope.sees(row.record.scope):
                continue
            if not incoming:
                found += [(row.record.id, link) for link in links_of(value)]
                continue
            sources = names_of(value)
            stored = self._server.read("links", [name_of(tenant, source) for source in sources])
            for source, outgoing in zip(sources, stored, strict=True):
                found += [(source, x) for x in links_of(outgoing) if x.target == row.record.id]
        return sorted(found, key=lambda item: (item[0], item[1].target, item[1].kind))

    def records(self, rows: Sequence[Row]) -> list[Record]:
        """The records of rows."""
        names = [row.name for row in rows]
        links, access = self._server.read("links", names), self._server.read("access", names)
        return [record_of(*each) for each in zip(rows, links, access, strict=True)]

    def stats(self, scope: Scope, now: datetime) -> Stats:
        """See `Store.stats`."""
        with self._mirror.shelf(scope) as shelf:
            seen = [row for row in shelf.rows.values() if scope.sees(row.record.scope)]
        rows = [row for row in seen if alive(row.record, now)]
        records = [row.record for row in rows]
        times = [record.created_at for record in records]
        links = self._server.read("links", [row.name for row in rows])
        return Stats(
            records=len(rows),
            sessions=len({r.session_id for r in records} - {None}),
            users=len({r.user_id for r in records} - {None}),
            by_kind=dict(Counter(r.kind for r in records)),
            by_category=dict(Counter(r.category for r in records if r.category is not None)),
            versions=sum(row.past for row in rows),
            links=sum(len(links_of(text)) for text in links),
            embedded=dict(Counter(model for row in rows for model in row.models)),
            unembedded=sum(not row.models for row in rows),
            expired=len(seen) - len(rows),
            oldest=min(times, default=None),
            newest=max(times, default=None),
            bytes=None,
        )

    def _records_of(self, names: Sequence[bytes]) -> list[tuple[Row, Record]]:
        """Rows and their records by name, as of one moment."""
        commands = [("HMGET", table, *names) for table in ("records", "links", "access")]
        values = zip(names, *self._server.atomically(*commands), strict=True)
        rows = [(row_of(name, text), *rest) for name, text, *rest in values if text is not None]
        return [(row, record_of(row, links, access)) for row, links, access in rows]

    def _passing(
        self, rows: Iterable[Row], scope: Scope, now: datetime, where: filters.Node | None
    ) -> Iterable[Row]:
        visible = (row for row in rows if scope.sees(row.record.scope) and alive(row.record, now))
        if where is None:
            return visible
        if any(clause.field in _USES for clause in filters.clauses(where)):
            return self._used(visible, where)
        return (row for row in visible if filters.matches(row.record, where))

    def _used(self, rows: Iterable[Row], where: filters.Node) -> Iterable[Row]:
        for part in in_parts(rows, _PART):
            uses = self._server.read("access", [row.name for row in part])
            for row, use in zip(part, uses, strict=True):
                count, last = access_of(use)
                if filters.matches(replace(row.record, access_count=count, last_accessed_at=last), where):
                    yield row
