"""Enrichment: what is read from texts, and how it is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell import ConfigError, Enrichment, Entity, Event, Memory, NewMemory, enrich

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "topic", "category"),
    [
        ("Remember that Ana is allergic to hazelnuts", "allergy", "health"),
        ("My flight to Tokyo leaves on March 5", "flight", "travel"),
        ("The quarterly numbers beat the numbers of last year", "numbers", None),
        ("user: I prefer green tea in the morning", "drink", "food"),
        ("Ich bin allergisch gegen Nüsse", "allergy", "health"),
        ("J'ai une réunion avec le médecin demain", "meeting", "work"),
        ("Vivo en Madrid con mi perro", "home", "home"),
        ("У меня аллергия на орехи", "allergy", "health"),
        ("我对花生过敏", "allergy", "health"),
        ("thanks!", None, None),
    ],
)
def test_topic_and_category(text: str, topic: str | None, category: str | None) -> None:
    found = enrich(text, at=AT)
    assert (found.topic, found.category) == (topic, category)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Ana moved to Porto in May", {"Ana": "name", "Porto": "place"}),
        ("Ana gave it to Bob Smith of Acme GmbH", {"Ana": "name", "Bob Smith of Acme GmbH": "organisation"}),
        ("We met near Central Park. Coffee was good.", {"Central Park": "place"}),
        ("Call Dr. Lopez at +351 912 345 678", {"Dr. Lopez": "name", "+351 912 345 678": "phone"}),
        ("Rent is $1,250, or 1.100,50 € a month", {"$1,250": "amount", "1.100,50 €": "amount"}),
        (
            "Mail ana@example.com, see https://ci.example.com/42. @bob knows",
            {"ana@example.com": "email", "https://ci.example.com/42": "url", "@bob": "handle"},
        ),
        ("v2.3.1 of api_gateway failed on db-prod-3 after 10km",
         {"v2.3.1": "identifier", "api_gateway": "identifier", "db-prod-3": "identifier"}),
        ("Der Hund schläft in Berlin im Haus", {"Berlin": "place"}),
        ("On Monday Remember The Milk On Friday", {}),
        ("田中さんは来週の会議に来ます", {"田中": "name"}),
        ("nothing here on 2024-05-01 at 10:30", {}),
    ],
)  # fmt: skip
def test_entities(text: str, named: dict[str, str]) -> None:
    assert {one.text: one.kind for one in enrich(text, at=AT).entities} == named


def test_dates_are_iso_days_and_intervals_as_seen_from_the_day_of_the_text() -> None:
    found = enrich("We met yesterday, and move in June 2027", at=AT)
    assert found.dates == ("2026-04-30", "2027-06-01/2027-06-30")


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("Ana is allergic to nuts", "Ana likes nuts"),
        ("Remember: the gate code is 4711", "The gate code is 4711"),
        ("Das ist wichtig für Anna", "Das ist etwas für Anna"),
        ("The invoice of $300 is due", "The invoice came"),
        ("I live in Porto", "He was in Porto"),
        ("The dog is called Biscuit", "What is the dog called?"),
        ("The boat is blue", "ok, thanks"),
    ],
)
def test_importance(more: str, less: str) -> None:
    first, second = enrich(more, at=AT), enrich(less, at=AT)
    assert first.importance is not None
    assert second.importance is not None
    assert first.importance > second.importance
    assert first.reasons != second.reasons


@given(st.text(max_size=300))
def test_any_text_is_read_alike_each_time(text: str) -> None:
    found = enrich(text, at=AT)
    assert found == enrich(text, at=AT)
    assert found.importance is not None
    assert 0 <= found.importance <= 1
    assert all(one.text.strip() and one.text in text for one in found.entities)


def test_new_memories_have_it_and_what_is_given_wins(opened: Callable[..., Memory]) -> None:
    memory = opened(enrich=True, policies={"write": [{"tier": "long_term", "importance": ">= 0.8"}]})
    text = "Remember that Ana is allergic to hazelnuts since May 2020"
    first = memory.remember(text, user_id="ana")
    assert (first.category, first.importance, first.tier) == ("health", 1.0, "long_term")
    assert first.metadata == {
        "topic": "allergy",
        "entities": ["Ana"],
        "dates": ["2020-05-01/2020-05-31"],
    }
    assert memory.remember(text, user_id="ana").reinforced == 1
    mine = NewMemory(content=text, category="mine", metadata={"topic": "nuts"}, importance=0.5)
    (second,) = memory.remember([mine], user_id="ana")
    assert (second.category, second.importance, second.tier) == ("mine", 0.5, None)
    assert second.metadata == {"topic": "nuts", "entities": ["Ana"], "dates": ["2020-05-01/2020-05-31"]}
    found = memory.list(where={"metadata.entities": {"$contains": "Ana"}}, user_id="ana")
    assert {one.id for one in found} == {first.id, second.id}
    assert [hit.id for hit in memory.recall("allergic", where={"metadata.topic": "allergy"})] == [first.id]


def test_an_enricher_of_ones_own(opened: Callable[..., Memory]) -> None:
    def first_word(text: str) -> dict[str, Any]:
        return {"topic": text.split()[0].lower(), "category": "general", "entities": [Entity(text="Ana")]}

    async def later(text: str) -> Enrichment:
        return Enrichment(topic=text[:3], importance=0.25)

    one = opened(enrich=first_word).remember("Tea is fine", user_id="ana")
    assert (one.category, one.importance, one.metadata) == (
        "general", 0.5, {"topic": "tea", "entities": ["Ana"]},
    )  # fmt: skip
    two = opened(enrich=later).remember(["Rye bread", "Oat milk"], user_id="ana")
    assert [(each.metadata["topic"], each.importance) for each in two] == [("Rye", 0.25), ("Oat", 0.25)]


@pytest.mark.parametrize(
    ("gives", "reason"),
    [
        ({"mood": "good"}, "no 'mood'"),
        ({"importance": 7}, "from 0 to 1"),
        ({"category": "x" * 300}, "300 characters"),
        ({"dates": ["soon"]}, "such as 2026-05-01"),
        ({"topic": "x" * 70_000}, "65,536"),
        ("tea", "an Enrichment or a mapping"),
        (ValueError("model is down"), "model is down"),
    ],
)
def test_one_that_fails_loses_no_memory(gives: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    def enricher(text: str) -> Any:
        if text == "tea" and isinstance(gives, Exception):
            raise gives
        return gives if text == "tea" else {"topic": "other"}

    heard: list[Event] = []
    with Memory("memory://", embedder=None, enrich=enricher) as memory:
        memory.on("unenriched", heard.append, inline=True)
        tea, rye = memory.remember(["tea", "rye"])
        assert (tea.metadata, rye.metadata) == ({}, {"topic": "other"})
        assert memory.get(tea.id).importance == 0.5
    assert [event.ids for event in heard] == [(tea.id,)]
    assert reason in heard[0].data["error"]
    assert reason in caplog.text


def test_what_is_no_enricher_is_refused() -> None:
    with pytest.raises(ConfigError, match="enrich is True, or a function"):
        Memory("memory://", enrich="yes")  # type: ignore[arg-type]
