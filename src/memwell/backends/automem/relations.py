"""The kinds of relationships of memwell in AutoMem's words. Pure."""

from __future__ import annotations

from typing import Final

__all__ = ["AUTHORABLE", "relation"]

AUTHORABLE: Final = frozenset(
    "RELATES_TO LEADS_TO OCCURRED_BEFORE PREFERS_OVER EXEMPLIFIES CONTRADICTS REINFORCES INVALIDATED_BY"
    " EVOLVED_INTO DERIVED_FROM PART_OF".split()
)
"""What clients may store; AutoMem refuses any other."""
_NAMED: Final = {
    "related": ("RELATES_TO", False),
    "contradicts": ("CONTRADICTS", False),
    "extends": ("DERIVED_FROM", False),
    "supersedes": ("INVALIDATED_BY", True),
}
"""Kind → AutoMem's name, and whether it points the other way."""


def relation(kind: str) -> tuple[str, bool]:
    """AutoMem's name of a kind, and whether it goes from the target to the source.

    A word of AutoMem's own (`leads_to`) keeps its name; any other kind is a `RELATES_TO` there.
    """
    if kind in _NAMED:
        return _NAMED[kind]
    name = kind.upper().replace(" ", "_").replace("-", "_")
    return (name if name in AUTHORABLE else "RELATES_TO"), False
