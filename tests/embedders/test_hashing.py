"""Vectors without a model: the shared suite, stability across processes, nearness of texts sharing words."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from memwell import registry
from memwell.embedders.hashing import Hashing
from memwell.errors import ConfigError
from memwell.ports import Embedder
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance


class TestHashing(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        part = Hashing(64)
        yield part
        run(part, part.close())


def near(one: str, other: str) -> float:
    part = Hashing()
    first, second = run(part, part.embed([one, other]))
    return float(first @ second)


def test_texts_sharing_words_are_nearer_than_others() -> None:
    question = "Where did Maria buy the green bicycle?"
    assert near(question, "Maria bought a green bicycle in Utrecht") > 0.4
    assert near(question, "The invoice of March was paid twice") < 0.2


def test_forms_of_a_word_are_near() -> None:
    assert near("gardening", "gardens") > 0.3
    assert near("gardening", "computers") < 0.2


def test_case_and_width_do_not_count() -> None:
    assert near("Straße CAFÉ", "STRASSE café") == pytest.approx(1, abs=1e-5)
    assert near("ＡＢＣ", "abc") == pytest.approx(1, abs=1e-5)


def test_a_script_without_spaces_is_compared_by_its_letters() -> None:
    assert near("私は紅茶が好きです", "紅茶が好き") > 0.4
    assert near("私は紅茶が好きです", "東京駅まで電車") < 0.2


def test_unrelated_texts_are_nearly_orthogonal() -> None:
    part = Hashing()
    rows = run(part, part.embed([hashlib.sha256(b"%d" % number).hexdigest() for number in range(200)]))
    others = rows @ rows.T - np.eye(200, dtype=np.float32)
    assert abs(others.mean()) < 0.05


def test_another_process_with_another_hash_seed_gives_the_same_numbers() -> None:
    code = (
        "from memwell._bridge import drive; from memwell.embedders.hashing import Hashing; "
        "print(drive(Hashing(64).embed(['Żółw drinks tea'])).round(6).tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_the_numbers_never_change() -> None:
    """Vectors are stored under the model's name; whoever changes them has to change the name too."""
    part = Hashing(8)
    assert part.model == "hashing-1-8"
    found = run(part, part.embed(["tea in the garden"]))[0]
    assert found == pytest.approx(FROZEN, abs=1e-5)


FROZEN = [0.295424, 0.0, -0.428214, 0.570715, -0.558532, 0.295424, -0.066395, 0.0]


def test_the_name_opens_it() -> None:
    part = registry.open_embedder("hashing:?dimension=256")
    assert part.dimension == 256
    assert registry.open_embedder("hashing").dimension == 384


@pytest.mark.parametrize("dimension", [0, -3, 2.5, "384"])
def test_the_dimension_is_a_whole_number(dimension: object) -> None:
    with pytest.raises(ConfigError, match="dimension"):
        Hashing(dimension)  # type: ignore[arg-type]
