"""The tools of benchmarks.speed: fair sides, honest marks, profiles that name what takes the time."""

from __future__ import annotations

import io
import math
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.speed import lines, profiler, profiles, report
from benchmarks.speed.corpora import Corpus, Recorded, corpora
from benchmarks.speed.lines import QUICK, Bench, Line
from benchmarks.speed.measure import Row
from benchmarks.speed.operations import OPERATIONS, USER
from benchmarks.speed.results import Results
from benchmarks.speed.sides import on_sqlite
from rich.console import Console

from memwell.errors import NotFound

CORPORA = corpora()


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_both_sides_hold_the_same_and_do_what_is_measured(tmp_path: Path, corpus: Corpus) -> None:
    with on_sqlite(tmp_path, corpus, "small") as sides:
        sides.fill(USER, 200)
        sides.fill("another", 50)
        ours, floor = (side[0]() for side in OPERATIONS["recall"](sides, 1))
        assert len(ours) == len(floor) == 10
        texts = set(corpus.texts(200))
        assert {hit.record.content for hit in ours} | {row[4] for row in floor} <= texts
        for name in ("remember", "update", "remember", "forget"):
            for side in OPERATIONS[name](sides, 3):
                for call in side:
                    call()
        counts = sides.ours.count(), sides.floor.db.execute("SELECT count(*) FROM memories").fetchone()[0]
        assert counts == (253, 253), "a text that comes twice would be no new memory of ours"
        mine, theirs = (side[0] for side in OPERATIONS["get"](sides, 3))
        with pytest.raises(NotFound):
            mine()
        with pytest.raises(KeyError):
            theirs()


def test_chat_turns_come_from_a_file_and_never_end(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(
        '[{"id": "a", "memories": [{"id": "1", "text": "Ana: I moved to Porto", "created_at": "2026-01-01"},'
        ' {"id": "2", "text": "Ben: Congratulations on the flat", "created_at": "2026-01-01"}],'
        ' "questions": [{"text": "Where does Ana live?", "category": "direct", "gold": ["1"]}]}]'
    )
    corpus = Recorded(path)
    texts = corpus.texts(100)
    assert texts[:2] == ["Ana: I moved to Porto", "Ben: Congratulations on the flat"]
    assert len(set(texts)) == 100
    assert all(text.startswith(("Ana: ", "Ben: ")) for text in texts)
    assert corpus.questions(3, among=100) == ["Where does Ana live?"] * 3
    near, far = corpus.vectors(texts[:2]) @ corpus.vectors(["Who moved to Porto?"])[0]
    assert near > far + 0.3


def test_a_bound_for_slow_disks_marks_nothing_on_a_quick_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINES", {"row": Line("{count:,} of it", 1.5, 1.2, needs=2)})
    bench = Bench(Path(), CORPORA["notes"], QUICK)
    slow, quick = (bench.row("row", 9.9, commit=seconds) for seconds in (0.0021, 0.0019))
    assert (slow.name, slow.mark, quick.mark) == ("2,000 of it", "missed", "")
    assert "2 ms" in quick.note


def test_the_corpora_stand_beside_each_other() -> None:
    row = Row(name="recall", value=0.5, must=0.6, aim=0.4, part="one-user", corpus="notes", ours="1 ms")
    chat = replace(row, value=0.7, corpus="chat", ours="2 ms")
    console = Console(width=150, record=True, file=io.StringIO())
    report.as_table([row, replace(row, name="get"), chat], console)
    (line,) = (line for line in console.export_text().splitlines() if "recall" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "recall", "1 ms", "", "0.5 ×", "✓", "2 ms", "", "0.7 ×", "✗", "≤ 0.6", "≤ 0.4",
    ]  # fmt: skip


def test_what_is_measured_again_replaces_its_part_only(tmp_path: Path) -> None:
    about = {"command": "python -m benchmarks.speed", "python": "3.11", "sqlite": "3.40", "processors": 2}
    old = [
        Row(name=name, value=1.0, part=part)
        for name, part in (("a", "postgres"), ("b", "cold"), ("c", "cold"))
    ]
    first = Results(about, runs={"postgres": about, "cold": about, "gone": about})
    first.rows = [*old, Row(name="d", value=math.nan, part="gone")]
    first.write(tmp_path / "rows.json")
    second = Results(about | {"python": "3.13"})
    second.add(Row(name="b", value=2.0, part="cold"))
    found = second.over(Results.read(tmp_path / "rows.json"))
    assert [(row.name, row.value) for row in found.rows] == [("b", 2.0), ("a", 1.0)]
    assert [found.runs[part]["python"] for part in ("cold", "postgres")] == ["3.13", "3.11"]


def test_a_profile_counts_all_threads_and_only_while_it_runs() -> None:
    def work() -> int:
        return sum(range(20_000))

    def worker() -> None:
        for _ in range(2):
            asked.acquire()
            work()
            answered.release()

    asked, answered = threading.Semaphore(0), threading.Semaphore(0)

    def ask() -> None:
        work()
        asked.release()
        answered.acquire()

    with profiler.Threads() as threads:
        threading.Thread(target=worker, daemon=True).start()
        ask()
        found = threads.run(lambda: [ask(), time.sleep(0.05)])
    calls = {each.name.rpartition(".")[2]: each for each in found}
    assert calls["work"].calls == 2
    assert calls["work"].inside > 2 * calls["work"].own, "built-in functions count for their callers"
    waiting = next(each for each in profiler.by_module(found) if each.module == profiler.WAITS)
    assert waiting.inside > 0.05


def test_a_row_is_profiled_by_module_of_memwell(tmp_path: Path) -> None:
    console = Console(width=150, record=True, file=io.StringIO())
    profiles.profile(
        "remember", Bench(tmp_path, CORPORA["chat"], replace(QUICK, count=50, times=20)), console
    )
    shown = console.export_text()
    assert "20 calls" in shown
    assert "engine.remember" in shown
    assert "memory:" in shown
