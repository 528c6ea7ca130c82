"""Forks: what registered is reset in every child, and no lock of the parent is ever waited for there."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from memwell import _bridge, _forks
from memwell._forks import fork_safe
from memwell.backends.memcached import MemcachedKeyValue
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.backends.memory.log import MemoryLog
from memwell.backends.memory.store import MemoryStore
from memwell.backends.redis.clients import _Sync
from memwell.backends.sharing import Shared
from memwell.followers.index_projection import follower_of
from memwell.followers.replay import Replay
from memwell.indexes.exact import Exact
from memwell.indexes.listing import Listing
from memwell.registry import open_log, open_store
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.resilience.workers import Workers
from memwell.retrieval.index.owner_cache import OwnerCache
from memwell.wrappers.cached import _Recent
from memwell.wrappers.cached_store import CachedStore

LOCKS = (type(threading.Lock()), type(threading.RLock()))
SOURCE = Path(__file__).parents[1] / "src"
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def in_child(check: Callable[[], bool]) -> bool:
    """What a forked child says."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Noting:
    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes
        fork_safe(self.reset)

    def reset(self) -> None:
        self.notes.append(self.name)


def test_resets_run_in_order_in_the_child_and_never_in_the_parent() -> None:
    notes: list[str] = []
    kept = [Noting(name, notes) for name in "abc"]
    assert in_child(lambda: notes == ["a", "b", "c"])
    assert notes == []
    del kept


def test_what_is_made_in_a_child_is_reset_in_its_own_children() -> None:
    def check() -> bool:
        notes: list[str] = []
        made = Noting("made in the child", notes)
        return in_child(lambda: notes == [made.name]) and notes == []

    assert in_child(check)


def test_an_object_that_nobody_needs_is_collected() -> None:
    notes: list[str] = []
    before = len(_forks._resets)
    for _ in range(100):
        Noting("gone", notes)
    gc.collect()
    assert len(_forks._resets) <= before
    assert in_child(lambda: notes == [])


FAILING = """
import os
from memwell._forks import fork_safe
done = []
def fail(): raise ValueError("the first reset fails")
class Other:
    def reset(self): done.append(1)
other = Other()
fork_safe(fail)
fork_safe(other.reset)
child = os.fork()
if not child:
    os._exit(0 if done else 1)
print(os.waitpid(child, 0)[1])
"""


def test_a_reset_that_fails_is_reported_and_holds_up_no_other() -> None:
    done = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n"
    assert "the first reset fails" in done.stderr


async def _no_ids() -> list[str]:
    return []


OBJECTS: dict[str, Callable[[], Any]] = {
    "loop": _bridge.Loop,
    "per-loop lock": lambda: _bridge.PerLoopLock(blocking=True),
    "breaker": CircuitBreaker,
    "store": MemoryStore,
    "key-value": MemoryKeyValue,
    "log": MemoryLog,
    "listing": lambda: Listing(_no_ids),
    "index": lambda: Exact(2)._lock,
    "workers": lambda: Workers("test"),
    "owner cache": lambda: OwnerCache(lambda _, __: 0, lambda _: 0, 1),
    "cached store": lambda: CachedStore(open_store("memory://")),
    "cached embedder": lambda: _Recent(1, 1),
    "memcached": lambda: MemcachedKeyValue("127.0.0.1", 9),
    "shared connections": Shared,
    "redis": lambda: _Sync(Redis),
    "follower": lambda: follower_of(open_store("memory://"), Exact(2), "model")[0],
    "replay": lambda: Replay(open_store("memory://"), open_log("memory://")),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_lock_that_another_thread_holds_is_free_in_the_child(name: str) -> None:
    made = OBJECTS[name]()
    locks = {name: value for name, value in vars(made).items() if isinstance(value, LOCKS)}
    assert locks, "it has a lock, or there is nothing to test"
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        for lock in locks.values():
            lock.acquire()
        held.set()
        over.wait()
        for lock in locks.values():
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert in_child(lambda: all(getattr(made, name).acquire(blocking=False) for name in locks))
        assert not any(lock.acquire(blocking=False) for lock in locks.values())
    finally:
        over.set()
        thread.join()


def test_nobody_looks_for_forks_by_himself() -> None:
    """A lock between processes asks whose it is; everything else registers."""
    asking = re.compile(r"[!=]= (os\.)?getpid\(\)")
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if asking.search(path.read_text())
    }
    assert found <= {"memwell/coordination/locks/base.py", "memwell/testing/services/watchdog.py"}


def test_the_end_of_the_interpreter_prints_nothing() -> None:
    """Objects with locks that live until the very end, in a module and in a circle."""
    program = """
import threading
from memwell._forks import fork_safe

class Part:
    def __init__(self):
        self.circle = self
        self._reset()
        fork_safe(self._reset)

    def _reset(self):
        self.lock = threading.Lock()

parts = [Part() for _ in range(100)]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
