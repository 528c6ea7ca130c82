"""Which memories of one owner say the same. Pure.

*Exact*: equal texts, whatever the case and the spaces. *Near*: at least a share of the words in common (Jaccard over
index terms), or at least a cosine of the vectors, or both. A memory is never merged into one that lacks a number, a
name or a negation that it has: *lives in Porto* and *lives in Lisbon* are no duplicates.

Of duplicates the best stays: the one that expires last, then the most important, the most used, the oldest. Memories
are taken in that order, and each is compared with those that stay; so those that stay are no duplicates of each other.
Pairs that share enough words are found by their rarest terms (prefix filtering [1]), without comparing all.

[1] S. Chaudhuri, V. Ganti, R. Kaushik, "A primitive operator for similarity joins", 2006.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.retrieval.analysis.text import analyze
from memwell.types import Record

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["Merge", "fingerprint", "merges", "normalised"]

_TELLING: Final = re.compile(r"\d[\w.,:/-]*\w|\d|(?<=[\w,;:]\s)[A-Z]\w+")
_NEGATION: Final = re.compile(r"\b(?:not|no|never|without|cannot)\b|n't\b", re.IGNORECASE)
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class Merge:
    """A memory that goes, and the one that says the same and stays."""

    gone: Record
    kept: Record
    reason: str


Nearest: TypeAlias = Mapping[str, float]
"""Id of a memory that stays → cosine."""


def normalised(text: str) -> str:
    """A text without the differences that exact duplicates may have."""
    return " ".join(text.casefold().split())


def fingerprint(user_id: str | None, kind: str, text: str, key: bytes) -> int:
    """64 bits that exact duplicates have in common; others differ, but for a rare chance."""
    parts = "\0".join((user_id or "", kind, normalised(text)))
    return int.from_bytes(
        hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest(), "big"
    )


def merges(
    records: Iterable[Record],
    *,
    exact: bool,
    words: float | None = None,
    vectors: float | None = None,
    embeddings: Mapping[str, Vectors] | None = None,
) -> list[Merge]:
    """The duplicates among the memories of one owner. `embeddings` are id → one vector of length 1; where there is
    none, no vector is close enough.
    """
    found: list[Merge] = []
    for group in _kinds(records):
        ordered = sorted(group, key=_rank)
        if exact:
            same, ordered = _exact(ordered)
            found += same
        if words is not None or vectors is not None:
            found += _near(ordered, words, vectors, embeddings or {})
    return found


def _kinds(records: Iterable[Record]) -> Iterator[list[Record]]:
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.kind].append(record)
    yield from groups.values()


def _rank(record: Record) -> tuple[float, float, int, float, str]:
    """Best first."""
    ends = math.inf if record.expires_at is None else record.expires_at.timestamp()
    uses = record.access_count + record.reinforced
    return -ends, -record.importance, -uses, record.created_at.timestamp(), record.id


def _exact(ordered: Sequence[Record]) -> tuple[list[Merge], list[Record]]:
    kept: dict[str, Record] = {}
    found = []
    for record in ordered:
        best = kept.setdefault(normalised(record.content), record)
        if best is not record:
            found.append(Merge(record, best, "same text"))
    return found, list(kept.values())


def _near(
    ordered: Sequence[Record], words: float | None, vectors: float | None, embeddings: Mapping[str, Vectors]
) -> list[Merge]:
    terms = {record.id: frozenset(analyze(record.content)) for record in ordered}
    telling = {record.id: _telling(record.content) for record in ordered}
    index = _ByWords(terms.values(), words) if words is not None else None
    close = _close(ordered, vectors, embeddings) if vectors is not None else {}
    kept: dict[str, Record] = {}
    found = []
    for record in ordered:
        own = terms[record.id]
        candidates = dict.fromkeys(close.get(record.id, ()), 1.0) if index is None else index.near(own)
        fitting = [
            (share, id)
            for id, share in candidates.items()
            if id in kept
            and (vectors is None or id in close.get(record.id, ()))
            and telling[record.id] <= telling[id]
            and _negated(record) == _negated(kept[id])
        ]
        if fitting:
            share, id = max(fitting, key=lambda one: (one[0], one[1]))
            found.append(Merge(record, kept[id], _reason(share, words, close.get(record.id, {}).get(id))))
            continue
        kept[record.id] = record
        if index is not None:
            index.add(record.id, own)
    return found


def _reason(share: float, words: float | None, cosine: float | None) -> str:
    parts = [
        f"{share:.0%} of the words" if words is not None else "",
        f"cosine {cosine:.3f}" if cosine else "",
    ]
    return ", ".join(part for part in parts if part)


def _telling(text: str) -> frozenset[str]:
    return frozenset(found.casefold() for found in _TELLING.findall(text))


def _negated(record: Record) -> int:
    return len(_NEGATION.findall(record.content))


class _ByWords:
    """Sets of terms, found again by sets that share enough of them."""

    def __init__(self, sets: Iterable[frozenset[str]], least: float) -> None:
        self._counts = Counter(term for each in sets for term in each)
        self._least = least
        self._sets: dict[str, frozenset[str]] = {}
        self._by_term: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, id: str, terms: frozenset[str]) -> None:
        """Take in a set."""
        self._sets[id] = terms
        for term in self._prefix(terms):
            self._by_term[term].append(id)

    def near(self, terms: frozenset[str]) -> dict[str, float]:
        """Ids of the sets that share enough, and how much."""
        ids = {id for term in self._prefix(terms) for id in self._by_term.get(term, ())}
        shares = {id: len(terms & self._sets[id]) / len(terms | self._sets[id]) for id in ids}
        return {id: share for id, share in shares.items() if share >= self._least}

    def _prefix(self, terms: frozenset[str]) -> list[str]:
        """The rarest terms: enough of them that two sets which share enough have one of them in common."""
        ordered = sorted(terms, key=lambda term: (self._counts[term], term))
        return ordered[: len(terms) - math.ceil(self._least * len(terms)) + 1]


def _close(
    ordered: Sequence[Record], least: float, embeddings: Mapping[str, Vectors]
) -> dict[str, dict[str, float]]:
    """For each memory those whose vectors are close enough, with the cosine."""
    import numpy as np

    ids = [record.id for record in ordered if record.id in embeddings]
    if not ids:
        return {}
    matrix = np.stack([embeddings[id] for id in ids])
    found: dict[str, dict[str, float]] = {}
    for start in range(0, len(ids), _BLOCK):
        cosines = matrix[start : start + _BLOCK] @ matrix.T
        for row, column in zip(*np.nonzero(cosines >= least), strict=True):
            if start + row != column:
                found.setdefault(ids[start + row], {})[ids[column]] = float(cosines[row, column])
    return found
