"""The local model: the shared suite, equality with a reference of our own, windows, forks, threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.embedders.local.numpy_bert import NumpyBert

from memwell import registry
from memwell.embedders.local.model import Local
from memwell.embedders.local.weights import WINDOW
from memwell.errors import ConfigError
from memwell.ports import Embedder
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance

TEXTS = [
    "",
    "a",
    "Hello, world!",
    "The quick brown fox jumps over the lazy dog near the old mill by the river at dawn today.",
    "Żółw 🐢 idzie; naïve café; 日本語のテキスト; مرحبا",
    "[SEP] said the [MASK]",
    "one two three four five six seven eight nine ten " * 6,
    "unbelievable antidisestablishmentarianism " * 60,
]


class TestMiniLM(EmbedderConformance):
    large = 150

    @pytest.fixture
    def embedder(self, model: Path) -> Iterator[Embedder]:
        part = Local(model)
        yield part
        run(part, part.close())


@pytest.fixture
def embedder(model: Path) -> Local:
    return Local(model)


def test_vectors_equal_the_reference_within_a_hundred_thousandth(embedder: Local, official: Path) -> None:
    reference = NumpyBert(official)
    expected = np.stack([reference.embed(text) for text in TEXTS])
    found = run(embedder, embedder.embed(TEXTS))
    assert abs(found - expected).max() < 1e-5
    singles = np.concatenate([run(embedder, embedder.embed([text])) for text in TEXTS])
    assert abs(singles - expected).max() < 1e-5


def test_meaning_counts_more_than_words(embedder: Local) -> None:
    question, near, far = run(
        embedder,
        embedder.embed(
            ["Where does she live?", "Her home is in Lisbon.", "Where does the bus for the stadium stop?"]
        ),
    )
    assert question @ near > question @ far


def test_what_lies_beyond_the_window_does_not_count(embedder: Local) -> None:
    full = "river " * (WINDOW - 2)
    one, other, shorter = run(embedder, embedder.embed([full, f"{full} mountain", full[:-6]]))
    assert abs(one - other).max() < 1e-6
    assert abs(one - shorter).max() > 1e-4


@pytest.mark.parametrize("filler", [" ", "\n", "\u200b", "x"])
def test_the_window_is_filled_from_far_behind_if_need_be(embedder: Local, filler: str) -> None:
    text = "start " + filler * 50_000 + " the end of it"
    tokenizer = embedder._model().tokenizer
    whole = tokenizer.encode(text, add_special_tokens=False).ids[: WINDOW - 2]
    assert embedder._tokens(text)[1:-1] == whole


def test_a_long_text_is_not_read_to_its_end(embedder: Local) -> None:
    text = "many words in a book " * 100_000
    whole = embedder._model().tokenizer.encode(text[:8000], add_special_tokens=False).ids[: WINDOW - 2]
    assert embedder._tokens(text)[1:-1] == whole


def test_spans_are_the_exact_places_of_the_tokens(embedder: Local) -> None:
    text = "Ana's café: unbelievably good"
    found = [text[start:end] for start, end in embedder.spans(text)]
    assert found[:6] == ["Ana", "'", "s", "café", ":", "un"]
    assert found[-1] == "good"
    assert "".join(found) == text.replace(" ", "")


def test_the_name_opens_it(official: Path, model: Path) -> None:
    named = registry.open_embedder("local")
    placed = registry.open_embedder(f"local:///{official}?threads=2")
    assert isinstance(named, Local)
    assert isinstance(placed, Local)
    assert abs(run(named, named.embed(["tea"])) - run(placed, placed.embed(["tea"]))).max() < 1e-5


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_is_a_whole_number(threads: object) -> None:
    with pytest.raises(ConfigError, match="threads"):
        Local(threads=threads)  # type: ignore[arg-type]


def test_a_directory_without_weights_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="memwell models pull"):
        Local(tmp_path)


FORK = """
import os, signal, sys, threading
from memwell._bridge import drive
from memwell.embedders.local.model import Local
from memwell.embedders.local.weights import WINDOW
part = Local(sys.argv[1], threads=int(sys.argv[2]))
before = drive(part.embed(["a text", "another"]))
child = os.fork()
if child == 0:
    signal.alarm(60)
    assert abs(drive(part.embed(["a text", "another"])) - before).max() < 1e-6
    found = []
    threads = [threading.Thread(target=lambda: found.append(drive(part.embed(["a text"])))) for _ in range(4)]
    [t.start() for t in threads]; [t.join() for t in threads]
    assert len(found) == 4
    if sys.argv[3] == "close":
        drive(part.close())
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert abs(drive(part.embed(["a text", "another"])) - before).max() < 1e-6
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("end", ["close", "leave"])
def test_a_child_of_a_fork_embeds_and_ends(model: Path, threads: str, end: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(model), threads, end]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_construction_loads_nothing_and_use_asks_onnxruntime_not_to_report(model: Path) -> None:
    code = (
        "import os, sys; from memwell._bridge import drive; from memwell.embedders.local.model import Local; "
        "part = Local(sys.argv[1]); assert not {'numpy', 'onnxruntime', 'tokenizers'} & {*sys.modules}; "
        "drive(part.embed(['tea'])); assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'; "
        "assert 'onnx' not in sys.modules"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", code, str(model)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
