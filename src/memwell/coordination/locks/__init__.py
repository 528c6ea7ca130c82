"""Locks on the `KeyValue` port: one holder at a time, among threads, tasks, processes and machines.

::

    async with lock(keyvalue, "nightly sweep", ttl=30, wait=10) as held:
        ...
        held.check()                                  # raises Conflict if the lock was lost
        storage.write(data, token=held.token)         # a resource that refuses lower tokens

`lock` uses one key-value, `redlock` a majority of several independent ones. `lock_sync` and `redlock_sync` are for
`with`; they need no event loop unless a part does.

*Algorithm.* The caller that adds the key holds the lock. It deletes the key only if the key still has its own value.
The key expires after `ttl` seconds, so a holder that dies blocks others for no longer.

*Limits of every lock that expires.* A holder may be paused (swapped out, suspended, a long garbage collection) until
its lock has expired and another caller holds it. `lost` and `check()` detect that, by the clock of this machine and
never too late, but the pause may also fall between the check and the write that follows. Only the resource can close
that gap [1]: each holder of a name gets a `token`, an integer larger than that of every earlier holder, and sends it
along; the resource refuses a token lower than one it has seen.

*If the key-value is down,* a holder keeps the lock until its `ttl` is over by its own clock, no other caller gets it,
and entering raises `Unavailable`. If it restarts *empty* (memcached, a Redis that does not save each write, a replica
that lacks the last writes), it may grant the lock a second time, and tokens start again at 1: use a durable one, or
`redlock`.

Locks are not re-entrant: a holder that enters the same name again waits for itself. Each task and thread needs its own
lock object; one that is already held or being entered raises `InvalidInput`. Locks are not fair: any waiting caller may
be next. A forked child does not hold its parent's locks.

[1] M. Kleppmann, "How to do distributed locking", 2016,
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

from __future__ import annotations

from memwell.coordination.locks.base import Lock, SyncLock
from memwell.coordination.locks.quorum import redlock, redlock_sync
from memwell.coordination.locks.single_node import lock, lock_sync

__all__ = ["Lock", "SyncLock", "lock", "lock_sync", "redlock", "redlock_sync"]
