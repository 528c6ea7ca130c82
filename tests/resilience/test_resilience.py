"""The resilience helpers: what is tried again, when a breaker opens, how a limit works off the main thread."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from memwell.errors import (
    BackendError,
    ConfigError,
    Conflict,
    Corrupt,
    EmbeddingError,
    InvalidInput,
    MemwellError,
    NotFound,
    TimedOut,
    Unavailable,
)
from memwell.resilience.decorators import (
    CircuitBreaker,
    create_resilient_caller,
    fallback,
    retry_with_backoff,
    with_timeout,
)
from memwell.resilience.workers import Workers


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Failing:
    """Fails with each of the errors in turn, then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, answer: str = "ok") -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["function", "coroutine function"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Decorate a failing thing as a function, or as a coroutine function, and call it."""

    def made(decorate: Callable[..., Any], failing: Failing) -> Callable[..., Any]:
        if request.param == "function":
            return decorate(lambda *given: failing(*given))  # type: ignore[no-any-return]

        async def later(*given: str) -> str:
            await asyncio.sleep(0)
            return failing(*given)

        decorated = decorate(later)
        assert asyncio.iscoroutinefunction(decorated)
        return lambda *given: asyncio.run(decorated(*given))

    return made


# ------------------------------------------------------------------------------------------------- retries


def patient(clock: Clock, **options: Any) -> Callable[..., Any]:
    return retry_with_backoff(clock=clock, sleep=clock.sleep, random=lambda: 1.0, **options)


def test_a_call_is_repeated_until_it_succeeds(call: Any, clock: Clock) -> None:
    failing = Failing(OSError(), Unavailable("busy"))
    assert call(patient(clock), failing)("yes") == "yes"
    assert failing.calls == 3
    assert clock.slept == [1.0, 2.0]


def test_the_last_error_is_raised_with_a_note(call: Any, clock: Clock) -> None:
    failing = Failing(*(OSError(str(n)) for n in range(9)))
    with pytest.raises(OSError, match="2") as caught:
        call(patient(clock), failing)()
    assert failing.calls == 3
    assert any("3 times" in note for note in caught.value.__notes__)


def test_waits_grow_up_to_a_limit_and_are_random(call: Any, clock: Clock) -> None:
    failing = Failing(*(OSError() for _ in range(6)))
    options = {"max_attempts": 7, "initial_delay": 1, "max_delay": 10, "exponential_base": 3}
    call(patient(clock, **options), failing)()
    assert clock.slept == [1, 3, 9, 10, 10, 10]
    half = retry_with_backoff(**options, clock=clock, sleep=clock.sleep, random=lambda: 0.5)
    call(half, Failing(OSError(), OSError()))()
    assert clock.slept[6:] == [0.5, 1.5]


def test_the_wait_that_a_server_asks_for_is_kept(call: Any, clock: Clock) -> None:
    call(patient(clock), Failing(Unavailable("slow down", retry_after=30)))()
    assert clock.slept == [31]


def test_a_server_that_asks_to_wait_for_a_day_holds_nobody_up(call: Any, clock: Clock) -> None:
    failing = Failing(Unavailable("come back tomorrow", retry_after=86_400))
    with pytest.raises(Unavailable, match="tomorrow"):
        call(patient(clock), failing)()
    assert (failing.calls, clock.slept) == (1, [])
    call(patient(clock, max_retry_after=90_000), Failing(Unavailable("tomorrow", retry_after=86_400)))()
    assert clock.slept == [86_401]


def test_a_wait_below_nothing_is_none(call: Any, clock: Clock) -> None:
    call(patient(clock), Failing(Unavailable("now", retry_after=-5)))()
    assert clock.slept == [1]


def test_no_wait_goes_beyond_the_deadline(call: Any, clock: Clock) -> None:
    failing = Failing(Unavailable("busy"), Unavailable("slow down", retry_after=30), OSError())
    with pytest.raises(Unavailable, match="slow down"):
        call(patient(clock, deadline=20), failing)()
    assert clock.slept == [1]


@pytest.mark.parametrize(
    "error",
    [InvalidInput("no"), NotFound("no"), Conflict("no"), BackendError("disk full"), EmbeddingError("no")],
)
def test_what_trying_again_cannot_mend_is_not_tried_again(
    call: Any, clock: Clock, error: MemwellError
) -> None:
    failing = Failing(error)
    with pytest.raises(type(error)):
        call(patient(clock), failing)()
    assert failing.calls == 1


def test_only_the_exceptions_named_are_tried_again(call: Any, clock: Clock) -> None:
    failing = Failing(OSError(), ValueError())
    with pytest.raises(ValueError):  # noqa: PT011  it has no message
        call(patient(clock, exceptions=(OSError,)), failing)()
    assert failing.calls == 2


def test_each_failed_attempt_is_reported(call: Any, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    notes: list[tuple[str, int]] = []
    with caplog.at_level(logging.DEBUG, "memwell"):
        call(
            patient(clock, on_retry=lambda error, number: notes.append((str(error), number))),
            Failing(OSError("a"), OSError("b")),
        )()
    assert notes == [("a", 1), ("b", 2)]
    assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 2


def test_an_asynchronous_sleep_and_an_asynchronous_listener_are_awaited() -> None:
    slept: list[float] = []
    notes: list[int] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)
        slept.append(seconds)

    async def tell(error: Exception, attempt: int) -> None:
        await asyncio.sleep(0)
        notes.append(attempt)

    failing = Failing(OSError())

    @retry_with_backoff(sleep=sleep, on_retry=tell, random=lambda: 1.0)
    async def ask() -> str:
        return failing()

    assert asyncio.run(ask()) == "ok"
    assert (slept, notes) == ([1.0], [1])


def test_an_interrupt_is_never_caught(call: Any, clock: Clock) -> None:
    failing = Failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        call(patient(clock), failing)()
    assert failing.calls == 1


def test_what_makes_no_sense_is_refused() -> None:
    for options in (
        {"max_attempts": 0},
        {"initial_delay": -1},
        {"exponential_base": 0.5},
        {"max_retry_after": -1},
    ):
        with pytest.raises(ConfigError):
            retry_with_backoff(**options)  # type: ignore[arg-type]
    for options in ({"failure_threshold": 0}, {"window": 0}):
        with pytest.raises(ConfigError):
            CircuitBreaker(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        with_timeout(0)(print)


@pytest.mark.parametrize(
    "decorate",
    [
        retry_with_backoff(),
        CircuitBreaker(),
        with_timeout(30),
        fallback(lambda: "instead"),
        create_resilient_caller(),
    ],
    ids=["retries", "breaker", "limit", "fallback", "caller"],
)
def test_an_awaitable_of_a_plain_function_passes_no_guard_by(decorate: Any) -> None:
    async def get() -> str:
        return "ok"

    def method() -> Any:  # as of many clients
        return get()

    with pytest.raises(ConfigError, match="wrap it in `async def`"):
        decorate(method)()
    wrapped = decorate(functools.partial(get))
    assert asyncio.run(wrapped()) == "ok"


def test_a_decorated_function_keeps_its_name_and_docstring() -> None:
    def ask() -> None:
        """Ask."""

    for decorate in (retry_with_backoff(), CircuitBreaker(), with_timeout(1), fallback(ask)):
        assert (decorate(ask).__name__, decorate(ask).__doc__) == ("ask", "Ask.")


# ------------------------------------------------------------------------------------------------ breakers


def opened(clock: Clock, call: Any, **options: Any) -> tuple[CircuitBreaker, Failing, Callable[..., Any]]:
    """A breaker that two failures have opened."""
    breaker = CircuitBreaker(failure_threshold=2, recovery_timeout=60, clock=clock, **options)
    failing = Failing(Unavailable("a"), Unavailable("b"))
    guarded = call(breaker, failing)
    for _ in range(2):
        with pytest.raises(Unavailable):
            guarded()
    return breaker, failing, guarded


def test_a_breaker_opens_and_refuses_without_calling(call: Any, clock: Clock) -> None:
    breaker, failing, guarded = opened(clock, call)
    assert breaker.state == "open"
    clock.now += 20
    with pytest.raises(Unavailable) as caught:
        guarded()
    assert caught.value.retry_after == 40
    assert caught.value.unsent
    assert failing.calls == 2


def test_a_probe_that_succeeds_closes_it(call: Any, clock: Clock) -> None:
    breaker, _, guarded = opened(clock, call)
    clock.now += 60
    assert breaker.state == "half_open"
    assert guarded() == "ok"
    assert (breaker.state, breaker.failures) == ("closed", 0)


def test_a_probe_that_fails_opens_it_for_as_long_again(call: Any, clock: Clock) -> None:
    breaker, failing, guarded = opened(clock, call)
    failing.errors = [Unavailable("still")]
    clock.now += 60
    with pytest.raises(Unavailable, match="still"):
        guarded()
    clock.now += 59
    assert breaker.state == "open"
    with pytest.raises(Unavailable, match="too often"):
        guarded()
    clock.now += 1
    assert guarded() == "ok"


def test_only_one_probe_goes_through_at_a_time(clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, clock=clock)

    async def play() -> None:
        answer = asyncio.Event()
        fail = True

        @breaker
        async def ask() -> str:
            if fail:
                raise Unavailable("down")
            await answer.wait()
            return "ok"

        with pytest.raises(Unavailable):
            await ask()
        clock.now += 60
        fail = False
        probe = asyncio.create_task(ask())
        await asyncio.sleep(0)
        assert breaker.state == "half_open"
        with pytest.raises(Unavailable) as caught:
            await ask()
        assert caught.value.unsent
        answer.set()
        assert await probe == "ok"
        assert breaker.state == "closed"

    asyncio.run(play())


def test_a_probe_that_hangs_holds_up_nobody_for_long(clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, clock=clock)

    async def play() -> None:
        hangs: list[asyncio.Event] = []

        @breaker
        async def ask() -> str:
            if hangs:
                await hangs.pop().wait()
            return "ok"

        with pytest.raises(Unavailable):
            breaker(Failing(Unavailable("down")))()
        clock.now += 60
        hangs.append(answer := asyncio.Event())
        probe = asyncio.create_task(ask())
        await asyncio.sleep(0)
        clock.now += 59
        with pytest.raises(Unavailable):
            await ask()
        clock.now += 1
        assert await ask() == "ok"
        assert breaker.state == "closed"
        answer.set()
        assert await probe == "ok"
        assert breaker.state == "closed"

    asyncio.run(play())


def test_a_cancelled_probe_lets_the_next_call_probe(clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, clock=clock)
    failing = Failing(Unavailable("down"), KeyboardInterrupt())
    guarded = breaker(failing)
    with pytest.raises(Unavailable):
        guarded()
    clock.now += 60
    with pytest.raises(KeyboardInterrupt):
        guarded()
    assert breaker.state == "half_open"
    assert guarded() == "ok"


def test_a_success_forgets_failures(call: Any, clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=2, clock=clock)
    failing = Failing(Unavailable("a"))
    guarded = call(breaker, failing)
    for _ in range(5):
        failing.errors = [Unavailable("a")]
        with pytest.raises(Unavailable):
            guarded()
        assert breaker.failures == 1
        guarded()
    assert breaker.state == "closed"


def test_old_failures_do_not_count(call: Any, clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=2, window=30, clock=clock)
    failing = Failing(*(Unavailable("a") for _ in range(3)))
    guarded = call(breaker, failing)
    for wait in (30, 29, 0):
        with pytest.raises(Unavailable):
            guarded()
        assert breaker.state == ("closed" if wait else "open")
        clock.now += wait


@pytest.mark.parametrize(
    "error",
    [NotFound("no"), InvalidInput("no"), Conflict("no"), Corrupt("one record"), EmbeddingError("text")],
)
def test_what_does_not_speak_of_the_backend_does_not_count(
    call: Any, clock: Clock, error: MemwellError
) -> None:
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    with pytest.raises(type(error)):
        call(breaker, Failing(error))()
    assert (breaker.state, breaker.failures) == ("closed", 0)


def test_a_missing_record_is_an_answer_and_closes_it(call: Any, clock: Clock) -> None:
    breaker, failing, guarded = opened(clock, call)
    failing.errors = [NotFound("no")]
    clock.now += 60
    with pytest.raises(NotFound):
        guarded()
    assert breaker.state == "closed"


def test_only_the_expected_exception_counts(call: Any, clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, expected_exception=OSError, clock=clock)
    with pytest.raises(KeyError):
        call(breaker, Failing(KeyError()))()
    assert breaker.state == "closed"
    with pytest.raises(OSError):  # noqa: PT011  it has no message
        call(breaker, Failing(OSError()))()
    assert breaker.state == "open"


def test_a_breaker_can_be_reset_by_hand(call: Any, clock: Clock) -> None:
    breaker, _, guarded = opened(clock, call)
    breaker.reset()
    assert breaker.state == "closed"
    assert guarded() == "ok"


def test_a_call_that_began_before_it_opened_does_not_close_it(clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=60, clock=clock)
    begun, go_on = threading.Event(), threading.Event()

    @breaker
    def slow() -> str:
        begun.set()
        go_on.wait(10)
        return "late"

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(slow)
        begun.wait(10)
        with pytest.raises(Unavailable):
            breaker(Failing(Unavailable("down")))()
        go_on.set()
        assert late.result() == "late"
    assert breaker.state == "open"


def test_many_threads_count_every_failure(clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=801, clock=clock)
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(100):
            with pytest.raises(Unavailable):
                breaker(Failing(Unavailable("down")))()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    assert breaker.failures == 800


FORKED = """
import os, signal, threading, warnings
from memwell.resilience.decorators import CircuitBreaker
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads, which is the point
signal.alarm(60)
held, go_on = threading.Event(), threading.Event()

def clock():
    if threading.current_thread().name == "busy":
        held.set()
        go_on.wait()
    return 0.0

breaker = CircuitBreaker(failure_threshold=1, clock=clock)
threading.Thread(target=lambda: breaker.reset() or breaker(lambda: 1 / 0)(), name="busy", daemon=True).start()
held.wait()
child = os.fork()
if not child:
    signal.alarm(10)
    assert breaker(lambda: "ok")() == "ok"
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("ok")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_was_forked_while_a_thread_asked_the_breaker_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


# -------------------------------------------------------------------------------------------------- limits


def test_a_quick_call_answers_within_its_limit(call: Any) -> None:
    assert call(with_timeout(30), Failing())("yes") == "yes"


def test_an_error_of_the_call_comes_through_as_it_is(call: Any) -> None:
    for error in (KeyError("k"), TimeoutError("its own")):
        with pytest.raises(type(error)) as caught:
            call(with_timeout(30), Failing(error))()
        assert caught.value is error


def test_a_coroutine_that_takes_too_long_is_cancelled() -> None:
    cancelled = []

    @with_timeout(0.01)
    async def ask() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(TimedOut) as caught:
        asyncio.run(ask())
    assert isinstance(caught.value, Unavailable)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.transient
    assert not caught.value.unsent
    assert caught.value.operation == "ask"
    assert cancelled == [True]


def test_a_function_that_takes_too_long_is_left_alone_off_the_main_thread_too() -> None:
    go_on, done = threading.Event(), threading.Event()

    @with_timeout(0.01)
    def ask() -> None:
        go_on.wait(30)
        done.set()

    with ThreadPoolExecutor(1) as pool, pytest.raises(TimedOut, match="continues in its thread"):
        pool.submit(ask).result()
    go_on.set()
    assert done.wait(10), "the call has gone on"


def test_a_call_that_found_no_free_thread_was_never_made() -> None:
    go_on, calls = threading.Event(), []

    @with_timeout(0.01)
    def ask(number: int) -> None:
        calls.append(number)
        go_on.wait(30)

    errors = []
    for number in range(33):
        with pytest.raises(TimedOut) as caught:
            ask(number)
        errors.append(caught.value.unsent)
    assert errors == [False] * 32 + [True]
    go_on.set()
    assert sorted(calls) == list(range(32))


def test_threads_are_used_again() -> None:
    threads = set()

    @with_timeout(30)
    def ask() -> None:
        threads.add(threading.current_thread().name + str(threading.get_ident()))

    for _ in range(50):
        ask()
    assert len(threads) == 1


def test_a_process_that_may_start_no_more_threads_does_nothing_behind_anybodys_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers, calls = Workers("test"), []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(TimedOut, match="no thread was free") as caught:
            workers.run(lambda: calls.append(1), 0.01)
    assert caught.value.unsent
    assert workers.run(lambda: 2, 30) == 2
    assert calls == []
    workers.close()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_a_call_that_was_interrupted_before_it_began_is_never_made() -> None:
    workers, calls = Workers("test", max_threads=1), []
    begun, go_on = threading.Event(), threading.Event()

    def busy() -> bool:
        begun.set()
        return go_on.wait(30)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(workers.run, busy, 30)
        begun.wait(10)
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                workers.run(lambda: calls.append(1), 30)
        finally:
            signal.signal(signal.SIGALRM, before)
        go_on.set()
        assert first.result()
    assert workers.run(lambda: 2, 30) == 2
    assert calls == []
    workers.close()


def test_context_variables_reach_the_thread() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("here")
    assert with_timeout(30)(variable.get)() == "here"


# ----------------------------------------------------------------------------------------------- fallbacks


def test_a_fallback_answers_with_the_same_arguments(call: Any, caplog: pytest.LogCaptureFixture) -> None:
    decorated = call(fallback(lambda given: f"instead of {given}"), Failing(OSError("down")))
    assert decorated("that") == "instead of that"
    assert decorated("that") == "that"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_the_fallback_of_a_coroutine_function_may_be_one() -> None:
    async def instead() -> str:
        return "instead"

    @fallback(instead)
    async def ask() -> str:
        raise Unavailable("down")

    assert asyncio.run(ask()) == "instead"


def test_the_fallback_of_a_plain_function_may_not_be_one() -> None:
    async def instead() -> str:
        return "instead"

    with pytest.raises(ConfigError, match="instead returns an awaitable"):
        fallback(instead)(Failing(OSError()))()


@pytest.mark.parametrize("error", [NotFound("no"), InvalidInput("no"), Conflict("no")])
def test_a_fallback_hides_no_mistake_of_the_caller(call: Any, error: MemwellError) -> None:
    with pytest.raises(type(error)):
        call(fallback(lambda: "instead"), Failing(error))()


def test_a_fallback_takes_only_the_exceptions_named(call: Any) -> None:
    with pytest.raises(KeyError):
        call(fallback(lambda: "instead", exceptions=OSError), Failing(KeyError()))()


# ------------------------------------------------------------------------------------------------ together


def test_a_resilient_caller_tries_again_within_a_breaker(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memwell._bridge.pause", _no_pause)
    breaker = CircuitBreaker(failure_threshold=2)
    failing = Failing(*(OSError() for _ in range(4)))
    ask = call(create_resilient_caller(max_retries=2, timeout_seconds=30, breaker=breaker), failing)
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011  it has no message
            ask()
    assert failing.calls == 4
    assert breaker.state == "open"
    with pytest.raises(Unavailable):
        ask()
    breaker.reset()
    assert ask() == "ok"


async def _no_pause(seconds: float, *, blocking: bool) -> None:
    """Seconds pass at once."""


def test_a_limit_that_was_closed_serves_again() -> None:
    workers = Workers("test")
    for _ in range(2):
        assert workers.run(lambda: 1, 10) == 1
        workers.close()
