"""Records, vectors and filters for the suites, and the Hypothesis strategies that make random ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import cos, radians, sin
from typing import Any

import numpy as np
from hypothesis import strategies as st

from memwell.filters import FIELDS
from memwell.ports import Embedding
from memwell.types import DEFAULT_TENANT, Record, Scope

__all__ = [
    "ANYBODY",
    "DIMENSION",
    "LONG_TEXTS",
    "LOOKALIKES",
    "MODEL",
    "SEPARATED",
    "START",
    "UNICODE",
    "Clock",
    "direction",
    "drafts",
    "embedding",
    "passages",
    "record",
    "typed",
    "wheres",
]

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
"""When the suites begin."""
ANYBODY = Scope(tenant_id=DEFAULT_TENANT)
"""A query that may see every record of the default tenant."""
MODEL = "suite"
"""The model name of the suites' vectors."""
DIMENSION = 8
"""Their length."""
UNICODE = (
    "żółw 🐢 and a family 👨‍👩‍👧‍👦",
    "שלום עולם — ‏مرحبا",
    "e\u0301 is not é in bytes",
    "東京タワーで会いましょう",
    "tab\tnew\nline \u2028 quote \" ' back\\slash % _ \u0007",
    "\U0010ffff\ufffd\u200b",
    "Ünïcödé ﬁ Ⅷ ½",
)
"""Contents that must come back as they went in."""
LOOKALIKES = (
    "tea", "Tea", "TEA", " tea", "tea ", "tea\t", "té", "te\u0301", "ｔｅａ", "te", "teas", "tea\u200b", "\ufefftea",
    "straße", "strasse", "ﬁ", "fi", "İ", "i", "ı", "%", "_", "*", "1", "01", "1.0", "true", "null",
)  # fmt: skip
"""Texts that differ in case, width, composition, spaces or a sign, and are different all the same."""
LONG_TEXTS = tuple(start + end for start in ("x" * 255, "ż" * 255, "🐢" * 255) for end in ("a", "b", ""))
"""Texts of 255 and 256 characters that differ only at their end; the longest has over 1,000 bytes."""
SEPARATED = tuple(
    pair
    for sign in (":", "/", "|", ",", ".", "-", "_", "\\", "'", '"', " ", "\x01", "\x1f", "::", "\n")
    for pair in ((f"a{sign}b", "c"), ("a", f"b{sign}c"))
)
"""Pairs of names; joined by a separator, each has another pair as its double."""


def record(
    content: str,
    *,
    id: str,
    scope: Scope = ANYBODY,
    at: datetime = START,
    ttl: float | None = None,
    **fields: Any,
) -> Record:
    """A record created `at`, with an expiry `ttl` seconds later if given."""
    values: dict[str, Any] = {"created_at": at, "updated_at": at} | fields
    if ttl is not None:
        values["expires_at"] = at + timedelta(seconds=ttl)
    return Record(id=id, scope=scope, content=content, **values)


def direction(degrees: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The unit vector at an angle in degrees from the first axis."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[0], vector[1] = cos(radians(degrees)), sin(radians(degrees))
    return vector


def embedding(degrees: float, *, model: str = MODEL) -> Embedding:
    """The vector of a short content."""
    return Embedding(model=model, vectors=direction(degrees)[None, :])


def passages(content: str, *degrees: float, model: str = MODEL) -> Embedding:
    """The vectors of a content in as many parts of equal length."""
    step = len(content) // len(degrees)
    ends = [*(step * n for n in range(1, len(degrees))), len(content)]
    spans = tuple(zip([0, *ends[:-1]], ends, strict=True))
    return Embedding(model=model, vectors=np.stack([direction(d) for d in degrees]), spans=spans)


def typed(value: Any) -> Any:
    """A JSON value with the type of each part, so that `1`, `1.0` and `True` differ; the order of keys is left out."""
    if isinstance(value, Mapping):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [typed(inner) for inner in value]
    return type(value).__name__, repr(value)


class Clock:
    """A clock that stands still until `advance`; pass it to `Memory(clock=…)`."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float = 0, **more: float) -> None:
        """Let so much time pass; `more` as for `timedelta`."""
        self.now += timedelta(seconds=seconds, **more)


# -------------------------------------------------------------------------------------- random ones

_TEXTS = (
    "", "a", "A", "ab", "b", "é", "e\u0301", "1", "1.0", "true", "null", "%", "a_", "'", "[1]", "\U0001f600",
    "2024-05-01T12:00:00+00:00", "2024-05-01T14:00:00+02:00", "2024-05-01", "2024-13-01",
)  # fmt: skip
_NUMBERS = (0, 1, -1, 2, 1.0, -0.0, 0.1, 0.1 + 0.2, 0.3, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, 1e300)
_KEYS = ("a", "b", "k", "kind", "user_id", "a b", "0", "é", "$")

_texts = st.sampled_from(_TEXTS)
_names = st.sampled_from([text for text in _TEXTS if text])
_scalars = st.none() | st.booleans() | st.sampled_from(_NUMBERS) | _texts
_keys = st.sampled_from(_KEYS)
_values = st.recursive(
    _scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(_keys, x, max_size=3), max_leaves=4
)
_moments = st.sampled_from([0, 1, -1, 3600_000_000, -86_400_000_000]).map(
    lambda micros: START + timedelta(microseconds=micros)
)
_paths = st.lists(_keys.filter(lambda key: key != "$"), min_size=1, max_size=3).map(".".join)
_fields = st.sampled_from(sorted(FIELDS))


@st.composite
def drafts(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of a random record, without id and tenant."""
    optional = st.none() | _names
    created = draw(_moments)
    return {
        "content": draw(_names),
        "metadata": draw(st.dictionaries(_keys, _values, max_size=3)),
        "tags": tuple(draw(st.lists(_names, max_size=2, unique=True))),
        "category": draw(optional),
        "kind": draw(_names),
        "tier": draw(optional),
        "source": draw(optional),
        "importance": draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])),
        "created_at": created,
        "updated_at": created,
        "expires_at": draw(st.none() | st.just(START + timedelta(days=9))),
        "valid_from": draw(st.none() | st.just(START - timedelta(days=9))),
        "valid_to": draw(st.none() | _moments),
        "user_id": draw(optional),
        "session_id": draw(optional),
    }


@st.composite
def _clauses(draw: st.DrawFn) -> Mapping[str, Any]:
    name = draw(_fields | _paths | _paths.map(lambda path: f"metadata.{path}"))
    operands: st.SearchStrategy[Any] = _texts | _moments | st.sampled_from(_NUMBERS) | _values
    comparison = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains"])
    single = st.dictionaries(comparison, operands, min_size=1, max_size=2)
    several = st.dictionaries(st.sampled_from(["$in", "$nin"]), st.lists(operands, max_size=3), min_size=1)
    exists = st.booleans().map(lambda wanted: {"$exists": wanted})
    test = draw(operands | single | several | exists)
    if isinstance(test, Mapping) and draw(st.integers(0, 4)) == 0:
        return {name: {"$not": test}}
    return {name: test}


def wheres() -> st.SearchStrategy[Mapping[str, Any]]:
    """Random filter trees. Some are refused by `filters.parse`; filter those out where it matters."""

    def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        lists = st.lists(inner, min_size=1, max_size=3)
        return (
            st.fixed_dictionaries({"$and": lists})
            | st.fixed_dictionaries({"$or": lists})
            | st.fixed_dictionaries({"$not": inner})
        )

    tree: st.SearchStrategy[Mapping[str, Any]] = st.recursive(_clauses(), grown, max_leaves=5)
    return tree
