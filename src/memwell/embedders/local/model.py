"""Sentence-embedding models in this process, with onnxruntime or numpy and tokenizers; no torch, no network.

URL: `local` (all-MiniLM-L6-v2), `local:NAME` for a model that `memwell models pull NAME` has fetched, or
`local:/path/to/folder`. Options: `threads=1`, the cores that one call may use; `file=onnx/model_quantized.onnx`, one
graph of several; `document_prefix=` and `query_prefix=`, other prefixes than the model's own.
"""

from __future__ import annotations

import importlib.util
import json
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from memwell._dataclasses import dataclass
from memwell._forks import fork_safe, leave_to_parent
from memwell.embedders.local import library
from memwell.embedders.local.catalogue import DEFAULT
from memwell.embedders.local.layout import Layout
from memwell.embedders.local.runners import Runner, runner
from memwell.embedders.prefixes import variant
from memwell.errors import BackendError, ConfigError, EmbeddingError, MemwellError
from memwell.ports import Embedder, Vectors

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["Local"]

_OPTIONS: Final = ("threads", "file", "document_prefix", "query_prefix")
_PREFIX: Final = 64
"""Characters of a long text that are tokenized first, for each token of the window; usually they fill it."""
_PROBE: Final = "dimension"

_open: weakref.WeakSet[Local] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The loaded tokenizer, and the model if it was needed."""

    tokenizer: Any
    start: tuple[int, ...]
    end: tuple[int, ...]
    """Special tokens around a text."""
    unknown: int | None
    """Id of the token for what the tokenizer does not know."""
    runner: Runner | None = None


class Local(Embedder):
    """A model from a folder. The default has 384 dimensions, is mainly English and takes about 4 ms per sentence.

    The constructor only checks that the files exist, and reads those that describe the model. The first use loads the
    rest (the default model is converted then, once per machine). Texts are cut at the model's window. Thread-safe and
    fork-safe. Raises `ConfigError` if a package or the model is missing; the message names the command that installs
    it.
    """

    part = "local"
    blocking = True

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threads: int = 1,
        file: str | None = None,
        document_prefix: str | None = None,
        query_prefix: str | None = None,
    ) -> None:
        """`model`: the name of a model that was pulled, a folder, or `None` for the default model; other arguments as
        the options of the URL.
        """
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
            raise ConfigError(f"threads must be an integer of at least 1, not {threads!r}", part=self.part)
        _check_packages()
        self._folder = model if isinstance(model, Path) else library.at(model) if model else None
        self._named = model if isinstance(model, str) and self._folder is None else DEFAULT
        self._file, self._threads = file, threads
        own = library.layout_of(self._folder, self._named, file=file)
        words = (
            own.document_prefix if document_prefix is None else document_prefix,
            own.query_prefix if query_prefix is None else query_prefix,
        )
        self._layout = replace(own, document_prefix=words[0], query_prefix=words[1])
        same = words == (own.document_prefix, own.query_prefix)
        self.model = own.model if same else variant(own.model, *words)
        self.dimension = own.dimension
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()
        _open.add(self)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `local`, `local:NAME?threads=2`, `local:/absolute/folder`, `local:./folder` or
        `local:///folder` (relative) and `local:////absolute/folder`.
        """
        threads = url.whole("threads", 1, least=1)
        file, document, query = (url.take(name) for name in _OPTIONS[1:])
        url.done(*_OPTIONS)
        slashes = url.text.partition(":")[2].startswith("//")
        model = Path(url.path()) if slashes and url.path() else url.rest or None
        return cls(model, threads=threads, file=file, document_prefix=document, query_prefix=query)

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """Whether documents and queries are embedded in the same way."""
        return self._layout.document_prefix == self._layout.query_prefix

    @property
    def window(self) -> int | None:  # type: ignore[override]
        """Tokens read of a document, without those of the prefix."""
        if self._layout.window is None or not self._layout.document_prefix:
            return self._layout.window
        return max(1, self._layout.window - len(self._encode(self._layout.document_prefix).ids))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The exact character range of each token of the whole text, in order, without the special tokens."""
        offsets: list[tuple[int, int]] = self._encode(text).offsets
        return offsets

    async def _prepare(self) -> None:
        if self.dimension is None:
            await self._embed([_PROBE], "document")

    async def _ping(self) -> None:
        self._model(running=True)

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        run = self._model(running=True).runner
        assert run is not None
        prefix = self._layout.query_prefix if kind == "query" else self._layout.document_prefix
        skipped = 0
        if prefix and not self._layout.pools_prefix:
            skipped = len(self._tokens(prefix)) - len(self._model().end)
        vectors = run([self._tokens(prefix + text) for text in texts], skipped)
        self.dimension = self.dimension or run.dimension
        return vectors

    def _tokens(self, text: str) -> list[int]:
        """Token ids for the model, cut at the window, with the special tokens."""
        model, window = self._model(), self._layout.window
        if self._layout.lowercase:
            text = text.lower()
        room = None if window is None else max(1, window - len(model.start) - len(model.end))
        size = len(text) if room is None else max(16_384, _PREFIX * room)
        while True:
            prefix = text[:size]
            encoded = self._encode(prefix)
            if len(prefix) == len(text) or _is_final(prefix, encoded.offsets, room):
                return [*model.start, *self._known(encoded.ids[:room]), *model.end]
            size *= 4

    def _known(self, ids: list[int]) -> list[int]:
        model = self._model(running=self._layout.kind == "static")
        if model.runner is None or not model.runner.skips_unknown:
            return ids
        unknown = model.unknown
        return [each for each in ids if each != unknown] or ids  # every text has a direction

    def _encode(self, text: str) -> Any:
        return self._model().tokenizer.encode(text, add_special_tokens=False)

    def _model(self, *, running: bool = False) -> _Loaded:
        """Load the tokenizer, and on demand the model."""
        loaded = self._loaded
        if loaded is None or (running and loaded.runner is None):
            with self._lock:
                loaded = self._loaded
                if loaded is None or (running and loaded.runner is None):
                    loaded = self._loaded = self._load(loaded, running)
        return loaded

    def _load(self, before: _Loaded | None, running: bool) -> _Loaded:
        loaded = before or _tokenizer(self._layout)
        return replace(loaded, runner=runner(self._layout, self._threads)) if running else loaded

    async def _close(self) -> None:
        self._loaded = None

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return EmbeddingError(f"{type(error).__name__}: {error}", part=self.part, operation=operation)


def _check_packages() -> None:
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


def _tokenizer(layout: Layout) -> _Loaded:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(layout.tokenizer))
    except Exception as error:
        raise BackendError(f"cannot read {layout.tokenizer}: {error}", part="local") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if layout.kind == "static":
        return _Loaded(tokenizer, (), (), _unknown(tokenizer))
    sample = tokenizer.encode("a")
    special = list(sample.special_tokens_mask)
    first = special.index(0) if 0 in special else min(1, len(special))
    last = len(special) - special[::-1].index(0) if 0 in special else first
    return _Loaded(tokenizer, tuple(sample.ids[:first]), tuple(sample.ids[last:]), None)


def _unknown(tokenizer: Any) -> int | None:
    model = json.loads(tokenizer.to_str())["model"]
    if isinstance(model.get("unk_token"), str):
        found: int | None = tokenizer.token_to_id(model["unk_token"])
        return found
    number = model.get("unk_id")
    return number if isinstance(number, int) else None


def _is_final(prefix: str, offsets: list[tuple[int, int]], room: int | None) -> bool:
    """Whether more text cannot change the tokens of the window: they end before the last white space."""
    if room is None or len(offsets) < room + 2:
        return False
    end = offsets[room - 1][1]
    return any(character.isspace() for character in prefix[end : end + 4096])
