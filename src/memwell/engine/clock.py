"""The clock of an engine: any function that gives an aware datetime, checked at each call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from memwell.errors import ConfigError

__all__ = ["checked", "utc_now"]

_REMEDY: Final = "give a function such as lambda: datetime.now(UTC)"


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def checked(clock: Callable[[], datetime] | None) -> Callable[[], datetime]:
    """A clock that gives plain datetimes in UTC. The given one is read once here, so that a wrong one is refused early.

    Raises `ConfigError`, here and at each call, if the given clock fails or returns anything but an aware datetime.
    """
    if clock is None:
        return utc_now
    if not callable(clock):
        raise ConfigError(f"clock= is not a function but {clock!r:.100}; {_REMEDY}")

    def read() -> datetime:
        try:
            now = clock()
        except Exception as error:
            raise ConfigError(f"clock= raised {type(error).__name__}: {error}; {_REMEDY}") from error
        if type(now) is datetime and now.tzinfo is UTC:
            return now
        return _in_utc(now)

    read()
    return read


def _in_utc(now: object) -> datetime:
    if not isinstance(now, datetime):
        raise ConfigError(f"clock= gave {now!r:.100}, which is not a datetime; {_REMEDY}")
    try:
        if now.utcoffset() is not None:
            moment = now.astimezone(UTC)
            return datetime(*moment.timetuple()[:6], moment.microsecond, tzinfo=UTC)
    except Exception as error:
        raise ConfigError(f"clock= gave a time whose time zone fails: {error}; {_REMEDY}") from error
    raise ConfigError(f"clock= gave {now.isoformat()}, which has no time zone; {_REMEDY}")
