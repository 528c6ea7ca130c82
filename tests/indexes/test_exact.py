"""The exact index: the shared suite, and its file."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.indexes.disk import full

from memwell.errors import BackendError, Closed, ConfigError, Corrupt
from memwell.indexes.exact import Exact
from memwell.ports import Point
from memwell.testing import run
from memwell.testing.indexes import Opening, VectorIndexConformance, VectorIndexFrontage, opened
from memwell.testing.indexes.searching import Searching


class TestExact(VectorIndexConformance):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: Exact(dimension or self.dimension, tmp_path / name, metric=metric)
        ) as opening:
            yield opening


class TestInMemory(Searching, VectorIndexFrontage):
    """A file is read and written whole: what is found does not depend on it."""

    many = 2_000

    @pytest.fixture
    def opening(self) -> Iterator[Opening]:
        with opened(
            lambda _name, metric, dimension: Exact(dimension or self.dimension, None, metric=metric)
        ) as opening:
            yield opening


def filled(path: Path, count: int = 50) -> Exact:
    """An index with some points, none of them saved yet."""
    index = Exact(8, path)
    vectors = np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)
    points = [
        Point(id=f"ż{row}", vector=vectors[row], fields={"kind": "memory", "metadata": {"row": row}})
        for row in range(count)
    ]
    run(index, index.upsert(points))
    return index


@pytest.mark.parametrize("count", [0, 1, 50, 9000])
def test_a_saved_index_answers_as_before(tmp_path: Path, count: int) -> None:
    first = Exact(8, tmp_path / "i") if count == 0 else filled(tmp_path / "i", count)
    run(first, first.delete(["ż3", "ż7"]))
    query = np.ones(8, dtype=np.float32)
    where = {"row": {"$gte": 2}, "kind": "memory"}
    expected = run(first, first.search(query, limit=20, where=where))
    ids = run(first, first.ids(limit=10_000))
    run(first, first.close())
    second = Exact(8, tmp_path / "i")
    assert run(second, second.search(query, limit=20, where=where)) == expected
    assert run(second, second.ids(limit=10_000)) == ids
    run(second, second.close())


def test_save_writes_without_closing(tmp_path: Path) -> None:
    first = filled(tmp_path / "i")
    run(first, first.save())
    (tmp_path / "copy").write_bytes((tmp_path / "i").read_bytes())
    second = Exact(8, tmp_path / "copy")
    assert run(second, second.count()) == 50
    run(first, first.close())
    run(second, second.close())


def test_a_second_opener_gets_an_error_instead_of_losing_writes(tmp_path: Path) -> None:
    first = filled(tmp_path / "i")
    with pytest.raises(ConfigError, match="open in another process"):
        Exact(8, tmp_path / "i")
    code = f"from memwell.indexes.exact import Exact\nExact(8, {str(tmp_path / 'i')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "open in another process" in done.stderr
    run(first, first.close())
    second = Exact(8, tmp_path / "i")
    assert run(second, second.count()) == 50
    run(second, second.close())


def test_a_crash_with_unsaved_writes_gives_another_identity_and_an_orderly_close_none(tmp_path: Path) -> None:
    index = filled(tmp_path / "i")
    identity = index.identity
    run(index, index.close())
    crash = (
        "import os, numpy as np\nfrom memwell.indexes.exact import Exact\nfrom memwell.ports import Point\n"
        "from memwell.testing import run\n"
        f"index = Exact(8, {str(tmp_path / 'i')!r})\nprint(index.identity, flush=True)\n"
        "run(index, index.upsert([Point(id='x', vector=np.ones(8, 'f4'), fields={'metadata': {}})]))\n"
        "os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (9, identity)
    again = Exact(8, tmp_path / "i")
    assert run(again, again.count()) == 50
    assert again.identity not in (None, identity)
    kept = again.identity
    run(again, again.close())
    last = Exact(8, tmp_path / "i")
    assert last.identity == kept
    run(last, last.close())


def test_a_file_of_the_first_version_is_still_read(tmp_path: Path) -> None:
    index = filled(tmp_path / "i")
    expected = run(index, index.search(np.ones(8, dtype=np.float32), limit=9))
    run(index, index.close())
    with zipfile.ZipFile(tmp_path / "i") as archive:
        header = json.loads(archive.read("header.json"))
        rest = {name: archive.read(name) for name in ("points.jsonl", "vectors.f32")}
    old = {name: header[name] for name in ("format", "dimension", "count")} | {"version": 1}
    with zipfile.ZipFile(tmp_path / "old", "w") as archive:
        for name, content in ({"header.json": json.dumps(old).encode()} | rest).items():
            archive.writestr(name, content)
    again = Exact(8, tmp_path / "old")
    assert run(again, again.search(np.ones(8, dtype=np.float32), limit=9)) == expected
    run(again, again.close())


def test_saving_after_close_raises_and_keeps_the_file(tmp_path: Path) -> None:
    index = filled(tmp_path / "i")
    run(index, index.close())
    with pytest.raises(Closed):
        run(index, index.save())
    again = Exact(8, tmp_path / "i")
    assert run(again, again.count()) == 50
    run(again, again.close())


def test_a_file_damaged_anywhere_is_corrupt_or_reads_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "i"
    index = filled(path)
    expected = run(index, index.search(np.ones(8, dtype=np.float32), limit=50))
    run(index, index.close())
    whole = path.read_bytes()
    broken = 0
    for at in range(0, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            again = Exact(8, path)
        except ConfigError:
            raise AssertionError("damage must not look like a wrong setting") from None
        try:
            assert run(again, again.search(np.ones(8, dtype=np.float32), limit=50)) == expected
        except Corrupt:
            broken += 1
        run(again, again.close())
    assert broken > len(whole) / 37 / 2


def test_a_file_cut_short_or_of_another_kind_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "i"
    index = filled(path)
    run(index, index.close())
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(content)
        index = Exact(8, path)
        for call in (index.count(), index.ping(), index.ids(limit=1), index.delete(["p"])):
            with pytest.raises(Corrupt, match="repair"):
                run(index, call)
        run(index, index.close())
        assert path.read_bytes() == content, "a damaged file is left as it is"


def test_a_damaged_index_is_cleared_by_setting_its_file_aside(tmp_path: Path) -> None:
    path = tmp_path / "i"
    for number in range(2):
        path.write_bytes(b"no archive %d" % number)
        index = Exact(8, path)
        run(index, index.clear())
        assert run(index, index.count()) == 0
        run(
            index, index.upsert([Point(id="p", vector=np.ones(8, dtype=np.float32), fields={"metadata": {}})])
        )
        run(index, index.close())
        again = Exact(8, path)
        assert run(again, again.ids(limit=9)) == ["p"]
        run(again, again.close())
    assert (tmp_path / "i.damaged").read_bytes() == b"no archive 0"
    assert (tmp_path / "i.damaged-2").read_bytes() == b"no archive 1"


def test_a_file_of_another_dimension_is_a_configuration_error(tmp_path: Path) -> None:
    index = filled(tmp_path / "i")
    run(index, index.close())
    with pytest.raises(ConfigError, match="dimension 8, not 9"):
        Exact(9, tmp_path / "i")


def test_a_folder_that_is_missing_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Exact(8, tmp_path / "nowhere" / "i")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_save_keeps_the_old_file(tmp_path: Path) -> None:
    index = filled(tmp_path / "i")
    run(index, index.save())
    before = (tmp_path / "i").read_bytes()
    more = Point(id="more", vector=np.ones(8, dtype=np.float32), fields={"metadata": {}})
    run(index, index.upsert([more]))
    with full():
        with pytest.raises(BackendError, match="free disk space"):
            run(index, index.save())
        assert (tmp_path / "i").read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["i", "i.lock"]
        with pytest.raises(BackendError, match="free disk space"):
            run(index, index.close())
    again = Exact(8, tmp_path / "i")
    assert "more" not in run(again, again.ids())
    assert again.identity != index.identity  # so that whoever follows feeds it again
    run(again, again.close())


def test_times_in_fields_survive_a_save(tmp_path: Path) -> None:
    index = Exact(2, tmp_path / "i")
    at = datetime(2024, 5, 1, tzinfo=UTC)
    fields = {"created_at": at.isoformat(), "metadata": {"seen": at}}
    run(index, index.upsert([Point(id="a", vector=np.ones(2, dtype=np.float32), fields=fields)]))
    run(index, index.close())
    again = Exact(2, tmp_path / "i")
    for where in ({"created_at": {"$lte": at}}, {"seen": at}):
        assert len(run(again, again.search(np.ones(2, dtype=np.float32), limit=1, where=where))) == 1
    run(again, again.close())


def test_vectors_need_not_be_of_unit_length() -> None:
    index = Exact(2)
    points = [
        Point(id="long", vector=np.array([100, 100], dtype=np.float32), fields={"metadata": {}}),
        Point(id="short", vector=np.array([0.01, 0], dtype=np.float32), fields={"metadata": {}}),
        Point(id="zero", vector=np.zeros(2, dtype=np.float32), fields={"metadata": {}}),
    ]
    run(index, index.upsert(points))
    found = run(index, index.search(np.array([5, 0], dtype=np.float32), limit=3))
    assert [match.id for match in found] == ["short", "long", "zero"]
    assert [match.similarity for match in found] == pytest.approx([1, 0.5**0.5, 0])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_writes_and_searches_equal_a_sort(data: st.DataObject) -> None:
    index, model = Exact(4), dict[str, tuple[np.ndarray, int]]()
    names = st.sampled_from([f"p{number}" for number in range(12)])
    vectors = st.lists(st.integers(-3, 3), min_size=4, max_size=4).filter(any)
    for _ in range(data.draw(st.integers(1, 25))):
        name = data.draw(names)
        if data.draw(st.booleans()) or name not in model:
            vector, size = np.array(data.draw(vectors), dtype=np.float32), data.draw(st.integers(0, 3))
            run(index, index.upsert([Point(id=name, vector=vector, fields={"metadata": {"size": size}})]))
            model[name] = (vector, size)
        else:
            run(index, index.delete([name]))
            del model[name]
    query, least, limit = data.draw(vectors), data.draw(st.integers(0, 3)), data.draw(st.integers(1, 6))
    direction = np.array(query, dtype=np.float32)
    cosines = {
        name: float(vector @ direction / np.linalg.norm(vector) / np.linalg.norm(direction))
        for name, (vector, size) in model.items()
        if size >= least
    }
    found = run(index, index.search(direction, limit=limit, where={"size": {"$gte": least}}))
    best = sorted(cosines.values(), reverse=True)[:limit]
    assert [match.similarity for match in found] == pytest.approx(best, abs=1e-6)
    assert [cosines[match.id] for match in found] == pytest.approx(best, abs=1e-6)
    assert [(-match.similarity, match.id) for match in found] == sorted((-m.similarity, m.id) for m in found)
    assert len({match.id for match in found}) == len(found)


def test_without_numpy_the_command_is_named() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from memwell.indexes.exact import Exact\n"
        "try: Exact(3)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ConfigError")
    assert "pip install 'memwell[vectors]'" in done.stdout
