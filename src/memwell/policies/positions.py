"""Where the keys of a policies file stand: TOML, YAML and JSON with the line of each key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path as File
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError, shown
from memwell.policies.checks import Path

__all__ = ["Lines", "read"]

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*=""")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of keys and tables."""

    known: Mapping[Path, int] = field(default_factory=dict)

    def of(self, path: Path) -> int:
        """The line of a place, or of the nearest one around it; 0 where it is unknown."""
        while path:
            if path in self.known:
                return self.known[path]
            path = path[:-1]
        return 0


def read(text: str, path: File) -> tuple[Mapping[str, Any], Lines]:
    """What a file declares. Raises `ConfigError` for text that is not what its name says."""
    readers = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".json": _json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{shown(str(path))} is not a policies file; its name ends in {', '.join(readers)}")
    declared, lines = reader(text, path)
    if not isinstance(declared, Mapping):
        raise ConfigError(f"{path}:1: a policies file has sections such as [[tier]], not one value")
    return declared, lines


def _toml(text: str, path: File) -> tuple[Any, Lines]:
    try:
        return tomllib.loads(text), Lines(_toml_lines(text))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = place[1] if place else str(text.count("\n") + 1)
        raise ConfigError(f"{path}:{line}: not TOML: {error}", part="policies") from error


def _toml_lines(text: str) -> dict[Path, int]:
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _table(header[2], counts, listed=header[1] == "[[")
            found.setdefault(table, number)
            if header[1] == "[[":
                found.setdefault(table[:-1], number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1] or key[2] or key[3]), number)
    return found


def _table(name: str, counts: dict[Path, int], *, listed: bool) -> Path:
    """The place of a table with this header; the tables of a list are counted."""
    path: Path = ()
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    for place, part in enumerate(parts):
        path = (*path, part)
        if listed and place == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _yaml(text: str, path: File) -> tuple[Any, Lines]:
    try:
        import yaml
    except ImportError as error:
        raise ConfigError(
            f"to read {path} pip install 'memwell[yaml]', or write the policies in TOML"
        ) from error
    found: dict[Path, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _walk(node, (), found, path)
        return (yaml.safe_load(text) or {}), Lines(found)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        reason = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{path}:{line}: not YAML: {reason}", part="policies") from error


def _walk(node: Any, path: Path, found: dict[Path, int], file: File) -> None:
    """Note the lines of a YAML node. Raises `ConfigError` for a key that stands twice."""
    if node.id == "sequence":
        for place, item in enumerate(node.value):
            found[(*path, place)] = item.start_mark.line + 1
            _walk(item, (*path, place), found, file)
    elif node.id == "mapping":
        for key, value in node.value:
            inner, line = (*path, key.value), key.start_mark.line + 1
            if inner in found:
                raise ConfigError(f"{file}:{line}: the key {key.value!r} stands twice", part="policies")
            found[inner] = line
            _walk(value, inner, found, file)


def _json(text: str, path: File) -> tuple[Any, Lines]:
    try:
        return json.loads(text), Lines()
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise ConfigError(f"{path}:{line}: not JSON: {error}", part="policies") from error
