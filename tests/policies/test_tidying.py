"""`plan` and `apply` through the public API, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell import Memory, Scope, Unavailable
from memwell.errors import ConfigError, InvalidInput, NotFound
from memwell.policies import Plan, Step
from memwell.testing.memory import Words
from memwell.testing.samples import Clock

DAY = timedelta(days=1)
AGING: dict[str, Any] = {
    "tier": [
        {"name": "short_term", "capacity": 3, "overflow": "next"},
        {"name": "mid_term", "expiry": "30d"},
        {"name": "long_term", "ttl": "365d"},
    ],
    "write": [{"tier": "short_term"}, {"tier": "long_term", "importance": ">= 0.8"}],
    "migrate": [{"from": "short_term", "to": "mid_term", "idle": ">= 7d"}],
    "promote": [{"from": "mid_term", "to": "short_term", "uses": ">= 2", "idle": "< 7d"}],
    "expire": [{"kind": "event", "age": ">= 60d"}],
}
Opened = Callable[..., Memory]


def tiers(memory: Memory) -> dict[str, str | None]:
    return {record.id: record.tier for record in memory.list(limit=1000)}


def again(memory: Memory, policies: Any = None) -> Plan:
    """Apply a plan, and make it again."""
    assert not memory.apply(memory.plan(policies)).refused
    return memory.plan(policies)


def test_memories_age_from_tier_to_tier_and_come_back_when_used(opened: Opened, clock: Clock) -> None:
    memory = opened(policies=AGING)
    for id, more in (
        ("a", {}),
        ("b", {"importance": 0.9}),
        ("c", {"kind": "event"}),
        ("d", {"tier": "mid_term"}),
    ):
        memory.remember(f"note {id}", id=id, user_id="ana", **more)  # type: ignore[arg-type]
    assert tiers(memory) == {"a": "short_term", "b": "long_term", "c": "short_term", "d": "mid_term"}
    assert memory.get("b").expires_at == clock() + 365 * DAY
    assert not memory.plan()

    clock.advance(10 * 86400)
    heard: list[Any] = []
    stop = memory.on("*l*ned", lambda event: heard.append((event.name, event.data["steps"])), inline=True)
    plan = memory.plan(user_id="ana")
    stop()
    assert heard == [("planned", 2)]
    assert [(step.id, step.rule, step.before, step.after) for step in plan.steps] == [
        (id, "migrate 1", {"tier": "short_term"}, {"tier": "mid_term"}) for id in "ac"
    ]
    assert plan.by_rule == {"migrate 1": 2}
    assert dict(plan.tiers) == {"short_term": (2, 0), "mid_term": (1, 3), "long_term": (1, 1)}
    assert plan.steps[0].reason == "tier short_term, idle >= 1w"
    assert tiers(memory)["a"] == "short_term"  # a plan reads only
    done = memory.apply(plan)
    assert (done.done, done.already, done.refused, done.left) == (2, 0, (), 0)
    assert [version.changed for version in memory.history("a")] == [(), ("tier",)]

    for _ in range(2):
        memory.remember("note a", id="a", user_id="ana", kind="memory")
    assert not again(memory)
    assert tiers(memory)["a"] == "mid_term"  # it is used, but idle since it was created: only a recall is use
    clock.advance(60 * 86400)
    gone = memory.plan()
    assert {step.id: step.action for step in gone.steps} == {"a": "update", "c": "forget", "d": "update"}
    assert not again(memory)
    with pytest.raises(NotFound):
        memory.get("c")


def test_what_is_recalled_comes_back_and_stays(opened: Opened, clock: Clock) -> None:
    memory = opened(policies=AGING)
    memory.remember("the boat is blue", id="boat", user_id="ana")
    clock.advance(8 * 86400)
    assert not again(memory)
    for _ in range(2):
        memory.recall("boat", user_id="ana")
        clock.advance(10)
    memory.recall("boat", user_id="ana")
    assert not again(memory)
    assert tiers(memory) == {"boat": "short_term"}


def test_full_tiers_make_room_by_what_was_used_longest_ago(opened: Opened, clock: Clock) -> None:
    memory = opened()
    for number in range(6):
        clock.advance(60)
        memory.remember(f"note {number}", id=str(number), user_id="ana", tier="short_term")
    memory.remember("of another", id="bob", user_id="bob", tier="short_term")
    policies = {
        "tier": [{"name": "short_term", "capacity": 4, "overflow": "next"}, {"name": "rest", "bytes": 7}]
    }
    plan = memory.plan(policies)
    assert [(step.id, step.action, step.rule) for step in plan.steps] == [
        ("0", "forget", "limit of short_term, limit of rest"),
        ("1", "update", "limit of short_term"),
    ]
    assert not again(memory, policies)
    assert tiers(memory) == {
        "1": "rest", **dict.fromkeys("2345", "short_term"), "bob": "short_term",
    }  # fmt: skip


def test_steps_whose_memory_has_changed_are_refused_and_the_others_taken(
    opened: Opened, clock: Clock
) -> None:
    memory = opened()
    for id in "abcdef":
        memory.remember(f"note {id}", id=id, user_id="ana", tier="short_term")
    clock.advance(10 * 86400)
    policies = {
        "migrate": [{"from": "short_term", "to": "mid_term", "age": ">= 7d"}],
        "expire": [{"tags": "old", "age": ">= 7d"}],
    }
    for id in "def":
        memory.update(id, tags=["old"])
    plan = memory.plan(policies)
    memory.update("a", content="changed meanwhile")
    memory.forget("b")
    memory.remember("note d", id="d", user_id="ana", tags=["old"])
    memory.forget("e")
    done = memory.apply(plan)
    assert (done.done, done.already, done.left) == (2, 1, 0)
    assert {one.id: one.reason for one in done.refused} == {
        "a": "the memory has version 2, not 1",
        "b": "the memory is gone",
        "d": "the memory has reinforced 1, not 0",
    }
    assert tiers(memory) == {"a": "short_term", "c": "mid_term", "d": "short_term"}
    repeated = memory.apply(plan)
    assert (repeated.done, repeated.already, len(repeated.refused)) == (0, 3, 3)


def test_plans_are_stored_and_applied_later(opened: Opened, clock: Clock, tmp_path: Path) -> None:
    memory = opened(policies=AGING)
    memory.remember("note", id="a", user_id="ana")
    clock.advance(8 * 86400)
    memory.plan().save(tmp_path / "plan.jsonl")
    assert memory.apply(Plan.load(tmp_path / "plan.jsonl")).done == 1
    assert tiers(memory) == {"a": "mid_term"}


def test_duplicates_are_merged_unless_something_would_be_lost(opened: Opened) -> None:
    memory = opened(embedder=Words(dimension=512))
    texts = {
        "a": "Ana keeps three bees in the garden behind the house",
        "b": "ana keeps  three bees in the garden behind the house",
        "c": "Ana keeps three bees in the big garden behind the house",
        "d": "Ana keeps three bees in the garden behind the house in Porto",
        "e": "Ana never keeps three bees in the garden behind the house",
    }
    for number, (id, text) in enumerate(texts.items()):
        memory.remember(
            text, id=id, user_id="ana", session_id=str(number), importance=0.6 if id == "c" else 0.5
        )
    memory.remember(texts["a"], id="other", user_id="bob")
    exact = memory.plan({"deduplicate": {}})
    assert [(step.id, dict(step.requires)) for step in exact.steps] == [("b", {"a": 1})]
    near = {"deduplicate": {"words": 0.8, "vectors": 0.8}}
    assert {step.id: [*step.requires] for step in memory.plan(near).steps} == {"a": ["c"], "b": ["a"]}
    memory.update("a", category="changed")
    assert [one.id for one in memory.apply(exact).refused] == ["b"]
    assert not again(memory, near)
    assert set(tiers(memory)) == {"c", "d", "e", "other"}


def test_a_conversation_gets_a_summary_that_names_its_sources(opened: Opened, clock: Clock) -> None:
    memory = opened(embedder=Words())
    ids = []
    for number in range(4):
        clock.advance(1)
        record = memory.remember(f"On day {number} we saw the blue boat.", user_id="ana", session_id="trip")
        ids.append(record.id)
    policies: dict[str, Any] = {
        "summarise": [{"at_least": 4, "characters": 80, "originals": "hide", "to": "long_term"}]
    }
    plan = memory.plan(policies)
    assert [(step.action, list(step.requires)) for step in plan.steps] == [("summarise", ids)]
    assert not again(memory, policies)
    (summary,) = memory.list(where={"kind": "summary"})
    assert (summary.user_id, summary.session_id, summary.tier) == ("ana", "trip", "long_term")
    assert list(summary.metadata["sources"]) == ids
    assert len(summary.content) <= 80
    assert summary.embedded
    assert [hit.id for hit in memory.recall("blue boat", user_id="ana")] == [summary.id]
    assert memory.apply(plan).already == 1
    policies["summarise"][0]["originals"] = "forget"
    for number in range(4):
        clock.advance(1)
        memory.remember(f"Later, {number} friends came.", user_id="ana", session_id="trip")
    assert not again(memory, policies)
    assert memory.count(where={"kind": "summary"}) == 2
    assert memory.count(where={"kind": "memory"}) == 4


def test_long_texts_are_trimmed_and_kept_in_the_history(opened: Opened) -> None:
    memory = opened(embedder=Words())
    text = "The boat is blue. It has two sails. " + "And so on, and so forth, for a long time. " * 20
    memory.remember(text, id="a", user_id="ana", tier="mid_term")
    policies = {"trim": [{"tier": "mid_term", "characters": 50}]}
    assert not again(memory, policies)
    record = memory.get("a")
    assert (record.content, record.embedded) == ("The boat is blue. It has two sails.", True)
    assert (
        memory.history("a")[0].record.content == text.strip() or memory.history("a")[0].record.content == text
    )


def test_importance_fades_without_use(opened: Opened, clock: Clock) -> None:
    memory = opened()
    memory.remember("note", id="a", user_id="ana", importance=0.8)
    policies = {"decay": {"half_life": "10d", "floor": 0.15, "every": "7d"}}
    for days, importance in ((6, 0.8), (4, 0.4), (10, 0.2), (30, 0.15), (30, 0.15)):
        clock.advance(days * 86400)
        assert not again(memory, policies)
        assert memory.get("a").importance == pytest.approx(importance)


def test_two_processes_do_not_apply_at_once(opened: Opened, clock: Clock) -> None:
    memory = opened(policies=AGING)
    memory.remember("note", id="a", user_id="ana")
    clock.advance(8 * 86400)
    plan, store = memory.plan(), memory._memory._engine.store
    assert memory._run(store.claim("policies", "another process", seconds=15, now=clock())) == 0
    with pytest.raises(Unavailable, match="another process applies a plan") as caught:
        memory.apply(plan)
    assert (caught.value.unsent, caught.value.retry_after) == (True, 15)
    assert tiers(memory) == {"a": "short_term"}
    clock.advance(16)
    assert memory.apply(plan).done == 1


# ------------------------------------------------------------------------------------------------- laws

amounts = st.sampled_from(["< 0.3", ">= 0.7", "0.3..0.7"])
ages = st.sampled_from([">= 3d", ">= 10d", "< 5d"])
names = st.sampled_from(["short_term", "mid_term", "long_term"])


@st.composite
def policies_of(draw: Any) -> dict[str, Any]:
    limits = st.fixed_dictionaries(
        {},
        optional={
            "capacity": st.integers(1, 6),
            "bytes": st.integers(20, 200),
            "ttl": st.sampled_from(["5d", "40d"]),
            "evict": st.sampled_from(["least_recently_used", "lowest_score", "oldest"]),
        },
    )
    declared: dict[str, Any] = {
        "tier": [{"name": name, **draw(limits)} for name in ("short_term", "mid_term", "long_term")],
        "write": draw(
            st.lists(st.fixed_dictionaries({"tier": names}, optional={"importance": amounts}), max_size=2)
        ),
        "migrate": draw(
            st.lists(
                st.fixed_dictionaries(
                    {"from": names, "to": names}, optional={"age": ages, "importance": amounts}
                ),
                max_size=2,
            )
        ),
        "promote": draw(
            st.lists(st.fixed_dictionaries({"from": names, "to": names, "uses": st.just(">= 1")}), max_size=1)
        ),
        "expire": draw(st.lists(st.fixed_dictionaries({"importance": amounts, "age": ages}), max_size=1)),
        "trim": draw(st.lists(st.fixed_dictionaries({"characters": st.integers(5, 30)}), max_size=1)),
    }
    if draw(st.booleans()):
        declared |= {"deduplicate": {"words": 0.7}, "trim": []}
    if draw(st.booleans()):
        declared["decay"] = {"half_life": "10d", "every": "1d", "floor": 0.1}
    return declared


@given(
    declared=policies_of(),
    memories=st.lists(
        st.tuples(st.sampled_from(["ana", "bob"]), st.floats(0, 1), st.integers(0, 30), st.none() | names),
        max_size=14,
    ),
)
def test_a_plan_that_was_applied_leaves_nothing_to_do_and_no_tier_too_full(
    declared: Any, memories: Any
) -> None:
    clock = Clock()
    with Memory("memory://", embedder=None, clock=clock) as memory:
        for number, (user, importance, days, tier) in enumerate(memories):
            memory.remember(
                f"note {number % 5} about the boat",
                user_id=user,
                importance=importance,
                tier=tier,
                session_id=str(number),
                created_at=clock() - days * DAY,
            )
        try:
            plan = memory.plan(declared)
        except ConfigError:
            return
        assert plan == memory.plan(declared)
        before = memory.count()
        done = memory.apply(plan)
        assert done.done == len(plan.steps)
        assert memory.count() == before - plan.by_action.get("forget", 0)
        assert list(memory.plan(declared).steps) == []
        for tier in declared["tier"]:
            for user in ("ana", "bob"):
                found = memory.list(where={"tier": tier["name"]}, user_id=user, limit=100)
                assert len(found) <= tier.get("capacity", 100)
                assert sum(len(one.content.encode()) for one in found) <= tier.get("bytes", 10**6)


# ------------------------------------------------------------------------------------------------- bad input


def edited(**changes: Any) -> Plan:
    """A plan by hand."""
    step = Step(
        **{"id": "a", "action": "update", "rule": "r", "reason": "r", "expects": {"version": 1}, **changes}
    )
    return Plan(made_at=Clock()(), scope=Scope(), steps=[step])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda m: m.apply(edited(after={"scope": "x"})),
            InvalidInput,
            "sets scope to 'x', which no plan does",
        ),
        (lambda m: m.apply(edited(after={"importance": 7})), InvalidInput, "sets importance to 7"),
        (lambda m: m.apply(edited(expects={})), InvalidInput, "expects nothing of its memory"),
        (lambda m: m.apply(edited(action="forget", expects={"kind": 1})), InvalidInput, "expects kind"),
        (
            lambda m: m.apply(edited(action="summarise", after={"content": "x"})),
            InvalidInput,
            "lacks 'category'",
        ),
        (lambda m: m.plan(), ConfigError, "there are no policies"),
        (lambda m: m.plan({"teir": []}), ConfigError, "teir"),
        (lambda m: m.plan({}, summariser="gpt"), InvalidInput, "summariser is a function"),
        (lambda m: m.apply("plan.jsonl"), InvalidInput, "apply takes a Plan"),
        (lambda m: m.apply(m.plan({}), progress=3), InvalidInput, "progress"),
        (
            lambda m: m.scoped(user_id="bob").apply(m.plan({}, user_id="ana")),
            InvalidInput,
            "this plan is for",
        ),
        (lambda m: Memory("memory://", policies={"x": 1}), ConfigError, "unknown key 'x'"),
    ],
)
def test_wrong_arguments_are_refused_by_name(call: Any, error: type[Exception], message: str) -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("note", user_id="ana")
        with pytest.raises(error, match=message):
            call(memory)
        assert memory.count() == 1
