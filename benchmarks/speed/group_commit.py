"""What group commit is worth: durable commits a second (`synchronous=FULL`, one fsync each) by number of
writing threads.

Run `python benchmarks/speed/group_commit.py [--seconds 2] [--json FILE]`. The first column is
`transaction()`, one commit for each call; the second `submit()`, in which threads that wait share a commit.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from memwell.backends.sqlite.database import Database

THREADS = (1, 2, 4, 8, 16)


def insert(connection: sqlite3.Connection) -> None:
    """The work of one commit: one small row."""
    connection.execute("INSERT INTO entry (text) VALUES ('one small memory')")


def alone(database: Database) -> None:
    """One commit for this call only."""
    with database.transaction() as connection:
        insert(connection)


def together(database: Database) -> None:
    """One commit, shared by all waiting writers."""
    database.submit(insert)


def measure(write: Callable[[Database], None], threads: int, seconds: float) -> tuple[float, float]:
    """Calls acknowledged a second, and calls per commit, by `threads` threads on a new file."""
    commits = 0

    def note(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder) / "bench.db"
        database = Database(path, durability="full", setup=lambda c: c.set_trace_callback(note))
        database.migrate("bench", ["CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)"])
        commits = 0
        calls, elapsed = hammer(database, write, threads, seconds)
        stored = database.read().execute("SELECT count(*) FROM entry").fetchone()[0]
        database.close()
    if stored != calls:
        raise SystemExit(f"{calls} calls were acknowledged, {stored} rows are stored")
    return calls / elapsed, calls / commits


def hammer(
    database: Database, write: Callable[[Database], None], threads: int, seconds: float
) -> tuple[int, float]:
    """Write from several threads for some seconds; returns the number of calls and the time they took."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            write(database)
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts), time.perf_counter() - started


def main() -> None:
    """Print the table. Rounds go over all cells in turn, so that a disk that changes its mind is unjust to
    none."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=1.0, help="per cell and round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    cells = [(write, threads) for threads in THREADS for write in (alone, together)]
    rounds = [[measure(*cell, given.seconds) for cell in cells] for _ in range(given.rounds)]
    medians = [
        tuple(statistics.median(x) for x in zip(*cell, strict=True)) for cell in zip(*rounds, strict=True)
    ]
    rows = [
        {"threads": threads, "transaction": lone[0], "submit": shared[0], "calls_per_commit": shared[1]}
        for threads, lone, shared in zip(THREADS, medians[::2], medians[1::2], strict=True)
    ]
    print(f"{'threads':>7}  {'transaction/s':>13}  {'submit/s':>9}  {'× one':>6}  {'calls per commit':>16}")
    for row in rows:
        ratio = row["submit"] / rows[0]["submit"]
        print(
            f"{row['threads']:>7}  {row['transaction']:>13,.0f}  {row['submit']:>9,.0f}  {ratio:>6.1f}"
            f"  {row['calls_per_commit']:>16.1f}"
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
