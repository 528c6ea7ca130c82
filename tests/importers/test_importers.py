"""Importers read what people have, say what they could not read, and never add anything twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from memwell import InvalidInput, Memory, NewMemory
from memwell.cli import app
from memwell.importers import FORMATS, Found, Skipped, detect, identified, read
from memwell.importers.items import BOUND
from memwell.importers.moments import moment
from memwell.importers.plain import pieces

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def taken(text: str, format: str, name: str = "", session: str | None = None) -> list[NewMemory]:
    """The memories of a text in which nothing is skipped."""
    items = [*read(text.splitlines(keepends=True), format=format, name=name, session=session)]
    assert not [item for item in items if isinstance(item, Skipped)]
    return [item.memory for item in items if isinstance(item, Found)]


def chat(value: Any, **options: Any) -> list[NewMemory]:
    return taken(json.dumps(value), "chat", **options)


# ------------------------------------------------------------------------------------------------- which format


@pytest.mark.parametrize(
    ("head", "name", "format"),
    [
        ('{"memwell": "export", "form": 1}', "x.txt", "export"),
        ('[{"role": "user"', "", "chat"),
        ('{\n  "messages": [', "notes.txt", "chat"),
        ('{"role": "user", "content": "x"}\n{"role"', "", "chat"),
        ("[]", "", "chat"),
        ("# Title\n\ntext\n\n## More\n", "", "markdown"),
        ("---\ntitle: x\n---\ntext", "", "markdown"),
        ("just text", "notes.md", "markdown"),
        ("# a comment\n# another\n", "notes.txt", "text"),
        ("[1] A reference, not JSON", "", "text"),
        ("just text", "", "text"),
        ("", "", "text"),
    ],
)
def test_the_format_is_seen_in_the_content(head: str, name: str, format: str) -> None:
    assert detect(head, name) == format
    assert format in FORMATS


def test_another_format_is_refused() -> None:
    with pytest.raises(InvalidInput, match="markdown"):
        read([], format="pdf")


# --------------------------------------------------------------------------------------------------------- text


def test_a_paragraph_is_a_memory() -> None:
    found = taken("One\nstill one\n\n\n  \nTwo\n", "text", "notes.txt")
    assert [m.content for m in found] == ["One\nstill one", "Two"]
    assert {m.source for m in found} == {"notes.txt"}


def test_a_place_is_the_number_of_the_first_line() -> None:
    assert [item.place for item in read("\n\nA\nB\n\nC".splitlines(True), format="text")] == [
        "line 3",
        "line 6",
    ]


def test_a_long_paragraph_is_divided_at_sentences_and_nothing_is_lost() -> None:
    text = " ".join(f"This is sentence number {n}." for n in range(500))
    found = [m.content for m in taken(text, "text")]
    assert max(map(len, found)) <= BOUND
    assert all(piece.endswith(".") for piece in found)
    assert " ".join(found) == text


@given(st.text(alphabet="ab .\n!é猫", max_size=400), st.integers(4, 50))
def test_pieces_lose_nothing_but_space(text: str, bound: int) -> None:
    found = [*pieces(text, bound)]
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(0 < len(piece) <= bound for piece in found)


# ----------------------------------------------------------------------------------------------------- Markdown

GUIDE = """---
title: "The guide"
tags: [a, b]
date: 2024-05-01
level: easy
---
Before any heading.

# Guide
## Install

Run this:

```sh
# not a heading

make
```

Done.

## Use ##

