"""Models from folders: what their files say is done, and what cannot be done is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.embedders.local import made
from tests.embedders.local.made import WORDS

from memwell import Memory
from memwell.embedders.local import layout
from memwell.embedders.local.model import Local
from memwell.embedders.local.safetensors import tensors
from memwell.errors import BackendError, ConfigError
from memwell.ports import Embedder
from memwell.registry import open_embedder
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance

REPOSITORY: dict[str, Any] = {
    "modules.json": made.MODULES,
    "config.json": {
        "model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512, "pad_token_id": 0,
        "_name_or_path": "nreimers/MiniLM-L6-H384-uncased",
    },
    "1_Pooling/config.json": made.pooling("mean_tokens", size=384),
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
    "config_sentence_transformers.json": {"__version__": {"sentence_transformers": "2.0.0"}},
    "tokenizer_config.json": {"do_lower_case": True, "model_max_length": 512, "tokenizer_class": "BertTokenizer"},
}  # fmt: skip
"""The files that describe all-MiniLM-L6-v2 in its repository."""


def embedded(part: Embedder, *texts: str, kind: Any = "document") -> Any:
    return run(part, part.embed(texts, kind=kind))


def unit(vector: Any) -> Any:
    return vector / np.linalg.norm(vector)


@pytest.fixture(scope="module")
def exported(official: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM as a repository with an exported graph, and without the weights of torch."""
    folder = tmp_path_factory.mktemp("exported") / "minilm"
    made.bert(folder / "onnx" / "model.onnx", tensors((official / "model.safetensors").read_bytes()))
    shutil.copyfile(official / "tokenizer.json", folder / "tokenizer.json")
    return made.write(folder, REPOSITORY)


def test_minilm_as_a_plain_folder_gives_the_vectors_of_the_built_in_one(exported: Path, model: Path) -> None:
    plain, own = open_embedder(f"local:{exported}"), Local(model)
    assert (plain.dimension, plain.window) == (own.dimension, own.window) == (384, 256)
    assert plain.model.startswith("minilm-")
    texts = ["", "Ana keeps bees.", "Żółw 🐢 idzie; naïve café", "river " * 400, "tea"]
    assert abs(embedded(plain, *texts) - embedded(own, *texts)).max() < 1e-5
    assert plain.spans(texts[1]) == own.spans(texts[1])


class TestGraphFolder(EmbedderConformance):
    large = 300

    @pytest.fixture
    def embedder(self, official: Path, tmp_path: Path) -> Iterator[Embedder]:
        folder = made.small(tmp_path / "graph", inputs=made.EXPORTED)
        shutil.copyfile(official / "tokenizer.json", folder / "tokenizer.json")
        made.lookup(folder / "onnx" / "model.onnx", made.matrix(30_522, 16), inputs=made.EXPORTED)
        made.write(folder, {"1_Pooling/config.json": made.pooling("mean_tokens", size=16)})
        part = open_embedder(f"local:{folder}")
        yield part
        run(part, part.close())


class TestStaticFolder(EmbedderConformance):
    large = 300

    @pytest.fixture
    def embedder(self, official: Path, tmp_path: Path) -> Iterator[Embedder]:
        folder = made.write(
            tmp_path / "static", {"config.json": {"model_type": "model2vec", "normalize": True}}
        )
        shutil.copyfile(official / "tokenizer.json", folder / "tokenizer.json")
        made.safetensors(folder / "model.safetensors", {"embeddings": made.matrix(30_522, 16)})
        part = open_embedder(f"local:{folder}")
        yield part
        run(part, part.close())


POOLED = {
    "mean_tokens": lambda rows: rows.mean(0),
    "mean_sqrt_len_tokens": lambda rows: rows.sum(0) / np.sqrt(len(rows)),
    "cls_token": lambda rows: rows[0],
    "lasttoken": lambda rows: rows[-1],
    "max_tokens": lambda rows: rows.max(0),
    "weightedmean_tokens": lambda rows: (rows * np.arange(1, len(rows) + 1)[:, None]).sum(0) ,
}  # fmt: skip


