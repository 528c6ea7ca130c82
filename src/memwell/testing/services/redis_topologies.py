"""More than one Redis: a master that sentinels watch, and a Cluster. All on the loopback interface.

| class | is | URL |
|---|---|---|
| `WatchedRedis` | a master, a replica and three sentinels | `redis://127.0.0.1:P1,127.0.0.1:P2,…/0?sentinel=memwell` |
| `RedisCluster` | three masters that share the slots | `redis://127.0.0.1:P1,127.0.0.1:P2,…?cluster=true` |
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from memwell.testing.services.redis_server import RedisServer
from memwell.testing.services.service import ServiceFailed

__all__ = ["RedisCluster", "WatchedRedis"]

MASTER = "memwell"
SLOTS = 16384
READY_WITHIN = 60.0
"""Seconds until the servers agree."""
_PORTS = range(20_000, 22_700)
"""Ten thousand above a node's port, and still below what clients are given, lies its port for the other nodes."""


class _Group:
    """Several servers that start and end together."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def close(self) -> None:
        """End all servers and remove their folders."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class WatchedRedis(_Group):
    """A master and a replica, watched by three sentinels, two of which decide."""

    def __init__(self, *, password: str | None = None, sentinel_password: str | None = None) -> None:
        super().__init__()
        self._password, self._sentinel_password = password, sentinel_password
        try:
            self.servers = [self._server(), self._server()]
            call(self.servers[1], "REPLICAOF", "127.0.0.1", self.servers[0].port)
            wait("the replica follows", lambda: b"master_link_status:up" in self._replication(1))
            self.sentinels = [
                self._stack.enter_context(_Sentinel(self.servers[0].port, password, sentinel_password))
                for _ in range(3)
            ]
            wait("the sentinels know each other and the replica", self._complete)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The URL by which memwell asks the sentinels for the master."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        login = f":{self._password}@" if self._password else ""
        secret = f"&sentinel_password={self._sentinel_password}" if self._sentinel_password else ""
        return f"redis://{login}{hosts}/0?sentinel={MASTER}{secret}"

    def master(self) -> RedisServer:
        """The server that is the master now, by the word of the first sentinel that runs."""
        sentinel = next(each for each in self.sentinels if each.running)
        _, port = call(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(server for server in self.servers if server.port == int(port))

    def settle(self) -> None:
        """Wait until the replica has everything that the master has."""
        call(self.master(), "WAIT", 1, 20_000)

    def fail_over(self) -> None:
        """Have the sentinels make the replica the master while the old one still runs, and follows in the end."""
        before = self.master()
        call(self.sentinels[0], "SENTINEL", "FAILOVER", MASTER)
        wait("another master is known", lambda: self.master() is not before)
        wait("the old master follows", lambda: b"role:slave" in call(before, "INFO", "replication"))

    def _server(self) -> RedisServer:
        login = {"masterauth": self._password} if self._password else {}
        settings = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0", **login}
        server = RedisServer(durable=False, password=self._password, settings=settings)
        return self._stack.enter_context(server)

    def _replication(self, number: int) -> bytes:
        found: bytes = call(self.servers[number], "INFO", "replication")
        return found

    def _complete(self) -> bool:
        for sentinel in self.sentinels:
            answer = call(sentinel, "SENTINEL", "MASTER", MASTER)
            state = dict(zip(answer[::2], answer[1::2], strict=True))
            if (state[b"num-slaves"], state[b"num-other-sentinels"]) != (b"1", b"2"):
                return False
        return True


class RedisCluster(_Group):
    """Three nodes, each with a third of the slots, without replicas."""

    def __init__(self, *, password: str | None = None) -> None:
        super().__init__()
        self._password = password
        try:
            self.nodes: list[RedisServer] = [
                self._stack.enter_context(_Node(durable=False, password=password, settings=_node(password)))
                for _ in range(3)
            ]
            edges = [SLOTS * part // 3 for part in range(4)]
            for number, node in enumerate(self.nodes):
                call(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                call(node, "CLUSTER", "ADDSLOTS", *range(edges[number], edges[number + 1]))
                call(node, "CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
            wait("all nodes call the cluster complete", self._complete)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The URL by which memwell finds the nodes."""
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}?cluster=true"

    def _complete(self) -> bool:
        expected = (b"cluster_state:ok", b"cluster_known_nodes:3", b"cluster_slots_ok:16384")
        return all(
            word in answer
            for node in self.nodes
            for answer in [call(node, "CLUSTER", "INFO")]
            for word in expected
        )


class _Node(RedisServer):
    """A server whose second port is free as well."""

    name = "redis-node"

    def _prepare(self) -> None:
        for port in random.SystemRandom().sample(_PORTS, 200):
            if _free(port) and _free(port + 10_000):
                self.port = port
                return
        raise ServiceFailed("200 pairs of ports of 127.0.0.1 tried, none is free")


class _Sentinel(RedisServer):
    """A sentinel: it calls the master down after a second, and keeps what it learns in its configuration."""

    name = "redis-sentinel"

    def __init__(self, master: int, password: str | None, own: str | None) -> None:
        self._lines = [
            f"sentinel monitor {MASTER} 127.0.0.1 {master} 2",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 5000",
            *([f"sentinel auth-pass {MASTER} {password}"] if password else []),
            *([f"sentinel sentinel-pass {own}"] if own else []),
        ]
        super().__init__(durable=False, password=own)

    def _command(self) -> list[str]:
        configuration = self.folder / "redis.conf"
        fresh = not configuration.exists()
        command = super()._command()
        if fresh:
            with configuration.open("a") as file:
                file.write("\n".join(self._lines) + "\n")
        return [*command, "--sentinel"]


def _node(password: str | None) -> dict[str, str]:
    return {
        "cluster-enabled": "yes",
        "cluster-config-file": "nodes.conf",
        "cluster-node-timeout": "2000",
        **({"masterauth": password} if password else {}),
    }


def call(server: RedisServer, *command: str | int) -> Any:
    """A server's answer to one command, as bytes, numbers and lists."""
    import redis

    with redis.Redis.from_url(server.url, protocol=2, socket_timeout=30) as client:
        client.response_callbacks.clear()
        return client.execute_command(*command)


def wait(what: str, done: Callable[[], bool], *, within: float = READY_WITHIN) -> None:
    """Return as soon as `done` does. Raises `ServiceFailed`, saying `what` did not come true."""
    end = time.monotonic() + within
    while not _holds(done):
        if time.monotonic() > end:
            raise ServiceFailed(f"redis: after {within:g} seconds it is still not so that {what}")
        time.sleep(0.05)


def _holds(done: Callable[[], bool]) -> bool:
    """Whether it is so. A server that changes its part hangs up on its clients: of one that does, it is not so yet."""
    import redis

    try:
        return done()
    except redis.ConnectionError:
        return False


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
