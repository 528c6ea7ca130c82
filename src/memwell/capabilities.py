"""What a store or an index offers, as flags of the instance. The support tables of the README are made from them."""

from __future__ import annotations

from memwell._dataclasses import dataclass

__all__ = ["Capabilities", "IndexCapabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one store offers. Using a capability that is false raises `NotSupported`."""

    durable: bool = False
    """Acknowledged writes survive a crash of the process."""
    multiprocess: bool = False
    """Several processes may read and write the same store at once."""
    atomic_batches: bool = False
    """All operations of one write commit, or none."""
    lexical: bool = False
    """Finds records by words."""
    vectors: bool = False
    """Finds records by vectors."""
    times: bool = False
    """Finds records by the times that a question names, whatever their words."""
    filters: bool = False
    """Applies filters, with every operator, before it takes the top k."""
    history: bool = False
    """Keeps older versions."""
    links: bool = False
    """Keeps relationships."""
    changes: bool = False
    """Lists the records that changed since a position, so that indexes and caches can follow."""
    embeds_itself: bool = False
    """Computes the vectors itself; callers pass none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCapabilities:
    """What one index offers. Every index offers filters, metrics and namespaces."""

    durable: bool = False
    """Acknowledged writes survive a crash of the process."""
    multiprocess: bool = False
    """Several processes may read and write the same points at once."""
    immediate: bool = True
    """The next search sees a write."""
    atomic_batches: bool = False
    """All points of one call are written, or none."""
    exact: bool = False
    """Compares every vector, so that the nearest are never missed."""
