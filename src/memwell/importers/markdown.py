"""Markdown: a memory for each section, found by its headings too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Final

from memwell.importers.items import BOUND, Found
from memwell.importers.moments import moment
from memwell.importers.plain import pieces
from memwell.types import NewMemory

__all__ = ["read"]

_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_PAIR: Final = re.compile(r"([\w-]+):(?:[ \t]+(.*))?$")
_LIST: Final = re.compile(r"[ \t]*-[ \t]+(.*)$")
_DATES: Final = ("date", "created", "created_at")


def read(lines: Iterable[str], name: str) -> Iterator[Found]:
    """A memory for each section: its heading path, an empty line, its text.

    Long sections are divided between paragraphs, never inside a code block. Front matter gives time (`date`), `tags`,
    `category` and further metadata.
    """
    front, rest = _front_matter(iter(lines))
    last: _Section | None = None
    for section in _sections(rest, front.first):
        if last is not None and (last.blocks or section.level <= last.level):
            yield from _memories(last, front, name)
        last = section
    if last is not None:
        yield from _memories(last, front, name)


@dataclass
class _Front:
    first: int = 1
    """Number of the first line after it."""
    created_at: datetime | None = None
    tags: list[str] = field(default_factory=list)
    category: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Section:
    path: tuple[str, ...]
    level: int
    line: int
    blocks: list[tuple[int, str]] = field(default_factory=list)


def _memories(section: _Section, front: _Front, name: str) -> Iterator[Found]:
    heading = " > ".join(section.path)
    room = max(BOUND // 2, BOUND - len(heading))
    parts = list(_joined(section.blocks, room)) or ([(section.line, "")] if heading else [])
    for line, text in parts:
        metadata = {**front.metadata, **({"heading": heading} if heading else {})}
        memory = NewMemory(
            content="\n\n".join(x for x in (heading, text) if x),
            metadata=metadata or None,
            tags=front.tags or None,
            category=front.category,
            created_at=front.created_at,
            source=name or None,
        )
        yield Found(memory=memory, place=f"line {line}")


def _joined(blocks: Iterable[tuple[int, str]], room: int) -> Iterator[tuple[int, str]]:
    """Neighbouring blocks put together as long as they fit; a long paragraph divided, a code block left whole."""
    first, text = 0, ""
    for line, block in blocks:
        for part in [block] if _FENCE.match(block) else pieces(block, room):
            if text and len(text) + len(part) + 2 > room:
                yield first, text
                text = ""
            first = first if text else line
            text = f"{text}\n\n{part}" if text else part
    if text:
        yield first, text


def _sections(lines: Iterator[str], first: int) -> Iterator[_Section]:
    section = _Section((), 0, first)
    path: list[tuple[int, str]] = []
    for line, block in _blocks(lines, first):
        found = None if _FENCE.match(block) else _heading(block)
        if found is None:
            section.blocks.append((line, block))
            continue
        if section.blocks or section.path:
            yield section
        level, title = found
        path = [(depth, text) for depth, text in path if depth < level] + [(level, title)]
        section = _Section(tuple(text for _, text in path if text), level, line)
    yield section


def _heading(block: str) -> tuple[int, str] | None:
    match = _HEADING.match(block)
    if match and "\n" not in block:
        return len(match[1]), (match[2] or "").strip()
    text, _, last = block.rpartition("\n")
    if text and (mark := _UNDERLINE.match(last)) and "\n" not in text:
        return (1 if mark[1].startswith("=") else 2), text.strip()
    return None


def _blocks(lines: Iterator[str], first: int) -> Iterator[tuple[int, str]]:
    """Paragraphs, headings and fenced code blocks, each with the number of its first line."""
    block: list[str] = []
    start, fence = first, ""
    for number, raw in enumerate(lines, first):
        line = raw.rstrip()
        if fence:
            block.append(line)
            if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                yield start, "\n".join(block)
                block, fence = [], ""
            continue
        opening, alone = _FENCE.match(line), _HEADING.match(line)
        if block and (not line or opening or alone):
            yield start, "\n".join(block)
            block = []
        if alone:
            yield number, line
        elif line:
            start = start if block else number
            block.append(line)
            fence = opening[1] if opening else ""
            if (
                len(block) == 2
                and _UNDERLINE.match(line)
                and not block[0].lstrip().startswith(("-", "*", ">", "|"))
            ):
                yield start, "\n".join(block)
                block = []
    if block:
        yield start, "\n".join(block)


def _front_matter(lines: Iterator[str]) -> tuple[_Front, Iterator[str]]:
    """What stands between `---` lines at the start, as far as it is plain `key: value`, and the lines after it."""
    opening = next(lines, None)
    if opening is None or opening.lstrip("\ufeff").rstrip() != "---":
        return _Front(), iter(()) if opening is None else chain([opening.lstrip("\ufeff")], lines)
    taken = [opening]
    for line in lines:
        taken.append(line)
        if line.rstrip() in ("---", "..."):
            return _front(taken[1:-1], len(taken) + 1), lines
        if len(taken) > 200:
            break
    return _Front(), chain(taken, lines)


def _front(lines: list[str], first: int) -> _Front:
    values: dict[str, Any] = {}
    key = ""
    for line in lines:
        pair, item = _PAIR.match(line), _LIST.match(line)
        if pair:
            key = pair[1]
            values[key] = _value(pair[2] or "")
        elif item and key and not isinstance(values[key], str):
            values[key] = [*(values[key] or []), _unquoted(item[1])]
    front = _Front(first=first)
    for name, value in values.items():
        if name.lower() in _DATES and (when := moment(value)):
            front.created_at = when
        elif name.lower() in ("tags", "keywords"):
            front.tags = [str(tag) for tag in ([value] if isinstance(value, str) else value or []) if tag]
        elif name.lower() == "category" and isinstance(value, str):
            front.category = value
        elif value not in (None, [], ""):
            front.metadata[name] = value
    return front


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(part) for part in text[1:-1].split(",") if part.strip()]
    return _unquoted(text) or None


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
