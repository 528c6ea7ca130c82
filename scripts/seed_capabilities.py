"""The table of docs/compat.md: what the five other layers promise, and the test or page that shows it here.

`docs/capabilities.toml` is its source. What shows a capability is a test, `tests/path.py::name`, a part of a page,
`docs/page.md#heading`, or a file. One that does not exist is an error.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LAYERS = ("Memoric", "providers", "drivers", "adapters", "MemoryCore")


def table() -> str:
    """One table for each section, and what is still open."""
    sections = tomllib.loads((ROOT / "docs" / "capabilities.toml").read_text("utf-8"))
    lines: list[str] = []
    for title, capabilities in sections.items():
        lines += [f"### {title}", "", "| | promise | of | shown by |", "|---|---|---|---|"]
        lines += [_row(id, one) for id, one in capabilities.items()]
        lines.append("")
    return "\n".join(lines)


def open_ones() -> list[str]:
    """The ids that nothing shows."""
    sections = tomllib.loads((ROOT / "docs" / "capabilities.toml").read_text("utf-8"))
    return [id for section in sections.values() for id, one in section.items() if not _shown(one)]


def _row(id: str, one: dict[str, Any]) -> str:
    what = one["what"].replace("|", "\\|")
    layers = ", ".join(LAYERS[number] for number in one["seeds"])
    return f"| {id} | {what} | {layers} | {_shown(one) or '**open**'} |"


def _shown(one: dict[str, Any]) -> str:
    """What shows it, or which part will."""
    return ", ".join(map(_link, one.get("shown", []))) or str(one.get("later", ""))


def _link(target: str) -> str:
    """The link from docs/compat.md. Raises `LookupError` if there is no such test, heading or file."""
    path, _, name = target.partition("::")
    path, _, anchor = path.partition("#")
    file = ROOT / path
    if not file.is_file():
        raise LookupError(f"docs/capabilities.toml names {path}, which does not exist")
    if name and name.rpartition("::")[2] not in _tests(file):
        raise LookupError(f"docs/capabilities.toml names {target}; {path} has no such test")
    if anchor and anchor not in _headings(file):
        raise LookupError(f"docs/capabilities.toml names {target}; {path} has no such heading")
    label = name.rpartition("::")[2] or anchor or path.rpartition("/")[2]
    relative = path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}"
    return f"[`{label}`]({relative}{'#' + anchor if anchor else ''})"


@cache
def _tests(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"(?m)^\s*(?:async )?(?:def|class) (\w+)", file.read_text("utf-8")))


@cache
def _headings(file: Path) -> frozenset[str]:
    """Headings as GitHub names them in links."""
    text = re.sub(r"(?ms)^```.*?^```", "", file.read_text("utf-8"))
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    )
