"""Slightly broken parts, and how a shipped suite is run over one of them without pytest.

A mutant is an in-memory part with one promise broken; `breaks` names the test of the suite that must catch it.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from memwell.ports import Port
from memwell.testing import run

__all__ = ["Fixtures", "Mutant", "Mutants", "cut", "failure"]

P = TypeVar("P", bound=type[Port])
Fixtures = Callable[[Any, type[Port]], Mapping[str, Any]]
"""The fixtures of a suite's instance over a class of parts, by name; the part itself stands under `part`."""


@dataclass(frozen=True)
class Mutant:
    """A class of parts that breaks a promise."""

    name: str
    part: type[Port]
    caught_by: str
    """The test that must fail."""


class Mutants(list[Mutant]):
    """Those of one port."""

    def breaks(self, test: str) -> Callable[[P], P]:
        """Decorates a broken part with the name of the test that must catch it; its docstring tells what it does."""

        def add(part: P) -> P:
            assert part.__doc__, f"{part.__name__} does not tell what it breaks"
            self.append(Mutant(part.__name__, part, test))
            return part

        return add


def cut(most: int) -> Callable[[str], str]:
    """Texts cut after so many bytes."""
    return lambda text: text.encode()[:most].decode("utf-8", "replace")


def failure(suite: type, test: str, part: type[Port], fixtures: Fixtures) -> BaseException | None:
    """What a test raises over a part; `None` when it passes, with all of its parameters."""
    suite = type(suite.__name__, (suite,), {})  # what a suite remembers, it remembers by its class
    for values in _parameters(getattr(suite, test)):
        instance = suite()
        given = fixtures(instance, part)
        method = getattr(instance, test)
        wanted = {
            name: value for name, value in given.items() if name in inspect.signature(method).parameters
        }
        try:
            method(**wanted, **values)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  a broken part may raise anything
            return error
        finally:
            run(given["part"], given["part"].close())
    return None


def _parameters(function: Any) -> Iterator[dict[str, Any]]:
    """What `pytest.mark.parametrize` gives a test."""
    axes = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            names = names.replace(" ", "").split(",") if isinstance(names, str) else list(names)
            axes.append([dict(zip(names, v if len(names) > 1 else [v], strict=True)) for v in values])
    for chosen in itertools.product(*axes):
        yield {name: value for part in chosen for name, value in part.items()}
