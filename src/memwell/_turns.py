"""Brief steps of Python, one at a time in the whole process.

Two threads that compute in Python at once pass the interpreter's lock to and fro at every short query and every array
of some size. That takes more time than one after the other, and keeps the event loop waiting for the lock, too. So a
thread carries out the steps that wait, in the order they came, as long as it has the *turn*::

    queue = Steps(pool)                       # an executor: its threads work off all steps of the process
    future = queue.submit(step)
    ...
    with aside():                             # in a step: others have their turn meanwhile
        model.run(question)

Between two steps the event loop gets the interpreter for a moment, where many of them wait: it needs it again and again
to go through what has happened on its connections, and would wait for up to five milliseconds each time.

The turn protects nothing. A step that takes very long keeps it, and others go on without.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from memwell._forks import fork_safe

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Steps", "aside", "has_turn"]

_PATIENCE: Final = 0.02
"""Seconds without an end of any step after which others go on without the turn."""
_BEHIND: Final = 8
"""With this many steps waiting, the event loop gets the interpreter after each."""
_FETCHING: Final = 0.001
"""Seconds at most that it gets."""


class _Here(threading.local):
    turn: threading.Lock | None = None
    """The lock of the turn, if this thread has the turn."""
    steps: Steps | None = None
    """The queue whose thread this is, while it carries out a step."""


_here = _Here()


class _Turn:
    """The turn, and the steps that wait for it. At most one thread waits for the turn, and only if a step waits."""

    def __init__(self) -> None:
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self.waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._turn, self._place, self._begun = threading.Lock(), threading.Lock(), 0
        self.fetched = threading.Event()
        """Set when an event loop has fetched a result."""

    @property
    def awaited(self) -> bool:
        """Whether a thread waits, which will look for steps then."""
        return self._place.locked()

    def work_off(self, steps: Steps) -> None:
        """Carry out the steps that wait, unless another thread will do so."""
        while self.waiting and self._taken():
            try:
                _here.steps = steps
                while self._one() and has_turn():
                    pass
            finally:
                _here.steps = None
                self.give_back()

    def _one(self) -> bool:
        """Carry out the next step; whether there was one."""
        try:
            future, step = self.waiting.popleft()
        except IndexError:
            return False
        self._begun += 1
        if future.set_running_or_notify_cancel():
            settle = _outcome(future, step)
            behind = len(self.waiting) >= _BEHIND
            self.fetched.clear()
            settle()
            if behind:
                self.fetched.wait(_FETCHING)
        return True

    def _taken(self) -> bool:
        """Wait for the turn, for some time, unless another thread does."""
        if self._turn.acquire(blocking=False):
            _here.turn = self._turn
            return True
        place = self._place
        if not place.acquire(blocking=False):
            return False
        try:
            self.take()
        finally:
            place.release()
        return True

    def take(self) -> None:
        """Wait for the turn. Returns without it if the same step has it for too long."""
        turn, begun = self._turn, self._begun
        while not turn.acquire(timeout=_PATIENCE):
            if begun == self._begun:
                return
            begun = self._begun
        _here.turn = turn

    def give_back(self) -> bool:
        """Let another thread have the turn. Returns whether this one had it."""
        turn, _here.turn = _here.turn, None
        if turn is not None:
            turn.release()
        return turn is not None


def _outcome(future: Future[Any], step: Callable[[], Any]) -> Callable[[], None]:
    """Run a step; returns what tells its future."""
    try:
        return partial(future.set_result, step())
    except BaseException as error:  # noqa: BLE001  the caller gets it
        return partial(future.set_exception, error)


_turn = _Turn()


class Steps:
    """Takes steps as an executor does, and has the threads of a pool work them off."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def submit(self, step: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a step soon, in a thread. Raises `RuntimeError` if the pool is shut down."""
        from concurrent.futures import Future

        future: Future[Any] = Future()
        _turn.waiting.append((future, partial(step, *args)))
        self.attend()
        return future

    def fetched(self) -> None:
        """To be called by an event loop that has fetched the result of a step."""
        _turn.fetched.set()

    def attend(self) -> None:
        """Have a thread look for steps, if none will."""
        if not _turn.awaited:
            self._pool.submit(_turn.work_off, self)


def has_turn() -> bool:
    """Whether this thread has the turn."""
    return _here.turn is not None


@contextmanager
def aside() -> Iterator[None]:
    """Let others have their turn, during something long in a step."""
    steps = _here.steps
    if not _turn.give_back():
        yield
        return
    try:
        if steps is not None and _turn.waiting:
            with suppress(RuntimeError):  # the pool is shut down
                steps.attend()
        yield
    finally:
        _turn.take()
        _here.steps = steps
