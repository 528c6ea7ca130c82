"""Plain text: one memory per paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from memwell.importers.items import BOUND, Found
from memwell.types import NewMemory

__all__ = ["paragraphs", "pieces", "read"]

_SENTENCE: Final = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n")


def read(lines: Iterable[str], name: str) -> Iterator[Found]:
    """One memory per paragraph; long paragraphs are divided at the end of a sentence."""
    for number, paragraph in paragraphs(lines):
        for piece in pieces(paragraph):
            yield Found(memory=NewMemory(content=piece, source=name or None), place=f"line {number}")


def paragraphs(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The number of the first line and the text of each paragraph."""
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
    """The text in pieces of up to `bound` characters, divided after a sentence if possible, else at a space, else
    anywhere."""
    rest = text.strip()
    while len(rest) > bound:
        ends = [match.end() for match in _SENTENCE.finditer(rest, bound // 4, bound)]
        at = ends[-1] if ends else rest.rfind(" ", bound // 4, bound)
        at = at if at > 0 else bound
        yield rest[:at].strip()
        rest = rest[at:].strip()
    if rest:
        yield rest
