"""Which conversations and categories get a summary, and the step that makes one. Pure.

A summary is a memory of kind `summary`. Links `derived_from` lead to its sources. Its metadata name them, too, and
under `summary_of` what it is of and until when: later memories of the same conversation are summarised apart, once
there are enough of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.fields import NARROWING
from memwell.filters import instant
from memwell.policies.model import Policies, Summarise
from memwell.policies.planning import Row
from memwell.policies.plans import Step
from memwell.records.codec import to_micros
from memwell.types import Record

__all__ = ["Group", "Groups", "Source", "Watermarks", "note_summary", "parts_of", "summary_step"]

Watermarks: TypeAlias = dict[tuple[str, str | None, str], int]
"""(`session` or `category`, user, which one) → microseconds since 1970 until which it is summarised."""
_MOST: Final = 500
"""Sources of one summary."""
_ID_BYTES: Final = 48_000
"""Bytes of their ids, which stand in its metadata."""


@dataclass(frozen=True, slots=True)
class Source:
    """A memory to be summarised, in the version that it has by then."""

    id: str
    version: int
    created: int


@dataclass(slots=True)
class Group:
    """The memories of one conversation or category that are not summarised yet."""

    rule: Summarise
    user_id: str | None
    name: str
    sources: list[Source] = field(default_factory=list)
    by: str = ""
    """What the name is of, if not what the rule says."""


class Groups:
    """The conversations and categories that rules summarise."""

    def __init__(self, policies: Policies, watermarks: Watermarks) -> None:
        self._policies, self._watermarks = policies, watermarks
        self._groups: dict[tuple[int, str | None, str], Group] = {}

    def note(self, row: Row, version: int) -> None:
        """Take in a memory that stays, with the version that it has after its own steps."""
        if row.summarise < 0 or row.group is None:
            return
        rule = self._policies.summarise[row.summarise]
        if row.created <= self._watermarks.get((rule.by, row.user_id, row.group), -(2**63)):
            return
        key = row.summarise, row.user_id, row.group
        group = self._groups.setdefault(key, Group(rule, row.user_id, row.group))
        group.sources.append(Source(row.id, version, row.created))

    def large_enough(self) -> Iterator[Group]:
        """Those with enough memories, each in the order of time."""
        for group in self._groups.values():
            if len(group.sources) >= group.rule.at_least:
                group.sources.sort(key=lambda source: (source.created, source.id))
                yield group


def parts_of(sources: Sequence[tuple[Record, int]]) -> Iterator[Sequence[tuple[Record, int]]]:
    """The sources of each summary: as many as fit into its metadata, in even parts."""
    size = sum(len(record.id.encode()) + 4 for record, _ in sources)
    parts = max(-(-len(sources) // _MOST), -(-size // _ID_BYTES))
    for part in range(parts):
        yield sources[len(sources) * part // parts : len(sources) * (part + 1) // parts]


def summary_step(group: Group, sources: Sequence[tuple[Record, int]], text: str) -> Step:
    """The step that stores a summary, and hides or forgets its sources if the rule says so."""
    records = [record for record, _ in sources]
    rule, last = group.rule, records[-1]
    by = group.by or rule.by
    of = {"by": by, "which": group.name, "until": last.created_at.isoformat()}
    owner = {name: _common(records, name) for name in NARROWING if name != "user_id"}
    after = {
        "content": text,
        "tier": rule.tier if rule.tier is not None else _common(records, "tier"),
        "importance": max(record.importance for record in records),
        "category": _common(records, "category"),
        "metadata": {"summary_of": of, "sources": [record.id for record in records]},
        "originals": rule.originals,
        "user_id": group.user_id,
        **owner,
    }
    return Step(
        id=_id_of(sources),
        action="summarise",
        rule=rule.name,
        reason=f"{len(records):,} memories of {by} {group.name}",
        after=after,
        requires={record.id: version for record, version in sources},
    )


def _id_of(sources: Sequence[tuple[Record, int]]) -> str:
    """The id of the summary of these sources: two plans for the same ones do not store two."""
    named = "\0".join(f"{record.tenant_id}\0{record.id}\0{version}" for record, version in sources)
    return f"summary-{hashlib.blake2b(named.encode(), digest_size=16).hexdigest()}"


def note_summary(record: Record, watermarks: Watermarks) -> None:
    """Read from a stored summary until when it reaches."""
    of: Any = record.metadata.get("summary_of")
    if not isinstance(of, Mapping):
        return
    until = instant(of.get("until"))
    if until is not None and isinstance(of.get("which"), str) and isinstance(of.get("by"), str):
        key = of["by"], record.user_id, of["which"]
        watermarks[key] = max(to_micros(until), watermarks.get(key, -(2**63)))


def _common(records: Sequence[Record], name: str) -> Any:
    """The value that all records have, or `None`."""
    values = {getattr(record, name) for record in records}
    return values.pop() if len(values) == 1 else None
