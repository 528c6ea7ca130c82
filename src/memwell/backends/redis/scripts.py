"""Lua scripts and batches of commands, for single servers and Clusters."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import redis.exceptions

from memwell.backends.redis.connections import AsyncClient, Cluster, SyncClient
from memwell.backends.redis.errors import broke

__all__ = ["Script", "together", "twice"]

T = TypeVar("T")

AT_ONCE = 1000
"""Maximum number of commands in one round trip, so that other clients do not wait long."""


class Script:
    """A Lua script. The server runs it atomically; in a Cluster all its keys must be in one slot."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: AsyncClient, keys: Sequence[bytes], *arguments: bytes | int | str) -> Any:
        """Run the script and return its result. The text is sent only to a server that has not loaded it yet."""
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
    """Run a read and return its result; repeat it once over a new connection if the connection broke."""
    try:
        return await read()
    except redis.exceptions.ConnectionError as error:
        if not broke(error):
            raise
    return await read()


async def together(client: AsyncClient, commands: Sequence[Sequence[Any]]) -> list[Any]:
    """Run many commands in few round trips; returns the answers in order. An error is raised after the other commands
    of its round trip were run."""
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
