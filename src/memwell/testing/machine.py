"""Random sequences of operations, run on a memory under test and on `Memory("memory://")` as the model::

    def test_mine_does_what_the_model_does(tmp_path):
        check_memory(lambda **options: Memory(f"mine://{fresh_name()}", **options))

`check_memory` opens a new memory for every sequence, with the embedder and the clock that it passes, and
compares every result and every error with the model's, field by field.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from memwell._bridge import drive
from memwell.errors import MemwellError
from memwell.sync import Memory
from memwell.testing.samples import START, Clock
from memwell.types import Hit, NewMemory, Record, Stats

__all__ = ["MemoryMachine", "check_memory"]

Opening = Callable[..., Any]
EMBEDDER = "hashing:?dimension=64"

ids = st.sampled_from([f"m{n}" for n in range(7)])
contents = st.lists(
    st.sampled_from(["apple", "banana", "cherry", "Ann:", "żółw", "東京", "42", "last May", "🐢", "the"]),
    min_size=1,
    max_size=4,
).map(" ".join)
owners = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["ann", "bob"]),
        "session_id": st.sampled_from(["s1", "s2"]),
        "namespace": st.just("n"),
        "tenant_id": st.just("other"),
    },
)
metadata = st.dictionaries(
    st.sampled_from(["k", "topic", "speaker"]),
    st.sampled_from([1, "1", True, None, "food", [1, "x"], {"deep": 2}]),
    max_size=2,
)
details = st.fixed_dictionaries(
    {},
    optional={
        "metadata": metadata,
        "tags": st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "category": st.sampled_from(["c", "d"]),
        "importance": st.sampled_from([0.0, 0.5, 1.0]),
        "kind": st.sampled_from(["memory", "fact"]),
        "tier": st.just("long"),
        "source": st.just("mail"),
    },
)
moments: st.SearchStrategy[dict[str, Any]] = st.integers(-3, 0).map(
    lambda days: {"created_at": START + timedelta(days=days)}
) | st.just({})
wheres = st.sampled_from(
    [
        {"category": "c"},
        {"metadata.k": 1},
        {"metadata.topic": {"$in": ["food", None]}},
        {"tags": {"$contains": "x"}},
        {"importance": {"$gte": 0.5}},
        {"$or": [{"user_id": "ann"}, {"kind": "fact"}]},
        {"$not": {"content": {"$contains": "apple"}}},
        {"created_at": {"$lt": START}},
        {"version": {"$gt": 1}},
    ]
)
kinds = st.sampled_from(["related", "supersedes", "contradicts", "extends"])
strengths = st.sampled_from([0.25, 0.5, 1.0])
Options = dict[str, Any]


class MemoryMachine(RuleBasedStateMachine):
    """See the module. `opening` and `again` are set by `check_memory`."""

    opening: Opening
    again: Opening | None = None
    avoids: Callable[[Any], bool] = staticmethod(lambda _where: False)
    """Whether a filter is left out, since the memory under test refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        options = {"embedder": EMBEDDER, "clock": self.clock}
        self.model = Memory("memory://", **options)  # type: ignore[arg-type]
        self.subject = type(self).opening(**options)
        self.files = 0

    def teardown(self) -> None:
        """Close both."""
        self.model.close()
        self.subject.close()
        self.folder.cleanup()

    def both(self, call: Callable[[Any], Any]) -> Any:
        """The result of a call on both, which must be alike; a `MemwellError` counts as a result."""
        expected, found = _outcome(call, self.model), _outcome(call, self.subject)
        assert _plain(found) == _plain(expected)
        return expected

    # ------------------------------------------------------------------------------------------ writing

    @rule(id=ids, content=contents, owner=owners, more=details, at=moments)
    def remember(self, id: str, content: str, owner: Options, more: Options, at: Options) -> None:
        """One memory under an id of ours."""
        self.both(lambda m: m.remember(content, id=id, **owner, **more, **at))

    @rule(id=ids, content=contents, owner=owners, ttl=st.sampled_from([1, 60, 3600, -1]))
    def remember_for_a_while(self, id: str, content: str, owner: Options, ttl: int) -> None:
        """One that expires."""
        self.both(lambda m: m.remember(content, id=id, ttl=ttl, **owner))

    @rule(items=st.lists(st.tuples(ids, contents, details), min_size=1, max_size=4), owner=owners)
    def remember_many(self, items: list[tuple[str, str, Options]], owner: Options) -> None:
        """A batch; a taken id undoes all of it."""
        batch = [NewMemory(id=id, content=content, **more) for id, content, more in items]
        self.both(lambda m: m.remember(batch, **owner))

    @rule(at=st.integers(0, 20))
    def remember_again(self, at: int) -> None:
        """Exactly what is there already, without an id."""
        records = self.model.list(order="id", limit=100).records
        if records:
            old = records[at % len(records)]
            values = {name: getattr(old, name) for name in ("kind", "category", "tags", "metadata")}
            owner = {f.name: getattr(old.scope, f.name) for f in fields(old.scope)}
            assert self.both(lambda m: m.remember(old.content, **values, **owner)).reinforced > 0

    @rule(id=ids, owner=owners, content=st.none() | contents, more=details)
    def update(self, id: str, owner: Options, content: str | None, more: Options) -> None:
        """Any fields."""
        self.both(lambda m: m.update(id, content=content, **more, **owner))

    @rule(id=ids, names=st.lists(st.sampled_from(["category", "tags", "metadata", "expires_at"]), max_size=2))
    def clear(self, id: str, names: list[str]) -> None:
        """Fields made empty."""
        self.both(lambda m: m.update(id, clear=names))

    @rule(id=ids, content=contents, version=st.integers(1, 4))
    def update_if_unchanged(self, id: str, content: str, version: int) -> None:
        """With an expected version, often a stale one."""
        self.both(lambda m: m.update(id, content=content, expected_version=version))

    @rule(id=ids, version=st.integers(1, 4))
    def restore(self, id: str, version: int) -> None:
        """An older version made current."""
        self.both(lambda m: m.restore(id, version))

    @rule(id=ids, owner=owners)
    def forget_one(self, id: str, owner: Options) -> None:
        """By id."""
        self.both(lambda m: m.forget(id, **owner))

    @rule(some=st.lists(ids, max_size=3), owner=owners)
    def forget_some(self, some: list[str], owner: Options) -> None:
        """By several ids."""
        self.both(lambda m: sorted(m.forget(some, **owner)))

    @rule(where=wheres, owner=owners)
    def forget_where(self, where: Options, owner: Options) -> None:
        """By scope and filter."""
        if self.avoids(where):
            return
        self.both(lambda m: sorted(m.forget(where=where, everything=not owner, **owner)))

    @rule(source=ids, end=ids, kind=kinds, strength=strengths)
    def relate(self, source: str, end: str, kind: str, strength: float) -> None:
        """Two memories."""
        self.both(lambda m: m.relate(source, end, kind, strength=strength))

    @rule(source=ids, end=ids, kind=st.none() | kinds)
    def unrelate(self, source: str, end: str, kind: str | None) -> None:
        """Of one kind or all."""
        self.both(lambda m: m.unrelate(source, end, kind))

    @rule()
    def sweep(self) -> None:
        """What has expired goes."""
        self.both(lambda m: m.sweep())

    @rule(seconds=st.sampled_from([0.5, 1, 10, 60, 3600, 100_000]))
    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    # ------------------------------------------------------------------------------------------ reading

    @rule(id=ids, owner=owners)
    def get(self, id: str, owner: Options) -> None:
        """By id."""
        self.both(lambda m: m.get(id, **owner))

    @rule(id=ids)
    def history(self, id: str) -> None:
        """Every version."""
        self.both(lambda m: m.history(id))

    @rule(
        order=st.sampled_from(["created_at", "updated_at", "importance", "id"]),
        descending=st.booleans(),
        limit=st.integers(1, 5),
        where=st.none() | wheres,
        owner=owners,
    )
    def walk(self, order: str, descending: bool, limit: int, where: Any, owner: Options) -> None:
        """A listing, page by page."""
        if self.avoids(where):
            return

        def pages(memory: Any) -> list[list[Record]]:
            found, cursor = [], None
            while True:
                page = memory.list(
                    order=order, descending=descending, limit=limit, where=where, cursor=cursor, **owner
                )
                found.append(list(page.records))
                if (cursor := page.cursor) is None:
                    return found

        self.both(pages)

    @rule(where=st.none() | wheres, owner=owners)
    def count(self, where: Any, owner: Options) -> None:
        """How many."""
        if self.avoids(where):
            return
        self.both(lambda m: m.count(where=where, **owner))

    @rule(owner=owners)
    def stats(self, owner: Options) -> None:
        """Counts."""
        self.both(lambda m: m.stats(**owner))

    @rule(id=ids, kind=st.none() | kinds, depth=st.integers(1, 3), owner=owners)
    def related(self, id: str, kind: str | None, depth: int, owner: Options) -> None:
        """Over relationships."""
        self.both(lambda m: m.related(id, kind=kind, depth=depth, **owner))

    @rule(query=contents, mode=st.sampled_from(["lexical", "hybrid", "semantic"]), owner=owners)
    def recall(self, query: str, mode: Any, owner: Options) -> None:
        """What a question finds: the same memories, of those allowed, scored alike."""
        self._recalled(query, owner, mode=mode)

    @rule(query=contents, where=wheres, owner=owners)
    def recall_where(self, query: str, where: Options, owner: Options) -> None:
        """Under a filter."""
        if self.avoids(where):
            return
        self._recalled(query, owner, where=where)

    @rule(query=contents, days=st.integers(-3, 1))
    def recall_as_of(self, query: str, days: int) -> None:
        """What was known then."""
        moment = self.clock() + timedelta(days=days)
        self.both(lambda m: {hit.record.id: hit.record for hit in m.recall(query, as_of=moment, limit=50)})

    def _recalled(self, query: str, owner: Options, **options: Any) -> None:
        hits: list[Hit] = self.subject.recall(query, limit=50, **options, **owner)
        expected: list[Hit] = self.model.recall(query, limit=50, **options, **owner)
        assert all(0 <= hit.score <= 1 for hit in hits)
        assert len({hit.record.id for hit in hits}) == len(hits)
        allowed = self.model.list(where=options.get("where"), limit=100, **owner).records
        assert {hit.record.id for hit in hits} <= {record.id for record in allowed}
        assert {hit.record.id for hit in hits} == {hit.record.id for hit in expected}
        stored = {hit.record.id: _plain(hit.record) for hit in expected}
        assert all(_plain(hit.record) == stored[hit.record.id] for hit in hits)
        scores = {hit.record.id: hit.score for hit in expected}
        assert all(abs(hit.score - scores[hit.record.id]) < 1e-4 for hit in hits)

    @rule(query=contents)
    def recalls_are_noted(self, query: str) -> None:
        """With a call some time later."""
        for _ in range(2):
            self.both(lambda m: {hit.record.id for hit in m.recall(query, limit=50)})
            self.clock.advance(10)
        self.both(lambda m: m.remember("a call that notes", id="m0") is None)
        self.both(lambda m: {r.id: (r.access_count, r.last_accessed_at) for r in m.list(limit=100)})

    # ------------------------------------------------------------------------------------ life of a store

    @precondition(lambda self: type(self).again is not None)
    @rule()
    def reopen(self) -> None:
        """Close the memory under test and open it again."""
        again = type(self).again
        assert again is not None
        self.subject.close()
        self.subject = again(embedder=EMBEDDER, clock=self.clock)
        engine = self.model._memory._engine  # what closing does: note the recalls, forget when to sweep
        drive(engine.housekeeping(self.clock(), fully=True))
        engine._last_sweep, engine._swept = None, False

    @rule(tenant=st.sampled_from(["default", "other"]))
    def export_and_import(self, tenant: str) -> None:
        """Into a new memory, which then holds the same."""
        self.files += 1
        path = Path(self.folder.name) / f"{self.files}.jsonl"
        count = self.subject.export(path, plain=True, tenant_id=tenant)
        with Memory("memory://", embedder=None, clock=self.clock) as copy:
            done = copy.import_(path)
            assert done.added == count
            everything = {"order": "id", "limit": 100, "tenant_id": tenant}
            expected = self.model.list(**everything).records  # type: ignore[arg-type]
            found = copy.list(**everything).records  # type: ignore[arg-type]
            assert _plain(found) == _plain(expected)
            for record in expected:
                past = self.model.history(record.id, tenant_id=tenant)
                assert _plain(copy.history(record.id, tenant_id=tenant)) == _plain(past)
            vectors = self.model.stats(tenant_id=tenant).embedded
            assert copy.stats(tenant_id=tenant).embedded == vectors

    @invariant()
    def both_hold_the_same(self) -> None:
        """As many memories, and none of the doctor's complaints."""
        self.both(lambda m: m.count())
        self.both(lambda m: m.count(tenant_id="other"))
        assert self.subject.doctor().ok


