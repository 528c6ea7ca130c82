"""Models by name: of the catalogue or of the Hugging Face hub, as folders in the user's cache.

Only `pull` uses the network. What arrives is compared with the SHA-256 that the hub states, read once as a check, and
kept with a manifest of its own SHA-256, so that `verify` notices any later change.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from memwell.embedders.local import folders, hub, layout, weights
from memwell.embedders.local.catalogue import CATALOGUE, DEFAULT, find
from memwell.embedders.local.download import Failed
from memwell.errors import ConfigError, Unavailable

__all__ = ["at", "layout_of", "located", "pull", "repository_of", "verify"]

_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
_SMALL: Final = re.compile(
    r"(\d+_\w+/)?(modules|config|tokenizer|tokenizer_config|sentence_bert_config|config_sentence_transformers)\.json"
)
"""Files that describe a model."""


def at(name: str) -> Path | None:
    """The folder that a name means if it is a path: `/models/x`, `./x`, `~/x`; `None` for the name of a model."""
    path = name.startswith(("/", "./", "../", "~")) or name in (".", "..") or "\\" in name
    return folders.expanded(name) if path else None


def repository_of(name: str) -> str:
    """The repository of a model by its short or full name. Raises `ConfigError` for a name that cannot be one."""
    entry = find(name)
    if entry is not None:
        return entry.repository
    if _NAME.fullmatch(name) and ".." not in name:
        return name
    known = ", ".join(each.name for each in CATALOGUE)
    raise ConfigError(
        f"{name!r} is no model of the catalogue ({known}); name one of the Hugging Face hub as OWNER/NAME, or a"
        " folder by its path, as local:./NAME",
        part="local",
    )


def located(name: str, *, cache: Path | None = None) -> Path | None:
    """The folder of a model that was pulled; `None` if it is not here."""
    if _is_default(name):
        return weights.available(cache=cache)
    target = _target(name, cache)
    return target if folders.intact(target) else None


def layout_of(folder: Path | None, name: str = DEFAULT, *, file: str | None = None) -> layout.Layout:
    """How the model in a folder, or else that of a name, makes vectors. Uses no network.

    Raises `ConfigError` if there is no such model here, saying how to get it.
    """
    if folder is None and not _is_default(name):
        folder = located(name)
        if folder is None:
            raise ConfigError(
                f"the model {repository_of(name)} is not on this machine; run: memwell models pull {name}",
                part="local",
            )
    if folder is None or weights.converted(folder) or weights.official(folder):
        return weights.layout(weights.ready(folder))
    described = any((folder / name).is_file() for name in ("config.json", "modules.json"))
    if not described and not list(folder.glob("**/*.onnx")):
        return weights.layout(weights.ready(folder))  # MiniLM, or an error that says what is missing
    return layout.read(folder, file=file)


def pull(
    name: str = DEFAULT,
    *,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> Path:
    """The folder of a model by name; downloads it if necessary.

    `progress(done, total)` receives bytes. Raises `Unavailable` with every place that was tried, and `ConfigError` for
    a model that memwell cannot run.
    """
    if _is_default(name):
        return weights.pull(progress=progress, cache=cache)
    repository, target = repository_of(name), _target(name, cache)
    if folders.intact(target):
        return target
    tried = []
    for place, get in (("the hub's cache", _from_cache), ("Hugging Face hub", _from_hub)):
        with folders.staging(target) as folder:
            try:
                about = get(repository, folder, progress)
            except Failed as error:
                tried.append(f"{place}: {error}")
                continue
            layout.read(folder)  # raises if it cannot be run
            names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
            folders.seal(folder, names, {"model": repository, **about})
            folders.place(folder, target)
            return target
    raise Unavailable(
        f"cannot get {repository}. {' | '.join(tried)} | without a network, copy the model's folder here and name it"
        " by its path, as local:/path/to/folder",
        part="local",
    )


def verify(folder: Path) -> list[str]:
    """Names of files that differ from what was pulled. Reads all of them. Raises `ConfigError` without a manifest."""
    files = folders.manifest(folder).get("files")
    if not files:
        raise ConfigError(f"{folder} has no manifest: memwell did not pull it", part="local")
    return [
        name
        for name, entry in files.items()
        if not (folder / name).is_file() or folders.sha256_of(folder / name) != entry["sha256"]
    ]


def _is_default(name: str) -> bool:
    entry = find(name)
    return entry is not None and entry.name == DEFAULT


def _target(name: str, cache: Path | None) -> Path:
    return (cache or folders.cache_directory()) / repository_of(name).replace("/", "--")


def _wanted(names: Collection[str], folder: Path, where: str) -> list[str]:
    """The files with the weights, once those that describe the model are in the folder."""
    static = layout.described_as_static(folder)
    main = layout.weights_in(names, static=static, file=None, where=where)
    return [name for name in sorted(names) if name == main or name in (f"{main}_data", f"{main}.data")]


def _from_hub(repository: str, folder: Path, progress: Callable[[int, int], None] | None) -> dict[str, str]:
    found = hub.listing(repository)
    small = [name for name in found.sizes if _SMALL.fullmatch(name)]
    if not small:
        raise Failed(f"{repository} has no files that describe a sentence-embedding model")
    hub.take(folder, repository, found.commit, small, sum(found.sizes[n] for n in small), None)
    large = _wanted(found.sizes, folder, repository)
    hub.take(folder, repository, found.commit, large, sum(found.sizes[n] for n in large), progress)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes
    for name in large:
        stated = found.sha256.get(name)
        if stated is not None and folders.sha256_of(folder / name) != stated:
            raise Failed(f"{name} arrived damaged: its SHA-256 is not the one that the hub states")
    return {"commit": found.commit}


def _from_cache(
    repository: str, folder: Path, _progress: Callable[[int, int], None] | None
) -> dict[str, str]:
    """Link or copy what the hub's client has stored on this machine."""
    source = hub.cached(repository)
    names = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    small = [name for name in names if _SMALL.fullmatch(name)]
    for name in small:
        _copied(source / name, folder / name)
    try:
        large = _wanted(names, folder, repository) if small else []
    except ConfigError as error:
        raise Failed(error.message) from error
    if not large:
        raise Failed("its copy is not complete")
    for name in large:
        _copied(source / name, folder / name)
    return {"commit": source.name}


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
