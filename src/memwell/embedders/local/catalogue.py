"""A small list of models that are known to suit memories, with what is known about each."""

from __future__ import annotations

from typing import Final

from memwell._dataclasses import dataclass

__all__ = ["CATALOGUE", "DEFAULT", "Entry", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model."""

    name: str
    repository: str
    """Its name on the Hugging Face hub, under which vectors are stored."""
    bytes: int
    """About what is downloaded."""
    languages: str
    dimension: int
    window: int
    """Tokens."""
    kind: str
    """`graph` (a transformer) or `static` (one vector for each token)."""
    recall: float | None = None
    """Percent of the right memories among the best ten, by the cosine of this model alone, on the chat turns of the
    benchmark; `None`: not measured."""
    milliseconds: float | None = None
    """Per sentence on one core; `None`: not measured."""


DEFAULT: Final = "all-MiniLM-L6-v2"
CATALOGUE: Final = (
    Entry(
        name=DEFAULT,
        repository="sentence-transformers/all-MiniLM-L6-v2",
        bytes=91_000_000,
        languages="English",
        dimension=384,
        window=256,
        kind="graph",
        recall=42.5,
        milliseconds=3.8,
    ),
    Entry(
        name="bge-small-en-v1.5",
        repository="BAAI/bge-small-en-v1.5",
        bytes=134_000_000,
        languages="English",
        dimension=384,
        window=512,
        kind="graph",
    ),
    Entry(
        name="multilingual-e5-small",
        repository="intfloat/multilingual-e5-small",
        bytes=488_000_000,
        languages="about 100",
        dimension=384,
        window=512,
        kind="graph",
    ),
    Entry(
        name="potion-base-8M",
        repository="minishlab/potion-base-8M",
        bytes=31_000_000,
        languages="English",
        dimension=256,
        window=512,
        kind="static",
    ),
)


def find(name: str) -> Entry | None:
    """The entry of a model by its name or its repository, in any case of letters."""
    low = name.lower()
    return next((each for each in CATALOGUE if low in (each.name.lower(), each.repository.lower())), None)
