"""A write on Redis: read what it needs, decide in Python, and commit in one script if nothing read has changed.

A `Transaction` remembers what it read and shows its own changes on top. `commit` sends the differences with digests of
all values that they depend on. If another writer has changed one of these, `transact` repeats the work with the new
values. That happens only when another commit succeeds, so the store as a whole always makes progress.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from memwell.backends.redis.store.commit import deliver
from memwell.backends.redis.store.rows import (
    ANYBODY,
    Row,
    frame,
    names_of,
    projections,
    row_of,
    text_of,
    user_mark,
    words_text,
)
from memwell.backends.redis.store.server import TABLES, Server, in_parts
from memwell.errors import Unavailable
from memwell.records.codec import dumps

__all__ = ["Transaction", "transact"]

T = TypeVar("T")
Place = tuple[str, bytes]
"""Table and field of a hash."""

_NUMBER: Final = {table: n for n, table in enumerate(TABLES, 1)}
_DECIDING: Final = frozenset({"records", "marks", "models", "followers", "meta"})
"""Tables whose values decide what is written. A value of another table matters only if it is overwritten."""
_LAST_KEY: Final[Place] = ("meta", b"key")
_TRIES: Final = 200
_CROWD: Final = 100
"""Number of writes that reserve their keys after a conflict."""
_WORDS: Final = 1_000


def transact(server: Server, work: Callable[[Transaction], T]) -> T:
    """Run `work` in a transaction, commit, and return its result. Raises `Unavailable` if every attempt conflicts."""
    for attempt in range(_TRIES):
        reserve = attempt > 0 or server.crowded > 0
        server.crowded -= reserve and server.crowded > 0
        transaction = Transaction(server, reserve=reserve)
        result = work(transaction)
        if transaction.commit():
            return result
        server.crowded = _CROWD
        time.sleep(random.random() * min(0.05, 0.0005 * 2 ** min(attempt, 10)))  # noqa: S311  only a pause
    raise Unavailable(
        "other writers keep changing the same memories; try again", part="redis", retry_after=1.0
    )


class Transaction:
    """See the module. It is used once, by one thread."""

    def __init__(self, server: Server, *, reserve: bool = False) -> None:
        """With `reserve`, keys for new records are taken from the server at once, outside the transaction. That costs
        one more write, and concurrent inserts do not conflict.
        """
        self.server = server
        self._reserve = reserve
        self.commands: list[tuple[str, str, list[Any]]] = []
        """Further commands of the commit: name, table, arguments."""
        self.fresh: list[bytes] = []
        """Models with new vectors, framed, in order."""
        self._seen: dict[Place, bytes | None] = {}
        self._put: dict[Place, bytes | None] = {}
        self._before: dict[bytes, Row | None] = {}
        self._rows: dict[bytes, Row | None] = {}
        self._quiet: list[tuple[int, bytes, bytes]] = []
        self._notes: list[tuple[bytes, ...]] = []
        self._next: list[int] = []

    # ------------------------------------------------------------------------------------------- reading

    def load(self, places: Iterable[Place], keys: int = 0) -> None:
        """Read fields that will be needed, and the last key if `keys` new ones are needed, in one round trip."""
        fields_of: dict[str, list[bytes]] = {}
        for table, field in dict.fromkeys([*places, *([_LAST_KEY] if keys and not self._reserve else [])]):
            if (table, field) not in self._seen:
                fields_of.setdefault(table, []).append(field)
        parts = [(t, part) for t, fields in fields_of.items() for part in in_parts(fields, 5 * _WORDS)]
        keys *= self._reserve
        if not parts and not keys:
            return
        pipeline = self.server.client().pipeline(transaction=False)
        for table, part in parts:
            pipeline.execute_command("HMGET", self.server.key(table), *part)
        if keys:
            pipeline.execute_command("HINCRBY", self.server.key("meta"), "key", keys)
        answers = pipeline.execute()
        if keys:
            last = int(answers.pop())
            self._next = list(range(last, last - keys, -1))
        for (table, part), values in zip(parts, answers, strict=True):
            self._seen.update(zip([(table, field) for field in part], values, strict=True))

    def get(self, table: str, field: bytes) -> bytes | None:
        """A field of a hash, with the changes of this transaction."""
        place = (table, field)
        if place not in self._put and place not in self._seen:
            self.load([place])
        return self._put[place] if place in self._put else self._seen[place]

    def row(self, name: bytes) -> Row | None:
        """A record's row, with the changes of this transaction. Raises `Corrupt`."""
        if name not in self._rows:
            text = self.get("records", name)
            self._rows[name] = self._before[name] = None if text is None else row_of(name, text)
        return self._rows[name]

    def rows_like(self, position: int, tenant: str, user: str | None, found: Iterable[Row]) -> list[Row]:
        """All rows of some owners, with the changes of this transaction, given their rows at a position. The commit
        fails if any of them has changed since.
        """
        self._quiet.append((position, frame(tenant), user_mark(user) if user is not None else ANYBODY))
        for row in found:
            if row.name not in self._rows:
                self._rows[row.name] = self._before[row.name] = row
        own = (row for row in self._rows.values() if row is not None and row.record.scope.tenant_id == tenant)
        return [row for row in own if user is None or row.record.user_id == user]

    def stands(self) -> bool:
        """Whether all values that were read still hold, at one moment."""
        parts = [
            (table, part)
            for table in {table for table, _ in self._seen}
            for part in in_parts((f for t, f in self._seen if t == table), 5 * _WORDS)
        ]
        current = self.server.atomically(*(("HMGET", table, *fields) for table, fields in parts))
        return all(
            self._seen[table, field] == value
            for (table, fields), values in zip(parts, current, strict=True)
            for field, value in zip(fields, values, strict=True)
        )

    def key(self) -> int:
        """A key that no record ever had."""
        if not self._reserve:
            key = int(self.get(*_LAST_KEY) or 0) + 1
            self.put(*_LAST_KEY, b"%d" % key)
            return key
        if not self._next:
            self.load([], keys=1)
        return self._next.pop()

    # ------------------------------------------------------------------------------------------- writing

    def put(self, table: str, field: bytes, value: bytes | None) -> None:
        """Set a field of a hash, or remove it with `None`."""
        self._put[table, field] = value

    def put_names(self, table: str, field: bytes, names: Sequence[str]) -> None:
        """Set a list of texts; an empty one is removed."""
        self.put(table, field, dumps(names).encode() if names else None)

    def put_row(self, row: Row) -> None:
        """Write a row, and add it to the change sequence."""
        before = self.row(row.name)
        if before is None or before.digest != row.digest:
            self.load(("marks", b"%d" % each.digest) for each in (before, row) if each is not None)
            if before is not None:
                self._unmark(before)
            marked = dict.fromkeys((*names_of(self.get("marks", b"%d" % row.digest)), row.name.decode()))
            self.put_names("marks", b"%d" % row.digest, list(marked))
        self._rows[row.name] = row
        self.note(row)

    def drop_row(self, row: Row) -> None:
        """Remove a row, and add that to the change sequence."""
        self._unmark(row)
        self._rows[row.name] = None
        self.note(row, deleted=True)

    def note(self, row: Row, *, deleted: bool = False) -> None:
        """Append to the change sequence."""
        scope = row.record.scope
        owner = (frame(scope.tenant_id), user_mark(scope.user_id))
        self._notes.append((*owner, frame(row.record.id), b"%d" % row.key, b"1" if deleted else b"0"))

    def _unmark(self, row: Row) -> None:
        mark, name = b"%d" % row.digest, row.name.decode()
        self.put_names("marks", mark, [other for other in names_of(self.get("marks", mark)) if other != name])

    # ----------------------------------------------------------------------------------------- committing

    def commit(self) -> bool:
        """Write the changes. Returns False if something they depend on has changed. Without changes nothing is sent."""
        commands = [*self._changes(), *self.commands]
        if not commands and not self._notes:
            return True
        return deliver(self.server, self._plan(commands))

    def _changes(self) -> list[tuple[str, str, list[Any]]]:
        """The commands that turn the values that were read into the new ones."""
        fields, members = dict(self._put), dict[Place, int | None]()
        for name, row in self._rows.items():
            before = self._before[name]
            if row is before:
                continue
            fields["records", name] = None if row is None else text_of(row)
            if row is None or _other_words(before, row):
                fields["words", name] = None if row is None else words_text(row)
            old = {} if before is None else {(t, member): score for t, member, score in projections(before)}
            new = {} if row is None else {(t, member): score for t, member, score in projections(row)}
            members.update(dict.fromkeys(old.keys() - new.keys()))
            members.update({place: score for place, score in new.items() if old.get(place) != score})
        fields = {k: v for k, v in fields.items() if k not in self._seen or self._seen[k] != v}
        puts = [
            *_commands("HSET", {k: [k[1], v] for k, v in fields.items() if v is not None}),
            *_commands("ZADD", {k: [score, k[1]] for k, score in members.items() if score is not None}),
        ]
        removals = [
            *_commands("HDEL", {k: [k[1]] for k, v in fields.items() if v is None}),
            *_commands("ZREM", {k: [k[1]] for k, score in members.items() if score is None}),
        ]
        # The first command of a script decides whether a full memory forbids all of it.
        return puts + removals if any(self._rows.values()) else removals + puts

    def _plan(self, commands: Sequence[tuple[str, str, list[Any]]]) -> list[bytes]:
        """See `scripts.COMMIT`."""
        depends = [
            (table, field, value)
            for (table, field), value in self._seen.items()
            if (table in _DECIDING and (table, field) != _LAST_KEY) or (table, field) in self._put
        ]
        plan: list[Any] = [len(depends)]
        for table, field, value in depends:
            plan += (_NUMBER[table], field, b"" if value is None else _sha(value))
        plan.append(len(self._quiet))
        for entry in self._quiet:
            plan += entry
        plan.append(len(commands))
        for command, table, words in commands:
            plan += (command, _NUMBER[table], len(words), *words)
        plan.append(len(self._notes))
        for note in self._notes:
            plan += note
        touched = any(table == "embedded" for _, table, _ in commands)
        plan += (len(self.fresh), *self.fresh) if touched or self.fresh else (-1,)
        return [item if isinstance(item, bytes) else str(item).encode() for item in plan]


def _commands(name: str, found: dict[Place, list[Any]]) -> Iterable[tuple[str, str, list[Any]]]:
    """One command per table, or several where it would be too long for `unpack`."""
    tables: dict[str, list[list[Any]]] = {}
    for (table, _), words in found.items():
        tables.setdefault(table, []).append(words)
    for table, entries in tables.items():
        for part in in_parts(entries, _WORDS // 2):
            yield name, table, [word for words in part for word in words]


def _other_words(before: Row | None, row: Row) -> bool:
    """Whether a field has changed that a corpus contains."""
    if before is None or before.key != row.key:
        return True
    names = ("content", "metadata", "created_at", "expires_at", "scope")
    return any(getattr(before.record, name) != getattr(row.record, name) for name in names)


def _sha(value: bytes) -> bytes:
    return hashlib.sha1(value, usedforsecurity=False).hexdigest().encode()
