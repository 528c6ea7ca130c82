"""The adapters of fastembed, where it is installed: a model and a cross-encoder made here, run by the package.

Its own models are downloaded from a hub and are not run here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedders.local import made

from memwell import Memory
from memwell.embedders.local.model import Local
from memwell.errors import ConfigError
from memwell.ports import Embedder
from memwell.registry import open_embedder, open_reranker
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance

pytest.importorskip("fastembed", reason="pip install 'memwell[fastembed]' to test its adapters")
NAME, CROSS = "memwell/small", "memwell/cross"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, official: Path) -> Path:
    """A model of two plain layers with the tokenizer of MiniLM, known to the package by the name `NAME`."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    found = made.small(tmp_path_factory.mktemp("fastembed") / "small")
    (found / "tokenizer.json").write_bytes((official / "tokenizer.json").read_bytes())
    made.lookup(found / "onnx" / "model.onnx", made.matrix(30_522, 16))
    tokens = {"model_max_length": 64, "pad_token": "[PAD]"}
    pooling = made.pooling("mean_tokens", size=16)
    made.write(
        found,
        {"tokenizer_config.json": tokens, "1_Pooling/config.json": pooling, "special_tokens_map.json": {}},
    )
    known = [each["model"] for each in TextEmbedding.list_supported_models()]
    if NAME not in known:
        TextEmbedding.add_custom_model(NAME, PoolingType.MEAN, True, ModelSource(hf=NAME), 16)
    return found


class TestFastEmbed(EmbedderConformance):
    large = 150

    @pytest.fixture
    def embedder(self, folder: Path) -> Iterator[Embedder]:
        part = open_embedder(f"fastembed:{NAME}?path={folder}")
        yield part
        run(part, part.close())


def test_its_vectors_are_those_of_the_local_embedder(folder: Path) -> None:
    part, own = open_embedder(f"fastembed:{NAME}?path={folder}&query_prefix=query: "), Local(folder)
    assert (part.dimension, part.window) == (16, 64)
    texts = ["Ana keeps bees", "tea"]
    assert abs(run(part, part.embed(texts)) - run(own, own.embed(texts))).max() < 1e-5
    asked = run(part, part.embed(["tea"], kind="query"))
    assert abs(asked - run(own, own.embed(["query: tea"]))).max() < 1e-5
    assert part.model.startswith(f"{NAME}+")


def test_its_cross_encoders_order_the_candidates(folder: Path, tmp_path: Path) -> None:
    import numpy as np
    import onnx
    from fastembed.common.model_description import ModelSource
    from fastembed.rerank.cross_encoder import TextCrossEncoder

    if CROSS not in [each["model"] for each in TextCrossEncoder.list_supported_models()]:
        TextCrossEncoder.add_custom_model(CROSS, ModelSource(hf=CROSS))
    target = tmp_path / "cross"
    target.mkdir()
    for path in folder.glob("*.json"):
        (target / path.name).write_bytes(path.read_bytes())
    helper = onnx.helper
    numbers = onnx.numpy_helper.from_array(np.array([[-1.0]], np.float32), "minus")
    body = helper.make_graph(
        [helper.make_node("Cast", ["attention_mask"], ["ones"], to=1),
         helper.make_node("ReduceSum", ["ones", "axis"], ["length"], keepdims=1),
         helper.make_node("MatMul", ["length", "minus"], ["logits"])],
        "shorter is better",
        [helper.make_tensor_value_info(name, 7, ["n", "length"]) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", 1, ["n", 1])],
        [numbers, onnx.numpy_helper.from_array(np.array([1]), "axis")],
    )  # fmt: skip
    (target / "onnx").mkdir()
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(body, opset_imports=opsets, ir_version=8), target / "onnx" / "model.onnx")
    part = open_reranker(f"fastembed:{CROSS}?path={target}")
    longer, shorter = run(part, part.score("tea", ["tea with milk and sugar", "tea"]))
    assert 0 < longer < shorter < 1
    with Memory("memory://", embedder=None, reranker=part) as memory:
        memory.remember(["tea with milk and sugar", "tea time"])
        assert memory.recall("tea")[0].content == "tea time"


def test_a_model_that_it_does_not_know_is_an_error_of_configuration() -> None:
    for open_one in (open_embedder, open_reranker):
        with pytest.raises(ConfigError, match="fastembed cannot load 'memwell/none'"):
            open_one("fastembed:memwell/none")
