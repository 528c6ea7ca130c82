"""The rows that need a new process: first answers, imports, memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.speed.measure import Row, spell
from benchmarks.speed.sides import Both
from benchmarks.speed.texts import vectors

__all__ = ["cold", "imports", "resident"]

ROOT = Path(__file__).parents[2]

OURS = """
from memwell import Memory
{embedder}
memory = Memory({url!r}, embedder={given})
hits = memory.recall({query!r}, user_id="u", limit=10)
assert len(hits) == 10
"""
EMBEDDER = """
from memwell.ports import Embedder
class Given(Embedder):
    part, model, dimension, blocking = "lookup", "benchmark", 384, True
    async def _embed(self, texts, kind):
        import numpy
        return numpy.frombuffer(bytes.fromhex({vector!r}), "f4").reshape(1, -1)
"""
FLOOR = """
from benchmarks.speed.floor import Floor
{embedder}
memory = Floor({path!r}, {given})
hits = memory.recall({query!r}, "u", 10)
assert len(hits) == 10
"""
FLOOR_EMBEDDER = """
import numpy
def given(texts):
    return numpy.frombuffer(bytes.fromhex({vector!r}), "f4").reshape(1, -1)
"""
DONE = "\nimport os; os.write(1, b'done'); os._exit(0)\n"
RESIDENT = """
import re
status = open("/proc/self/status").read()
print(*[int(re.search(name + r":\\s+(\\d+) kB", status)[1]) for name in ("VmRSS", "VmHWM")])
"""


def first_answer(program: str) -> float:
    """Seconds from the start of a process until it says that it is done."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program + DONE], stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read(4)
        seconds = time.perf_counter() - start
    if said != b"done":
        raise RuntimeError(f"a process ended without an answer:\n{program}")
    return seconds


def in_turns(measure: Callable[[str], float], ours: str, floor: str, times: int) -> tuple[float, float]:
    """Medians of both programs, run in turns after one unmeasured turn."""
    pairs = [(measure(ours), measure(floor)) for _ in range(times + 1)][1:]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def cold(folder: Path, quick: bool) -> Iterator[Row]:
    """New process to first answer on a store that another process wrote."""
    count, times = (2_000, 5) if quick else (10_000, 21)
    both = Both(folder, "cold")
    both.fill("u", count)
    query = both.questions("u", 1, count)[0]
    url, path, vector = f"sqlite:///{both.path}", str(both.floor_path), vectors([query]).tobytes().hex()
    both.close()
    words = OURS.format(embedder="", url=url, given=None, query=query)
    whole = OURS.format(embedder=EMBEDDER.format(vector=vector), url=url, given="Given()", query=query)
    floor = FLOOR.format(embedder=FLOOR_EMBEDDER.format(vector=vector), path=path, given="given", query=query)
    bare = FLOOR.format(embedder="", path=path, given=None, query=query)
    start = f"new process to first answer, {count:,}"
    for name, program in (("words alone", words), ("vectors given", whole)):
        a, b = in_turns(first_answer, program, floor, times)
        yield Row(name=f"{start}, {name}", value=a / b, ours=spell(a), floor=spell(b), must=1.3, aim=0.85)
    a, b = in_turns(first_answer, words, bare, times)
    yield Row(
        name="… words alone, beside a floor without vectors", value=a / b, ours=spell(a), floor=spell(b)
    )


def import_time(name: str) -> float:
    """Seconds that one import takes in a new process."""
    code = f"from time import perf_counter as t; a = t(); import {name}; print(t() - a)"
    return float(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    )


def imports(folder: Path, quick: bool) -> Iterator[Row]:
    """What importing costs."""
    del folder
    a, b = in_turns(import_time, "memwell", "numpy", 5 if quick else 21)
    yield Row(
        name="import memwell beside import numpy", value=a / b, ours=spell(a), floor=spell(b), must=0.15
    )
    a, b = in_turns(import_time, "memwell", "memwell, sqlite3, json, dataclasses", 5 if quick else 21)
    yield Row(name="import memwell", value=a * 1000, unit="ms", ours=spell(a), must=150)


def resident(folder: Path, quick: bool) -> Iterator[Row]:
    """Memory of a process that searches a hundred thousand memories of one user."""
    count = 10_000 if quick else 100_000
    both = Both(folder, "resident")
    both.fill("u", count)
    query = both.questions("u", 1, count)[0]
    vector, url, path = vectors([query]).tobytes().hex(), f"sqlite:///{both.path}", str(both.floor_path)
    both.close()
    ours = OURS.format(embedder=EMBEDDER.format(vector=vector), url=url, given="Given()", query=query)
    ours += f'for _ in range(20): memory.recall({query!r}, user_id="u", limit=10)\n'
    floor = FLOOR.format(embedder=FLOOR_EMBEDDER.format(vector=vector), path=path, given="given", query=query)
    sizes = []
    for program in (ours, floor):
        done = subprocess.run(
            [sys.executable, "-c", program + RESIDENT], check=True, capture_output=True, text=True, cwd=ROOT
        )
        sizes.append([int(kilobytes) / 1024 for kilobytes in done.stdout.split()])
    (mine, peak), (theirs, _) = sizes
    yield Row(
        name=f"memory in use at {count:,} memories",
        value=mine,
        unit="MB",
        ours=f"{mine:.0f} MB",
        floor=f"{theirs:.0f} MB",
        must=350,
        note=f"at most {peak:.0f} MB",
    )
