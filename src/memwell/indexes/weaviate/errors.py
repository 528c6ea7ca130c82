"""Maps the exceptions of Weaviate's client to memwell's errors, and keeps contents of memories out of its log."""

from __future__ import annotations

import logging
from typing import Final

import httpx
from grpc import StatusCode
from grpc.aio import AioRpcError
from weaviate import exceptions

from memwell.errors import BackendError, ConfigError, MemwellError, TimedOut, Unavailable

__all__ = ["failure"]

REFUSED: Final = frozenset({StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED})
BUSY: Final = frozenset({429, 502, 503, 504})
UNREACHED: Final = (
    exceptions.WeaviateStartUpError,
    exceptions.WeaviateConnectionError,
    exceptions.WeaviateTimeoutError,
    exceptions.WeaviateGRPCUnavailableError,
    httpx.TransportError,
)


def failure(error: Exception, timeout: float) -> MemwellError | None:
    """Memwell's error for an exception of the client; `None` if it comes from elsewhere. `timeout` is in seconds."""
    message, code = getattr(error, "message", str(error)), _code(error)
    status = error.status_code if isinstance(error, exceptions.UnexpectedStatusCodeError) else None
    if code in REFUSED or status in (401, 403) or isinstance(error, exceptions.AuthenticationFailedError):
        return ConfigError(f"Weaviate rejected the API key: {message}; check WEAVIATE_API_KEY")
    if isinstance(error, TimeoutError) or code is StatusCode.DEADLINE_EXCEEDED:
        return TimedOut(f"Weaviate did not answer within {timeout:g} seconds")
    if isinstance(error, exceptions.WeaviateStartUpError) and error.__cause__ is None:
        return ConfigError(f"the Weaviate server is too old: {message}")
    if isinstance(error, UNREACHED) or status in BUSY or code is StatusCode.UNAVAILABLE:
        return Unavailable(f"Weaviate cannot be reached: {message}")
    if isinstance(error, exceptions.WeaviateBaseError):
        return BackendError(f"Weaviate: {message}")
    return None


def _code(error: BaseException | None) -> StatusCode | None:
    """The status of the gRPC call behind an error; the client's own error does not contain it."""
    while error is not None and not isinstance(error, AioRpcError):
        error = error.__cause__ or error.__context__
    return None if error is None else error.code()


def _without_contents(record: logging.LogRecord) -> bool:
    """Removes rejected objects from a log record; the client would log them whole."""
    if isinstance(record.msg, dict) and "errors" in record.msg:
        record.msg = str(record.msg.get("message", "objects were rejected"))
    return True


logging.getLogger("weaviate-client").addFilter(_without_contents)
