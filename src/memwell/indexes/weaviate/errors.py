"""What Weaviate's client raises, in our words, and logs, without the contents of memories."""

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
    """The one table of what the client raises; `None` for an error that is not its own."""
    said, code = getattr(error, "message", str(error)), _code(error)
    status = error.status_code if isinstance(error, exceptions.UnexpectedStatusCodeError) else None
    if code in REFUSED or status in (401, 403) or isinstance(error, exceptions.AuthenticationFailedError):
        return ConfigError(f"Weaviate refuses the key: {said}; set WEAVIATE_API_KEY")
    if isinstance(error, TimeoutError) or code is StatusCode.DEADLINE_EXCEEDED:
        return TimedOut(f"Weaviate did not answer within {timeout:g} seconds")
    if isinstance(error, exceptions.WeaviateStartUpError) and error.__cause__ is None:
        return ConfigError(f"the server is too old: {said}")
    if isinstance(error, UNREACHED) or status in BUSY or code is StatusCode.UNAVAILABLE:
        return Unavailable(f"Weaviate cannot be reached: {said}")
    if isinstance(error, exceptions.WeaviateBaseError):
        return BackendError(f"Weaviate: {said}")
    return None


def _code(error: BaseException | None) -> StatusCode | None:
    """The status of the gRPC call behind an error, which the client leaves out of its own."""
    while error is not None and not isinstance(error, AioRpcError):
        error = error.__cause__ or error.__context__
    return None if error is None else error.code()


def _discreet(record: logging.LogRecord) -> bool:
    """Leave refused objects out of the log: the client tells of them whole."""
    if isinstance(record.msg, dict) and "errors" in record.msg:
        record.msg = str(record.msg.get("message", "objects were refused"))
    return True


logging.getLogger("weaviate-client").addFilter(_discreet)
