"""Times in the formats found in transcripts."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from memwell.filters import instant

__all__ = ["moment"]

_FORMS: Final = (
    "%I:%M %p on %d %B, %Y",
    "%d %B %Y",
    "%d %B, %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%B-%d-%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
)
_MILLISECONDS, _MICROSECONDS = 1e11, 1e14


def moment(value: Any) -> datetime | None:
    """A time from seconds, milliseconds or microseconds since 1970, ISO 8601, an e-mail date, or `8 May 2023`.

    `None` for anything else. A time without a zone is in UTC.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _epoch(float(value))
    if not isinstance(value, str) or not (text := " ".join(value.split())):
        return None
    try:
        return _epoch(float(text))
    except ValueError:
        return instant(text) or _worded(text)


def _epoch(number: float) -> datetime | None:
    scale = 1e6 if number >= _MICROSECONDS else 1e3 if number >= _MILLISECONDS else 1.0
    try:
        return datetime.fromtimestamp(number / scale, UTC) if number > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _worded(text: str) -> datetime | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
