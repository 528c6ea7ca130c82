"""The Memory Adapter Layer over memwell: `api.MemoryAPI`, the adapters of `adapter`, and the SQL `migrations`.

| module | contents |
|---|---|
| `api` | `MemoryAPI`, and the global instance |
| `base` | the interfaces of adapters, for your own ones |
| `adapter` | all adapters: Redis, PostgreSQL, vectors, embedded |
| `settings` | configuration dicts as settings of memwell's parts |
| `migrations` | the tables on PostgreSQL |

What is not configured is embedded: in memory, or in the SQLite file `path=`.
"""
