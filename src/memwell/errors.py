"""Every error memwell raises, in one tree::

    MemwellError
    ├── ConfigError          a setting, URL or constructor argument is wrong, or a package is missing
    ├── InvalidInput         a value has the wrong type or breaks a documented limit  (also a ValueError)
    │   └── InvalidQuery     a filter, cursor, order, mode or strategy is not valid
    ├── NotFound             the scope contains no such record                        (also a KeyError)
    ├── Conflict             the record has changed since it was read, or the id is taken
    ├── NotSupported         the part does not offer this; names the capability and the remedy
    ├── Closed               the part was already closed
    ├── Unavailable          transient: locked, unreachable, rate limited; a retry may help
    │   └── TimedOut         took longer than its timeout; it may still happen        (also a TimeoutError)
    ├── BackendError         permanent: disk full or read-only, statement refused
    │   └── Corrupt          stored data cannot be decoded
    └── EmbeddingError       the embedder failed, or its vectors have the wrong shape or values

Each has `part` (the adapter that failed), `operation` (the call that failed) and `transient` (whether a retry may
help). The native error is chained as `__cause__`. The message says what to do next.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "Closed",
    "ConfigError",
    "Conflict",
    "Corrupt",
    "EmbeddingError",
    "InvalidInput",
    "InvalidQuery",
    "MemwellError",
    "NotFound",
    "NotSupported",
    "TimedOut",
    "Unavailable",
]


class MemwellError(Exception):
    """Base class: `except MemwellError` catches everything that memwell raises on purpose."""

    transient: bool = False
    """Whether the same call may succeed later without any change."""

    def __init__(self, message: str, *, part: str = "", operation: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.part = part
        """Name of the adapter or layer that failed, such as `sqlite`."""
        self.operation = operation
        """Name of the call that failed, such as `search`."""

    def __str__(self) -> str:
        where = ".".join(x for x in (self.part, self.operation) if x)
        return f"{self.message} [{where}]" if where else self.message


class ConfigError(MemwellError):
    """A part could not be built: unknown scheme, bad option, or missing package (the message names the pip command)."""


class InvalidInput(MemwellError, ValueError):
    """A value has the wrong type or breaks a limit. Nothing was stored."""


class InvalidQuery(InvalidInput):
    """A filter, cursor, order, mode or strategy is not valid."""


class NotFound(MemwellError, KeyError):
    """The scope contains no such record. A record of another scope is reported exactly like a missing one."""

    __str__ = MemwellError.__str__


class Conflict(MemwellError):
    """The stored version is not the expected one, or the id already belongs to another record."""


class NotSupported(MemwellError):
    """The part does not offer this. The message names the part, the capability and the remedy."""


class Closed(MemwellError):
    """The part was used after `close()`."""


class Unavailable(MemwellError):
    """A transient failure: retry, after `retry_after` seconds if that is set."""

    transient = True

    def __init__(
        self,
        message: str,
        *,
        part: str = "",
        operation: str = "",
        retry_after: float | None = None,
        unsent: bool = False,
    ) -> None:
        super().__init__(message, part=part, operation=operation)
        self.retry_after = retry_after
        """Seconds to wait before a retry, if the backend named a time."""
        self.unsent = unsent
        """Whether the call certainly had no effect, so that it is safe to repeat even an increment."""


class TimedOut(Unavailable, TimeoutError):
    """The call took longer than its timeout. Unless `unsent` is true, it may still happen."""

    __str__ = MemwellError.__str__


class BackendError(MemwellError):
    """The backend refused or failed in a way that a retry cannot fix."""

    def __init__(self, message: str, *, part: str = "", operation: str = "", readable: bool = False) -> None:
        super().__init__(message, part=part, operation=operation)
        self.readable = readable
        """Only writes fail; reads still work. So `health` calls the memory degraded, not unhealthy."""


class Corrupt(BackendError):
    """Stored data cannot be decoded. Run `memwell doctor`."""


class EmbeddingError(MemwellError):
    """The embedder failed, or a vector has the wrong dimension or holds NaN or infinity."""


def shown(value: object) -> str:
    """A value that a caller gave, as text for a message: cut short, and never failing itself."""
    try:
        text = repr(value[:60] if isinstance(value, str | bytes) else value)
    except Exception:  # noqa: BLE001  an integer of thousands of digits, a list nested deep, a class of the caller's
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}…"
