"""Embedding models of a Redis store, and the followers of its change sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell.backends.redis.store.rows import (
    Row,
    dimension_of,
    frame,
    row_of,
    unframe,
    vector_field,
    vectors_of,
)
from memwell.backends.redis.store.scripts import CHANGES, CUT_OVER, EMBEDDINGS
from memwell.backends.redis.store.server import Server, in_parts
from memwell.backends.redis.store.transaction import Transaction, transact
from memwell.errors import InvalidInput, NotSupported
from memwell.ports import Change, Embedding
from memwell.records.codec import dumps, loads, to_micros

__all__ = [
    "advance",
    "changes",
    "claim",
    "drop",
    "embedded",
    "embeddings",
    "names",
    "serve",
    "trim",
    "unembedded",
]

_PART: Final = 500
_KEPT_CHANGES: Final = 20_000
_KEPT_FOR_FOLLOWERS: Final = 1_000_000


def embeddings(server: Server, names: Iterable[bytes], model: str) -> list[tuple[Row, Embedding]]:
    """The rows and vectors of those of these records that have vectors of the model."""
    found: list[tuple[Row, Embedding]] = []
    for part in in_parts(dict.fromkeys(names), _PART):
        dimension, *found_rows = server.run(EMBEDDINGS, frame(model), *part)
        for name, text, value in zip(found_rows[::3], found_rows[1::3], found_rows[2::3], strict=True):
            found.append((row_of(name, text), vectors_of(model, value, dimension_of(dimension))))
    return found


def embedded(
    server: Server, model: str, after: tuple[str, str] | None, limit: int
) -> list[tuple[Row, Embedding]]:
    """The rows and vectors of a model, ordered by (tenant, id), after such a pair."""
    head = frame(model) + b"\0"
    first = b"[" + head if after is None else b"(" + head + frame(after[0]) + b"\0" + frame(after[1])
    found: list[tuple[Row, Embedding]] = []
    while len(found) < limit:
        size = min(_PART, limit - len(found))
        members = server.command("ZRANGEBYLEX", "embedded", first, b"(" + head[:-1] + b"\1", "LIMIT", 0, size)
        found += embeddings(server, [member[len(head) :] for member in members], model)
        if len(members) < size:
            break
        first = b"(" + members[-1]
    return found


def unembedded(server: Server, model: str, limit: int) -> list[Row]:
    """Rows of any tenant without vectors of the model, oldest first."""
    head = frame(model) + b"\0"
    total, having = server.atomically(
        ("ZCARD", "ages"), ("ZLEXCOUNT", "embedded", b"[" + head, b"(" + head[:-1] + b"\1")
    )
    found: list[Row] = []
    if total == having:
        return found
    for names in in_parts(_by_age(server), _PART):
        scores = server.command("ZMSCORE", "embedded", *(head + name for name in names))
        lacking = [name for name, score in zip(names, scores, strict=True) if score is None]
        texts = zip(lacking, server.read("records", lacking), strict=True)
        found += [row_of(name, text) for name, text in texts if text is not None]
        if len(found) >= limit:
            break
    return found[:limit]


def _by_age(server: Server) -> Iterator[bytes]:
    last = 0
    while found := server.command(
        "ZRANGEBYSCORE", "ages", f"({last}", "+inf", "WITHSCORES", "LIMIT", 0, _PART
    ):
        entries = (
            found if isinstance(found[0], (list, tuple)) else list(zip(found[::2], found[1::2], strict=True))
        )
        yield from (name for name, _ in entries)
        last = int(float(entries[-1][1]))


def names(server: Server) -> list[str]:
    """See `Store.embedding_models`."""
    known = server.command("HKEYS", "models")
    ranges = [("ZLEXCOUNT", "embedded", b"[" + model + b"\0", b"(" + model + b"\1") for model in known]
    counts = server.atomically(*ranges) if known else []
    return [unframe(model) for model, count in zip(known, counts, strict=True) if count]


def serve(server: Server, model: str, lacking: int) -> int:
    """See `Store.serve`."""
    return int(server.run(CUT_OVER, frame(model), lacking))


def drop(server: Server, model: str) -> int:
    """See `Store.drop_model`. Works in parts: after an interruption the next call continues."""
    total = 0
    while True:
        gone = transact(server, lambda transaction: _drop_some(transaction, model))
        total += gone
        if not gone:
            return total


def _drop_some(transaction: Transaction, model: str) -> int:
    server, head = transaction.server, frame(model) + b"\0"
    transaction.load([("meta", b"serving"), ("meta", b"seq")])
    if transaction.get("meta", b"serving") == frame(model):
        raise InvalidInput(f"{model!r} serves searches; reembed with another model first", part="redis")
    members = server.command(
        "ZRANGEBYLEX", "embedded", b"[" + head, b"(" + head[:-1] + b"\1", "LIMIT", 0, _PART
    )
    names = [member[len(head) :] for member in members]
    transaction.load(("records", name) for name in names)
    rows = [row for row in map(transaction.row, names) if row is not None and model in row.models]
    for row in rows:
        transaction.put("vectors", vector_field(model, row.key), None)
        left = tuple(other for other in row.models if other != model)
        transaction.put_row(replace(row, models=left))
    if not names and transaction.get("models", frame(model)) is not None:
        transaction.put("models", frame(model), None)
    return len(rows)


def claim(transaction: Transaction, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
    """See `Store.claim`."""
    position, keeper, until = _follower(transaction.get("followers", frame(follower)))
    at = to_micros(now)
    if keeper not in (None, holder) and until > at:
        return None
    entry = [position, holder, at + int(seconds * 1_000_000)]
    transaction.put("followers", frame(follower), dumps(entry).encode())
    return position


def advance(transaction: Transaction, follower: str, holder: str, position: int, release: bool) -> bool:
    """See `Store.advance`."""
    _, keeper, until = _follower(transaction.get("followers", frame(follower)))
    if keeper != holder:
        return False
    entry = [position, None if release else holder, until]
    transaction.put("followers", frame(follower), dumps(entry).encode())
    return True


def changes(server: Server, after: int, limit: int) -> list[Change]:
    """See `Store.changes`."""
    last, floor, found = server.run(CHANGES, f"{after + 1}-0", limit)
    if not int(floor) <= after <= int(last):
        trimmed = "were trimmed, or Redis was restarted or replaced since"
        lost = trimmed if after < int(floor) else "are unknown here: the server lost its last writes"
        raise NotSupported(f"the changes after {after} {lost}; read the whole store again", part="redis")
    listed = [_change(*entry) for entry in found]
    if after < int(last) and (not listed or listed[0].seq != after + 1):
        raise NotSupported(
            f"the changes after {after} are gone, as by eviction; read the whole store again", part="redis"
        )
    return listed


def _change(seq: bytes, words: Sequence[bytes]) -> Change:
    of = dict(zip(words[::2], words[1::2], strict=True))
    return Change(
        seq=int(seq.partition(b"-")[0]),
        kind="delete" if of[b"d"] == b"1" else "put",
        tenant_id=unframe(of[b"t"]),
        user_id=None if of[b"u"] == b"-" else unframe(of[b"u"][1:]),
        id=unframe(of[b"i"]),
    )


def trim(transaction: Transaction) -> None:
    """Trim the change sequence: keep the last entries, and those that followers need, up to a limit."""
    seq, floor = (int(transaction.get("meta", name) or 0) for name in (b"seq", b"floor"))
    followers = transaction.server.command("HVALS", "followers")
    slowest = min((_follower(text)[0] for text in followers), default=seq)
    keep = max(min(seq - _KEPT_CHANGES, slowest), seq - _KEPT_FOR_FOLLOWERS)
    if keep > floor:
        transaction.put("meta", b"floor", b"%d" % keep)
        transaction.commands.append(("XTRIM", "changes", ["MINID", keep]))


def _follower(text: bytes | None) -> tuple[int, str | None, int]:
    """Position, holder, until when in microseconds."""
    if text is None:
        return 0, None, 0
    position, holder, until = loads(text.decode())
    found: tuple[Any, ...] = (int(position), holder, int(until))
    return found
