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
    """A fair queue for one writer. After Ctrl-C at any moment the turn is free and nobody waits in vain."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._mutex = RLock()
        self.holder: Ticket | None = None
        """Whose turn it is."""
        self._waiting: deque[Ticket] = deque()

    def take(self, turn: Ticket, timeout: float | None = None) -> bool:
        """Wait for the turn. True: it is ours and must be given back. False: another holder has run the job.

        Raises `Unavailable` after the timeout, and at once when this thread holds the turn or waits for it already.
        """
        try:
            with unheld(self._mutex, "sqlite"):
                if self.holder is None:
                    self.holder = turn
                    return True
                if turn.thread in (self.holder.thread, *(other.thread for other in self._waiting)):
                    raise busy("sqlite")
                gate = turn.gate = Lock()
                gate.acquire()
                self._waiting.append(turn)
            self._wait(turn, gate, self._timeout if timeout is None else timeout)
            return not turn.done
        except BaseException:
            self._leave(turn)
            raise

    def take_at_once(self, turn: Ticket) -> bool:
        """Take the turn only if nobody has it."""
        with self._mutex:
            if self.holder is None:
                self.holder = turn
                return True
        return False

    def companions(self, taken: list[Ticket]) -> list[Ticket]:
        """Take over those in the queue that have a job; they are added to `taken` too.

        The holder must settle and wake every one of `taken`, also when this call is interrupted.
        """
        if not self._waiting:
            return []
        with self._mutex:
            more = [turn for turn in self._waiting if turn.job is not None and not turn.done]
            taken += more
            self._waiting = deque(turn for turn in self._waiting if turn.job is None)
            return more

    def settle(self, turns: list[Ticket], committed: bool, failure: BaseException | None) -> list[Ticket]:
        """Wake companions with their outcome, or with the failure of the commit. Returns an empty list."""
        for turn in turns:
            if not turn.done:
                if not committed:
                    turn.fail(failure)
                self._wake(turn)
        return []

    def give(self, turn: Ticket) -> None:
        """Hand the turn to the next in the queue. Does nothing when it is not ours."""
        interrupted: BaseException | None = None
        while self.holder is turn:
            try:
                self._pass_on()
            except BaseException as error:  # noqa: BLE001  a signal must not keep the others waiting
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def _wake(self, turn: Ticket) -> None:
        turn.done = True
        if turn.gate is not None:
            turn.gate.release()

    def _pass_on(self) -> None:
        # The next one takes itself off the queue: a signal between two steps here then leaves nothing half
        # done.
        with self._mutex:
            while self._waiting and self._waiting[0].done:
                self._waiting.popleft()
            if not self._waiting:
                self.holder = None
                return
            following = self.holder = self._waiting[0]
            assert following.gate is not None
            following.gate.release()

    def _wait(self, turn: Ticket, gate: Lock, timeout: float) -> None:
        if not gate.acquire(timeout=timeout):
            with self._mutex:
                still = turn in self._waiting and self.holder is not turn
                if still:
                    self._waiting.remove(turn)
            if still:
                raise Unavailable(
                    f"another thread wrote for {timeout:g} s; try again, or keep transactions short",
                    part="sqlite",
                )
            gate.acquire()
        with self._mutex:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _leave(self, turn: Ticket) -> None:
        """Undo an interrupted wait. A job that another holder already runs is not called back."""
        with self._mutex:
            if turn in self._waiting:
                self._waiting.remove(turn)
        self.give(turn)
