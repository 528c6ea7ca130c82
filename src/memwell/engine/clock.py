"""The clock of an engine: any function that gives an aware datetime, checked at each call. And its time zone, which
says on which day a moment falls.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from memwell.errors import ConfigError, InvalidQuery, MemwellError, shown

__all__ = ["checked", "utc_now", "zone_of"]

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


_NAME_ONE: Final = (
    "give an IANA name such as 'Europe/Berlin', 'local' for the zone of this machine, or a tzinfo"
)


def zone_of(timezone: str | tzinfo | None, error: type[ConfigError | InvalidQuery] = ConfigError) -> tzinfo:
    """A time zone by its IANA name, or as it is; `None` means UTC, `"local"` the zone of this machine.

    Raises `error` for an unknown name, with the nearest known one, and for anything else.
    """
    if timezone is None or timezone is UTC:
        return UTC
    import zoneinfo

    if isinstance(timezone, tzinfo):
        return _tried(timezone, error)
    if not isinstance(timezone, str):
        raise error(f"timezone= is {shown(timezone)}; {_NAME_ONE}")
    if timezone.casefold() in ("utc", "local"):
        return UTC if timezone.casefold() == "utc" else _Local()
    try:
        return zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise _unknown(timezone, error) from unknown


def _tried(zone: tzinfo, error: type[ConfigError | InvalidQuery]) -> tzinfo:
    """The zone, if it can tell the time."""
    try:
        utc_now().astimezone(zone).date()
    except Exception as failure:
        raise error(f"timezone={zone!r:.100} fails: {failure}; {_NAME_ONE}") from failure
    return zone


def _unknown(name: str, error: type[ConfigError | InvalidQuery]) -> MemwellError:
    import difflib
    import zoneinfo

    known = {one.casefold(): one for one in zoneinfo.available_timezones()}
    if not known:
        return error(f"this machine has no time zones: pip install tzdata, to use timezone={shown(name)}")
    word = name.casefold().replace(" ", "_")
    cities = {one.rpartition("/")[2]: whole for one, whole in sorted(known.items(), reverse=True)}
    near = difflib.get_close_matches(word, [*known, *cities], n=1, cutoff=0.75)
    meant = f" Did you mean {known.get(near[0]) or cities[near[0]]!r}?" if near else ""
    return error(f"unknown time zone {shown(name)}.{meant} {_NAME_ONE[0].upper()}{_NAME_ONE[1:]}")


class _Local(tzinfo):
    """The zone of this machine, with its summer times."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        """The distance from UTC at a local time."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None, /) -> timedelta | None:
        """Unknown: `utcoffset` contains it."""
        del dt
        return None

    def tzname(self, dt: datetime | None, /) -> str:
        """`local`."""
        del dt
        return "local"

    def fromutc(self, dt: datetime, /) -> datetime:
        """A moment in UTC as local time."""
        return dt.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)

    def __repr__(self) -> str:
        return "local"
