"""Converts the official safetensors of MiniLM into an ONNX graph: BERT, mean pooling and normalisation in 42 operators.

Matrices have the layout of onnxruntime's fused operators (`com.microsoft`: Attention, SkipLayerNormalization, BiasGelu
with the exact erf). They are written to a data file beside the graph, which onnxruntime memory-maps instead of parsing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DIMENSION", "LAYERS", "assemble"]

DIMENSION: Final = 384
LAYERS: Final = 6
HEADS: Final = 12
EPSILON: Final = 1e-12
"""Epsilon of every layer normalisation, from the model's config.json."""
FUSED: Final = "com.microsoft"
OPSET: Final = 17
PAGE: Final = 65_536
"""Alignment in the data file, in bytes: the largest page size of any platform."""
INLINE: Final = 16_384
"""Bytes; smaller tensors are stored in the graph itself."""


def assemble(weights: Mapping[str, NDArray[Any]], data: BinaryIO, location: str) -> bytes:
    """The serialised graph. Its matrices are written to `data`, a file with the final name `location`.

    Inputs: `ids` and `mask`, both `(n, length) int32`. Output: `vectors`, `(n, 384) float32` of unit length. Raises
    `ConfigError` if the package onnx is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise ConfigError("preparing the local model needs onnx: pip install 'memwell[local]'") from error
    helper, graph = onnx.helper, _Graph(data, location)
    hidden = _embeddings(graph, weights)
    for layer in range(LAYERS):
        hidden = _layer(graph, _below(weights, f"encoder.layer.{layer}."), hidden)
    _pooling(graph, hidden)
    integers, floats = onnx.TensorProto.INT32, onnx.TensorProto.FLOAT
    body = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info(name, integers, ["n", "length"]) for name in ("ids", "mask")],
        [helper.make_tensor_value_info("vectors", floats, ["n", DIMENSION])],
        graph.constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
    model = helper.make_model(body, opset_imports=opsets, ir_version=8, producer_name="memwell")
    serialised: bytes = model.SerializeToString()
    return serialised


@dataclass
class _Graph:
    """Collects operators and constants."""

    data: BinaryIO
    location: str
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, array: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        import numpy as np
        from onnx import TensorProto, numpy_helper

        name = f"c{len(self.constants)}"
        array = np.ascontiguousarray(array)
        if array.nbytes < INLINE:
            self.constants.append(numpy_helper.from_array(array, name))
            return name
        tensor = TensorProto(
            name=name,
            dims=array.shape,
            data_type=TensorProto.FLOAT,
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in self._append(array):
            tensor.external_data.add(key=key, value=value)
        self.constants.append(tensor)
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator and return the name of its result."""
        from onnx import helper

        name = f"t{len(self.nodes)}"
        outputs = [name, f"{name}_mask"] if operator == "EmbedLayerNormalization" else [name]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, domain=domain, **attributes))
        return name

    def _append(self, array: NDArray[Any]) -> Iterator[tuple[str, str]]:
        self.data.write(b"\0" * (-self.data.tell() % PAGE))
        yield "location", self.location
        yield "offset", str(self.data.tell())
        self.data.write(array.astype("<f4", copy=False).data)
        yield "length", str(array.nbytes)


def _embeddings(graph: _Graph, weights: Mapping[str, NDArray[Any]]) -> str:
    part = _below(weights, "embeddings.")
    # A text is always segment 0, so that row is added to every position in advance.
    positions = part["position_embeddings.weight"] + part["token_type_embeddings.weight"][0]
    return graph.node(
        "EmbedLayerNormalization",
        "ids",
        "",
        graph.constant(part["word_embeddings.weight"]),
        graph.constant(positions),
        "",
        graph.constant(part["LayerNorm.weight"]),
        graph.constant(part["LayerNorm.bias"]),
        domain=FUSED,
        epsilon=EPSILON,
    )


def _layer(graph: _Graph, part: Mapping[str, NDArray[np.float32]], hidden: str) -> str:
    import numpy as np

    names = ("query", "key", "value")
    attended = graph.node(
        "Attention",
        hidden,
        graph.constant(np.concatenate([part[f"attention.self.{name}.weight"].T for name in names], axis=1)),
        graph.constant(np.concatenate([part[f"attention.self.{name}.bias"] for name in names])),
        "mask",
        domain=FUSED,
        num_heads=HEADS,
    )
    middle = _residual(graph, part, "attention.output.", attended, hidden)
    wide = graph.node("MatMul", middle, graph.constant(part["intermediate.dense.weight"].T))
    active = graph.node("BiasGelu", wide, graph.constant(part["intermediate.dense.bias"]), domain=FUSED)
    return _residual(graph, part, "output.", active, middle)


def _residual(graph: _Graph, part: Mapping[str, NDArray[Any]], prefix: str, inner: str, beside: str) -> str:
    """A dense layer with bias, the residual connection, and the layer normalisation of the sum."""
    return graph.node(
        "SkipLayerNormalization",
        graph.node("MatMul", inner, graph.constant(part[f"{prefix}dense.weight"].T)),
        beside,
        graph.constant(part[f"{prefix}LayerNorm.weight"]),
        graph.constant(part[f"{prefix}LayerNorm.bias"]),
        graph.constant(part[f"{prefix}dense.bias"]),
        domain=FUSED,
        epsilon=EPSILON,
    )


def _pooling(graph: _Graph, hidden: str) -> None:
    """The normalised sum over real tokens, which has the direction of their mean."""
    import numpy as np
    from onnx import TensorProto, helper

    axis = graph.constant(np.array([1], np.int64))
    row = graph.node("Unsqueeze", graph.node("Cast", "mask", to=TensorProto.FLOAT), axis)
    total = graph.node("Squeeze", graph.node("MatMul", row, hidden), axis)
    graph.nodes.append(helper.make_node("LpNormalization", [total], ["vectors"], axis=-1, p=2))


def _below(weights: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
