"""Maps PostgreSQL's errors to memwell's, by SQLSTATE."""

from __future__ import annotations

import re
from typing import Final

import psycopg

from memwell.backends.postgres.connections import Lost, NotConnected
from memwell.errors import (
    BackendError,
    ConfigError,
    Corrupt,
    InvalidInput,
    MemwellError,
    NotSupported,
    Unavailable,
)

__all__ = ["translate"]

_TABLE: Final[dict[str, tuple[type[MemwellError], str]]] = {
    "08": (Unavailable, "the connection to PostgreSQL was lost; try again"),
    "0A": (NotSupported, "this PostgreSQL server cannot do that; PostgreSQL 14 or later is needed"),
    "22": (InvalidInput, "a value cannot be stored in PostgreSQL"),
    "23": (BackendError, "a constraint of the database was violated; please report this"),
    "25006": (
        BackendError,
        "the server takes no writes; name the primary, or several hosts and target_session_attrs=read-write",
    ),
    "28": (ConfigError, "PostgreSQL refused the login; look at user and password of the URL"),
    "3D000": (ConfigError, "the database does not exist; create it with `createdb`, or mend the URL"),
    "3F000": (ConfigError, "the schema does not exist; run `memwell db migrate`"),
    "40": (Unavailable, "the transaction ran into others; try again"),
    "42501": (
        ConfigError,
        "the database user lacks a right; grant it, or run `memwell db migrate` once as one who has it",
    ),
    "42P01": (BackendError, "a table is missing; run `memwell db migrate`"),
    "42703": (BackendError, "a column is missing; run `memwell db migrate`"),
    "53": (Unavailable, "the server is out of connections or memory; try again, or make `pool` smaller"),
    "53100": (BackendError, "the server's disk is full; free some space and try again, nothing was stored"),
    "54": (InvalidInput, "a value is larger than PostgreSQL can hold; store a smaller one"),
    "55P03": (Unavailable, "a lock was held by others for too long; try again"),
    "57": (Unavailable, "the server is starting, stopping or gave the statement up; try again"),
    "57014": (
        Unavailable,
        "the statement took longer than statement_timeout, or was cancelled; try again",
    ),
    "58": (BackendError, "the server's disk failed to read or write; look at its space and health"),
    "XX001": (Corrupt, "the database is damaged; restore a copy"),
    "XX002": (Corrupt, "an index of the database is damaged; run REINDEX"),
}
"""SQLSTATE, or its class → memwell's error and what to do."""

_LOGIN: Final = re.compile(
    "authentication failed|no password supplied|no pg_hba.conf entry|does not exist|not permitted to log in"
    "|permission denied for database|certificate|does not support SSL|authentication method"
    r"|invalid (?:[\w\" ]*value|command-line argument)|unrecognized configuration parameter|could not parse network"
    "|definition of service"
)
"""Messages of libpq that call for another URL; a failed connection has no SQLSTATE."""
_POOLER: Final = "unsupported startup parameter"


def translate(error: Exception, part: str, operation: str, *, place: str) -> MemwellError | None:
    """The memwell error for a native one, to be raised `from` it; `None` for an error that is not PostgreSQL's."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput(
            "a text holds a lone surrogate and is not valid unicode; repair it",
            part=part,
            operation=operation,
        )
    if not isinstance(error, psycopg.Error):
        return None
    kind, advice = _kind(error)
    text = f"{place}: {advice} (PostgreSQL says: {_said(error)})"
    if kind is Unavailable:
        return Unavailable(text, part=part, operation=operation, unsent=_not_done(error))
    return kind(text, part=part, operation=operation)


def _not_done(error: psycopg.Error) -> bool:
    """Whether it is certain that nothing was done: no connection was opened, or the server rolled back."""
    return isinstance(error, NotConnected) or (error.sqlstate or "")[:2] in ("40", "53", "55")


def _kind(error: psycopg.Error) -> tuple[type[MemwellError], str]:
    state = error.sqlstate or ""
    for key in (state, state[:2]):
        if key in _TABLE:
            return _TABLE[key]
    if isinstance(error, psycopg.OperationalError):
        if _POOLER in str(error):
            return (
                ConfigError,
                "this is a pooler, such as pgbouncer; add prepare=false to the options of the URL, or give `memwell db`"
                " that of the server itself",
            )
        if _LOGIN.search(str(error)):
            return ConfigError, "PostgreSQL refused the connection; look at the URL"
        if isinstance(error, NotConnected):
            return Unavailable, "PostgreSQL cannot be reached; look whether it runs, or try again"
        if isinstance(error, Lost) and error.silent:
            return Unavailable, "PostgreSQL does not answer; look at the server and the network, or try again"
        return Unavailable, "the connection to PostgreSQL was lost; try again"
    if isinstance(error, psycopg.DataError):
        return InvalidInput, "a value cannot be stored in PostgreSQL"
    return BackendError, "PostgreSQL refused the statement; please report this"


def _said(error: psycopg.Error) -> str:
    """The first line of the server's message: the following lines may quote values."""
    text = error.diag.message_primary or str(error)
    return text.strip().split("\n", 1)[0]
