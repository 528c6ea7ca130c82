"""`Hits`, the answer of `recall`: a list of hits that can be written into a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, tzinfo
from typing import Any, SupportsIndex, TypeAlias, overload

from memwell.errors import ConfigError, InvalidQuery, shown
from memwell.types import Hit
from memwell.values import html_table, local

__all__ = ["Hits", "Tokenizer", "check_budget", "counter", "four_bytes"]

Tokenizer: TypeAlias = Callable[[str], "int | Sequence[Any]"]
"""Gives the number of a text's tokens, or the tokens."""


class Hits(list[Hit]):
    """Hits, best first; a list like any other, shown with one hit a line."""

    __slots__ = ("_count", "_zone")

    def __init__(
        self, hits: Iterable[Hit] = (), count: Callable[[str], int] | None = None, zone: tzinfo = UTC
    ) -> None:
        """`count` gives the number of a text's tokens, four bytes each if it is not given; the days of `as_text` are
        those of `zone`.
        """
        super().__init__(hits)
        self._zone = zone
        self._count = four_bytes if count is None else count

    def as_text(self, budget: int | None = None, *, ids: bool = False) -> str:
        """The hits as a block for a prompt: for each a line such as `- [2026-05-01] Ana: I like tea`, with the day when
        it was learnt, and who said it if the metadata tell; with `ids`, `- [2026-05-01 #ID] …`.

        `budget` is how many tokens the block may have at most: a hit that is too long for what is left is given by its
        passage, or left out. Raises `InvalidQuery` for a budget below 1.
        """
        check_budget("budget", budget)
        lines: list[str] = []
        for hit in self:
            for text in dict.fromkeys((hit.text, hit.why.passage or hit.text)):
                longer = [*lines, _line(hit, text, self._zone, ids=ids)]
                if budget is None or self._count("\n".join(longer)) <= budget:
                    lines = longer
                    break
        return "\n".join(lines)

    @overload
    def __getitem__(self, at: SupportsIndex, /) -> Hit: ...
    @overload
    def __getitem__(self, at: slice, /) -> Hits: ...
    def __getitem__(self, at: SupportsIndex | slice, /) -> Hit | Hits:
        if isinstance(at, slice):
            return Hits(super().__getitem__(at), self._count, self._zone)
        return super().__getitem__(at)

    def __repr__(self) -> str:
        return f"[{(',' + chr(10) + ' ').join(map(repr, self))}]"

    def _repr_html_(self) -> str:
        return html_table(self)

    def __reduce__(self) -> tuple[type[Hits], tuple[list[Hit]]]:
        return Hits, (list(self),)


def _line(hit: Hit, text: str, zone: tzinfo, *, ids: bool) -> str:
    speaker = next((hit.metadata[key] for key in ("speaker", "role") if hit.metadata.get(key)), "")
    said = f"{speaker}: " if isinstance(speaker, str) and speaker else ""
    if text.casefold().startswith(said.casefold().strip()):
        said = ""
    day = f"{local(hit.created_at, zone):%Y-%m-%d}" + (f" #{hit.id}" if ids else "")
    return f"- [{day}] {said}{text}".replace("\n", "\n  ")


def four_bytes(text: str) -> int:
    """An estimate: a token for every four bytes of UTF-8."""
    return -(-len(text.encode()) // 4)


def check_budget(name: str, budget: object) -> None:
    """Raise `InvalidQuery` for anything but a number of tokens, or none."""
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        raise InvalidQuery(f"{name} is a number of tokens of 1 or more, not {shown(budget)}")


def counter(tokenizer: Tokenizer | None) -> Callable[[str], int]:
    """A function that counts the tokens of a text. Raises `ConfigError`, here and at each call, for a tokenizer that
    fails or gives neither a number nor tokens.
    """
    if tokenizer is None:
        return four_bytes
    if not callable(tokenizer):
        raise ConfigError(
            f"tokenizer= is a function that counts the tokens of a text, not {tokenizer!r:.100}"
        )

    def count(text: str) -> int:
        try:
            found = tokenizer(text)
        except Exception as error:
            raise ConfigError(f"tokenizer= raised {type(error).__name__}: {error}") from error
        if isinstance(found, Sequence) and not isinstance(found, str):
            return len(found)
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise ConfigError(f"tokenizer= gives the number of tokens, or a list of them, not {shown(found)}")
        return found

    count("memwell")
    return count
