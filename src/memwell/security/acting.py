"""Who acts: the actor and the correlation id that the audit log and receipts name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput, shown

__all__ = ["NOONE", "Acting", "acting", "current"]

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and in which request."""

    actor: str | None = None
    correlation_id: str | None = None


NOONE = Acting()
_current: ContextVar[Acting] = ContextVar("memwell_acting", default=NOONE)


@contextmanager
def acting(*, actor: str | None = None, correlation_id: str | None = None) -> Iterator[None]:
    """Name who acts in this block, for the audit log and for receipts::

        with memwell.acting(actor="support:eva", correlation_id=request.id):
            memory.erase("m1", reason="asked by the user", user_id="ana")

    - `actor`: a person, service or API key; `correlation_id`: the id of a request, to find all that it did.

    The block holds for the current task or thread (a context variable), synchronous or not. Inside another, what is not
    given stays as it is. Raises `InvalidInput` for anything but a text of 1 to 500 characters.
    """
    given = {"actor": actor, "correlation_id": correlation_id}
    chosen = {name: _text(name, value) for name, value in given.items() if value is not None}
    token = _current.set(replace(_current.get(), **chosen))
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Acting:
    """Who acts now."""
    return _current.get()


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise InvalidInput(f"{name} is a text of 1 to {_LONGEST} characters, not {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{name} holds half of a surrogate pair, which is not text") from error
    return value
