"""Texts as a service takes them: cut where the model stops reading, in requests that keep the service's limits.

Tokens are estimated, for nobody has every model's tokenizer: four bytes of English are about one, and a character
beyond ASCII is counted as a token of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["cut", "requests", "spans"]

BYTES_PER_TOKEN: Final = 4


def spans(text: str) -> list[tuple[int, int]]:
    """The range of each token: up to four ASCII characters, or one beyond ASCII."""
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
    """The text as far as a window of so many tokens reaches, to a whole character."""
    most = BYTES_PER_TOKEN * window
    if len(text) * BYTES_PER_TOKEN <= most:
        return text
    return text.encode()[:most].decode(errors="ignore")


def requests(texts: Iterable[str], *, most_texts: int, most_tokens: int) -> Iterator[list[str]]:
    """The texts in order, in lists of at most so many, and of so many tokens unless one text alone has more."""
    part: list[str] = []
    tokens = 0
    for text in texts:
        size = len(text.encode()) // BYTES_PER_TOKEN + 1
        if part and (len(part) == most_texts or tokens + size > most_tokens):
            yield part
            part, tokens = [], 0
        part.append(text)
        tokens += size
    if part:
        yield part
