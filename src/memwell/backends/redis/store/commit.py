"""Sends a commit so that it happens once or not at all, even if the connection breaks.

Each commit has a token, under which the server records that it was done. A client that lost the answer looks the token
up; if the commit has not happened yet, it sets the token so that it never will.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import redis.exceptions

from memwell.backends.redis.store.scripts import COMMIT
from memwell.backends.redis.store.server import Server
from memwell.errors import Corrupt, Unavailable

__all__ = ["deliver"]

_LOST: Final = -2
"""The answer of `COMMIT` when the table `meta` is lost."""
_STAGED: Final = 200_000
"""Plans of more items, or of more bytes, are staged on the server in parts first."""
_STAGED_BYTES: Final = 64 * 2**20
_PORTION: Final = 20_000
"""Items of one part."""
_REMEMBERED: Final = 60.0
"""Seconds for which the server remembers that a commit was done."""


def deliver(server: Server, plan: Sequence[bytes]) -> bool:
    """Apply a plan (see `scripts.COMMIT`). Returns False if something it depends on has changed.

    Raises what the driver raises if the commit did not happen, `Unavailable` if that is unknown, and `Corrupt` if the
    store has lost its counters.
    """
    token = secrets.token_hex(8).encode()
    if len(plan) <= _STAGED and sum(map(len, plan)) <= _STAGED_BYTES:
        return _sent(server, token, len(plan), plan)
    with _staged(server, token, plan) as key:
        return _sent(server, token, len(plan), [], key)


def _sent(server: Server, token: bytes, size: int, plan: Sequence[bytes], *staged: bytes) -> bool:
    done, began = server.key("commit:" + token.decode()), time.monotonic()
    try:
        answer = int(server.run_once(COMMIT, token, size, *plan, more=[done, *staged]))
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        if _was_done(server, done, began):
            return True
        raise
    if answer == _LOST:
        raise Corrupt(
            "the table meta of this store is gone, as by eviction; run `memwell repair` before you write",
            part="redis",
        )
    server.stored = True
    return answer == 1


@contextmanager
def _staged(server: Server, token: bytes, plan: Sequence[bytes]) -> Iterator[bytes]:
    """Stage a long plan on the server in parts and return its key. The commit deletes the key; it expires if this
    client dies before.
    """
    key = server.key("staged:" + token.decode())
    try:
        for part in _portions(plan):
            pipeline = server.client().pipeline(transaction=True)
            pipeline.rpush(key, *part).expire(key, 600)
            pipeline.execute()
        yield key
    finally:
        with suppress(redis.exceptions.RedisError, OSError):
            server.client().delete(key)


def _portions(plan: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The plan in parts that fit into one command."""
    waiting: list[bytes] = []
    size = 0
    for item in plan:
        waiting.append(item)
        size += len(item)
        if len(waiting) == _PORTION or size > _STAGED_BYTES // 8:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _was_done(server: Server, done: bytes, began: float) -> bool:
    """Whether a commit without an answer happened; if not, it never will.

    Raises `Unavailable` if that cannot be found out.
    """
    for pause in (0.0, 0.05, 0.2, 0.5, 1.0):
        time.sleep(pause)
        try:
            client = server.clients.get()
            if time.monotonic() - began > _REMEMBERED / 2:
                break
            return not client.set(done, "given up", nx=True, ex=3600) and client.get(done) == b"done"
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            continue
    raise Unavailable(
        "the connection to Redis broke during a write, and it is unknown whether the write was done; look before you"
        " write again",
        part="redis",
    )