@pytest.mark.parametrize("way", POOLED)
def test_tokens_are_pooled_as_the_model_says_and_padding_never_counts(tmp_path: Path, way: str) -> None:
    part = Local(made.small(tmp_path / "m", way))
    for text, found in zip(("tea rain cat", "bee"), embedded(part, "tea rain cat", "bee"), strict=True):
        rows = made.matrix()[[2, *map(WORDS.index, text.split()), 3]]
        assert abs(found - unit(POOLED[way](rows))).max() < 1e-6


def test_several_ways_of_pooling_are_joined_in_their_order(tmp_path: Path) -> None:
    part = Local(made.small(tmp_path / "m", "mean_tokens", "cls_token"))
    rows = made.matrix()[[2, 6, 3]]
    assert part.dimension == 16
    assert abs(embedded(part, "tea")[0] - unit(np.concatenate([rows[0], rows.mean(0)]))).max() < 1e-6


def test_newer_files_name_the_pooling_and_a_folder_of_the_transformer(tmp_path: Path) -> None:
    folder = made.small(tmp_path / "m")
    types = ("base.modules.transformer.Transformer", "sentence_transformer.modules.pooling.Pooling")
    paths = ("0_Transformer", "1_Pooling")
    modules = [{"type": f"sentence_transformers.{t}", "path": p} for t, p in zip(types, paths, strict=True)]
    made.write(
        folder, {"modules.json": modules, "0_Transformer/sentence_bert_config.json": {"max_seq_length": 5}}
    )
    (folder / "tokenizer.json").rename(folder / "0_Transformer" / "tokenizer.json")
    made.write(folder, {"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": "lasttoken"}})
    part = Local(folder)
    assert (part.window, part.dimension) == (5, 8)
    assert abs(embedded(part, "tea")[0] - unit(made.matrix()[3])).max() < 1e-6


@pytest.mark.parametrize(
    ("files", "window"),
    [
        ({"config.json": {"max_position_embeddings": 512}}, 512),
        ({"config.json": {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}}, 512),
        ({"config.json": {}, "tokenizer_config.json": {"model_max_length": 128}}, 128),
        ({"config.json": {}, "tokenizer_config.json": {"model_max_length": 1e30}}, None),
        ({"sentence_bert_config.json": {"max_seq_length": 6}, "tokenizer_config.json": {"model_max_length": 4}}, 6),
        ({"sentence_bert_config.json": {"max_seq_length": 900}}, 32),
        ({"sentence_bert_config.json": {"max_seq_length": None}, "tokenizer_config.json": {"model_max_length": 9}}, 9),
    ],
)  # fmt: skip
def test_the_window_is_the_models_own_and_within_its_positions(
    tmp_path: Path, files: dict[str, Any], window: int | None
) -> None:
    assert Local(made.write(made.small(tmp_path / "m"), files)).window == window


def test_what_lies_beyond_the_window_is_not_read(tmp_path: Path) -> None:
    folder = made.write(made.small(tmp_path / "m"), {"sentence_bert_config.json": {"max_seq_length": 4}})
    one, other = embedded(Local(folder), "tea rain", "tea rain " + "bee " * 9000)
    assert abs(one - other).max() < 1e-6


