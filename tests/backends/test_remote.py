"""Memory services that fail: what is raised, what is tried again, and that nothing is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.backends.automem.wire import TOKEN, AutoMemWire
from tests.backends.mem0.wire import KEY, HostedWire, OssWire
from tests.indexes.wire.base import Reply, serving

from memwell import Memory
from memwell.errors import BackendError, ConfigError, MemwellError, NotSupported, TimedOut, Unavailable

SERVICES: dict[str, tuple[Callable[[], Any], str]] = {
    "hosted": (HostedWire, f"mem0+http://:{KEY}@{{}}?dialect=hosted_v3"),
    "oss": (OssWire, f"mem0+http://:{KEY}@{{}}?dialect=oss"),
    "automem": (AutoMemWire, f"automem+http://:{TOKEN}@{{}}?"),
}
FAILURES: list[tuple[Reply, type[MemwellError], str]] = [
    (Reply(500, message="boom"), Unavailable, "HTTP 500"),
    (Reply(503, raw=b"<html>down"), Unavailable, "HTTP 503"),
    (Reply(200, raw=b'{"results": [{"id": "1", "mem'), Unavailable, "not JSON"),
    (Reply(200, raw=b'"a text"'), Unavailable, "check the"),
    (Reply(200, raw=b'{"results": [7], "memories": [7]}'), Unavailable, "check the"),
    (Reply(0, hang_up=True), Unavailable, "broke off"),
    (Reply(401, message="no"), ConfigError, "HTTP 401"),
    (Reply(302, headers={"location": "http://example.com"}), ConfigError, "HTTP 302"),
    (Reply(422, raw=b'{"detail": [{"loc": ["body"], "msg": "bad"}]}'), BackendError, "HTTP 422"),
    (Reply(405, message="Method Not Allowed"), NotSupported, "does not offer"),
]


@contextmanager
def opened(name: str, **options: Any) -> Iterator[tuple[Memory, Any]]:
    """A memory over a running service, warm and with one memory."""
    wire, url = SERVICES[name]
    given = "".join(f"&{option}={value}" for option, value in options.items())
    with (
        serving(wire()) as service,
        Memory(url.format(service.url.removeprefix("http://")) + given) as memory,
    ):
        memory.remember("kept", user_id="ana")
        yield memory, service


@pytest.mark.parametrize("name", SERVICES)
def test_each_failure_has_its_error_and_loses_nothing(name: str) -> None:
    with opened(name, attempts=1) as (memory, service):
        before = [*memory.list(user_id="ana")]
        calls: list[Callable[[], Any]] = [
            lambda: memory.recall("kept", user_id="ana"),
            lambda: memory.remember("new", user_id="ana"),
            lambda: memory.get(before[0].id, user_id="ana"),
            lambda: memory.update(before[0].id, content="changed", user_id="ana"),
            lambda: memory.forget(user_id="ana"),
        ]
        for reply, error, words in FAILURES:
            for call in calls:
                service.next(reply)
                with pytest.raises(error, match=words) as failure:
                    call()
                assert KEY not in str(failure.value)
                assert TOKEN not in str(failure.value)
        assert [*memory.list(user_id="ana")] == before


@pytest.mark.parametrize("name", SERVICES)
def test_reading_is_tried_again_and_writing_where_it_was_not_begun(name: str) -> None:
    with opened(name) as (memory, service):
        service.next(Reply(500), Reply(0, hang_up=True))
        assert memory.count(user_id="ana") == 1
        service.next(Reply(429, headers={"retry-after": "0.2"}))
        started = time.monotonic()
        assert memory.count(user_id="ana") == 1
        assert time.monotonic() - started >= 0.2
        sent = len(service.requests)
        service.next(Reply(200, raw=b'{"results": [], "memories": []}'), Reply(500))
        with pytest.raises(Unavailable) as failure:
            memory.remember("new", user_id="ana")
        assert not failure.value.unsent
        assert len(service.requests) == sent + 2
        service.next(Reply(200, raw=b'{"results": [], "memories": []}'), Reply(429))
        memory.remember("new", user_id="ana")
        assert memory.count(user_id="ana") == 2


def test_a_service_that_does_not_answer_is_not_waited_for_forever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        for name in ("oss", "automem"):
            memory = Memory(SERVICES[name][1].format(place) + "&timeout=0.2&attempts=1")
            with memory, pytest.raises(TimedOut, match=r"within 0\.2 seconds"):
                memory.recall("kept", user_id="ana")
    with Memory(SERVICES["oss"][1].format(place) + "&attempts=1") as memory:
        with pytest.raises(Unavailable, match="cannot reach") as failure:
            memory.remember("new", user_id="ana")
        assert failure.value.unsent


def test_metadata_that_others_have_broken_name_the_memory() -> None:
    with opened("oss") as (memory, service):
        (one,) = memory.list(user_id="ana")
        service.memories[one.id]["metadata"]["memwell"] = "{"
        with pytest.raises(MemwellError, match=one.id):
            memory.get(one.id, user_id="ana")
        del service.memories[one.id]["metadata"]["memwell"]
        assert memory.get(one.id, user_id="ana").content == "kept"
