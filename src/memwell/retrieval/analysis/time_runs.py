"""The times that a memory in English mentions, found in the *runs* of its chunks.

A run is what stands together of chunks that each have a word or a number of the expressions (*last week*, *the 5th of
May, 2023*). No expression reaches beyond its run, and runs recur in other memories: what one mentions is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from memwell.retrieval.analysis import english_dates
from memwell.retrieval.analysis.days import Days
from memwell.retrieval.analysis.foreign_dates import plain
from memwell.retrieval.analysis.scanning import pieces_of
from memwell.retrieval.analysis.words import LONGEST

__all__ = ["begins_run", "run_times"]

_KEPT_RUNS: Final = 8192
_KEPT_CHUNKS: Final = 2048
_LONGEST_RUN: Final = 80
"""Characters of a run at most that is kept."""
_DASHES: Final = frozenset("-–")


def begins_run(chunk: str, time_words: Iterable[str]) -> bool:
    """Whether a chunk of these words of times can be that for which a run is searched: each time has a word of
    `english_dates.TRIGGERS`, or a number of several parts.
    """
    return (
        not english_dates.TRIGGERS.isdisjoint(time_words)
        or english_dates.NUMBER.search(plain(chunk)) is not None
    )


def run_times(
    text: str, chunks: Sequence[str], places: Iterable[int], *, since: int, months: bool = True
) -> list[Days]:
    """The times that a text mentions, in order; names of months count if they are `months`.

    `places` are the numbers of the chunks for which runs are searched, in order. The chunks before `since` belong to
    no run.
    """
    found: list[Days] = []
    starts: list[int] | None = None
    end = since
    for place in places:
        if place < end:
            continue
        first, end = _run_around(chunks, place, end)
        if end - first == 1:
            run = chunks[place]
        else:
            run = " ".join(chunks[first:end])
            if starts is None:
                starts = [] if " ".join(chunks) == text else _starts(text, chunks)
            if starts:
                run = text[starts[first] : starts[end - 1] + len(chunks[end - 1])]
        if end < len(chunks) or not text.endswith((run, f"{run}\n")):
            run += " "  # so that it does not end as a text does
        found += _times(run, months) if len(run) <= _LONGEST_RUN else _times.__wrapped__(run, months)
    return found


def _starts(text: str, chunks: Sequence[str]) -> list[int]:
    """Where each chunk begins."""
    found: list[int] = []
    end = 0
    for chunk in chunks:
        found.append(text.index(chunk, end))
        end = found[-1] + len(chunk)
    return found


def _run_around(chunks: Sequence[str], place: int, since: int) -> tuple[int, int]:
    """The numbers of the first chunk of a run, not before `since`, and of the first one behind it."""
    first, end, many = place, place + 1, len(chunks)
    while first > since and _may_be_in_run(chunks[first - 1]):
        first -= 1
    while end < many and _may_be_in_run(chunks[end]):
        end += 1
    return first, end


def _may_be_in_run(chunk: str) -> bool:
    """Whether an expression can reach into a chunk; of a giant one that is not asked."""
    if chunk.isalpha() and chunk.isascii():
        return chunk.lower() in english_dates.WORDS
    return len(chunk) > LONGEST or _is_of_run(chunk)


@lru_cache(_KEPT_CHUNKS)
def _is_of_run(chunk: str) -> bool:
    """Whether an expression can reach into a chunk; of one with other characters than ASCII that is not asked."""
    if not chunk.isascii() or chunk in _DASHES or english_dates.DIGIT.search(chunk):
        return True
    return bool(pieces_of(chunk.lower(), english_dates.WORDS))


@lru_cache(_KEPT_RUNS)
def _times(run: str, months: bool) -> tuple[Days, ...]:
    """The times that a run mentions."""
    low = plain(run)
    found = english_dates.expressions(low, run, 0, len(low), months, lambda: False)
    return tuple(days for *_, days in found if days is not None)
