"""The process that `benchmarks.reliability.delivering` kills: delivers until it dies.

`python -m benchmarks.reliability.deliverer URL`. Failed messages are sent again soon, and a lease ends after a second.
"""

from __future__ import annotations

import sys
import time

from memwell import Memory
from memwell.engine import delivering
from memwell.followers.delivery.sink import Retries

__all__ = ["deliver", "hurry"]


def hurry() -> None:
    """Let this process wait less than others do."""
    delivering.RETRIES = Retries(first=0.05, longest=1.0, attempts=100)
    delivering.LEASE = 1.0


def deliver(url: str, *, once: bool = False) -> None:
    """Deliver, again and again, or until nothing is left."""
    hurry()
    with Memory(url, embedder=None) as memory:
        while True:
            found = memory.deliver()
            if once and not any(one.pending or one.waiting for one in found):
                return
            time.sleep(0.02)


if __name__ == "__main__":
    deliver(sys.argv[1])
