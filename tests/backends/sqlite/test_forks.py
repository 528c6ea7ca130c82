"""A process that forks while it has a SQLite file open: both sides go on, and nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

COMMON = """
import os, signal, sys, threading, warnings
from memwell.backends.sqlite.database import Database
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads, which is the point
signal.alarm(60)
path = sys.argv[1]
database = Database(path, timeout=10)
database.migrate("test", ["CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)"])
def add(text):
    database.submit(lambda c: c.execute("INSERT INTO entry (text) VALUES (?)", (text,)) and None)
def count(database=database):
    return database.read().execute("SELECT count(*) FROM entry").fetchone()[0]
"""

BOTH_SIDES = """
add("before"), count()
child = os.fork()
name = "parent" if child else "child"
for number in range(300):
    add(f"{name} {number}")
    assert count() >= number + 2
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert count() == 601, count()
    print("ok")
database.close()
"""

BESIDE_WRITERS = """
stop = threading.Event()
def work(writer):
    number = 0
    while not stop.is_set():
        add(f"{writer} {number}"); number += 1
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for thread in threads: thread.start()
failed = 0
for turn in range(25):
    child = os.fork()
    if not child:
        try:
            for number in range(5): add(f"child {turn} {number}"); assert count()
        except BaseException as error:
            print(repr(error), file=sys.stderr); os._exit(1)
        os._exit(0)
    failed += os.waitpid(child, 0)[1]
stop.set()
for thread in threads: thread.join()
rows = database.read().execute("SELECT count(*) FROM entry WHERE text LIKE 'child %'").fetchone()[0]
assert not failed and rows == 125, (failed, rows)
assert database.read().execute("PRAGMA integrity_check").fetchone() == ("ok",)
database.close()
print("ok")
"""

PARENT_GOES_FIRST = """
import subprocess, time
add("before"), count()
go, ready = os.pipe(), os.pipe()
if os.fork():
    os.close(ready[1]); os.read(ready[0], 1)
    os._exit(0)
parent = os.getppid()
add("child at first"); count()
os.write(ready[1], b"x")
while os.getppid() == parent: time.sleep(0.01)
other = (
    "import sqlite3, sys\\n"
    "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)\\n"
    "c.execute('INSERT INTO entry (text) VALUES (?)', (sys.argv[2],))\\n"
    "c.execute('PRAGMA wal_checkpoint(TRUNCATE)'); c.close()"
)
for number in range(15):
    add(f"child {number}"); count()
    subprocess.run([sys.executable, "-c", other, path, f"other {number}"], check=True, close_fds=True)
    add(f"child {number} again"); count()
assert count() == 47, count()
assert database.read().execute("PRAGMA integrity_check").fetchone() == ("ok",)
database.close()
print("ok", flush=True)
"""

IN_A_TRANSACTION = """
with database.transaction() as connection:
    connection.execute("INSERT INTO entry (text) VALUES ('parent')")
    child = os.fork()
    if not child:
        other = sum(1 for _ in database.read().execute("SELECT * FROM entry"))
        os._exit(other)
    assert os.waitpid(child, 0)[1] == 0
assert count() == 1
memory = Database(":memory:")
child = os.fork()
if not child:
    os._exit(memory.read().execute("SELECT 0").fetchone()[0])
assert os.waitpid(child, 0)[1] == 0
database.close()
print("ok")
"""


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(BOTH_SIDES, id="both_sides_read_and_write_on"),
        pytest.param(BESIDE_WRITERS, id="children_write_while_threads_of_the_parent_do"),
        pytest.param(
            PARENT_GOES_FIRST, id="a_child_lives_on_when_its_parent_has_gone_and_others_come_and_go"
        ),
        pytest.param(IN_A_TRANSACTION, id="a_child_born_within_a_transaction_sees_only_what_is_committed"),
    ],
)
def test_after_a_fork(tmp_path: Path, script: str) -> None:
    path = tmp_path / "a.db"
    done = subprocess.run(
        [sys.executable, "-c", COMMON + script, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stderr == ""
    assert done.stdout == "ok\n"
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
