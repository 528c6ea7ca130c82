"""A part whose failed calls are tried again: `Retrying(part)` is a part of the same port.

Retried are errors that are `transient`, with exponential backoff and full jitter (`memwell.resilience.retry.Retry`). A
retry waits at least for the `retry_after` that the backend asks for, and never goes beyond `deadline`. If a backend
asks for more than `max_retry_after` seconds, its error is raised at once. Each retry is logged at debug level.

If the answer of a write is lost, for example by a timeout, it is unknown whether it happened. So before it is repeated:

- `Store.write`: the retry reads what is stored (`reconcile`) and leaves out inserts that are stored under their own
  id, and updates of an expected version that have happened. Nothing is stored twice, and an update does not conflict
  with itself. Two cases remain: an insert that reinforced a record with another id, and a `Touch`, may count twice;
  and a repeated `Delete` or `Unlink` returns what the repetition removed.
- Other operations that are `CONDITIONAL` are repeated only if they certainly did not happen (`Unavailable.unsent`).
- Everything else leaves the same state when repeated.
"""

from __future__ import annotations

import random as chance
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from memwell.errors import Unavailable
from memwell.ports import Append, Declaration, Effect, Operation, Port, Store, call, declared
from memwell.resilience.retry import Retry, is_transient
from memwell.resilience.unknown_outcome import reconcile
from memwell.wrappers.base import Wrapper

__all__ = ["Retrying"]

P = TypeVar("P", bound=Port)

_WRITE: Final = declared(Store.write)


class Retrying(Wrapper):
    """A part whose failed calls are tried again, for half a minute at most by default."""

    part = "retrying"
    _retry: Retry

    def __new__(  # type: ignore[misc]
        cls,
        part: P,
        *,
        max_attempts: int = 5,
        initial_delay: float = 0.1,
        max_delay: float = 10.0,
        exponential_base: float = 2.0,
        max_retry_after: float = 60.0,
        deadline: float | None = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] = chance.random,
    ) -> P:
        wrapper = cls._wrap(part)
        wrapper._retry = Retry(
            max_attempts=max_attempts,
            initial_delay=initial_delay,
            max_delay=max_delay,
            exponential_base=exponential_base,
            max_retry_after=max_retry_after,
            deadline=deadline,
            clock=clock,
            sleep=sleep,
            random=random,
        )
        return wrapper  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        name = f"{self.inner.part}.{operation.name}"
        if operation is _WRITE:
            write = _Write(self.inner, *arguments)
            return await self._retry.run(write.attempt, name=name, blocking=self.blocking)
        return await self._retry.run(
            lambda: call(self.inner, operation, arguments),
            name=name,
            blocking=self.blocking,
            should_retry=_unsent if operation.effect_of(arguments) is Effect.CONDITIONAL else None,
        )


class _Write:
    """One write of a store, attempted until its answer is known."""

    def __init__(self, store: Any, operations: Sequence[Operation], now: datetime) -> None:
        self._store, self._operations, self._now = store, operations, now
        self._lost = False
        """Whether an attempt failed that may have happened."""

    async def attempt(self) -> list[Any]:
        """The results, of this attempt or of an earlier one whose answer was lost."""
        done: dict[int, Any] = {}
        if self._lost:
            done = await reconcile(self._store, self._operations, now=self._now)
        left = [
            _completed(operation, done) if done and isinstance(operation, Append) else operation
            for place, operation in enumerate(self._operations)
            if place not in done
        ]
        try:
            fresh = iter(await call(self._store, _WRITE, (left, self._now)) if left else ())
        except Unavailable as error:
            self._lost = self._lost or not error.unsent
            raise
        return [done[place] if place in done else next(fresh) for place in range(len(self._operations))]


def _completed(append: Append, done: Mapping[int, Any]) -> Append:
    """The append of a write that is sent without what has happened already: it is given the results of that, too."""

    def entries(results: list[Any], newest: bytes | None) -> Sequence[bytes]:
        fresh = iter(results)
        whole = [done[at] if at in done else next(fresh) for at in range(len(done) + len(results))]
        return append.entries(whole, newest)

    return replace(append, entries=entries)


def _unsent(error: Exception) -> bool:
    return is_transient(error) and isinstance(error, Unavailable) and error.unsent
