"""Index terms of a text, and what a question says besides its terms.

Index terms are stems of words without stop words, each in the language of its text (see `words` and `languages`).
Scripts written without spaces give overlapping pairs of characters (see `unspaced`). Identifiers have terms of their
own (see `identifiers`). A term contains no space, so `" ".join(analyze(text))` can be stored in a database column and
split again.

Stores keep the terms beside the record. So a change of what this module or `features` makes of a text needs a higher
`ANALYSIS`: stores analyse their records again when newer code opens them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import field
from functools import lru_cache
from typing import Final

from memwell._dataclasses import dataclass
from memwell._patterns import pattern
from memwell.retrieval.analysis.chunks import is_folded, read
from memwell.retrieval.analysis.english import SLIPS, STOP_WORDS
from memwell.retrieval.analysis.folding import fold, plain, straight
from memwell.retrieval.analysis.identifiers import Asked, asked
from memwell.retrieval.analysis.intent import abbreviations, name_terms, negates, present_spans, words_of
from memwell.retrieval.analysis.related import related_terms
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.unspaced import characters
from memwell.retrieval.analysis.words import (
    Languages,
    is_foreign,
    languages,
    stop_words,
    word_terms,
)

__all__ = [
    "ANALYSIS",
    "ASSISTANT_ROLES",
    "LABELS",
    "STOP_WORDS",
    "USER_ROLES",
    "Query",
    "analyze",
    "fold",
    "is_role",
    "is_speaker",
    "phrase_share",
    "question_share",
    "read_query",
    "split_actor",
    "trusted_actors",
    "without_role",
    "word_terms",
]

ANALYSIS: Final = 4
"""The number of this analysis. What says none was written with number 1."""

USER_ROLES = frozenset({"user", "human", "customer", "me"})
"""Actors that a first-person question ("did I …") is about."""

ASSISTANT_ROLES = frozenset({"assistant", "ai", "agent", "bot", "model"})
"""Actors that a second-person question ("what did you recommend") is about."""

LABELS = frozenset(
    """action address advice agenda alert allergies amount answer appointment argument attention author background
    birthday book bug cause caution cc chapter check code color colour comment conclusion contact context cost
    customer date deadline decision default definition description diagnosis direction dosage due effect email
    error event example exception expected fact feature file fix fyi goal hint history home host hours id idea
    important info information ingredients input instructions issue item key label lesson link list location log
    login meeting memo message method name next note notes notice number objective observation opening output
    owner part password patient phone place plan preference price problem project proposal purpose question quote
    reason recipe recommendation reference remark reminder report request requirement result risk rule schedule
    server shopping size solution source staff status step story subject suggestion summary symptom task team tel
    test time tip title todo topic total type update url user username value version warning website wifi work
    hinweis notiz achtung adresse aufgabe fehler frage antwort termin ort telefon titel datum passwort nota aviso
    dirección direccion tarea pregunta respuesta remarque adresse tâche tache""".split()
)
"""Folded words that begin a text as a label, as in "Note: …", and are no speakers."""

_PREFIX = pattern(r"\s*([^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2}):\s+(?=\S)")
_NAME = pattern(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_QUOTED = pattern(r"\"([^\"]{2,80})\"|“([^”]{2,80})”|«([^»]{2,80})»|「([^」]{1,40})」")
_FIRST = pattern(r"\b(?:i|i'm|i've|i'd|me|my|mine|myself)\b")
_SECOND_DID = pattern(
    r"\b(?:did|have|had|were) you\b|\byou (?:have |had |also )?(?:recommend|suggest|advis"
    r"|sa(?:y|id)|t(?:ell|old)|g(?:i|a)ve|explain|mention|propos|describ|provid)"
    r"|\byour (?:advice|answer|suggestion|recommendation|explanation|repl)"
)
_ENGLISH = pattern(
    r"\b(?:what|when|where|which|who|whom|whose|why|how|is|are|was|were|do|does|did|has|have|had"
    r"|the|of)\b",
    re.IGNORECASE,
)
_SPACES = pattern(r"\s{2,}")
_SENTENCE = pattern(r"[^.!?？！。…\n]+[.!?？！。…\n]*")
_IMAGE = pattern(r"\[[^\]\n]{0,400}\]")
_SELF = pattern(r"\b(?:i|m[ey]|we|our)\b")


def analyze(text: str) -> list[str]:
    """Index terms of `text`, with repetitions; `[]` if there are none.

    First those of the words in order, then single Chinese characters, then identifiers. Deterministic: the same text
    gives the same terms in every process and in every release with the same `ANALYSIS`.
    `analyze("Went hiking, re-painted 3,600 cafés!")` → `["went", "hike", "re", "paint", "repaint", "3600", "cafe"]`.
    """
    return read(text).lexemes.split()


_LONGEST_ACTOR = 160
"""Characters within which the colon after an actor must occur."""
_CACHED_PREFIXES = 1024


def split_actor(text: str) -> tuple[str | None, str]:
    """`"Ana: hello"` → `("Ana", "hello")`; `(None, text)` if there is no such prefix.

    A single text does not show whether the prefix is a speaker or a heading ("Note: …"). So callers count how often an
    actor occurs before they trust it; see `trusted_actors`.
    """
    end = text.find(":", 0, _LONGEST_ACTOR)
    if end < 0:
        return None, text
    name = text[:end]
    if name.isalpha():  # most of them
        body = text[end + 1 :].lstrip()
        return (name, body) if body and text[end + 1].isspace() else (None, text)
    match = _PREFIX.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)


@lru_cache(_CACHED_PREFIXES)
def is_speaker(prefix: str, *, in_session: bool) -> bool:
    """Whether the prefix of a text is who says it, and not a label such as "Note": a role, or a name in a session."""
    return is_role(prefix) or (in_session and LABELS.isdisjoint(fold(prefix).split()))


@lru_cache(_CACHED_PREFIXES)
def is_role(prefix: str) -> bool:
    """Whether the prefix of a text is a role, such as "user"."""
    return fold(prefix) in USER_ROLES | ASSISTANT_ROLES


def without_role(text: str) -> str:
    """`text` without a leading "user: " or "assistant: ", for embedding and analysis.

    Names stay, because they are words of the text. See `split_actor` for the actor.
    """
    actor, body = split_actor(text)
    return body if actor and is_role(actor) else text


def trusted_actors(counts: Mapping[str, int], *, least: int = 3) -> frozenset[str]:
    """Folded actors that occur at least `least` times among the memories of a scope."""
    return frozenset(fold(actor) for actor, n in counts.items() if n >= least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a question says, based on its words and the actors of the scope."""

    text: str
    """The question as given."""
    terms: tuple[str, ...]
    """Distinct index terms, in order. Names of actors are left out, unless there are no other terms."""
    phrases: tuple[tuple[str, ...], ...]
    """Index terms of each quoted passage."""
    identifiers: tuple[Asked, ...]
    """The identifiers it names; their terms are among `terms`."""
    actors: frozenset[str]
    """Folded actors that the question is about: named, or meant by "I" or "you"."""
    named: bool
    """Whether an actor is named; false if "I" or "you" refers to one."""
    embed_text: str
    """The text to embed: the question as the named actor would put it.

    A name dominates the vector of a small embedding model, and people call themselves "I", so "When did Ana move?"
    becomes "When did I move?". If the question has no English function words, the name is only removed.
    """
    foreign: bool = False
    """Whether it is in another language than English."""
    only_time: bool = False
    """Whether it names a time and no topic (*what happened in 2024?*)."""
    names: frozenset[str] = frozenset()
    """The terms that are names of people, places or things."""
    related: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Term → the terms of related words and what each counts (see `memwell.retrieval.analysis.related`)."""

    @property
    def related_terms(self) -> tuple[str, ...]:
        """The terms of all related words."""
        return tuple(dict.fromkeys(other for others in self.related.values() for other in others))


def _actors_in(text: str, actors: Collection[str]) -> dict[str, frozenset[str]]:
    """Word → the actors it names. A word names an actor if it is a part of the name, or a unique beginning of one with
    at least three letters.

    Names must be capitalised, unless the whole question is in lower case. A first word that is also a stop word
    ("Will …?") is not a name.
    """
    found: dict[str, frozenset[str]] = {}
    people = _people(frozenset(actors))
    if not people:
        return found
    lower_case = text == text.lower()
    for match in _NAME.finditer(text):
        word = match[0]
        if not (word[0].isupper() or lower_case):
            continue
        name = fold(word)
        if name in STOP_WORDS and (lower_case or not match.start()):
            continue
        if name in people:
            found[word] = people[name]
        elif len(name) >= 3 and not lower_case:
            begun = frozenset[str]().union(
                *[those for part, those in people.items() if part.startswith(name)]
            )
            if len(begun) == 1:
                found[word] = begun
    return found


@lru_cache(256)
def _people(actors: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """Part of a name → the actors, roles left out, with it."""
    found: dict[str, set[str]] = {}
    for actor in actors - USER_ROLES - ASSISTANT_ROLES:
        for part in actor.split():
            found.setdefault(part, set()).add(actor)
    return {part: frozenset(those) for part, those in found.items()}


def _role_of(folded: str, actors: Collection[str]) -> frozenset[str]:
    """The role actors meant by "I" or by "you", if the scope has both kinds; none if the question has both words."""
    users, assistants = USER_ROLES & set(actors), ASSISTANT_ROLES & set(actors)
    if not users or not assistants:
        return frozenset()
    first, second = bool(_FIRST.search(folded)), bool(_SECOND_DID.search(folded))
    if first == second:
        return frozenset()
    return frozenset(users if first else assistants)


def read_query(
    text: str,
    *,
    actors: Collection[str] = (),
    times: Collection[tuple[int, int, bool]] = (),
    days: Sequence[str] = (),
) -> Query:
    """Analyse a question. `actors` are the folded, trusted actors of its scope; `times` is what
    `memwell.retrieval.analysis.dates.spans` gives: what is understood as a time is no identifier, and what says
    nothing else (also *at present*, *these days*) is no word either, unless there is no other. `days` are the terms of
    the days that it names.
    """
    plain_text = straight(text)
    named = _actors_in(plain_text, actors)
    bare, first_person = (
        _without(
            plain_text, [(first, last) for first, last, sure in times if sure] + present_spans(plain_text)
        ),
        plain_text,
    )
    for word in sorted(named, key=len, reverse=True):
        name = rf"(?<!\w){re.escape(word)}('s)?(?!\w)"
        bare = re.sub(name, " ", bare)
        first_person = re.sub(name, lambda m: "my" if m[1] else "I", first_person)
    quoted = [next(g for g in m.groups() if g) for m in _QUOTED.finditer(text)]
    about = frozenset().union(*named.values()) or _role_of(fold(text), actors)
    spoken = languages(plain_text)
    terms = tuple(dict.fromkeys(_asked_terms(bare, spoken)))
    untimed = _without(plain_text, [(first, last) for first, last, _ in times])
    words = words_of(plain_text)
    named_by = tuple(_asked(untimed, spoken)) or tuple(
        Asked((), (each,))
        for each in abbreviations(untimed, words if untimed == plain_text else words_of(untimed))
    )
    only_time = bool(times) and _names_no_topic(untimed, spoken)
    if only_time:
        terms = _time_terms(plain_text, times, days, spoken)
    keys = [term for one in named_by for term in (*one.exact, *one.loose)]
    asked_for = tuple(dict.fromkeys([*(terms or days or _asked_terms(plain_text, spoken)), *keys, *days]))
    foreign = is_foreign(plain_text, spoken)
    names = frozenset() if only_time else name_terms(plain_text, spoken, words)
    rewritten = first_person if _ENGLISH.search(plain_text) else _SPACES.sub(" ", bare).strip()
    return Query(
        text=text,
        terms=asked_for,
        phrases=tuple(t for q in quoted if (t := tuple(word_terms(q, spoken)))),
        identifiers=named_by,
        actors=about,
        named=bool(named),
        embed_text=rewritten if named and terms else text,
        foreign=foreign,
        only_time=only_time,
        names=names,
        related={} if only_time else _related(asked_for, plain_text, spoken, names=names, foreign=foreign),
    )


def _names_no_topic(text: str, spoken: Languages) -> bool:
    from memwell.retrieval.analysis.time_questions import names_no_topic

    return names_no_topic(text, spoken)


def _without(text: str, spans: Collection[tuple[int, int]]) -> str:
    """A text with some stretches blank."""
    parts, end = list[str](), 0
    for first, last in sorted(spans):
        if last > end:
            parts += text[end:first], " " * (last - max(first, end))
            end = last
    return "".join([*parts, text[end:]])


def _related(
    terms: Sequence[str], text: str, spoken: Languages, *, names: Set[str], foreign: bool
) -> Mapping[str, Mapping[str, float]]:
    """The related words of a question in English, or the English words of one in another language."""
    if foreign:
        from memwell.retrieval.analysis.translations import related_abroad

        return related_abroad(terms, spoken)
    return related_terms(terms, names=names, negated=negates(text))


def _time_terms(
    text: str, times: Collection[tuple[int, int, bool]], days: Sequence[str], spoken: Languages
) -> tuple[str, ...]:
    """The terms of a question that names a time alone: those of its dates. Words such as *last week* count where there
    is nothing else, because they mean another time in each memory."""
    named = [text[first:last] for first, last, _ in times]
    dates = [part for part in named if any(map(str.isdigit, part))]
    return tuple(dict.fromkeys(_asked_terms(" ".join(dates or ([] if days else named)), spoken)))


def _asked_terms(text: str, spoken: Languages) -> list[str]:
    """The terms of the words of a question, without misspelt stop words, and its single Chinese characters."""
    words = [term for term in word_terms(text, spoken) if term not in SLIPS]
    return [*words, *characters(text)]


def _asked(text: str, spoken: Languages) -> list[Asked]:
    """The identifiers of a question whose terms can be in the index."""
    found = asked(plain(text), stemmer("en"), stop_words(spoken))
    return [one for one in found if text.isascii() or all(map(is_folded, (*one.exact, *one.loose)))]


def question_share(text: str) -> float:
    """Share of the words, 0..1, that belong to questions which say nothing about the speaker ("How are you?").

    Such a sentence asks for information and contains none. Words are counted by spaces; text in brackets is ignored.
    """
    if "?" not in text and "？" not in text:
        return 0.0
    total = asking = 0
    folded = fold(text)
    for sentence in _SENTENCE.findall(_IMAGE.sub("", folded) if "[" in folded else folded):
        words = sentence.count(" ") + 1
        total += words
        if sentence.rstrip()[-1:] in ("?", "？") and not _SELF.search(sentence):
            asking += words
    return asking / max(1, total)


def phrase_share(terms: Sequence[str], phrases: Sequence[Sequence[str]]) -> float:
    """Share of `phrases`, 0..1, whose terms occur consecutively in `terms`; 0 if there are no phrases."""
    text = f" {' '.join(terms)} "
    return sum(f" {' '.join(p)} " in text for p in phrases) / len(phrases) if phrases else 0.0
