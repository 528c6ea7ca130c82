"""The `Store` port: the truth, in four roles."""

from __future__ import annotations

from memwell.capabilities import Capabilities
from memwell.ports.declaration import required
from memwell.ports.store.changes import Changes
from memwell.ports.store.records import Records
from memwell.ports.store.search import Searching
from memwell.ports.store.vectors import StoredVectors

__all__ = ["Store"]


class Store(Records, Searching, StoredVectors, Changes):
    """The truth: whole records, kept durably, found by id, by listing and by search."""

    @property
    @required
    def capabilities(self) -> Capabilities:
        """What this instance promises."""
        raise NotImplementedError
