"""How redis-py connects to one server, to the master of Sentinels, or to a Cluster, with reliable timeouts."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.sentinel
import redis.cluster
import redis.exceptions
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from memwell.backends.redis.settings import Settings

__all__ = ["AsyncClient", "Cluster", "SyncClient", "async_client", "release", "sync_client"]

AsyncClient: TypeAlias = "redis.asyncio.Redis | redis.asyncio.RedisCluster"
SyncClient: TypeAlias = "redis.Redis | redis.RedisCluster"
_VERIFY = {"full": "required", "ca": "required", "none": "none"}


class Steady:
    """A connection with its own timeouts. The driver uses `asyncio.wait_for`, which can lose a cancellation before
    Python 3.12."""

    def __init__(self, *, patience: float, **options: Any) -> None:
        super().__init__(**options)
        self._patience = patience

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """As in the driver, within the time limit."""
        await self._limited(super().send_packed_command(*args, **options))  # type: ignore[misc]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """As in the driver, within the time limit. The driver drops a connection whose answer was not read."""
        return await self._limited(super().read_response(*args, **options))  # type: ignore[misc]

    async def _limited(self, step: Coroutine[Any, Any, Any]) -> Any:
        limit = asyncio.timeout(self._patience)
        try:
            async with limit:
                return await step
        except TimeoutError as error:
            raise redis.exceptions.TimeoutError("Timeout on an open connection") from error


class SteadyConnection(Steady, redis.asyncio.Connection):  # type: ignore[misc]
    """A connection to a server."""


class SteadySecure(Steady, redis.asyncio.SSLConnection):  # type: ignore[misc]
    """A connection to a server with TLS."""


class SteadySentinel(Steady, redis.asyncio.sentinel.SentinelManagedConnection):  # type: ignore[misc]
    """A connection to the current master."""


class SteadySecureSentinel(Steady, redis.asyncio.sentinel.SentinelManagedSSLConnection):  # type: ignore[misc]
    """A connection to the current master with TLS."""


class Gate:
    """Limits the concurrent calls to a Cluster and their time: the driver's pools for it raise instead of waiting."""

    def __init__(self, width: int, patience: float, limit: float) -> None:
        self._places = asyncio.Semaphore(width)
        self._patience, self._limit = patience, limit

    async def through(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The call's result. Raises `MaxConnectionsError` after waiting `patience` seconds, and `TimeoutError` when the
        call takes longer than the limit."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise redis.exceptions.MaxConnectionsError from error
        try:
            async with asyncio.timeout(self._limit):
                return await call()
        finally:
            self._places.release()


class Cluster(redis.asyncio.RedisCluster):  # type: ignore[misc]
    """A Cluster's client behind a gate."""

    gate: Gate

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As in the driver, once fewer calls are running than the limit."""
        return await self.gate.through(lambda: super(Cluster, self).execute_command(*args, **options))


class ReentrantQueue(queue.LifoQueue[Any]):
    """The free connections. A signal handler may take one while its own thread is about to."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self.mutex = threading.RLock()  # type: ignore[assignment]
        self.not_empty = threading.Condition(self.mutex)
        self.not_full = threading.Condition(self.mutex)
        self.all_tasks_done = threading.Condition(self.mutex)


class Sentinels(redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):  # type: ignore[misc]
    """Connections to the current master; calls wait for a free one."""


class SyncSentinels(redis.sentinel.SentinelConnectionPool, redis.BlockingConnectionPool):  # type: ignore[misc]
    """Connections to the current master; threads wait for a free one."""


def async_client(settings: Settings) -> AsyncClient:
    """A client for the running loop. Nothing is opened yet."""
    common = _connection(settings, AsyncRetry(NoBackoff(), 0)) | {"socket_timeout": None}
    if settings.cluster:
        nodes = [redis.asyncio.cluster.ClusterNode(host, port) for host, port in settings.hosts]
        # Pipelines pass the gate as one call and take a connection of every node.
        client = Cluster(startup_nodes=nodes, max_connections=2 * settings.pool + 2, **common)
        client.gate = Gate(settings.pool, settings.timeout, settings.timeout + settings.connect_timeout)
        return client
    pool = {"max_connections": settings.pool, "timeout": settings.timeout, "db": settings.db}
    steady = {"patience": settings.timeout}
    if settings.sentinel:
        sentinel = _watch(settings, common) | {"socket_timeout": settings.timeout}
        watch = redis.asyncio.sentinel.Sentinel(settings.hosts, sentinel_kwargs=sentinel)
        kind = SteadySecureSentinel if common.pop("ssl", False) else SteadySentinel
        connections = Sentinels(settings.sentinel, watch, connection_class=kind, **pool, **steady, **common)
    else:
        kind = SteadySecure if common.pop("ssl", False) else SteadyConnection
        host, port = settings.hosts[0]
        connections = redis.asyncio.BlockingConnectionPool(
            connection_class=kind, host=host, port=port, **pool, **steady, **common
        )
    return redis.asyncio.Redis.from_pool(connections)


def sync_client(settings: Settings) -> SyncClient:
    """A client for any thread. That of a Cluster connects at once."""
    common = _connection(settings, Retry(NoBackoff(), 0))
    if settings.cluster:  # Its pools cannot wait, and have no bound: threads take a connection each.
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in settings.hosts]
        return redis.RedisCluster(startup_nodes=nodes, **common)
    pool = {"max_connections": settings.pool, "timeout": settings.timeout, "db": settings.db}
    if settings.sentinel:
        watch = redis.sentinel.Sentinel(settings.hosts, sentinel_kwargs=_watch(settings, common))
        connections = SyncSentinels(settings.sentinel, watch, **pool, **common)
    else:
        kind = redis.SSLConnection if common.pop("ssl", False) else redis.Connection
        host, port = settings.hosts[0]
        connections = redis.BlockingConnectionPool(
            queue_class=ReentrantQueue, connection_class=kind, host=host, port=port, **pool, **common
        )
    return redis.Redis.from_pool(connections)


async def release(client: AsyncClient) -> None:
    """Close a client with all its connections, those to Sentinels too."""
    await client.aclose()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        await sentinel.aclose()


def _connection(settings: Settings, retry: object) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": settings.user,
        "password": settings.password,
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.connect_timeout,
        "socket_keepalive": True,
        "protocol": 2,
        "retry": retry,
        "client_name": "memwell",
    }
    if tls := settings.tls:
        options |= {
            "ssl": True,
            "ssl_ca_certs": tls.ca,
            "ssl_certfile": tls.cert,
            "ssl_keyfile": tls.key,
            "ssl_cert_reqs": _VERIFY[tls.verify],
            "ssl_check_hostname": tls.verify == "full",
        }
    return options


def _watch(settings: Settings, common: dict[str, Any]) -> dict[str, Any]:
    login = {"username": settings.sentinel_user, "password": settings.sentinel_password}
    return {**common, **login, "client_name": None}
