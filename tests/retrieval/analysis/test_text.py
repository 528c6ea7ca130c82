"""The analyzer, and what a question says beside its terms."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memwell.retrieval.analysis import chunks, identifiers, time_runs, words
from memwell.retrieval.analysis.dates import spans
from memwell.retrieval.analysis.intent import asks_when
from memwell.retrieval.analysis.text import (
    STOP_WORDS,
    analyze,
    fold,
    phrase_share,
    question_share,
    read_query,
    split_actor,
    trusted_actors,
    without_role,
    word_terms,
)

ACTORS = ("ana", "bo lee", "user", "assistant")


# ------------------------------------------------------------------------------------------------ analyze


@pytest.mark.parametrize(
    ("said", "terms"),
    [
        ("Went hiking, re-painted 3,600 cafés!", "went hike re paint repaint 3600 cafe"),
        ("running runs run", "run run run"),
        ("generously GENEROUS", "generous generous"),
        ("The cat and the dog are not ours", "cat dog"),
        ("may will might could", ""),
        ("don't can't it's I'd've couldn't've", ""),
        ("Ana's dogs' bowl", "ana dog bowl"),
        ("Ana’s bowl, Ana´s bowl, Ana`s bowl", "ana bowl ana bowl ana bowl"),
        ("3.14 and 1,000,000 and 42", "3.14 1000000 42"),
        ("2024-05-01 at 10:30", "2024 05 01 10 30 10.30"),
        ("COVID-19 in 4-6 weeks", "covid 19 4 6 week covid.19 4.6"),
        ("e-mail, x-ray, O'Brien", "e mail email x ray xray o brien obrien"),
        ("state-of-the-art", "state art"),
        ("node.js", "node js nodej node.js"),
        ("C3PO, R2-D2", "c3po r2 d2 r2d2 r2.d2"),
        ("#garden @ana snake_case", "garden ana snake case snake.case"),
        ("Łódź, Ærø, œuvre", "lodz aero oeuvr"),
        ("São Paulo", "sao paulo"),
        ("STRASSE Straße", "strass strass"),
        ("ﬁne Ⅷ ＷＩＤＥ", "fine viii wide"),
        ("𝐁𝐨𝐥𝐝 𝕊tyle ℝ", "bold style r style.r"),
        ("e\u0301tude étude", "etud etud"),
        ("Привет, мир", "привет мир"),
        ("हिन्दी", "हिन्द"),
        ("東京タワー", "東京 京タ タワ ワー 東 京"),
        ("東", "東"),
        ("한국어", "한국 국어"),
        ("ไทย", "ไท ทย"),
        ("iPhone東京2024", "iphon 2024 東京 東 京"),
        ("", ""),
        ("…!? — 🐢", ""),
    ],
)
def test_index_terms_of(said: str, terms: str) -> None:
    assert analyze(said) == terms.split()


def test_a_stop_word_is_left_out_in_any_case_and_with_any_apostrophe() -> None:
    assert analyze("THE The tHe DON’T") == []


def test_every_stop_word_is_left_out() -> None:
    assert analyze(" ".join(sorted(STOP_WORDS))) == []


def test_terms_are_repeated_as_often_as_they_occur() -> None:
    assert analyze("tea, more tea, and teas") == ["tea", "tea", "tea"]


@given(st.text())
@example("x" + "'s" * 5000)
@example("a\u0301" * 50 + "'s")
@example("0Ӵ")
def test_terms_can_be_kept_in_one_column_and_split_again(said: str) -> None:
    terms = analyze(said)
    assert " ".join(terms).split() == terms
    assert all(term == fold(term) for term in terms)


def kept_words() -> list[dict[str, Any]]:
    return [words._language("en").kept, words._language("de").kept, chunks._plain, chunks._odd]


@given(st.text())
@example("tea\u202fpot tea pot")
def test_the_same_text_gives_the_same_terms_whatever_was_seen_before(said: str) -> None:
    analyze(" ".join(said.split()).replace("\u202f", " "))
    warm = analyze(said)
    for kept in kept_words():
        kept.clear()
    identifiers._cache.clear()
    assert analyze(said) == warm


@pytest.mark.parametrize("word", ["tea", "The", "NASA", "camelCase", "don't", "naïve", "чай"])
def test_punctuation_around_a_word_changes_no_term(word: str) -> None:
    for before, after in itertools.product(
        ["", "(", '"', "**", "`", "["], [".", ",", "?!", '."', "**:", "`)", "-"]
    ):
        assert analyze(f"{before}{word}{after}") == analyze(word)


def test_terms_are_the_same_in_every_process() -> None:
    tie = "fine hier fold since (it /usr/local/bin students 42 month birthday last day Woche"  # German, or English?
    said = f"Ana’s café re-opened, 東京タワー, in 3,600 ways: don't ask whose\n{tie}"
    asked = "Quelle est la nouvelle adresse de mes parents ?"
    code = (
        "from memwell.retrieval.analysis.text import analyze, read_query;"
        f"print('|'.join([*analyze({said!r}), *read_query({asked!r}).related_terms]))"
    )
    expected = [*analyze(said), *read_query(asked).related_terms]
    for seed in "01":
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert done.stdout.decode().strip().split("|") == expected


@pytest.mark.parametrize(
    "word",
    ["x" + "'s" * 400_000, "x" + "'s" * 400_000 + "'q", "ab" * 500_000, "a-b" * 300_000, "é'd" * 300_000],
)
def test_a_text_of_one_giant_word_is_no_trouble(word: str) -> None:
    """A chain of 's once exhausted the stack, so that a memory could not be stored."""
    begun = time.process_time()
    assert analyze(word)
    assert time.process_time() - begun < 10


