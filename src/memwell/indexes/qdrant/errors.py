"""Maps the exceptions of Qdrant's client to memwell's errors."""

from __future__ import annotations

import json
import pickle
import sqlite3

import httpx
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from memwell.errors import BackendError, ConfigError, MemwellError, TimedOut, Unavailable
from memwell.network.retry_after import parse_retry_after

__all__ = ["failure", "is_damage", "is_missing"]

_NO_NUMBER = "Retry-After header value is not a valid integer: "
"""The client's message for a date in the header, which proxies send."""


def failure(error: Exception, where: str) -> MemwellError | None:
    """Memwell's error for an exception of the client; `None` if it comes from elsewhere. `where` is the URL or
    folder.
    """
    if isinstance(error, ResourceExhaustedResponse):
        return Unavailable(f"Qdrant asks to wait: {error}", retry_after=error.retry_after_s)
    if isinstance(error, UnexpectedResponse):
        return _status_error(error)
    if isinstance(error, ResponseHandlingException):
        return _connection_error(error.source, where)
    if isinstance(error, json.JSONDecodeError):
        return BackendError(f"Qdrant sent an invalid response: {error}")
    if isinstance(error, QdrantException):
        message, _, moment = str(error).partition(_NO_NUMBER)
        if moment and not message:
            return Unavailable(
                f"Qdrant asks to wait until {moment}", retry_after=parse_retry_after({"retry-after": moment})
            )
        return BackendError(f"Qdrant: {error}")
    if isinstance(error, RuntimeError) and "already accessed" in str(error):
        return ConfigError(
            f"{where} is already open in another process or index; close it there, or use a server"
        )
    if isinstance(error, sqlite3.OperationalError | OSError):
        return BackendError(f"the folder {where} is not usable: {error}")
    return None


def is_damage(error: Exception, *, opening: bool) -> bool:
    """Whether a local folder cannot be read: its files are not what the client wrote."""
    if isinstance(error, sqlite3.OperationalError | OSError | ImportError | MemwellError):
        return False
    if isinstance(error, sqlite3.DatabaseError | json.JSONDecodeError | pickle.UnpicklingError | EOFError):
        return True
    return opening and "already accessed" not in str(error)


def is_missing(error: Exception) -> bool:
    """Whether the collection no longer exists."""
    return isinstance(error, UnexpectedResponse) and error.status_code == 404


def _status_error(error: UnexpectedResponse) -> MemwellError:
    message, status = _message(error), error.status_code
    if status in (401, 403):
        return ConfigError(f"Qdrant rejected the API key: {message}; check QDRANT_API_KEY")
    if status in (408, 429, 502, 503, 504):
        return Unavailable(
            f"Qdrant answered {status}: {message}", retry_after=parse_retry_after(error.headers)
        )
    if status == 404:
        return BackendError(
            f"{message}; the next call creates the collection again, and `memwell repair` fills it"
        )
    return BackendError(f"Qdrant answered {status}: {message}")


def _connection_error(source: Exception, url: str) -> MemwellError:
    """The error for a request without a response, or with an unreadable one."""
    what = f"{type(source).__name__} {source}".strip()
    if isinstance(source, httpx.TimeoutException):
        unsent = isinstance(source, httpx.ConnectTimeout | httpx.PoolTimeout)
        return TimedOut(f"Qdrant at {url} did not answer in time: {what}", unsent=unsent)
    if isinstance(source, httpx.TransportError):
        unsent = isinstance(source, httpx.ConnectError)
        return Unavailable(f"Qdrant at {url} cannot be reached: {what}", unsent=unsent)
    return BackendError(f"Qdrant sent an invalid response: {what}")


def _message(error: UnexpectedResponse) -> str:
    """The server's error message."""
    try:
        return str(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return error.reason_phrase or "no message"
