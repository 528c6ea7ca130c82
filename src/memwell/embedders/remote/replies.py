"""What the answers of embedding services mean when they are not vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx2

from memwell.errors import ConfigError, EmbeddingError, MemwellError, Unavailable
from memwell.network.retry_after import parse_retry_after

__all__ = ["failure_of", "json_of", "refuses"]

_TRY_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST: Final = 300
"""Characters of a service's own message that are shown."""


def json_of(response: httpx2.Response, part: str) -> Any:
    """The answer's JSON. Raises `Unavailable` for anything else: a proxy's page, a body cut off."""
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable("the answer is not JSON; is there a proxy in between?", part=part) from error


def refuses(answer: Any) -> bool:
    """Whether an answer with the status 200 tells of an error all the same, as those of some gateways do."""
    return isinstance(answer, dict) and bool(answer.get("error"))


def failure_of(
    response: httpx2.Response, *, part: str, model: str, secret: str | None, keys: Sequence[str]
) -> MemwellError:
    """The error that an answer with another status than 200 stands for, or one that `refuses`: the status is then what
    it says of itself.
    """
    status, body = response.status_code, _body(response)
    code = _code(body)
    if status == 200 and isinstance(code, int):
        status = code
    said = _said(body) or response.reason_phrase
    if secret:
        said = said.replace(secret, "…")
    message = f"{model}: {said[:_LONGEST]} (HTTP {status})"
    if status == 429 and code == "insufficient_quota":
        return EmbeddingError(f"{message}; the account has no quota left", part=part, operation="embed")
    if status in _TRY_AGAIN or status >= 500:
        return Unavailable(message, part=part, operation="embed", retry_after=_wait(response, body))
    if status in (401, 403):
        where = " or ".join(keys) or "key="
        return ConfigError(f"{message}; check the key in {where}", part=part, operation="embed")
    if status in (404, 405) or 300 <= status < 400:  # a key is not carried to where a redirect points
        return ConfigError(f"{message}; check the model's name and base_url", part=part, operation="embed")
    return EmbeddingError(message, part=part, operation="embed")


def _body(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _said(body: Any) -> str:
    """The message of a service: `{"error": {"message": …}}`, `{"error": …}`, `{"message": …}` or plain text."""
    if isinstance(body, dict):
        body = body.get("error", body.get("message", body.get("detail", "")))
    if isinstance(body, dict):
        body = body.get("message", "")
    if isinstance(body, list):
        body = "; ".join(str(item) for item in body)
    return " ".join(str(body).split())


def _code(body: Any) -> Any:
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("code") if isinstance(error, dict) else None


def _wait(response: httpx2.Response, body: Any) -> float | None:
    """Seconds to wait: as the headers say, or Hugging Face's `estimated_time`."""
    asked = parse_retry_after(response.headers)
    estimate = body.get("estimated_time") if isinstance(body, dict) else None
    return asked if asked is not None or not isinstance(estimate, int | float) else max(0.0, float(estimate))