def _outcome(call: Callable[[Any], Any], memory: Any) -> Any:
    try:
        return call(memory)
    except MemwellError as error:
        return type(error)


def _plain(value: Any) -> Any:
    """A result without what may differ: the order of links, the bytes of a store, recalls not yet noted."""
    if isinstance(value, Record):
        value = replace(value, access_count=0, last_accessed_at=None, metadata=dict(value.metadata))
        links = frozenset((link.target, link.kind, link.strength, link.created_at) for link in value.links)
        return {**{f.name: getattr(value, f.name) for f in fields(value)}, "links": links}
    if isinstance(value, Stats):
        value = replace(value, bytes=None)
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return dict(value) if hasattr(value, "items") else value


def check_memory(
    opening: Opening,
    *,
    again: Opening | None = None,
    examples: int | None = None,
    shrink: bool = True,
    avoids: Callable[[Any], bool] = lambda _where: False,
) -> None:
    """Run random sequences; raises `AssertionError` with the shortest one that differs.

    `opening(embedder=…, clock=…)` gives a new, empty memory (`Memory`, or anything with its methods). `again`,
    with the same arguments, opens the latest of them once more after it was closed; give it where memories
    last. `examples` is how many sequences are run; the environment variable MEMWELL_EXAMPLES overrides it.
    `shrink=False` stops at the first difference, whatever its length. `avoids(where)` says which filters the
    memory does not support.
    """
    machine = type(
        "Machine",
        (MemoryMachine,),
        {
            "opening": staticmethod(opening),
            "again": again and staticmethod(again),
            "avoids": staticmethod(avoids),
        },
    )
    chosen = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    if wanted := int(os.environ.get("MEMWELL_EXAMPLES", 0)) or examples:
        chosen = settings(chosen, max_examples=wanted)
    if not shrink:
        chosen = settings(chosen, phases=[Phase.generate], database=None)
    run_state_machine_as_test(machine, settings=chosen)
