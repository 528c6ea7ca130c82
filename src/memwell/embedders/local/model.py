"""all-MiniLM-L6-v2 on this machine: onnxruntime and tokenizers, no torch, no network."""

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
"""Tokens read of a text, the two special ones included; sentence-transformers' `max_seq_length`."""
PADDED: Final = 256
"""Most tokens of one run, padding included: what still fits a core's cache (measured: 3.8 ms a text against
5.1 in runs of 64)."""
START, END = 101, 102
PREFIX: Final = 16_384
"""Characters of a very long text that are read first; hardly ever are more needed to fill the window."""

TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
"""From 1.31 on onnxruntime's wheels report their use to Microsoft, from a thread that also makes forked
children hang at their end. memwell asks it not to before importing it, unless the variable is set already."""

_open: weakref.WeakSet[MiniLM] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was loaded."""

    tokenizer: Any
    session: Any = None


class MiniLM(Embedder):
    """The default model: 384 dimensions, English first, about 4 ms a sentence on one core.

    Construction looks for the weights and loads nothing; the first use loads them (and converts them, once
    per machine). Texts beyond 256 tokens are cut, as in sentence-transformers. Vectors equal the reference
    implementation's within 1e-5. Safe for many threads and after a fork. Raises `ConfigError` when a package
    or the weights are missing, with the command that brings them.
    """

    part = "local"
    blocking = True
    symmetric = True
    """Documents and queries are embedded alike."""
    model = "sentence-transformers/all-MiniLM-L6-v2"
    dimension = DIMENSION
    window = WINDOW

    def __init__(self, path: str | Path | None = None, *, threads: int = 1) -> None:
        """`path`: a directory with the official files, instead of the places searched. `threads`: cores one
        call may use."""
        if not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"threads is a whole number from 1, not {threads!r}", part=self.part)
        _packages()
        if weights.available(path) is None:
            weights.ready(path)  # raises, saying what to do
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
        """Exact character range of each token, in order, without the special ones; the whole text, however
        long."""
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
        for rows in _runs([len(each) for each in tokens]):
            longest = len(tokens[rows[-1]])
            ids = np.zeros((len(rows), longest), dtype=np.int32)
            mask = np.zeros_like(ids)
            for at, row in enumerate(rows):
                ids[at, : len(tokens[row])] = tokens[row]
                mask[at, : len(tokens[row])] = 1
            found[rows] = session.run(None, {"ids": ids, "mask": mask})[0]
        return found

    def _tokens(self, text: str) -> list[int]:
        """Token ids as the model reads them: cut to the window, special tokens included."""
        size = PREFIX
        while True:
            prefix = text[:size]
            encoded = self._encode(prefix)
            ids: list[int] = encoded.ids[: WINDOW - 2]
            if len(prefix) == len(text) or _settled(prefix, encoded.offsets):
                return [START, *ids, END]
            size *= 4

    def _encode(self, text: str) -> Any:
        return self._model().tokenizer.encode(text, add_special_tokens=False)

    def _model(self, *, session: bool = False) -> _Loaded:
        """What is loaded: the tokenizer, and on demand the session."""
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
    """Raise `ConfigError` unless all are installed; nothing is imported yet."""
    for name in ("numpy", "onnxruntime", "tokenizers"):
        if importlib.util.find_spec(name) is None:
            raise ConfigError(f"the local model needs {name}: pip install 'memwell[local]'", part="local")


def _after_fork() -> None:
    """In the child: what the parent loaded is kept alive for ever, for to destroy it means to wait for
    threads that exist in the parent only. The child loads its own when it needs it."""
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
    options.enable_mem_pattern = False  # it would keep a plan for every shape met
    # The graph is made of fused operators already; there is nothing to find in it.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BackendError(
            f"onnxruntime cannot load {path}: {error}; remove {path.parent} and run: memwell models pull",
            part="local",
        ) from error


def _runs(lengths: list[int]) -> Iterator[list[int]]:
    """Indexes of the texts of each run, shortest first, so that little is padding."""
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if rows and (len(rows) + 1) * lengths[row] > PADDED:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


def _settled(prefix: str, offsets: list[tuple[int, int]]) -> bool:
    """Whether the window's tokens cannot change with what follows: they end before the last white space."""
    if len(offsets) < WINDOW:
        return False
    end = offsets[WINDOW - 3][1]
    return any(character.isspace() for character in prefix[end : end + 4096])
