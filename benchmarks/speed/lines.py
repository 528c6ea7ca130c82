"""The rows of the tables as data: what each is called, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.corpora import Corpus
from benchmarks.speed.measure import Paired, Row, spell

__all__ = ["FULL", "LINES", "QUICK", "Bench", "Line", "Scale"]


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    count: int
    """Memories of one user."""
    times: int
    """Calls of each side."""
    rounds: int
    """Repetitions of what takes long."""
    users: int
    """Users in one store, with `each` memories."""
    each: int
    large: int
    """Memories of the large rows."""
    starts: int
    """Processes started on each side."""


FULL = Scale(count=10_000, times=300, rounds=5, users=100, each=1_000, large=100_000, starts=11)
QUICK = Scale(count=2_000, times=60, rounds=2, users=20, each=200, large=10_000, starts=3)


@dataclass(frozen=True)
class Line:
    """A row's title, with the names of `Scale` in it, and its bounds: a ratio to the floor if it has no unit."""

    title: str
    must: float | None = None
    aim: float | None = None
    unit: str = "×"
    higher: bool = False
    needs: float = 0.0
    """Milliseconds that a commit must take for the bounds to hold; on a quicker disk the row has no mark."""


LINES: Mapping[str, Line] = {
    "batch": Line("batch of {count:,}", 0.5, 0.8, higher=True),
    "first-recall": Line("first recall, everything to load"),
    "recall": Line("recall, {count:,} of one user", 0.6, 0.35),
    "remember": Line("remember", 1.6, 1.2),
    "get": Line("get", 4, 3),
    "update": Line("update", 1.8, 1.2),
    "forget": Line("forget", 2, 1),
    "recall-after-write": Line("recall right after a write"),
    "one-of-many": Line("recall, one of {users} users, {all:,} in all", 1.0, 0.5),
    "at-once": Line("8 recalls at once", 1.5, 4, higher=True),
    "hold": Line("longest hold of the event loop, 8 recalls at once", 20, 10, "ms"),
    "at-once-64": Line("64 recalls at once", higher=True),
    "hold-64": Line("longest hold of the event loop, 64 recalls at once", 20, 10, "ms"),
    "fsync": Line("fsync of 8 KB in the folder of the files", unit="ms"),
    "durable": Line("full durability, 8 writers beside one", 2.5, 3, higher=True, needs=2),
    "cold": Line("new process to first answer, {count:,}, vectors given", 1.25, 0.9),
    "cold-words": Line("new process to first answer, {count:,}, words alone", 1.3, 0.85),
    "cold-only-words": Line("… words alone, beside a floor without vectors"),
    "memory": Line("memory in use at {large:,} memories", 350, 250, "MB"),
    "pg-fsync": Line("fsync of 8 KB in the server's folder", unit="ms"),
    "pg-commit": Line("commit of a small row", unit="ms"),
    "pg-commit-off": Line("commit of a small row, `synchronous_commit` off", unit="ms"),
    "pg-commit-slow": Line("commit of a small row, made 2 ms longer (`commit_delay`)", unit="ms"),
    "pg-batch": Line("batch of {count:,}", 0.5, 0.7, higher=True),
    "pg-batch-off": Line("batch of {count:,}, `synchronous_commit` off", 0.5, 0.7, higher=True),
    "pg-large-batch": Line("batch of {large:,}", 0.5, 0.7, higher=True),
    "pg-remember-cpu": Line("remember, processor time of the client", 0.5, 0.3, "ms"),
    "pg-remember": Line("remember", 1.15, 1.05, needs=2),
    "pg-remember-off": Line("remember, `synchronous_commit` off"),
    "pg-remember-slow": Line("remember, a commit made 2 ms longer (`commit_delay`)", 1.15, 1.05, needs=2),
    "pg-update": Line("update", 3, 1.5),
    "pg-update-off": Line("update, `synchronous_commit` off", 3, 1.5),
    "pg-get": Line("get", 3, 2),
    "pg-recall": Line("recall, {count:,} of one user", 0.4, 0.25),
    "pg-recall-hnsw": Line("recall, {count:,} of one user, beside a floor with HNSW", 1.0, 0.6),
    "pg-recall-cold": Line("recall, {count:,} of one user, in the database"),
    "pg-at-once": Line("8 recalls at once", 1.0, 2, higher=True),
    "pg-hold": Line("longest hold of the event loop, 8 recalls at once", 20, 10, "ms"),
    "pg-at-once-64": Line("64 recalls at once", 1.0, 2, higher=True),
    "pg-hold-64": Line("longest hold of the event loop, 64 recalls at once", 20, 10, "ms"),
    "pg-at-once-64-hnsw": Line("64 recalls at once, beside a floor with HNSW", 0.8, higher=True),
    "pg-one-of-many": Line("recall, one of {users} users, {all:,} in all", 1.0, 0.6),
    "pg-large-recall": Line("recall, {large:,} of one user", 1.0, 0.6),
    "pg-nearest": Line("of the ten nearest of {large:,} found", 0.98, unit="", higher=True),
    "pg-nearest-filtered": Line("… under a filter of 1 %", 0.98, unit="", higher=True),
}
"""Key of a row, as `--profile` takes it → its line."""


@dataclass(frozen=True)
class Bench:
    """Where a part measures, on which corpus, and how much."""

    folder: Path
    corpus: Corpus
    scale: Scale = FULL
    large: bool = False
    """Whether the rows with 100,000 memories are measured too."""
    prefix: str = ""
    """Before the keys of rows: `pg-` on PostgreSQL."""

    def row(self, key: str, value: float, *, ours: str = "", floor: str = "", **more: Any) -> Row:
        """The row of a line. `commit`: seconds that a commit takes, where the line's bounds depend on it."""
        line = LINES[self.prefix + key]
        binding = more.pop("commit", 0.0) * 1000 >= line.needs
        if line.needs and not binding:
            more["note"] = f"bounds hold where a commit takes {line.needs:g} ms"
        scale = vars(self.scale) | {"all": self.scale.users * self.scale.each}
        return Row(
            name=line.title.format(**scale),
            value=value,
            unit=line.unit,
            ours=ours,
            floor=floor,
            must=line.must,
            aim=line.aim,
            higher=line.higher,
            binding=binding,
            corpus=self.corpus.name,
            **more,
        )

    def ratio(self, key: str, found: Paired, **more: Any) -> Row:
        """The row of durations side by side."""
        return self.row(key, found.ratio, ours=spell(found.ours), floor=spell(found.floor), **more)

    def rate(self, key: str, ours: float, floor: float, **more: Any) -> Row:
        """The row of rates a second side by side."""
        return self.row(key, ours / floor, ours=f"{ours:,.0f}/s", floor=f"{floor:,.0f}/s", **more)
