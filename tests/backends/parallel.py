"""Work on other event loops and in forked processes."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

__all__ = ["forked", "in_threads"]

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


def in_threads(*works: Work) -> None:
    """Run each on an event loop in a thread of its own. Raises what one of them raised."""
    failed: list[BaseException] = []

    def start(work: Work) -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=start, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed, failed


def forked(work: Work) -> int:
    """The exit status of a forked child that does the work in a thread, as the loop of its parent runs in the first."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            in_threads(work)
            gc.collect()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
