"""Index terms of a text, and what a question says besides its terms.

Index terms are stems (Porter2, http://snowball.tartarus.org/algorithms/english/stemmer.html) of folded words without
stop words. Scripts written without spaces give overlapping pairs of characters, as in Lucene's CJKAnalyzer, and each
Chinese character is a term too. Identifiers have terms of their own (see `memwell.retrieval.analysis.identifiers`). A
term contains no space, so `" ".join(analyze(text))` can be stored in a database column and split again.

Stores keep the terms beside the record. So a change of what this module or `features` makes of a text needs a higher
`ANALYSIS`: stores analyse their records again when newer code opens them.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Final

from memwell.retrieval.analysis.identifiers import Asked, Kind, asked, identifiers, kind_of, numbers

__all__ = [
    "ANALYSIS",
    "ASSISTANT_ROLES",
    "LABELS",
    "STOP_WORDS",
    "USER_ROLES",
    "Query",
    "analyze",
    "fold",
    "is_speaker",
    "phrase_share",
    "question_share",
    "read_query",
    "split_actor",
    "trusted_actors",
    "without_role",
    "word_terms",
]

ANALYSIS: Final = 3
"""The number of this analysis. What says none was written with number 1."""

STOP_WORDS = frozenset(
    """a about above after again all also am an and any are aren't as at be because been before
    being between both but by can can't cannot could couldn't did didn't do does doesn't doing
    don't down during each for from had hadn't has hasn't have haven't having he he'd he'll he's
    her here hers herself him himself his how i i'd i'll i'm i've if in into is isn't it it'd
    it'll it's its itself just let's may me might more most must my myself no nor not now of off
    on once only or other our ours ourselves out over own same shall she she'd she'll she's
    should shouldn't so some such than that that's the their theirs them themselves then there
    there's these they they'd they'll they're they've this those through to too under until up
    us very was wasn't we we'd we'll we're we've were weren't what what's when where where's
    which while who who's whom whose why will with won't would wouldn't yes you you'd you'll
    you're you've your yours yourself yourselves""".split()
)
"""English words without a topic, left out of the index and of every query."""

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

_ASCII_WORD = re.compile(r"[a-z0-9]+(?:[.,'-][a-z0-9]+)*")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'"})
_LETTERS = _APOSTROPHES | str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_DIACRITIC = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f]")
_FORMAT = re.compile("[\u00ad\u0640\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")
"""Characters without a shape of their own, within words: soft hyphens, joiners, marks of direction, tatweel."""
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SUFFIXED = re.compile(r"(?<!\w)[a-z](?:\+\+|#)(?!\w)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ENDINGS = frozenset({"s", "re", "ve", "ll", "d", "m", "t"})
_JOINT = re.compile(r"[.,'-]+")
_PREFIX = re.compile(r"\s*([^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2}):\s+(?=\S)")
_NAME = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_QUOTED = re.compile(r"\"([^\"]{2,80})\"|“([^”]{2,80})”|«([^»]{2,80})»|「([^」]{1,40})」")
_FIRST = re.compile(r"\b(?:i|i'm|i've|i'd|me|my|mine|myself)\b")
_SECOND_DID = re.compile(
    r"\b(?:did|have|had|were) you\b|\byou (?:have |had |also )?(?:recommend|suggest|advis"
    r"|sa(?:y|id)|t(?:ell|old)|g(?:i|a)ve|explain|mention|propos|describ|provid)"
    r"|\byour (?:advice|answer|suggestion|recommendation|explanation|repl)"
)
_ENGLISH = re.compile(
    r"\b(?:what|when|where|which|who|whom|whose|why|how|is|are|was|were|do|does|did|has|have|had"
    r"|the|of)\b",
    re.IGNORECASE,
)
_SPACES = re.compile(r"\s{2,}")
_SENTENCE = re.compile(r"[^.!?？！。…\n]+[.!?？！。…\n]*")
_IMAGE = re.compile(r"\[[^\]\n]{0,400}\]")
_SELF = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|me|we|our)\b")
_cache: dict[str, tuple[str, ...]] = {}
"""Folded word → its index terms, for recent words."""
_plain_chunks: dict[str, tuple[str, ...]] = {}
"""What stands between blanks and holds no identifier → the terms of its words."""
_odd_chunks: dict[str, tuple[tuple[str, ...], Kind]] = {}
"""The same of what may be one, or a part of one."""
_CACHED_WORDS = 50_000
_WORD_LENGTH = 64
"""Characters. Anything longer is hardly a word: its terms are not cached, and endings such as 's are not removed."""


