"""Clients of network services: one for each event loop, closed where they were made, never a parent's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from tests.indexes.wire.base import serving
from tests.indexes.wire.qdrant import QdrantWire

from memwell import _bridge
from memwell.network.clients import Clients
from memwell.ports import VectorIndex
from memwell.registry import open_index
from memwell.testing.services import Service


class Client:
    """Knows the loop that closed it."""

    def __init__(self) -> None:
        self.closed_on: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        self.closed_on = asyncio.get_running_loop()


async def _here(clients: Clients[Client]) -> tuple[Client, asyncio.AbstractEventLoop]:
    return clients.current(), asyncio.get_running_loop()


def test_each_is_closed_on_its_own_loop() -> None:
    clients = Clients(Client, Client.close)
    other = _bridge.Loop()
    client, loop = other.run(_here(clients))
    assert other.run(_here(clients))[0] is client

    async def close() -> None:
        assert clients.current() is not client
        await clients.close()

    asyncio.run(close())
    assert client.closed_on is loop
    other.stop()


def test_a_loop_that_ends_closes_its_own() -> None:
    clients = Clients(Client, Client.close)
    client, loop = asyncio.run(_here(clients))
    assert client.closed_on is loop
    other = _bridge.Loop()
    client, loop = other.run(_here(clients))
    other.stop()
    assert client.closed_on is loop
    asyncio.run(clients.close())


def test_those_of_loops_that_were_broken_off_are_given_up() -> None:
    clients = Clients(Client, Client.close)
    loop = asyncio.new_event_loop()
    client, _ = loop.run_until_complete(_here(clients))
    loop.close()
    asyncio.run(_here(clients))
    asyncio.run(clients.close())
    assert client.closed_on is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_closes_only_its_own_and_does_not_wait_for_its_parents_loop() -> None:
    clients = Clients(Client, Client.close)
    loop = _bridge.Loop()
    parents, _ = loop.run(_here(clients))

    async def use_and_close() -> Client:
        client = clients.current()
        await clients.close()
        return client

    child = os.fork()
    if child == 0:
        mine = asyncio.run(asyncio.wait_for(use_and_close(), timeout=2))
        os._exit(0 if mine.closed_on is not None and parents.closed_on is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loop.run(_here(clients))[0] is parents
    loop.stop()


@pytest.fixture(params=["chroma", "qdrant"])
def opening(request: pytest.FixtureRequest) -> Iterator[Callable[[], VectorIndex]]:
    options = f"?dimension=2&collection={uuid4().hex}"
    if request.param == "chroma":
        server: Service = request.getfixturevalue("chroma")
        yield lambda: open_index(f"{server.url}{options}")
    else:
        with serving(QdrantWire()) as wire:
            yield lambda: open_index(f"qdrant://{wire.url.removeprefix('http://')}{options}")


def test_an_index_may_be_used_on_several_loops_and_closed_on_another(
    opening: Callable[[], VectorIndex],
) -> None:
    index = opening()

    async def count() -> int:
        return await index.count()

    loops = [_bridge.Loop(), _bridge.Loop()]
    assert [loop.run(count()) for loop in loops * 2] == [0] * 4
    asyncio.run(index.close())
    for loop in loops:
        loop.stop()
