"""The address and API key of a server, from a URL."""

from __future__ import annotations

from memwell.errors import ConfigError
from memwell.indexes.points import is_loopback
from memwell.network.api_keys import resolve_key
from memwell.urls import Url

__all__ = ["address"]


def address(url: Url, *, port: int, key: str) -> tuple[str, str | None]:
    """The base URL and the API key of `scheme://:key@host:port/path`. Consumes the options `https` and `api_key`.

    If the URL has no key, it is read from the environment variable `key`. With a key, https is the default, except for
    localhost.
    """
    secure = url.flag("https", False) if "https" in url.options else None
    given = url.take("api_key")
    place = url.place()
    if place.user:
        raise ConfigError(
            f"{url.scheme} takes no user name; give only a key, as in {url.scheme}://:KEY@host, or set {key}"
        )
    host, number = place.host(port)
    found = resolve_key(given or place.password, [key], part=url.scheme)
    if secure is None:
        secure = found is not None and not is_loopback(host)
    shown = f"[{host}]" if ":" in host else host
    path = f"/{place.path.strip('/')}" if place.path.strip("/") else ""
    return f"{'https' if secure else 'http'}://{shown}:{number}{path}", found
