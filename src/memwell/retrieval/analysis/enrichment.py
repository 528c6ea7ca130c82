"""Topic, category, entities, dates and importance of a text, by rules, without a model. Pure and deterministic.

The topic is that of most of the words which `cue_words` knows, else the word that is said most often. The importance
begins at 0.5; `reasons` say what was added and taken off. The first `LONGEST` characters of a text are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Final, NamedTuple

from memwell._dataclasses import dataclass
from memwell.retrieval.analysis.chunks import read
from memwell.retrieval.analysis.cue_words import CATEGORIES, IMPORTANCE, TOPIC_WORDS, WEIGHTS
from memwell.retrieval.analysis.dates import intervals, resolved
from memwell.retrieval.analysis.english import COMMON, STOP_WORDS
from memwell.retrieval.analysis.entities import Entity, entities
from memwell.retrieval.analysis.folding import fold
from memwell.retrieval.analysis.function_words import FUNCTION_WORDS
from memwell.retrieval.analysis.languages import hints_at_another
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.text import LABELS, question_share, without_role
from memwell.retrieval.analysis.words import ENGLISH, Languages, languages
from memwell.values import Value

__all__ = ["LONGEST", "Enrichment", "enrich", "subject"]

LONGEST: Final = 10_000
"""Characters of a text that are read."""
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_OWN: Final = re.compile(
    r"\b(?:my|i am|i'm|i was born|i live|i work|i prefer|i like|i love|i hate|i own|call me"
    r"|ich bin|ich wohne|ich arbeite|ich mag|meine?|je suis|j'habite|je travaille|je prefere|mon|mes"
    r"|soy|vivo en|trabajo en|prefiero|mis|sono|abito|preferisco|sou|moro|prefiro|minha|ik ben|ik woon|mijn"
    r"|я живу|я работаю|я люблю|мои|моя|меня зовут)\b|我是|我住|我的|私は|僕は"
)
_CHATTER_WORDS: Final = 6
"""Words of a text that may be mere courtesy."""
_SHORTEST: Final = 4
"""Letters from which on a word of another language counts wherever it stands."""
_BASE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment(Value):
    """What is known of a text beside its words; `None` or empty: nothing."""

    topic: str | None = None
    """What it is about, in a word, such as `allergy`."""
    category: str | None = None
    """Such as `health`."""
    entities: tuple[Entity, ...] = ()
    dates: tuple[str, ...] = ()
    """Days that it mentions, as ISO 8601 dates (`2026-05-01`) or intervals (`2026-05-01/2026-05-31`)."""
    importance: float | None = None
    """0..1"""
    reasons: tuple[str, ...] = ()
    """What the importance comes from, such as `vital: allergic +0.40`."""


class _Cue(NamedTuple):
    """What one word of a text says."""

    word: str
    """Folded."""
    topic: str | None
    kind: str | None
    """Its kind among the words of importance."""
    weighty: bool
    """Whether it can be a topic itself."""
    hints: bool
    """Whether it may be of another language."""


def enrich(text: str, *, at: datetime | date | None = None) -> Enrichment:
    """Read topic, category, entities, dates and importance from a text.

    `at` is when it was said, in the time zone of who says it: *yesterday* is the day before. By default now, in UTC.
    """
    body = without_role(text[:LONGEST])
    cues, spoken = _read(body)
    named = entities(body, spoken, _ordinary())
    when = _dates(body, datetime.now(UTC) if at is None else at, english=not spoken)
    topic = _topic(cues, named)
    importance, reasons = _importance(body, cues, named, dated=bool(when))
    return Enrichment(
        topic=topic,
        category=CATEGORIES.get(topic or ""),
        entities=named,
        dates=when,
        importance=importance,
        reasons=reasons,
    )


def subject(text: str) -> tuple[str | None, str | None]:
    """Topic and category of a text, as in `enrich`."""
    body = without_role(text[:LONGEST])
    cues, spoken = _read(body)
    known = any(cue.topic is not None for cue in cues)
    topic = _topic(cues, () if known else entities(body, spoken, _ordinary()))
    return topic, CATEGORIES.get(topic or "")


def _read(text: str) -> tuple[list[_Cue], Languages]:
    """What the words of a text say, and its languages."""
    words = _WORD.findall(text)
    cues = [_cue(word, "en") for word in words]
    spoken = languages(text) if any(cue.hints for cue in cues) else ENGLISH
    if (code := spoken.get("latin", "en")) != "en" or "cyrillic" in spoken:
        cues = [_cue(word, code if word[0] < "\u0370" else spoken.get("cyrillic", code)) for word in words]
    if not text.isascii() and _UNSPACED.search(text):
        cues += _unspaced_cues(text)
    return cues, spoken


def _dates(text: str, at: datetime | date, *, english: bool) -> tuple[str, ...]:
    found = resolved(read(text).times, at) if english else intervals(text, at)
    return tuple(dict.fromkeys(_iso(first, last) for first, last in found))


def _iso(first: int, last: int) -> str:
    begin, end = date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat()
    return begin if first == last else f"{begin}/{end}"


# ---------------------------------------------------------------------------------------------- words


class _Table(NamedTuple):
    exact: Mapping[str, str]
    """Folded word → its name, whatever the language."""
    stems: Mapping[tuple[str, str], str]
    """(language, stem) → its name."""


def _table(source: Mapping[str, Mapping[str, str]]) -> _Table:
    exact: dict[str, str] = {}
    stems: dict[tuple[str, str], str] = {}
    for code, lines in source.items():
        for name, words in lines.items():
            for word in words.split():
                folded = fold(word)
                stems.setdefault((code, _stem(folded if code == "en" else word, code)), name)
                if code == "en" or _stands_alone(folded):
                    exact.setdefault(folded, name)
    return _Table(exact, stems)


def _stands_alone(folded: str) -> bool:
    """Whether a word of another language is taken for it in any text."""
    if _UNSPACED.match(folded):
        return True
    return len(folded) >= _SHORTEST and folded not in STOP_WORDS and folded not in COMMON


def _stem(word: str, code: str) -> str:
    return fold(stemmer(code)(word.lower()))


@cache
def _tables() -> tuple[_Table, _Table]:
    """Of topics, and of kinds of importance."""
    return _table(TOPIC_WORDS), _table(IMPORTANCE)


@lru_cache(50_000)
def _cue(word: str, code: str) -> _Cue:
    folded = fold(word).removesuffix("'s")
    stem = _stem(folded if code == "en" else word, code)
    topic, kind = (table.exact.get(folded) or table.stems.get((code, stem)) for table in _tables())
    plain = folded in STOP_WORDS or folded in COMMON or folded in FUNCTION_WORDS.get(code, "").split()
    weighty = len(folded) > 2 and not plain and kind is None and folded not in LABELS
    return _Cue(folded, topic, kind, weighty, hints_at_another(word))


def _unspaced_cues(text: str) -> list[_Cue]:
    """The words of two characters in a script without blanks."""
    topics, kinds = _tables()
    pairs = [text[at : at + 2] for at in range(len(text) - 1)]
    return [
        _Cue(pair, topics.exact.get(pair), kinds.exact.get(pair), False, False)
        for pair in pairs
        if pair in topics.exact or pair in kinds.exact
    ]


@cache
def _ordinary() -> frozenset[str]:
    """Words that are no names."""
    topics, kinds = _tables()
    return frozenset({*topics.exact, *kinds.exact})


# ---------------------------------------------------------------------------------------------- what they say


def _topic(cues: list[_Cue], named: tuple[Entity, ...]) -> str | None:
    known = Counter([cue.topic for cue in cues if cue.topic is not None])
    if known:
        return known.most_common(1)[0][0]
    names = {part for entity in named for part in fold(entity.text).split()}
    counts = Counter([cue.word for cue in cues if cue.weighty and not _UNSPACED.match(cue.word)])
    if not counts:
        return None
    return max(counts, key=lambda word: (counts[word], word not in names))


def _importance(
    text: str, cues: list[_Cue], named: tuple[Entity, ...], *, dated: bool
) -> tuple[float, tuple[str, ...]]:
    parts: dict[str, float] = {}
    seen: set[str] = set()
    for cue in cues:
        kind = cue.kind
        if kind is None or kind in seen or (kind == "chatter" and len(cues) > _CHATTER_WORDS):
            continue
        seen.add(kind)
        parts[f"{kind}: {cue.word}"] = WEIGHTS[kind]
    folded = fold(text)
    if own := _OWN.search(folded):
        parts[f"of oneself: {own[0]}"] = 0.1
    if amount := next((entity for entity in named if entity.kind == "amount"), None):
        parts[f"amount: {amount.text}"] = 0.1
    if dated:
        parts["a date"] = 0.05
    if asked := question_share(text):
        parts["question"] = -0.2 * asked
    found = min(1.0, max(0.05, _BASE + sum(parts.values())))
    return round(found, 2), tuple(f"{name} {value:+.2f}" for name, value in parts.items())