def fold(text: str) -> str:
    """Case-folded, normalised text without diacritics: `"Ünïté’s"` gives `"unite's"`."""
    if text.isascii():
        return text.replace("`", "'").lower()
    text = _FORMAT.sub("", text.translate(_APOSTROPHES))
    if text.isascii():
        return text.lower()
    plain = _FORMAT.sub("", _DIACRITIC.sub("", unicodedata.normalize("NFKD", text).casefold()))
    return unicodedata.normalize("NFC", plain).translate(_LETTERS)


@cache
def _stem() -> Callable[[str], str]:
    """The English Porter2 stemmer. PyStemmer is imported on first use."""
    import Stemmer  # type: ignore[import-not-found, unused-ignore]

    stem: Callable[[str], str] = Stemmer.Stemmer("english", 0).stemWord
    return stem


@cache
def _any_word() -> re.Pattern[str]:
    """Words of any script; combining vowel signs (Devanagari, Tamil, …) belong to their word."""
    marks = [c for c in map(chr, range(0x300, 0x3100)) if unicodedata.category(c) in ("Mn", "Mc")]
    mark = "".join(marks)
    return re.compile(rf"[^\W_](?:[^\W_]|[{mark}])*(?:[.,'-](?:[^\W_]|[{mark}])+)*")


def analyze(text: str) -> list[str]:
    """Index terms of `text`, with repetitions; `[]` if there are none.

    First those of the words in order, then single Chinese characters, then identifiers. Deterministic: the same text
    gives the same terms in every process and in every release with the same `ANALYSIS`.
    `analyze("Went hiking, re-painted 3,600 cafés!")` → `["went", "hike", "re", "paint", "repaint", "3600", "cafe"]`.
    """
    chunks = text.split()
    found = [*map(_plain_chunks.get, chunks)]
    if None not in found:
        return [*chain.from_iterable(found)]  # type: ignore[arg-type]
    places = _look_up(chunks, found)
    terms = [*chain.from_iterable(found)]  # type: ignore[arg-type]
    if not places:
        return terms
    if text.isascii():
        more = identifiers(text, _stem(), STOP_WORDS, sorted(places))
    else:
        more = [*_HAN.findall(unicodedata.normalize("NFKC", text))]
        more += filter(_is_folded, identifiers(_plain(text), _stem(), STOP_WORDS))
    if more:
        known = set(terms)
        terms += [term for term in dict.fromkeys(more) if term not in known]
    return terms


def _look_up(chunks: list[str], found: list[tuple[str, ...] | None]) -> set[int]:
    """Fill in the terms of the words of chunks that are not known to be plain ones. Returns the places of those that
    may be identifiers.
    """
    places: set[int] = set()
    at, before = 0, -2
    for _ in range(found.count(None)):
        at = found.index(None, at)
        chunk = chunks[at]
        found[at], kind = _odd_chunks.get(chunk) or _read_chunk(chunk)
        if kind is Kind.NAMING:
            places.add(at + 1)
        elif kind is not Kind.WORD and (kind is not Kind.TITLE or before == at - 1):
            places.add(at)
        if kind is not Kind.WORD:
            before = at
    return places


def _read_chunk(chunk: str) -> tuple[tuple[str, ...], Kind]:
    """The terms of the words of a chunk, and its kind; kept for the next text."""
    terms = tuple(word_terms(chunk))
    pieces = _plain(chunk).split()
    one = len(pieces) == 1 and not _HAN.search(unicodedata.normalize("NFKC", chunk))
    kind = kind_of(pieces[0], STOP_WORDS) if one else Kind.CODE
    if len(chunk) <= _WORD_LENGTH:
        for kept in (_plain_chunks, _odd_chunks):
            if len(kept) >= _CACHED_WORDS:
                kept.clear()
        if kind is Kind.WORD:
            _plain_chunks[sys.intern(chunk)] = terms
        else:
            _odd_chunks[sys.intern(chunk)] = terms, kind
    return terms, kind


