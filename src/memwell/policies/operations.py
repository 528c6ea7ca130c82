"""The steps of a plan as operations of a store, and what became of a memory since the plan was made. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput, shown
from memwell.fields import NARROWING
from memwell.filters import instant
from memwell.policies.plans import Step
from memwell.ports import Delete, Embedding, Insert, Operation, SetLink, Update
from memwell.records.codec import digest
from memwell.types import Link, Record, Scope
from memwell.values import plain

__all__ = ["CHANGED", "Batch", "batch_of", "refusal", "taken"]

CHANGED: Final = ("tier", "importance", "expires_at", "content")
"""The fields that a step may change."""
_EXPECTED: Final = frozenset({"version", "reinforced", "access_count"})


@dataclass(slots=True)
class Batch:
    """Steps of one transaction."""

    operations: list[Operation] = field(default_factory=list)
    updates: list[tuple[Step, int]] = field(default_factory=list)
    """Steps that change a memory, with the place of their operation."""
    forgets: list[tuple[Step, int]] = field(default_factory=list)
    summaries: list[tuple[Step, int]] = field(default_factory=list)


def batch_of(
    steps: Sequence[Step],
    scope: Scope,
    now: datetime,
    embeddings: Mapping[str, Embedding | None],
    *,
    embeds: bool,
) -> Batch:
    """The operations of steps, in their order; deletions with the same conditions become one."""
    batch = Batch()
    deletes: dict[tuple[tuple[str, int], ...], list[Step]] = {}
    for step in steps:
        _check(step)
        if step.action == "forget" and not step.requires:
            deletes.setdefault(tuple(sorted(step.expects.items())), []).append(step)
            continue
        batch.operations += [_unchanged(scope, id, version) for id, version in step.requires.items()]
        if step.action == "forget":
            _append_delete(batch, scope, [step])
        elif step.action == "update":
            batch.updates.append((step, len(batch.operations)))
            batch.operations.append(_update(step, scope, embeddings))
        else:
            batch.summaries.append((step, len(batch.operations)))
            batch.operations += _summary(step, scope, now, embeddings.get(step.id) if embeds else None)
    for group in deletes.values():
        _append_delete(batch, scope, group)
    return batch


def _check(step: Step) -> None:
    """Raise `InvalidInput` for a step that no plan has: one without the condition on its memory, or with another."""
    if step.action != "summarise" and not {"version"} <= step.expects.keys() <= _EXPECTED:
        raise InvalidInput(
            f"the step for {shown(step.id)} expects {', '.join(step.expects) or 'nothing'} of its memory; a plan"
            " expects its version: make the plan again"
        )


def _append_delete(batch: Batch, scope: Scope, steps: Sequence[Step]) -> None:
    place = len(batch.operations)
    batch.forgets += [(step, place) for step in steps]
    ids = tuple(step.id for step in steps)
    batch.operations.append(Delete(scope=scope, ids=ids, where=dict(steps[0].expects)))


def _unchanged(scope: Scope, id: str, version: int) -> Update:
    """An operation that changes nothing, and fails unless the memory has this version."""
    return Update(scope=scope, id=id, changes={}, expected_version=version)


def _update(step: Step, scope: Scope, embeddings: Mapping[str, Embedding | None]) -> Update:
    changes = {name: _value(name, value) for name, value in step.after.items()}
    return Update(
        scope=scope, id=step.id, changes=changes, embedding=embeddings.get(step.id),
        expected_version=step.expects["version"],
    )  # fmt: skip


def _value(name: str, value: Any) -> Any:
    """A value of a step as a record has it. Raises `InvalidInput`."""
    if name == "expires_at" and value is not None:
        value = instant(value)
        fine = value is not None
    elif name == "importance":
        fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    elif name == "content":
        fine = isinstance(value, str) and bool(value.strip())
    else:
        fine = name in ("tier", "expires_at") and (value is None or (isinstance(value, str) and bool(value)))
    if not fine:
        raise InvalidInput(f"a step sets {name} to {shown(value)}, which no plan does; make the plan again")
    return value


def _summary(step: Step, scope: Scope, now: datetime, embedding: Embedding | None) -> list[Operation]:
    after = step.after
    owner = Scope(
        tenant_id=scope.tenant_id,
        **{name: after.get(name) for name in NARROWING},
    )
    try:
        record = Record(
            id=step.id, scope=owner, content=after["content"], kind="summary", category=after["category"],
            tier=after["tier"], importance=float(after["importance"]), metadata=after["metadata"],
            created_at=now, updated_at=now, embedded=embedding is not None,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"the summary {step.id!r} lacks {error}; make the plan again") from error
    found: list[Operation] = [Insert(record=record, embedding=embedding, named=True, digest=digest(record))]
    around = Scope(tenant_id=owner.tenant_id, user_id=owner.user_id)
    if after.get("originals") != "forget":
        kinds = ("derived_from", "supersedes") if after.get("originals") == "hide" else ("derived_from",)
        found += [
            SetLink(scope=around, source=record.id, link=Link(target=id, kind=kind, created_at=now))
            for id in step.requires
            for kind in kinds
        ]
    else:
        found += [
            Delete(scope=around, ids=(id,), where={"version": version})
            for id, version in step.requires.items()
        ]
    return found


# ---------------------------------------------------------------------------------------------- changed since


def taken(step: Step, record: Record | None) -> bool:
    """Whether an earlier call took the step: what it leaves behind is there."""
    if step.action == "forget":
        return record is None
    if record is None:
        return False
    if step.action == "summarise":
        return record.kind == "summary"
    after = {name: plain(getattr(record, name)) for name in step.after}
    return record.version == step.expects.get("version", 0) + 1 and after == plain(step.after)


def refusal(step: Step, known: Mapping[str, Record]) -> str | None:
    """Why a step cannot be taken; `None`: nothing has changed. `known` are the memories that it names."""
    if step.action != "summarise":
        record = known.get(step.id)
        if record is None:
            return "the memory is gone"
        for name, value in step.expects.items():
            if (now := getattr(record, name, None)) != value:
                return f"the memory has {name} {now}, not {value}"
    for id, version in step.requires.items():
        if id not in known:
            return f"the memory {id} is gone"
        if known[id].version != version:
            return f"the memory {id} has version {known[id].version}, not {version}"
    return None
