"""The operations of a write, in a Redis transaction. Each updates the record and everything derived from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from memwell import filters
from memwell.backends.redis.store.mirror import Mirror
from memwell.backends.redis.store.records import (
    access_of,
    access_text,
    alive,
    history_field,
    past_of,
    record_of,
    version_text,
)
from memwell.backends.redis.store.rows import (
    Row,
    dimension_of,
    frame,
    links_of,
    name_of,
    names_of,
    plain,
    text_of_links,
    vector_field,
    vector_value,
)
from memwell.backends.redis.store.transaction import Transaction
from memwell.errors import Conflict, EmbeddingError, NotFound
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.records.codec import digest, digest_of
from memwell.records.revisions import overwriting, recoded, reinforced, revised
from memwell.sealed import same_content
from memwell.types import Link, Record, Scope, Version

__all__ = ["Write"]


class Write:
    """Operations in one transaction, at one moment."""

    def __init__(self, transaction: Transaction, mirror: Mirror, now: datetime) -> None:
        self.transaction = transaction
        self.mirror = mirror
        self.now = now

    def apply_all(self, operations: Sequence[Operation]) -> list[Any]:
        """Apply operations in order and return their results."""
        inserts = sum(isinstance(operation, Insert) for operation in operations)
        self.transaction.load(_places(operations), keys=inserts)
        self.load_twins(operation for operation in operations if isinstance(operation, Insert))
        return [_APPLY[type(operation)](self, operation) for operation in operations]

    def known(self, inserts: Sequence[Insert]) -> list[bool]:
        """See `Store.duplicates`."""
        self.transaction.load(place for place in _places(inserts) if place[0] in ("marks", "records"))
        self.load_twins(inserts)
        return [self.twin(insert) is not None for insert in inserts]

    def load_twins(self, inserts: Iterable[Insert]) -> None:
        """Read the possible duplicates of these inserts in one round trip."""
        transaction = self.transaction
        marks = {b"%d" % digest_of(insert) for insert in inserts if not insert.named}
        names = [name.encode() for mark in marks for name in names_of(transaction.get("marks", mark))]
        transaction.load((table, name) for name in names for table in ("records", "links", "access"))

    def twin(self, insert: Insert) -> Row | None:
        """The row of the record that an insert would reinforce."""
        record, mark = insert.record, digest_of(insert)
        names = [name_of(record.scope.tenant_id, record.id)]
        if not insert.named:
            names = [name.encode() for name in names_of(self.transaction.get("marks", b"%d" % mark))]
        rows = sorted(filter(None, map(self.transaction.row, names)), key=lambda row: row.key)
        for row in rows:
            found = row.record
            if (
                row.digest != mark
                or not same_content(found.content, record.content)
                or found.scope != record.scope
            ):
                continue
            if alive(found, self.now) and (not insert.dated or found.created_at == record.created_at):
                return row
        return None

    # ---------------------------------------------------------------------------------------- operations

    def _insert(self, operation: Insert) -> Record:
        record, transaction = operation.record, self.transaction
        if twin := self.twin(operation):
            return self._reinforce(twin, operation)
        name = name_of(record.scope.tenant_id, record.id)
        if other := transaction.row(name):
            self._free(other)
        key = transaction.key()
        models = self._put_vectors(key, operation.embedding)
        for number, version in enumerate(operation.past):
            transaction.put("history", history_field(name, number), version_text(version))
        row = Row(
            name=name,
            key=key,
            record=plain(record),
            digest=digest_of(operation),
            models=models,
            past=len(operation.past),
        )
        if record.access_count and record.last_accessed_at:
            transaction.put("access", name, access_text(record.access_count, record.last_accessed_at))
        transaction.put_row(row)
        return self._record(row)

    def _free(self, other: Row) -> None:
        if alive(other.record, self.now):
            raise Conflict(
                f"the id {other.record.id!r} already belongs to another memory; use update to change that one",
                part="redis",
            )
        self.remove([other])

    def _reinforce(self, row: Row, operation: Insert) -> Record:
        models = row.models or self._put_vectors(row.key, operation.embedding)
        again = replace(row, record=reinforced(row.record, operation.record), models=models)
        self.transaction.put_row(again)
        stored = self._record(again)
        change = overwriting(operation, stored)
        return stored if change is None else self._update(change)

    def _update(self, operation: Update) -> Record:
        row = self._visible(operation.scope, operation.id)
        found = self._record(row)
        record, changed = revised(found, operation, self.now)
        if not changed:
            return found
        name, models = row.name, row.models
        before = Version(record=found, changed_at=self.now, changed=changed)
        self.transaction.put("history", history_field(name, row.past), version_text(before))
        if "content" in changed:
            self._drop_vectors(row)
            models = self._put_vectors(row.key, operation.embedding)
        after = replace(row, record=plain(record), digest=digest(record), models=models, past=row.past + 1)
        self.transaction.put_row(after)
        return self._record(after)

    def _delete(self, operation: Delete) -> list[str]:
        scope = operation.scope
        node = None if operation.where is None else filters.parse(operation.where)
        if operation.ids is None:
            position, found = self.mirror.rows(scope)
            rows = self.transaction.rows_like(position, scope.tenant_id, scope.user_id, found)
        else:
            names = [name_of(scope.tenant_id, id) for id in dict.fromkeys(operation.ids)]
            rows = list(filter(None, map(self.transaction.row, names)))
        rows = [row for row in rows if scope.sees(row.record.scope)]
        if node is not None:
            self.transaction.load(("access", row.name) for row in rows)
            rows = [row for row in rows if filters.matches(self._accessed(row), node)]
        self.remove(rows)
        return [row.record.id for row in rows]

    def remove(self, rows: Sequence[Row]) -> None:
        """Remove records with their links, accesses, history and vectors."""
        transaction = self.transaction
        transaction.load((table, row.name) for row in rows for table in ("links", "sources", "access"))
        transaction.load(("marks", b"%d" % row.digest) for row in rows)
        transaction.load(self._ends(rows))
        for row in rows:
            tenant, name = row.record.scope.tenant_id, row.name
            for link in self._links(row):
                self._drop_source(name_of(tenant, link.target), row.record.id)
            for source in names_of(transaction.get("sources", name)):
                other = name_of(tenant, source)
                remaining = [
                    x for x in links_of(transaction.get("links", other)) if x.target != row.record.id
                ]
                transaction.put("links", other, text_of_links(tuple(remaining)))
            self._drop_vectors(row)
            for number in range(row.past):
                transaction.put("history", history_field(name, number), None)
            for table in ("links", "sources", "access"):
                transaction.put(table, name, None)
            transaction.drop_row(row)

    def _ends(self, rows: Sequence[Row]) -> Iterator[tuple[str, bytes]]:
        """Remove these records from the other ends of their relationships."""
        for row in rows:
            tenant = row.record.scope.tenant_id
            yield from (("sources", name_of(tenant, link.target)) for link in self._links(row))
            pointing = names_of(self.transaction.get("sources", row.name))
            yield from (("links", name_of(tenant, source)) for source in pointing)

    def _set_link(self, operation: SetLink) -> None:
        source = self._visible(operation.scope, operation.source)
        target = self._visible(operation.scope, operation.link.target)
        link, links = operation.link, {(x.target, x.kind): x for x in self._links(source)}
        known = links.get((link.target, link.kind), link)
        links[link.target, link.kind] = replace(link, created_at=known.created_at or self.now)
        pointing = names_of(self.transaction.get("sources", target.name))
        if operation.source not in pointing:
            self.transaction.put_names("sources", target.name, [*pointing, operation.source])
        self._put_links(source, [links[name] for name in sorted(links)])

    def _unlink(self, operation: Unlink) -> int:
        source = self._visible(operation.scope, operation.source)
        target = self._visible(operation.scope, operation.target)
        before = self._links(source)
        remaining = [
            x for x in before if x.target != operation.target or operation.kind not in (None, x.kind)
        ]
        if len(remaining) < len(before):
            if all(link.target != operation.target for link in remaining):
                self._drop_source(target.name, operation.source)
            self._put_links(source, remaining)
        return len(before) - len(remaining)

    def _touch(self, operation: Touch) -> None:
        for id, (count, at) in operation.accesses.items():
            name = name_of(operation.tenant_id, id)
            if self.transaction.row(name) is not None:
                before, last = access_of(self.transaction.get("access", name))
                self.transaction.put("access", name, access_text(before + count, max(last or at, at)))

    def _embed(self, operation: Embed) -> bool:
        row = self.transaction.row(name_of(operation.tenant_id, operation.id))
        if row is None or row.record.content != operation.content:
            return False
        models = self._put_vectors(row.key, operation.embedding)
        self.transaction.put_row(replace(row, models=tuple(dict.fromkeys((*row.models, *models)))))
        return True

    def _recode(self, operation: Recode) -> bool:
        name = name_of(operation.tenant_id, operation.id)
        row = self.transaction.row(name)
        if row is None or (row.record.content, row.record.version) != (operation.content, operation.version):
            return False
        places = [history_field(name, number) for number in range(row.past)]
        self.transaction.load(("history", place) for place in places)
        for place in places:
            for version in past_of([self.transaction.get("history", place)], operation.id):
                again = replace(version, record=recoded(version.record, operation))
                self.transaction.put("history", place, version_text(again))
        record = recoded(row.record, operation)
        self.transaction.put_row(replace(row, record=record, digest=digest(record)))
        return True

    # --------------------------------------------------------------------------------------------- parts

    def _visible(self, scope: Scope, id: str) -> Row:
        row = self.transaction.row(name_of(scope.tenant_id, id))
        if row is None or not scope.sees(row.record.scope) or not alive(row.record, self.now):
            raise NotFound(f"no memory {id!r} in this scope", part="redis")
        return row

    def _record(self, row: Row) -> Record:
        get = self.transaction.get
        return record_of(row, get("links", row.name), get("access", row.name))

    def _accessed(self, row: Row) -> Record:
        return record_of(row, None, self.transaction.get("access", row.name))

    def _links(self, row: Row) -> tuple[Link, ...]:
        return links_of(self.transaction.get("links", row.name))

    def _put_links(self, row: Row, links: Sequence[Link]) -> None:
        self.transaction.put("links", row.name, text_of_links(tuple(links)))
        self.transaction.note(row)

    def _drop_source(self, target: bytes, source: str) -> None:
        pointing = names_of(self.transaction.get("sources", target))
        self.transaction.put_names("sources", target, [id for id in pointing if id != source])

    def _drop_vectors(self, row: Row) -> None:
        for model in row.models:
            self.transaction.put("vectors", vector_field(model, row.key), None)

    def _put_vectors(self, key: int, embedding: Embedding | None) -> tuple[str, ...]:
        if embedding is None:
            return ()
        model, dimension = frame(embedding.model), embedding.vectors.shape[1]
        known = self.transaction.get("models", model)
        if known is None:
            self.transaction.put("models", model, b"%d" % dimension)
        elif dimension_of(known) != dimension:
            raise EmbeddingError(
                f"the stored vectors of {embedding.model!r} have dimension {dimension_of(known)}, not {dimension};"
                " give an embedder with another dimension another model name",
                part="redis",
            )
        if model not in self.transaction.fresh:
            self.transaction.fresh.append(model)
        self.transaction.put("vectors", vector_field(embedding.model, key), vector_value(embedding))
        return (embedding.model,)


def _places(operations: Sequence[Operation]) -> Iterator[tuple[str, bytes]]:
    """The fields that these operations will certainly read."""
    for operation in operations:
        tables: tuple[str, ...] = ("records", "links", "access")
        match operation:
            case Insert(record=record, embedding=embedding):
                names = [name_of(record.scope.tenant_id, record.id)]
                yield "marks", b"%d" % digest_of(operation)
                if embedding is not None:
                    yield "models", frame(embedding.model)
            case Update(scope=scope, id=id):
                names = [name_of(scope.tenant_id, id)]
            case Delete(scope=scope, ids=ids):
                names = [name_of(scope.tenant_id, id) for id in ids or ()]
                tables = (*tables, "sources")
            case (
                SetLink(scope=scope, source=source, link=Link(target=target))
                | Unlink(scope=scope, source=source, target=target)
            ):
                names = [name_of(scope.tenant_id, source), name_of(scope.tenant_id, target)]
                tables = (*tables, "sources")
            case Touch(tenant_id=tenant, accesses=accesses):
                names, tables = [name_of(tenant, id) for id in accesses], ("records", "access")
            case Embed(tenant_id=tenant, id=id, embedding=embedding):
                names, tables = [name_of(tenant, id)], ("records",)
                yield "models", frame(embedding.model)
            case Recode(tenant_id=tenant, id=id):
                names, tables = [name_of(tenant, id)], ("records",)
        yield from ((table, name) for name in names for table in tables)


_APPLY: dict[type, Callable[[Write, Any], Any]] = {
    Insert: Write._insert,
    Update: Write._update,
    Delete: Write._delete,
    SetLink: Write._set_link,
    Unlink: Write._unlink,
    Touch: Write._touch,
    Embed: Write._embed,
    Recode: Write._recode,
}
