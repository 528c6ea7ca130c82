"""A PostgreSQL database, shared by the store, the key-value part and the log.

URL: `postgresql://user:password@host:port/database`, several hosts separated by commas, or `postgresql:///database`
for the local socket (`?host=/folder`). Options:

- `schema=memwell`: the schema of all tables; created if the user may.
- `pool=10`: most connections of a process, for all parts that share them; `timeout=30`: seconds to wait for a free one.
- `connect_timeout=10`: seconds, at least 1; `statement_timeout=0`: seconds, 0 for no limit.
- `replica=host:port` (or a whole URL): a read replica that answers searches; while it cannot be reached, the primary
  answers.
- `prepare=false` behind a pooler, such as pgbouncer.
- `warm=200000`: how many records of often searched owners a process holds in memory, about 3 KB each; with 0 the
  database answers every search. Not used with a replica.
- `migrate=off`: never create or change tables; a missing table is a `ConfigError`.
- parameters of libpq: `sslmode`, `sslrootcert`, `application_name`, `target_session_attrs` and others.

Nothing is opened before the first use. Connections belong to the event loop they were opened on, and to the process: a
forked child opens its own. Parts that connect in the same way share them (`pool`); the last one to close closes them.
Numbered migrations run at the first use, under a lock: any number of processes may start at
once.

A write whose connection breaks raises `Unavailable`; nothing of it is stored unless the commit had been sent. A read is
repeated once over a new connection. A server that stops answering is detected (`watch`). Connections use UTF-8.
"""

from __future__ import annotations

from memwell.backends.postgres.adapt import Raw
from memwell.backends.postgres.connections import Connection
from memwell.backends.postgres.database import SESSION, Database
from memwell.backends.postgres.errors import translate
from memwell.backends.postgres.migrations.runner import Component, Derived, Status
from memwell.backends.postgres.settings import OPTIONS, Settings

__all__ = [
    "OPTIONS",
    "SESSION",
    "Component",
    "Connection",
    "Database",
    "Derived",
    "Raw",
    "Settings",
    "Status",
    "translate",
]
