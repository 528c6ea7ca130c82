"""What the engine asks of a store's search, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from memwell.errors import EmbeddingError
from memwell.filters import Node
from memwell.retrieval.evidence import DEFAULT, Candidate, Statistics, Weights
from memwell.types import Link, Scope

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["Found", "Search", "check_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search for candidates."""

    scope: Scope
    """Whose records may be found."""
    now: datetime
    """Records expired at this moment are not found."""
    terms: tuple[str, ...] = ()
    """Distinct index terms of the question; they drive the lexical part."""
    phrases: tuple[tuple[str, ...], ...] = ()
    """Index terms of each quoted passage of the question."""
    where: Node | None = None
    """Applied before anything is cut."""
    created_until: datetime | None = None
    """Only records created up to then."""
    vectors: Vectors | None = None
    """`(q, d) float32`: one or two vectors of the question, or `None` for a lexical search."""
    model: str | None = None
    """The model of `vectors`; records without vectors of it are found by words only."""
    similar: Mapping[str, float] | None = None
    """id → cosine of those that a vector index found: they are nominated instead of the nearest in the store. With
    `vectors` and `model` given as well, the cosines of all candidates are the store's own.
    """
    pool: int = 48
    """How many records each signal may nominate."""
    weights: Weights = DEFAULT
    """The shape of the windows from which candidates take evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a store's search gives to the ranking."""

    candidates: Sequence[Candidate]
    """Those that the signals nominated, and their neighbours in the same conversation."""
    statistics: Statistics
    """Of everything the terms were counted in."""
    ids: Mapping[int | str, str]
    """Key of a candidate → id of its record."""
    notes: tuple[str, ...] = ()
    """What was different from usual."""
    incoming: Sequence[tuple[str, Link]] | None = None
    """As `Store.links` gives the relationships that point to the candidates, where the search has brought them along;
    `None`: ask.
    """


def check_model(asked: str | None, serving: str | None, *, part: str) -> None:
    """Raise `EmbeddingError` when vectors of the model asked with are not those that the store serves."""
    if asked is not None and serving is not None and asked != serving:
        raise EmbeddingError(
            f"this store serves vectors of {serving!r}, not of {asked!r}: open it with that embedder, or run"
            f" `memwell reembed --to MODEL` to move it",
            part=part,
            operation="search",
        )