def word_terms(text: str) -> list[str]:
    """The terms of the words of a text, in order, as `analyze` puts them first."""
    folded = fold(text)
    if "#" in folded or "++" in folded:
        folded = _SUFFIXED.sub(" ", folded)
    words = (_ASCII_WORD if folded.isascii() else _any_word()).findall(folded)
    terms: list[str] = []
    for word in words:
        found = _cache.get(word)
        if found is None:
            found = _analyze_word(word)
        terms += found
    return terms


def _plain(text: str) -> str:
    """A text with its upper case and without diacritics, format characters and compatibility forms."""
    if text.isascii():
        return text
    plain = _DIACRITIC.sub("", unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)))
    return unicodedata.normalize("NFC", _FORMAT.sub("", plain))


def _is_folded(term: str) -> bool:
    return fold(term) == term and not any(map(str.isspace, term))


def _analyze_word(word: str) -> tuple[str, ...]:
    """The terms of a word that is not in the cache; adds it."""
    if len(word) > _WORD_LENGTH:
        return _terms_of(word)
    if len(_cache) >= _CACHED_WORDS:
        _cache.clear()
    found = _cache[sys.intern(word)] = tuple(map(sys.intern, _terms_of(word)))
    return found


def _terms_of(word: str) -> tuple[str, ...]:
    """Index terms of one folded word: its stem, or its parts and the compound."""
    if word in STOP_WORDS:
        return ()
    if not word.isascii() and (runs := _UNSPACED_RUN.findall(word)):
        rest = [term for part in _UNSPACED_RUN.split(word) if part for term in _terms_of(part)]
        pairs = [run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))]
        return (*rest, *pairs)
    if word.isalnum():
        return (_stem()(word),)
    if _NUMBER.fullmatch(word):
        return numbers(word)
    base, _, tail = word.rpartition("'")
    if base and tail in _ENDINGS and len(word) <= _WORD_LENGTH:
        return _terms_of(base)
    return _terms_of_parts(word)


def _terms_of_parts(word: str) -> tuple[str, ...]:
    """Index terms of a word with inner hyphens, dots, commas or apostrophes: its parts, and the compound of two
    parts.
    """
    parts = [part for part in _JOINT.split(word) if part]
    if len(parts) < 2:
        return tuple(parts)
    terms = [term for part in parts for term in _terms_of(part)]
    if len(parts) == 2 and not any(part.isdigit() for part in parts):
        terms.append(_stem()("".join(parts)))
    return tuple(terms)


_LONGEST_ACTOR = 160
"""Characters within which the colon after an actor must occur."""
_CACHED_PREFIXES = 1024


def split_actor(text: str) -> tuple[str | None, str]:
    """`"Ana: hello"` → `("Ana", "hello")`; `(None, text)` if there is no such prefix.

    A single text does not show whether the prefix is a speaker or a heading ("Note: …"). So callers count how often an
    actor occurs before they trust it; see `trusted_actors`.
    """
    if text.find(":", 0, _LONGEST_ACTOR) < 0:
        return None, text
    match = _PREFIX.match(text)
    return (match[1], text[match.end() :]) if match else (None, text)


@lru_cache(_CACHED_PREFIXES)
def is_speaker(prefix: str, *, in_session: bool) -> bool:
    """Whether the prefix of a text is who says it, and not a label such as "Note": a role, or a name in a session."""
    return _is_role(prefix) or (in_session and LABELS.isdisjoint(fold(prefix).split()))


@lru_cache(_CACHED_PREFIXES)
def _is_role(prefix: str) -> bool:
    return fold(prefix) in USER_ROLES | ASSISTANT_ROLES


def without_role(text: str) -> str:
    """`text` without a leading "user: " or "assistant: ", for embedding and analysis.

    Names stay, because they are words of the text. See `split_actor` for the actor.
    """
    actor, body = split_actor(text)
    return body if actor and _is_role(actor) else text


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


