"""Maps errors of the driver and the server to memwell's errors."""

from __future__ import annotations

import re
import ssl
from typing import TypeAlias

import redis.exceptions as native

from memwell.errors import BackendError, ConfigError, InvalidInput, MemwellError, Unavailable

__all__ = ["broke", "translate"]

Row: TypeAlias = tuple[type[MemwellError], str]

_LOGIN: Row = (ConfigError, "Redis refused the login; look at the user and the password of the URL")
_RIGHTS: Row = (ConfigError, "the user lacks the right to a command or key; grant it with ACL SETUSER")
_LOADING: Row = (Unavailable, "Redis is loading its data; try again")
_REPLICA: Row = (Unavailable, "this Redis is a read-only replica; try again once a master is elected")
_DOWN: Row = (Unavailable, "the Redis Cluster is down, or a part of it; try again")
_MOVING: Row = (Unavailable, "the keys are moving to another node; try again")
_FULL: Row = (
    BackendError,
    "Redis has used up its memory (maxmemory); raise it, or delete what is not needed, and try again",
)
_CROWDED: Row = (Unavailable, "all connections are in use; try again, or raise the option pool")
_UNREACHED: Row = (Unavailable, "Redis cannot be reached; try again")
_LATE: Row = (
    Unavailable,
    "Redis did not answer in time; try again, or raise the option timeout",
)

_WORDS: dict[str, Row] = {
    "NOAUTH": _LOGIN,
    "WRONGPASS": _LOGIN,
    "NOPERM": _RIGHTS,
    "LOADING": _LOADING,
    "READONLY": _REPLICA,
    "CLUSTERDOWN": _DOWN,
    "MASTERDOWN": (Unavailable, "the replica has lost its master; try again"),
    "TRYAGAIN": _MOVING,
    "MOVED": _MOVING,
    "ASK": _MOVING,
    "OOM": _FULL,
    "BUSY": (Unavailable, "Redis is busy with a script; try again"),
    "NOREPLICAS": (Unavailable, "Redis has too few replicas to accept writes; try again"),
    "MISCONF": (BackendError, "Redis cannot save to its disk and refuses writes; check its disk and log"),
    "CROSSSLOT": (
        BackendError,
        "the keys are on several nodes; give the part a prefix with a hash tag, such as {memwell}:",
    ),
    "WRONGTYPE": (
        BackendError,
        "another program has stored something under the key; give every program its own prefix",
    ),
    "DB index is out of range": (ConfigError, "this Redis has no database of that number; check the URL"),
    "SELECT is not allowed": (ConfigError, "a Redis Cluster has database 0 only; check the URL"),
    "No connection available": _CROWDED,
    "max number of clients": (Unavailable, "Redis has reached its maximum number of clients; try again"),
    "unknown command": (
        ConfigError,
        "the server lacks a command of Redis 6.2; upgrade it, or allow the command",
    ),
    "is not an integer": (
        InvalidInput,
        "the key holds a value that is not a counter; delete it first, or count under another key",
    ),
    "would overflow": (InvalidInput, "a counter has 64 bits; the sum does not fit"),
}
"""Codes and phrases of the server, and what the driver says of its pool. They are looked for anywhere, since errors in
scripts come wrapped.
"""

_TYPES: tuple[tuple[type[BaseException], Row], ...] = (
    (native.AuthenticationError, _LOGIN),
    (native.AuthenticationWrongNumberOfArgsError, _LOGIN),
    (native.AuthorizationError, _RIGHTS),
    (native.NoPermissionError, _RIGHTS),
    (native.BusyLoadingError, _LOADING),
    (native.ReadOnlyError, _REPLICA),
    (native.OutOfMemoryError, _FULL),
    (native.TryAgainError, _MOVING),
    (native.AskError, _MOVING),
    (native.ClusterDownError, _DOWN),
    (native.ClusterCrossSlotError, _WORDS["CROSSSLOT"]),
    (native.CrossSlotTransactionError, _WORDS["CROSSSLOT"]),
    (native.MaxConnectionsError, _CROWDED),
    (native.ConnectionError, _UNREACHED),
    (native.TimeoutError, _LATE),
    (native.SlotNotCoveredError, _DOWN),
    (native.ClusterError, _DOWN),
    (TimeoutError, _LATE),
    (OSError, _UNREACHED),
)
"""From the most specific to the most general."""

_NOT_ASKED = re.compile(r"connecting to|No master found|previous master|cannot be connected")
"""Messages of the driver for a connection that could not be opened."""
_ARGUMENTS = re.compile(r", with args beginning with:.*|`.*|'[^']{40,}'", re.DOTALL)
"""The part of a message that repeats the arguments: errors must not contain values."""


def translate(error: Exception, part: str, operation: str) -> MemwellError:
    """The memwell error for a native one, to be raised `from` it."""
    kind, advice = _row(error)
    reason = _ARGUMENTS.sub("", str(error)).strip()
    text = f"{advice} (it says: {reason})" if reason else advice
    if kind is Unavailable:
        return Unavailable(text, part=part, operation=operation, unsent=_not_done(error, (kind, advice)))
    return kind(text, part=part, operation=operation)


def _not_done(error: Exception, row: Row) -> bool:
    """Whether it is certain that nothing was done: the server refused, or nothing was sent."""
    refused = row in _WORDS.values() or isinstance(error, native.MaxConnectionsError)
    return refused or never_sent(error)


def never_sent(error: Exception) -> bool:
    """Whether the driver could not connect, so that nothing was sent."""
    return _NOT_ASKED.search(str(error)) is not None


def broke(error: Exception) -> bool:
    """Whether an open connection broke, for example an idle one that the network dropped."""
    return type(error) is native.ConnectionError and not never_sent(error)


def _row(error: Exception) -> Row:
    if _untrusted(error):
        return (
            ConfigError,
            "the certificate of Redis is not trusted, or Redis requires a client certificate; check the options ca, "
            "verify and cert, and the host name",
        )
    text = str(error)
    if isinstance(error, native.RedisClusterException) and not isinstance(error, native.SlotNotCoveredError):
        return _cluster(text)
    for kind, row in _TYPES:
        if isinstance(error, kind):
            return row if kind is not native.ConnectionError else _worded(text) or row
    return _worded(text) or (BackendError, "Redis refused the command; please report this")


def _worded(text: str) -> Row | None:
    for word, row in _WORDS.items():
        if re.search(rf"\b{word}\b", text):
            return row
    return None


def _cluster(text: str) -> Row:
    if "cluster mode" in text.lower():
        return ConfigError, "this Redis is not a Cluster; leave out cluster=true"
    if "slot" in text and "same" in text:
        return _WORDS["CROSSSLOT"]
    return _worded(text) or (Unavailable, "the Redis Cluster cannot be reached; try again")


def _untrusted(error: BaseException | None) -> bool:
    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False
