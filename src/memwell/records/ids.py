"""Record ids: UUID version 7 (RFC 9562, section 5.7), ordered by time even within a millisecond of one process."""

from __future__ import annotations

import random
import threading
import time

from memwell._forks import fork_safe

__all__ = ["new_id"]

_FREE = (0xFFF << 64) | ((1 << 62) - 1)
"""The bits of the lower 80 that are neither version nor variant."""
_FIXED = (7 << 76) | (2 << 62)
_random = random.Random()  # noqa: S311  seeded by the system; ids must be unique, not secret
_lock = threading.RLock()
_last = 0


def new_id() -> str:
    """A fresh UUIDv7 as text: 48 bits of milliseconds, then 74 random bits; on a tie the random part counts on."""
    global _last
    moment = time.time_ns() // 1_000_000 << 80
    value = moment | (_random.getrandbits(80) & _FREE)
    with _lock:
        if value <= _last:
            value = _last + 1 + _random.getrandbits(32)
        _last = value
    digits = f"{value | _FIXED:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    _random.seed()


fork_safe(_after_fork)
