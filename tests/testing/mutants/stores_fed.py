"""Stores whose change sequence is silent, short or out of order, and leases that last too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.testing.mutants.harness import Mutants

from memwell.backends.memory.store import MemoryStore
from memwell.ports import Change, Delete, Embed, Insert, SetLink, Unlink, Update

FED = Mutants()
breaks = FED.breaks
LISTED = "test_every_change_of_a_record_is_reported"
ORDER = "test_changes_are_reported_in_order"
SILENCE = "test_no_change_is_skipped_silently"


class Silent(MemoryStore):
    """Does not tell some writes."""

    def __init__(self) -> None:
        super().__init__()
        self._untold: set[int] = set()

    def hides(self, operation: Any, result: Any) -> bool:
        """Whether a write of this is not told."""
        raise NotImplementedError

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        before = self._state.last_seq
        results = await super()._write(operations, now)
        if any(map(self.hides, operations, results)):
            self._untold |= set(range(before + 1, self._state.last_seq + 1))
        return results

    async def _changes(self, after: int, limit: int) -> list[Change]:
        return [c for c in await super()._changes(after, 10**6) if c.seq not in self._untold][:limit]


def silent(name: str, hides: Callable[[Any, Any], bool]) -> None:
    """Add stores that are silent on some writes."""
    hook = staticmethod(hides)
    breaks(LISTED)(type(name, (Silent,), {"__doc__": "Some writes are not told.", "hides": hook}))


silent("SilentOnInserts", lambda op, result: isinstance(op, Insert) and not result.reinforced)
silent("SilentOnReinforcement", lambda op, result: isinstance(op, Insert) and bool(result.reinforced))
silent(
    "SilentOnOtherTenants", lambda op, result: isinstance(op, Insert) and result.scope.tenant_id == "other"
)
silent("SilentOnVectors", lambda op, result: isinstance(op, Embed))
silent("SilentOnNewVectorsOnly", lambda op, result: isinstance(op, Embed) and op.embedding.model == "second")
silent("SilentOnContent", lambda op, result: isinstance(op, Update) and "content" in op.changes)
silent("SilentOnFields", lambda op, result: isinstance(op, Update) and "content" not in op.changes)
for name in ("metadata", "tags", "category", "kind", "tier", "source", "importance", "expires_at"):
    silent(f"SilentOn_{name}", lambda op, result, name=name: isinstance(op, Update) and name in op.changes)
silent("SilentOnLinks", lambda op, result: isinstance(op, SetLink))
silent("SilentOnUnlinks", lambda op, result: isinstance(op, Unlink))
silent("SilentOnDeletes", lambda op, result: isinstance(op, Delete) and bool(op.ids))
silent("SilentOnDeletesByFilter", lambda op, result: isinstance(op, Delete) and op.where is not None)
silent("SilentOnDeletesOfScopes", lambda op, result: isinstance(op, Delete) and not op.ids and not op.where)


@breaks(LISTED)
class SilentOnSweeps(Silent):
    """A sweep is not told."""

    def hides(self, operation: Any, result: Any) -> bool:
        return False

    async def _sweep(self, now: datetime) -> int:
        before = self._state.last_seq
        count = await super()._sweep(now)
        self._untold |= set(range(before + 1, self._state.last_seq + 1))
        return count


def fed(name: str, doc: str, change: Callable[[list[Change], int, int], list[Change]], test: str) -> None:
    """Add stores that tell another sequence: of the changes, the position and the limit."""

    async def changes(self: MemoryStore, after: int, limit: int) -> list[Change]:
        return change(await MemoryStore._changes(self, after, 10**6), after, limit)

    breaks(test)(type(name, (MemoryStore,), {"__doc__": doc, "_changes": changes}))


fed("ChangesById", "Changes come by id.", lambda f, a, n: sorted(f, key=lambda c: c.id)[:n], ORDER)
fed("ChangesBackwards", "Changes come newest first.", lambda f, a, n: f[::-1][:n], ORDER)
fed("NewestThousand", "Older changes are forgotten in silence.", lambda f, a, n: f[-1000:][:n], SILENCE)
fed("NewestOfAPage", "A page holds the newest changes.", lambda f, a, n: f[-n:], SILENCE)
fed(
    "OneIsMissing", "The first change after a position is skipped.", lambda f, a, n: f[bool(a) :][:n], SILENCE
)
fed(
    "PutsAfterDeletes",
    "Deletes come first.",
    lambda f, a, n: sorted(f, key=lambda c: c.kind)[:n],
    ORDER,
)
fed(
    "OfNobody",
    "A change does not tell whose it is.",
    lambda f, a, n: [replace(change, user_id=None) for change in f][:n],
    "test_each_change_names_whose_record_it_is",
)


@breaks("test_a_write_that_failed_tells_nothing")
class TellsWhatFailed(MemoryStore):
    """A write that failed is told."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        try:
            return await super()._write(operations, now)
        except Exception:
            self._state.last_seq += 1
            self._state.changes[self._state.last_seq] = (1, False, "default", None, "a")
            raise


@breaks("test_a_lease_may_last_a_part_of_a_second")
class LeasesOfWholeSeconds(MemoryStore):
    """A lease lasts for whole seconds, at least one."""

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        return await super()._claim(follower, holder, max(1, int(seconds)), now)


@breaks("test_a_write_that_changes_nothing_tells_nothing")
class TellsWhatChangesNothing(MemoryStore):
    """An update without a difference is told."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        results = await super()._write(operations, now)
        for operation in operations:
            if isinstance(operation, Update):
                self._state.note(self._state.ids[operation.scope.tenant_id, operation.id])
        return results
