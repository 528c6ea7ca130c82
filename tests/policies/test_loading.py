"""Policies in TOML, YAML and dicts: what is read, and what is refused with its line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from memwell import ConfigError
from memwell.policies import load
from memwell.retrieval.ranking.strategies import STRATEGIES

WHOLE = """\
[[tier]]
name = "short_term"
capacity = 1000
ttl = "1h"
overflow = "next"

[[tier]]
name = "mid_term"
tokens = 20_000
expiry = "30d"
evict = "lowest_score"

[[tier]]
name = "long_term"

[[write]]
tier = "short_term"

[[write]]
name = "what matters"
tier = "long_term"
importance = ">= 0.8"

[[migrate]]
from = "short_term"
to = "mid_term"
age = ">= 1d"
uses = "< 3"

[[promote]]
from = ["mid_term", "long_term"]
to = "short_term"
uses = ">= 3"
idle = "< 7d"

[[expire]]
kind = "event"
age = ">= 90d"
grace = "1d"

[[trim]]
tier = "mid_term"
characters = 800
method = "extract"

[[summarise]]
by = "category"
originals = "hide"
to = "long_term"

[deduplicate]
words = 0.9

[decay]
half_life = "90d"

[scoring]
importance = 2
recency = 1
half_life = "14d"
sources = { chat = 1.0 }

[[scoring.boost]]
topics = "tea"
points = 0.1
"""


def write(folder: Path, text: str, name: str = "policies.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_file_and_the_same_as_a_dict_are_the_same_policies(tmp_path: Path) -> None:
    found = load(write(tmp_path, WHOLE))
    declared = tomllib.loads(WHOLE)
    assert load(declared) == found
    assert load(write(tmp_path, json.dumps(declared), "policies.json")) == found
    assert load(found) is found
    assert [tier.name for tier in found.tiers] == ["short_term", "mid_term", "long_term"]
    assert (found.tiers[0].ttl, found.tiers[1].expiry, found.tiers[1].tokens) == (
        3600.0,
        30 * 86400.0,
        20_000,
    )
    assert [rule.name for rule in found.write] == ["write 1", "what matters"]
    assert [(move.tier, move.promotes) for move in found.moves] == [("mid_term", False), ("short_term", True)]
    assert (found.scoring.half_life, found.scoring.frequency, found.scoring.rules[0].points) == (
        14.0,
        0.0,
        0.1,
    )  # type: ignore[union-attr]


def test_yaml_is_the_same_too(tmp_path: Path) -> None:
    text = "tier:\n  - {name: a, ttl: 1h}\n  - name: b\nwrite:\n  - tier: a\n"
    assert load(write(tmp_path, text, "p.yaml")) == load(
        {"tier": [{"name": "a", "ttl": "1h"}, {"name": "b"}], "write": [{"tier": "a"}]}
    )


def test_nothing_is_declared_by_an_empty_dict() -> None:
    found = load({})
    assert [tier.name for tier in found.tiers] == ["short_term", "mid_term", "long_term"]
    assert not [*found.rules()]
    assert found.scoring == STRATEGIES["memoric"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            '[[tier]]\nname = "a"\ncapasity = 3\n',
            3,
            "tier 1: unknown key 'capasity'; did you mean 'capacity'?",
        ),
        ("[[teir]]\n", 1, "unknown key 'teir'; did you mean 'tier'?"),
        ('[[tier]]\nname = "a"\nttl = "soon"\n', 3, "tier 1: ttl: 'soon' is not a valid duration"),
        ("[[tier]]\ncapacity = 1\n", 1, "tier 1 needs 'name'"),
        ('[[tier]]\nname = "a"\n[[tier]]\nname = "a"\n', 4, "'a' is declared twice"),
        ('[[write]]\n\ntier = "hot"\n', 1, "write 1: there is no tier 'hot'"),
        (
            '[[write]]\ntier = "mid_term"\nimportance = ">= 0.5"\n'
            '[[write]]\ntier = "long_term"\nimportance = ">= 0.5"\n',
            4,
            "write 2 is unreachable: every memory that meets it goes by write 1, which has the same condition",
        ),
        (
            '[[write]]\ntier = "mid_term"\n[[write]]\ntier = "long_term"\nimportance = ">= 0.5"\n'
            '[[write]]\ntier = "short_term"\nimportance = "< 0.5"\n',
            1,
            "write 1 is unreachable: every memory that meets it goes by write 3 and write 2",
        ),
        (
            '[[write]]\ntier = "mid_term"\nimportance = ">= 0.5"\n[[write]]\ntier = "long_term"\nkind = "event"\n',
            4,
            "write 2 overlaps write 1: a memory may meet both",
        ),
        (
            '[[migrate]]\nfrom = "short_term"\nto = "mid_term"\nage = ">= 1d"\n'
            '[[migrate]]\nfrom = "mid_term"\nto = "short_term"\nidle = "< 1h"\n',
            5,
            "migrate 2 moves back what migrate 1 has moved",
        ),
        (
            '[[tier]]\nname = "a"\nexpiry = "7d"\n[[tier]]\nname = "b"\nexpiry = "7d"\n',
            6,
            "'b' is unreachable by age",
        ),
        ('[[tier]]\nname = "a"\noverflow = "next"\n', 3, "'a' is the last tier"),
        ('[decay]\nhalf_life = "0s"\n', 2, "decay: half_life is longer than nothing"),
        ("[deduplicate]\nexact = false\n", 1, "needs words or vectors"),
        ('[[write]]\ntier = "mid_term"\nage = "> 1d"\n', 3, "write 1: unknown key 'age'"),
        ("[scoring]\nimportance = 0\n", 1, "needs one weight above 0"),
        ("[[scoring.boost]]\npoints = 3\ntopics = 'tea'\n", 1, "points of a boost"),
        ("[[tier]\n", 1, "not TOML"),
        ("tier = 3\n", 1, "tier is a list of tables"),
    ],
)
def test_each_fault_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert message in caught.value.message


def test_every_fault_is_said_at_once_and_in_the_order_of_the_lines(tmp_path: Path) -> None:
    path = write(tmp_path, '[decay]\nhalf = 1\n[[tier]]\nname = "a"\ncapacity = 0\n[more]\n')
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = [text.split(":")[1] for text in caught.value.message.splitlines()]
    assert lines == ["1", "2", "5", "6"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("tier:\n  - name: a\n    capacity: many\n", 3, "capacity is a whole number"),
        ("decay:\n  half_life: 1d\n  half_life: 2d\n", 3, "'half_life' stands twice"),
        ("tier: [\n", 2, "not YAML"),
        ("just text", 1, "has sections"),
    ],
)
def test_faults_in_yaml_have_lines_too(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text, "p.yml")
    with pytest.raises(ConfigError, match=message) as caught:
        load(path)
    assert f"{path}:{line}: " in caught.value.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"write": [{"tier": "short_term", "importance": 3}]}, "write 1: importance is a text"),
        ("nowhere.toml", "cannot read policies from 'nowhere.toml'"),
        (3, "a dict or the path of a file, not 3"),
        ("", "a dict or the path of a file, not ''"),
        ("setup.cfg", "cannot read"),
    ],
)
def test_what_is_no_source_of_policies_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(given)


def test_the_file_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    found = load(write(tmp_path, text))
    assert len([*found.rules()]) == 7
    assert found.deduplicate is not None
    assert found.deduplicate.vectors == 0.95
