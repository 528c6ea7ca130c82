"""The sink that delivers changes to one endpoint: at least once, and in order for each record.

A message that fails waits for another attempt, and so does every later message of its record; others go on. The wait
doubles with each attempt; the receiver may ask for more. After `Retries.attempts` a message and those behind it become
dead letters, and later ones of the record join them: order is kept until they are replayed.

Two processes may send the same messages after a pause, each in order. So the first arrivals are in order, too, and a
receiver that drops repeated ids sees each change once.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from memwell import _bridge
from memwell._dataclasses import dataclass
from memwell.errors import Unavailable
from memwell.followers.delivery.endpoints import Endpoint, Endpoints
from memwell.followers.delivery.messages import Failure, Message, messages
from memwell.followers.delivery.queue import DeadLetter, Queue, again
from memwell.followers.sink import Sink
from memwell.ports import Change, Log, Store

__all__ = ["Delivery", "Retries", "Target"]

T = TypeVar("T")

TOGETHER: Final = 16
"""Messages of different records under way at a time."""
_BUDGET: Final = 5.0
"""Seconds for which one batch is sent; what is left waits for the next one."""
_MOST: Final = 2000
"""Messages that wait before no more changes are read."""
_LONGEST: Final = 86_400.0
"""Seconds that a receiver can ask to wait."""

log = logging.getLogger("memwell.delivery")


class Target(Protocol):
    """What sends messages."""

    async def send(self, message: Message) -> Failure | None:
        """Send one message; `None` if it arrived."""

    async def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how fast."""

    attempts: int = 24
    """After this number a message is a dead letter; with the other defaults, after about 13 hours."""
    first: float = 1.0
    """Seconds after the first attempt; they double each time."""
    longest: float = 3600.0

    def wait(self, attempts: int) -> float:
        """Seconds to wait after that number of attempts."""
        return min(self.longest, self.first * 2.0 ** min(attempts - 1, 60)) * random.uniform(0.8, 1.2)  # noqa: S311


@dataclass(slots=True)
class _Outcome:
    arrived: set[int] = field(default_factory=set)
    failed: dict[int, Failure] = field(default_factory=dict)


