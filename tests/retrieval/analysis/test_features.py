"""What a record tells beside its words goes into a line and comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memwell.retrieval.analysis.dates import mentioned, resolved
from memwell.retrieval.analysis.features import describe, lexemes_and_signals, read_signals
from memwell.retrieval.analysis.text import analyze, split_actor
from memwell.testing.samples import record
from memwell.types import Record, Scope

SAID = datetime(2023, 7, 19, 12, tzinfo=UTC)
DAY = date(2023, 7, 19).toordinal()


def spoken(content: str, at: datetime = SAID, **metadata: Any) -> Record:
    return record(content, id="r", at=at, metadata=metadata)


def signals(content: str, **metadata: Any) -> tuple[str | None, float, Any]:
    return read_signals(lexemes_and_signals(spoken(content, **metadata))[1])[:3]


def test_a_plain_note_has_words_and_no_line() -> None:
    assert lexemes_and_signals(spoken("The cats like oat milk")) == ("cat like oat milk", "")
    assert lexemes_and_signals(spoken("of the")) == ("", "")
    assert read_signals("") == (None, 0.0, (), {})


def test_the_line_has_the_speaker_the_idle_share_and_the_times() -> None:
    lexemes, line = lexemes_and_signals(spoken("user: Were you there yesterday or in May?"))
    first, last = date(2023, 5, 1).toordinal(), date(2023, 5, 31).toordinal()
    assert lexemes == "yesterday 2023-07-18"
    days = [f"{day}-{day},{first}-{last}" for day in (DAY - 1, DAY - 2, DAY)]
    assert line == "\t".join(["user", "1.00", *days])
    assert read_signals(line)[:3] == ("user", 1.0, ((DAY - 1, DAY - 1), (first, last)))
    assert lexemes_and_signals(spoken("Were you there in May?"))[1] == f"\t1.00\t{first}-{last}"


def test_each_signal_may_stand_alone() -> None:
    assert signals("User: I like tea") == ("user", 0.0, ())
    assert signals("Why?") == (None, 1.0, ())
    assert signals("I came yesterday") == (None, 0.0, ((DAY - 1, DAY - 1),))


@pytest.mark.parametrize("key", ["speaker", "role", "author", "actor", "name"])
def test_the_metadata_name_the_speaker(key: str) -> None:
    assert signals("I like tea", **{key: "Ána  Lee"})[0] == "ana lee"


def test_the_first_key_that_names_one_counts() -> None:
    assert signals("Note: tea", name="Bo", speaker="Ana")[0] == "ana"
    assert signals("Note: tea", speaker="", role="user")[0] == "user"
    assert signals("AI: tea", speaker=7)[0] == "ai"
    assert signals("Note: tea", speaker="x" * 65)[0] is None


WORDS = """Ana: Ana-May: June: May: der janvier may May I other day days out MAY in on last next this two 3 5. 2023
March, march (8 Monday Mondays gestern heute hier Woche letzte ago Friday birthday Mayor x3/4/2021 v2.1 12th
of 昨天 5月3日 année März år Monday… the went we yester\u00adday night morning 19:30 plan A""".split()


@given(st.lists(st.sampled_from(WORDS), max_size=8), st.sampled_from([" ", "\n", "\u00a0", " is "]))
@example(["昨天"], " ")
@example(["May:", "may", "3"], " ")
def test_a_text_that_is_read_word_by_word_mentions_what_it_does_as_a_whole(
    said: list[str], blank: str
) -> None:
    content = blank.join(said)
    body = split_actor(content)[1]
    whole = resolved(mentioned(body, analyze(body)), SAID)
    assert describe(content, created_at=SAID)[1].intervals == whole


def test_a_speaker_of_several_lines_keeps_the_line_whole() -> None:
    assert signals("tea", speaker="Ana\tLee\nof X")[0] == "ana lee of x"
    assert signals("tea", speaker="\t \n")[0] is None


def test_a_name_before_a_colon_speaks_in_a_session_and_a_label_never() -> None:
    assert signals("Ana: I like tea")[0] is None
    in_session = Scope(user_id="u", session_id="talk")
    for said, speaker in (
        ("Ana: I like tea", "ana"),
        ("Note: I like tea", None),
        ("Shopping list: tea", None),
        ("Address: Nordweg 5 is the clinic", None),
    ):
        made = replace(spoken(said), scope=in_session)
        assert read_signals(lexemes_and_signals(made)[1])[0] == speaker, said


@pytest.mark.parametrize(
    "line", ["ana", "ana\t0.5", "a\tb\tc", "\t\t5", "\t\tx-y", "\t\t1-2,", "a\t\t\t", "a\t\t\t\t\t"]
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|columns|invalid literal|could not convert"):
        read_signals(line)


@given(
    st.text() | st.sampled_from(["Ana: two weeks ago?", "the past 999 years", "tomorrow", "last year"]),
    st.none() | st.text(max_size=64),
    st.datetimes(timezones=st.just(UTC)),
)
@example("the day before yesterday", None, datetime(1, 1, 1, tzinfo=UTC))
def test_any_record_comes_back_from_its_line(content: str, speaker: str | None, at: datetime) -> None:
    made = spoken(content, at, **({} if speaker is None else {"speaker": speaker}))
    lexemes, line = lexemes_and_signals(made)
    actor = " ".join(speaker.split()) if speaker else None
    terms, features = describe(content, created_at=at, actor=actor, in_session=False)
    actor, question_share, times, shifted = read_signals(line)
    assert lexemes.split() == terms
    assert (actor or "", times) == (features.actor or "", features.intervals)
    assert {shift: shifted.get(shift, times) for shift in (-1, 1)} == {
        shift: features.shifted.get(shift, times) for shift in (-1, 1)
    }
    assert question_share == pytest.approx(features.question_share, abs=0.005)
    assert "\n" not in line
