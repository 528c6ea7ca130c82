"""Migrate the tables of the database, and copy memories from one driver to another.

Run it as `python -m memwell.compat.memory_drivers.migrate`:

- `migrate` without more, or `migrate pending`: apply the migrations that the database in `DATABASE_URL` lacks;
- `migrate status`: show them;
- `migrate fresh [--yes]`: drop memwell's tables in it and make empty ones; asks first;
- `migrate copy FROM TO`: copy all memories of one driver to another, by name, and compare them afterwards. A copy that
  was cut short is continued by running it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from memwell import Memory
from memwell.cli.root import run
from memwell.compat.memory_drivers.manager import MemoryDriverManager
from memwell.compat.memory_drivers.memwell_driver import MemwellDriver
from memwell.errors import ConfigError, Corrupt, MemwellError
from memwell.fields import SCOPE, STORED
from memwell.types import Record

__all__ = ["copy", "main"]

_PAGE = 500


def copy(source: Memory, target: Memory) -> int:
    """Copy all memories, with their history and links, and return how many.

    Raises `Corrupt` if a memory differs in the target afterwards; nothing is removed from either.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memories.jsonl"
        source.export(path, vectors=False)
        target.import_(path)
    copied = {record.id: record for record in _all(target)}
    count = 0
    for record in _all(source):
        count += 1
        if record.id not in copied or _stored(copied[record.id]) != _stored(record):
            raise Corrupt(f"memory {record.id} is not the same in the target; run the copy again")
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands, and return its exit code."""
    parser = argparse.ArgumentParser(prog="migrate", description="The tables of the database, and moving on.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("pending", help="apply the migrations that are missing (the default)")
    commands.add_parser("status", help="show the migrations")
    fresh = commands.add_parser("fresh", help="drop memwell's tables and make empty ones")
    fresh.add_argument("--yes", action="store_true", help="do not ask first")
    moving = commands.add_parser(
        "copy", help="copy all memories from one driver to another, and compare them"
    )
    moving.add_argument("source", metavar="FROM")
    moving.add_argument("target", metavar="TO")
    chosen = parser.parse_args(arguments)
    if chosen.command == "copy":
        return _copy(chosen.source, chosen.target)
    url = os.environ.get("DATABASE_URL")
    if not url:
        sys.stderr.write(
            "set DATABASE_URL to the database, as in postgresql://user:password@localhost:5432/dbname\n"
        )
        return 2
    command = {"fresh": "fresh", "status": "status"}.get(chosen.command, "migrate")
    options = ["--yes"] if getattr(chosen, "yes", False) else []
    return run(["--url", url, "db", command, *options])


def _copy(source: str, target: str) -> int:
    try:
        memories = [_memory_of(name) for name in (source, target)]
        sys.stdout.write(f"{copy(*memories)} memories are the same in {target}\n")
    except (MemwellError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        MemoryDriverManager.reset_cache()
    return 0


def _memory_of(name: str) -> Memory:
    driver = MemoryDriverManager.get_driver(name)
    if not isinstance(driver, MemwellDriver):
        raise ConfigError(f"driver {name!r} is not one of memwell's, whose memories can be copied")
    return driver.memory


def _all(memory: Memory) -> Iterator[Record]:
    cursor = None
    while True:
        page = memory.list(limit=_PAGE, cursor=cursor)
        yield from page.records
        if (cursor := page.cursor) is None:
            return


def _stored(record: Record) -> dict[str, object]:
    """What must be the same in the target: all that was stored."""
    values = record.to_dict()
    return {name: values[name] for name in (*SCOPE, *STORED)}


if __name__ == "__main__":
    sys.exit(main())
