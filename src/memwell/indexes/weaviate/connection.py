"""Connections to a Weaviate server: its REST and gRPC addresses, and a client per event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import weaviate
from weaviate.classes.init import AdditionalConfig, Auth, Timeout

from memwell.errors import ConfigError
from memwell.indexes.points import is_loopback
from memwell.urls import Url

__all__ = ["Connection", "addresses", "create_client"]


class Connection:
    """The client of one event loop, connected on first use."""

    def __init__(
        self, given: weaviate.WeaviateAsyncClient | None, make: Callable[[], weaviate.WeaviateAsyncClient]
    ) -> None:
        """A `given` client stays open; otherwise `make` creates one."""
        self._external_client, self._make = given, make
        self._client: weaviate.WeaviateAsyncClient | None = given
        self._opening = asyncio.Lock()

    async def connect(self) -> weaviate.WeaviateAsyncClient:
        """The connected client."""
        async with self._opening:
            client = self._client or self._make()
            if not client.is_connected():
                try:
                    await client.connect()
                except BaseException:
                    if self._external_client is None:
                        await client.close()
                    raise
            self._client = client
            return client

    async def close(self) -> None:
        """Close the client if it is ours."""
        client, self._client = self._client, self._external_client
        if client is not None and self._external_client is None:
            await client.close()


def addresses(url: Url) -> tuple[str, str]:
    """The REST URL and the gRPC address; consumes the options `https`, `grpc_host` and `grpc_port`."""
    place = url.place()
    if place.user or place.path:
        raise ConfigError(
            "a weaviate URL has host, port and perhaps a key, as in weaviate://:KEY@host, or set WEAVIATE_API_KEY",
            part="weaviate",
        )
    host, port = place.host(0)
    secure = url.flag("https", not is_loopback(host))
    rest = f"{_shown(host)}:{port or (443 if secure else 8080)}"
    other = url.take("grpc_host") or host
    grpc = f"{_shown(other)}:{url.whole('grpc_port', 443 if secure else 50051, least=1)}"
    if rest == grpc:
        raise ConfigError(
            "weaviate serves REST and gRPC at different addresses; set grpc_host or grpc_port",
            part="weaviate",
        )
    return f"{'https' if secure else 'http'}://{rest}", grpc


def create_client(rest: str, grpc: str, *, key: str | None, timeout: float) -> weaviate.WeaviateAsyncClient:
    """A client for these addresses, not connected yet. `timeout` is in seconds, per request."""
    url, (host, _, port) = httpx.URL(rest), grpc.rpartition(":")
    return weaviate.use_async_with_custom(
        http_host=_shown(url.host),
        http_port=url.port or (443 if url.scheme == "https" else 80),
        http_secure=url.scheme == "https",
        grpc_host=host,
        grpc_port=int(port),
        grpc_secure=url.scheme == "https",
        auth_credentials=Auth.api_key(key) if key else None,
        additional_config=AdditionalConfig(timeout=Timeout(init=timeout, query=timeout, insert=timeout)),
        skip_init_checks=True,  # they would ask PyPI for a newer client
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
