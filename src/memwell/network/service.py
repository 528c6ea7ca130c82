"""A JSON service over HTTP: one request with its timeout, its retries, and its failures as memwell's errors.

| what happened | error |
|---|---|
| no connection | `Unavailable`, `unsent` |
| a broken connection, half a body, no JSON, 408, 425, 5xx | `Unavailable` |
| 429 | `Unavailable`, `unsent`, with `retry_after` |
| no answer in time | `TimedOut` |
| 401, 403 | `ConfigError` naming the key |
| a redirect | `ConfigError`: it is not followed, so that no key goes to another address |
| 404 | `None` as the answer, where something may be missing; else `ConfigError` naming the address |
| 405, 501 | `NotSupported` |
| any other | `BackendError` |

A request that only reads is repeated after every `Unavailable`, any other after those that are `unsent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from memwell import _bridge
from memwell.errors import BackendError, ConfigError, MemwellError, NotSupported, TimedOut, Unavailable
from memwell.network.clients import Clients
from memwell.network.replies import json_of, message_of
from memwell.network.retry_after import parse_retry_after
from memwell.resilience.retry import Retry, is_transient

if TYPE_CHECKING:
    import httpx2

__all__ = ["Pairs", "Service"]

Pairs = Sequence[tuple[str, str]]
"""A query string; a name may come several times."""

_MAX_RETRY_AFTER: Final = 60.0
_CONNECTIONS: Final = 16


class Service:
    """See the module. `client` is used as it is and stays open."""

    def __init__(
        self,
        base: str,
        *,
        part: str,
        secrets: Sequence[str] = (),
        keys: str = "the key",
        timeout: float = 30.0,
        attempts: int = 4,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`keys` says in messages where the key is set; `secrets` are never shown."""
        if not 0 < timeout < float("inf"):
            raise ConfigError("timeout must be a finite number of seconds above 0", part=part)
        self.base = base
        self._part, self._keys, self._timeout, self._given = part, keys, timeout, client
        self._secrets = [secret for secret in secrets if secret]
        self._retry = Retry(
            max_attempts=attempts, initial_delay=0.25, max_delay=20.0, max_retry_after=_MAX_RETRY_AFTER
        )
        self._clients: Clients[httpx2.AsyncClient] = Clients(_client, _close)

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Pairs = (),
        headers: Mapping[str, str] | None = None,
        reads: bool = False,
        missing: bool = False,
    ) -> Any:
        """The JSON of the answer. With `missing`, a 404 gives `None`."""

        async def once() -> Any:
            return self._answer(await self._send(method, path, json, params, headers), missing)

        return await self._retry.run(
            once, name=self._part, blocking=False, should_retry=is_transient if reads else _unsent
        )

    async def close(self) -> None:
        """Close the clients that were opened here."""
        await self._clients.close()

    async def _send(
        self, method: str, path: str, json: Any, params: Pairs, headers: Mapping[str, str] | None
    ) -> httpx2.Response:
        import httpx2

        client = self._given or self._clients.current()

        async def request() -> httpx2.Response:
            return await client.request(
                method,
                self.base + path,
                json=json,
                params=list(params) or None,
                headers=headers,
                timeout=None,
                follow_redirects=False,
            )

        try:
            return await _bridge.within(self._timeout, request)
        except TimedOut as error:
            message = f"{self.base} did not answer within {self._timeout:g} seconds"
            raise TimedOut(message, part=self._part) from error
        except httpx2.RequestError as error:
            never = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
            reason = self._hidden(str(error) or type(error).__name__)
            raise Unavailable(
                f"cannot reach {self.base}: {reason}" if never else f"{self.base} broke off: {reason}",
                part=self._part,
                unsent=never,
            ) from error

    def _answer(self, response: httpx2.Response, missing: bool) -> Any:
        status = response.status_code
        if missing and status == 404:
            return None
        if not 200 <= status < 300:
            raise self._failure(response)
        return None if status == 204 else json_of(response, self._part)

    def _failure(self, response: httpx2.Response) -> MemwellError:
        status, part = response.status_code, self._part
        message = f"{self._hidden(message_of(response))} (HTTP {status})"
        if status in (408, 425, 429) or (status >= 500 and status != 501):
            wait = parse_retry_after(response.headers)
            return Unavailable(message, part=part, retry_after=wait, unsent=status == 429)
        if status in (401, 403):
            return ConfigError(f"{message}; check {self._keys}", part=part)
        if status == 404 or 300 <= status < 400:
            where = f"{response.request.method} {response.request.url.path}"
            return ConfigError(f"{message} for {where}; check the address and the options", part=part)
        if status in (405, 501):
            where = f"{response.request.method} {response.request.url.path}"
            return NotSupported(f"{self.base} does not offer {where}: {message}", part=part)
        return BackendError(message, part=part)

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text


def _unsent(error: Exception) -> bool:
    return isinstance(error, Unavailable) and error.unsent


def _client() -> httpx2.AsyncClient:
    import httpx2

    return httpx2.AsyncClient(limits=httpx2.Limits(max_connections=_CONNECTIONS))


async def _close(client: httpx2.AsyncClient) -> None:
    await client.aclose()
