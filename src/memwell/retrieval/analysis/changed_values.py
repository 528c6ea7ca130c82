"""Whether two short statements say the same of the same thing, with another value. Pure, by rules, without a model.

The statements must begin alike, up to a word after which one value is expected (`lives in`, `costs`, `is`, `port`), and
differ in one place behind it. What a thing can have several of (`has a son called`, `likes`, `visited`) is none, nor is
a value that only says more than the other (`Porto`, `Porto, Portugal`). One statement may negate the other instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from memwell._dataclasses import dataclass
from memwell.retrieval.analysis.text import fold, split_actor, word_terms

__all__ = ["ChangedValue", "Kind", "Statement", "changed_value", "read"]

Kind: TypeAlias = Literal["number", "date", "name", "word", "negation"]

_WORD: Final = re.compile(r"[\w@#/:+~-]+(?:[.,'’][\w@/:-]+)*[\w]|\w|[€$£%]")
_LONGEST: Final = 240
"""Characters of a statement; longer texts say several things."""
_VALUE: Final = 4
"""Most words of a value."""
_IGNORED: Final = frozenset(
    """the now currently today just still already really actually also instead presently since as of currently
    been has have had do does did will""".split()
)
_COPULA: Final = frozenset("is are was were be's am".split())
_ARTICLES: Final = frozenset("a an another one some several".split())
_NEGATIONS: Final = frozenset("not no never longer anymore nor without".split())
_SAME: Final = {
    "move": "live", "moved": "live", "relocate": "live", "resid": "live", "base": "live", "join": "work",
    "employ": "work", "name": "call", "renam": "call", "renamed": "call", "favourit": "favorit", "to": "in",
    "into": "in", "at": "in", "was": "is", "were": "is", "are": "is", "am": "is", "colour": "color",
}  # fmt: skip
"""Stem → the stem that means the same here. `lived in` and `moved to` begin alike."""
_ONE_VALUED: Final = frozenset(
    """live work run cost weigh born locat host listen set default expir end start begin due schedul report prefer
    drive use favorit port version price phone email address password code status number color birthday size
    earn rent charg measur last open close deploy target belong happen leav arriv depart""".split()
)
"""Stems after which one value is expected."""
_NUMBERED: Final = frozenset("use leav arriv depart happen open close".split())
"""Those after which only numbers, times and opposites exclude each other."""
_PLACED: Final = frozenset("live work".split())
"""Those after which any two words do."""
_VAGUE: Final = frozenset("it this that there he she they we you what who which here i".split())
"""Subjects that are others in each statement; with a possession behind it, one is meant."""
_OPPOSITES: Final = tuple(
    frozenset(pair.split())
    for pair in (
        "on off|open closed|enabled disabled|true false|yes no|up down|public private|allowed forbidden|free busy"
        "|single married|vegan vegetarian|full empty|active inactive|available unavailable|broken fixed|alive dead"
        "|red green blue yellow black white brown grey gray orange purple pink"
        "|monday tuesday wednesday thursday friday saturday sunday|daily weekly monthly yearly|small medium large"
        "|low normal high|draft final|pending approved rejected|todo done|cat dog|tea coffee|morning afternoon evening"
    ).split("|")
)
"""Words that exclude each other."""
_MONTHS: Final = frozenset(
    """january february march april june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday tomorrow yesterday tonight noon midnight spring summer autumn winter""".split()
)
_STOPS: Final = frozenset(
    "with because for after and but so when while until if from near together by".split()
)
"""Words at which a value ends."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A short text as the words that count."""

    words: tuple[str, ...]
    """As written."""
    stems: tuple[str, ...]
    negated: bool
    beginnings: tuple[tuple[str, ...], ...]
    """The stems up to each word after which a value is expected."""


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """What differs between two statements."""

    kind: Kind
    before: str
    after: str
    similarity: float
    """Share of the words of both that they have in common, 0..1."""
    shared: tuple[str, ...]
    """The words that they begin with."""


def read(text: str) -> Statement | None:
    """A text as a statement; `None` if it is long, a question, or several sentences."""
    if len(text) > _LONGEST or "?" in text:
        return None
    body = split_actor(text)[1].strip()
    if re.search(r"[.!;\n]\s+\S", body.rstrip(".!")):
        return None
    words, stems, negated = [], [], False
    for word in _WORD.findall(body):
        folded = fold(word)
        plain = folded.removesuffix("'s")
        if folded in _NEGATIONS or folded.endswith("n't") or folded == "cannot":
            negated = True
        elif plain not in _IGNORED:
            words.append(word)
            stems.append(_stem(plain))
    if not 2 <= len(stems) <= 30:
        return None
    return Statement(tuple(words), tuple(stems), negated, tuple(_beginnings(stems, words)))


