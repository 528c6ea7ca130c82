"""Every error memwell raises, in one tree::

    MemwellError
    ├── ConfigError          a setting, URL or argument of construction is wrong, or a package is missing
    ├── InvalidInput         a value handed in breaks a documented limit or type   (also a ValueError)
    │   └── InvalidQuery     a filter, cursor, order or strategy cannot be understood
    ├── NotFound             no such record inside the scope asked                 (also a KeyError)
    ├── Conflict             the record changed meanwhile, or the id is taken
    ├── NotSupported         this part promises not to do this; names the flag and the remedy
    ├── Closed               the part was closed before the call
    ├── Unavailable          transient: locked, unreachable, timed out, rate limited; trying again may help
    │   └── TimedOut         took longer than its limit; it may still be carried out  (also a TimeoutError)
    ├── BackendError         the backend failed for good: full or read-only disk, refused statement
    │   └── Corrupt          stored data cannot be read back as what was written
    └── EmbeddingError       the embedder failed, or its vectors do not fit

Each carries `part` (which adapter), `operation` (which call) and `transient` (would trying again help). The
native error is chained as `__cause__`. A message says what to do next.
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
    """The root: `except MemwellError` catches all that memwell raises on purpose."""

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
    """Construction went wrong: an unknown scheme, a bad option, or a missing package (the pip command is
    named).
    """


class InvalidInput(MemwellError, ValueError):
    """A value breaks a limit or has the wrong type. Nothing was stored."""


class InvalidQuery(InvalidInput):
    """A filter, cursor, order, mode or strategy cannot be understood."""


class NotFound(MemwellError, KeyError):
    """No such record in the scope asked. A record of another scope looks exactly like a missing one."""

    __str__ = MemwellError.__str__


class Conflict(MemwellError):
    """The version expected is not the version stored, or the id already belongs to another record."""


class NotSupported(MemwellError):
    """The part does not promise this. Names the part, the capability and the remedy."""


class Closed(MemwellError):
    """The part was used after `close()`."""


class Unavailable(MemwellError):
    """A transient failure: try again, perhaps after `retry_after` seconds."""

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
        """Seconds the backend asked us to wait, if it said so."""
        self.unsent = unsent
        """It is certain that nothing was carried out, so that even an increment may be sent again."""


class TimedOut(Unavailable, TimeoutError):
    """The call took longer than its limit. Unless it is `unsent`, it may still be carried out."""

    __str__ = MemwellError.__str__


class BackendError(MemwellError):
    """The backend refused or failed in a way that trying again will not mend."""


class Corrupt(BackendError):
    """Stored bytes cannot be decoded as what was written. Run `memwell doctor`."""


class EmbeddingError(MemwellError):
    """The embedder failed, or a vector has the wrong dimension or holds NaN or infinity."""
