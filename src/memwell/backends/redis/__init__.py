"""Redis, shared by the store, the key-value part and the log: settings from a URL, clients, scripts, errors.

| module | contents |
|---|---|
| `settings` | the URL: hosts, login, TLS, Sentinel, Cluster, pool, timeouts, key prefix |
| `connections` | how redis-py connects: to a server, by Sentinel, to a Cluster |
| `clients` | a client for each event loop (`Clients`) or each process (`SyncClients`), shared by parts |
| `scripts` | Lua scripts, loaded where they are missing; many commands in one round trip |
| `errors` | maps errors of the driver and the server to memwell's errors |

The server is Redis 6.2 or later, or a compatible one (Valkey, KeyDB). A read is repeated once when its connection
breaks. A write is not repeated: its outcome is unknown, and a repeated increment would count twice. It raises
`Unavailable`; to repeat writes where that is safe, wrap the part in `Retrying`.
"""

from __future__ import annotations

from memwell.backends.redis.clients import Clients, SyncClients
from memwell.backends.redis.errors import translate
from memwell.backends.redis.scripts import Script, together, twice
from memwell.backends.redis.settings import OPTIONS, Settings

__all__ = ["OPTIONS", "Clients", "Script", "Settings", "SyncClients", "together", "translate", "twice"]