Under
=====
Text below an underlined heading.
"""


def test_sections_stand_under_their_heading_path() -> None:
    found = taken(GUIDE, "markdown", "guide.md")
    assert [m.metadata["heading"] if m.metadata and "heading" in m.metadata else None for m in found] == [
        None,
        "Guide > Install",
        "Guide > Use",
        "Under",
    ]
    assert found[1].content.startswith("Guide > Install\n\nRun this:")
    assert found[3].content == "Under\n\nText below an underlined heading."


def test_a_code_block_stays_whole() -> None:
    (_, install, *_) = taken(GUIDE, "markdown")
    assert "```sh\n# not a heading\n\nmake\n```" in install.content
    long = "# T\n\n" + "word " * 390 + "\n\n~~~\n" + "\n\n".join(f"line {n}" for n in range(400)) + "\n~~~\n"
    blocks = [m.content for m in taken(long, "markdown") if "~~~" in m.content]
    assert len(blocks) == 1
    assert blocks[0].count("~~~") == 2


def test_front_matter_gives_time_tags_and_metadata() -> None:
    for memory in taken(GUIDE, "markdown"):
        assert memory.created_at == datetime(2024, 5, 1, tzinfo=UTC)
        assert memory.tags == ["a", "b"]
        assert memory.metadata is not None
        assert (memory.metadata["title"], memory.metadata["level"]) == ("The guide", "easy")


def test_a_rule_at_the_start_is_no_front_matter() -> None:
    text = "\n".join(m.content for m in taken("---\n\nText without an end.\n", "markdown"))
    assert "---" in text
    assert "Text without an end." in text


@given(st.text(alphabet="ab1#=-~` \n>*", max_size=200))
def test_no_word_of_markdown_is_lost(text: str) -> None:
    found = " ".join(m.content for m in taken(text, "markdown"))
    for word in text.replace("\n", " ").split():
        core = word.strip("#=-~`>*")
        assert core in found


def test_a_long_section_is_divided_and_each_part_keeps_its_heading() -> None:
    text = "# Long\n\n" + "\n\n".join(f"Paragraph {n}. " + "word " * 60 for n in range(30))
    found = taken(text, "markdown")
    assert len(found) > 3
    for memory in found:
        assert memory.content.startswith("Long\n\nParagraph")
        assert len(memory.content) <= BOUND + 10


def test_a_long_list_is_divided_between_its_items_and_stays_tight() -> None:
    items = [f"{n}. item {n} says {'word ' * 20}".strip() for n in range(1, 60)]
    found = taken("# Long\n\n" + "\n".join(items), "markdown")
    assert len(found) > 2
    lines = [line for memory in found for line in memory.content.split("\n")[2:]]
    assert lines == items


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("- step\n\n  ```\n  # not a heading\n  ```\n", ["- step\n\n  ```\n  # not a heading\n  ```"]),
        ("text\n\n    # code, by its indent\n", ["text\n\n    # code, by its indent"]),
        ("> # quoted\n> text\n", ["> # quoted\n> text"]),
        ("[site]: https://example.com\n\ntext\n", ["[site]: https://example.com\n\ntext"]),
        ("two lines\nof a heading\n---\ntext\n", ["two lines of a heading\n\ntext"]),
    ],
)
def test_blocks_are_those_of_commonmark(text: str, contents: list[str]) -> None:
    assert [memory.content for memory in taken(text, "markdown")] == contents


def test_a_lone_carriage_return_does_not_shift_lines() -> None:
    found = [
        item for item in read(["a\rb\n", "# One\n", "text\n"], format="markdown") if isinstance(item, Found)
    ]
    assert [(item.place, item.memory.content) for item in found] == [
        ("line 1", "a\rb"),
        ("line 3", "One\n\ntext"),
    ]


def test_an_unclosed_fence_loses_nothing() -> None:
    assert "last line" in taken("# T\n\n```\ncode\n\nlast line", "markdown")[0].content


# -------------------------------------------------------------------------------------------------------- chats


def test_messages_with_text_and_with_parts() -> None:
    found = chat(
        [
            {"role": "user", "content": "Hello"},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "Hi."}, {"type": "image_url", "image_url": {}}],
            },
            {"role": "user", "name": "Ana", "content": [{"type": "input_text", "text": "Look"}]},
        ],
        name="talk.json",
        session="talk",
    )
    assert [m.content for m in found] == ["user: Hello", "assistant: Hi.\n[image]", "Ana: Look"]
    assert [m.metadata for m in found] == [
        {"role": "user"},
        {"role": "assistant"},
        {"role": "user", "speaker": "Ana"},
    ]
    assert {m.session_id for m in found} == {"talk"}


def test_a_conversation_names_its_session_and_turns_their_times() -> None:
    (turn,) = chat({"id": "s9", "messages": [{"role": "user", "content": "x", "timestamp": 1700000000}]})
    assert turn.session_id == "s9"
    assert turn.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_a_turn_may_name_its_own_session() -> None:
    (turn,) = chat([{"role": "user", "content": "x", "session_id": "mine"}], session="file")
    assert turn.session_id == "mine"


def test_jsonl_of_messages_conversations_and_notes() -> None:
    lines = [
        {"role": "user", "content": "one"},
        {"messages": [{"role": "user", "content": "two"}], "session": "b"},
        {"content": "three", "metadata": {"a": 1}, "tags": ["t"], "category": "c"},
    ]
    found = taken("\n".join(map(json.dumps, lines)) + "\n\n", "chat", session="f")
    assert [m.content for m in found] == ["user: one", "user: two", "three"]
    assert [m.session_id for m in found] == ["f", "b", "f"]
    assert (found[2].metadata, found[2].tags, found[2].category) == ({"a": 1}, ["t"], "c")


def test_the_export_of_chatgpt_follows_the_current_branch() -> None:
    def node(parent: str | None, role: str, text: str, at: float) -> dict[str, Any]:
        content = {"content_type": "text", "parts": [text]}
        return {
            "parent": parent,
            "children": [],
            "message": {"author": {"role": role}, "create_time": at, "content": content},
        }

    mapping = {
        "root": {"parent": None, "children": ["a"], "message": None},
        "a": node("root", "user", "Question", 1700000000.5),
        "b": node("a", "assistant", "First try", 1700000001),
        "c": node("a", "assistant", "Second try", 1700000002),
    }
    export = [{"title": "T", "conversation_id": "c1", "current_node": "c", "mapping": mapping}]
    found = chat(export)
    assert [m.content for m in found] == ["user: Question", "assistant: Second try"]
    assert {m.session_id for m in found} == {"c1"}
    assert found[0].created_at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)


def test_sessions_of_speakers_with_their_times() -> None:
    conversation = {
        "speaker_a": "Ana",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ana", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a red door"},
            {"speaker": "Bo", "dia_id": "D1:2", "text": "Nice"},
        ],
        "session_2": [{"speaker": "Bo", "dia_id": "D2:1", "text": "Later"}],
    }
    found = chat([{"sample_id": "talk-1", "conversation": conversation}])
    assert [m.content for m in found] == ["Ana: Look! [image: a red door]", "Bo: Nice", "Bo: Later"]
    assert [m.session_id for m in found] == ["talk-1/session_1", "talk-1/session_1", "talk-1/session_2"]
    assert found[0].created_at == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
    assert found[0].metadata == {"speaker": "Ana", "dia_id": "D1:1"}


def test_other_assistants_exports_are_read() -> None:
    claude = [
        {
            "uuid": "u1",
            "name": "T",
            "chat_messages": [{"sender": "human", "text": "Hi", "created_at": "2024-01-02T03:04:05Z"}],
        }
    ]
    sharegpt = {"id": "s1", "conversations": [{"from": "human", "value": "Hi"}]}
    assert [m.content for m in chat(claude)] == ["human: Hi"]
    assert chat(claude)[0].session_id == "u1"
    assert [m.content for m in chat(sharegpt)] == ["human: Hi"]


def test_turns_without_text_are_left_out_harmlessly() -> None:
    items = [*read([json.dumps([{"role": "assistant", "content": None, "tool_calls": []}])], format="chat")]
    assert [item.harmless for item in items if isinstance(item, Skipped)] == [True]


def test_a_bad_line_is_reported_with_its_number_and_the_others_are_taken() -> None:
    text = '{"content": "one"}\n{"content": "tw\n\n{"content": "three"}\n42\n{"colour": "red"}\n'
    items = [*read(text.splitlines(True), format="chat")]
    assert [item.memory.content for item in items if isinstance(item, Found)] == ["one", "three"]
    bad = [(item.place, item.harmless) for item in items if isinstance(item, Skipped)]
    assert bad == [("line 2", False), ("line 5", False), ("line 6", False)]


def test_a_bad_first_line_does_not_hide_the_rest() -> None:
    items = [*read(['{"content": \n', '{"content": "two"}\n'], format="chat")]
    assert [type(item) for item in items] == [Skipped, Found]


def test_a_broken_document_is_reported_with_its_line() -> None:
    (item,) = read(["[\n", '  {"role": "user",\n', "  oops\n"], format="chat")
    assert isinstance(item, Skipped)
    assert item.place == "line 3"


def test_a_time_that_cannot_be_read_is_kept_as_text() -> None:
    (turn,) = chat([{"role": "user", "content": "x", "timestamp": "after lunch"}])
    assert turn.created_at is None
    assert turn.metadata == {"role": "user", "time": "after lunch"}


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        (1700000000, "2023-11-14T22:13:20+00:00"),
        (1700000000000, "2023-11-14T22:13:20+00:00"),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
        ("2024-05-01", "2024-05-01T00:00:00+00:00"),
        ("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00+00:00"),
        ("1:56 pm on 8 May, 2023", "2023-05-08T13:56:00+00:00"),
        ("May 8, 2023", "2023-05-08T00:00:00+00:00"),
        ("March-15-2024", "2024-03-15T00:00:00+00:00"),
        ("Mon, 08 May 2023 13:56:00 +0200", "2023-05-08T11:56:00+00:00"),
        ("", None),
        ("soon", None),
        (None, None),
        (True, None),
        (-5, None),
        (1e40, None),
    ],
)
def test_times_in_many_forms(value: Any, iso: str | None) -> None:
    found = moment(value)
    assert (found.isoformat() if found else None) == iso


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["messages", "role", "content", "mapping", "session_1", "parts", "author", "timestamp", "name"]), x
), max_leaves=12))  # fmt: skip
def test_no_json_whatever_makes_the_reader_fail(value: Any) -> None:
    for item in read([json.dumps(value)], format="chat"):
        assert isinstance(item, Found | Skipped)


# ----------------------------------------------------------------------------------------------------- identity


def named(text: str, owner: tuple[str | None, ...] = ("ana",)) -> list[NewMemory]:
    items = identified(read(text.splitlines(True), format="text"), owner=owner, now=NOW)
    return [item.memory for item in items if isinstance(item, Found)]


def test_the_same_text_has_the_same_ids_and_another_owner_others() -> None:
    first, second = named("A\n\nB"), named("A\n\nB")
    assert [m.id for m in first] == [m.id for m in second]
    assert not {m.id for m in first} & {m.id for m in named("A\n\nB", ("bo",))}


def test_what_stands_there_twice_stays_two() -> None:
    assert len({m.id for m in named("ok\n\nok\n\nok")}) == 3


def test_an_edit_elsewhere_leaves_ids_alone() -> None:
    assert {m.id for m in named("A\n\nB")} < {m.id for m in named("New\n\nA\n\nB")}


def test_order_is_kept_by_time() -> None:
    times = [m.created_at for m in named("A\n\nB\n\nC")]
    assert times == sorted(set(times))  # type: ignore[type-var]
    assert times[0] == NOW


# -------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMWELL_EMBEDDER", "none")
    monkeypatch.setenv("MEMWELL_URL", f"sqlite:///{tmp_path / 'import.db'}")
    return f"sqlite:///{tmp_path / 'import.db'}"


def run(*arguments: str, stdin: str | None = None) -> tuple[int, list[Any], str]:
    done = CliRunner().invoke(app, ["import", *arguments, "--json"], input=stdin)
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def contents(url: str) -> list[str]:
    with Memory(url, embedder=None) as memory:
        return [record.content for record in memory.list(limit=1000, descending=False)]


def test_importing_twice_adds_nothing_and_reinforces_nothing(store: str) -> None:
    Path("talk.json").write_text(
        json.dumps([{"role": "user", "content": f"turn {n % 3}"} for n in range(700)]), "utf-8"
    )
    assert run("talk.json", "--user", "ana")[1][0]["added"] == 700
    code, (again,), _ = run("talk.json", "--user", "ana")
    assert (code, again["added"], again["present"]) == (0, 0, 700)
    with Memory(store, embedder=None) as memory:
        page = memory.list(limit=1000, user_id="ana")
        assert len(page) == 700
        assert {record.reinforced for record in page} == {0}
        assert {record.session_id for record in page} == {"talk"}


def test_a_grown_file_adds_only_what_is_new(store: str) -> None:
    Path("notes.md").write_text("# A\n\none\n", "utf-8")
    run("notes.md")
    Path("notes.md").write_text("# New\n\nzero\n\n# A\n\none\n", "utf-8")
    assert run("notes.md")[1][0] | {"file": ""} == {
        "file": "", "format": "markdown", "added": 1, "present": 1, "skipped": [], "dry_run": False,
    }  # fmt: skip


def test_turns_keep_their_order(store: str) -> None:
    turns = [{"role": "user", "content": f"turn {n}"} for n in range(20)]
    run("-", stdin=json.dumps({"created_at": "2024-01-01", "messages": turns}))
    assert contents(store) == [f"user: turn {n}" for n in range(20)]


def test_bad_lines_are_reported_and_the_exit_code_says_so(store: str) -> None:
    Path("notes.jsonl").write_text('{"content": "one"}\noops\n{"content": "two"}\n', "utf-8")
    code, (result,), err = run("notes.jsonl")
    assert code == 1
    assert "notes.jsonl, line 2:" in err
    assert (result["added"], [s["place"] for s in result["skipped"]]) == (2, ["line 2"])
    assert contents(store) == ["one", "two"]


def test_one_turn_beyond_a_limit_does_not_take_its_batch_with_it(store: str) -> None:
    lines = [{"content": "one"}, {"content": "x" * 1_100_000}, {"content": "two"}, {"content": "a\0b"}]
    Path("notes.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    code, (result,), err = run("notes.jsonl")
    assert (code, result["added"]) == (1, 2)
    assert "line 2: content has" in err
    assert "line 4:" in err
    assert contents(store) == ["one", "two"]


def test_a_dry_run_stores_nothing(store: str) -> None:
    Path("notes.txt").write_text("one\n\ntwo", "utf-8")
    assert run("notes.txt", "--dry-run")[1][0]["added"] == 2
    assert contents(store) == []


def test_format_tag_and_category_from_the_command_line(store: str) -> None:
    Path("list.txt").write_text("# One\n\ntext\n", "utf-8")
    run("list.txt", "--format", "markdown", "--tag", "t", "--category", "c")
    with Memory(store, embedder=None) as memory:
        (record,) = memory.list()
        assert (record.content, record.tags, record.category) == ("One\n\ntext", ("t",), "c")
        assert record.source == "list.txt"


def test_several_files_in_one_call_and_one_that_is_no_text(store: str) -> None:
    Path("a.txt").write_text("a", "utf-8-sig")
    Path("b.txt").write_bytes(b"caf\xe9")
    code, result, err = run("a.txt", "b.txt")
    assert code == 2
    assert [one["added"] for one in result] == [1]
    assert "b.txt is not UTF-8" in err
    assert contents(store) == ["a"]


@pytest.mark.parametrize("depth", [900, 10_000, 100_000])
@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"messages":[', "]}")])
def test_a_file_that_nests_too_deep_is_skipped_in_plain_words(depth: int, before: str, after: str) -> None:
    (item,) = read([before * depth + after * depth], format="chat", name="deep.json")
    assert isinstance(item, Skipped)
    assert "too deep" in item.reason or "JSON" not in item.reason


def test_a_line_that_nests_too_deep_leaves_the_other_lines() -> None:
    lines = [
        '{"role": "user", "content": "tea"}\n',
        "[" * 100_000 + "\n",
        '{"role": "user", "content": "rye"}\n',
    ]
    found = list(read(lines, format="chat", name="x.jsonl"))
    assert [type(item) for item in found] == [Found, Skipped, Found]
