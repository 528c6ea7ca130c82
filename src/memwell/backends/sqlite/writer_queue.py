"""A fair queue of the threads that want to write. The one that holds the turn may run the jobs of those that wait.

A `threading.Lock` could order the threads. The queue adds what group commit needs: the holder sees the waiting
jobs, runs them with its own, and wakes their threads with the outcome.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from threading import Lock, RLock, get_ident
from typing import Any

from memwell.errors import Unavailable
from memwell.resilience.reentry import busy, unheld

__all__ = ["Ticket", "WriterQueue"]


class Ticket:
    """One caller's place in the queue, with the job that another thread may run for it."""

    __slots__ = ("done", "error", "gate", "job", "result", "thread")

    def __init__(self, job: Callable[[Any], Any] | None = None) -> None:
        self.job = job
        self.gate: Lock | None = None
        """Held while the caller has to wait."""
        self.done = False
        """The job has run, in this thread or another, and its outcome is final."""
        self.result: Any = None
        self.error: BaseException | None = None
        self.thread = get_ident()

    def outcome(self) -> Any:
        """The job's result; raises its error."""
        if self.error is not None:
            raise self.error
        return self.result

    def fail(self, error: BaseException | None) -> None:
        """End with the error that ended the transaction: a copy, so that the tracebacks of several threads do not
        mix."""
        if isinstance(error, Exception):
            self.error = copy.copy(error)
            self.error.__cause__ = error.__cause__
        else:
            self.error = Unavailable(
                "the thread that was to commit was interrupted; try again", part="sqlite"
            )


class WriterQueue:
    """A fair queue for one writer. After Ctrl-C at any moment the turn is free and no thread waits forever."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._mutex = RLock()
        self.holder: Ticket | None = None
        """Whose turn it is."""
        self._waiting: deque[Ticket] = deque()

    def take(self, ticket: Ticket, timeout: float | None = None) -> bool:
        """Wait for the turn. True: it is ours and must be given back. False: another holder has run the job.

        Raises `Unavailable` after the timeout, and at once when this thread holds the turn or waits for it already.
        """
        try:
            with unheld(self._mutex, "sqlite"):
                if self.holder is None:
                    self.holder = ticket
                    return True
                if ticket.thread in (self.holder.thread, *(other.thread for other in self._waiting)):
                    raise busy("sqlite")
                gate = ticket.gate = Lock()
                gate.acquire()
                self._waiting.append(ticket)
            self._wait(ticket, gate, self._timeout if timeout is None else timeout)
            return not ticket.done
        except BaseException:
            self._leave(ticket)
            raise

    def take_at_once(self, ticket: Ticket) -> bool:
        """Take the turn only if it is free."""
        with self._mutex:
            if self.holder is None:
                self.holder = ticket
                return True
        return False

    def companions(self, taken: list[Ticket]) -> list[Ticket]:
        """Take over those in the queue that have a job; they are added to `taken` too.

        The holder must settle and wake every one of `taken`, also when this call is interrupted.
        """
        if not self._waiting:
            return []
        with self._mutex:
            more = [ticket for ticket in self._waiting if ticket.job is not None and not ticket.done]
            taken += more
            self._waiting = deque(ticket for ticket in self._waiting if ticket.job is None)
            return more

    def settle(self, tickets: list[Ticket], committed: bool, failure: BaseException | None) -> list[Ticket]:
        """Wake companions with their outcome, or with the failure of the commit. Returns an empty list."""
        for ticket in tickets:
            if not ticket.done:
                if not committed:
                    ticket.fail(failure)
                self._wake(ticket)
        return []

    def release(self, ticket: Ticket) -> None:
        """Hand the turn to the next in the queue. Does nothing when it is not ours."""
        interrupted: BaseException | None = None
        while self.holder is ticket:
            try:
                # The next one takes itself off the queue: a signal between two steps here then leaves nothing half
                # done.
                with self._mutex:
                    while self._waiting and self._waiting[0].done:
                        self._waiting.popleft()
                    if not self._waiting:
                        self.holder = None
                    else:
                        following = self.holder = self._waiting[0]
                        assert following.gate is not None
                        following.gate.release()
            except BaseException as error:  # noqa: BLE001  a signal must not keep the others waiting
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def _wake(self, ticket: Ticket) -> None:
        ticket.done = True
        if ticket.gate is not None:
            ticket.gate.release()

    def _wait(self, ticket: Ticket, gate: Lock, timeout: float) -> None:
        if not gate.acquire(timeout=timeout):
            with self._mutex:
                still = ticket in self._waiting and self.holder is not ticket
                if still:
                    self._waiting.remove(ticket)
            if still:
                raise Unavailable(
                    f"another thread wrote for {timeout:g} s; try again, or keep transactions short",
                    part="sqlite",
                )
            gate.acquire()
        with self._mutex:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def _leave(self, ticket: Ticket) -> None:
        """Undo an interrupted wait. A job that another holder already runs is not called back."""
        with self._mutex:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        self.release(ticket)
