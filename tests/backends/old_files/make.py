"""Make the old files again, with the code of a release:
`PYTHONPATH=<its src>:. python -m tests.backends.old_files.make`.

For each backend it fills one store, one key-value part and one log, writes what the code reads back of them, and then
the backend itself: the file of SQLite, a dump of PostgreSQL, the commands that fill Redis. Servers are started for it.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import redis as driver
from tests.backends.old_files.contents import NOW, describe, describe_parts, fill, fill_parts

from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.services import PostgresServer, postgres, redis
from memwell.testing.services.postgres_server import _binaries

HERE = Path(__file__).parent
PREFIX = "old:"
"""Stands for the prefix of the keys of Redis."""


def main() -> None:
    """Write all files anew."""
    path = HERE / "sqlite.file"
    path.unlink(missing_ok=True)
    _fill(f"sqlite:///{path}", "sqlite")
    with postgres(durable=False) as server:
        _fill(server.url, "postgres")
        (HERE / "postgres.sql").write_text(_dumped(server))
    with redis(durable=False) as cache:
        _fill(f"{cache.url}?prefix={PREFIX}", "redis")
        client = driver.Redis.from_url(cache.url)
        lines = [json.dumps([word.hex() for word in command]) for command in _commands(client)]
        (HERE / "redis.jsonl").write_text("\n".join(lines) + "\n")


def _fill(url: str, name: str) -> None:
    store, values, log = open_store(url), open_keyvalue(url), open_log(url)
    fill(store)
    fill_parts(values, log)
    described = {
        **describe(store),
        **describe_parts(values, log),
        "position": run(store, store.position()),
        "index": run(store, store.claim("index", "reader", seconds=0, now=NOW)),
    }
    run(store, store.advance("index", "reader", described["index"], release=True))
    (HERE / f"{name}.json").write_text(json.dumps(described, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for part in (store, values, log):
        run(part, part.close())


def _dumped(server: PostgresServer) -> str:
    """The dump as statements that any client can run."""
    command = [str(_binaries(18, server.user) / "pg_dump"), "--inserts", "--no-owner", "--dbname", server.url]
    dump = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    kept = [line for line in dump.splitlines() if not re.match(r"--|\\|SET transaction_timeout", line)]
    return "\n".join(kept) + "\n"


def _commands(client: Any) -> list[list[bytes]]:
    """The commands that write every key again."""
    found: list[list[bytes]] = []
    for key in sorted(client.keys(f"{PREFIX}*")):
        match client.type(key):
            case b"string":
                found.append([b"SET", key, client.get(key)])
                if (life := client.pttl(key)) > 0:
                    found.append([b"PEXPIRE", key, b"%d" % life])
            case b"hash":
                fields = sorted(client.hgetall(key).items())
                found.append([b"HSET", key, *(word for pair in fields for word in pair)])
            case b"zset":
                members = client.zrange(key, 0, -1, withscores=True)
                words = ((b"%d" % score, member) for member, score in members)
                found.append([b"ZADD", key, *(word for pair in words for word in pair)])
            case b"stream":
                last = client.xinfo_stream(key)["last-generated-id"]
                for id, fields in client.xrange(key):
                    found.append([b"XADD", key, id, *(word for pair in fields.items() for word in pair)])
                if not client.xlen(key):
                    found += [[b"XADD", key, last, b"d", b""], [b"XDEL", key, last]]
    return [command for command in found if b"{old:}commit:" not in command[1]]


if __name__ == "__main__":
    main()
