"""Model folders made for the tests: as sentence-transformers and model2vec lay them out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query:", "passage:", "tea", "rain", "cat", "bee"]
EXPORTED = ("input_ids", "attention_mask", "token_type_ids")


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), "utf-8")
    return folder


def tokenizer(folder: Path, *, special: bool = True) -> None:
    """One id for each of `WORDS`; with `special`, [CLS] before and [SEP] after a text."""
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if special:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        made.enable_padding(pad_id=0, pad_token="[PAD]")
        made.enable_truncation(4)  # as many are saved; the model's own files decide
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))


def matrix(rows: int = len(WORDS), columns: int = 8) -> Any:
    return np.random.default_rng(rows + columns).standard_normal((rows, columns)).astype(np.float32)


def lookup(
    path: Path,
    vectors: Any,
    *,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    output: str = "last_hidden_state",
) -> None:
    """A graph that gives each token its own vector; inputs beside the ids only have to be there."""
    dtype = TensorProto.INT64
    body = helper.make_graph(
        [helper.make_node("Gather", ["vectors", "input_ids"], [output])],
        "lookup",
        [helper.make_tensor_value_info(name, dtype, ["n", "length"]) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "length", vectors.shape[1]])],
        [numpy_helper.from_array(vectors, "vectors")],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(_model(body), path)


def safetensors(path: Path, arrays: Mapping[str, Any]) -> None:
    types = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "int32": "I32"}
    header, data = {}, b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": types[array.dtype.name], "shape": [*array.shape], "data_offsets": offsets}
        data += raw
    head = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)


def pooling(*ways: str, size: int = 8, **more: Any) -> dict[str, Any]:
    """`1_Pooling/config.json` with these switches on."""
    return {"word_embedding_dimension": size, **{f"pooling_mode_{way}": True for way in ways}, **more}


MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def small(folder: Path, *ways: str, **graph: Any) -> Path:
    """A complete folder of a small model that pools so."""
    tokenizer(folder)
    lookup(folder / "onnx" / "model.onnx", matrix(), **graph)
    config = {"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 32, "pad_token_id": 0}
    return write(
        folder,
        {
            "modules.json": MODULES,
            "config.json": config,
            "1_Pooling/config.json": pooling(*ways or ("mean_tokens",)),
        },
    )


# ------------------------------------------------------------------------------------- BERT as it is exported


def bert(path: Path, weights: Mapping[str, Any], *, heads: int = 12, layers: int = 6) -> None:
    """BERT of plain operators, as exporters write it: `EXPORTED` in, `last_hidden_state` out."""
    nodes: list[Any] = []
    constants: dict[str, Any] = {}

    def constant(array: Any) -> str:
        name = f"c{len(constants)}"
        constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def node(operator: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, [*inputs], [f"t{len(nodes)}"], **attributes))
        return f"t{len(nodes) - 1}"

    def dense(x: str, name: str) -> str:
        product = node("MatMul", x, constant(weights[f"{name}.weight"].T))
        return node("Add", product, constant(weights[f"{name}.bias"]))

    def norm(x: str, name: str) -> str:
        scale, bias = (constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return node("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    size = weights["embeddings.position_embeddings.weight"].shape[1]
    words = node("Gather", constant(weights["embeddings.word_embeddings.weight"]), "input_ids")
    types = node("Gather", constant(weights["embeddings.token_type_embeddings.weight"]), "token_type_ids")
    length = node("Slice", node("Shape", "input_ids"), constant(np.array([1])), constant(np.array([2])))
    places = node(
        "Slice",
        constant(weights["embeddings.position_embeddings.weight"]),
        constant(np.array([0])),
        length,
        constant(np.array([0])),
    )
    x = norm(node("Add", node("Add", words, types), places), "embeddings.LayerNorm")
    wide = node("Unsqueeze", node("Cast", "attention_mask", to=TensorProto.FLOAT), constant(np.array([1, 2])))
    hidden = node("Mul", node("Sub", constant(np.float32(1)), wide), constant(np.float32(-1e9)))
    split, joined = constant(np.array([0, 0, heads, size // heads])), constant(np.array([0, 0, size]))
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        q, k, v = (
            node("Transpose", node("Reshape", dense(x, f"{name}.attention.self.{part}"), split), perm=perm)
            for part, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = node("Div", node("MatMul", q, k), constant(np.float32(np.sqrt(size // heads))))
        shares = node("Softmax", node("Add", scores, hidden), axis=-1)
        attended = node("Reshape", node("Transpose", node("MatMul", shares, v), perm=[0, 2, 1, 3]), joined)
        x = norm(
            node("Add", dense(attended, f"{name}.attention.output.dense"), x),
            f"{name}.attention.output.LayerNorm",
        )
        wide = dense(x, f"{name}.intermediate.dense")
        half = node(
            "Add", node("Erf", node("Div", wide, constant(np.float32(np.sqrt(2))))), constant(np.float32(1))
        )
        active = node("Mul", node("Mul", wide, half), constant(np.float32(0.5)))
        x = norm(node("Add", dense(active, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")
    nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    integers, floats = TensorProto.INT64, TensorProto.FLOAT
    body = helper.make_graph(
        nodes,
        "bert",
        [helper.make_tensor_value_info(name, integers, ["n", "length"]) for name in EXPORTED],
        [helper.make_tensor_value_info("last_hidden_state", floats, ["n", "length", size])],
        list(constants.values()),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(_model(body), path)


def _model(body: Any) -> Any:
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
