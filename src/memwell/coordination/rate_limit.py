"""Rate limits on the `KeyValue` port, shared by all callers that use the same name.

::

    answer = await rate_limit(keyvalue, f"recall {user_id}", limit=100, per=60)
    if not answer.allowed:
        raise TooMany(retry_after=answer.retry_after)

*Algorithm.* A sliding window counter [1]. Time is divided into windows of `per` seconds since 1970. The number of calls
in the last `per` seconds is estimated from two counters: that of the current window, plus that of the previous one
times the share of it that still lies within the last `per` seconds. Each name needs two small keys, each call one read
and one `increment`.

*Guarantee.* Each window admits at most `limit` calls, however many processes there are: each call increments the
counter first, and no two calls get the same number. An interval of `per` seconds that starts in between may see more,
because the estimate assumes that the calls of the previous window were spread evenly; if they all came at its end,
the interval sees fewer than twice the limit. On average it is `limit` per `per` seconds.

A refused call takes its count back. While several calls compete for the last place, one may be refused that would be
admitted a moment later. A process that dies between the two increments leaves its count behind, for two windows at
most. The clocks of all machines should agree to within a small fraction of `per`.

[1] J. Desgats, "How we built rate limiting capable of scaling to millions of domains", Cloudflare, 2017,
https://blog.cloudflare.com/counting-things-a-lot-of-different-things/
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from memwell import _bridge
from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput
from memwell.ports import KeyValue
from memwell.ports.keyvalue import check_key

__all__ = ["Rate", "rate_limit", "rate_limit_sync"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The answer of a rate limit."""

    allowed: bool
    """Whether the call is admitted. If so, it has been counted."""
    remaining: int
    """How many more calls would be admitted now."""
    retry_after: float
    """Seconds until the call would be admitted if there were no other calls; 0 if it was admitted."""


async def rate_limit(
    keyvalue: KeyValue,
    name: str,
    limit: int,
    per: float,
    *,
    cost: int = 1,
    clock: Callable[[], float] = time.time,
) -> Rate:
    """Admit and count a call under `name` if at most `limit` calls happen within `per` seconds, else refuse it.

    The call counts as `cost` calls. `clock` returns seconds since 1970. Raises `InvalidInput` if `limit` or `cost` is
    below 1, `cost` is above `limit`, or `per` is not a finite number above 0. Errors of the key-value are raised as
    they are; the caller decides whether to go on without a limit.
    """
    _check(limit, per, cost)
    prefix, now = f"rate:{check_key(name)}:{float(per)!r}", clock()
    number = math.floor(now / per)
    fraction = min(max(now / per - number, 0.0), 1.0)
    previous, current = (f"{prefix}:{number - 1}", f"{prefix}:{number}")
    counters = await keyvalue.get_many([previous, current])
    last, count = int(counters.get(previous, b"0")), int(counters.get(current, b"0"))
    if _estimate(last, count + cost, fraction) <= limit:
        ttl = 2 * per + 1
        count = await keyvalue.increment(current, cost, ttl=ttl)
        if _estimate(last, count, fraction) <= limit:
            return Rate(allowed=True, remaining=_remaining(last, count, fraction, limit), retry_after=0.0)
        count = await keyvalue.increment(current, -cost, ttl=ttl)  # other calls were faster
    wait = _wait(last, count, fraction, limit, cost) * per
    return Rate(allowed=False, remaining=_remaining(last, count, fraction, limit), retry_after=wait)


def rate_limit_sync(
    keyvalue: KeyValue,
    name: str,
    limit: int,
    per: float,
    *,
    cost: int = 1,
    clock: Callable[[], float] = time.time,
) -> Rate:
    """Like `rate_limit`, for synchronous code."""
    call = rate_limit(keyvalue, name, limit, per, cost=cost, clock=clock)
    return _bridge.complete(call, blocking=keyvalue.blocking)


def _check(limit: int, per: float, cost: int) -> None:
    for what, number in (("limit", limit), ("cost", cost)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise InvalidInput(f"{what} must be an integer of at least 1")
    if cost > limit:
        raise InvalidInput(f"a cost of {cost} is above the limit of {limit} and would never be admitted")
    if isinstance(per, bool) or not isinstance(per, int | float) or not 0 < per < math.inf:
        raise InvalidInput("per must be a finite number of seconds above 0")


def _estimate(last: int, count: int, fraction: float) -> float:
    return last * (1 - fraction) + count


def _remaining(last: int, count: int, fraction: float, limit: int) -> int:
    return max(0, math.floor(limit - _estimate(last, count, fraction)))


def _wait(last: int, count: int, fraction: float, limit: int, cost: int) -> float:
    """Windows until `_estimate` is low enough, and slightly more, so that rounding cannot keep it too high."""
    margin = 1e-6
    if count + cost <= limit:  # within this window, once enough of the previous one has passed
        return margin + (max(0.0, 1 - (limit - count - cost) / last - fraction) if last else 0.0)
    return 1 - fraction + max(0.0, 1 - (limit - cost) / count) + margin
