"""What memwell returns, as JSON and as people see it: one line, rich, a notebook."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from rich.pretty import pretty_repr

from memwell import Component, Event, Hit, Link, Memory, Page, Record, Related, Scope, Version, Why
from memwell.records.codec import record_from_json

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
RECORD = Record(
    id="bees", scope=Scope(user_id="ana", session_id="s1"), content="<b>Ana</b>\n keeps \u202e bees " * 100,
    metadata={"at": {"city": ["Porto"]}}, tags=("hive", "home"), category="hobby", created_at=NOW, updated_at=NOW,
    expires_at=NOW + timedelta(days=9), version=3, links=(Link(target="b", created_at=NOW),),
)  # fmt: skip
WHY = Why(components=(Component(name="lexical", value=0.5, weight=0.4),), terms=("bee",))
VALUES = (
    RECORD,
    Hit(record=RECORD, score=0.5, why=WHY),
    Version(record=RECORD, changed_at=NOW, changed=("content",)),
    Related(record=RECORD, link=RECORD.links[0], depth=1, outgoing=True, strength=0.5),
    Page(records=(RECORD, RECORD), cursor="c" * 200),
)
EVERY = (*VALUES, WHY, Event(id="e1", name="remembered", at=NOW, scope=RECORD.scope, records=(RECORD,)))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_shown_on_one_short_line(value: Any) -> None:
    shown = repr(value)
    assert shown.startswith(f"{type(value).__name__}(")
    assert "keeps" in shown
    assert len(shown) < 250
    assert not {"\n", "\u202e"} & {*shown}
    assert pretty_repr(value, max_width=400) == shown
    Console(quiet=True).print(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_in_a_notebook_a_value_is_a_table_whose_texts_are_escaped(value: Any) -> None:
    shown = value._repr_html_()
    assert shown.startswith("<table>")
    assert "&lt;b&gt;Ana&lt;/b&gt; keeps" in shown
    assert "<b>" not in shown
    assert len(shown) < 700
    assert shown.count("<tr>") == (3 if isinstance(value, Page) else 2)


@pytest.mark.parametrize("value", EVERY, ids=lambda value: type(value).__name__)
def test_every_value_is_json_with_the_fields_of_its_record_at_the_top(value: Any) -> None:
    found = value.to_dict()
    assert json.loads(json.dumps(found)) == found
    names = {field.name for field in fields(value)}
    if hasattr(value, "record"):
        names = names - {"record"} | RECORD.to_dict().keys()
        assert value.id == found["id"] == "bees"
    if hasattr(value, "scope"):
        names = names - {"scope"} | RECORD.scope.to_dict().keys()
    assert found.keys() == names


def test_the_json_of_a_record_has_all_its_fields_and_is_a_copy() -> None:
    found = RECORD.to_dict()
    assert record_from_json({name: value for name, value in found.items() if value is not None}) == RECORD
    assert found["agent_id"] is None
    found["metadata"]["at"]["city"].append("Lisbon")
    assert RECORD.metadata == {"at": {"city": ["Porto"]}}


@pytest.mark.parametrize("value", [each for each in VALUES if hasattr(each, "record")], ids=repr)
def test_what_holds_a_record_has_its_fields(value: Any) -> None:
    names = RECORD.to_dict().keys() - {field.name for field in fields(value)}
    beside = {"tier", "links", "embedded", "last_accessed_at", "access_count", "reinforced"}
    for name in names - beside - ({"version"} - {*dir(type(value))}):
        assert getattr(value, name) == getattr(RECORD, name)


def test_every_command_writes_the_json_that_python_gives(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from memwell.cli.root import run

    monkeypatch.setenv("MEMWELL_URL", url := f"{tmp_path}/notes.db")
    monkeypatch.setenv("MEMWELL_EMBEDDER", "none")
    monkeypatch.setenv("MEMWELL_USER", "ana")
    with Memory(url, embedder=None) as memory:
        old = memory.remember("Ana keeps bees", user_id="ana", tags=["hive"], metadata={"n": 1})
        new = memory.update(old.id, content="Ana keeps many bees")
        other = memory.remember("Ana drinks tea", user_id="ana")
        memory.relate(new.id, other.id)
        found = memory.get(new.id).to_dict()
        versions = [version.to_dict() for version in memory.history(new.id)]
        related = [one.to_dict() for one in memory.related(other.id)]
        stats = memory.stats(user_id="ana").to_dict()
    written = {}
    calls = [["show", new.id], ["list"], ["history", new.id], ["related", other.id], ["stats"]]
    for arguments in [*calls, ["recall", "bees"]]:
        assert run([*arguments, "--json"]) == 0
        written[arguments[0]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = {"access_count", "last_accessed_at"}
    assert written["show"] == [found]
    assert found in written["list"]
    assert {"rank", "score", "why"} <= written["recall"][0].keys()
    assert {n: v for n, v in found.items() if n not in counted} == {
        n: v for n, v in written["recall"][0].items() if n in found.keys() - counted
    }
    assert written["history"] == versions
    assert written["related"] == related
    assert written["stats"][0] | {"bytes": 0} == stats | {"bytes": 0}
