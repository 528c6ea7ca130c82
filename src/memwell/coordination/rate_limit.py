"""How often something may happen: a rate limit over the `KeyValue` port, shared by all who use the same name.

::

    answer = await rate_limit(keyvalue, f"recall {user_id}", limit=100, per=60)
    if not answer.allowed:
        raise TooMany(retry_after=answer.retry_after)

*How.* Time is cut into windows of `per` seconds, counted from 1970. What happened in the window that ends now is
estimated from two counters [1]: that of the present window, and that of the one before, weighted with the share of it
that is still inside. Two small keys for each name, one read and one `increment` for each call.

*The bound.* In each of the windows at most `limit` are admitted, never more, by however many processes at once: each
counts itself before it is admitted, and the counter tells each a different number. In an interval of `per` seconds that
begins anywhere, the estimate supposes that the last window's calls were spread evenly; if all of them came at its very
end, such an interval sees up to `limit` more in the fraction of the window that has passed: always less than twice the
limit, and over time `limit` each `per` seconds on average.

A call that is refused takes its count back. While several meet at the edge of the limit, one may be refused that a
moment later would not be. A process that dies between the two leaves its count, for two windows at most. The clocks of
all machines should agree to a small part of `per`.

[1] J. Desgats, "How we built rate limiting capable of scaling to millions of domains", Cloudflare, 2017,
https://blog.cloudflare.com/counting-things-a-lot-of-different-things/
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from memwell import _bridge
from memwell.errors import InvalidInput
from memwell.ports import KeyValue
from memwell.ports.keyvalue import check_key

__all__ = ["Rate", "rate_limit", "rate_limit_sync"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a rate limit says."""

    allowed: bool
    """Whether it may happen; it has been counted then."""
    remaining: int
    """How many more would be allowed at this moment."""
    retry_after: float
    """Seconds until it would be allowed if nobody else came; 0 if it was."""


async def rate_limit(
    keyvalue: KeyValue,
    name: str,
    limit: int,
    per: float,
    *,
    cost: int = 1,
    clock: Callable[[], float] = time.time,
) -> Rate:
    """Count one call (or `cost` of them) under a name, if that keeps to `limit` in `per` seconds; whether it does.

    Raises `InvalidInput` for a limit or cost below 1, a cost above the limit, which would never be allowed, and a `per`
    that is not finite and over 0. What the key-value raises goes on: it is for you to say whether to admit then.
    `clock` gives seconds since 1970.
    """
    _check(limit, per, cost)
    prefix, now = f"rate:{check_key(name)}:{float(per)!r}", clock()
    number = math.floor(now / per)
    fraction = min(max(now / per - number, 0.0), 1.0)
    before, present = (f"{prefix}:{number - 1}", f"{prefix}:{number}")
    found = await keyvalue.get_many([before, present])
    last, count = int(found.get(before, b"0")), int(found.get(present, b"0"))
    if _estimate(last, count + cost, fraction) <= limit:
        life = 2 * per + 1
        count = await keyvalue.increment(present, cost, ttl=life)
        if _estimate(last, count, fraction) <= limit:
            return Rate(allowed=True, remaining=_left(last, count, fraction, limit), retry_after=0.0)
        count = await keyvalue.increment(present, -cost, ttl=life)  # others were faster
    wait = _wait(last, count, fraction, limit, cost) * per
    return Rate(allowed=False, remaining=_left(last, count, fraction, limit), retry_after=wait)


def rate_limit_sync(
    keyvalue: KeyValue,
    name: str,
    limit: int,
    per: float,
    *,
    cost: int = 1,
    clock: Callable[[], float] = time.time,
) -> Rate:
    """As `rate_limit`, without `await`."""
    call = rate_limit(keyvalue, name, limit, per, cost=cost, clock=clock)
    return _bridge.complete(call, blocking=keyvalue.blocking)


def _check(limit: int, per: float, cost: int) -> None:
    for what, number in (("limit", limit), ("cost", cost)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise InvalidInput(f"{what} is a whole number of 1 or more")
    if cost > limit:
        raise InvalidInput(f"a cost of {cost} is above the limit of {limit} and would never be allowed")
    if isinstance(per, bool) or not isinstance(per, int | float) or not 0 < per < math.inf:
        raise InvalidInput("per is a finite number of seconds over 0")


def _estimate(last: int, count: int, fraction: float) -> float:
    return last * (1 - fraction) + count


def _left(last: int, count: int, fraction: float, limit: int) -> int:
    return max(0, math.floor(limit - _estimate(last, count, fraction)))


def _wait(last: int, count: int, fraction: float, limit: int, cost: int) -> float:
    """Windows until `_estimate` has sunk far enough, a hair more so that rounding cannot keep it above."""
    hair = 1e-6
    if count + cost <= limit:  # in this window, as soon as enough of the last one is outside
        return hair + (max(0.0, 1 - (limit - count - cost) / last - fraction) if last else 0.0)
    return 1 - fraction + max(0.0, 1 - (limit - cost) / count) + hair
