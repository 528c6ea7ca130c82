"""`memwell enrich`, `clusters` and `summarise`."""

from __future__ import annotations

from tests.cli.calling import Call


def test_enrich_shows_what_is_found_and_remember_stores_it(cli: Call) -> None:
    found = cli("enrich", "Ana is allergic to nuts since 2020", "--json").json
    assert (found["topic"], found["category"]) == ("allergy", "health")
    assert "entities\tAna (name)" in cli("enrich", "-", stdin="Ana is allergic to nuts").out
    assert cli("remember", "Ana is allergic to nuts", "--enrich", "--category", "mine").code == 0
    (stored,) = cli("list", "--json").lines
    assert (stored["category"], stored["metadata"]["topic"]) == ("mine", "allergy")


def test_clusters_are_shown_and_summarised(cli: Call) -> None:
    for text in ("the dog runs far", "the dog runs fast", "a blue boat"):
        cli("remember", text, "--user", "ana", "--session", "s")
    assert cli("clusters", "--user", "ana").out == "2\tpet\tana\tthe dog runs far the dog runs fast\n"
    (found,) = cli("clusters", "--by", "vectors", "--rebuild", "--json").lines
    assert found["size"] == 2
    assert "by is one of" in cli("clusters", "--by", "colour").err
    done = cli("summarise", *found["memory_ids"], "--originals", "hide", "--json").json
    assert (done["kind"], done["metadata"]["sources"]) == ("summary", sorted(found["memory_ids"]))
    assert cli("summarise", "--user", "ana", "--originals", "forget", stdin="n\n").code != 0
    assert cli("summarise", "--user", "ana", "--originals", "forget", "--yes").code == 0
    assert [line["kind"] for line in cli("list", "--json").lines] == ["summary", "summary"]