class Delivery(Sink):
    """Delivers to one endpoint, over what `target` opens. `blocking`: the store and the log need no event loop."""

    def __init__(
        self,
        store: Store,
        log: Log,
        endpoint: Endpoint,
        target: Callable[[], Target],
        *,
        clock: Callable[[], datetime],
        blocking: bool,
        retries: Retries | None = None,
    ) -> None:
        self.delivered = 0
        self.waiting = Queue(log, f"memwell:delivery:{endpoint.id}:waiting")
        self.dead = Queue(log, f"memwell:delivery:{endpoint.id}:dead")
        self._store, self._log, self._endpoint = store, log, endpoint
        self._open, self._opened = target, list[Target]()
        self._clock, self._blocking = clock, blocking
        self._retries = retries or Retries()

    @property
    def target(self) -> Target:
        """What sends, opened when it is first needed."""
        if not self._opened:
            self._opened.append(self._open())
        return self._opened[0]

    async def read(self) -> None:
        """Read what waits and what is dead."""
        await self.waiting.read()
        await self.dead.read()

    @property
    def due(self) -> bool:
        """Whether something that waits can be sent now."""
        now = self._clock()
        return any(group[0].next_at <= now for group in self.waiting.groups())

    async def ready(self) -> bool:
        """Send what is due again, before anything new."""
        await self.read()
        now = self._clock()
        groups = [group for group in self.waiting.groups() if group[0].next_at <= now]
        if groups:
            await self._retry(groups)
        return True

    async def deliver(self, changes: Sequence[Change]) -> None:
        """Send changes; what fails waits. Returns when each has arrived or is kept for another attempt."""
        if len(self.waiting.letters) >= _MOST:
            raise Unavailable(
                f"{len(self.waiting.letters):,} messages wait for this endpoint", part="delivery"
            )
        now = self._clock()
        fresh = [change for change in changes if change.seq not in self.waiting.letters]
        sent: dict[tuple[str, str], list[Change]] = {}
        waiting, dead, behind, lost = (
            list[DeadLetter](),
            list[DeadLetter](),
            self.waiting.keys,
            self.dead.keys,
        )
        for change in fresh:
            key = change.tenant_id, change.id
            if key in lost and change.seq not in self.dead.letters:
                dead.append(_letter(change, now))
            elif key in behind:
                waiting.append(_letter(change, now))
            elif key not in lost:
                sent.setdefault(key, []).append(change)
        await self.waiting.put(waiting)
        await self.dead.put(dead)
        outcome = await self._send(list(sent.values()))
        left = [
            self._after(_letter(change, now), outcome.failed.get(change.seq))
            for group in sent.values()
            for change in group
            if change.seq not in outcome.arrived
        ]
        await self.waiting.put(left)

    async def test(self, message: Message) -> Failure | None:
        """Send one message, and nothing else."""
        return await self._elsewhere(self.target.send(message))

    async def replay(self) -> int:
        """Let dead letters wait to be sent again; how many."""
        await self.read()
        letters = list(self.dead.letters.values())
        now = self._clock()
        await self.waiting.put([again(letter, now) for letter in letters])
        await self.dead.remove([letter.seq for letter in letters])
        return len(letters)

    async def close(self) -> None:
        """Close the target."""
        for target in self._opened:
            await self._elsewhere(target.close())

    # ------------------------------------------------------------------------------------------- attempts

    async def _retry(self, groups: list[list[DeadLetter]]) -> None:
        outcome = await self._send([[letter.change for letter in group] for group in groups])
        arrived = outcome.arrived
        dead: list[DeadLetter] = []
        kept: list[DeadLetter] = []
        for group in groups:
            rest = [letter for letter in group if letter.seq not in arrived]
            if not rest or rest[0].seq not in outcome.failed:
                continue
            head = self._after(rest[0], outcome.failed[rest[0].seq])
            if head.attempts < self._retries.attempts:
                kept.append(head)
            else:
                now = self._clock()
                dead += [replace(letter, next_at=now) for letter in (head, *rest[1:])]
        await self.dead.put(dead)
        await self.waiting.put(kept)
        await self.waiting.remove([*arrived, *(letter.seq for letter in dead)])
        await self.dead.remove([seq for seq in arrived if seq in self.dead.letters])
        if dead:
            log.warning("%d messages for webhook %s are dead letters now", len(dead), self._endpoint.id)

    def _after(self, letter: DeadLetter, failure: Failure | None) -> DeadLetter:
        """The letter after an attempt; unchanged if there was none."""
        if failure is None:
            return letter
        attempts = letter.attempts + 1
        wait = max(self._retries.wait(attempts), min(failure.retry_after or 0.0, _LONGEST))
        next_at = self._clock() + timedelta(seconds=wait)
        return replace(letter, attempts=attempts, next_at=next_at, reason=failure.reason)

    async def _send(self, groups: list[list[Change]]) -> _Outcome:
        """Send groups of changes, each in order up to the first failure."""
        changes = [change for group in groups for change in group]
        made = await messages(
            self._store, self._endpoint.id, changes, self._clock(), records=self._endpoint.records
        )
        by_seq = {message.seq: message for message in made}
        outcome = _Outcome()
        work = self._sent(deque([by_seq[change.seq] for change in group] for group in groups), outcome)
        await self._elsewhere(work)
        self.delivered += len(outcome.arrived)
        if any(failure.gone for failure in outcome.failed.values()):
            await self._disable()
        return outcome

    async def _sent(self, groups: deque[list[Message]], outcome: _Outcome) -> None:
        until, target = time.monotonic() + _BUDGET, self.target

        def over() -> bool:
            down = len(outcome.failed) >= 2 * TOGETHER and not outcome.arrived
            gone = any(failure.gone for failure in outcome.failed.values())
            return time.monotonic() > until or down or gone

        async def work() -> None:
            while groups and not over():
                for message in groups.popleft():
                    if over():
                        break
                    failure = await target.send(message)
                    if failure is not None:
                        outcome.failed[message.seq] = failure
                        break
                    outcome.arrived.add(message.seq)

        found = await _bridge.gather([work] * min(TOGETHER, len(groups)), blocking=False)
        for error in found:
            if isinstance(error, Exception):
                raise error

    async def _disable(self) -> None:
        reason = "the receiver answered 410 Gone"
        endpoints = Endpoints(self._log)
        if any(one.id == self._endpoint.id for one in await endpoints.all()):  # not removed meanwhile
            await endpoints.add(replace(self._endpoint, disabled=reason))
        log.warning("webhook %s is disabled: %s", self._endpoint.id, reason)
        raise Unavailable(f"webhook {self._endpoint.id} is disabled: {reason}", part="delivery")

    async def _elsewhere(self, work: Coroutine[Any, Any, T]) -> T:
        """Run what needs an event loop: here, or on the shared one while this thread waits."""
        return _bridge.complete(work, blocking=False) if self._blocking else await work


def _letter(change: Change, now: datetime) -> DeadLetter:
    return DeadLetter(
        seq=change.seq,
        kind=change.kind,
        tenant_id=change.tenant_id,
        user_id=change.user_id,
        id=change.id,
        next_at=now,
    )
