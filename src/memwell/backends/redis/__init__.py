"""What every part on Redis stands on: settings from a URL, clients, scripts, and one table of errors.

| module | knows |
|---|---|
| `settings` | the URL: hosts, login, TLS, Sentinel, Cluster, pool, timeouts, key prefix |
| `clients` | a client for each event loop (`Clients`) or each process (`SyncClients`), made when first asked for |
| `scripts` | Lua scripts, loaded where they are missing; many commands in one round trip |
| `errors` | from what the driver and the server say to memwell's errors |

The server is Redis 6.2 or later, or one that speaks like it (Valkey, KeyDB). A read is done once more when its
connection breaks. A write is not: nobody knows whether it was done, and an increment done twice would be a wrong
count. It raises `Unavailable`; to repeat it where that is safe, wrap the part in `Retrying`.
"""

from __future__ import annotations

from memwell.backends.redis.clients import Clients, SyncClients
from memwell.backends.redis.errors import translate
from memwell.backends.redis.scripts import Script, together, twice
from memwell.backends.redis.settings import OPTIONS, Settings

__all__ = ["OPTIONS", "Clients", "Script", "Settings", "SyncClients", "together", "translate", "twice"]