def _actors_in(text: str, actors: Collection[str]) -> dict[str, frozenset[str]]:
    """Word → the actors it names. A word names an actor if it is a part of the name, or a unique beginning of one with
    at least three letters.

    Names must be capitalised, unless the whole question is in lower case. A first word that is also a stop word
    ("Will …?") is not a name.
    """
    people = [a for a in actors if a not in USER_ROLES and a not in ASSISTANT_ROLES]
    found: dict[str, frozenset[str]] = {}
    if not people:
        return found
    lower_case = text == text.lower()
    for match in _NAME.finditer(text):
        word = match[0]
        name = fold(word)
        if not (word[0].isupper() or lower_case) or (
            name in STOP_WORDS and (lower_case or not match.start())
        ):
            continue
        matching = [a for a in people if name in a.split()]
        if not matching and len(name) >= 3 and not lower_case:
            prefixed = [a for a in people if any(part.startswith(name) for part in a.split())]
            matching = prefixed if len(prefixed) == 1 else []
        if matching:
            found[word] = frozenset(matching)
    return found


def _role_of(folded: str, actors: Collection[str]) -> frozenset[str]:
    """The role actors meant by "I" or by "you", if the scope has both kinds; none if the question has both words."""
    users, assistants = USER_ROLES & set(actors), ASSISTANT_ROLES & set(actors)
    first, second = bool(_FIRST.search(folded)), bool(_SECOND_DID.search(folded))
    if not users or not assistants or first == second:
        return frozenset()
    return frozenset(users if first else assistants)


def read_query(
    text: str, *, actors: Collection[str] = (), times: Collection[tuple[int, int, bool]] = ()
) -> Query:
    """Analyse a question. `actors` are the folded, trusted actors of its scope; `times` is what
    `memwell.retrieval.analysis.dates.spans` gives: what is understood as a time is no identifier, and what says
    nothing else is no word either, unless there is no other.
    """
    plain = text.translate(_APOSTROPHES)
    named = _actors_in(plain, actors)
    bare, first_person = _without(plain, [(first, last) for first, last, sure in times if sure]), plain
    for word in sorted(named, key=len, reverse=True):
        name = rf"(?<!\w){re.escape(word)}('s)?(?!\w)"
        bare = re.sub(name, " ", bare)
        first_person = re.sub(name, lambda m: "my" if m[1] else "I", first_person)
    quoted = [next(g for g in m.groups() if g) for m in _QUOTED.finditer(text)]
    about = frozenset().union(*named.values()) or _role_of(fold(text), actors)
    terms = tuple(dict.fromkeys(_asked_terms(bare)))
    named_by = tuple(_asked(_without(plain, [(first, last) for first, last, _ in times])))
    keys = [term for one in named_by for term in (*one.exact, *one.loose)]
    rewritten = first_person if _ENGLISH.search(plain) else _SPACES.sub(" ", bare).strip()
    return Query(
        text=text,
        terms=tuple(dict.fromkeys([*(terms or _asked_terms(plain)), *keys])),
        phrases=tuple(t for q in quoted if (t := tuple(word_terms(q)))),
        identifiers=named_by,
        actors=about,
        named=bool(named),
        embed_text=rewritten if named and terms else text,
    )


def _without(text: str, spans: Collection[tuple[int, int]]) -> str:
    """A text with some stretches blank."""
    for first, last in spans:
        text = text[:first] + " " * (last - first) + text[last:]
    return text


def _asked_terms(text: str) -> list[str]:
    """The terms of the words of a question, and its single Chinese characters."""
    return [*word_terms(text), *_HAN.findall(text)]


def _asked(text: str) -> list[Asked]:
    """The identifiers of a question whose terms can be in the index."""
    found = asked(_plain(text), _stem(), STOP_WORDS)
    return [one for one in found if text.isascii() or all(map(_is_folded, (*one.exact, *one.loose)))]


def question_share(text: str) -> float:
    """Share of the words, 0..1, that belong to questions which say nothing about the speaker ("How are you?").

    Such a sentence asks for information and contains none. Words are counted by spaces; text in brackets is ignored.
    """
    if "?" not in text and "？" not in text:
        return 0.0
    total = asking = 0
    for sentence in _SENTENCE.findall(_IMAGE.sub("", fold(text))):
        words = sentence.count(" ") + 1
        total += words
        if sentence.rstrip()[-1:] in ("?", "？") and not _SELF.search(sentence):
            asking += words
    return asking / max(1, total)


def phrase_share(terms: Sequence[str], phrases: Sequence[Sequence[str]]) -> float:
    """Share of `phrases`, 0..1, whose terms occur consecutively in `terms`; 0 if there are no phrases."""
    text = f" {' '.join(terms)} "
    return sum(f" {' '.join(p)} " in text for p in phrases) / len(phrases) if phrases else 0.0
