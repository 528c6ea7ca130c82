"""Making a plan: memories in, one after another, steps out. Pure but for a temporary file.

Each memory is judged when it is read. What is left of it, some hundred bytes without its text, goes to a spool, so that
a store of any size is read once and takes little memory. The spool is then read twice: to find who has too much in a
tier, and to write the steps.
"""

from __future__ import annotations

import marshal
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from secrets import token_bytes
from typing import Any, Final, NamedTuple, Self

from memwell._dataclasses import dataclass
from memwell.policies.conditions import Facts
from memwell.policies.duplicates import Merge, fingerprint
from memwell.policies.judging import Judge, Verdict, ttl_end
from memwell.policies.limits import Keys, Limits, keys_of
from memwell.policies.model import Policies
from memwell.policies.plans import Step
from memwell.ports.store.outlines import Outline
from memwell.records.codec import from_micros, to_micros
from memwell.retrieval.ranking import strategies
from memwell.types import Record
from memwell.values import plain

__all__ = ["Outcome", "Planner", "Row"]

_IN_MEMORY: Final = 16 * 2**20
"""Bytes of the spool that stay in memory; the rest goes to a file."""
_KNOWN: Final = ("kind", "category", "source", "tags", "importance", "uses", "age", "idle")


class Row(NamedTuple):
    """What is kept of one memory."""

    id: str
    user_id: str | None
    group: str | None
    """Its conversation or category, if a rule summarises those."""
    summarise: int
    """The number of that rule, or -1."""
    tier: str | None
    placed: str | None
    """The tier that the rules give it."""
    forget: bool
    trim: int
    """The number of the trim rule that its text is too long for, or -1."""
    version: int
    reinforced: int
    access_count: int
    before: dict[str, Any]
    after: dict[str, Any]
    why: int
    """The place of rules and reasons in a list."""
    created: int
    """In microseconds since 1970, as `expires`."""
    expires: int | None
    size: int
    print: int | None
    """The fingerprint of its text; `None`: it is no duplicate of any."""
    keys: Keys
    facts: tuple[Any, ...] | None
    """What rules compare, and the length of the text and the groups, where it may go on to the next tier."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one memory, after all rules."""

    forget: bool
    tier: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    rule: str
    reason: str

    def by(self, rule: str, reason: str, **changes: Any) -> Outcome:
        """The same after one more rule."""
        rules = f"{self.rule}, {rule}" if self.rule else rule
        reasons = f"{self.reason}; {reason}" if self.reason else reason
        return replace(self, rule=rules, reason=reasons, **changes)

    def set(self, name: str, before: Any, after: Any) -> Outcome:
        """The same with one more field that changes."""
        return replace(self, before={**self.before, name: before}, after={**self.after, name: after})


