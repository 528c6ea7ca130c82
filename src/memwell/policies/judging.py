"""What the rules make of one memory by itself: where it goes, what changes in it, and whether it leaves. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.policies.conditions import Condition, Facts, facts_of, most_specific
from memwell.policies.durations import written
from memwell.policies.model import Expire, Move, Policies, Rule, Summarise, Tier, Trim, Write
from memwell.ports.store.outlines import Outline
from memwell.retrieval.ranking import strategies
from memwell.types import Record

__all__ = ["Judge", "Verdict", "placed", "ttl_end"]

_LEAST: Final = 0.005
"""A smaller change of importance is not worth a version."""


@dataclass(slots=True)
class Verdict:
    """The outcome for one memory: it is forgotten, changed, or left as it is."""

    forget: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    """Field → new value."""
    why: dict[str, str] = field(default_factory=dict)
    """Name of each rule that decided → its reason."""
    facts: Facts | None = None
    """The facts as they are afterwards."""

    def by(self, rule: str, reason: str) -> Verdict:
        """Note the rule that decided."""
        self.why[rule] = reason
        return self


class Judge:
    """The rules of a set of policies at one moment."""

    def __init__(self, policies: Policies, now: datetime) -> None:
        self.policies, self.now = policies, now
        self._tiers = {tier.name: tier for tier in policies.tiers}
        self._reasons: dict[str, str] = {rule.name: str(rule.when) for rule in policies.rules()}
        self._moves = self._by_tier([move for move in policies.moves if not move.promotes])
        self._promotions = self._by_tier([move for move in policies.moves if move.promotes])

    def judge(self, record: Record | Outline) -> Verdict:
        """What becomes of a record that has not expired."""
        found = Verdict()
        importance = self._decayed(record)
        facts = found.facts = facts_of(record, self.now, self._scorer(record, importance))
        facts.importance = importance
        if facts.tier is None and (rule := self.placed(facts)) is not None:
            facts.tier = found.changes["tier"] = rule.tier
            found.by(rule.name, self._reasons[rule.name])
        self._move(facts, found)
        if not found.forget:
            self._give_ttl(record, facts, found)
        if found.forget:
            found.changes.clear()
        elif importance != record.importance and (found.changes or self._decay_is_due(record, importance)):
            found.changes["importance"] = importance
            found.by("decay", self._decay_reason(record))
        return found

    def placed(self, facts: Facts) -> Write | None:
        """The write rule for a memory."""
        found: Write | None = _winner(self.policies.write, facts)
        return found

    def trimmed(self, facts: Facts, characters: int) -> Trim | None:
        """The trim rule for a memory with a text of this length, if that is too long."""
        rule: Trim | None = _winner(self.policies.trim, facts)
        return rule if rule is not None and characters > rule.characters else None

    def summarised(self, facts: Facts) -> int | None:
        """The number of the first summarise rule that a memory meets."""
        if facts.kind == "summary":
            return None
        return next((n for n, rule in enumerate(self.policies.summarise) if rule.when.holds(facts)), None)

    def reason(self, rule: Rule | Summarise) -> str:
        """The condition of a rule, in words."""
        return self._reasons[rule.name]

    # ------------------------------------------------------------------------------------------ tiers

    def _by_tier(self, moves: list[Move]) -> dict[str, list[Move]]:
        return {
            name: [move for move in moves if move.tier != name and _from(move.when, name)]
            for name in self._tiers
        }

    def _move(self, facts: Facts, found: Verdict) -> None:
        """Follow the rules from tier to tier until none applies. A circle moves nothing."""
        start, seen = facts.tier, {facts.tier}
        why: dict[str, str] = {}
        while True:
            if (rule := _winner(self.policies.expire, facts)) is not None:
                self._expire(rule, found)
            if found.forget or facts.tier not in self._tiers:
                break
            name, reason, target = self._next(facts)
            if target is None and name:
                found.forget = True
                found.by(name, reason)
                break
            if target is None:
                break
            if target in seen:
                facts.tier, why = start, {}
                break
            why[name] = reason
            facts.tier = target
            seen.add(target)
        if facts.tier != start:
            found.changes["tier"] = facts.tier
            found.why.update(why)

    def _next(self, facts: Facts) -> tuple[str, str, str | None]:
        """The rule that moves a memory on, its reason and the next tier; a rule without one ends its time here."""
        tier = self._tiers[facts.tier or ""]
        rule = _winner(self._promotions[tier.name], facts)
        if rule is not None:
            return rule.name, self._reasons[rule.name], rule.tier
        rule = _winner(self._moves[tier.name], facts)
        if rule is not None and not self._brought_back(facts, rule.tier):
            return rule.name, self._reasons[rule.name], rule.tier
        if tier.expiry is None or facts.age < tier.expiry:
            return "", "", None
        after = self.policies.after(tier.name)
        if after is not None and self._brought_back(facts, after.name):
            return "", "", None
        return f"expiry of {tier.name}", f"age >= {written(tier.expiry)}", after.name if after else None

    def _brought_back(self, facts: Facts, tier: str) -> bool:
        """Whether a promotion would move a memory from a tier straight back to where it is."""
        here = facts.tier
        facts.tier = tier
        try:
            rule = _winner(self._promotions[tier], facts)
        finally:
            facts.tier = here
        return rule is not None and rule.tier == here

    def _expire(self, rule: Expire, found: Verdict) -> None:
        if not rule.grace:
            found.forget = True
        else:
            found.changes.setdefault("expires_at", self.now + timedelta(seconds=rule.grace))
        found.by(rule.name, self._reasons[rule.name])

    def _give_ttl(self, record: Record | Outline, facts: Facts, found: Verdict) -> None:
        """Give or take the expiry that goes with a tier; one that the caller chose stays."""
        grace = found.changes.pop("expires_at", None)
        if grace is not None:
            if record.expires_at is None or grace < record.expires_at:
                found.changes["expires_at"] = grace
            return
        before, after = self._tiers.get(record.tier or ""), self._tiers.get(facts.tier or "")
        ours = record.expires_at is None or record.expires_at == ttl_end(before, record.created_at)
        end = ttl_end(after, record.created_at)
        if not ours or end == record.expires_at or after is None:
            return
        rule = f"ttl of {after.name}"
        if end is not None and end <= self.now:
            found.forget = True
            found.by(rule, f"age >= {written(after.ttl or 0)}")
        else:
            found.changes["expires_at"] = end
            found.by(rule, "none" if after.ttl is None else f"{written(after.ttl)} from its creation")

    # ------------------------------------------------------------------------------------------ decay

    def _decayed(self, record: Record | Outline) -> float:
        """The importance after the time without a change or a recall."""
        decay = self.policies.decay
        if decay is None or record.importance <= decay.floor:
            return record.importance
        left = record.importance * 0.5 ** (self._untouched(record) / decay.half_life)
        left = round(max(decay.floor, left), 4)
        return left if record.importance - left >= _LEAST else record.importance

    def _decay_is_due(self, record: Record | Outline, importance: float) -> bool:
        decay = self.policies.decay
        return decay is not None and (self._untouched(record) >= decay.every or importance <= decay.floor)

    def _decay_reason(self, record: Record | Outline) -> str:
        return f"untouched for {written(self._untouched(record))}"

    def _untouched(self, record: Record | Outline) -> float:
        last = max(record.updated_at, record.last_accessed_at or record.updated_at)
        return max(0.0, (self.now - last).total_seconds())

    def _scorer(self, record: Record | Outline, importance: float) -> Callable[[], float]:
        def score() -> float:
            aged = record if importance == record.importance else replace(record, importance=importance)
            return strategies.score(aged, self.policies.scoring, self.now)[0]

        return score


def ttl_end(tier: Tier | None, created_at: datetime) -> datetime | None:
    """When the time to live of a memory in a tier ends; `None` without one."""
    return None if tier is None or tier.ttl is None else created_at + timedelta(seconds=tier.ttl)


def _from(when: Condition, tier: str) -> bool:
    return when.tiers is None or tier in when.tiers


def _winner(rules: Any, facts: Facts) -> Any:
    """The most specific of the rules that a memory meets."""
    met = [rule for rule in rules if rule.when.holds(facts)] if rules else ()
    if len(met) < 2:
        return met[0] if met else None
    return most_specific(met, lambda rule: rule.when)


def placed(policies: Policies, record: Record, now: datetime) -> Record:
    """A new memory with the tier that the write rules give it, and the expiry that goes with its tier."""
    tier = record.tier
    if tier is None:
        facts = facts_of(record, now, lambda: strategies.score(record, policies.scoring, now)[0])
        rule = _winner(policies.write, facts)
        tier = None if rule is None else rule.tier
    found = policies.tier(tier)
    expires = record.expires_at
    if expires is None and found is not None and found.ttl is not None:
        expires = now + timedelta(seconds=found.ttl)
    if (tier, expires) == (record.tier, record.expires_at):
        return record
    return replace(record, tier=tier, expires_at=expires)
