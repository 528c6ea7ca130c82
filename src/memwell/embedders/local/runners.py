"""From token ids to vectors: an ONNX graph with pooling, or the mean of one stored vector for each token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from memwell._forks import disable_onnx_telemetry
from memwell.embedders.local.layout import Layout
from memwell.embedders.local.safetensors import tensors
from memwell.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["Runner", "runner"]

MAX_BATCH_TOKENS: Final = 256
"""Maximum number of tokens in one batch, with padding. More would not fit the cache of a core (measured: 3.8 ms per
text, against 5.1 ms in batches of 64 texts).
"""
_IDS: Final = ("input_ids", "ids")
_MASKS: Final = ("attention_mask", "mask")
_OUTPUTS: Final = ("sentence_embedding", "token_embeddings", "last_hidden_state")
"""Names of outputs, the best first; of a graph with others, the first output is taken."""


class Runner(Protocol):
    """Token ids of texts to `(n, d) float32`. The first `skipped` tokens of each text do not count in the pooling."""

    dimension: int | None
    skips_unknown: bool
    """Whether tokens that the tokenizer does not know do not count."""

    def __call__(self, tokens: Sequence[Sequence[int]], skipped: int = 0) -> Vectors: ...


def runner(layout: Layout, threads: int) -> Runner:
    """What runs the model. Raises `BackendError` for files that cannot be loaded."""
    return _Static(layout) if layout.kind == "static" else _Graph(layout, threads)


class _Graph:
    skips_unknown = False

    def __init__(self, layout: Layout, threads: int) -> None:
        self._layout = layout
        self._session = _session(layout, threads)
        self._inputs = {each.name: _integer(each, layout) for each in self._session.get_inputs()}
        names = [each.name for each in self._session.get_outputs()]
        self._output = next((name for name in _OUTPUTS if name in names), names[0])
        self.dimension = None if self._layout.dimension is None else self._layout.dimension

    def __call__(self, tokens: Sequence[Sequence[int]], skipped: int = 0) -> Vectors:
        import numpy as np

        found: Any = None
        for rows in _batches([len(each) for each in tokens]):
            ids, mask = self._padded([tokens[row] for row in rows])
            (raw,) = self._session.run([self._output], self._feed(ids, mask))
            vectors = (
                raw if raw.ndim == 2 else self._pooled(raw.astype(np.float32, copy=False), mask, skipped)
            )
            if found is None:
                found = np.empty((len(tokens), vectors.shape[-1]), dtype=np.float32)
            found[rows] = vectors
        self.dimension = found.shape[1]
        return found  # type: ignore[no-any-return]

    def _padded(self, tokens: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        import numpy as np

        ids = np.full((len(tokens), max(1, *map(len, tokens), 1)), self._layout.padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each)] = each
            mask[row, : len(each)] = 1
        return ids, mask

    def _feed(self, ids: Any, mask: Any) -> dict[str, Any]:
        import numpy as np

        feed = {}
        for name, kind in self._inputs.items():
            if name in _IDS:
                array = ids
            elif name in _MASKS:
                array = mask
            elif name == "token_type_ids":
                array = np.zeros_like(ids)
            else:  # position_ids
                array = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
            feed[name] = array.astype(kind)
        return feed

    def _pooled(self, hidden: Any, mask: Any, skipped: int) -> Any:
        import numpy as np

        if skipped:
            mask = mask.copy()
            mask[:, :skipped] = 0
        return np.concatenate([_POOL[way](hidden, mask) for way in self._layout.pooling], axis=1)


def _mean(hidden: Any, mask: Any) -> Any:
    return (hidden * mask[:, :, None].astype(hidden.dtype)).sum(1) / mask.sum(1, keepdims=True).clip(1)


def _weighted(hidden: Any, mask: Any) -> Any:
    import numpy as np

    weights = mask * np.arange(1, mask.shape[1] + 1)
    return (hidden * weights[:, :, None].astype(hidden.dtype)).sum(1) / weights.sum(1, keepdims=True).clip(1)


def _max(hidden: Any, mask: Any) -> Any:
    import numpy as np

    return np.where(mask[:, :, None] == 1, hidden, -1e9).max(1)


def _last(hidden: Any, mask: Any) -> Any:
    import numpy as np

    ends = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)
    return hidden[np.arange(len(hidden)), ends]


def _first(hidden: Any, mask: Any) -> Any:
    del mask
    return hidden[:, 0]


_POOL: Final = {"mean": _mean, "weightedmean": _weighted, "max": _max, "lasttoken": _last, "cls": _first}


class _Static:
    def __init__(self, layout: Layout) -> None:
        import numpy as np

        try:
            arrays = tensors(layout.weights.read_bytes())
            self.skips_unknown = "embeddings" in arrays  # of model2vec; sentence-transformers counts them
            matrix = arrays["embeddings" if self.skips_unknown else "embedding.weight"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackendError(
                f"{layout.weights} holds no vectors of tokens: {type(error).__name__}: {error}",
                part="local",
            ) from error
        self._matrix, self._weights, self._mapping = matrix, arrays.get("weights"), arrays.get("mapping")
        self._zero = np.zeros(matrix.shape[1], np.float32)
        self.dimension: int | None = int(matrix.shape[1])

    def __call__(self, tokens: Sequence[Sequence[int]], skipped: int = 0) -> Vectors:
        import numpy as np

        return np.stack([self._vector(each[skipped:]) for each in tokens])

    def _vector(self, tokens: Sequence[int]) -> Any:
        """The mean of the tokens' vectors; zero for a text without tokens."""
        import numpy as np

        if not tokens:
            return self._zero
        ids = np.asarray(tokens)
        rows = self._matrix[ids if self._mapping is None else self._mapping[ids]].astype(np.float32)
        if self._weights is not None:
            rows = rows * self._weights[ids][:, None].astype(np.float32)
        return rows.mean(0)


def _integer(given: Any, layout: Layout) -> Any:
    """The type of an input. Raises `ConfigError` for one that is not known."""
    known = given.name in (*_IDS, *_MASKS, "token_type_ids", "position_ids")
    kinds = {"tensor(int64)": "int64", "tensor(int32)": "int32"}
    if not known or given.type not in kinds:
        raise ConfigError(
            f"{layout.weights} asks for the input {given.name} of type {given.type}; known are input_ids,"
            " attention_mask, token_type_ids and position_ids, as integers",
            part="local",
        )
    return kinds[given.type]


def _session(layout: Layout, threads: int) -> Any:
    disable_onnx_telemetry()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # it would keep a plan for every input shape
    if layout.optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(layout.weights), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BackendError(
            f"onnxruntime cannot load {layout.weights}: {error}; if memwell pulled it, delete {layout.weights.parent}"
            " and run: memwell models pull",
            part="local",
        ) from error


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Indexes of the texts of each batch, the shortest first, to minimize padding."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if rows and (len(rows) + 1) * lengths[row] > MAX_BATCH_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows
