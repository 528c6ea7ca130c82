"""Brief steps of Python, one at a time in the whole process.

Two threads that compute in Python at once pass the interpreter's lock to and fro at every short query and every array
of some size. That takes more time than one after the other, and keeps the event loop waiting for the lock, too. So a
thread carries out the steps that wait, in the order they came, as long as it has the *turn*::

    queue = Steps(pool)                       # an executor: the steps of one memory, for its threads alone
    future = queue.submit(step)
    ...
    with aside():                             # in a step: others have their turn meanwhile
        model.run(question)

Between two steps the event loop gets the interpreter for a moment, where many of them wait: it needs it again and again
to go through what has happened on its connections, and would wait for up to five milliseconds each time.

Where several threads wait for the turn, they get it in the order they came. Each memory has steps and threads of its
own, so that those of another one, whose parts wait for something, hold up none of them.

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
    turn: _Turn | None = None
    """The turn, if this thread has it."""
    steps: Steps | None = None
    """The queue whose thread this is, while it carries out a step."""


_here = _Here()


class _Waiter:
    """A thread that waits for the turn."""

    __slots__ = ("granted", "steps")

    def __init__(self, steps: Steps | None) -> None:
        self.steps = steps
        """The queue whose steps it would carry out next; `None` in the middle of a step."""
        self.granted = threading.Lock()
        self.granted.acquire()


class _Turn:
    """The turn of a process: threads get it in the order they came."""

    def __init__(self) -> None:
        self._lock, self._taken, self._begun = threading.Lock(), False, 0
        self._waiters: deque[_Waiter] = deque()

    def take(self, steps: Steps | None) -> None:
        """Wait for the turn. Returns without it if the same step has it for too long. `steps`: see `_Waiter`."""
        with self._lock:
            if not self._taken:
                self._taken, _here.turn = True, self
                return
            waiter, begun = _Waiter(steps), self._begun
            self._waiters.append(waiter)
        while not waiter.granted.acquire(timeout=_PATIENCE):
            if begun == self._begun and self._left(waiter):
                return
            begun = self._begun
        _here.turn = self

    def _left(self, waiter: _Waiter) -> bool:
        """Wait no longer, unless it has been given the turn just now."""
        with self._lock:
            if waiter not in self._waiters:
                return False
            self._waiters.remove(waiter)
            return True

    def begin(self) -> None:
        """Note that a step begins."""
        self._begun += 1

    def wanted(self, steps: Steps) -> bool:
        """Whether a thread waits that would do something else than carry out these steps."""
        return bool(self._waiters) and any(each.steps is not steps for each in tuple(self._waiters))

    def give_back(self) -> None:
        """Let another thread have the turn."""
        with self._lock:
            if self._waiters:
                self._waiters.popleft().granted.release()
            else:
                self._taken = False


_turn = _Turn()


def _renew() -> None:
    global _turn
    _turn = _Turn()


fork_safe(_renew)


class Steps:
    """Takes steps as an executor does, and has the threads of a pool work them off. A forked child makes its own."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._place = threading.Lock()
        """Held by the thread that waits for the turn to carry out steps: at most one does."""
        self._fetched = threading.Event()

    @property
    def awaited(self) -> bool:
        """Whether a thread waits, which will look for steps then."""
        return self._place.locked()

    def submit(self, step: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run a step soon, in a thread. Raises `RuntimeError` if the pool is shut down."""
        from concurrent.futures import Future

        future: Future[Any] = Future()
        self._waiting.append((future, partial(step, *args)))
        if not self.awaited:
            self._pool.submit(self._work_off)
        return future

    def fetched(self) -> None:
        """To be called by an event loop that has fetched the result of a step."""
        self._fetched.set()

    def attend(self) -> None:
        """Have a thread look for steps, if some wait and none will."""
        if self._waiting and not self.awaited:
            with suppress(RuntimeError):  # the pool is shut down
                self._pool.submit(self._work_off)

    def _work_off(self) -> None:
        """Carry out the steps that wait, unless another thread will do so."""
        while self._waiting and self._take():
            try:
                _here.steps = self
                while self._one() and has_turn() and not _turn.wanted(self):
                    pass
            finally:
                _here.steps = None
                _give_back()

    def _take(self) -> bool:
        """Wait for the turn, for some time, unless another thread does."""
        if not self._place.acquire(blocking=False):
            return False
        try:
            _turn.take(self)
        finally:
            self._place.release()
        return True

    def _one(self) -> bool:
        """Carry out the next step; whether there was one."""
        try:
            future, step = self._waiting.popleft()
        except IndexError:
            return False
        _turn.begin()
        if future.set_running_or_notify_cancel():
            settle = _outcome(future, step)
            behind = len(self._waiting) >= _BEHIND
            self._fetched.clear()
            settle()
            if behind:
                self._fetched.wait(_FETCHING)
        return True


def _outcome(future: Future[Any], step: Callable[[], Any]) -> Callable[[], None]:
    """Run a step; returns what tells its future."""
    try:
        return partial(future.set_result, step())
    except BaseException as error:  # noqa: BLE001  the caller gets it
        return partial(future.set_exception, error)


def has_turn() -> bool:
    """Whether this thread has the turn."""
    return _here.turn is not None


def _give_back() -> bool:
    """Let another thread have the turn. Returns whether this one had it."""
    turn, _here.turn = _here.turn, None
    if turn is not None and turn is _turn:  # else it is that of the parent
        turn.give_back()
    return turn is not None


@contextmanager
def aside() -> Iterator[None]:
    """Let others have their turn, during something long in a step."""
    steps = _here.steps
    if not _give_back():
        yield
        return
    try:
        if steps is not None:
            steps.attend()
        yield
    finally:
        _turn.take(None)
        _here.steps = steps