def test_giant_words_are_not_kept_in_memory() -> None:
    runs = [time_runs._times, time_runs._is_of_run]
    before = [kept.cache_info().currsize for kept in runs]
    analyze("g" * 100_000)
    analyze(f"Monday {'2' * 100_000}")
    assert [kept.cache_info().currsize for kept in runs] == before
    for kept in kept_words():
        assert max(map(len, kept), default=0) <= 64


def test_the_kept_words_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_CACHED_CHUNKS", 10)
    monkeypatch.setattr(words, "KEPT", 10)
    for kept in kept_words():
        kept.clear()
    analyze(" ".join(f"word{i} word{'x' * i}" for i in range(100)))
    for kept in kept_words():
        assert len(kept) <= 10


@given(st.text())
def test_folding_twice_is_folding_once(said: str) -> None:
    assert fold(fold(said)) == fold(said)
    assert word_terms(fold(said)) == word_terms(said)


# ------------------------------------------------------------------------------------------------- actors


@pytest.mark.parametrize(
    ("said", "actor", "body"),
    [
        ("Ana: hello", "Ana", "hello"),
        ("  Ana:  hello: you", "Ana", "hello: you"),
        ("Ana Maria Souza: hi", "Ana Maria Souza", "hi"),
        ("O'Brien: hi", "O'Brien", "hi"),
        ("Dr. Who: hi", "Dr. Who", "hi"),
        ("Zoë: hi", "Zoë", "hi"),
        ("user: hi", "user", "hi"),
        ("Ana Maria de Souza: hi", None, "Ana Maria de Souza: hi"),
        ("Ana:hello", None, "Ana:hello"),
        ("Ana: ", None, "Ana: "),
        ("http://example.org", None, "http://example.org"),
        ("10: thirty", None, "10: thirty"),
        ("I told Ana, she said: no", None, "I told Ana, she said: no"),
        ("", None, ""),
    ],
)
def test_the_speaker_stands_before_a_colon(said: str, actor: str | None, body: str) -> None:
    assert split_actor(said) == (actor, body)


