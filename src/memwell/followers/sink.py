"""What a follower delivers to: a vector index, a replica, webhooks.

A sink needs one method. This one appends every change to a file::

    class Audit(Sink):
        def __init__(self, path: Path) -> None:
            self.path = path

        async def deliver(self, changes: Sequence[Change]) -> None:
            with self.path.open("a") as file:
                for change in changes:
                    file.write(f"{change.seq} {change.kind} {change.tenant_id} {change.id}\\n")

    await Follower(store, Audit(path), name="audit").catch_up()

A consumer outside the process needs no sink: it reads `Store.changes` after a position that it keeps itself.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence

from memwell.ports import Change

__all__ = ["Rebuild", "Sink"]

log = logging.getLogger("memwell.followers")


class Rebuild:
    """One rebuild of a sink, in steps. This one has none: it fits sinks that only report changes."""

    async def step(self, size: int) -> bool:  # noqa: ARG002  a number of records for those that copy
        """Copy about `size` records. Returns whether the sink now holds exactly what the store holds."""
        log.warning("changes were lost or trimmed before they were delivered; delivery goes on after them")
        return True

    async def intact(self) -> bool:
        """Whether the sink still holds what the steps so far have put; otherwise the rebuild starts again."""
        return True


class Sink(ABC):
    """Where a `Follower` delivers changes. It raises what goes wrong; the changes are then delivered again later."""

    @abstractmethod
    async def deliver(self, changes: Sequence[Change]) -> None:
        """Deliver changes, oldest first. Delivery is at least once: the same changes may come again, also after later
        ones. So a sink that copies records reads their current state instead of replaying the changes."""

    async def ready(self) -> bool:
        """Whether to deliver to this sink now; asked before anything is delivered."""
        return True

    async def intact(self, checkpoint: int) -> bool:  # noqa: ARG002
        """Whether the sink holds what was delivered up to the checkpoint (0: nothing yet). Asked at the start and after
        a failure; if not, the sink is rebuilt."""
        return True

    def rebuild(self) -> Rebuild:
        """Begin to rebuild, because the sink is not intact or the changes it needs are gone."""
        return Rebuild()

    async def caught_up(self) -> None:  # noqa: B027  most sinks have nothing to do then
        """Called at the end of each `Follower.catch_up` that delivered all there is."""
