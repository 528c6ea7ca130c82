"""What the lexemes of a record are, whatever its words."""

from __future__ import annotations

import json

from memwell.backends.postgres.store.tsvector import columns, queries
from memwell.types import Scope

ANN, BOB, NOBODY = Scope(user_id="ann"), Scope(user_id="bob"), Scope()


def lexemes_of(words: bytes) -> list[str]:
    """The lexemes of a `tsvector` in its binary form."""
    found = [each.decode() for each in words[4:].split(b"\0\0\0")[:-1]]
    assert int.from_bytes(words[:4], "big") == len(found)
    return found


def quoted(lexemes: list[str]) -> list[str]:
    return [f"'{lexeme}'" for lexeme in lexemes]


def test_terms_are_counted_and_the_repeated_ones_listed() -> None:
    length, repeats, words = columns(ANN, "hike bee hike")
    assert length == 3
    assert json.loads(repeats or "") == {"hike": 2}
    assert quoted(lexemes_of(words)) == queries(ANN, ["hike", "bee"])
    assert columns(ANN, "hike bee")[1] is None


def test_a_record_without_terms_has_no_words() -> None:
    assert columns(ANN, "") == (0, None, bytes(4))


def test_each_owner_has_lexemes_of_his_own_and_his_tenant_finds_them_by_their_beginning() -> None:
    other = Scope(tenant_id="other", user_id="ann")
    found = [lexemes_of(columns(owner, "bee")[2])[0] for owner in (ANN, BOB, NOBODY, other)]
    assert len(set(found)) == 4
    beginning = queries(NOBODY, ["bee"])[0].strip("'").removesuffix("':*")
    assert [lexeme.startswith(beginning) for lexeme in found] == [True, True, True, False]
    assert not lexemes_of(columns(ANN, "beehive")[2])[0].startswith(beginning)


def test_quotation_marks_and_backslashes_are_asked_for_as_they_are_kept() -> None:
    kept = lexemes_of(columns(ANN, "o'x \\ plain")[2])
    assert [lexeme[4:].split("/")[0] for lexeme in kept] == ["o'x", "\\", "plain"]
    escaped = [lexeme.replace("\\", "\\\\").replace("'", "''") for lexeme in kept]
    assert quoted(escaped) == queries(ANN, ["o'x", "\\", "plain"])


def test_an_endless_term_is_found_by_its_hash() -> None:
    words = columns(ANN, "x" * 5000)[2]
    assert len(words) < 100
    assert queries(ANN, ["x" * 5000]) == quoted(lexemes_of(words))
    assert queries(ANN, ["x" * 5001]) != quoted(lexemes_of(words))


def test_no_text_has_more_lexemes_than_a_tsvector_holds() -> None:
    length, _, words = columns(ANN, " ".join(f"wörd{number}" for number in range(150_000)))
    assert length == 150_000
    assert 900_000 < sum(len(lexeme.encode()) for lexeme in lexemes_of(words)) < 1_048_575
