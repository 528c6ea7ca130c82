"""`summarise`: a memory that says in short what others say, and names them.

The rule of the policies does it: conversations through a plan with one rule, chosen memories through steps like those
of such a plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, get_args

from memwell.engine import applying, planning
from memwell.engine.context import Engine
from memwell.engine.reading import records_of
from memwell.engine.requests import PlanRequest, SummariseRequest
from memwell.engine.validation import check_id
from memwell.errors import Conflict, InvalidInput, NotFound, shown
from memwell.policies import summaries
from memwell.policies.conditions import Condition
from memwell.policies.model import Originals, Policies, Summarise
from memwell.policies.plans import Step
from memwell.policies.summarising import Group, parts_of, summary_step
from memwell.types import Record, Scope

__all__ = ["summarise"]

_LEAST: Final = 20
"""Characters of the shortest summary that can be asked for."""


async def summarise(engine: Engine, request: SummariseRequest) -> list[Record]:
    """Store summaries, and return them. Raises `NotFound`, `Conflict`."""
    rule, scope, now = _rule(request), request.scope(), engine.clock()
    if request.ids is None:
        if not request.narrowed():
            raise InvalidInput(
                "summarise takes an owner (user_id, session_id, …), whose conversations it summarises, or ids"
            )
        plan = await planning.plan(
            engine,
            PlanRequest(
                policies=Policies(summarise=(rule,)),
                summariser=request.summariser,
                tenant_id=scope.tenant_id,
                user_id=scope.user_id,
                agent_id=scope.agent_id,
                session_id=scope.session_id,
                namespace=scope.namespace,
            ),
        )
        steps: Sequence[Step] = list(plan.steps)
    else:
        records = await _chosen(engine, scope, request.ids, now)
        steps = await _steps(engine, request, rule, records)
    if refused := await applying.take(engine, scope, steps):
        raise Conflict(f"{refused[0].reason}; call summarise again", part="memory", operation="summarise")
    return await records_of(engine, scope, [step.id for step in steps], engine.clock())


def _rule(request: SummariseRequest) -> Summarise:
    characters, originals = request.characters, request.originals
    if isinstance(characters, bool) or not isinstance(characters, int) or not _LEAST <= characters <= 100_000:
        raise InvalidInput(f"characters is a whole number of {_LEAST} to 100,000, not {shown(characters)}")
    if not isinstance(originals, str) or originals not in get_args(Originals):
        raise InvalidInput(f"originals is {', '.join(get_args(Originals))}, not {shown(originals)}")
    planning.check_summariser(request.summariser)
    return Summarise(
        name="summarise",
        when=Condition(),
        by="session",
        at_least=1,
        characters=characters,
        originals=originals,
    )


async def _chosen(engine: Engine, scope: Scope, ids: object, now: datetime) -> list[Record]:
    """The memories that the call names, oldest first."""
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise InvalidInput(f"summarise takes a list of ids, not {shown(ids)}")
    wanted = list(dict.fromkeys(map(check_id, ids)))
    found = await records_of(engine, scope, wanted, now)
    if missing := [id for id in wanted if id not in {record.id for record in found}]:
        named = ", ".join(map(shown, missing[:5]))
        raise NotFound(f"no memory {named} in this scope", part="memory", operation="summarise")
    return sorted(found, key=lambda record: (record.created_at, record.id))


async def _steps(
    engine: Engine, request: SummariseRequest, rule: Summarise, records: Sequence[Record]
) -> list[Step]:
    """One step for each user and for each part of their memories that fits into a summary."""
    by_user: defaultdict[str | None, list[Record]] = defaultdict(list)
    for record in records:
        by_user[record.user_id].append(record)
    steps = []
    for user, each in by_user.items():
        for part in parts_of([(record, record.version) for record in each]):
            texts = [record.content for record, _ in part]
            text = await summaries.summarised(
                request.summariser, texts, rule.characters, blocking=engine.parts.blocking
            )
            steps.append(summary_step(Group(rule, user, "chosen", by="ids"), part, text))
    return steps