def test_roles_are_taken_off_and_names_stay() -> None:
    assert without_role("user: I like tea") == "I like tea"
    assert without_role("Assistant: You like tea") == "You like tea"
    assert without_role("Ana: I like tea") == "Ana: I like tea"
    assert without_role("I like tea") == "I like tea"


def test_actors_are_trusted_once_they_recur() -> None:
    assert trusted_actors({"Ána": 3, "Note": 2, "Bo Lee": 9}) == {"ana", "bo lee"}
    assert trusted_actors({"Ana": 1}, least=1) == {"ana"}


# ---------------------------------------------------------------------------------------------- questions


def test_a_named_actor_is_left_out_of_the_terms_and_becomes_i() -> None:
    query = read_query("When did Ana move to Ana's flat?", actors=ACTORS)
    assert (query.terms, query.actors, query.named) == (("move", "flat"), {"ana"}, True)
    assert query.embed_text == "When did I move to my flat?"
    assert query.text == "When did Ana move to Ana's flat?"


def test_a_typographic_apostrophe_after_a_name_is_a_genitive_as_well() -> None:
    assert read_query("Where is Ana’s dog?", actors=ACTORS).embed_text == "Where is my dog?"


def test_without_english_words_the_name_is_only_left_out() -> None:
    assert read_query("Ana vive aquí?", actors=ACTORS).embed_text == "vive aquí?"


@pytest.mark.parametrize("asked", ["What did Lee say?", "What did Bo say?", "what did lee say?"])
def test_a_part_of_a_name_is_enough(asked: str) -> None:
    query = read_query(asked, actors=ACTORS)
    assert query.actors == {"bo lee"}
    assert query.named


def test_the_beginning_of_a_name_is_enough_when_only_one_begins_so() -> None:
    assert read_query("What does Caro paint?", actors=("caroline", "ana")).actors == {"caroline"}
    assert read_query("What does Caro paint?", actors=("caroline", "carol")).actors == set()
    assert read_query("What does Ca paint?", actors=("caroline",)).actors == set()
    assert read_query("what does caro paint?", actors=("caroline",)).actors == set()


def test_a_name_in_lower_case_counts_only_where_all_is_lower_case() -> None:
    assert read_query("when did ana move?", actors=ACTORS).actors == {"ana"}
    assert read_query("When did ana move?", actors=ACTORS).actors == set()


def test_a_first_word_that_is_a_stop_word_is_no_name() -> None:
    assert read_query("Will it rain?", actors=("will",)).actors == set()
    assert read_query("Did Will call?", actors=("will",)).actors == {"will"}


def test_several_names_are_all_meant() -> None:
    query = read_query("Did Ana meet Bo?", actors=ACTORS)
    assert query.actors == {"ana", "bo lee"}
    assert query.terms == ("meet",)


def test_a_question_of_names_only_keeps_them_as_terms() -> None:
    query = read_query("Ana?", actors=ACTORS)
    assert (query.terms, query.embed_text, query.actors) == (("ana",), "Ana?", {"ana"})


def test_unknown_names_are_plain_terms() -> None:
    query = read_query("When did Cleo move?", actors=ACTORS)
    assert (query.terms, query.actors, query.named) == (("cleo", "move"), frozenset(), False)
    assert query.embed_text == query.text


@pytest.mark.parametrize(
    ("asked", "role"),
    [
        ("What did I say about trains?", "user"),
        ("Where is my bike?", "user"),
        ("What did you recommend?", "assistant"),
        ("What was your advice on tea?", "assistant"),
        ("Did you tell me what I like?", None),
        ("What is the capital of Peru?", None),
        ("What are you?", None),
    ],
)
def test_i_and_you_point_to_roles(asked: str, role: str | None) -> None:
    query = read_query(asked, actors=ACTORS)
    assert query.actors == ({role} if role else set())
    assert not query.named
    assert query.embed_text == asked


def test_roles_are_meant_only_where_both_kinds_speak() -> None:
    assert read_query("What did I say?", actors=("user", "ana")).actors == set()
    assert read_query("What did you recommend?", actors=()).actors == set()