class Planner:
    """One plan in the making."""

    def __init__(self, policies: Policies, now: datetime) -> None:
        self.policies, self.now = policies, now
        self.judge = Judge(policies, now)
        self.limits = Limits(policies)
        self.records = 0
        self.tiers_before: Counter[str] = Counter()
        self.tiers_after: Counter[str] = Counter()
        self.prints = array("Q")
        """Fingerprints of the texts, if exact duplicates are looked for."""
        self._key = token_bytes(16)
        self._spool: Any = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by `close`
        self._whys: dict[tuple[str, str], int] = {}
        self._reasons: list[tuple[str, str]] = []
        self._overflowing = {tier.name for tier in policies.tiers if tier.overflow == "next"}
        self._scored = any(rule.when.needs_score for rule in (*policies.trim, *policies.summarise))
        self._trims = {id(rule): number for number, rule in enumerate(policies.trim)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def read(self, records: Iterable[Record | Outline]) -> None:
        """Judge some memories."""
        rows = [tuple(self._row(record)) for record in records]
        packed = marshal.dumps(rows)
        self._spool.write(len(packed).to_bytes(8, "big") + packed)
        self.records += len(rows)

    def settle(self, gone: Collection[str]) -> None:
        """Find out who has too much in a tier, when all are read. `gone` are ids of duplicates that leave anyway."""
        if not self.limits.any:
            return
        for row in self.rows():
            if not row.forget and row.id not in gone:
                self.limits.note(row.user_id, row.placed, row.keys, row.size)
        self.limits.settle()

    def rows(self) -> Iterator[Row]:
        """What is kept of each memory, in the order of reading."""
        self._spool.seek(0)
        while size := self._spool.read(8):
            packed = self._spool.read(int.from_bytes(size, "big"))
            yield from map(Row._make, marshal.loads(packed))  # noqa: S302  our own, in an unnamed file

    def doubled(self) -> set[int]:
        """The fingerprints that several memories have."""
        ordered = sorted(self.prints)
        return {one for one, other in pairwise(ordered) if one == other}

    def final(self, row: Row) -> tuple[Row, Outcome]:
        """What becomes of a memory, and its row as it is then.

        Call it for each row once, in order: of equals, the first leave a full tier.
        """
        rule, reason = self._reasons[row.why] if row.why >= 0 else ("", "")
        found = Outcome(row.forget, row.placed, row.before, row.after, rule, reason)
        while (
            not found.forget and (full := self.limits.leaves(row.user_id, found.tier, row.keys)) is not None
        ):
            target = self.limits.next(full)
            reason = f"{full.evict.replace('_', ' ')} of too many"
            found = found.by(f"limit of {full.name}", reason, forget=target is None, tier=target)
        if found.forget or found.tier == row.placed:
            return row, found
        found = found.set("tier", row.tier, found.tier)
        end, expires = self._expiry(row, found.tier), _moment(row.expires)
        if end is not None and end <= self.now:
            return row, replace(found, forget=True)
        found = found if end == expires else found.set("expires_at", plain(expires), plain(end))
        return self._moved_on(row, found.tier), found

    def _moved_on(self, row: Row, tier: str | None) -> Row:
        """A row whose memory had to leave a full tier, with the rules of the next one for its text."""
        assert row.facts is not None
        known, score, length, session, category = row.facts
        facts = Facts(tier=tier, score=lambda: float(score), **known)
        trim, rule = self._for_text(facts, length)
        return row._replace(trim=trim, summarise=rule, group=self._group(rule, session, category))

    def _for_text(self, facts: Facts, length: int) -> tuple[int, int]:
        """The numbers of the trim rule and the summarise rule for a memory that stays; -1: none."""
        trim = self.judge.trimmed(facts, length) if self.policies.trim else None
        rule = self.judge.summarised(facts) if self.policies.summarise else None
        return -1 if trim is None else self._trims[id(trim)], -1 if rule is None else rule

    def _expiry(self, row: Row, tier: str | None) -> datetime | None:
        """The expiry after a move out of a full tier: the one of the caller, or that of the tier."""
        created, expires = from_micros(row.created), _moment(row.expires)
        if expires is not None and expires != ttl_end(self.policies.tier(row.tier), created):
            return expires
        return ttl_end(self.policies.tier(tier), created)

    def merge_step(self, merge: Merge) -> Step:
        """The step for a duplicate."""
        gone, kept = merge.gone, merge.kept
        return Step(
            id=gone.id,
            action="forget",
            rule="deduplicate",
            reason=f"{merge.reason} as {kept.id}",
            before={"tier": gone.tier},
            expects=_expected(gone.version, gone.reinforced, gone.access_count),
            requires={kept.id: kept.version},
        )

    def step(self, row: Row, found: Outcome) -> Step | None:
        """The step for a memory; `None` if nothing changes."""
        if found.forget:
            return Step(
                id=row.id,
                action="forget",
                rule=found.rule,
                reason=found.reason,
                before={"tier": row.tier},
                expects=_expected(row.version, row.reinforced, row.access_count),
            )
        if not found.after:
            return None
        return Step(
            id=row.id,
            action="update",
            rule=found.rule,
            reason=found.reason,
            before=found.before,
            after=found.after,
            expects={"version": row.version},
        )

    # ------------------------------------------------------------------------------------------ reading

    def _row(self, record: Record | Outline) -> Row:
        found = self.judge.judge(record)
        facts = found.facts
        assert facts is not None
        self.tiers_before[record.tier or ""] += 1
        size = (
            record.size
            if isinstance(record, Outline)
            else len(record.content.encode("utf-8", "surrogatepass"))
        )
        length = record.length if isinstance(record, Outline) else len(record.content)
        trim, summarise = (-1, -1) if found.forget else self._for_text(facts, length)
        return Row(
            id=record.id,
            user_id=record.user_id,
            group=self._group(summarise, record.session_id, record.category),
            summarise=summarise,
            tier=record.tier,
            placed=facts.tier,
            forget=found.forget,
            trim=trim,
            version=record.version,
            reinforced=record.reinforced,
            access_count=record.access_count,
            before={name: plain(getattr(record, name)) for name in found.changes},
            after={name: plain(value) for name, value in found.changes.items()},
            why=self._why(found),
            created=to_micros(record.created_at),
            expires=None if record.expires_at is None else to_micros(record.expires_at),
            size=size,
            print=self._print(record, found),
            keys=self._keys(record) if self.limits.any else (),
            facts=self._facts(facts, length, record) if facts.tier in self._overflowing else None,
        )

    def _facts(self, facts: Facts, length: int, record: Record | Outline) -> tuple[Any, ...]:
        score = facts.score() if self._scored else 0.0
        known = {name: getattr(facts, name) for name in _KNOWN}
        return known, score, length, record.session_id, record.category

    def _group(self, rule: int, session: str | None, category: str | None) -> str | None:
        if rule < 0:
            return None
        return session if self.policies.summarise[rule].by == "session" else category

    def _print(self, record: Record | Outline, found: Verdict) -> int | None:
        rule = self.policies.deduplicate
        if rule is None or found.forget or found.facts is None or not rule.when.holds(found.facts):
            return None
        if not rule.exact or not isinstance(record, Record):
            return 0
        mark = fingerprint(record.user_id, record.kind, record.content, self._key)
        self.prints.append(mark)
        return mark

    def _why(self, found: Verdict) -> int:
        if not found.forget and not found.changes:
            return -1
        why = (", ".join(found.why), "; ".join(found.why.values()))
        if why not in self._whys:
            self._whys[why] = len(self._reasons)
            self._reasons.append(why)
        return self._whys[why]

    def _keys(self, record: Record | Outline) -> Keys:
        score: Callable[[], float] | None = None
        if self.limits.needs_score:
            score = lambda: strategies.score(record, self.policies.scoring, self.now)[0]  # noqa: E731
        created = record.created_at.timestamp()
        last = record.last_accessed_at
        return keys_of(record.id, created if last is None else max(created, last.timestamp()), score, created)


def _expected(version: int, reinforced: int, access_count: int) -> dict[str, int]:
    return {"version": version, "reinforced": reinforced, "access_count": access_count}


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
