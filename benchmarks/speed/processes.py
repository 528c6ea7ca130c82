"""The rows that need a new process: first answers, imports, memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.speed.corpora import Corpus
from benchmarks.speed.lines import Bench
from benchmarks.speed.measure import Paired, Row, spell
from benchmarks.speed.operations import USER
from benchmarks.speed.sides import on_sqlite

__all__ = ["ROOT", "cold", "first_answer", "imports", "programs", "resident"]

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


def in_turns(measure: Callable[[str], float], programs: Sequence[str], times: int) -> list[float]:
    """Median of each program, run in turns after one unmeasured turn."""
    turns = [[measure(program) for program in programs] for _ in range(times + 1)][1:]
    return [statistics.median(each) for each in zip(*turns, strict=True)]


def programs(bench: Bench) -> dict[str, str]:
    """Programs that give the first answer on a store that another process wrote: ours, and the floor's."""
    count = bench.scale.count
    with on_sqlite(bench.folder, bench.corpus, "cold") as sides:
        sides.fill(USER, count)
        query = sides.questions(USER, 1, count)[0]
        path = str(sides.floor.path)
    return _programs(sides.url, path, query, bench.corpus)


def _programs(url: str, path: str, query: str, corpus: Corpus) -> dict[str, str]:
    vector = corpus.vectors([query]).tobytes().hex()
    whole = EMBEDDER.format(vector=vector)
    embedder = FLOOR_EMBEDDER.format(vector=vector)
    return {
        "vectors": OURS.format(embedder=whole, url=url, given="Given()", query=query),
        "words": OURS.format(embedder="", url=url, given=None, query=query),
        "floor": FLOOR.format(embedder=embedder, path=path, given="given", query=query),
        "floor of words": FLOOR.format(embedder="", path=path, given=None, query=query),
    }


def cold(bench: Bench) -> Iterator[Row]:
    """New process to first answer."""
    of = programs(bench)
    took = dict(zip(of, in_turns(first_answer, list(of.values()), bench.scale.starts), strict=True))
    for key, ours, floor in (
        ("cold", "vectors", "floor"),
        ("cold-words", "words", "floor"),
        ("cold-only-words", "words", "floor of words"),
    ):
        yield bench.ratio(key, Paired(took[ours], took[floor], 0, 0))


def import_time(name: str) -> float:
    """Seconds that one import takes in a new process."""
    code = f"from time import perf_counter as t; a = t(); import {name}; print(t() - a)"
    return float(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    )


def imports(folder: Path, quick: bool) -> Iterator[Row]:
    """What importing costs."""
    del folder
    times = 5 if quick else 21
    a, b = in_turns(import_time, ["memwell", "numpy"], times)
    yield Row(
        name="import memwell beside import numpy", value=a / b, ours=spell(a), floor=spell(b), must=0.15
    )
    yield Row(name="import memwell", value=a * 1000, unit="ms", ours=spell(a), must=150)


def resident(bench: Bench) -> Iterator[Row]:
    """Memory of a process that searches a hundred thousand memories of one user."""
    count = bench.scale.large
    with on_sqlite(bench.folder, bench.corpus, "resident") as sides:
        for _ in range(10):
            sides.fill(USER, count // 10)
        asked = sides.questions(USER, 21, count)
        path = str(sides.floor.path)
    of = _programs(sides.url, path, asked[0], bench.corpus)
    more = f'\nfor query in {asked[1:]!r}: memory.recall(query, user_id="{USER}", limit=10)\n'
    sizes = []
    for program in (of["vectors"] + more, of["floor"]):
        done = subprocess.run(
            [sys.executable, "-c", program + RESIDENT], check=True, capture_output=True, text=True, cwd=ROOT
        )
        sizes.append([int(kilobytes) / 1024 for kilobytes in done.stdout.split()])
    (mine, peak), (theirs, _) = sizes
    yield bench.row(
        "memory", mine, ours=f"{mine:.0f} MB", floor=f"{theirs:.0f} MB", note=f"at most {peak:.0f} MB"
    )
