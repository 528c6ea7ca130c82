"""What each of mem0's APIs is sent, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.backends.mem0.wire import KEY, SECRET, HostedWire, OssWire, SeedWire
from tests.indexes.wire.base import Reply, serving

from memwell import Memory
from memwell.errors import BackendError, ConfigError, Conflict, NotSupported, TimedOut, Unavailable

WIRES: dict[str, Callable[[], Any]] = {
    "hosted_v3": HostedWire,
    "hosted_v1": HostedWire,
    "oss": OssWire,
    "seed": SeedWire,
}
TEXT = "Ana keeps bees in Porto"


@contextmanager
def opened(
    dialect: str, wire: Any = None, *, secret: str = SECRET, **options: Any
) -> Iterator[tuple[Memory, Any]]:
    """A memory over a running service."""
    given = "&".join(f"{name}={value}" for name, value in options.items())
    with (
        serving(WIRES[dialect]() if wire is None else wire) as service,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MEM0_HMAC_SECRET", secret)
        place = service.url.removeprefix("http://")
        with Memory(f"mem0+http://:{KEY}@{place}?dialect={dialect}&attempts=1&{given}") as memory:
            yield memory, service


@pytest.mark.parametrize("dialect", WIRES)
def test_a_memory_lives_its_life_in_every_dialect(dialect: str) -> None:
    given: dict[str, Any] = {
        "tags": ["home", "animals"],
        "category": "hobby",
        "importance": 0.9,
        "metadata": {"n": 1, "deep": {"x": [1, None]}, "user_id": "no owner"},
    }
    with opened(dialect) as (memory, service):
        one = memory.remember(TEXT, user_id="ana", session_id="s1", **given)
        assert list(service.memories) == [one.id]
        assert memory.remember(TEXT, user_id="ana", session_id="s1", **given).reinforced == 1
        memory.remember("Bob has a dog", user_id="bob")
        assert memory.get(one.id, user_id="ana").metadata == given["metadata"]
        hit = memory.recall("Where are the bees?", user_id="ana")[0]
        assert (hit.content, hit.tags, hit.category, hit.importance) == (
            TEXT,
            ("home", "animals"),
            "hobby",
            0.9,
        )
        assert hit.why.cosine == pytest.approx(0.4, abs=0.2)
        assert memory.recall("Does Ana keep bees?", user_id="bob", mode="lexical") == []
        changed = memory.update(
            one.id, content="Ana sold her bees", clear=["tags", "metadata"], user_id="ana"
        )
        assert (changed.version, changed.tags, changed.metadata) == (2, (), {})
        assert list(memory.list(user_id="ana")) == [memory.get(one.id, user_id="ana")] == [changed]
        assert memory.forget(one.id, user_id="ana") == [one.id]
        assert memory.count(user_id="ana") == 0
        assert memory.health().ok


def test_each_dialect_proves_itself_and_asks_for_the_text_as_it_is() -> None:
    expected: dict[str, tuple[str, dict[str, Any]]] = {
        "hosted_v3": ("/v3/memories/add/", {"authorization": f"Token {KEY}"}),
        "hosted_v1": ("/v1/memories/", {"authorization": f"Token {KEY}"}),
        "oss": ("/memories", {"x-api-key": KEY}),
        "seed": ("/v1/memories/", {"authorization": f"Bearer {KEY}", "x-user-context": "ana"}),
    }
    for dialect, (path, headers) in expected.items():
        with opened(dialect) as (memory, service):
            memory.remember(TEXT, user_id="ana", agent_id="a", session_id="s", metadata={"colour": "blue"})
            sent = next(r for r in service.requests if r.method == "POST" and r.path == path)
            assert headers.items() <= sent.headers.items()
            assert sent.body["messages"] == [{"role": "user", "content": TEXT}]
            assert sent.body["user_id"] == "ana"
            assert sent.body["metadata"]["colour"] == "blue"
            assert sent.body.get("infer") == (None if dialect == "seed" else False)
            assert (sent.body.get("agent_id"), sent.body.get("run_id")) == (
                (None, None) if dialect == "seed" else ("a", "s")
            )


def test_memories_of_other_clients_are_read() -> None:
    for dialect in ("hosted_v3", "oss"):
        with opened(dialect) as (memory, service):
            id = service.put(
                "Ana likes tea",
                {"colour": "green"},
                user_id="ana",
                run_id="s",
                categories=["food"],
                expiration_date="2999-01-01",
                created_at="2026-05-01T10:00:00-07:00",
            )
            found = memory.get(id, user_id="ana")
            assert (found.content, found.metadata, found.tags) == (
                "Ana likes tea",
                {"colour": "green"},
                ("food",),
            )
            assert (found.session_id, found.created_at.hour, found.expires_at.year) == ("s", 17, 2999)
            assert [hit.id for hit in memory.recall("tea", user_id="ana")] == [id]
            memory.update(id, category="drinks", user_id="ana")
            assert memory.get(id, user_id="ana").category == "drinks"


def test_changes_of_other_clients_are_seen() -> None:
    with opened("oss") as (memory, service):
        one = memory.remember(TEXT, user_id="ana", metadata={"n": 1, "deep": [1]}, tags=["x"])
        service.changed(one.id, {"text": "Ana keeps hens", "metadata": {"n": 2}})
        found = memory.get(one.id, user_id="ana")
        assert (found.content, found.metadata, found.tags) == (
            "Ana keeps hens",
            {"n": 2, "deep": [1]},
            ("x",),
        )
        assert found.updated_at > one.updated_at


def test_what_the_service_adds_later_is_waited_for() -> None:
    wire = HostedWire()
    wire.queued = True
    with opened("hosted_v3", wire) as (memory, service):
        one = memory.remember(TEXT, user_id="ana")
        assert list(service.memories) == [one.id]
        assert sum("/v1/event/" in r.path for r in service.requests) == wire.looks
        wire.outcome = "FAILED"
        with pytest.raises(BackendError, match="overloaded"):
            memory.remember("Another", user_id="ana")
        wire.outcome, wire.looks = "SUCCEEDED", 10**6
    with opened("hosted_v3", wire, timeout=0.3) as (memory, _), pytest.raises(TimedOut, match="may still"):
        memory.remember("A third", user_id="ana")


def test_an_answer_without_an_id_is_an_error() -> None:
    with opened("hosted_v3") as (memory, service):
        assert memory.count(user_id="ana") == 0
        for body, error, words in (
            (b'{"results": []}', BackendError, "nothing was stored"),
            (b'{"status": "ok"}', Unavailable, "no id"),
            (b'[{"status": "FAILED", "message": "no quota"}]', BackendError, "no quota"),
        ):
            service.next(Reply(200, raw=b'{"results": []}'), Reply(200, raw=body))
            with pytest.raises(error, match=words):
                memory.remember(TEXT, user_id="ana")


def test_a_listing_that_is_written_into_begins_again() -> None:
    class Busy(HostedWire):
        left = 3

        def list(self, request: Any) -> Any:
            if request.query["page"] != "1" and self.left:
                self.left -= 1
                first = next(iter(self.memories))
                del self.memories[first]
            return super().list(request)

    with opened("hosted_v3", Busy()) as (memory, service):
        for number in range(450):
            service.put(f"note {number}", user_id="ana")
        assert memory.count(user_id="ana") == 447
        service.left = 10**6
        with pytest.raises(Unavailable, match="written all the time"):
            memory.count(user_id="ana")


class TestSeed:
    def test_a_gateway_that_only_adds_and_searches_is_enough_to_remember_and_recall(self) -> None:
        wire = SeedWire()
        wire.documented = True
        with opened("seed", wire) as (memory, _):
            one = memory.remember(TEXT, user_id="ana", tags=["x"])
            (hit,) = memory.recall("Where are the bees?", user_id="ana")
            assert (hit.id, hit.content, hit.tags) == (one.id, TEXT, ("x",))
            assert memory.health().ok
            for call in (memory.list, memory.count):
                with pytest.raises(NotSupported, match="does not offer GET /v1/memories/"):
                    call(user_id="ana")
            with pytest.raises(NotSupported, match="name a user_id"):
                memory.count()

    def test_words_of_the_service_do_not_replace_those_of_the_memory(self) -> None:
        with opened("seed") as (memory, service):
            one = memory.remember(TEXT, user_id="ana")
            assert service.memories[one.id]["memory"] == f"The user said: {TEXT}"
            assert memory.get(one.id, user_id="ana").content == TEXT

    def test_a_wrong_signature_is_a_matter_of_configuration(self) -> None:
        with opened("seed", secret="other") as (memory, _):
            with pytest.raises(ConfigError, match="Invalid signature"):
                memory.remember(TEXT, user_id="ana")
            with pytest.raises(ConfigError, match="ids of ASCII"):
                memory.remember(TEXT, user_id="żółw")


class TestOss:
    def test_beyond_a_listing_recall_ranks_what_was_found_and_a_listing_is_refused(self) -> None:
        with opened("oss", recall="listing") as (memory, service):
            for number in range(1000):
                service.put(f"note {number}", user_id="ana")
            (hit, *_) = memory.recall("note 7", user_id="ana", limit=1)
            assert hit.content == "note 7"
            assert "more than the 1000 memories" in hit.why.notes[0]
            with pytest.raises(NotSupported, match="more than the 1000"):
                memory.list(user_id="ana")

    def test_a_server_that_does_not_see_its_owners_is_not_an_empty_one(self) -> None:
        with opened("oss") as (memory, service):
            assert memory.count() == 0
            memory.remember(TEXT, user_id="ana")
            assert memory.count() == 1
            service.sees_owners = False
            with pytest.raises(NotSupported, match="name a user_id"):
                memory.count()
            assert memory.count(user_id="ana") == 1

    def test_expired_memories_are_hidden_by_the_server_too(self) -> None:
        with opened("oss") as (memory, service):
            one = memory.remember(TEXT, user_id="ana", expires_at="2999-05-01T12:00:00Z")
            assert service.memories[one.id]["expiration_date"] == "2999-05-01"
            memory.update(one.id, clear=["expires_at"], user_id="ana")
            assert service.memories[one.id]["expiration_date"] is None


def test_a_long_text_is_shown_by_its_beginning_and_comes_back_whole() -> None:
    text = "word " * 20_000 + "the end"
    with opened("hosted_v3") as (memory, service):
        one = memory.remember(text, user_id="ana")
        assert len(service.memories[one.id]["memory"]) == 8000
        assert memory.get(one.id, user_id="ana").content == text
        assert memory.recall("the end", user_id="ana", mode="lexical")[0].id == one.id


def test_owners_that_mem0_has_no_room_for_are_kept_apart() -> None:
    with opened("oss") as (memory, service):
        ids = {
            memory.remember(TEXT, user_id="Ana Silva").id,
            memory.remember(TEXT, user_id="Ana%20Silva").id,
            memory.remember(TEXT, user_id="Ana Silva", tenant_id="other").id,
            memory.remember(TEXT).id,
        }
        owners = {found["user_id"] for found in service.memories.values()}
        assert owners == {"Ana%20Silva", "Ana%2520Silva", "other/Ana%20Silva", "memwell"}
        assert len(ids) == 4
        assert [memory.count(user_id=user) for user in ("Ana Silva", "Ana%20Silva")] == [1, 1]
        assert (memory.count(), memory.count(tenant_id="other")) == (3, 1)


def test_what_fails_halfway_is_undone() -> None:
    class Breaking(HostedWire):
        room = 2

        def added(self, body: Any, **fields: Any) -> str:
            if len(self.memories) >= self.room:
                raise Reply(500, message="disk full")
            return super().added(body, **fields)

    with opened("hosted_v3", Breaking()) as (memory, service):
        with pytest.raises(Unavailable, match="disk full"):
            memory.remember([f"text {n}" for n in range(5)], user_id="ana")
        assert service.memories == {}
        service.room = 5
        one, two = (r.id for r in memory.remember(["one", "two"], user_id="ana"))

        def gone(*_: Any) -> Any:
            raise Reply(404, message="Memory not found!")

        service.update = gone
        with pytest.raises(Conflict, match="removed meanwhile"):
            memory.update(one, content="uno", user_id="ana")
        assert memory.get(two, user_id="ana").content == "two"


def test_what_mem0_cannot_do_is_refused() -> None:
    with opened("oss") as (memory, _):
        one, two = (memory.remember(text, user_id="ana").id for text in ("one", "two"))
        with pytest.raises(NotSupported, match="`history`"):
            memory.history(one, user_id="ana")
        with pytest.raises(NotSupported, match="SetLink"):
            memory.relate(one, two, user_id="ana")
        assert memory.recall("one", user_id="ana", mode="semantic")[0].id == one
    with pytest.raises(ConfigError, match="omit embedder="):
        Memory("mem0+http://localhost", embedder="hashing")


def test_recalls_are_counted_on_request_only() -> None:
    for wanted in (False, True):
        with opened("oss", housekeeping=wanted) as (memory, service):
            one = memory.remember(TEXT, user_id="ana")
            memory.recall("bees", user_id="ana")
        assert any(r.method == "PUT" for r in service.requests) is wanted, one


def test_a_url_names_everything() -> None:
    with serving(OssWire()) as service:
        place = service.url.removeprefix("http://")
        with Memory(f"mem0+http://:{KEY}@{place}?recall=listing&most=50&timeout=5") as memory:
            assert memory.remember(TEXT, user_id="ana").id in service.memories
        with Memory(f"mem0+http://:wrong-key@{place}") as memory:
            with pytest.raises(ConfigError, match="MEM0_API_KEY") as failure:
                memory.remember(TEXT, user_id="ana")
            assert "wrong-key" not in str(failure.value)
    for url, words in (
        ("mem0+http://localhost?dialect=oss2", "dialects hosted_v3, hosted_v1, oss, seed"),
        ("mem0+http://localhost?recall=both", "recall is server or listing"),
        ("mem0+http://localhost?colour=red", "no option colour"),
        ("mem0+http://", "needs the host"),
    ):
        with pytest.raises(ConfigError, match=words):
            Memory(url)
