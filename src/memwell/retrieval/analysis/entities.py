"""What a text names, by form: names, places, organisations, addresses, phone numbers, amounts, identifiers. Pure.

A name is a capitalised word that begins no sentence, or a run of them; one that begins a sentence counts before `'s` or
a verb of people (*Ana lives …*). German capitalises all nouns: there a single word counts only after a title or a word
of places. Scripts without capitals give no names, but for Japanese ones before *san*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from memwell._dataclasses import dataclass
from memwell.retrieval.analysis import english_dates
from memwell.retrieval.analysis.calendar_words import MONTHS, WEEKDAYS
from memwell.retrieval.analysis.english import COMMON, STOP_WORDS
from memwell.retrieval.analysis.folding import fold
from memwell.retrieval.analysis.identifiers import Kind as ChunkKind
from memwell.retrieval.analysis.identifiers import kind_of
from memwell.retrieval.analysis.text import LABELS
from memwell.retrieval.analysis.words import Languages, stop_words
from memwell.values import Value

__all__ = ["MOST", "Entity", "EntityKind", "entities"]

EntityKind: TypeAlias = Literal[
    "name", "place", "organisation", "email", "url", "phone", "amount", "identifier", "handle", "other"
]
MOST: Final = 32
"""Entities of one text."""

_NUMBER: Final = r"\d+(?:[.,\u00a0 ]\d{3})*(?:[.,]\d+)?"
_FORMS: Final = re.compile(
    rf"""(?P<url>https?://[^\s<>"]+|www\.[^\s<>"]+)
    | (?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?P<amount>[$€£¥₹]\s?{_NUMBER}(?:\s?(?:k|m|bn|thousand|million|billion)\b)?
        | {_NUMBER}\s?(?:[€£¥₹$元円]
            |(?:USD|EUR|GBP|CHF|JPY|INR|SEK|PLN|[Ee]uros?|dollars?|pounds?|francs?|yen|руб\w*)\b))
    | (?P<phone>(?<![\w.,:/-])[+(]?\d(?:[\d()/ \u00a0-]{{5,20}}\d)(?![\w.,:/-]*\d))
    | (?P<handle>(?<![\w@#&/])[@#][^\W\d_]\w+)""",
    re.VERBOSE,
)
_MAY_HAVE_FORM: Final = re.compile(r"[@$€£¥₹#_/\d]|www\.|::|[a-z][A-Z]")
_CHUNK: Final = re.compile(r"\S+")
_DATE: Final = re.compile(r"(?:19|20)\d\d-\d\d?-\d\d?|\d\d?[/.-]\d\d?[/.-]\d{2,4}")
_CODE: Final = re.compile(
    r"(?=.*[^\W\d_])(?=.*\d)(?!\d+[^\W\d_]{1,4}$)[\w@#][\w.,/\\:@#+~=-]{2,}"  # letters and digits, but no measure
    r"|\w+(?:_\w+)+|\w+(?:::\w+)+|[~.]?(?:/[\w.-]+){2,}/?|[a-z]+(?:[A-Z][a-z0-9]+)+"
)
_STRIP: Final = ".,:;!?…\"'“”„«»()[]{}<>|`"
_WORD: Final = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*")
_ENDS: Final = frozenset('.!?:;…\n•"“„([。！？')
_POSSESSIVE: Final = re.compile(r"['’]s$")
_JOINTS: Final = frozenset("of de da do dos van von der den del la le du di al el bin y and".split())
_ACTS: Final = frozenset(
    """is was has had lives lived works worked likes liked loves loved hates prefers preferred moved said says
    asked wants wanted needs plays played owns bought sold went goes met married called calls thinks knows keeps took
    takes studies speaks drives uses got gave will does can and joined left started teaches runs mentioned
    ist war hat wohnt
    arbeitet mag liebt spielt heißt ging kommt est a habite travaille aime préfère es vive trabaja tiene prefiere è
    abita lavora ama mora trabalha gosta houdt woont werkt живёт работает любит""".split()
)
_TITLES: Final = frozenset(
    """mr mrs ms miss dr prof professor sir madam herr frau monsieur madame senor senora sr sra signor signora dhr
    mevr""".split()
)
"""These and the following are folded."""
_ORGANISATIONS: Final = frozenset(
    """inc ltd llc gmbh ag corp corporation co plc company university institute bank hospital foundation college school
    agency association ministry museum labs technologies group airlines
    universitat sparkasse verein universite""".split()
)
_PLACES: Final = frozenset(
    """street road avenue lane square park river lake island mountain bridge airport station beach valley county bay
    strasse platz weg allee rue avenida calle plaza praca via boulevard""".split()
)
_IN: Final = frozenset("in near across around en a em nella im aus nach в во из под".split())
_TOWARDS: Final = frozenset("to from at into toward towards".split())
_MOVING: Final = frozenset(
    """move moved moving moves flew fly flying flies flight flights went go going goes gone travel travels travelled
    traveled traveling trip trips drove drive driving train back came come comes return returned relocated journey
    tickets ticket bus ferry visit""".split()
)
_JAPANESE: Final = re.compile(r"([一-鿿゠-ヿ]{1,6})(?:さん|様|先生|ちゃん|くん)")
_fold = lru_cache(50_000)(fold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity(Value):
    """Something that a text names."""

    text: str
    """As written."""
    kind: EntityKind = "other"


class _Found(NamedTuple):
    start: int
    end: int
    entity: Entity


def entities(text: str, spoken: Languages, ordinary: frozenset[str] = frozenset()) -> tuple[Entity, ...]:
    """What a text in these languages names, in order, each once; at most `MOST`. `ordinary` are folded words that are
    no names at the beginning of a sentence.
    """
    found = list(_formed(text)) if _MAY_HAVE_FORM.search(text) else []
    taken = [(one.start, one.end) for one in found]
    found += _named(text, spoken, ordinary, taken)
    if not text.isascii():
        found += [
            _Found(match.start(), match.end(), Entity(text=match[1], kind="name"))
            for match in _JAPANESE.finditer(text)
        ]
    known: dict[str, Entity] = {}
    for one in sorted(found, key=lambda each: each.start):
        known.setdefault(one.entity.text.casefold(), one.entity)
    return tuple(known.values())[:MOST]


def _formed(text: str) -> Iterator[_Found]:
    last = 0
    for match in _FORMS.finditer(text):
        kind: EntityKind = match.lastgroup  # type: ignore[assignment]
        value = match[0].strip().rstrip(_STRIP)
        if kind == "phone" and (_DATE.search(value) or not 7 <= sum(map(str.isdigit, value)) <= 15):
            continue
        yield from _codes(text, last, match.start())
        yield _Found(match.start(), match.start() + len(value), Entity(text=value, kind=kind))
        last = match.end()
    yield from _codes(text, last, len(text))


def _codes(text: str, start: int, end: int) -> Iterator[_Found]:
    """Identifiers between two places of a text."""
    for match in _CHUNK.finditer(text, start, end):
        chunk = match[0]
        if chunk.isalpha() and (chunk.islower() or chunk.istitle()):
            continue
        code = chunk.strip(_STRIP)
        if len(code) < 3 or len(code) > 100 or not _CODE.fullmatch(code) or _DATE.fullmatch(code):
            continue
        if kind_of(code, STOP_WORDS) is ChunkKind.CODE:
            at = match.start() + chunk.find(code)
            yield _Found(at, at + len(code), Entity(text=code, kind="identifier"))


def _named(
    text: str, spoken: Languages, ordinary: frozenset[str], taken: list[tuple[int, int]]
) -> Iterator[_Found]:
    words = list(_WORD.finditer(text))
    high = [word[0][0].isupper() for word in words]
    if not any(high) or 2 * sum(high) > len(words) + 2:  # a headline tells nothing
        return
    german = spoken.get("latin") == "de"
    stop = _no_names(tuple(spoken.items()), ordinary)
    at = 0
    while at < len(words):
        end = _run(text, words, high, at)
        if end == at or any(
            first < words[end - 1].end() and words[at].start() < last for first, last in taken
        ):
            at = max(end, at + 1)
            continue
        yield from _of_run(text, words, at, end, stop, german=german)
        at = end


def _run(text: str, words: list[re.Match[str]], high: list[bool], at: int) -> int:
    """The place behind the last word of the capitalised run that begins at a word; that word if there is none."""
    if not high[at]:
        return at
    end = at + 1
    while end < len(words):
        between = text[words[end - 1].end() : words[end].start()]
        if between not in (" ", ". ") or words[end - 1][0].endswith(("'s", "’s")):
            break
        if between == ". " and _fold(words[end - 1][0]) not in _TITLES and len(words[end - 1][0]) > 1:
            break
        if high[end]:
            end += 1
        elif (
            words[end][0] in _JOINTS - {"and", "y"}
            and end + 1 < len(words)
            and high[end + 1]
            and text[words[end].end() : words[end + 1].start()] == " "
        ):
            end += 2
        else:
            break
    return end


def _of_run(
    text: str, words: list[re.Match[str]], at: int, end: int, stop: frozenset[str], *, german: bool
) -> Iterator[_Found]:
    """The name of a run of capitalised words, if it is one."""
    begins = _begins_sentence(text, words[at].start())
    while at < end and _is_ordinary(words[at][0], stop):
        at, begins = at + 1, False
    while end > at and _is_ordinary(words[end - 1][0], stop):
        end -= 1
    if at == end:
        return
    before = _fold(words[at - 1][0]) if at and not _begins_sentence(text, words[at].start()) else ""
    titled = before in _TITLES or _fold(words[at][0]) in _TITLES
    following = words[end][0] if end < len(words) else ""
    last = words[end - 1][0]
    if end - at == 1:
        if titled and before not in _TITLES:  # a title alone
            return
        if begins and not _POSSESSIVE.search(last) and following not in _ACTS:
            return
        if german and not titled and before not in ("in", "nach", "aus", "heisst", "heisse") and not begins:
            return
    start, stop_at = words[at].start(), words[end - 1].end()
    name = _POSSESSIVE.sub("", text[start:stop_at])
    kind = _kind(words, at, end, before)
    yield _Found(start, stop_at, Entity(text=name, kind=kind))


def _kind(words: list[re.Match[str]], at: int, end: int, before: str) -> EntityKind:
    parts = [_fold(word[0]) for word in words[at:end]]
    if parts[-1] in _ORGANISATIONS or (len(parts) > 1 and not _ORGANISATIONS.isdisjoint(parts)):
        return "organisation"
    if len(parts) > 1 and (parts[-1] in _PLACES or parts[0] in _PLACES):
        return "place"
    if before in _IN:
        return "place"
    if before in _TOWARDS and any(word[0].lower() in _MOVING for word in words[max(0, at - 3) : at - 1]):
        return "place"
    return "name"


def _begins_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t*-")
    return not before or before[-1] in _ENDS


@lru_cache(256)
def _no_names(spoken: tuple[tuple[str, str], ...], ordinary: frozenset[str]) -> frozenset[str]:
    """Folded words that are no names in these languages."""
    calendar = [words for table in (MONTHS, WEEKDAYS) for words in table.values()]
    words = " ".join([*calendar, *english_dates.TRIGGERS]).replace("/", " ").split()
    return frozenset({*map(_fold, words), *stop_words(dict(spoken)), *ordinary, *COMMON, *LABELS})


def _is_ordinary(word: str, stop: frozenset[str]) -> bool:
    """Whether a capitalised word is no name: one without a topic, a common one, one of the calendar."""
    folded = _fold(word)
    return folded in stop or folded.removesuffix("'s") in stop or len(folded) == 1
