"""The `Store` port: whole records, in four roles.

`records` keeps them, `search` finds candidates for a recall, `vectors` stores embeddings, `changes` tells followers
what was written. `operations` are the writes as data; `visibility` keeps relationships inside the reader's scope.
"""

from __future__ import annotations

from memwell.capabilities import Capabilities
from memwell.ports.declaration import required
from memwell.ports.store.changes import Changes
from memwell.ports.store.records import Records
from memwell.ports.store.search import Searches
from memwell.ports.store.vectors import Embeddings

__all__ = ["Changes", "Embeddings", "Records", "Searches", "Store"]


class Store(Records, Searches, Embeddings, Changes):
    """The truth: whole records, kept durably, found by id, by listing and by search.

    A store has the role `Records`, and as many of the others as its capabilities say. The hooks of a role that it does
    not have raise `NotSupported`.
    """

    remote: bool = False
    """Whether each operation asks a server, so that one more costs as much as a write."""

    @property
    @required
    def capabilities(self) -> Capabilities:
        """What this instance promises."""
        raise NotImplementedError
