"""What AutoMem is sent, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.backends.automem.wire import TOKEN, AutoMemWire
from tests.indexes.wire.base import Request, serving

from memwell import Memory
from memwell.errors import ConfigError, NotSupported

TEXT = "Ana keeps bees in Porto"


@contextmanager
def opened(wire: AutoMemWire | None = None, **options: Any) -> Iterator[tuple[Memory, AutoMemWire]]:
    """A memory over a running service."""
    given = "&".join(f"{name}={value}" for name, value in options.items())
    with serving(AutoMemWire() if wire is None else wire) as service:
        place = service.url.removeprefix("http://")
        with Memory(f"automem+http://:{TOKEN}@{place}?attempts=1&{given}") as memory:
            yield memory, service


def asked(service: AutoMemWire, path: str) -> list[Request]:
    """The requests to a path."""
    return [request for request in service.requests if request.path == path]


def test_a_memory_fills_the_fields_that_automem_has() -> None:
    with opened() as (memory, service):
        one = memory.remember(
            TEXT,
            user_id="ana",
            session_id="c1",
            tags=["home", "a, b"],
            kind="Preference",
            category="hobby",
            importance=0.9,
            metadata={"n": 1, "deep": {"x": [1, None]}},
            created_at="2026-05-01T10:00:00Z",
            valid_to="2027-01-01T00:00:00Z",
        )
        stored = service.memories[one.id]
        assert (stored["content"], stored["type"], stored["importance"]) == (TEXT, "Preference", 0.9)
        assert {"user_ana", "conversation_c1", "home", "a, b", "memwell"} <= set(stored["tags"])
        assert (stored["timestamp"], stored["t_invalid"]) == (
            "2026-05-01T10:00:00+00:00",
            "2027-01-01T00:00:00+00:00",
        )
        assert stored["metadata"]["n"] == 1
        assert memory.get(one.id, user_id="ana") == one
        assert memory.remember(TEXT, user_id="ana").id != one.id
        assert memory.health().ok


def test_users_with_a_conversation_of_the_same_name_are_kept_apart() -> None:
    with opened() as (memory, service):
        for user in ("ana", "bob", "Bob", "ana:x"):
            memory.remember(f"The key of {user} is under the mat", user_id=user, session_id="c1")
        service.embed()
        for user in ("ana", "Bob"):
            hits = memory.recall("Where is the key?", user_id=user, session_id="c1")
            assert [hit.user_id for hit in hits] == [user]
            (listed,) = memory.list(user_id=user)
            assert listed.user_id == user
        query = asked(service, "/recall")[0]
        assert [value for name, value in query.pairs if name == "tags"] == ["conversation_c1", "user_ana"]
        assert (query.query["tag_mode"], query.query["tag_match"]) == ("all", "exact")
        assert memory.count(tenant_id="other") == 0


def test_a_memory_is_there_at_once_and_found_by_meaning_when_it_is_embedded() -> None:
    with opened() as (memory, service):
        one = memory.remember(TEXT, user_id="ana")
        assert memory.get(one.id, user_id="ana") == one
        (hit,) = memory.recall("Are there bees?", user_id="ana")
        assert hit.why.cosine is None
        service.embed()
        (hit,) = memory.recall("Are there bees?", user_id="ana")
        assert 0 < (hit.why.cosine or 0) < 1


def test_a_vector_that_outlived_its_memory_brings_nothing_back() -> None:
    with opened() as (memory, service):
        one, two = (r.id for r in memory.remember([TEXT, "Ana sold the bees"], user_id="ana"))
        service.embed()
        before = dict(service.memories)
        memory.forget(one, user_id="ana")
        service.orphans = {one: before[one]}
        assert [hit.id for hit in memory.recall("Ana's bees", user_id="ana")] == [two]


@pytest.mark.parametrize("summarises", [False, True])
def test_texts_of_any_length_come_back_whole(summarises: bool) -> None:
    wire = AutoMemWire()
    wire.summarises = summarises
    with opened(wire) as (memory, service):
        for text in ("word " * 20_000 + "the end", "w " * 300, "  indented\n"):
            one = memory.remember(text, user_id="ana")
            assert memory.get(one.id, user_id="ana").content == text
            assert memory.remember(text, user_id="ana").id == one.id
            changed = memory.update(one.id, content=f"{text}!", user_id="ana")
            assert memory.get(one.id, user_id="ana").content == changed.content == f"{text}!"
        assert len(service.memories) == 3


def test_memories_of_other_clients_are_read() -> None:
    with opened() as (memory, service):
        mine = service.put(
            "Ana likes tea",
            tags=["user_ana", "user", "conversation_c1"],
            importance=0.7,
            metadata={"n": 1, "enrichment": {}, "entities": {}},
            type="conversation",
        )
        found = memory.get(mine, user_id="ana")
        assert (found.session_id, found.tags, found.kind) == ("c1", ("user",), "conversation")
        assert (found.importance, found.metadata) == (0.7, {"n": 1})
        policy = service.put(
            "Work from home", tags=["global_knowledge", "category_policies"], metadata={"title": "Remote"}
        )
        known = memory.get(policy)
        assert (known.kind, known.category, known.tags) == ("knowledge", "policies", ())
        assert [each.id for each in memory.list(where={"kind": "knowledge"})] == [policy]
        ours = memory.remember("Work at the office", kind="knowledge", category="Policies")
        assert {"global_knowledge", "category_policies"} <= set(service.memories[ours.id]["tags"])
        assert memory.get(ours.id).category == "Policies"


def test_what_automem_and_others_add_is_neither_shown_nor_lost() -> None:
    with opened() as (memory, service):
        one = memory.remember(TEXT, user_id="ana", metadata={"n": 1})
        service.enrich()
        service.memories[one.id]["metadata"]["theirs"] = "x"
        assert memory.get(one.id, user_id="ana") == one
        memory.update(one.id, metadata={"m": 2}, user_id="ana")
        kept = service.memories[one.id]["metadata"]
        assert ("n" in kept, kept["m"], kept["theirs"], "enrichment" in kept) == (False, 2, "x", True)
        service.memories[one.id]["content"] = "Ana keeps hens"
        assert memory.get(one.id, user_id="ana").content == "Ana keeps hens"


def test_a_change_outlasts_the_enrichment_that_began_before_it() -> None:
    class Enriching(AutoMemWire):
        enrichment = "queued"
        read: dict[str, Any] | None = None

        def patch(self, request: Request, id: str) -> Any:
            if not self.memories[id].get("processed"):
                self.read = dict(self.memories[id]["metadata"])
            return super().patch(request, id)

        def get(self, request: Request, id: str) -> Any:
            answer = super().get(request, id)
            if self.read is not None:  # done between the change and the look at it
                self.memories[id] |= {"metadata": {**self.read, "enrichment": {}}, "processed": True}
                self.read = None
            return answer

    with opened(Enriching()) as (memory, service):
        one = memory.remember(TEXT, user_id="ana", metadata={"n": 1})
        changed = memory.update(one.id, metadata={"n": 2}, category="late", user_id="ana")
        assert service.memories[one.id]["processed"]
        assert memory.get(one.id, user_id="ana") == changed
        sent = len(asked(service, f"/memory/{one.id}"))
        memory.update(one.id, metadata={"n": 3}, user_id="ana")
        assert len(asked(service, f"/memory/{one.id}")) == sent + 2


@pytest.mark.parametrize(
    ("kind", "name", "back"),
    [
        ("related", "RELATES_TO", False),
        ("contradicts", "CONTRADICTS", False),
        ("supersedes", "INVALIDATED_BY", True),
        ("extends", "DERIVED_FROM", False),
        ("leads_to", "LEADS_TO", False),
        ("a word of mine", "RELATES_TO", False),
    ],
)
def test_relationships_have_the_names_of_the_graph(kind: str, name: str, back: bool) -> None:
    with opened() as (memory, service):
        one, two = (r.id for r in memory.remember(["one", "two"], user_id="ana"))
        memory.relate(one, two, kind=kind, strength=0.4, user_id="ana")
        ends = (two, one) if back else (one, two)
        assert service.relations == {(*ends, name): 0.4}
        (related,) = memory.related(two, user_id="ana")
        assert (related.id, related.link.kind, related.outgoing) == (one, kind, False)
        assert memory.unrelate(one, two, user_id="ana") == 1
        assert service.relations == {(*ends, name): 0.0}
        memory.relate(one, two, kind=kind, user_id="ana")
        memory.forget(two, user_id="ana")
        assert memory.get(one, user_id="ana").links == ()


def test_a_listing_that_is_written_into_begins_again() -> None:
    class Busy(AutoMemWire):
        left = 3

        def by_tag(self, request: Request) -> Any:
            if request.query["offset"] != "0" and self.left:
                self.left -= 1
                self.put("new", tags=["user_ana"], importance=0.9)
            return super().by_tag(request)

    with opened(Busy()) as (memory, service):
        for number in range(450):
            service.put(f"note {number}", tags=["user_ana"])
        assert memory.count(user_id="ana") == 453
        service.left = 10**6
        with pytest.raises(Exception, match="written all the time"):
            memory.count(user_id="ana")


def test_what_automem_cannot_do_is_refused() -> None:
    with opened(most=2) as (memory, _):
        one = memory.remember(TEXT, user_id="ana")
        with pytest.raises(NotSupported, match="`history`"):
            memory.history(one.id, user_id="ana")
        memory.remember(["two", "three"], user_id="ana")
        with pytest.raises(NotSupported, match="more than the 2 memories that most= allows"):
            memory.list(user_id="ana")
    with pytest.raises(ConfigError, match="omit embedder="):
        Memory("automem+http://localhost:8001", embedder="hashing")