def test_a_name_counts_before_i_and_you() -> None:
    query = read_query("What did I tell Ana?", actors=ACTORS)
    assert (query.actors, query.named) == ({"ana"}, True)


def test_the_word_user_is_no_name() -> None:
    assert read_query("What did the User say?", actors=ACTORS).actors == set()


@pytest.mark.parametrize(
    "quoted", ['"the blue herons"', "“the blue herons”", "«the blue herons»", "「the blue herons」"]
)
def test_quoted_phrases_are_read_in_every_kind_of_marks(quoted: str) -> None:
    query = read_query(f"Who wrote {quoted} for us?")
    assert query.phrases == (("blue", "heron"),)
    assert query.terms == ("wrote", "blue", "heron")


def test_quotes_without_terms_are_no_phrases() -> None:
    assert read_query('what is "the of" and "x"?').phrases == ()
    assert read_query('an "unclosed quote').phrases == ()


def test_terms_of_a_question_are_distinct_and_in_order() -> None:
    assert read_query("tea or coffee, coffee or tea?").terms == ("tea", "coffe")


@given(st.text(), st.lists(st.sampled_from(ACTORS)))
def test_any_text_can_be_asked(asked: str, actors: list[str]) -> None:
    query = read_query(asked, actors=actors)
    assert query.text == asked
    assert len(set(query.terms)) == len(query.terms)
    assert query.actors <= set(actors)


# ------------------------------------------------------------------------------------------ shares and when


@pytest.mark.parametrize(
    ("said", "share"),
    [
        ("How are you?", 1.0),
        ("How are you? It is fine.", 0.5),
        ("Do I know that?", 0.0),
        ("I am fine.", 0.0),
        ("Tea is fine. [a photo of what?]", 0.0),
        ("元気ですか？", 1.0),
        ("", 0.0),
        ("?", 0.0),
    ],
)
def test_the_idle_share_is_what_only_asks(said: str, share: float) -> None:
    assert question_share(said) == pytest.approx(share, abs=0.1)


@given(st.text(alphabet="ab I?.！[]\n"))
def test_the_idle_share_is_a_share(said: str) -> None:
    assert 0 <= question_share(said) <= 1


@pytest.mark.parametrize(
    ("asked", "when"),
    [
        ("When did Ana move?", True),
        ("since WHEN", True),
        ("What time is it?", True),
        ("Which year did she leave?", True),
        ("How long ago was that?", True),
        ("How recently did she call?", True),
        ("Whenever you like", False),
        ("What did she do that day?", False),
        ("How long is the river?", False),
    ],
)
def test_asks_when(asked: str, when: bool) -> None:
    assert asks_when(asked) is when


def test_the_phrase_share_counts_phrases_whose_terms_follow_one_another() -> None:
    terms = "a blue heron by the old mill".split()
    assert phrase_share(terms, [("blue", "heron")]) == 1
    assert phrase_share(terms, [("blue", "heron"), ("blue", "mill")]) == 0.5
    assert phrase_share(terms, [("heron", "blue")]) == 0
    assert phrase_share(terms, [("lue", "her")]) == 0
    assert phrase_share(terms, []) == 0


@pytest.mark.parametrize(
    ("asked", "alone"),
    [
        ("What happened in 2024?", True),
        ("tell me everything about last week", True),
        ("Was ist im März 2024 passiert?", True),
        ("Vad hände i mars 2024?", True),
        ("2024年に何がありましたか？", True),
        ("Where did I work in 2024?", False),
        ("What happened to the boat in 2024?", False),
        ("Was kostete das Boot im März 2024?", False),
        ("2024年の給料は？", False),
        ("What happened?", False),
    ],
)
def test_a_question_may_name_a_time_and_no_topic(asked: str, alone: bool) -> None:
    assert read_query(asked, times=spans(asked, date(2026, 7, 1))).only_time is alone
