"""Clusters: the memories of one user that are about the same. What they are of, and how they are described. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput, shown
from memwell.retrieval.analysis.enrichment import subject
from memwell.types import Record
from memwell.values import Short, Value

__all__ = [
    "GENERAL",
    "By",
    "Cluster",
    "Group",
    "Member",
    "check_by",
    "describe",
    "grouped",
    "member",
    "selected",
]

By: TypeAlias = Literal["topic", "category", "topic+category", "vectors"]
GENERAL: Final = "general"
"""The topic or category of a memory that has none."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cluster(Value):
    """Memories of one user that are about the same."""

    id: str
    """The same as long as the cluster is of the same thing, or has the same leader."""
    label: str
    """The topic, or the category, or both."""
    topic: str
    """That of the memories; where they differ, the most frequent one. `general`: none."""
    category: str
    """Likewise."""
    user_id: str | None
    memory_ids: tuple[str, ...]
    """Oldest first; in a cluster by vectors behind the leader."""
    size: int
    summary: str
    """The most telling sentences of its latest memories."""
    created_at: datetime
    """When the oldest of its memories was created."""
    updated_at: datetime
    """When one of its memories was last changed."""
    built_at: datetime
    """When the clusters were built: by `rebuild_clusters`, or by the call that gave it."""

    def _short(self) -> Short:
        yield None, self.label
        yield "size", self.size
        yield "id", self.id


class Member(NamedTuple):
    """What clusters need of a memory."""

    id: str
    digest: bytes
    """Of its text: members are put in order by it, whatever their ids."""
    topic: str
    category: str
    created_at: datetime
    updated_at: datetime


class Group(NamedTuple):
    """Members of one cluster."""

    key: str
    """What it is of."""
    members: Sequence[Member]
    built_at: datetime | None = None
    """`None`: in this call."""


def check_by(by: object) -> By:
    """A way to cluster. Raises `InvalidInput` for any other value."""
    if not isinstance(by, str) or by not in get_args(By):
        raise InvalidInput(f"by is one of {', '.join(get_args(By))}, not {shown(by)}")
    return by  # type: ignore[return-value]


def member(record: Record) -> Member:
    """What clusters need of a record. A topic that it lacks is read from its text."""
    topic = record.metadata.get("topic")
    category = record.category
    if not (isinstance(topic, str) and topic.strip() and category):
        read_topic, read_category = subject(record.content)
        topic = topic if isinstance(topic, str) and topic.strip() else read_topic
        category = category or read_category
    digest = hashlib.blake2b(record.content.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Member(
        record.id,
        digest,
        topic.strip().casefold() if topic else GENERAL,
        category.strip().casefold() or GENERAL if category else GENERAL,
        record.created_at,
        record.updated_at,
    )


def grouped(members: Iterable[Member], by: By) -> list[Group]:
    """Members by topic, by category, or by both."""
    found: dict[str, list[Member]] = {}
    for one in members:
        key = {"topic": one.topic, "category": one.category}.get(by, f"{one.category} / {one.topic}")
        found.setdefault(key, []).append(one)
    return [Group(key, sorted(each, key=lambda one: (one.created_at, one.id))) for key, each in found.items()]


def selected(
    groups: Iterable[Group], *, min_size: int, topic: str | None, category: str | None, limit: int
) -> list[Group]:
    """The largest groups that are large enough and of this topic and category."""
    fitting = [
        group
        for group in groups
        if len(group.members) >= min_size
        and (topic is None or _most(one.topic for one in group.members) == topic.strip().casefold())
        and (category is None or _most(one.category for one in group.members) == category.strip().casefold())
    ]
    fitting.sort(key=lambda group: (-len(group.members), group.key))
    return fitting[:limit]


def describe(group: Group, by: By, *, owner: tuple[str, str | None], summary: str, now: datetime) -> Cluster:
    """The cluster of a group; `owner` is a tenant and a user."""
    topic, category = (
        _most(one.topic for one in group.members),
        _most(one.category for one in group.members),
    )
    label = {"topic": topic, "category": category}.get(by, f"{category} / {topic}")
    named = "\0".join((by, owner[0], owner[1] or "", group.key)).encode("utf-8", "surrogatepass")
    return Cluster(
        id=f"cluster-{hashlib.blake2b(named, digest_size=12).hexdigest()}",
        label=label,
        topic=topic,
        category=category,
        user_id=owner[1],
        memory_ids=tuple(one.id for one in group.members),
        size=len(group.members),
        summary=summary,
        created_at=min(one.created_at for one in group.members),
        updated_at=max(one.updated_at for one in group.members),
        built_at=group.built_at or now,
    )


def _most(values: Iterable[str]) -> str:
    """The most frequent value; of several the first in the alphabet. What has none counts only if nothing else does."""
    counts = Counter(values)
    return min(counts, key=lambda value: (value == GENERAL, -counts[value], value))
