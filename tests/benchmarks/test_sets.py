"""The benchmark's own sets are whole: what is asked for exists, and each set has what its README promises."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.quality import identifiers
from benchmarks.quality.data import Conversation
from benchmarks.quality.sets import NOW, SETS, UNANSWERABLE

from memwell.retrieval.analysis.text import STOP_WORDS, analyze

EVERYDAY = {
    "direct", "paraphrase", "latest", "past", "aggregate", "names", "negation", "dates", "identifiers", "languages",
    "typos", UNANSWERABLE,
}  # fmt: skip
"""The categories of each invented person."""
ENGLISH = [(name, c) for name in ("everyday", "team", "chat") for c in SETS[name]()]


@pytest.mark.parametrize("name", list(SETS))
def test_every_gold_id_is_a_memory_and_nothing_is_there_twice(name: str) -> None:
    conversations = SETS[name]()
    assert len({c.id for c in conversations}) == len(conversations)
    for conversation in conversations:
        ids = [item.id for item in conversation.items]
        texts = [item.text.casefold() for item in conversation.items]
        asked = [question.text.casefold() for question in conversation.questions]
        assert not [found for found in (ids, texts, asked) if len(set(found)) < len(found)], conversation.id
        assert all(item.text.strip() == item.text and item.created_at < NOW for item in conversation.items)
        for question in conversation.questions:
            assert question.gold <= set(ids), question
            assert bool(question.gold) == (question.category != UNANSWERABLE), question


@pytest.mark.parametrize(("name", "conversation"), ENGLISH, ids=lambda value: getattr(value, "id", value))
def test_a_paraphrase_shares_no_word_with_its_answers(name: str, conversation: Conversation) -> None:
    text_of = {item.id: item.text for item in conversation.items}
    for question in conversation.questions:
        if question.category == "paraphrase":
            words = {*analyze(question.text)} - {term for word in STOP_WORDS for term in analyze(word)}
            shared = {id: words & set(analyze(text_of[id])) for id in question.gold}
            assert not any(shared.values()), (name, question.text, shared)


def test_each_person_has_many_memories_of_years_and_every_category() -> None:
    people = SETS["everyday"]()
    for person in people:
        days = [item.created_at for item in person.items]
        asked = Counter(question.category for question in person.questions)
        assert len(days) >= 150
        assert (max(days) - min(days)).days > 3 * 365
        assert asked.total() >= 60
        assert set(asked) == EVERYDAY
        assert min(asked.values()) >= 5
        assert asked[UNANSWERABLE] >= 8


@pytest.mark.parametrize(
    ("name", "memories", "questions", "category", "at_least"),
    [("team", 150, 70, "paraphrase", 14), ("chat", 300, 60, "beside", 15)],
)
def test_the_team_and_the_chats_are_as_large_as_promised(
    name: str, memories: int, questions: int, category: str, at_least: int
) -> None:
    conversations = SETS[name]()
    asked = Counter(question.category for c in conversations for question in c.questions)
    assert sum(len(c.items) for c in conversations) >= memories
    assert asked.total() >= questions
    assert asked[category] >= at_least
    assert asked[UNANSWERABLE] >= 8


def test_there_are_at_least_eight_languages_of_sixty_memories_and_forty_questions() -> None:
    languages = SETS["languages"]()
    assert len(languages) >= 8
    assert {(len(c.items) >= 60, len(c.questions) >= 40) for c in languages} == {(True, True)}
    for language in languages:
        asked = Counter(question.category for question in language.questions)
        assert {"direct", "paraphrase", "latest", "past", "identifiers", "typos", UNANSWERABLE} <= set(
            asked
        ), language.id


def test_the_turn_that_answers_follows_a_question_of_its_session() -> None:
    for chat in SETS["chat"]():
        at = {item.id: place for place, item in enumerate(chat.items)}
        for question in chat.questions:
            for id in question.gold if question.category == "beside" else ():
                before = [
                    turn
                    for turn in chat.items[max(0, at[id] - 3) : at[id]]
                    if turn.session == chat.items[at[id]].session
                ]
                assert any("?" in turn.text for turn in before), question


def test_identifier_probes_are_many_repeatable_and_differ_by_seed() -> None:
    probes = identifiers.conversations()
    assert probes == identifiers.conversations()
    assert probes != identifiers.conversations(seed=9)
    assert sum(len(kind.questions) for kind in probes) >= 200
    assert all(len(kind.questions) >= 8 for kind in probes)
