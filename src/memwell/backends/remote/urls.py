"""Where a service is and what key it wants, from the URL of a store: `mem0+https://:KEY@host:port/path`."""

from __future__ import annotations

from memwell.errors import ConfigError
from memwell.network.api_keys import resolve_key
from memwell.urls import Url

__all__ = ["address", "named_key"]


def address(url: Url) -> tuple[str, str | None, str]:
    """The address of the service, the key in the URL if there is one, and the host. Raises `ConfigError`."""
    place = url.place()
    scheme = url.scheme.partition("+")[2]
    if len(place.hosts) != 1:
        raise ConfigError(f"{url.scheme} needs the host of one service, as in {url.scheme}://localhost:8000")
    host, port = place.hosts[0]
    name = f"[{host}]" if ":" in host else host
    base = f"{scheme}://{name}{'' if port is None else f':{port}'}"
    path = place.path.strip("/")
    return (f"{base}/{path}" if path else base), place.password or place.user, host


def named_key(variable: str | None, part: str) -> str | None:
    """The key in an environment variable that the URL names. Raises `ConfigError` if it is not set."""
    key = None if variable is None else resolve_key(None, [variable], part=part)
    if variable is not None and key is None:
        raise ConfigError(f"the environment variable {variable} is not set", part=part)
    return key
