"""What the parts of the suite share: the fixtures, and helpers."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from memwell.ports import KeyValue

__all__ = ["THREADS", "Advance", "KeyValueSuite", "later", "patient"]

T = TypeVar("T")
Advance = Callable[[float], None]
Test = Callable[[Any, KeyValue, Advance], None]
THREADS = 8


class KeyValueSuite:
    """The fixtures. Give `advance` too, to test expiry."""

    ttl: float = 10.0
    """Seconds that short-lived values of the suite live; less than 1 where `advance` has to wait for real. There a test
    that fails is tried again with longer ones: a machine under load may have slept too long."""

    @pytest.fixture
    def keyvalue(self) -> KeyValue:
        """An open part. Closing it is up to the fixture; the suite may have done so before."""
        raise NotImplementedError("give the fixture `keyvalue`")

    @pytest.fixture
    def advance(self) -> Advance:
        """A function that lets seconds pass for the part."""
        pytest.skip("the fixture `advance` is not given")

    @property
    def waits(self) -> bool:
        """Whether time passes for real."""
        return type(self).ttl < 1


def patient(test: Test) -> Test:
    """A test of expiry; where time passes for real it is tried again with values that live longer."""

    @functools.wraps(test)
    def tried(self: KeyValueSuite, keyvalue: KeyValue, advance: Advance) -> None:
        for longer in (1, 6, 30) if self.waits else (1,):
            self.ttl = type(self).ttl * longer
            try:
                test(self, keyvalue, advance)
            except AssertionError:
                if not self.waits or longer == 30:
                    raise
            else:
                break

    return tried


def later(call: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> Callable[[], Awaitable[T]]:
    """A call with its arguments, to be made together with others."""

    async def made() -> T:
        return await call(*args, **options)

    return made
