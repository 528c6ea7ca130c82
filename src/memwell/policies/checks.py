"""Finds rules of a set of policies that conflict or never apply. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeAlias, TypeVar

from memwell._dataclasses import dataclass
from memwell.policies.conditions import AMOUNTS, Condition, Interval
from memwell.policies.model import Expire, Move, Policies, Rule, Summarise, Trim, Write

__all__ = ["Fault", "Path", "faults"]

Path: TypeAlias = tuple[str | int, ...]
"""Where something stands: section, number of the rule from 0, key."""

R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class _Placed:
    """A rule, where it stands, and what it leads to."""

    rule: Rule
    path: Path
    effect: object


def faults(policies: Policies, paths: dict[int, Path]) -> Iterator[Fault]:
    """Everything that is wrong. `paths` says where the rule with an `id()` stands."""
    yield from _tiers(policies)
    for kind in (Write, Move, Expire, Trim, Summarise):
        placed = [
            _Placed(rule, paths.get(id(rule), (rule.name,)), _effect(rule))
            for rule in policies.rules()
            if type(rule) is kind
        ]
        yield from _unknown_tiers(policies, placed)
        for group in _groups(placed) if kind is not Summarise else ():
            yield from _unreachable(group)
            yield from _overlapping(group)
    yield from _circles([_Placed(move, paths.get(id(move), ()), move.tier) for move in policies.moves])


def _effect(rule: Rule) -> object:
    if isinstance(rule, Write | Move):
        return rule.tier
    if isinstance(rule, Trim):
        return rule.characters, rule.method
    return None


def _groups(placed: Sequence[_Placed]) -> Iterator[list[_Placed]]:
    """Rules that compete with one another: promotions and migrations do not."""
    for promotes in (False, True):
        yield [one for one in placed if getattr(one.rule, "promotes", False) is promotes]


def _tiers(policies: Policies) -> Iterator[Fault]:
    seen: set[str] = set()
    youngest, before = 0.0, ""
    for place, tier in enumerate(policies.tiers):
        if tier.name in seen:
            yield Fault(("tier", place, "name"), f"the tier {tier.name!r} is declared twice")
        seen.add(tier.name)
        if tier.overflow == "next" and tier is policies.tiers[-1]:
            yield Fault(("tier", place, "overflow"), f"{tier.name!r} is the last tier; there is no next one")
        if tier.expiry is not None:
            if before and tier.expiry <= youngest:
                yield Fault(
                    ("tier", place, "expiry"),
                    f"{tier.name!r} is unreachable by age: memories leave it at the age at which they leave"
                    f" {before!r}, or earlier; the expiry of tiers grows in their order",
                )
            youngest, before = tier.expiry, tier.name


def _unknown_tiers(policies: Policies, placed: Sequence[_Placed]) -> Iterator[Fault]:
    known = {tier.name for tier in policies.tiers}
    for one in placed:
        target = getattr(one.rule, "tier", None)
        for name in sorted((one.rule.when.tiers or frozenset()) | ({target} if target else set())):
            if name not in known:
                message = f"there is no tier {name!r}; there are {', '.join(sorted(known))}"
                yield Fault(one.path, f"{one.rule.name}: {message}")


def _unreachable(placed: Sequence[_Placed]) -> Iterator[Fault]:
    """Rules that never win, because others cover every memory that meets them."""
    for place, one in enumerate(placed):
        others = [
            other.rule
            for at, other in enumerate(placed)
            if at != place and (_narrower(other, one) or (at < place and other.rule.when == one.rule.when))
        ]
        if covering := _covered(one.rule.when, others):
            names = " and ".join(rule.name for rule in covering)
            yield Fault(
                one.path,
                f"{one.rule.name} is unreachable: every memory that meets it goes by {names}, which"
                f" {'has the same condition' if covering[0].when == one.rule.when else 'is more specific'}",
            )


def _narrower(one: _Placed, other: _Placed) -> bool:
    mine, theirs = one.rule.when, other.rule.when
    return mine.within(theirs) and not theirs.within(mine)


def _covered(condition: Condition, others: Sequence[Rule]) -> list[Rule]:
    """Rules that together hold for every memory of a condition: one with the same, or several that differ from it in
    the same number only."""
    for rule in others:
        if condition.within(rule.when):
            return [rule]
    for name in AMOUNTS:
        pieces = [rule for rule in others if _only_differs(rule.when, condition, name)]
        if found := _cover(getattr(condition, name), pieces, name):
            return found
    return []


def _only_differs(one: Condition, other: Condition, name: str) -> bool:
    whole = Interval()
    return _with(one, name, whole) == _with(other, name, whole)


def _with(condition: Condition, name: str, bounds: Interval) -> Condition:
    changed: dict[str, Interval] = {name: bounds}
    return replace(condition, **changed)  # type: ignore[arg-type]


def _cover(bounds: Interval, rules: Sequence[Rule], name: str) -> list[Rule]:
    """The rules whose intervals cover the bounds, if they do."""
    natural = Interval(0.0, 1.0) if name in ("importance", "score") else Interval(0.0)
    rest, used = bounds.both(natural), []
    for rule in sorted(
        rules, key=lambda rule: (getattr(rule.when, name).low, getattr(rule.when, name).low_open)
    ):
        piece: Interval = getattr(rule.when, name)
        if rest.empty or piece.both(rest).empty:
            continue
        if piece.low > rest.low or (piece.low == rest.low and piece.low_open and not rest.low_open):
            return []
        used.append(rule)
        rest = Interval(piece.high, rest.high, not piece.high_open, rest.high_open)
    return used if rest.empty else []


def _overlapping(placed: Sequence[_Placed]) -> Iterator[Fault]:
    """Pairs of rules that the same memory may meet, where neither is more specific and they do not do the same."""
    for one, other in combinations(placed, 2):
        mine, theirs = one.rule.when, other.rule.when
        both = mine.both(theirs)
        if one.effect == other.effect or both.empty or mine.within(theirs) or theirs.within(mine):
            continue
        deciding = (third.rule.when for third in placed if _narrower(third, one) and _narrower(third, other))
        if not any(both.within(condition) for condition in deciding):
            yield Fault(
                other.path,
                f"{other.rule.name} overlaps {one.rule.name}: a memory may meet both ({both}) and neither is more"
                " specific; narrow one of them, or add a rule for what they share",
            )


def _circles(placed: Sequence[_Placed]) -> Iterator[Fault]:
    """Pairs of migrations, or of promotions, that would move the same memory back and forth."""
    for one, other in combinations(placed, 2):
        mine, theirs = one.rule, other.rule
        if not isinstance(mine, Move) or not isinstance(theirs, Move) or mine.promotes != theirs.promotes:
            continue
        there = theirs.when.tiers is None or mine.tier in theirs.when.tiers
        back = mine.when.tiers is None or theirs.tier in mine.when.tiers
        shared = replace(mine.when, tiers=None).both(replace(theirs.when, tiers=None))
        if mine.tier != theirs.tier and there and back and not shared.empty:
            yield Fault(
                other.path,
                f"{theirs.name} moves back what {mine.name} has moved ({shared}); narrow one of them",
            )
