"""What each command does, through typer's runner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.calling import Call


def ids(cli: Call) -> list[str]:
    return [record["id"] for record in cli("list", "--json").lines]


def test_remember_prints_the_id_in_a_pipe_and_show_finds_it(cli: Call) -> None:
    done = cli("remember", "Ana likes green tea", "--user", "ana", "-t", "tea", "-t", "likes")
    assert done.code == 0
    record = cli("show", done.out.strip(), "--json").json
    assert record["content"] == "Ana likes green tea"
    assert record["user_id"] == "ana"
    assert record["tags"] == ["tea", "likes"]


def test_remember_takes_every_field(cli: Call) -> None:
    options = "--category food --importance 0.9 --kind fact --tier long --source diary --ttl 2w --id tea-1"
    done = cli(
        "remember", "Tea at five", *options.split(), "--metadata", '{"hour": 17}',
        "--created-at", "2024-05-01T12:00:00Z", "--json",
    )  # fmt: skip
    record = done.json
    assert (record["id"], record["category"], record["importance"]) == ("tea-1", "food", 0.9)
    assert (record["kind"], record["tier"], record["source"]) == ("fact", "long", "diary")
    assert record["metadata"] == {"hour": 17}
    assert record["created_at"].startswith("2024-05-01T12:00:00")
    assert record["expires_at"] > record["created_at"]


def test_the_same_again_updates_what_is_stored_only_when_asked(cli: Call) -> None:
    cli("remember", "tea", "--importance", "0.2")
    assert cli("remember", "tea", "--importance", "0.9", "--json").json["importance"] == 0.2
    record = cli("remember", "tea", "--importance", "0.9", "--update", "--json").json
    assert (record["importance"], record["version"], record["reinforced"]) == (0.9, 2, 2)


def test_a_dash_reads_stdin_in_any_script(cli: Call) -> None:
    text = "Ана любит чай ☕\nи 猫 🐈"
    id = cli("remember", "-", stdin=text + "\n").out.strip()
    assert cli("show", id, "--json").json["content"] == text
    assert cli("recall", "-", "--json", stdin="чай").lines[0]["id"] == id


def test_stdin_that_is_no_utf8_is_refused_with_advice(cli: Call) -> None:
    done = cli("remember", "-", stdin=b"caf\xe9")
    assert done.code == 2
    assert "UTF-8" in done.err


def test_recall_ranks_and_explains(cli: Call) -> None:
    cli("remember", "The dog is called Biscuit", "--user", "ana")
    cli("remember", "Porto has bridges", "--user", "ana")
    best = cli("recall", "what is the dog called", "--user", "ana", "--explain", "--json").lines[0]
    assert best["rank"] == 1
    assert best["content"] == "The dog is called Biscuit"
    assert 0 < best["score"] <= 1
    assert {"name", "value", "weight", "points"} == set(best["why"]["components"][0])
    plain = cli("recall", "dog", "--explain").out.splitlines()
    assert plain[0].split("\t")[0] == "1"
    assert plain[1].startswith("\tlexical\t")


def test_recall_of_nothing_is_no_error(cli: Call) -> None:
    done = cli("recall", "dog", "--json")
    assert (done.code, done.out) == (0, "")


def test_recall_filters_and_limits(cli: Call) -> None:
    for number in range(4):
        cli("remember", f"walk number {number}", "--metadata", json.dumps({"n": number}))
    found = cli("recall", "walk", "--where", '{"n": {"$gte": 2}}', "--json").lines
    assert {hit["metadata"]["n"] for hit in found} == {2, 3}
    assert len(cli("recall", "walk", "-n", "1", "--json").lines) == 1


@pytest.mark.parametrize("tenant", [(), ("--tenant", "acme")])
def test_forget_by_filter_needs_an_owner_or_all(cli: Call, tenant: tuple[str, ...]) -> None:
    for user in ("ana", "bo"):
        cli("remember", f"{user} likes tea", "--user", user, "--category", "food", *tenant)
    where = ("--where", '{"category": "food"}', "--yes", *tenant)
    refused = cli("forget", *where)
    assert refused.code == 2
    assert "every user" in refused.err
    assert "--all" in refused.err
    question = cli("forget", *where[:2], *tenant, "--all").err
    assert f"2 memories of every user of the tenant {(tenant or ('', 'default'))[1]!r}" in question
    assert len(cli("list", "--json", *tenant).lines) == 2
    assert len(cli("forget", *where, "--user", "bo", "--json").json["forgotten"]) == 1
    assert len(cli("forget", *where, "--all", "--json").json["forgotten"]) == 1


def test_list_pages_by_cursor_and_walks_all(cli: Call) -> None:
    for number in range(5):
        cli("remember", f"note {number}")
    assert len(cli("list", "-n", "2", "--json").lines) == 2
    walked = cli("list", "--all", "--ascending", "--json").lines
    assert [record["content"] for record in walked] == [f"note {number}" for number in range(5)]
    assert cli("list").out.splitlines()[0].split("\t")[3] == "note 4"


def test_a_line_of_a_listing_never_breaks(cli: Call) -> None:
    cli("remember", "one\ntwo\tthree\x1b[31m")
    assert cli("list").out.count("\n") == 1
    assert "\x1b" not in cli("list").out


def test_an_owner_option_hides_the_others(cli: Call) -> None:
    cli("remember", "mine", "--user", "ana")
    cli("remember", "yours", "--user", "bo")
    assert [r["content"] for r in cli("--user", "ana", "list", "--json").lines] == ["mine"]
    assert [r["content"] for r in cli("--user", "ana", "list", "--user", "bo", "--json").lines] == ["yours"]


def test_json_names_no_memory_of_another_owner(cli: Call) -> None:
    mine = cli("--user", "ana", "remember", "apple pie", "--json").json["id"]
    secret = cli("--user", "bo", "remember", "apple juice", "--json").json["id"]
    cli("relate", mine, secret)
    assert [link["target"] for link in cli("show", mine, "--json").json["links"]] == [secret]
    shown = [
        cli("--user", "ana", *command, "--json").out
        for command in (
            ("show", mine),
            ("list",),
            ("recall", "apple"),
            ("history", mine),
            ("remember", "apple pie"),
        )
    ]
    assert all(mine in text and secret not in text for text in shown)


def test_json_may_stand_before_the_command(cli: Call) -> None:
    assert cli("--json", "remember", "x").json["content"] == "x"


def test_the_end_of_an_id_is_enough(cli: Call) -> None:
    id = cli("remember", "short ids are kind").out.strip()
    assert cli("show", id[-8:], "--json").json["id"] == id
    assert cli("show", "ffffffffff").code == 3


def test_an_end_that_fits_several_is_refused(cli: Call) -> None:
    for first in "ab":
        cli("remember", f"note {first}", "--id", f"{first}-common-end")
    done = cli("show", "common-end")
    assert done.code == 2
    assert "several memories" in done.err


def test_update_keeps_the_version_before_and_restore_brings_it_back(cli: Call) -> None:
    id = cli("remember", "tea", "--category", "drinks").out.strip()
    assert cli("update", id, "coffee", "--clear", "category", "--json").json["version"] == 2
    versions = cli("history", id, "--json").lines
    assert [v["content"] for v in versions] == ["tea", "coffee"]
    assert [v["current"] for v in versions] == [False, True]
    restored = cli("restore", id, "1", "--json").json
    assert (restored["content"], restored["version"], restored["category"]) == ("tea", 3, "drinks")


def test_forget_of_one_does_not_ask(cli: Call) -> None:
    id = cli("remember", "x").out.strip()
    assert cli("forget", id, "--json").json == {"forgotten": [id]}
    assert cli("show", id).code == 3


def test_forget_of_several_wants_yes(cli: Call) -> None:
    for text in "abc":
        cli("remember", text, "--user", "ana")
    refused = cli("forget", "--all", "--user", "ana")
    assert refused.code == 2
    assert "Forget 3 memories" in refused.err
    assert "--yes" in refused.err
    assert len(ids(cli)) == 3
    assert len(cli("forget", "--all", "--user", "ana", "--yes").out.splitlines()) == 3
    assert ids(cli) == []


def test_forget_by_filter_leaves_the_rest(cli: Call) -> None:
    cli("remember", "a", "--category", "old")
    cli("remember", "b", "--category", "new")
    assert cli("forget", "--all", "--where", '{"category": "old"}').code == 0
    assert [r["content"] for r in cli("list", "--json").lines] == ["b"]


def test_forget_without_saying_what_is_refused(cli: Call) -> None:
    cli("remember", "a", "--user", "ana")
    assert cli("forget", "--user", "ana", "--yes").code == 2
    assert len(ids(cli)) == 1


def test_forget_tells_which_of_several_are_missing(cli: Call) -> None:
    cli("remember", "a", "--id", "one")
    done = cli("forget", "one", "two", "--yes")
    assert (done.code, done.out) == (3, "one\n")
    assert "two" in done.err


def test_relate_related_and_unrelate(cli: Call) -> None:
    cli("remember", "Lives in Leipzig", "--id", "old")
    cli("remember", "Lives in Porto", "--id", "new")
    link = cli("relate", "new", "old", "--kind", "supersedes", "--strength", "0.8", "--json").json
    assert link.pop("created_at")
    assert link == {"source": "new", "target": "old", "kind": "supersedes", "strength": 0.8}
    (found,) = cli("related", "old", "--json").lines
    assert (found["id"], found["link"]["kind"], found["outgoing"]) == ("new", "supersedes", False)
    assert cli("recall", "lives in Leipzig", "--json").lines[0]["id"] == "new"
    assert cli("unrelate", "new", "old", "--json").json == {"removed": 1}
    assert cli("unrelate", "new", "old").code == 3


def test_export_and_import_carry_everything(cli: Call, tmp_path: Path) -> None:
    id = cli("remember", "tea", "--user", "ana").out.strip()
    cli("update", id, "coffee")
    file = tmp_path / "backup.jsonl"
    assert cli("export", str(file), "--json").json["exported"] == 1
    other = ("--url", f"sqlite:///{tmp_path / 'other.db'}")
    assert cli("import", str(file), *other, "--json").json["added"] == 1
    assert cli("import", str(file), *other, "--json").json["present"] == 1
    assert len(cli("history", id, *other, "--json").lines) == 2


def test_an_export_goes_through_a_pipe(cli: Call, tmp_path: Path) -> None:
    cli("remember", "tea ☕")
    text = cli("export", "-").out
    done = cli("import", "-", "--url", f"sqlite:///{tmp_path / 'other.db'}", "--json", stdin=text)
    assert done.json["added"] == 1


def test_stats_doctor_and_repair_speak_json(cli: Call) -> None:
    cli("remember", "tea", "--category", "drinks")
    stats = cli("stats", "--json").json
    assert (stats["records"], stats["by_category"]) == (1, {"drinks": 1})
    assert cli("doctor", "--json").json["ok"] is True
    assert cli("repair", "--json").json["ok"] is True
    assert "1 memories checked" in cli("doctor").out


def test_version_in_both_forms(cli: Call) -> None:
    assert cli("version").out.startswith("memwell 0")
    assert {"memwell", "python", "sqlite"} == set(cli("version", "--json").json)


def test_bench_knows_two_benchmarks(cli: Call) -> None:
    assert cli("bench", "height").code == 2


def test_every_command_has_help_that_names_the_shared_options(cli: Call) -> None:
    for command in ("remember", "recall", "list", "forget", "import", "doctor"):
        text = cli(command, "--help").out
        assert "--user" in text
        assert "--json" in text


@pytest.mark.parametrize("text", ["90", "30m", "12h", "7d", "2w", "1.5h"])
def test_a_time_to_live_may_have_a_unit(cli: Call, text: str) -> None:
    assert cli("remember", f"for {text}", "--ttl", text).code == 0


def test_contents_cannot_steer_the_terminal_and_emoji_stay_whole() -> None:
    from memwell.cli.output import flat, printable

    assert printable("a\x1b[2Jb\u202ec\n👩\u200d🚀\u00a0é") == "a\ufffd[2Jb\ufffdc\n👩\u200d🚀\u00a0é"
    assert flat("a\x1b[2Jb\n\tc 👩\u200d🚀") == "a [2Jb c 👩\u200d🚀"
