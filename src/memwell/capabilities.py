"""What a store or an index promises, as flags read from the instance; each is one sentence. The support tables in the
README are printed from them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Capabilities", "IndexCapabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Flags of one store instance. Supported, or `NotSupported`."""

    durable: bool = False
    """Acknowledged writes survive the death of the process."""
    multiprocess: bool = False
    """Several processes may read and write the same store at once."""
    atomic_batches: bool = False
    """All operations of one write commit together or not at all."""
    lexical: bool = False
    """Finds records by words."""
    vectors: bool = False
    """Finds records by vectors."""
    filters: bool = False
    """Evaluates every operator of the filter language before the top k is taken."""
    history: bool = False
    """Keeps older versions."""
    links: bool = False
    """Keeps relationships."""
    changes: bool = False
    """Tells which records changed since a position, to feed indexes and caches."""
    embeds_itself: bool = False
    """Computes vectors on its own side; none are handed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCapabilities:
    """Flags of one index instance. Filters, metrics and namespaces are promised by every index."""

    durable: bool = False
    """Acknowledged writes survive the death of the process."""
    multiprocess: bool = False
    """Several processes may read and write the same points at once."""
    immediate: bool = True
    """A write is seen by the next search."""
    atomic_batches: bool = False
    """All points of one call are written or none."""
    exact: bool = False
    """Compares every vector, so that nothing near is ever missed."""
