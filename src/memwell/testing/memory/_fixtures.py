"""A memory with every kind of content, and a function that reads all of it back."""

from __future__ import annotations

from typing import Any

from memwell.sync import Memory
from memwell.testing.samples import Clock
from memwell.types import Record

__all__ = ["everything", "populate"]


def populate(memory: Memory, clock: Clock) -> None:
    """Six memories of several owners with versions, relationships, recalls and unicode."""
    for id, content, user in (("a", "apple", "ann"), ("b", "banana żółw 🐢", "bob"), ("c", "cherry", "ann")):
        memory.remember(
            content, id=id, user_id=user, metadata={"k": [1, {"x": None}]}, tags=["t"], category="c"
        )
        clock.advance(1)
    memory.remember("short-lived", id="d", ttl=86_400)
    memory.remember("tea", id="e", created_at="2020-01-01")
    memory.remember("tea", id="f", created_at="2021-01-01")
    memory.remember("tea", id="f", created_at="2021-01-01")
    memory.update("a", content="apple pie", importance=0.9)
    clock.advance(1)
    memory.update("a", content="apple pie with cream")
    memory.update("b", clear=["tags"])
    memory.relate("a", "b", "extends", strength=0.25)
    memory.relate("b", "a")
    memory.relate("c", "a", "supersedes")
    memory.recall("banana")
    clock.advance(60)
    memory.recall("cherry")


def everything(memory: Memory) -> list[tuple[Any, ...]]:
    """Every memory of the default tenant with its relationships and older versions."""
    found = []
    for record in memory.list(order="id", limit=1000):
        past = [(v.record, v.changed_at, v.changed, v.current) for v in memory.history(record.id)[:-1]]
        links = sorted(record.links, key=lambda link: (link.target, link.kind))
        found.append((_bare(record), links, past))
    return found


def _bare(record: Record) -> tuple[Any, ...]:
    names = [name for name in record.__dataclass_fields__ if name != "links"]
    return tuple(getattr(record, name) for name in names)
