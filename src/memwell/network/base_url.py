"""Addresses of HTTP services."""

from __future__ import annotations

from memwell.errors import ConfigError

__all__ = ["base_url"]


def base_url(text: str, part: str) -> str:
    """The base URL without its last slash. Raises `ConfigError` if it is not valid."""
    import httpx2

    wrong = ConfigError("base_url must be a URL such as http://host:8000/v1, without ? and #", part=part)
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise wrong from None  # the cause may show a part of a password
    if url.userinfo:
        raise ConfigError(
            "base_url must not contain a user, because clients would log it; pass client= instead", part=part
        )
    plain = url.scheme in ("http", "https") and url.host and 0 < (url.port or 1) < 65536
    if not plain or url.query or url.fragment:
        raise wrong
    return text.rstrip("/")
