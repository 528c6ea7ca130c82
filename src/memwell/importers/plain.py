"""Plain text: a memory for each paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from memwell.importers.items import BOUND, Found
from memwell.types import NewMemory

__all__ = ["paragraphs", "pieces", "read"]

_SENTENCE: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n")


def read(lines: Iterable[str], name: str) -> Iterator[Found]:
    """A memory for each paragraph; long ones are divided at the ends of sentences."""
    for number, paragraph in paragraphs(lines):
        for piece in pieces(paragraph):
            yield Found(memory=NewMemory(content=piece, source=name or None), place=f"line {number}")


def paragraphs(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Number of the first line and text of each block between empty lines."""
    block: list[str] = []
    first = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip()
        if text:
            first = first if block else number
            block.append(text)
        elif block:
            yield first, "\n".join(block)
            block = []
    if block:
        yield first, "\n".join(block)


def pieces(text: str, bound: int = BOUND) -> Iterator[str]:
    """The text in pieces of up to `bound` characters, ended at a sentence, else at a space, else hard."""
    rest = text.strip()
    while len(rest) > bound:
        ends = [match.end() for match in _SENTENCE.finditer(rest, bound // 4, bound)]
        at = ends[-1] if ends else rest.rfind(" ", bound // 4, bound)
        at = at if at > 0 else bound
        yield rest[:at].strip()
        rest = rest[at:].strip()
    if rest:
        yield rest
