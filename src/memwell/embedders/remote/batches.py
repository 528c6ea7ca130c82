"""Splits texts into requests within a service's limits, and cuts each text at the model's window.

Tokens are estimated, because the tokenizers of remote models are not available: four bytes count as one token, and in
`spans` a character outside ASCII counts as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["cut", "requests", "spans"]

BYTES_PER_TOKEN: Final = 4


def spans(text: str) -> list[tuple[int, int]]:
    """The character range of each estimated token: up to four ASCII characters, or one other character."""
    found, start = [], 0
    for at, character in enumerate(text):
        if not character.isascii():
            if start < at:
                found.append((start, at))
            found.append((at, at + 1))
            start = at + 1
        elif at + 1 - start == BYTES_PER_TOKEN:
            found.append((start, at + 1))
            start = at + 1
    return [*found, (start, len(text))] if start < len(text) else found


def cut(text: str, window: int) -> str:
    """The beginning of the text that fits into a window of that many tokens."""
    limit = BYTES_PER_TOKEN * window
    if len(text) * BYTES_PER_TOKEN <= limit:
        return text
    return text.encode()[:limit].decode(errors="ignore")


def requests(texts: Iterable[str], *, max_texts: int, max_tokens: int) -> Iterator[list[str]]:
    """The texts in order, in lists of at most `max_texts` texts and `max_tokens` tokens. A single text may have
    more.
    """
    part: list[str] = []
    tokens = 0
    for text in texts:
        size = len(text.encode()) // BYTES_PER_TOKEN + 1
        if part and (len(part) == max_texts or tokens + size > max_tokens):
            yield part
            part, tokens = [], 0
        part.append(text)
        tokens += size
    if part:
        yield part
