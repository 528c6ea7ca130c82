"""The features of a record, extracted once when it is written, and those of a question.

Stores keep the features of a record as one line of text, its *signals*: `actor TAB question share TAB day-day,…`. So a
search need not parse any content. What a text mentions relative to its own day ("yesterday") depends on the time zone
of who reads it. So its times may stand there three times: for the day in UTC, for the day before and for the day after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.ports.store.search import Features, Interval
from memwell.retrieval.analysis.chunks import read
from memwell.retrieval.analysis.dates import intervals, on_days_around
from memwell.retrieval.analysis.days import day_terms
from memwell.retrieval.analysis.intent import asks_when, light_terms, prefers_newest
from memwell.retrieval.analysis.text import (
    Query,
    fold,
    is_role,
    is_speaker,
    question_share,
    split_actor,
)
from memwell.sealed import analysed
from memwell.types import Record
from memwell.values import local

__all__ = [
    "Question",
    "describe",
    "encrypted_part",
    "lexemes_and_signals",
    "lexemes_and_signals_of",
    "plain_lexemes_and_signals",
    "question",
    "read_signals",
    "speaker_in",
]

_LOOSE = 0.6
"""How surely a memory holds an identifier if it has a longer or another form of it."""
_DAYS = 20
"""A time of more days can be that of a state, and is more than the time of an event."""
_SHIFTS = (-1, 1)
"""Days that the day of a record can be away from that in UTC."""
Times: TypeAlias = tuple[Interval, ...]
_NEVER: Final[tuple[Times, Times, Times]] = ((), (), ())
_ACTOR_KEYS = ("speaker", "role", "author", "actor", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a query asks for, besides its terms and its vector."""

    actors: frozenset[str] = frozenset()
    """Folded names of the actors it is about."""
    named: bool = False
    """Whether it names them; false if it says only "I" or "you"."""
    intervals: Sequence[Interval] = ()
    """Times it mentions."""
    zone: tzinfo = UTC
    """The time zone whose days these are."""
    only_time: bool = False
    """Whether it names a time and no topic."""
    asks_when: bool = False
    """Whether the answer is a time."""
    quotes: bool = False
    """Whether it quotes a phrase."""
    identifiers: Sequence[Mapping[int, float]] = ()
    """For each identifier that it names: index of a term → how surely a memory with that term holds it, 0..1."""
    light: frozenset[int] = frozenset()
    """Indexes of the terms that are common words."""
    names: frozenset[int] = frozenset()
    """Indexes of the terms that are names of people, places or things."""
    related: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    """Index of a term → indexes of the terms of related words and what each counts, 0..1."""
    others: int = 0
    """How many of the terms, the last ones, are only those of related words."""
    newest: float = 0.0
    """How much the newest is preferred of those that fit alike: 1 usually, more if it asks for the present, less than
    nothing if it asks for the past.
    """
    held: Interval | None = None
    """The past month, year or the like that it asks about."""


def describe(
    content: str, *, created_at: datetime, actor: str | None = None, in_session: bool = True
) -> tuple[list[str], Features]:
    """Index terms and features of a record's text; a day that it mentions is a term, too.

    `actor` comes from the metadata; if it is missing, a "Name: " prefix of the text is used: a role everywhere, a name
    within a session, and no label (`Note:`, `Address:`).
    """
    lexemes, speaker, share, (before, times, after) = _read(content, created_at, actor, in_session=in_session)
    terms = lexemes.split()
    return terms, Features(
        length=len(terms),
        actor=speaker,
        day=created_at.toordinal(),
        second=(created_at.hour * 60 + created_at.minute) * 60 + created_at.second,
        intervals=times,
        shifted={-1: before, 1: after} if before != times or after != times else {},
        question_share=share,
    )


def _read(
    content: str, created_at: datetime, actor: str | None, *, in_session: bool
) -> tuple[str, str | None, float, tuple[Times, Times, Times]]:
    """Index terms, folded speaker and question share of a text, and its times for the day before, its day and the day
    after."""
    prefix, body = split_actor(content)
    role, speaker = (False, None) if prefix is None else _who(prefix, in_session)
    lexemes, times = read(body if role else content, body)
    days = on_days_around(times, created_at) if times else _NEVER
    if days[1] and (named := day_terms(days[1])):
        lexemes = " ".join([lexemes, *named] if lexemes else named)
    return lexemes, fold(actor) if actor else speaker, question_share(body), days


@lru_cache(1024)
def _who(prefix: str, in_session: bool) -> tuple[bool, str | None]:
    """Whether the prefix of a text is a role, and whom it names as the speaker, folded."""
    speaker = fold(prefix) if is_speaker(prefix, in_session=in_session) else None
    return is_role(prefix), speaker or None


