"""Lua scripts and batches, alike on one server and on a Cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import redis.exceptions

from memwell.backends.redis.clients import AsyncClient, Cluster, SyncClient
from memwell.backends.redis.errors import broke

__all__ = ["Script", "together", "twice"]

T = TypeVar("T")

AT_ONCE = 1000
"""Commands of one round trip at most, so that nobody else waits long for the server."""


class Script:
    """A Lua script. The server does it as a whole, with nothing in between; in a Cluster all its keys must lie
    in one slot."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: AsyncClient, keys: Sequence[bytes], *arguments: bytes | int | str) -> Any:
        """What the script returns. It is sent whole only to a server that does not know it yet."""
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *arguments)

    def run_sync(self, client: SyncClient, keys: Sequence[bytes], *arguments: bytes | int | str) -> Any:
        """The same on a synchronous client."""
        try:
            return client.evalsha(self.sha, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            return client.eval(self.text, len(keys), *keys, *arguments)


async def twice(read: Callable[[], Awaitable[T]]) -> T:
    """What a read returns; it is done again over a new connection if the connection broke."""
    try:
        return await read()
    except redis.exceptions.ConnectionError as error:
        if not broke(error):
            raise
    return await read()


async def together(client: AsyncClient, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """The answers to many commands, in few round trips and in order; one that fails raises, after the others of
    its round trip were done."""
    answers: list[Any] = []
    for at in range(0, len(commands), AT_ONCE):
        pipeline = client.pipeline(transaction=False)
        for command in commands[at : at + AT_ONCE]:
            pipeline.execute_command(*command)
        call = partial(pipeline.execute, raise_on_error=False)
        answers += await (client.gate.through(call) if isinstance(client, Cluster) else call())
        for answer in answers[at:]:
            if isinstance(answer, Exception):
                raise answer
    return answers
