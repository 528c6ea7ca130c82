"""Terms of identifiers: the usual spellings of one meet, others that hold the same parts do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.retrieval.analysis.identifiers import identifiers
from memwell.retrieval.analysis.text import STOP_WORDS, analyze, read_query
from memwell.retrieval.analysis.words import word_terms


def meets(stored: str, question: str) -> bool:
    """Whether the memory holds every identifier of the question."""
    asked, terms = read_query(question).identifiers, set(analyze(stored))
    assert asked, f"no identifier in {question!r}"
    return all(terms.intersection(one.exact) for one in asked)


@pytest.mark.parametrize(
    ("stored", "question", "other"),
    [
        ("Release v1.1.2 fixed the login", "what did v1.1.2 fix?", "Release v1.2.1 fixed the printer"),
        ("Release v2.14.1 is out", "what is in 2.14.1?", "Release v2.1.14 is out"),
        ("Release 2.14.1 is out", "what is in v2.14.1?", "Release 2.1.41 is out"),
        ("/srv/b/a holds Y", "what does /srv/b/a hold?", "/srv/a/b holds X"),
        ("rule 8 opens ports 25,465,587", "which rule opens port 465?", "rule 9 opens ports 25,46,5587"),
        ("rule 8 opens 80,443,8080", "which rule opens 443?", "rule 9 opens 804,43"),
        ("Tom: +49 151 9876 5432", "whose number is +4915198765432?", "Bo: +49 151 9876 5423"),
        ("Tom: (020) 7946-0958", "who has 02079460958?", "Bo: (020) 7946-0985"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "what is 550e8400e29b41d4a716446655440000?",
         "id 550e8400-e29b-41d4-a716-446655440001"),
        ("id 550e8400e29b41d4a716446655440000", "what is 550e8400-e29b-41d4-a716-446655440000?",
         "id 550e8400e29b41d4a716446655440001"),
        ("paid 6.069,38 EUR", "who paid 6069.38 EUR?", "paid 6.096,38 EUR"),
        ("paid 6,069.38 EUR", "who paid 6.069,38 EUR?", "paid 6,069.83 EUR"),
        ("a screw of 12mm", "which is 12 mm?", "a screw of 21mm"),
        ("a screw of 12 mm", "which is 12mm?", "a screw of 12 cm"),
        ("made in the U.S.A.", "what is from the U.S.A.?", "made in the U.A.S."),
        ("the budget is 90k", "which budget is 90,000?", "the budget is 9k"),
        ("Plan A is the ferry", "what is plan A?", "Plan B is the train"),
        ("Plan A is the ferry", "what is plan a?", "A plan is the train"),
        ("vitamin D is low", "how is vitamin D?", "vitamin B is low"),
        ("Bo writes C++", "who writes C++?", "Cy writes C#"),
        ("Ana writes C", "who writes C?", "Bo writes C++"),
        ("parse_container_no is slow", "why is parseContainerNo slow?", "parse_no_container is slow"),
        ("parseContainerNo is slow", "why is parse_container_no slow?", "parseContainer is slow"),
        ("db-prod-3 has 10.0.0.3", "what is the IP of db-prod-3?", "db-prod-13 has 10.0.0.13"),
        ("metric http.server.duration", "what is http.server.duration?", "metric http.duration.server"),
        ("mail ana.b@example.com", "who is ana.b@example.com?", "mail b.ana@example.com"),
        ("it failed with ERR_CONN-42", "what was ERR_CONN-42?", "it failed with ERR_CONN-24"),
        ("flight BA 9613 is late", "is BA9613 late?", "flight BA 9631 is late"),
        ("--verify checks", "what does --verify do?", "--no-verify skips"),
        ("Olga likes The The", "who likes The The?", "Olga likes The Who"),
    ],
)  # fmt: skip
def test_a_memory_holds_the_identifier_that_is_asked(stored: str, question: str, other: str) -> None:
    assert meets(stored, question)
    assert not meets(other, question)


@pytest.mark.parametrize(
    ("stored", "question"),
    [
        ("release 2.19.0 is out", "what is in 2.19?"),
        ("commit 3f2a9c1d8e7b6a5f4d3c2b1a09f8e7d6c5b4a392", "what is 3f2a9c1?"),
        ("id 550e8400e29b41d4a716446655440000", "what is 550e8400?"),
        ("logs are in /srv/b/a/logs", "what is in /srv/b/a?"),
        ("call 0151 98765432", "who is +49 151 98765432?"),
    ],
)
def test_the_beginning_of_an_identifier_meets_it_loosely(stored: str, question: str) -> None:
    [asked] = read_query(question).identifiers
    terms = set(analyze(stored))
    assert terms.isdisjoint(asked.exact)
    assert terms.intersection(asked.loose)


@pytest.mark.parametrize(
    "question",
    [
        "what did I eat yesterday?",
        "is it well-known?",
        "his or her e-mail",
        "I said that I am here",
        "Mr. Lee's dog",
    ],
)
def test_plain_words_are_no_identifiers(question: str) -> None:
    assert read_query(question).identifiers == ()


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("wa\u00adter", "water"),
        ("wa\u200bter", "water"),
        ("wa\u200cter", "water"),
        ("مـــرحبا", "مرحبا"),
        ("10\u202fkm", "10 km"),
        ("ｖ１.２.３", "v1.2.3"),
    ],
)
def test_format_characters_and_compatibility_forms_fold_away(written: str, plain: str) -> None:
    assert analyze(written) == analyze(plain)


def test_a_single_chinese_character_is_found() -> None:
    assert set(read_query("茶").terms) <= set(analyze("我喜欢喝茶"))


CHUNKS = st.one_of(
    st.sampled_from(
        "The the The, And I'm Don'T A a, I i V x plan Part part, Ana tea, BA 9613 12 12, kg 1,234.5 +49 151 98765 "
        "v1.2.3 db-prod-3 well-being /srv/a --all -- C++ U.S.A. e.g. fooBar HTTPServer a@b.c #12 don't".split()
    ),
    st.text("aAiI19.,-_/@#+:'", min_size=1, max_size=6),
)


@given(st.lists(CHUNKS, max_size=8).map(" ".join))
def test_leaving_out_chunks_that_hold_no_identifier_changes_no_term(said: str) -> None:
    everywhere = identifiers(said, lambda word: word_terms(word)[0], STOP_WORDS)
    words = word_terms(said)
    more = [term for term in dict.fromkeys(everywhere) if term not in words]
    assert analyze(said) == [*words, *more]