def question(
    query: Query, *, now: datetime, terms: Sequence[str] | None = None, zone: tzinfo = UTC
) -> Question:
    """What `query` asks for besides its terms; relative times are resolved against `now` in `zone`. `terms` are those
    that were searched; those of the query by default.
    """
    now = local(now, zone)
    times = tuple(intervals(query.text, now))
    terms, light = query.terms if terms is None else terms, light_terms()
    place = {term: at for at, term in enumerate(terms)}
    dated = any(last < now.toordinal() - 1 for _, last in times)
    newest = prefers_newest(query.text, dated=dated)
    extra = {other: place[other] for other in query.related_terms if other in place}
    related = {
        place[term]: {extra[other]: share for other, share in others.items() if other in extra}
        for term, others in query.related.items()
        if term in place
    }
    return Question(
        actors=query.actors,
        named=query.named,
        intervals=times,
        zone=zone,
        light=frozenset(at for at, term in enumerate(terms) if term in light),
        names=frozenset(at for at, term in enumerate(terms) if term in query.names),
        related=related if extra else {},
        others=len(extra),
        newest=newest,
        held=times[0] if dated and not newest and len(times) == 1 and _lasts(*times[0]) else None,
        only_time=query.only_time,
        asks_when=asks_when(query.text),
        quotes=bool(query.phrases),
        identifiers=tuple(_identifiers(query, place)),
    )


def _lasts(first: int, last: int) -> bool:
    return last - first > _DAYS


def _identifiers(query: Query, place: Mapping[str, int]) -> list[Mapping[int, float]]:
    return [
        {place[term]: _LOOSE for term in one.loose} | {place[term]: 1.0 for term in one.exact}
        for one in query.identifiers
    ]


def lexemes_and_signals(record: Record) -> tuple[str, str]:
    """The index terms of a record, joined by spaces, and its signals (empty if it has none)."""
    return lexemes_and_signals_of(
        record.content, record.metadata, record.created_at, in_session=record.session_id is not None
    )


def lexemes_and_signals_of(
    content: str, metadata: Mapping[str, Any], created_at: datetime, *, in_session: bool
) -> tuple[str, str]:
    """As `lexemes_and_signals`, from the parts of a record that they depend on. An encrypted content brings its own."""
    known = analysed(content, metadata)
    if known is not None:
        return known
    return plain_lexemes_and_signals(content, metadata, created_at, in_session=in_session)


def plain_lexemes_and_signals(
    content: str, metadata: Mapping[str, Any], created_at: datetime, *, in_session: bool
) -> tuple[str, str]:
    """As `lexemes_and_signals_of`, of a content that is not encrypted, whatever it looks like."""
    lexemes, actor, share, (before, times, after) = _read(
        content, created_at, _actor(metadata), in_session=in_session
    )
    if actor is None and not share and not times and not before and not after:
        return lexemes, ""
    spans = _spans(times)
    if before != times or after != times:
        spans = "\t".join((spans, _spans(before), _spans(after)))
    return lexemes, f"{actor or ''}\t{f'{share:.2f}' if share else ''}\t{spans}"


def _spans(times: Times) -> str:
    return ",".join([f"{first}-{last}" for first, last in times])


def read_signals(line: str) -> tuple[str | None, float, Times, Mapping[int, Times]]:
    """Actor, question share and times mentioned, in UTC and for the day before (-1) and after (1); of an encrypted line
    only what can be known. Raises `ValueError` for an invalid line.
    """
    if not line:
        return None, 0.0, (), {}
    actor, share, *spans = line.split("\t")
    if spans and spans[0][:1] == "~":
        return actor or None, float(share) if share else 0.0, (), {}
    if len(spans) not in (1, 1 + len(_SHIFTS)):
        raise ValueError(f"signals with {len(spans)} columns of times")
    times, *others = [_times(each) for each in spans]
    shifted = dict(zip(_SHIFTS, others, strict=False))
    return actor or None, float(share) if share else 0.0, times, shifted


def _times(spans: str) -> Times:
    found: list[Interval] = []
    for span in spans.split(",") if spans else ():
        first, _, last = span.partition("-")
        found.append((int(first), int(last)))
    return tuple(found)


def encrypted_part(line: str) -> str | None:
    """Question share and times of an encrypted line, as ciphertext; `None` for any other line."""
    return line[line.rindex("\t~") + 2 :] if "\t~" in line else None


def speaker_in(metadata: Mapping[str, Any]) -> str | None:
    """The folded speaker that metadata name; `None` where they name none."""
    actor = _actor(metadata)
    return fold(actor) if actor else None


def _actor(metadata: Mapping[str, Any]) -> str | None:
    """The speaker given in the metadata, if its length is plausible for a name."""
    for key in _ACTOR_KEYS if metadata else ():
        value = metadata.get(key)
        if isinstance(value, str) and 0 < len(value) <= 64:
            return " ".join(value.split()) or None
    return None
