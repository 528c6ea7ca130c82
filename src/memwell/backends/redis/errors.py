"""The one table from what the driver and the server say to memwell's errors."""

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
    "MISCONF": (BackendError, "Redis cannot save to its disk and takes no writes; look at its disk and log"),
    "CROSSSLOT": (
        BackendError,
        "the keys lie on several nodes; give the part a prefix with a hash tag, such as {memwell}:",
    ),
    "WRONGTYPE": (
        BackendError,
        "something else is stored under the key; give every program a prefix of its own",
    ),
    "DB index is out of range": (ConfigError, "this Redis has no database of that number; look at the URL"),
    "SELECT is not allowed": (ConfigError, "a Redis Cluster has database 0 only; look at the URL"),
    "No connection available": _CROWDED,
    "max number of clients": (Unavailable, "Redis has as many clients as it takes; try again"),
    "unknown command": (
        ConfigError,
        "the server lacks a command of Redis 6.2; upgrade it, or allow the command",
    ),
    "is not an integer": (
        InvalidInput,
        "the key holds a value that is not a counter; delete it first, or count under another key",
    ),
    "would overflow": (InvalidInput, "a counter holds 64 bits; the sum would not fit"),
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
"""From special to general."""

_NOT_ASKED = re.compile(r"connecting to|No master found|previous master|cannot be connected")
"""How the driver tells that it came to no server, or to one that refused."""
_ARGUMENTS = re.compile(r", with args beginning with:.*|`.*|'[^']{40,}'", re.DOTALL)
"""Where the server repeats what it was given: values stay out of errors."""


def translate(error: Exception, part: str, operation: str) -> MemwellError:
    """The memwell error for a native one, to be raised `from` it."""
    kind, advice = _row(error)
    said = _ARGUMENTS.sub("", str(error)).strip()
    text = f"{advice} (it says: {said})" if said else advice
    if kind is Unavailable:
        return Unavailable(text, part=part, operation=operation, unsent=_not_done(error, (kind, advice)))
    return kind(text, part=part, operation=operation)


def _not_done(error: Exception, row: Row) -> bool:
    """Whether the server cannot have done it: it refused, or was never asked."""
    refused = row in _WORDS.values() or isinstance(error, native.MaxConnectionsError)
    return refused or never_sent(error)


def never_sent(error: Exception) -> bool:
    """Whether the driver came to no server, so that nothing was sent."""
    return _NOT_ASKED.search(str(error)) is not None


def broke(error: Exception) -> bool:
    """Whether a connection broke that had been open, as an idle one does that the network has forgotten."""
    return type(error) is native.ConnectionError and not never_sent(error)


def _row(error: Exception) -> Row:
    if _untrusted(error):
        return (
            ConfigError,
            "the certificate of Redis is not trusted, or it asks for ours; look at the options ca, verify and cert, "
            "and at the name of the host",
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
