"""The words of a record as PostgreSQL indexes them, and as a search asks for them.

A lexeme of the column `words` is `TTTTterm/UUUUUU`: a hash of the tenant, the index term, and a hash of the user. So
the list that GIN keeps for a lexeme holds the records of one owner alone, however many others use the word, and a
search of a whole tenant asks for the prefix `TTTTterm/`. The hashes only narrow: every search compares the owner too.

The column holds each term once, since counting occurrences in a `tsvector` costs more than finding them; terms that
occur more than once stand beside it in the column `repeats`, with their counts.
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

__all__ = ["asked", "columns"]

_SHORT: Final = 64
"""Characters of a term; of a longer one a hash stands in its place. PostgreSQL takes 2,046 bytes a lexeme."""
_ROOM: Final = 1_000_000
"""Bytes of all lexemes of a record, of which PostgreSQL takes 1,048,575: the terms that come last in a text of more
than about 50,000 different words are not found by."""


def columns(scope: Scope, lexemes: str) -> tuple[int, str | None, Raw]:
    """What the columns `length`, `repeats` (JSON or nothing) and `words` (a `tsvector`) hold for a record."""
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
    """A `tsvector` of lexemes without positions, as `tsvectorrecv` reads it: how many, then each, ended by a zero, and
    how many positions it has."""
    if not terms:
        return Raw(bytes(4))
    lexemes = before + f"{after}\0\0\0{before}".join(terms) + f"{after}\0\0\0"
    return Raw(len(terms).to_bytes(4, "big") + lexemes.encode())


def asked(scope: Scope, terms: Iterable[str]) -> list[str]:
    """For each term the text of a `tsquery` for the records of the scope's user, or of all users of its tenant."""
    tenant = _hashed(scope.tenant_id, 3)
    if scope.user_id is None:
        return [f"'{tenant}{_escaped(_bounded(term))}/':*" for term in terms]
    user = _user(scope)
    return [f"'{tenant}{_escaped(_bounded(term))}/{user}'" for term in terms]


def _fit(lexemes: str, terms: Collection[str]) -> bool:
    """Whether terms can be lexemes as they are."""
    return len(lexemes) < _ROOM // 20 and (len(lexemes) <= _SHORT or max(map(len, terms)) <= _SHORT)


def _fitted(terms: Iterable[str], more: int) -> list[str]:
    """Terms short enough to be lexemes, as many as fit with so many bytes `more` on each."""
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
    """So many bytes of a hash, four characters for three of them."""
    return (
        base64.urlsafe_b64encode(hashlib.blake2b(name.encode(), digest_size=size).digest())
        .decode()
        .rstrip("=")
    )
