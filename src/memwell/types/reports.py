"""What calls give back about a store and its work: counts, health, problems, what was moved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from memwell._dataclasses import dataclass
from memwell.values import Value

__all__ = [
    "Encryption",
    "Health",
    "Imported",
    "KeyStatus",
    "Problem",
    "Reembedded",
    "Report",
    "Rotated",
    "Stats",
    "Trace",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(Value):
    """Counts inside a scope."""

    records: int
    sessions: int
    users: int
    by_kind: Mapping[str, int]
    by_category: Mapping[str, int]
    versions: int
    """Older versions kept."""
    links: int
    embedded: Mapping[str, int]
    """Records that have vectors, by model."""
    unembedded: int
    """Records without vectors of any model."""
    expired: int
    """Expired but not yet swept."""
    oldest: datetime | None
    newest: datetime | None
    bytes: int | None
    """Size of the whole store, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Value):
    """The answer of `health`: `ok` is true when every part answered."""

    ok: bool
    status: Literal["healthy", "degraded", "unhealthy"]
    parts: Mapping[str, str]
    """Part name → `ok`, or what is wrong."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported(Value):
    """What an import did."""

    added: int
    present: int
    """Already stored as exported."""
    links: int
    expired: int = 0
    """Left out because they had expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reembedded(Value):
    """What a move to another embedding model did."""

    model: str
    """The model whose vectors searches use now."""
    before: str | None
    """The model that searches used before; the same as `model` where they had switched already."""
    embedded: int
    """Memories that got vectors of the new model."""
    failed: tuple[str, ...] = ()
    """tenant/id/version of those that could not be embedded and are found by words only."""
    dropped: int = 0
    """Vectors of older models that were removed, in memories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus(Value):
    """The keys of an encrypted store."""

    first: str
    """Name of the master key that wraps what is new."""
    tenants: int
    """Tenants that have keys."""
    masters: Mapping[str, int]
    """Name of a master key → tenants whose keys it wraps. After a rotation only the first is left."""
    destroyed: int = 0
    """Tenants whose keys were destroyed."""
    leftover: int = 0
    """Older states of keys that an interrupted rotation has left; the next one removes them."""

    @property
    def rotated(self) -> bool:
        """Whether everything is wrapped by the first master key, so that the others can be thrown away."""
        return not self.leftover and set(self.masters) <= {self.first}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated(Value):
    """What a rotation of keys did."""

    first: str
    """Name of the master key that wraps all keys now."""
    tenants: int
    """Tenants looked at."""
    rewrapped: int
    """Tenants whose keys were wrapped again; the others were already."""
    rewritten: int = 0
    """Memories that were encrypted again, by a new data key."""
    kept: int = 0
    """Tenants whose older data keys are still there; a later rotation of data keys removes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption(Value):
    """What the encryption of a plain store did."""

    memories: int
    """Memories that were encrypted; the others were already."""
    tenants: int
    """Tenants looked at."""
    unreadable: int = 0
    """Memories that were encrypted before and cannot be decrypted; `doctor` names them."""
    traces: tuple[Trace, ...] = ()
    """Where the plain text was kept besides, and what is there now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Value):
    """One inconsistency that `doctor` found."""

    kind: str
    """Such as `lexemes`, `vectors`, `links`, `corrupt`."""
    detail: str
    id: str | None = None
    repairable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Value):
    """What `doctor` or `repair` found and did."""

    ok: bool
    """No problem is left."""
    checked: int
    """Records looked at."""
    problems: tuple[Problem, ...] = ()
    repaired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace(Value):
    """One place where something was kept that was to be removed, and what is there now."""

    place: str
    """Such as `sqlite: rows`, `index`, or `mirror copy: redis: server`."""
    state: Literal["gone", "pending", "remains", "returned"]
    """`gone`: read back, and nothing found. `pending`: could not be reached or finished, and is tried again.
    `remains`: cannot be removed from here. `returned`: gone, but stored again by another writer since.
    """
    detail: str = ""
