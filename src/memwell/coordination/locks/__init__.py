"""Locks over the `KeyValue` port: one holder at a time, among threads, tasks, processes and machines.

::

    async with lock(keyvalue, "nightly sweep", ttl=30, wait=10) as held:
        ...
        held.check()                                  # raises Conflict if the lock was lost
        storage.write(data, token=held.token)         # a resource that refuses older tokens

`lock` needs one key-value; `redlock` a majority of several independent ones. `lock_sync` and `redlock_sync` are the
same for `with`, without an event loop where no part needs one.

*How.* Who adds the key holds the lock; it removes the key only if that still has its own value. The key expires after
`ttl` seconds, so a holder that dies keeps nobody out for longer.

*What no lock with an expiry can promise.* A holder may be paused (swapped out, suspended, a long garbage collection)
until its lock has expired and somebody else has it; when it goes on, it does not know. `lost` and `check()` tell it
as soon as it asks, by this machine's own clock and never too late, but nothing can be asked between a check and the
write that follows. Only the resource can close that gap [1]: each holder of a name gets a `token`, an integer larger
than that of every earlier holder, and sends it along; the resource refuses a token smaller than one it has seen.

*When the key-value dies:* a holder keeps the lock until its `ttl` is over by its own clock, and nobody gets it
meanwhile; entering raises `Unavailable`. One that comes back *empty* (memcached, a Redis that does not save each
write, a replica that had not heard of the last writes) may give the lock a second time, and begins again with small
tokens: use one that keeps what it has acknowledged, or `redlock`.

Not re-entrant: a holder that enters the same lock again waits for itself. Tasks and threads make a lock each; one that
is held or being entered already refuses with `InvalidInput`. Not fair: of those who wait, anyone may be
next. A forked child does not hold its parent's locks.

[1] M. Kleppmann, "How to do distributed locking", 2016,
https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html
"""

from __future__ import annotations

from memwell.coordination.locks.base import Lock, SyncLock
from memwell.coordination.locks.majority import redlock, redlock_sync
from memwell.coordination.locks.single import lock, lock_sync

__all__ = ["Lock", "SyncLock", "lock", "lock_sync", "redlock", "redlock_sync"]
