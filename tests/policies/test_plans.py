"""Stored plans: JSON lines that give the same plan again, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell import InvalidInput, Plan, Scope
from memwell.policies.plans import Step, Writer
from memwell.testing.samples import START

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers(0, 2**63 - 1)
steps = st.builds(
    Step,
    id=texts.filter(bool),
    action=st.sampled_from(["update", "forget", "summarise"]),
    rule=texts,
    reason=texts,
    before=st.dictionaries(texts, st.none() | texts | st.floats(0, 1)),
    after=st.dictionaries(texts, st.none() | texts | st.floats(0, 1)),
    expects=st.dictionaries(texts, numbers),
    requires=st.dictionaries(texts, numbers),
)


def plan_of(found: list[Step]) -> Plan:
    writer = Writer()
    for step in found:
        writer.add(step)
    return Plan(
        made_at=START,
        scope=Scope(tenant_id="t", user_id="ana"),
        steps=writer.steps(),
        records=len(found),
        by_rule=dict(writer.rules),
        by_action=dict(writer.actions),
        tiers={"": (3, 2), "short_term": (0, 1)},
    )


@given(st.lists(steps, max_size=8))
def test_a_plan_read_again_is_the_same_plan(found: list[Step]) -> None:
    plan = plan_of(found)
    again = Plan.read(plan._lines())
    assert again == plan
    assert list(again.steps) == found
    assert bool(again) is bool(found)


def test_steps_are_a_sequence_over_all_blocks() -> None:
    made = [
        Step(id=str(n), action="forget", rule="r", reason="x", expects={"version": n}) for n in range(2500)
    ]
    found = plan_of(made).steps
    assert len(found) == 2500
    assert (found[0], found[1999], found[-1]) == (made[0], made[1999], made[-1])
    assert list(found[998:1002]) == made[998:1002]
    with pytest.raises(IndexError):
        found[2500]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: [], "is not a plan"),
        (lambda lines: [b"[1]\n"], "is not a plan"),
        (
            lambda lines: [lines[0].replace(b'"form":1', b'"form":9'), *lines[1:]],
            "has form 9; this version reads form 1",
        ),
        (lambda lines: lines[:-1], "damaged or cut short"),
        (lambda lines: [lines[0], *lines[2:]], "damaged or cut short"),
        (
            lambda lines: [lines[0], lines[1].replace(b"forget", b"update"), *lines[2:]],
            "damaged or cut short",
        ),
        (lambda lines: [lines[0], b'["x"]\n', *lines[1:]], "line 2 is not a step"),
        (
            lambda lines: [lines[0], lines[1].replace(b"forget", b"destroy"), *lines[2:]],
            "line 2 is not a step",
        ),
        (lambda lines: [lines[0].replace(b'"records"', b'"record"'), *lines[1:]], "line 1 is not the header"),
    ],
)
def test_what_is_not_a_whole_plan_is_refused(spoil: Any, message: str, tmp_path: Path) -> None:
    made = [Step(id=str(n), action="forget", rule="r", reason="x", expects={"version": n}) for n in range(3)]
    path = tmp_path / "plan.jsonl"
    plan_of(made).save(path)
    path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(InvalidInput, match=message):
        Plan.load(path)
