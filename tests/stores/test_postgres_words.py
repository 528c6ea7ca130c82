"""What the lexemes of a record are, whatever its words."""

from __future__ import annotations

import json

from memwell.stores.postgres.words import asked, columns
from memwell.types import Scope

ANN, BOB, NOBODY = Scope(user_id="ann"), Scope(user_id="bob"), Scope()


def test_terms_are_counted_and_the_repeated_ones_told() -> None:
    length, repeats, words = columns(ANN, "hike bee hike")
    assert length == 3
    assert json.loads(repeats or "") == {"hike": 2}
    assert words.split() == asked(ANN, ["hike", "bee"])
    assert columns(ANN, "hike bee")[1] is None


def test_a_record_without_terms_has_no_words() -> None:
    assert columns(ANN, "") == (0, None, "")


def test_each_owner_has_lexemes_of_his_own_and_his_tenant_finds_them_by_their_beginning() -> None:
    other = Scope(tenant_id="other", user_id="ann")
    lexemes = [columns(owner, "bee")[2] for owner in (ANN, BOB, NOBODY, other)]
    assert len(set(lexemes)) == 4
    beginning = asked(NOBODY, ["bee"])[0].removesuffix("':*")
    assert [lexeme.startswith(beginning) for lexeme in lexemes] == [True, True, True, False]
    assert not columns(ANN, "beehive")[2].startswith(beginning)


def test_quotation_marks_and_backslashes_are_escaped() -> None:
    _, _, words = columns(ANN, "o'x \\ plain")
    assert words.split() == asked(ANN, ["o'x", "\\", "plain"])
    assert "o''x" in words
    assert "\\\\" in words


def test_an_endless_term_is_found_by_its_hash() -> None:
    _, _, words = columns(ANN, "x" * 5000)
    assert len(words) < 100
    assert asked(ANN, ["x" * 5000]) == [words]
    assert asked(ANN, ["x" * 5001]) != [words]


def test_no_text_has_more_lexemes_than_a_tsvector_holds() -> None:
    length, _, words = columns(ANN, " ".join(f"wörd{number}" for number in range(150_000)))
    assert length == 150_000
    assert 900_000 < len(words.replace("' '", "").encode()) < 1_048_575
