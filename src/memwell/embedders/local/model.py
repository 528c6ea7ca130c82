"""The model all-MiniLM-L6-v2 in this process, with onnxruntime and tokenizers; no torch, no network."""

from __future__ import annotations

import importlib.util
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from memwell._forks import fork_safe, leave_to_parent
from memwell.embedders.local import weights
from memwell.embedders.local.graph import DIMENSION
from memwell.errors import BackendError, ConfigError, EmbeddingError, MemwellError
from memwell.ports import Embedder, Vectors

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["MiniLM"]

WINDOW: Final = 256
"""Number of tokens read of a text, with the two special ones; `max_seq_length` in sentence-transformers."""
MAX_BATCH_TOKENS: Final = 256
"""Maximum number of tokens in one batch, with padding. More would not fit the cache of a core (measured: 3.8 ms per
text, against 5.1 ms in batches of 64 texts).
"""
START, END = 101, 102
PREFIX: Final = 16_384
"""Number of characters of a long text that are tokenized first; usually they fill the window."""

TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
"""Since 1.31, onnxruntime's wheels send usage reports to Microsoft, from a thread that also makes forked children hang
at exit. Memwell disables that before the import, unless the variable is already set.
"""

_open: weakref.WeakSet[MiniLM] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The loaded tokenizer, and the session if it was needed."""

    tokenizer: Any
    session: Any = None


class MiniLM(Embedder):
    """The default model: 384 dimensions, mainly English, about 4 ms per sentence on one core.

    The constructor only checks that the weights exist. The first use loads them, and converts them once per machine.
    Texts are cut at 256 tokens, as in sentence-transformers. The vectors equal those of the reference implementation
    within 1e-5. Thread-safe and fork-safe. Raises `ConfigError` if a package or the weights are missing; the message
    names the command that installs them.
    """

    part = "local"
    blocking = True
    symmetric = True
    """Documents and queries are embedded in the same way."""
    model = "sentence-transformers/all-MiniLM-L6-v2"
    dimension = DIMENSION
    window = WINDOW

    def __init__(self, path: str | Path | None = None, *, threads: int = 1) -> None:
        """`path`: a directory with the official files, instead of the default locations. `threads`: number of cores
        that one call may use.
        """
        if not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"threads must be an integer of at least 1, not {threads!r}", part=self.part)
        _packages()
        if weights.available(path) is None:
            weights.ready(path)  # raises, and says what to do
        self._path = path
        self._threads = threads
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()
        _open.add(self)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `local`, `local:?threads=2`, `local:////absolute/directory`."""
        threads, path = url.number("threads", 1), url.path()
        url.done("threads")
        return cls(path or None, threads=int(threads))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The exact character range of each token of the whole text, in order, without the special tokens."""
        offsets: list[tuple[int, int]] = self._encode(text).offsets
        return offsets

    async def _ping(self) -> None:
        self._model(session=True)

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        del kind
        return self._vectors([self._tokens(text) for text in texts])

    def _vectors(self, tokens: list[list[int]]) -> Vectors:
        import numpy as np

        session = self._model(session=True).session
        found = np.empty((len(tokens), DIMENSION), dtype=np.float32)
        for rows in _batches([len(each) for each in tokens]):
            longest = len(tokens[rows[-1]])
            ids = np.zeros((len(rows), longest), dtype=np.int32)
            mask = np.zeros_like(ids)
            for at, row in enumerate(rows):
                ids[at, : len(tokens[row])] = tokens[row]
                mask[at, : len(tokens[row])] = 1
            found[rows] = session.run(None, {"ids": ids, "mask": mask})[0]
        return found

    def _tokens(self, text: str) -> list[int]:
        """Token ids for the model, cut at the window, with the special tokens."""
        size = PREFIX
        while True:
            prefix = text[:size]
            encoded = self._encode(prefix)
            ids: list[int] = encoded.ids[: WINDOW - 2]
            if len(prefix) == len(text) or _window_is_final(prefix, encoded.offsets):
                return [START, *ids, END]
            size *= 4

    def _encode(self, text: str) -> Any:
        return self._model().tokenizer.encode(text, add_special_tokens=False)

    def _model(self, *, session: bool = False) -> _Loaded:
        """Load the tokenizer, and on demand the session."""
        loaded = self._loaded
        if loaded is None or (session and loaded.session is None):
            with self._lock:
                loaded = self._loaded
                if loaded is None or (session and loaded.session is None):
                    loaded = self._loaded = self._load(loaded, session)
        return loaded

    def _load(self, before: _Loaded | None, session: bool) -> _Loaded:
        folder = weights.ready(self._path)
        tokenizer = before.tokenizer if before else _tokenizer(folder / weights.TOKENIZER)
        return _Loaded(tokenizer, _session(folder / weights.GRAPH, self._threads) if session else None)

    async def _close(self) -> None:
        self._loaded = None

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return EmbeddingError(f"{type(error).__name__}: {error}", part=self.part, operation=operation)


def _packages() -> None:
    """Raises `ConfigError` if a package is missing. Imports nothing."""
    for name in ("numpy", "onnxruntime", "tokenizers"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError(f"the local model needs {name}: pip install 'memwell[local]'", part="local")


def _after_fork() -> None:
    """In a forked child: keep the parent's session referenced, because destroying it would wait for threads that exist
    only in the parent. The child loads its own when it needs one."""
    for part in list(_open):
        if part._loaded is not None:
            leave_to_parent(part._loaded)
        part._loaded, part._lock = None, threading.Lock()


fork_safe(_after_fork)


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _session(path: Path, threads: int) -> Any:
    os.environ.setdefault(TELEMETRY, "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # it would keep a plan for every input shape
    # The graph already consists of fused operators; there is nothing to optimize.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BackendError(
            f"onnxruntime cannot load {path}: {error}; delete {path.parent} and run: memwell models pull",
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


def _window_is_final(prefix: str, offsets: list[tuple[int, int]]) -> bool:
    """Whether more text cannot change the tokens of the window: they end before the last white space."""
    if len(offsets) < WINDOW:
        return False
    end = offsets[WINDOW - 3][1]
    return any(character.isspace() for character in prefix[end : end + 4096])
