"""What Qdrant's client raises, as errors of ours: one table for server, folder and memory."""

from __future__ import annotations

import json
import sqlite3

import httpx
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from memwell.errors import BackendError, ConfigError, MemwellError, TimedOut, Unavailable
from memwell.network.retry_after import parse_retry_after

__all__ = ["failure", "gone"]

_NO_NUMBER = "Retry-After header value is not a valid integer: "
"""How the client complains of a date there, as proxies send it."""


def failure(error: Exception, where: str) -> MemwellError | None:
    """The error of ours for a native one; `None` for one that is not of the client. `where` is its URL or folder."""
    if isinstance(error, ResourceExhaustedResponse):
        return Unavailable(f"Qdrant asks to wait: {error}", retry_after=error.retry_after_s)
    if isinstance(error, UnexpectedResponse):
        return _answered(error)
    if isinstance(error, ResponseHandlingException):
        return _unanswered(error.source, where)
    if isinstance(error, json.JSONDecodeError):
        return BackendError(f"Qdrant's answer cannot be understood: {error}")
    if isinstance(error, QdrantException):
        said, _, moment = str(error).partition(_NO_NUMBER)
        if moment and not said:
            return Unavailable(
                f"Qdrant asks to wait until {moment}", retry_after=parse_retry_after({"retry-after": moment})
            )
        return BackendError(f"Qdrant: {error}")
    if isinstance(error, RuntimeError) and "already accessed" in str(error):
        return ConfigError(f"{where} is open in another process or part; close that one, or use a server")
    if isinstance(error, sqlite3.OperationalError | OSError):
        return BackendError(f"the folder {where} cannot be used: {error}")
    return None


def gone(error: Exception) -> bool:
    """Whether the collection is not there any more."""
    return isinstance(error, UnexpectedResponse) and error.status_code == 404


def _answered(error: UnexpectedResponse) -> MemwellError:
    said, status = _said(error), error.status_code
    if status in (401, 403):
        return ConfigError(f"Qdrant refuses the API key: {said}; set QDRANT_API_KEY")
    if status in (408, 429, 502, 503, 504):
        return Unavailable(f"Qdrant answers {status}: {said}", retry_after=parse_retry_after(error.headers))
    if status == 404:
        return BackendError(f"{said}; the next call makes the collection anew, `memwell repair` fills it")
    return BackendError(f"Qdrant answers {status}: {said}")


def _unanswered(source: Exception, url: str) -> MemwellError:
    """Of a request without an answer, or with one that cannot be read."""
    what = f"{type(source).__name__} {source}".strip()
    if isinstance(source, httpx.TimeoutException):
        unsent = isinstance(source, httpx.ConnectTimeout | httpx.PoolTimeout)
        return TimedOut(f"Qdrant at {url} does not answer in time: {what}", unsent=unsent)
    if isinstance(source, httpx.TransportError):
        unsent = isinstance(source, httpx.ConnectError)
        return Unavailable(f"Qdrant at {url} cannot be reached: {what}", unsent=unsent)
    return BackendError(f"Qdrant's answer cannot be understood: {what}")


def _said(error: UnexpectedResponse) -> str:
    """What the server says of the failure."""
    try:
        return str(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return error.reason_phrase or "nothing more"
