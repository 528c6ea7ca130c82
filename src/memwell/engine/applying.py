"""`apply`: take the steps of a plan, in batches, each in one transaction.

A batch is written as it is planned, on the condition that no memory of it has changed. If one has, the memories are
read, and what can still be done is written without the others, in halves, so that one that changes just now holds up
few. So a step is taken whole or not at all, also beside other writers and when the process is killed, and a second
call goes on where the first one ended.

One process applies at a time: it holds the lease `policies` of the store. The conditions hold without it; it saves two
processes from doing the same work and refusing each other's steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from memwell.engine.context import Engine, report
from memwell.engine.requests import ApplyRequest
from memwell.engine.validation import check_progress
from memwell.errors import Conflict, InvalidInput, NotFound, Unavailable, shown
from memwell.followers.lease import LEASE, Lease
from memwell.policies.operations import batch_of, refusal, taken
from memwell.policies.plans import Applied, Plan, Refused, Step
from memwell.ports import Embedding
from memwell.types import Progress, Record, Scope

__all__ = ["apply", "take"]

_BATCH: Final = 1000
_ATTEMPTS: Final = 5
"""How often a single step is tried again because its memory changes between reading and writing."""
_UNTRACKED: Final = 2**63 - 1
"""A checkpoint beyond all changes: the lease keeps none of them from being trimmed."""


async def apply(engine: Engine, request: ApplyRequest, progress: Progress | None = None) -> Applied:
    """Take the steps of a plan. Raises `Unavailable` while another process applies one."""
    plan: Any = request.plan
    if not isinstance(plan, Plan):
        raise InvalidInput(f"apply takes a Plan, as memory.plan gives it, not {shown(plan)}")
    check_progress(progress)
    run = _Run(engine, plan.scope)
    lease = await _claimed(engine)
    done, steps, total = 0, iter(plan.steps), len(plan.steps)
    report(progress, 0, total)
    try:
        while batch := list(islice(steps, _BATCH)):
            if done and lease is not None and not await lease.claim():
                break
            await run.take(batch)
            done += len(batch)
            report(progress, done, total)
    finally:
        if lease is not None:
            await lease.advance(_UNTRACKED, release=True)
    await engine.housekeeping(engine.clock())
    refused, left = len(run.refused), total - done
    engine.emit("applied", plan.scope, (), done=run.done, already=run.already, refused=refused, left=left)
    return Applied(done=run.done, already=run.already, refused=tuple(run.refused), left=total - done)


async def take(engine: Engine, scope: Scope, steps: Sequence[Step]) -> Sequence[Refused]:
    """Take a few steps in one transaction, beside a process that applies a plan; those that were refused."""
    run = _Run(engine, scope)
    await run.take(steps)
    await engine.housekeeping(engine.clock())
    return run.refused


async def _claimed(engine: Engine) -> Lease | None:
    """The lease; `None` for a store that has none."""
    if not engine.store.capabilities.changes:
        return None
    lease = Lease(engine.store, "policies", engine.clock, replayed=False)
    if not await lease.claim():
        raise Unavailable(
            "another process applies a plan to this store; try again when it is done",
            part="memory",
            operation="apply",
            retry_after=LEASE,
            unsent=True,
        )
    await lease.advance(_UNTRACKED)
    return lease


class _Run:
    """One call of `apply`."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self.done = self.already = 0
        self.refused: list[Refused] = []
        self._engine, self._scope = engine, scope

    async def take(self, steps: Sequence[Step]) -> None:
        """Take the steps that can be taken."""
        if any(step.action == "summarise" for step in steps):  # stored again, one would be reinforced
            steps = await self._possible(steps)
        embeddings = await self._embeddings(steps)
        waiting = [(list(steps), _ATTEMPTS)]
        while waiting:
            part, attempts = waiting.pop()
            if not part or await self._written(part, embeddings):
                continue
            part, half = await self._possible(part), len(part) // 2
            if half:
                waiting += [(part[half:], attempts), (part[:half], attempts)]
            elif attempts:
                waiting.append((part, attempts - 1))
            else:
                for step in part:
                    self._refuse(step, "the memory changes all the time")

    async def _written(self, steps: Sequence[Step], embeddings: dict[str, Embedding | None]) -> bool:
        """Write the steps in one transaction; whether it went through. Nothing is written if a memory has changed."""
        now = self._engine.clock()
        batch = batch_of(steps, self._scope, now, embeddings, embeds=self._engine.encoder is not None)
        try:
            results = await self._engine.write(batch.operations, now=now)
        except (Conflict, NotFound):
            return False
        gone: dict[int, set[str]] = {place: set(results[place]) for _, place in batch.forgets}
        forgotten = [step for step, place in batch.forgets if step.id in gone[place]]
        self.done += len(batch.updates) + len(batch.summaries) + len(forgotten)
        self._publish(batch.updates, "updated", results)
        self._publish(batch.summaries, "remembered", results)
        if forgotten:
            self._engine.emit("forgotten", self._scope, tuple(step.id for step in forgotten))
        for step in await self._possible(
            [step for step, place in batch.forgets if step.id not in gone[place]]
        ):
            self._refuse(step, "the memory has changed")
        return True

    def _publish(self, steps: Sequence[tuple[Step, int]], name: str, results: Sequence[Any]) -> None:
        if not self._engine.events.wanted(name):
            return
        for _, place in steps:
            record: Record = results[place]
            data = {"previous": record.version - 1} if name == "updated" else {}
            self._engine.emit(name, record.scope, (record.id,), (record,), **data)

    async def _possible(self, steps: Sequence[Step]) -> list[Step]:
        """The steps that can still be taken; the others are counted as taken before, or refused."""
        if not steps:
            return []
        ids = list(dict.fromkeys(id for step in steps for id in (step.id, *step.requires)))
        found = await self._engine.store.get(self._scope, ids, now=self._engine.clock())
        known = {record.id: record for record in found}
        possible = []
        for step in steps:
            if taken(step, known.get(step.id)):
                self.already += 1
            elif (reason := refusal(step, known)) is not None:
                self._refuse(step, reason)
            else:
                possible.append(step)
        return possible

    def _refuse(self, step: Step, reason: str) -> None:
        self.refused.append(Refused(id=step.id, rule=step.rule, reason=reason))

    async def _embeddings(self, steps: Sequence[Step]) -> dict[str, Embedding | None]:
        """Vectors of the new texts."""
        encoder = self._engine.encoder
        texts = {step.id: step.after["content"] for step in _with_text(steps)}
        if encoder is None or not texts:
            return {}
        return dict(zip(texts, await encoder.documents(list(texts.values())), strict=True))


def _with_text(steps: Sequence[Step]) -> Iterator[Step]:
    return (step for step in steps if isinstance(step.after.get("content"), str))
