"""One PostgreSQL database, as the store, the key-value part and the log use it.

URL: `postgresql://user:password@host:port/database`, several hosts separated by commas, or `postgresql:///database`
for the local socket (`?host=/folder`). Options:

- `schema=memwell`: where all tables are; created if that is allowed.
- `pool=10`: most connections of a process; `timeout=30`: seconds to wait for a free one.
- `connect_timeout=10`: seconds, at least 1; `statement_timeout=0`: seconds, 0 for no limit.
- `replica=host:port` (or a whole URL): a read replica that answers searches; while it cannot be reached, the primary
  answers.
- `prepare=false` behind a pooler, such as pgbouncer.
- `warm=200000`: so many records of owners who are asked often are searched in the memory of the process, about 3 KB
  each; 0 leaves every search to the database. Not beside a replica.
- `migrate=off`: never create or change tables; what is missing is a `ConfigError` then.
- what libpq knows: `sslmode`, `sslrootcert`, `application_name`, `target_session_attrs` and others.

Nothing is opened before the first use. Connections belong to the event loop they were opened on, and to the process: a
forked child opens its own. Numbered migrations run at the first use, under a lock: any number of processes may start at
once.

A write over a connection that breaks raises `Unavailable`, and nothing of it is stored unless the commit itself had
been sent. A read is done once more over a new connection. A server that does not answer is noticed (`watch`).
Connections speak UTF-8.
"""

from __future__ import annotations

from memwell.backends.postgres.adapt import Raw
from memwell.backends.postgres.connections import Connection
from memwell.backends.postgres.database import SESSION, Database
from memwell.backends.postgres.errors import translate
from memwell.backends.postgres.migrations.runner import Component, Status
from memwell.backends.postgres.settings import OPTIONS, Settings

__all__ = [
    "OPTIONS",
    "SESSION",
    "Component",
    "Connection",
    "Database",
    "Raw",
    "Settings",
    "Status",
    "translate",
]
