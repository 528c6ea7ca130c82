"""Checks of a Redis store: rows against their projections, and entries that belong to no row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import field, replace
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.backends.redis.store.records import history_field, past_of
from memwell.backends.redis.store.rows import (
    Row,
    dimension_of,
    frame,
    links_of,
    name_of,
    name_of_member,
    names_of,
    parts_of,
    projections,
    read_vectors,
    text_of_links,
    vector_field,
    words_text,
)
from memwell.backends.redis.store.server import in_parts
from memwell.backends.redis.store.transaction import Transaction
from memwell.errors import Corrupt
from memwell.records.codec import digest, loads
from memwell.records.faults import faults
from memwell.types import Problem

__all__ = ["OWNERS", "SORTED", "Findings", "Inspection"]

_SCORES: Final = 2_000
"""Members of a sorted set that are read at once."""


@dataclass(slots=True)
class Findings:
    """The problems found, the number of rows checked, and the number of repairs."""

    problems: list[Problem] = field(default_factory=list)
    checked: int = 0
    repaired: int = 0

    def add(self, kind: str, detail: str, name: bytes, *, repairable: bool = True) -> None:
        """Note a problem with the record of a name."""
        self.problems.append(Problem(kind=kind, detail=detail, id=parts_of(name)[1], repairable=repairable))


class Inspection:
    """One part of the work, in a transaction: its repairs are committed only if nothing it read has changed."""

    def __init__(self, transaction: Transaction, repair: bool) -> None:
        self.transaction = transaction
        self.repair = repair
        self.found = Findings()

    def rows(self, names: list[bytes]) -> None:
        """Compare the projections of some records with their rows."""
        self.transaction.load((table, name) for name in names for table in ("records", "words", "links"))
        rows = list(filter(None, map(self._row, names)))
        self.transaction.load(("models", frame(model)) for row in rows for model in row.models)
        self.transaction.load(
            ("vectors", vector_field(model, row.key)) for row in rows for model in row.models
        )
        self.transaction.load(("marks", b"%d" % row.digest) for row in rows)
        self.transaction.load(("history", field) for row in rows for field in _history_fields(row))
        self.transaction.load(
            (table, target)
            for row in rows
            for target in self._targets(row)
            for table in ("records", "sources")
        )
        scores = self._scores(rows)
        for row in rows:
            before = len(self.found.problems)
            self._words(row)
            for table, member, score in projections(row):
                if scores[table, member] != score:
                    self._report(table, "the entry does not fit the record", row.name)
                    self._command("ZADD", table, score, member)
            self._links(row)
            self._history(row)
            fixed = self._marks(self._vectors(row))
            if self.repair and len(self.found.problems) > before:
                self.transaction.put_row(fixed)

    def orphans(self, table: str, members: list[bytes]) -> None:
        """Find entries that belong to no record."""
        names = {member: OWNERS[table](member) for member in members}
        self.transaction.load(("records", name) for name in names.values())
        lost = [m for m, name in names.items() if self.transaction.get("records", name) is None]
        for member in self._present(table, lost):
            self._report(table, f"an entry of {table} belongs to no record", names[member])
            self._command("ZREM" if table in SORTED else "HDEL", table, member)
        if table == "sources":
            self._sources([member for member in members if member not in lost])

    def _sources(self, targets: list[bytes]) -> None:
        """Find records that are listed as sources of links they do not have."""
        self.transaction.load(("sources", target) for target in targets)
        pointing = {target: names_of(self.transaction.get("sources", target)) for target in targets}
        self.transaction.load(
            ("links", name_of(parts_of(target)[0], source))
            for target, sources in pointing.items()
            for source in sources
        )
        for target, sources in pointing.items():
            wrong = [source for source in sources if not self._points(source, target)]
            if wrong:
                self._report("links", "a relationship is stored at its target only", target)
                if self.repair:
                    remaining = [source for source in sources if source not in wrong]
                    self.transaction.put_names("sources", target, remaining)

    def _points(self, source: str, target: bytes) -> bool:
        tenant, id = parts_of(target)
        try:
            links = links_of(self.transaction.get("links", name_of(tenant, source)))
        except Corrupt:  # reported with its row
            return True
        return any(link.target == id for link in links)

    def _present(self, table: str, members: list[bytes]) -> list[bytes]:
        """Those that are still there: records may be deleted during the check."""
        server = self.transaction.server
        if not members:
            return []
        found = server.command("ZMSCORE", table, *members) if table in SORTED else server.read(table, members)
        return [member for member, value in zip(members, found, strict=True) if value is not None]

    def vectors(self, fields: list[bytes]) -> None:
        """Find vectors that belong to no record."""
        keys = [field.rpartition(b"\0")[2] for field in fields]
        found = self.transaction.server.atomically(
            *(
                ("ZRANGEBYSCORE", "ages", key, key)
                for key in (key if key.isdigit() else b"-1" for key in keys)
            )
        )
        self.transaction.load(("records", name) for names in found for name in names)
        for place, names in zip(fields, found, strict=True):
            rows = self._readable(names)
            lost = len(rows) == len(names) and not any(place in _vector_fields(row) for row in rows)
            if lost and self._present("vectors", [place]):
                self._report("vectors", "vectors belong to no record", names[0] if names else place)
                self._put("vectors", place, None)

    def marks(self, digests: list[bytes]) -> None:
        """Find records listed under a digest that is not theirs."""
        self.transaction.load(("marks", mark) for mark in digests)
        listed = {mark: names_of(self.transaction.get("marks", mark)) for mark in digests}
        self.transaction.load(("records", name.encode()) for names in listed.values() for name in names)
        for mark, names in listed.items():
            rows = self._readable([name.encode() for name in names])
            wrong = {row.name.decode() for row in rows if b"%d" % row.digest != mark}
            wrong |= {name for name in names if self.transaction.get("records", name.encode()) is None}
            for name in wrong:
                self._report("digest", "a record is listed under a digest that is not its own", name.encode())
            if self.repair and wrong:
                remaining = [name for name in names if name not in wrong]
                self.transaction.put_names("marks", mark, remaining)

    def _readable(self, names: list[bytes]) -> list[Row]:
        """The rows that can be read. Nothing of the others is removed."""
        rows = []
        for name in names:
            with suppress(Corrupt):
                rows.append(self.transaction.row(name))
        return [row for row in rows if row is not None]

    def _row(self, name: bytes) -> Row | None:
        try:
            row = self.transaction.row(name)
        except Corrupt as error:
            self.found.checked += 1
            self.found.add("corrupt", str(error), name, repairable=False)
            return None
        self.found.checked += row is not None
        for fault in faults(row.record) if row is not None else ():
            self.found.add("corrupt", fault, name, repairable=False)
        return row

    def _scores(self, rows: list[Row]) -> dict[tuple[str, bytes], int | None]:
        found: dict[tuple[str, bytes], int | None] = {}
        places = [(table, member) for row in rows for table, member, _ in projections(row)]
        for table in SORTED:
            members = [member for other, member in places if other == table]
            for part in in_parts(members, _SCORES):
                scores = self.transaction.server.command("ZMSCORE", table, *part)
                for member, score in zip(part, scores, strict=True):
                    found[table, member] = None if score is None else int(float(score))
        return found

    def _words(self, row: Row) -> None:
        text = words_text(row)
        if self.transaction.get("words", row.name) != text:
            self._report("lexemes", "the stored words do not fit the content", row.name)
            self._put("words", row.name, text)

    def _marks(self, row: Row) -> Row:
        right = digest(row.record)
        marked = names_of(self.transaction.get("marks", b"%d" % row.digest))
        if row.digest == right and row.name.decode() in marked:
            return row
        self._report("digest", "the record is not listed under its digest", row.name)
        if row.digest == right and self.repair:
            self.transaction.put_names("marks", b"%d" % right, [*marked, row.name.decode()])
        return replace(row, digest=right)

    def _links(self, row: Row) -> None:
        tenant = row.record.scope.tenant_id
        try:
            links = links_of(self.transaction.get("links", row.name))
        except Corrupt:
            self._report("links", "the relationships cannot be read", row.name)
            self._put("links", row.name, None)
            return
        targets = self._targets(row)
        remaining = [
            x
            for x, name in zip(links, targets, strict=True)
            if self.transaction.get("records", name) is not None
        ]
        if len(remaining) < len(links):
            self._report("links", "a relationship points to no record", row.name)
            self._put("links", row.name, text_of_links(tuple(remaining)))
        for link in remaining:
            target = name_of(tenant, link.target)
            pointing = names_of(self.transaction.get("sources", target))
            if row.record.id not in pointing:
                self._report("links", "a relationship is not stored at its target", row.name)
                if self.repair:
                    self.transaction.put_names("sources", target, [*pointing, row.record.id])

    def _history(self, row: Row) -> None:
        texts = [self.transaction.get("history", field) for field in _history_fields(row)]
        try:
            past_of(texts, row.record.id)
        except Corrupt as error:
            self.found.add("corrupt", error.message, row.name, repairable=False)
        if lost := texts.count(None):
            self.found.add(
                "history", f"{lost} of {row.past} older versions are gone", row.name, repairable=False
            )

    def _targets(self, row: Row) -> list[bytes]:
        with suppress(Corrupt):
            links = links_of(self.transaction.get("links", row.name))
            return [name_of(row.record.scope.tenant_id, link.target) for link in links]
        return []

    def _vectors(self, row: Row) -> Row:
        sound = []
        for model in row.models:
            value = self.transaction.get("vectors", vector_field(model, row.key))
            dimension = self.transaction.get("models", frame(model))
            fault = _fault(value, dimension, len(row.record.content))
            if fault is None:
                sound.append(model)
            else:
                self._report("vectors", fault, row.name)
                self._put("vectors", vector_field(model, row.key), None)
        return replace(row, models=tuple(sound))

    def _report(self, kind: str, detail: str, name: bytes) -> None:
        self.found.add(kind, detail, name)

    def _put(self, table: str, field: bytes, value: bytes | None) -> None:
        if self.repair:
            self.transaction.put(table, field, value)

    def _command(self, name: str, table: str, *words: Any) -> None:
        if self.repair:
            self.transaction.commands.append((name, table, list(words)))


def _fault(value: bytes | None, dimension: bytes | None, length: int) -> str | None:
    """The fault of stored vectors, or `None`. Each passage of the content has a vector of unit length."""
    import numpy as np

    try:
        spans, data = read_vectors(value or b"")
        rows = np.frombuffer(data, dtype="<f4").reshape(-1, dimension_of(dimension or b""))
    except (Corrupt, ValueError):
        return "the vectors are not rows of float32 of the model's dimension"
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.isfinite(norms).all() or not (((norms > 0.99) & (norms < 1.01)) | (norms == 0)).all():
        return "the vectors are not of unit length"
    try:
        ranges = loads(spans) if spans else [[0, length]]
        inside = all(0 <= a < b <= length for a, b in ranges)
    except (Corrupt, TypeError, ValueError):
        return "the passages cannot be read"
    return None if inside and len(ranges) == len(rows) else "the passages do not fit the content"


def _vector_fields(row: Row) -> set[bytes]:
    return {vector_field(model, row.key) for model in row.models}


def _history_fields(row: Row) -> list[bytes]:
    return [history_field(row.name, number) for number in range(row.past)]


def _after_model(member: bytes) -> bytes:
    return member.partition(b"\0")[2]


def _before_number(field: bytes) -> bytes:
    return field.rpartition(b"\0")[0]


SORTED: Final = ("owners", "ages", "expiring", "embedded")
OWNERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "words": bytes,
    "links": bytes,
    "sources": bytes,
    "access": bytes,
    "history": _before_number,
    "owners": name_of_member,
    "ages": bytes,
    "expiring": bytes,
    "embedded": _after_model,
}
"""Table → how to get the name of the record from a field or member."""
