"""Whether a text says again what a stored one says: marks of a recalled text, and the words that may differ. Pure.

A text is taken for a repetition only if it adds nothing: its words are those of the stored text in their order, apart
from words without weight (`the`, `is`, `my`), words of retelling (*said*, *mentioned*) and at most a quarter that it
leaves out. A different name, number, negation, tense, direction or any other new word makes it a new memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from memwell._dataclasses import dataclass
from memwell._patterns import pattern
from memwell.retrieval.analysis.text import (
    ASSISTANT_ROLES,
    STOP_WORDS,
    analyze,
    fold,
    split_actor,
    word_terms,
)

__all__ = ["Marked", "marked", "may_be_marked", "repetition", "roots", "words"]

_LINE: Final = pattern(r"[-*•]?\s*\[(\d{4}-\d\d-\d\d)(?: #(\S+))?\]\s+")
_INTRO: Final = pattern(
    r"""(?: (?:so|well|ok|okay),?\ )? (?:
        as\ (?:far\ as\ )? (?:i|you|we)\ (?:can\ )? (?:recall|remember|know|said|mentioned)
            (?:\ it)? (?:\ earlier|\ before)?
        | if\ i\ (?:recall|remember) (?:\ it)?\ (?:correctly|rightly|right)
        | i\ (?:recall|remember) (?:\ that)?
        | from\ (?:my\ )?memory
        | my\ (?:memory|notes?)\ (?:says?|tells?) (?:\ me)? (?:\ that)?
        | according\ to\ (?:my\ |our\ )?(?:memory|memories|notes?)
        | (?:you|the\ user)\ (?:have\ )? (?:t(?:old)\ me|mentioned|said) (?:\ earlier|\ before)? (?:\ that)?
        | to\ recap | reminder | recalled | remembered
    ) \s* [,:;–—-]? \s+""",
    re.IGNORECASE | re.VERBOSE,
)
_BEGINNING: Final = pattern(
    r"""\s* (?: [-*•\["“„«'‘「] | (?: so|well|ok|okay|as|if|i|from|my|according|you|the|to
        |reminder|recalled|remembered ) \b )""",
    re.IGNORECASE | re.VERBOSE,
)
"""How a text with marks begins."""
_QUOTES: Final = {'"': '"', "“": "”", "„": "“", "«": "»", "'": "'", "‘": "’", "「": "」"}
_WORD: Final = pattern(r"\w+(?:['’]\w+)?")
_FREE: Final = frozenset(
    """a an the this that these those is are am be been being has have do does i you we my your our mine yours ours me
    us i'm you're we're i've you've we've it's that's there's myself yourself and so then also too just of it its there
    here""".split()
)
"""Stop words that may differ."""
_RETELLING_WORDS: Final = frozenset(
    """say said says tell tells mention mentions mentioned recall recalled remember remembers note noted know knows user
    currently actually really very quite""".split()
)
_RETELLING: Final = frozenset(term for word in _RETELLING_WORDS for term in word_terms(word))
"""Terms that a repetition may add."""
_TURNING: Final = frozenset(
    word_terms(
        """stop quit former formerly ex deny refuse cancel fail wrong fake almost nearly hardly barely except
        instead old previous previously anymore never false doubt avoid lack forget ago planned maybe perhaps
        probably half"""
    )
)
"""Terms that a repetition may not leave out, since the rest then says something else."""
_ROOTS: Final = 5
_LEAST: Final = 3
"""Terms from which on words in common are no accident."""
_KEPT: Final = 0.75
"""Least share of the stored terms that a repetition has."""
_LONGEST: Final = 20_000
"""Characters up to which texts are compared in other than equal words."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A text without the marks that recall, or someone who retells, puts around it."""

    text: str
    id: str | None = None
    """The id of the memory, if a mark has it."""
    marks: bool = False
    """Whether there were any."""


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text, without punctuation."""
    return tuple(_WORD.findall(fold(text)))


def roots(text: str) -> Iterator[str]:
    """Beginnings of the longest words of a text, folded: a text that it repeats contains them."""
    for piece in sorted(fold(split_actor(text)[1]).split(), key=len, reverse=True)[:_ROOTS]:
        word = max(_WORD.findall(piece), key=len, default="")
        if word not in _FREE and word not in _RETELLING_WORDS:
            yield _beginning(word)


def _beginning(word: str) -> str:
    return word[: max(3, 2 * len(word) // 3)]


def may_be_marked(text: str) -> bool:
    """Whether `marked` may find marks in a text: by its first word, in a microsecond."""
    return _BEGINNING.match(text) is not None


def marked(text: str) -> list[Marked]:
    """The statements of a text without their marks: one for each line of `Hits.as_text`, else one."""
    block = text.strip()
    if _LINE.match(block):
        lines = block.replace("\n  ", "\f").split("\n")
        if not all(_LINE.match(line) for line in lines):
            lines = [block]
        return [_without_line(line.replace("\f", "\n")) for line in lines]
    return [_without_intro(block)]


def _without_line(line: str) -> Marked:
    start = _LINE.match(line)
    assert start is not None
    return Marked(line[start.end() :].strip(), id=start[2], marks=True)


def _without_intro(text: str) -> Marked:
    bare = text.removeprefix("- ").removeprefix("* ").removeprefix("• ")
    while True:
        intro = _INTRO.match(bare)
        inner = bare[intro.end() :] if intro else bare
        if len(inner) > 2 and _QUOTES.get(inner[0]) == inner.rstrip(".")[-1:]:
            inner = inner.rstrip(".")[1:-1].strip()
        if inner == bare or not inner:
            return Marked(bare, marks=bare != text)
        bare = inner


def repetition(
    text: str, stored: str, *, speaker: str | None = None, stored_speaker: str | None = None
) -> str | None:
    """How the text repeats the stored one, in a few words; `None` if it says something else, or if another person says
    the same. The speakers are those of the metadata; an assistant repeats what anybody said.
    """
    (name, said), (stored_name, known) = split_actor(text), split_actor(stored)
    voice, stored_voice = fold(name or speaker or ""), fold(stored_name or stored_speaker or "")
    if voice and stored_voice and voice != stored_voice and voice not in ASSISTANT_ROLES:
        return None
    if text == stored:
        return "the same text"
    if words(text) == words(stored) or words(said) == words(known):
        return "the same words"
    return None if max(len(text), len(stored)) > _LONGEST else _reworded(said, known)


def _reworded(text: str, stored: str) -> str | None:
    if text.rstrip()[-1:] in ("?", "？") and stored.rstrip()[-1:] not in ("?", "？"):
        return None
    if not (_weighty(text) <= _weighty(stored)) or _weighty(stored) - _weighty(text) - _FREE:
        return None
    if not {*analyze(text)} - {*word_terms(text)} <= {*analyze(stored)} - {*word_terms(stored)}:
        return None
    said, known = [t for t in word_terms(text) if t not in _RETELLING], word_terms(stored)
    weighty = [term for term in known if term not in _RETELLING]
    if len(said) < _LEAST:
        return None
    if said == weighty:
        return "the same words but for some without weight"
    if len(said) >= _LEAST + 1 and _rotated(said, weighty):
        return "the same words in another order"
    left = _left_out(said, weighty)
    if left is None or len(said) < _KEPT * len(weighty) or not _TURNING.isdisjoint(left):
        return None
    return f"all its words; {', '.join(left)} is left out" if left else None


def _weighty(text: str) -> set[str]:
    """Stop words that mean something: negations, tenses, directions, persons."""
    return {word for word in words(text) if word in STOP_WORDS and word not in _FREE}


def _rotated(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a block from the beginning stands at the end instead."""
    if len(one) != len(other):
        return False
    return any([*one[at:], *one[:at]] == [*other] for at in range(1, len(one)))


def _left_out(part: Sequence[str], whole: Sequence[str]) -> list[str] | None:
    """What the whole has beside the part, if the part stands in it in its order."""
    left, at = [], 0
    for term in whole:
        if at < len(part) and part[at] == term:
            at += 1
        else:
            left.append(term)
    return left if at == len(part) else None
