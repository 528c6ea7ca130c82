"""The values that all layers share: frozen, slotted, keyword-only, standard library only.

Times are aware datetimes in UTC with microsecond precision. Scores and weights lie in 0..1 unless said otherwise.
`None` means absent, never "unsupported". `memwell.fields` has the table of the fields of `Scope` and `Record`.
"""

from __future__ import annotations

from memwell._lazy import exports
from memwell.types.answers import Component, Contradiction, Hit, Page, Related, Version, Why
from memwell.types.records import (
    DEFAULT_TENANT,
    JSON,
    Link,
    Message,
    Mode,
    NewMemory,
    Owner,
    Progress,
    Record,
    Scope,
    Where,
)

TYPE_CHECKING = False

if TYPE_CHECKING:
    from memwell.types.reports import (
        Encryption,
        Health,
        Imported,
        KeyStatus,
        Problem,
        Reembedded,
        Report,
        Rotated,
        Stats,
        Trace,
    )

__all__ = [
    "DEFAULT_TENANT",
    "JSON",
    "Component",
    "Contradiction",
    "Encryption",
    "Health",
    "Hit",
    "Imported",
    "KeyStatus",
    "Link",
    "Message",
    "Mode",
    "NewMemory",
    "Owner",
    "Page",
    "Problem",
    "Progress",
    "Record",
    "Reembedded",
    "Related",
    "Report",
    "Rotated",
    "Scope",
    "Stats",
    "Trace",
    "Version",
    "Where",
    "Why",
]


_REPORTS = (
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
)
"""A process seldom needs these."""

__getattr__ = exports(__name__, dict.fromkeys(_REPORTS, "reports"))
