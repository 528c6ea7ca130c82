"""Maps error responses of model services to memwell's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from memwell.errors import ConfigError, EmbeddingError, MemwellError, Unavailable
from memwell.network.retry_after import parse_retry_after

if TYPE_CHECKING:
    import httpx2

__all__ = ["contains_error", "failure_of", "json_of", "message_of"]

_RETRYABLE: Final = frozenset({408, 425, 429})
_MAX_MESSAGE: Final = 300
"""Number of characters shown of a service's own message."""


def json_of(response: httpx2.Response, part: str) -> Any:
    """The JSON of a response. Raises `Unavailable` for anything else, such as a proxy's page or a truncated body."""
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable("the response is not JSON; check whether a proxy sent it", part=part) from error


def message_of(response: httpx2.Response) -> str:
    """What a service says about a failure, in one line, cut short."""
    return (_message(_body(response)) or response.reason_phrase)[:_MAX_MESSAGE]


def contains_error(answer: Any) -> bool:
    """Whether a response with status 200 contains an error, as some gateways send it."""
    return isinstance(answer, dict) and bool(answer.get("error"))


def failure_of(
    response: httpx2.Response,
    *,
    part: str,
    model: str,
    secret: str | None,
    keys: Sequence[str],
    operation: str = "embed",
) -> MemwellError:
    """The error for a response with another status than 200, or for one that `contains_error`; the code in the body
    then counts as the status.
    """
    status, body = response.status_code, _body(response)
    code = _code(body)
    if status == 200 and isinstance(code, int):
        status = code
    reason = _message(body) or response.reason_phrase
    if secret:
        reason = reason.replace(secret, "…")
    message = f"{model}: {reason[:_MAX_MESSAGE]} (HTTP {status})"
    if status == 429 and code == "insufficient_quota":
        return EmbeddingError(f"{message}; the account has no quota left", part=part, operation=operation)
    if status in _RETRYABLE or status >= 500:
        return Unavailable(message, part=part, operation=operation, retry_after=_wait(response, body))
    if status in (401, 403):
        source = " or ".join(keys) or "key="
        return ConfigError(f"{message}; check the key in {source}", part=part, operation=operation)
    if status in (404, 405) or 300 <= status < 400:  # never send the key to the target of a redirect
        return ConfigError(f"{message}; check the model's name and base_url", part=part, operation=operation)
    return EmbeddingError(message, part=part, operation=operation)


def _body(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _message(body: Any) -> str:
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
    """Seconds to wait, from the headers or from Hugging Face's `estimated_time`."""
    seconds = parse_retry_after(response.headers)
    estimate = body.get("estimated_time") if isinstance(body, dict) else None
    if seconds is not None or not isinstance(estimate, int | float):
        return seconds
    return max(0.0, float(estimate))
