"""Memoric's interface: scopes, scores, tiers, contexts, clusters, encryption and its configuration."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.embedders.services import KEY, openai_chat, serving

from memwell import Memory
from memwell.compat.memoric import (
    ContextAssembler,
    Memoric,
    PolicyConfig,
    ScoringEngine,
    TextSummarizer,
    TextTrimmer,
    TierConfig,
)
from memwell.compat.memoric import Memory as OneUser
from memwell.compat.memoric.providers.embeddings import MemwellEmbedding
from memwell.compat.memoric.scoring import (
    create_entity_match_rule,
    create_stale_penalty_rule,
    create_topic_boost_rule,
)
from memwell.errors import ConfigError, InvalidInput

PLAIN: dict[str, Any] = {"integrations": {"embedder": None}}


def contents(memoric: Memoric, **asked: Any) -> list[str]:
    return sorted(row["content"] for row in memoric.retrieve(top_k=100, **asked))


def test_a_memory_comes_back_in_memorics_shape(memoric: Memoric) -> None:
    given = {"topic": "travel", "importance": "high", "tags": ["a"], "n": {"deep": [1, None]}}
    id = memoric.save(user_id="ana", message="Ana flies to Porto", thread_id="t", metadata=given, role="user")
    assert isinstance(id, int)
    (row,) = memoric.retrieve(user_id="ana")
    moments = row.pop("created_at"), row.pop("updated_at")
    assert abs(datetime.now(UTC) - moments[0]) < timedelta(minutes=1)
    assert row == {
        "id": id,
        "user_id": "ana",
        "namespace": None,
        "thread_id": "t",
        "content": "Ana flies to Porto",
        "tier": "short_term",
        "metadata": {**given, "role": "user", "category": "general", "entities": []},
        "related_threads": [],
        "summarized": False,
        "score": 88,
        "_score": 90,
    }
    record = memoric.memory.get(str(id))
    assert (record.category, record.importance, record.tags, record.session_id) == (
        "general",
        0.8,
        ("a",),
        "t",
    )
    memoric.save(user_id="ana", content="Ana flies to Porto", thread_id="t")
    assert contents(memoric, user_id="ana") == ["Ana flies to Porto"] * 2
    with pytest.raises(ValueError, match="save needs content"):
        memoric.save(user_id="ana")


def test_memories_of_others_show_what_they_have(memoric: Memoric) -> None:
    record = memoric.memory.remember("written plainly", user_id="ana", importance=0.95, source="web", id="x1")
    (row,) = memoric.retrieve(user_id="ana")
    assert (row["id"], row["metadata"], row["created_at"]) == (
        "x1",
        {"importance": "critical", "source": "web"},
        record.created_at,
    )


def test_scopes_and_namespaces_say_whose_memories_are_found(
    memoric: Memoric, caplog: pytest.LogCaptureFixture
) -> None:
    for user, thread, content, topic in (
        ("ana", "1", "tea one", "tea"),
        ("ana", "1", "milk one", "milk"),
        ("ana", "2", "tea two", "tea"),
        ("ana", "3", "milk three", "milk"),
        ("bo", "1", "tea of bo", "tea"),
    ):
        memoric.save(user_id=user, thread_id=thread, content=content, metadata={"topic": topic})
    hers = ["milk one", "milk three", "tea one", "tea two"]
    for query in (None, "tea or milk"):
        assert contents(memoric, user_id="ana", thread_id="1", query=query) == ["milk one", "tea one"]
        assert contents(memoric, user_id="ana", thread_id="1", scope="user", query=query) == hers
        tea = {"metadata_filter": {"topic": "tea"}, "query": query}
        assert contents(memoric, user_id="ana", scope="topic", **tea) == ["milk one", "tea one", "tea two"]
        assert contents(memoric, user_id="ana", scope="topic", thread_id="3", query=query) == [
            "milk one",
            "milk three",
            "tea one",
        ]
        assert contents(memoric, scope="global", query=query) == sorted([*hers, "tea of bo"])
    memoric.retrieve(user_id="ana", scope="global")
    assert "memories of all users" in caplog.text
    for wrong, words in (
        ({}, "needs a user_id"),
        ({"user_id": "ana", "scope": "planet"}, "scope is one of"),
        ({"user_id": "ana", "scope": "topic"}, "needs metadata_filter"),
        ({"user_id": "ana", "top_k": 0}, "top_k is a whole number"),
    ):
        with pytest.raises(InvalidInput, match=words):
            memoric.retrieve(**wrong)
    memoric.save(user_id="ana", content="in a space", namespace="space")
    assert len(memoric.retrieve(user_id="ana", namespace="other")) == 5
    memoric.config["privacy"]["allow_shared_namespace"] = True
    assert contents(memoric, user_id="ana", namespace="space") == ["in a space"]


def test_filters_are_contained_in_the_metadata(memoric: Memoric) -> None:
    memoric.save(
        user_id="a", content="one", metadata={"m": {"x": 1, "y": 2}, "l": ["p", "q"], "importance": "high"}
    )
    memoric.save(user_id="a", content="two", metadata={"m": {"x": 1}, "l": ["p"], "category": "c"})
    memoric.save(user_id="a", content="three", session_id="s", metadata={"importance": 0.75})
    for wanted, found in (
        ({"m": {"x": 1}}, ["one", "two"]),
        ({"m": {"y": 2}, "l": ["q", "p"]}, ["one"]),
        ({"category": "c"}, ["two"]),
        ({"importance": "high"}, ["one", "three"]),
        ({"kind": "thread_summary"}, []),
        ({"l": ["p", "z"]}, []),
    ):
        assert contents(memoric, user_id="a", metadata_filter=wanted) == sorted(found), wanted
        asked = contents(memoric, user_id="a", metadata_filter=wanted, query="one two three")
        assert asked == sorted(found), wanted
    assert contents(memoric, user_id="a", session_id="s") == ["three"]


def test_scores_follow_importance_age_repetition_and_rules() -> None:
    engine, now = ScoringEngine(), datetime.now(UTC)

    def score(days: float, **metadata: Any) -> int:
        moment = (now - timedelta(days=days)).replace(tzinfo=None).isoformat()
        return engine.compute({"updated_at": moment, "metadata": metadata}, now=now)

    assert [score(0, importance=word) for word in ("low", "medium", "high", "critical")] == [65, 75, 90, 100]
    assert [score(days) for days in (30, 60, 600)] == [60, 45, 45]
    assert [score(0, seen_count=seen) for seen in (10, 20, 40)] == [65, 55, 55]
    engine.add_rule(create_topic_boost_rule(["Tea"]))
    engine.add_rule(create_stale_penalty_rule())
    engine.add_rule(create_entity_match_rule(["ana", "bo"]))
    engine.add_rule(lambda memory: memory["nothing"])
    assert score(0, topic="tea", entities=["Ana", "Bo", "Cy"]) == 95
    assert score(0, importance=1, topic="tea") == 100
    assert score(600) == 30


def test_an_answer_is_ranked_by_how_well_it_answers(memoric: Memoric) -> None:
    for content in ("Ana drinks green tea", "Ana lives in Porto", "Bo drinks milk"):
        memoric.save(user_id="u", content=content, metadata={"importance": "high"})
    found = memoric.retrieve(user_id="u", query="where does Ana live?", max_results=2)
    assert found[0]["content"] == "Ana lives in Porto"
    assert [0 < row["_score"] <= 100 and type(row["_score"]) is int for row in found] == [True] * len(found)


def test_tiers_age_overflow_trim_and_threads_are_summarised(memoric: Memoric) -> None:
    old = datetime.now(UTC) - timedelta(days=2)
    kept = memoric.memory
    kept.remember("from two days ago", user_id="a", tier="short_term", created_at=old)
    for number in range(10):
        kept.remember(f"Day {number} was fine.", user_id="a", session_id="trip", tier="long_term")
    text = "Ana likes tea. " + "And more words. " * 60
    id = memoric.save(user_id="a", content=text)
    done = memoric.run_policies()
    counts = {name: done[name] for name in ("migrated", "summarized", "trimmed", "thread_summaries")}
    assert counts == {"migrated": 1, "summarized": 1, "trimmed": 1, "thread_summaries": 1}
    assert done["by_tier"] == memoric.inspect()["counts_by_tier"]
    assert (done["by_tier"]["mid_term"], done["clusters"] > 0) == (1, True)
    found = {row["content"]: row for row in memoric.retrieve(user_id="a", top_k=100)}
    assert "Ana likes tea." in found
    assert sorted(row["metadata"].get("kind", "") for row in found.values()) == [
        "",
        "summary",
        "thread_summary",
    ]
    memoric.config["recall"]["include_summarized"] = True
    shown = {row["id"]: row for row in memoric.retrieve(user_id="a", top_k=100)}
    assert (len(shown), shown[id]["summarized"], len(shown[id]["content"]) <= 800) == (14, True, True)
    assert text in [version.content for version in kept.history(str(id))]
    again = memoric.run_policies()
    assert [again[name] for name in counts] == [0, 0, 0, 0]


def test_the_first_rule_that_holds_and_full_tiers_choose_the_tier() -> None:
    write = [
        {"when": "score >= 0.8", "to": ["long_term"]},
        {"when": "score >= 60", "to": "mid_term"},
        {"when": "always", "to": ["short_term"]},
    ]
    tiers = [TierConfig(name="short_term", capacity=2), TierConfig(name="mid_term")]
    config = PolicyConfig(tiers=tiers).add_tier(TierConfig(name="long_term", max_chars=20)).to_config()
    with Memoric(overrides={**config, **PLAIN, "policies": {"write": write}}) as memoric:
        for importance in ("high", "medium", "low", "low", "low"):
            memoric.save(
                user_id="a", content=f"of {importance} importance", metadata={"importance": importance}
            )
        assert memoric.inspect()["counts_by_tier"] == {"short_term": 3, "mid_term": 1, "long_term": 1}
        assert memoric.run_policies()["migrated"] == 1
        assert memoric.inspect()["counts_by_tier"] == {"short_term": 2, "mid_term": 2, "long_term": 1}


def test_contexts_have_three_shapes_and_three_styles(memoric: Memoric) -> None:
    for thread, content, role in (
        ("1", "Where is it?", "user"),
        ("1", "In Porto.", "assistant"),
        ("2", "Old.", None),
    ):
        memoric.save(user_id="a", thread_id=thread, content=content, role=role, metadata={"topic": "trip"})
    asked = {"user_id": "a", "thread_id": "1"}
    context = memoric.retrieve_context(**asked, include_scores=True)
    assert context == {
        "thread_context": ["User: Where is it?", "Assistant: In Porto."],
        "related_history": ["Old."],
        "metadata": {
            "thread_id": "1",
            "user_id": "a",
            "topic": "trip",
            "category": "general",
            "importance": "low",
        },
        "scores": {"thread_avg": 65.0, "related_avg": 65.0},
    }
    chat = memoric.retrieve_context(**asked, format_type="chat")
    assert chat["messages"][-1] == {"role": "assistant", "content": "In Porto."}
    assert (chat["thread_id"], chat["count"]) == ("1", 3)
    simple = memoric.retrieve_context(**asked, format_type="simple")
    assert simple == {"memories": ["Old.", "User: Where is it?", "Assistant: In Porto."], "count": 3}
    say = ContextAssembler.format_for_llm
    assert say(context) == (
        "Related history:\nOld.\n\nCurrent conversation:\nUser: Where is it?\nAssistant: In Porto."
    )
    assert say(simple, "bullet").startswith("- Old.\n- User")
    assert say(chat, "compact") == "User: Old. | User: Where is it? | Assistant: In Porto."
    with pytest.raises(InvalidInput):
        memoric.retrieve_context(**asked, format_type="xml")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        say(context, "loud")  # type: ignore[arg-type]


def test_clusters_are_by_topic_and_category(memoric: Memoric) -> None:
    ids = [memoric.save(user_id="a", content=f"Tea {n}", metadata={"topic": "Tea"}) for n in range(3)]
    memoric.save(user_id="a", content="Milk")
    memoric.save(user_id="b", content="Tea of b")
    assert memoric.rebuild_clusters("a") == 2
    (tea,) = memoric.get_topic_clusters("a", topic="TEA")
    assert (tea["user_id"], tea["topic"], tea["category"], tea["memory_ids"]) == ("a", "tea", "general", ids)
    assert [one["topic"] for one in memoric.get_topic_clusters("a", category="general")] == ["tea", "milk"]


def test_documents_are_stored_and_found(memoric: Memoric) -> None:
    context = memoric.as_storage_context()
    id = context.store_document("Ana lives in Porto", user_id="a", metadata={"topic": "home"})
    (found,) = context.retrieve_documents("Porto", user_id="a")
    assert (found["id"], found["text"], found["metadata"]["topic"]) == (id, "Ana lives in Porto", "home")
    assert context.as_dict()["counts_by_tier"]["short_term"] == 1


def test_contents_are_encrypted_where_the_dsn_says(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = {"database": {"dsn": "sqlite:///here.db"}, "privacy": {"encrypt_content": True}, **PLAIN}
    with pytest.raises(ConfigError, match="set MEMORIC_ENCRYPTION_KEY"):
        Memoric(overrides=overrides).save(user_id="a", content="x")
    assert [*tmp_path.iterdir()] == []
    monkeypatch.setenv("MEMORIC_ENCRYPTION_KEY", "your-encryption-key")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///elsewhere.db")
    text = "the secret is mulberry. " * 50
    with Memoric(overrides=overrides) as memoric:
        memoric.save(user_id="a", content=text, metadata={"l": ["p", "q"], "topic": "t"})
        assert memoric.run_policies()["summarized"] == 1
        assert contents(memoric, user_id="a") == ["the secret is mulberry."]
        assert contents(memoric, user_id="a", query="mulberry") == ["the secret is mulberry."]
    assert b"mulberry" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".db"] == ["here.db"]
    monkeypatch.setenv("DATABASE_URL", postgres_url.replace("postgresql://", "postgresql+psycopg2://"))
    with Memoric(overrides=PLAIN) as plain:
        plain.save(user_id="a", content="in PostgreSQL")
    with Memory(postgres_url, embedder=None) as memory:
        assert memory.count(user_id="a") == 1


def test_a_configuration_is_merged_and_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memoric.yaml"
    file.write_text("recall: {default_top_k: 3, scope: user}\nscoring: {decay_days: 10}\n")
    memoric = Memoric(config_path=file, overrides={"recall": {"default_top_k": 5}})
    assert memoric.config["recall"] == {"default_top_k": 5, "scope": "user", "include_summarized": False}
    assert (memoric.config["scoring"]["decay_days"], len(memoric.config["storage"]["tiers"])) == (10, 3)
    for wrong, words in (
        ({"storrage": {}}, "no section 'storrage'; did you mean storage"),
        ({"recall": {"scope": "planet"}}, "recall.scope is one of"),
        ({"recall": []}, "recall is a mapping"),
        ({"scoring": {"importance_weight": 3}}, "add up to about 1"),
        ({"storage": {"tiers": [{"name": "a"}, {"name": "a"}]}}, "name of its own"),
        ({"storage": {"tiers": [{"name": "a", "capacity": -1}]}}, "capacity"),
        ({"policies": {"write": [{"when": "score = 2", "to": ["short_term"]}]}}, "`when` is always"),
        ({"policies": {"write": [{"when": "always", "to": ["attic"]}]}}, "attic"),
        ({"text_processing": {"summarizer": "magic"}}, "text_processing.summarizer"),
        ({"integrations": {"embedder": 5}}, "integrations.embedder is a name"),
    ):
        with pytest.raises(ConfigError, match=words):
            Memoric(overrides=wrong)
    keys = {"privacy": {"encryption_key": "hunter2-hunter2"}, "metadata": {"api_key": "hunter2"}, **PLAIN}
    with Memoric(overrides=keys) as keyed:
        assert "hunter2" not in str(keyed.inspect())
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        Memoric(config_path=tmp_path / "away.yaml")
    idle = {"storage": {"tiers": [{"name": "a", "backend": "memory"}]}, "recall": {"rerank": "none"}}
    Memoric(overrides=idle)
    assert "recall.rerank has no effect" in caplog.text
    assert "storage.tiers[a].backend has no effect" in caplog.text
    monkeypatch.setenv("MEMORIC_STRICT_CONFIG", "true")
    with pytest.raises(ConfigError, match="has no effect"):
        Memoric(overrides=idle)


def test_metadata_are_found_by_rules_or_by_openai(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(openai_chat) as service:
        metadata = {"base_url": f"{service.url}/v1", "enrichers": ["hash", "timestamp"]}
        with Memoric(overrides={**PLAIN, "metadata": metadata}) as memoric:
            memoric.save(user_id="a", content="Ana keeps bees")
            service.plan.extend(["401"])
            memoric.save(user_id="a", content="Dogs bark")
            first, second = sorted(memoric.retrieve(user_id="a"), key=lambda row: row["created_at"])
            config = memoric.inspect()["config"]
    assert (first["metadata"]["topic"], first["metadata"]["importance"]) == ("bees", "high")
    assert (second["metadata"]["topic"], second["metadata"]["importance"]) == ("dogs", "low")
    assert len(first["metadata"]["hash"]) == 64
    assert datetime.fromisoformat(first["metadata"]["timestamp"]).tzinfo is not None
    assert "metadata are found by rules" in caplog.text
    assert KEY not in json.dumps(config)


def test_texts_are_cut_and_summarised_within_their_length(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert TextTrimmer().trim("a" * 10, 10) == "a" * 10
    assert TextTrimmer().trim("a" * 11, 10) == "a" * 9 + "…"
    summary = TextSummarizer()
    assert summary.summarize(" short ", 10) == "short"
    assert summary.summarize("First one. Second one.", 15) == "First one."
    assert summary.summarize("a" * 30 + ". b", 10) == "a" * 9 + "…"
    assert len(summary(["One sentence. More."] * 40, 100)) <= 100


def test_a_language_model_summarises_if_it_is_chosen(caplog: pytest.LogCaptureFixture) -> None:
    with serving(openai_chat) as service:
        metadata = {"base_url": f"{service.url}/v1", "api_key": KEY}
        chosen = {**PLAIN, "metadata": metadata, "text_processing": {"summarizer": "llm"}}
        with Memoric(overrides=chosen) as memoric:
            memoric.save(user_id="a", content="Ana keeps bees. " * 50)
            assert memoric.run_policies()["summarized"] == 1
            assert contents(memoric, user_id="a") == ["1 notes, in short."]
            memoric.save(user_id="a", content="Bo keeps dogs. " * 50)
            service.plan.extend(["401"])
            assert memoric.run_policies()["summarized"] == 1
            assert contents(memoric, user_id="a") == ["1 notes, in short.", "Bo keeps dogs."]
    assert "a summary is made by rules" in caplog.text


@pytest.mark.parametrize("store", [None, "qdrant"])
def test_the_newer_class_has_the_memories_of_one_user(
    store: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    config = None if store is None else {"collection_name": "v", "url": ":memory:", "dimension": 256}
    embedding = MemwellEmbedding("hashing:?dimension=256") if store else None
    with OneUser(
        user_id="ana", vector_store=store, vector_store_config=config, embedding=embedding
    ) as memory:
        first = memory.add("Ana lives in Porto", thread_id="t", metadata={"topic": "home"}, importance="high")
        memory.add("Ana has a dog called Biscuit", thread_id="t", importance=0.35)
        memory.add("It rains in London")
        found = memory.search("where does Ana live?", limit=2)
        assert (found[0]["id"], found[0]["thread_id"], found[0]["metadata"]["topic"]) == (first, "t", "home")
        assert 0 < found[0]["relevance"] <= 1
        assert [row["content"] for row in memory.get_thread("t")] == [
            "Ana lives in Porto",
            "Ana has a dog called Biscuit",
        ]
        assert (
            memory.get_context("dog Biscuit", thread_id="t", max_memories=1)
            == "- Ana has a dog called Biscuit"
        )
        assert memory.get_context("dog", format="json")[0]["metadata"]["importance"] == "low"
        assert memory.search("Porto", min_relevance=1.0) == []
        with OneUser(user_id="bo") as other:
            assert other.search("Porto") == []
            assert [other.delete(first), other.clear()] == [False, 0]
        stats = memory.stats()
        assert (stats["user_id"], stats["total_memories"], stats["threads"]) == ("ana", 3, 1)
        assert [memory.delete(first), memory.delete(first), memory.clear("t"), memory.clear()] == [
            True,
            False,
            1,
            1,
        ]
    with pytest.raises(ConfigError, match="vector_store is pinecone, qdrant"):
        OneUser(vector_store="magic")
    with pytest.raises(ConfigError, match="vector_store_config of qdrant"):
        OneUser(vector_store="qdrant", vector_store_config={"colection": "v"})
    with OneUser(
        vector_store="qdrant",
        vector_store_config={"collection_name": "v", "url": "http://127.0.0.1:1"},
        embedding=MemwellEmbedding("hashing:?dimension=1536"),
    ) as lame:
        id = lame.add("Porto is lovely")
        assert [row["id"] for row in lame.search("Porto")] == [id]
    assert caplog.text.count("found by words alone") == 2
