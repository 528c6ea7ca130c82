"""Reading policies from TOML, YAML or a dict, and telling each fault with its place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path as File
from typing import Any, Final, TypeAlias

from memwell.errors import ConfigError, InvalidInput, shown
from memwell.policies import positions
from memwell.policies.checks import Fault, Path, faults
from memwell.policies.conditions import AMOUNTS, WORDS, Condition
from memwell.policies.model import (
    TIERS,
    Decay,
    Deduplicate,
    Expire,
    Move,
    Policies,
    Rule,
    Summarise,
    Tier,
    Trim,
    Write,
)
from memwell.policies.schema import LISTS, REQUIRED, SECTIONS
from memwell.retrieval.ranking.rules import Boost
from memwell.retrieval.ranking.strategies import STRATEGIES, Strategy, resolve

__all__ = ["Source", "load"]

Source: TypeAlias = Policies | Mapping[str, Any] | str | PathLike[str]
"""Policies, or where they are: a dict, or the path of a file `.toml`, `.yaml` or `.json`."""
_CONDITIONS: Final = (*AMOUNTS, *WORDS, "tags")


def load(source: Source) -> Policies:
    """The policies from a dict or a file, checked. Raises `ConfigError` with every fault and its line."""
    if isinstance(source, Policies):
        return source
    if isinstance(source, Mapping):
        return _built(source, "policies", positions.Lines())
    if not isinstance(source, str | PathLike) or not str(source):
        raise ConfigError(f"policies are a dict or the path of a file, not {shown(source)}")
    path = File(source)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read policies from {path}: it is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read policies from {shown(str(path))}: {reason}") from error
    declared, lines = positions.read(text, path)
    return _built(declared, str(path), lines)


def _built(declared: Mapping[str, Any], name: str, lines: positions.Lines) -> Policies:
    reader = _Reader(declared)
    found = reader.policies()
    wrong = reader.faults or list(faults(found, reader.paths))
    if wrong:
        placed = sorted((lines.of(fault.path), place, fault) for place, fault in enumerate(wrong))
        texts = [f"{name}:{line}: {fault.message}" if line else fault.message for line, _, fault in placed]
        raise ConfigError("\n".join(texts), part="policies")
    return found


class _Reader:
    """One declaration being read, and what is wrong in it."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self.declared = declared
        self.faults: list[Fault] = []
        self.paths: dict[int, Path] = {}
        """`id()` of a rule → where it stands."""

    def policies(self) -> Policies:
        """What was declared, without what is wrong in it."""
        for key in self.declared:
            if key not in SECTIONS or "." in str(key):
                self._unknown((str(key),), str(key), [name for name in SECTIONS if "." not in name])
        found = {section: self._section(section) for section in SECTIONS if "." not in section}
        tiers = [Tier(**values) for _, values in found["tier"] if "name" in values]
        moves = [
            self._rule(Move, "migrate", found), self._rule(Move, "promote", found, promotes=True)
        ]  # fmt: skip
        decay = [values for _, values in found["decay"] if "half_life" in values]
        return Policies(
            tiers=tuple(tiers) or TIERS,
            write=self._rule(Write, "write", found),
            moves=(*moves[0], *moves[1]),
            expire=self._rule(Expire, "expire", found),
            trim=self._rule(Trim, "trim", found),
            summarise=self._rule(Summarise, "summarise", found),
            deduplicate=self._deduplicate(found["deduplicate"]),
            decay=Decay(**decay[0]) if decay else None,
            scoring=self._scoring(found["scoring"]),
            declared=self.declared,
        )

    def _section(self, section: str) -> list[tuple[Path, dict[str, Any]]]:
        """The tables of a section with their checked values."""
        given = self.declared.get(section)
        if given is None:
            return []
        if section not in LISTS:
            if isinstance(given, Mapping):
                return [((section,), self._table(section, (section,), given))]
            self._fault((section,), f"[{section}] is one table, not {shown(given)}")
            return []
        tables = [given] if isinstance(given, Mapping) else given
        if not isinstance(tables, list | tuple) or not all(isinstance(one, Mapping) for one in tables):
            self._fault((section,), f"{section} is a list of tables, [[{section}]], not {shown(given)}")
            return []
        return [((section, at), self._table(section, (section, at), one)) for at, one in enumerate(tables)]

    def _table(self, section: str, path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in given.items():
            check = SECTIONS[section].get(key)
            if check is None:
                self._unknown((*path, str(key)), str(key), list(SECTIONS[section]), section)
                continue
            try:
                found[key] = check(key, value)
            except InvalidInput as error:
                self._fault((*path, key), f"{_label(path)}: {error.message}")
        for key in REQUIRED.get(section, ()):
            if key not in given:
                self._fault(path, f"{_label(path)} needs {key!r}")
        return found

    def _rule(self, kind: Any, section: str, found: Mapping[str, Any], **more: Any) -> tuple[Any, ...]:
        rules = []
        for path, values in found[section]:
            if any(key not in values for key in REQUIRED.get(section, ())):
                continue
            rule: Rule = kind(name=values.pop("name", _label(path)), **_of_rule(kind, values), **more)
            self.paths[id(rule)] = path
            rules.append(rule)
        return tuple(rules)

    def _deduplicate(self, found: list[tuple[Path, dict[str, Any]]]) -> Deduplicate | None:
        for path, values in found:
            rule = Deduplicate(**_of_rule(Deduplicate, values))
            if not rule.exact and rule.words is None and rule.vectors is None:
                self._fault(path, "deduplicate: with exact = false it needs words or vectors")
            return rule
        return None

    def _scoring(self, found: list[tuple[Path, dict[str, Any]]]) -> Strategy:
        for path, values in found:
            boosts = self._boosts(path, values.pop("boost", ()))
            name = values.pop("strategy", None)
            try:
                base = STRATEGIES["memoric"] if name is None else resolve(name)
                given = {"relevance": 0.0, "rules": boosts, **values}
                weights = ("recency", "importance", "frequency", "trust")
                if any(weight in values for weight in weights):
                    given = dict.fromkeys(weights, 0.0) | given
                return replace(base, **given)
            except InvalidInput as error:
                self._fault(path, f"scoring: {error.message}")
        return STRATEGIES["memoric"]

    def _boosts(self, path: Path, tables: Any) -> tuple[Boost, ...]:
        found = []
        for at, given in enumerate(tables):
            place = (*path, "boost", at)
            values = self._table("scoring.boost", place, given)
            try:
                found.append(Boost(**{"points": 0.0, **values}))
            except InvalidInput as error:
                self._fault(place, f"{_label(place)}: {error.message}")
        return tuple(found)

    def _unknown(self, path: Path, key: str, known: list[str], section: str = "") -> None:
        close = difflib.get_close_matches(key, known, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
        where = f"{_label(path[:-1])}: " if section else ""
        self._fault(path, f"{where}unknown key {key!r}{meant}")

    def _fault(self, path: Path, message: str) -> None:
        self.faults.append(Fault(path, message))


def _label(path: Path) -> str:
    """The place of a rule in words, such as `migrate 2`."""
    words = [f" {part + 1}" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(words).removeprefix(".")


def _of_rule(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a rule: its condition, and the rest."""
    moves = kind is Move
    rest = {key: value for key, value in values.items() if key not in _CONDITIONS}
    tiers = rest.pop("from" if moves else "tier", None) if kind is not Write else None
    if "to" in rest:
        rest["tier"] = rest.pop("to")
    when = Condition(tiers=tiers, **{key: values[key] for key in _CONDITIONS if key in values})
    return {"when": when, **rest}
