"""Search a store of which some memories are encrypted and others are still plain.

Each term is asked for twice, hashed and as it is, and what is found is counted together. A memory has only one of both,
so that ranking gets the numbers that it would get of plain memories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from memwell import filters
from memwell.filters import And, Clause, Node, Not, Or
from memwell.ports.store.search import Found, Search
from memwell.sealed import MARK
from memwell.security import sealing
from memwell.security.cipher import TenantCipher
from memwell.types import Where

__all__ = ["asked_twice", "counted_once", "either"]

_SEALED: Final = Clause("content", (), "$contains", MARK)


def either(cipher: TenantCipher, where: Where | Node) -> Node:
    """A filter for encrypted and for plain memories."""
    plain = filters.parse(where)
    return Or((And((_SEALED, sealing.sealed_where(cipher, plain))), And((Not(_SEALED), plain))))


def asked_twice(search: Search, plain: Search) -> Search:
    """A search for encrypted memories, with the terms of the same search for plain ones."""
    return replace(
        search,
        terms=(*search.terms, *plain.terms),
        phrases=(*search.phrases, *plain.phrases),
        days=(*search.days, *plain.days),
    )


def counted_once(found: Found, terms: int) -> Found:
    """The result of such a search, with `terms` terms of each kind."""
    candidates = [
        replace(
            candidate,
            matches=[(at, int(count)) for at, count in _folded(candidate.matches, terms).items()],
            counts=_folded(candidate.counts.items(), terms),
            phrases=min(1.0, 2 * candidate.phrases),
        )
        for candidate in found.candidates
    ]
    given = found.statistics.frequencies
    frequencies = [given[at] + given[at + terms] for at in range(terms)]
    return replace(
        found, candidates=candidates, statistics=replace(found.statistics, frequencies=frequencies)
    )


def _folded(counts: Iterable[tuple[int, float]], terms: int) -> dict[int, float]:
    found: Counter[int] = Counter()
    for at, count in counts:
        found[at % terms] += count  # type: ignore[assignment]
    return dict(found)