def test_prompts_go_before_texts_and_other_ones_give_vectors_another_name(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query: ", "document": "passage: "}, "default_prompt_name": None}
    folder = made.write(
        made.small(tmp_path / "m", "lasttoken"), {"config_sentence_transformers.json": prompts}
    )
    made.write(folder, {"1_Pooling/config.json": made.pooling("mean_tokens")})
    own, other = Local(folder), open_embedder(f"local:{folder}?query_prefix=&document_prefix=")
    plain = embedded(other, "query: tea", "passage: tea")
    assert abs(embedded(own, "tea", kind="query")[0] - plain[0]).max() < 1e-6
    assert abs(embedded(own, "tea")[0] - plain[1]).max() < 1e-6
    assert not own.symmetric  # type: ignore[attr-defined]
    assert own.window == 31, "the prefix takes a place"
    assert other.model.startswith(f"{own.model}+")


def test_a_prompt_that_does_not_count_is_left_out_of_the_mean(tmp_path: Path) -> None:
    folder = made.small(tmp_path / "m")
    made.write(folder, {"1_Pooling/config.json": made.pooling("mean_tokens", include_prompt=False)})
    part = Local(folder, query_prefix="query: ")
    expected = unit(made.matrix()[[6, 3]].mean(0))  # as in sentence-transformers, [CLS] is part of the prompt
    assert abs(embedded(part, "tea", kind="query")[0] - expected).max() < 1e-6


@pytest.mark.parametrize("place", ["folder", "config"])
def test_prefixes_that_authors_document_are_known_by_the_models_name(tmp_path: Path, place: str) -> None:
    folder = made.small(tmp_path / ("multilingual-e5-small" if place == "folder" else "mine"))
    if place == "config":
        made.write(folder, {"config.json": {"hidden_size": 8, "_name_or_path": "intfloat/e5-small-v2"}})
    found = layout.read(folder)
    assert (found.document_prefix, found.query_prefix) == ("passage: ", "query: ")


def test_a_graph_that_pools_by_itself_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = made.small(tmp_path / "m", "cls_token", output="token_embeddings")
    import onnx

    graph = onnx.load(folder / "onnx" / "model.onnx")
    graph.graph.node.append(
        onnx.helper.make_node("ReduceMax", ["token_embeddings"], ["sentence_embedding"], axes=[1], keepdims=0)
    )
    graph.graph.output.append(onnx.helper.make_tensor_value_info("sentence_embedding", 1, ["n", 8]))
    onnx.save(graph, folder / "onnx" / "model.onnx")
    assert abs(embedded(Local(folder), "tea")[0] - unit(made.matrix()[[2, 6, 3]].max(0))).max() < 1e-6


def test_lower_case_is_made_where_the_model_wants_it(tmp_path: Path) -> None:
    folder = made.write(made.small(tmp_path / "m"), {"sentence_bert_config.json": {"do_lower_case": True}})
    one, other = embedded(Local(folder), "TEA", "tea")
    assert (one == other).all()


def test_one_of_several_graphs_is_chosen_and_has_vectors_of_its_own_name(tmp_path: Path) -> None:
    folder = made.small(tmp_path / "m")
    for name in ("one", "two"):
        made.lookup(
            folder / "onnx" / f"{name}.onnx", made.matrix(len(WORDS), 8) * (1 if name == "one" else -1)
        )
    assert Local(folder).model
    (folder / "onnx" / "model.onnx").unlink()
    with pytest.raises(ConfigError, match=r"several graphs: onnx/one\.onnx, onnx/two\.onnx.*file="):
        Local(folder)
    parts = [open_embedder(f"local:{folder}?file=onnx/{name}.onnx") for name in ("one", "two")]
    assert parts[0].model != parts[1].model
    assert (embedded(parts[0], "tea") == -embedded(parts[1], "tea")).all()


def test_models_of_other_content_have_other_names_and_copies_the_same(tmp_path: Path) -> None:
    first = made.small(tmp_path / "a" / "m")
    shutil.copytree(first, tmp_path / "b" / "m")
    shutil.copytree(first, tmp_path / "c" / "m")
    made.write(tmp_path / "c" / "m", {"1_Pooling/config.json": made.pooling("cls_token")})
    same, copy, other = (Local(tmp_path / each / "m").model for each in "abc")
    assert same == copy != other


# ----------------------------------------------------------------------------------------------- static models


@pytest.mark.parametrize("kind", ["plain", "half", "mapped"])
def test_a_static_model_is_the_mean_of_the_vectors_of_known_tokens(tmp_path: Path, kind: str) -> None:
    folder = made.write(tmp_path / "m", {"config.json": {"model_type": "model2vec", "hidden_dim": 8}})
    made.tokenizer(folder, special=False)
    vectors, ids = made.matrix(), [WORDS.index("tea"), WORDS.index("bee")]
    expected = vectors[ids].mean(0)
    arrays: dict[str, Any] = {"embeddings": vectors}
    if kind == "half":
        arrays = {"embeddings": vectors.astype(np.float16)}
    if kind == "mapped":
        mapping = np.arange(len(WORDS))[::-1] // 2
        weights = np.linspace(0.1, 1, len(WORDS))
        arrays = {"embeddings": vectors, "mapping": mapping, "weights": weights}
        expected = (vectors[mapping[ids]] * weights[ids][:, None]).mean(0)
    made.safetensors(folder / "model.safetensors", arrays)
    part = Local(folder)
    assert (part.dimension, part.window) == (8, 512)
    assert abs(embedded(part, "tea whatever bee")[0] - unit(expected)).max() < (
        1e-3 if kind == "half" else 1e-6
    )
    nothing, unknown = embedded(part, "", "whatever")
    assert not nothing.any()
    assert unknown.any()


def test_a_static_model_of_sentence_transformers_counts_unknown_tokens(tmp_path: Path) -> None:
    module = {"path": "0_StaticEmbedding", "type": "sentence_transformers.models.StaticEmbedding"}
    folder = made.write(tmp_path / "m", {"modules.json": [module]})
    made.tokenizer(folder / "0_StaticEmbedding", special=False)
    made.safetensors(folder / "0_StaticEmbedding" / "model.safetensors", {"embedding.weight": made.matrix()})
    part = Local(folder)
    assert part.dimension is None
    run(part, part.prepare())
    assert part.dimension == 8
    assert abs(embedded(part, "tea whatever")[0] - unit(made.matrix()[[6, 1]].mean(0))).max() < 1e-6


# ------------------------------------------------------------------------------------------------------ errors


def broken(folder: Path, how: str) -> None:
    if how == "tokenizer":
        (folder / "tokenizer.json").unlink()
    elif how == "graph":
        shutil.rmtree(folder / "onnx")
    elif how == "module":
        dense = {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}
        made.write(folder, {"modules.json": [*made.MODULES, dense]})
    elif how == "json":
        (folder / "config.json").write_text("{", "utf-8")
    elif how == "input":
        made.lookup(folder / "onnx" / "model.onnx", made.matrix(), inputs=("input_ids", "pixel_values"))
    elif how == "pooling":
        made.write(folder, {"1_Pooling/config.json": {"pooling_mode": "attention"}})
    else:
        (folder / "onnx" / "model.onnx").write_bytes(b"\xff" * 100)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("tokenizer", "no tokenizer.json; save the fast tokenizer"),
        ("graph", "no .onnx file; export one: optimum-cli"),
        ("module", "has the module 'dense'.*sentence-transformers:FOLDER"),
        ("json", r"cannot read .*config\.json"),
        ("input", "asks for the input pixel_values"),
        ("pooling", "pools by attention"),
        ("damage", "onnxruntime cannot load"),
    ],
)
def test_what_cannot_be_run_is_said_with_what_to_do(tmp_path: Path, how: str, words: str) -> None:
    folder = made.small(tmp_path / "m")
    broken(folder, how)
    with pytest.raises((ConfigError, BackendError), match=words):
        embedded(Local(folder), "tea")


def test_memories_are_stored_and_found_with_a_model_of_a_folder(tmp_path: Path) -> None:
    folder = made.small(tmp_path / "m")
    with Memory("memory://", embedder=f"local:{folder}") as memory:
        memory.remember(["tea", "rain", "cat"])
        assert memory.recall("cat", mode="semantic")[0].content == "cat"
        assert json.loads(json.dumps(dict(memory.stats().embedded))) == {Local(folder).model: 3}