@lru_cache(20_000)
def _stem(word: str) -> str:
    found = word_terms(word)
    stem = found[0] if len(found) == 1 else word
    return _SAME.get(stem, stem)


def _beginnings(stems: Sequence[str], words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for at, stem in enumerate(stems[:-1]):
        if at == 0 and stem not in _ONE_VALUED:
            continue
        subject = stems[:at]
        if all(each in _VAGUE for each in subject) and not (subject == ["i"] and stem in _ONE_VALUED):
            continue
        if stem == "is" and fold(words[at + 1]) in _ARTICLES:
            continue
        if (stem == "is" or stem in _ONE_VALUED) and not _several(stems[:at], words):
            yield (*subject, stem)


def _several(subject: Sequence[str], words: Sequence[str]) -> bool:
    """Whether the subject is one of several, as in `has a son called`."""
    return any(fold(word) in _ARTICLES for word in words[: len(subject)])


def changed_value(older: Statement, newer: Statement) -> ChangedValue | None:
    """What the newer statement changes; `None` if they say the same, or speak of different things."""
    if older.negated != newer.negated:
        return _negation(older, newer)
    if older.negated or older.stems == newer.stems:
        return None
    for beginning in sorted(set(older.beginnings) & set(newer.beginnings), key=len, reverse=True):
        found = _after(beginning, older, newer)
        if found is not None:
            return found
    return None


def _negation(older: Statement, newer: Statement) -> ChangedValue | None:
    if older.stems != newer.stems or older.stems[0] in _VAGUE - {"i"}:
        return None
    text = " ".join(newer.words)
    before, after = (f"not: {text}" if one.negated else text for one in (older, newer))
    return ChangedValue("negation", before, after, 1.0, newer.words)


def _after(beginning: tuple[str, ...], older: Statement, newer: Statement) -> ChangedValue | None:
    """The values behind a common beginning, if they are of one kind and exclude each other."""
    at = len(beginning)
    while at < min(len(older.stems), len(newer.stems)) and older.stems[at] == newer.stems[at]:
        if older.stems[at] in _ARTICLES and fold(older.words[at - 1]) in _COPULA:
            return None
        at += 1
    end = 0
    while (
        end < min(len(older.stems), len(newer.stems)) - at and older.stems[-1 - end] == newer.stems[-1 - end]
    ):
        end += 1
    before, after = _value(older, at, end), _value(newer, at, end)
    if (
        not before
        or not after
        or {*map(fold, before)} <= {*map(fold, after)}
        or {*map(fold, after)} <= {*map(fold, before)}
    ):
        return None
    weighty = beginning[-1] in _PLACED or sum(stem not in _VAGUE for stem in beginning) >= 3
    kind = _kind(before, after, weighty=weighty)
    if kind is None or (beginning[-1] in _NUMBERED and kind == "name"):
        return None
    common = 2 * (at + end) / (len(older.stems) + len(newer.stems))
    return ChangedValue(kind, " ".join(before), " ".join(after), round(common, 3), newer.words[:at])


def _value(statement: Statement, at: int, end: int) -> list[str]:
    """The words of the value; none if it is too long to be one."""
    found: list[str] = []
    for word in statement.words[at : len(statement.words) - end]:
        if fold(word) in _STOPS and found:
            break
        found.append(word)
    return [] if len(found) > _VALUE else found


def _kind(before: Sequence[str], after: Sequence[str], *, weighty: bool) -> Kind | None:
    """What the values are: both of one kind, or none."""
    one, other = ({*map(fold, words)} for words in (before, after))
    if any(one & pair and other & pair and one != other for pair in _OPPOSITES):
        return "date" if one & _MONTHS else "word"
    if one & _MONTHS and other & _MONTHS:
        return "date"
    digits = [any(map(str.isdigit, "".join(words))) for words in (before, after)]
    if all(digits):
        return "number"
    names = [words[-1][:1].isupper() or words[0][:1].isupper() for words in (before, after)]
    if all(names):
        return "name"
    return (
        "word" if weighty and not any(digits) and not any(names) and len(before) == len(after) == 1 else None
    )
