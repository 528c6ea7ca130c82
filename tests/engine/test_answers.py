"""What recall promises of its answers and of their scores, on small memories without a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from memwell import STRATEGIES, InvalidQuery, Memory, NotSupported
from memwell.backends.memory.store import MemoryStore
from memwell.ports.store.search import Search
from memwell.testing import run
from memwell.types import Scope

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory("memory://", embedder="hashing", clock=lambda: NOW) as opened:
        yield opened


def first(memory: Memory, question: str, **options: object) -> str:
    return memory.recall(question, **options)[0].content  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "semantic"])
def test_what_holds_the_identifier_is_first_in_every_mode(memory: Memory, mode: str) -> None:
    memory.remember("Release v1.1.2 fixed the login loop")
    memory.remember("Release v1.2.1 fixed the printer driver, and what did v1 fix")
    hit = memory.recall("what did v1.1.2 fix?", mode=mode)[0]  # type: ignore[arg-type]
    assert hit.content == "Release v1.1.2 fixed the login loop"
    assert "identifier" in [part.name for part in hit.why.components]


def test_the_newer_of_two_alike_comes_first_unless_the_past_is_asked(memory: Memory) -> None:
    memory.remember("Mira works at the Harbour Bank", created_at="2024-02-01")
    memory.remember("Mira works at the Harbour Cafe", created_at="2026-02-01")
    assert first(memory, "where does Mira work now?").endswith("Cafe")
    assert first(memory, "where does Mira work?").endswith("Cafe")
    assert first(memory, "where did Mira previously work?").endswith("Bank")
    assert first(memory, "where did Mira work before?").endswith("Bank")


def test_what_held_in_a_past_year_is_what_was_learnt_last_until_then(memory: Memory) -> None:
    for year, street in ((2019, "Alma Road"), (2020, "Rua da Bica"), (2025, "Norderstrasse")):
        memory.remember(f"Mira lives in {street}", created_at=f"{year}-03-01")
    assert first(memory, "where did Mira live in 2022?").endswith("Bica")


@pytest.mark.parametrize(
    ("question", "year"),
    [
        ("what happened in 2024?", 2024),
        ("notes from March 2023", 2023),
        ("Was geschah im März 2024?", 2024),
        ("Qu'est-ce que j'ai fait le 5 mars 2023 ?", 2023),
        ("¿Qué pasó en 2024?", 2024),
        ("2024年发生了什么？", 2024),
        ("что я делала 5 марта 2023?", 2023),
    ],
)
@pytest.mark.parametrize("embedder", [None, "hashing"])
def test_a_question_that_is_only_a_time_gives_what_is_of_it(
    question: str, year: int, embedder: str | None
) -> None:
    with Memory("memory://", embedder=embedder, clock=lambda: NOW) as memory:
        texts = {2022: "Rowed to the island", 2023: "Sold the green boat", 2024: "Ana planted a quince"}
        for of, text in texts.items():
            memory.remember(text, created_at=f"{of}-03-05")
        memory.remember("What happened in the notes I did what happened", created_at="2026-01-09")
        best, *others = memory.recall(question)
        assert best.content == texts[year]
        assert best.score > 0.7
        assert all(hit.score < 0.5 for hit in others)
        memory.remember(f"The roof must be done by the 5th of March {year}", created_at="2021-09-09")
        assert {hit.content for hit in memory.recall(question)[:2]} > {texts[year]}


def test_a_store_that_finds_by_no_time_is_not_asked_for_one() -> None:
    class Timeless(MemoryStore):
        capabilities = replace(MemoryStore().capabilities, times=False)

    with Memory(Timeless(), embedder=None, clock=lambda: NOW) as memory:
        memory.remember("Sold the green boat", created_at="2023-03-05")
        assert memory.recall("what happened in March 2023?") == []
        assert len(memory.recall("the boat of March 2023?")) == 1
        with pytest.raises(NotSupported, match="rank what is found"):
            run(Timeless(), Timeless().search(Search(scope=Scope(), now=NOW, days=("2023-03-05",))))


def test_another_form_of_a_word_and_a_member_of_a_kind_are_found_and_count_less() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("Grace taught chemistry in Leeds")
        memory.remember("Her brother Dean races pigeons")
        taught = memory.recall("where does Grace teach?", explain=True)[0]
        assert {"lexical", "related"} <= {part.name for part in taught.why.components}
        assert "taught" in taught.why.terms
        brother = memory.recall("siblings")[0]
        assert "lexical" not in [part.name for part in brother.why.components]
        assert brother.score < memory.recall("brother")[0].score
        assert not memory.recall("Will Sibling paint?"), "a name is no word of a kind"
        assert not memory.recall("brother of what?")[1:], "a member does not stand for its kind"


def test_what_is_not_so_is_answered_by_what_says_the_opposite() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("Squirrels ate the sunflowers")
        memory.remember("Allergic to cashews, the pen is in the grey bag")
        assert first(memory, "what can't I eat?").startswith("Allergic")
        assert first(memory, "what must I not eat?").startswith("Allergic")
        assert [hit.content for hit in memory.recall("what was eaten?")] == ["Squirrels ate the sunflowers"]


def test_an_abbreviation_names_one_thing_unless_it_is_a_common_word(memory: Memory) -> None:
    memory.remember("Tax: EIN 87-2940516; the books are with Frank on Magazine Street")
    memory.remember("Frank and the ein of the bakery's old owner")
    memory.remember("The TV is at the bakery")
    for hit in memory.recall("What is the bakery's EIN?"):
        parts = [part.name for part in hit.why.components]
        assert ("identifier" in parts) == ("ein" in hit.content.lower())
    for question in ("WHAT IS THE BAKERY NUMBER", "Which TV is at the bakery?"):
        assert "identifier" not in [part.name for part in memory.recall(question)[0].why.components]


def test_a_code_meets_another_spelling_of_it() -> None:
    for stored, asked in (("HC-154", "HC154"), ("HC154", "HC-154")):
        with Memory("memory://", embedder=None) as memory:
            memory.remember(f"The kitchen is {stored} now")
            memory.remember("What is the kitchen now? What is it?")
            assert stored in first(memory, f"what is {asked}?")


def test_a_misspelt_word_is_read_as_the_one_that_is_there_and_a_note_says_so(memory: Memory) -> None:
    memory.remember("Mira's library card has the number 2047188310", created_at="2024-02-01")
    memory.remember("Mira's card for the gym is green", created_at="2026-02-01")
    hit = memory.recall("Mira's libary card")[0]
    assert hit.content.startswith("Mira's library")
    assert "libari was read as librari" in hit.why.notes
    assert not any("read as" in note for note in memory.recall("Mira's library card")[0].why.notes)


def test_a_word_of_the_same_meaning_is_as_good_as_the_word(memory: Memory) -> None:
    memory.remember("Mira's doctor is Dr. Sequeira")
    memory.remember("Mira's telephone is in the hall")
    hit = memory.recall("Who is Mira's GP?")[0]
    assert "Sequeira" in hit.content
    assert hit.score > 0.5


def test_a_misspelt_stop_word_is_no_word() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("The passport is AK 604 118")
        right, wrong = (memory.recall(f"{what} is the passport")[0].score for what in ("what", "wat"))
        assert wrong == right


def test_being_read_changes_no_answer(memory: Memory) -> None:
    memory.remember("Mira works at the Harbour Bank", created_at="2024-02-01")
    memory.remember("Mira works at the Harbour Cafe", created_at="2026-02-01")
    asked = [first(memory, "where does Mira work?", strategy="recent") for _ in range(4)]
    assert asked == ["Mira works at the Harbour Cafe"] * 4


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_the_parts_add_up_to_the_score(memory: Memory, strategy: str) -> None:
    for number in range(5):
        memory.remember(f"Ana saw {number} herons at the lake", created_at=f"2026-0{number + 1}-01")
    for hit in memory.recall("herons at the lake", strategy=strategy):
        assert sum(part.points for part in hit.why.components) == pytest.approx(hit.score, abs=1e-6)


def test_a_label_lends_no_evidence_and_what_has_none_is_not_returned() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("Note: The wifi password is pinecone42")
        memory.remember("Note: Bob's birthday is in May")
        assert [hit.content for hit in memory.recall("wifi password")] == [
            "Note: The wifi password is pinecone42"
        ]


def test_a_neighbours_words_are_a_part_of_their_own_with_a_note() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember(
            "Ana: Where is the harbour festival?", session_id="talk", created_at="2026-05-01T10:00"
        )
        memory.remember("Bo: Down by the old pier", session_id="talk", created_at="2026-05-01T10:01")
        hits = {hit.content: hit for hit in memory.recall("harbour festival")}
        why = hits["Bo: Down by the old pier"].why
        assert "neighbours" in [part.name for part in why.components]
        assert "lexical" not in [part.name for part in why.components]
        assert any("neighbouring" in note for note in why.notes)


def test_the_turn_after_the_one_that_asks_answers_also_where_no_speaker_is_named(memory: Memory) -> None:
    turns = (
        "Thanks, that helps",
        "Which grit for the whetstone?",
        "1000 and 6000, soaked",
        "I bought new boots today",
    )
    for minute, text in enumerate(turns):
        memory.remember(text, session_id="talk", created_at=f"2026-05-01T10:0{minute}")
    assert first(memory, "which grit should the whetstone have?", mode="lexical") == "1000 and 6000, soaked"


def test_words_that_ask_for_the_present_are_no_words_of_the_question() -> None:
    with Memory("memory://", embedder=None) as memory:
        memory.remember("Ana gave Bo a present for the moment of parting")
        memory.remember("Ana's doctor is Dr. Bell")
        asked = ("Who is Ana's doctor at present?", "Who is Ana's doctor?", "who is Ana's GP at the moment?")
        assert {first(memory, question) for question in asked} == {"Ana's doctor is Dr. Bell"}
        assert memory.recall(asked[0])[0].score == memory.recall(asked[1])[0].score
        assert first(memory, "the present").startswith("Ana gave")


def test_a_memory_without_a_time_answers_no_question_for_one(memory: Memory) -> None:
    memory.remember("The ferry to Naxos leaves on 3 June 2025")
    memory.remember("The ferry to Paros leaves from the old pier")
    sure, unsure = memory.recall("when does the ferry leave?")
    assert sure.content.endswith("2025")
    assert unsure.score < sure.score - 0.05


def test_min_score_leaves_out_what_is_below(memory: Memory) -> None:
    memory.remember("Ana likes green tea")
    memory.remember("The green boat is sold")
    hits = memory.recall("does Ana like green tea?")
    least = hits[0].score
    assert [hit.id for hit in memory.recall("does Ana like green tea?", min_score=least)] == [hits[0].id]
    for wrong in (-0.1, 1.5, "0.5", True):
        with pytest.raises(InvalidQuery, match="min_score"):
            memory.recall("tea", min_score=wrong)  # type: ignore[arg-type]
