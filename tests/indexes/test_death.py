"""What an index in a folder has acknowledged is there after its process was killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.processes import Script

from memwell.registry import open_index
from memwell.testing import run

WRITER = """
import os, signal, sys
import numpy as np
from memwell.ports import Point
from memwell.registry import open_index
from memwell.testing import run

index = open_index(sys.argv[1])
points = [Point(id=f"p{n}", vector=np.full(8, n + 1, "f4"), fields={"metadata": {"n": n}}) for n in range(100)]
run(index, index.upsert(points))
run(index, index.upsert([Point(id="p3", vector=np.ones(8, "f4"), fields={"metadata": {"n": -1}})]))
run(index, index.delete(["p7"]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("scheme", ["qdrant-edge", "qdrant", "chroma"])
def test_what_was_written_survives_the_death_of_the_process(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}:///{tmp_path}/index?dimension=8"
    with Script(WRITER, url) as process:
        assert process.wait(60) == -9
    index = open_index(url)
    assert run(index, index.count()) == 99
    assert run(index, index.ids()) == sorted(f"p{n}" for n in range(100) if n != 7)
    found = run(
        index, index.search(next(iter(run(index, index.vectors(["p3"])).values())), limit=5, where={"n": -1})
    )
    assert [match.id for match in found] == ["p3"]
    run(index, index.close())
