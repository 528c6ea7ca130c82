"""The terms of a record as a `tsvector`, and the terms of a search as a `tsquery`.

A lexeme of the column `words` is `TTTTterm/UUUUUU`: a hash of the tenant, the index term, a hash of the user. So the
list that GIN keeps for a lexeme holds the records of one owner only, however many others use the word. A search of a
whole tenant uses the prefix `TTTTterm/`. The hashes only narrow: every search compares the owner as well.

The column holds each term once, because counting occurrences in a `tsvector` costs more than finding them. Terms that
occur more than once are also in the column `repeats`, with their counts.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

from memwell.backends.postgres import Raw
from memwell.records.codec import dumps
from memwell.types import Scope

__all__ = ["columns", "queries"]

_SHORT: Final = 64
"""Characters of a term; a longer one is replaced by its hash. PostgreSQL allows 2,046 bytes for a lexeme."""
_ROOM: Final = 1_000_000
"""Bytes of all lexemes of a record; PostgreSQL allows 1,048,575. In a text of more than about 50,000 different words,
the last ones are not searchable."""


def columns(scope: Scope, lexemes: str) -> tuple[int, str | None, Raw]:
    """The values of the columns `length`, `repeats` (JSON or `None`) and `words` (a `tsvector`)."""
    terms = lexemes.split(" ") if lexemes else []
    distinct: Collection[str] = dict.fromkeys(terms)
    repeats = None
    if len(distinct) < len(terms):
        repeats = dumps({term: count for term, count in Counter(terms).items() if count > 1})
    tenant, user = _hashed(scope.tenant_id, 3), _user(scope)
    if not _fit(lexemes, distinct):
        distinct = _fitted(distinct, len(tenant) + 1 + len(user))
    return len(terms), repeats, _tsvector(distinct, tenant, f"/{user}")


def _tsvector(terms: Collection[str], before: str, after: str) -> Raw:
    """A `tsvector` without positions, in the form that `tsvectorrecv` reads: the number of lexemes, then each one
    followed by a zero byte and its number of positions."""
    if not terms:
        return Raw(bytes(4))
    lexemes = before + f"{after}\0\0\0{before}".join(terms) + f"{after}\0\0\0"
    return Raw(len(terms).to_bytes(4, "big") + lexemes.encode())


def queries(scope: Scope, terms: Iterable[str]) -> list[str]:
    """One `tsquery` a term, for the records of the scope's user, or of all users of its tenant."""
    tenant = _hashed(scope.tenant_id, 3)
    if scope.user_id is None:
        return [f"'{tenant}{_escaped(_bounded(term))}/':*" for term in terms]
    user = _user(scope)
    return [f"'{tenant}{_escaped(_bounded(term))}/{user}'" for term in terms]


def _fit(lexemes: str, terms: Collection[str]) -> bool:
    """Whether the terms can be lexemes without a change."""
    return len(lexemes) < _ROOM // 20 and (len(lexemes) <= _SHORT or max(map(len, terms)) <= _SHORT)


def _fitted(terms: Iterable[str], more: int) -> list[str]:
    """Terms short enough to be lexemes, as many as fit if each takes `more` bytes in addition."""
    room, found = _ROOM, []
    for term in map(_bounded, terms):
        room -= len(term.encode()) + more
        if room < 0:
            break
        found.append(term)
    return found


def _user(scope: Scope) -> str:
    return "" if scope.user_id is None else _hashed(scope.user_id, 4)


def _bounded(term: str) -> str:
    if len(term) <= _SHORT:
        return term
    return "#" + hashlib.blake2b(term.encode(), digest_size=16).hexdigest()


def _escaped(lexeme: str) -> str:
    return lexeme.replace("\\", "\\\\").replace("'", "''")


@lru_cache(maxsize=4096)
def _hashed(name: str, size: int) -> str:
    """A hash of `size` bytes, as text: four characters for three bytes."""
    return (
        base64.urlsafe_b64encode(hashlib.blake2b(name.encode(), digest_size=size).digest())
        .decode()
        .rstrip("=")
    )
