"""A webhook by the Standard Webhooks specification: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
import time
from typing import TYPE_CHECKING, Final

from memwell import _bridge
from memwell.errors import ConfigError, InvalidInput, MemwellError, TimedOut
from memwell.followers.delivery.endpoints import Endpoint
from memwell.followers.delivery.messages import Failure, Message
from memwell.network.addresses import is_public, resolve
from memwell.network.retry_after import parse_retry_after

if TYPE_CHECKING:
    import httpx2

__all__ = ["TIMEOUT", "Webhook", "check_url", "key_of", "new_secret", "sign"]

TIMEOUT: Final = 15.0
"""Seconds that a receiver has to answer."""
_PREFIX: Final = "whsec_"


def new_secret() -> str:
    """A random secret."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: object) -> bytes:
    """The key of a secret. Raises `InvalidInput`, which does not show it."""
    try:
        if isinstance(secret, str) and secret.startswith(_PREFIX):
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
            if 24 <= len(key) <= 64:
                return key
    except (binascii.Error, ValueError):
        pass
    raise InvalidInput(f"a secret is {_PREFIX} and 24 to 64 bytes in base64; omit it to have one made")


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    text = f"{id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key_of(secret), text, hashlib.sha256)).decode()}"


def check_url(text: str, *, private: bool) -> None:
    """Raise `InvalidInput` for a URL that no webhook may have."""
    try:
        import httpx2
    except ImportError as error:
        raise ConfigError("webhooks need httpx2; run: pip install 'memwell[http]'") from error
    wrong = InvalidInput("a webhook is an https:// URL with a host, without user, password and #")
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise wrong from None  # the cause may show a password
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.fragment or "%" in url.host:
        raise wrong
    if not private and url.scheme != "https":
        raise InvalidInput(
            "a webhook without TLS can be read on its way; use https://, or allow_private=True (--allow-private)"
        )
    try:
        public = is_public(url.host)
    except ValueError:  # a name: it is resolved, and checked, for each request
        public = url.host != "localhost" and not url.host.endswith(".localhost")
    if not private and not public:
        raise InvalidInput(
            f"{url.host} is in a private network; pass allow_private=True (--allow-private) if that is meant"
        )


class Webhook:
    """Sends messages to one URL. Use it on one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        import httpx2

        self._endpoint, self._url = endpoint, httpx2.URL(endpoint.url)
        self._client: httpx2.AsyncClient | None = None

    async def send(self, message: Message) -> Failure | None:
        """Send one message; `None` if the receiver has accepted it."""
        import httpx2

        try:
            response = await _bridge.within(TIMEOUT, lambda: self._post(message))
        except TimedOut:
            return Failure(reason=f"no answer within {TIMEOUT:g} seconds")
        except MemwellError as error:
            return Failure(reason=error.message)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Failure(reason=f"{type(error).__name__}: {error}"[:200])
        if response.is_success:
            return None
        reason = f"HTTP {response.status_code}"
        wait = parse_retry_after(response.headers)
        return Failure(reason=reason, retry_after=wait, gone=response.status_code == 410)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, message: Message) -> httpx2.Response:
        """Connect to the address that was checked; its name is in the headers and in the TLS handshake."""
        url, timestamp = self._url, int(time.time())
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await resolve(url.host, port, private=self._endpoint.private)
        headers = {
            "host": url.netloc.decode("ascii"),
            "content-type": "application/json",
            "user-agent": "memwell",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._endpoint.secret, message.id, timestamp, message.body),
        }
        literal = f"[{address}]" if ":" in address else address
        return await self._connected().post(
            url.copy_with(host=literal),
            content=message.body,
            headers=headers,
            extensions={} if _is_address(url.host) else {"sni_hostname": url.raw_host.decode("ascii")},
        )

    def _connected(self) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:  # a proxy of the environment would resolve the name once more
            self._client = httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=TIMEOUT)
        return self._client


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
