"""Plans: what policies would do, step by step, as values that can be stored, reviewed and applied later.

A stored plan is JSON, one value a line: a header, the steps in the order in which they are applied, and an end with
their number and a checksum.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias, overload

from memwell._dataclasses import dataclass
from memwell.errors import BackendError, InvalidInput, shown
from memwell.fields import SCOPE
from memwell.filters import instant
from memwell.records.codec import dumps
from memwell.types import Scope
from memwell.values import Short, Value

__all__ = ["Action", "Applied", "Plan", "Refused", "Step", "Steps", "Writer"]

Action: TypeAlias = Literal["update", "forget", "summarise"]
FORM: Final = 1
_BLOCK: Final = 1000
_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Step(Value):
    """One step of a plan: what happens to one memory, and why."""

    id: str
    """Of the memory; that of a summary is new."""
    action: Action
    rule: str
    """The rules that decided, such as `migrate 2`."""
    reason: str
    """What of them the memory meets."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """Field → value, of what changes; of what is forgotten, its tier. Of a text that is trimmed the beginning. Times
    are ISO 8601 text.
    """
    after: Mapping[str, Any] = field(default_factory=dict)
    """The same fields afterwards; of a summary, all that is not a default. Empty if the memory is forgotten."""
    expects: Mapping[str, int] = field(default_factory=dict)
    """What the memory must still have: its `version`, and to be forgotten its `reinforced` and `access_count`."""
    requires: Mapping[str, int] = field(default_factory=dict)
    """Ids and versions of other memories: the one that a duplicate is merged into, or those that a summary is of."""

    def _short(self) -> Short:
        yield None, self.action
        yield "id", self.id
        yield "rule", self.rule
        if self.after:
            yield "after", dict(self.after)


class Steps(Sequence[Step]):
    """The steps of a plan, compressed: a million of them take some 30 MB."""

    __slots__ = ("_blocks", "_count")

    def __init__(self, blocks: Sequence[bytes], count: int) -> None:
        self._blocks, self._count = tuple(blocks), count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Step]:
        for block in self._blocks:
            yield from map(_step, _lines(block))

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._count))]
        at = index + self._count if index < 0 else index
        if not 0 <= at < self._count:
            raise IndexError("there is no such step")
        return _step(_lines(self._blocks[at // _BLOCK])[at % _BLOCK])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and len(self) == len(other) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        return f"<{self._count:,} steps>"

    def lines(self) -> Iterator[bytes]:
        """Each step as a line of JSON, as it is stored."""
        for block in self._blocks:
            yield from _lines(block)

    def digest(self) -> str:
        """SHA-256 over the lines."""
        found = hashlib.sha256()
        for line in self.lines():
            found.update(line + b"\n")
        return found.hexdigest()


class Writer:
    """Collects steps."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._lines: list[bytes] = []
        self._count = 0
        self.rules: Counter[str] = Counter()
        """Rule → number of its steps."""
        self.actions: Counter[str] = Counter()

    def add(self, step: Step) -> None:
        """Append a step."""
        self.rules[step.rule] += 1
        self.actions[step.action] += 1
        self.line(_line(step))

    def line(self, line: bytes) -> None:
        """Append a step that is a line of JSON already."""
        self._lines.append(line)
        self._count += 1
        if len(self._lines) == _BLOCK:
            self._close()

    def steps(self) -> Steps:
        """What was collected."""
        if self._lines:
            self._close()
        return Steps(self._blocks, self._count)

    def _close(self) -> None:
        self._blocks.append(zlib.compress(b"\n".join(self._lines), 1))
        self._lines.clear()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Value):
    """What policies would do to the memories of a scope. `memory.apply(plan)` does exactly that."""

    made_at: datetime
    scope: Scope
    steps: Sequence[Step]
    """In the order in which they are applied."""
    records: int = 0
    """Memories that were looked at."""
    by_rule: Mapping[str, int] = field(default_factory=dict)
    """Rule → number of steps."""
    by_action: Mapping[str, int] = field(default_factory=dict)
    """`update`, `forget` or `summarise` → number of steps."""
    tiers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Tier → memories before and after; those without one are under the empty text."""

    def __len__(self) -> int:
        return len(self.steps)

    def __bool__(self) -> bool:
        """Whether there is something to do."""
        return len(self.steps) > 0

    def _short(self) -> Short:
        yield "steps", len(self.steps)
        yield "records", self.records
        yield "by_rule", dict(self.by_rule)

    def summary(self) -> str:
        """The plan in a few lines."""
        lines = [f"{len(self.steps):,} steps for {self.records:,} memories"]
        lines += [f"  {count:>9,}  {rule}" for rule, count in sorted(self.by_rule.items())]
        for tier, (before, after) in self.tiers.items():
            lines.append(f"  {tier or 'no tier'}: {before:,} → {after:,}")
        return "\n".join(lines)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the plan to a file. It appears under this name only when it is complete. Raises `BackendError`."""
        target = Path(path)
        try:
            with tempfile.NamedTemporaryFile("wb", dir=target.parent, delete=False) as file:
                file.writelines(self._lines())
            Path(file.name).replace(target)
        except OSError as error:
            raise BackendError(f"cannot write the plan to {target}: {error.strerror or error}") from error

    def _lines(self) -> Iterator[bytes]:
        yield (dumps(self._header()) + "\n").encode()
        digest, steps = hashlib.sha256(), self.steps
        for line in steps.lines() if isinstance(steps, Steps) else map(_line, steps):
            digest.update(line + b"\n")
            yield line + b"\n"
        yield (dumps({"end": True, "steps": len(steps), "sha256": digest.hexdigest()}) + "\n").encode()

    def _header(self) -> dict[str, Any]:
        scope = {name: value for name in SCOPE if (value := getattr(self.scope, name)) is not None}
        return {
            "memwell": "plan",
            "form": FORM,
            "made_at": self.made_at.isoformat(),
            "scope": scope,
            "records": self.records,
            "by_rule": dict(self.by_rule),
            "by_action": dict(self.by_action),
            "tiers": {tier: list(counts) for tier, counts in self.tiers.items()},
        }

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """The plan in a file, checked. Raises `InvalidInput` for a file that is no plan, or a damaged one."""
        try:
            with Path(path).open("rb") as file:
                return cls.read(file, str(path))
        except InvalidInput:
            raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InvalidInput(f"cannot read a plan from {path}: {reason}") from error

    @classmethod
    def read(cls, lines: Iterable[bytes], name: str = "the plan") -> Self:
        """The plan from its lines. Raises `InvalidInput`."""
        source = iter(lines)
        header = _parsed(next(source, b""))
        if header.get("memwell") != "plan":
            raise InvalidInput(f"{name} is not a plan of memwell")
        if header.get("form") != FORM:
            raise InvalidInput(f"{name} has form {shown(header.get('form'))}; this version reads form {FORM}")
        writer, digest, end = Writer(), hashlib.sha256(), dict[str, Any]()
        for number, raw in enumerate(source, 2):
            if raw.startswith(b'{"end"'):
                end = _parsed(raw)
                break
            line = raw.rstrip(b"\n")
            digest.update(line + b"\n")
            _checked(line, f"{name} line {number}")
            writer.line(line)
        steps = writer.steps()
        if end.get("steps") != len(steps) or end.get("sha256") != digest.hexdigest():
            raise InvalidInput(f"{name} is damaged or cut short: its checksum does not fit; make it again")
        try:
            return cls(
                made_at=_moment(header["made_at"]),
                scope=Scope(**header["scope"]),
                steps=steps,
                records=int(header["records"]),
                by_rule=dict(header["by_rule"]),
                by_action=dict(header["by_action"]),
                tiers={tier: tuple(map(int, counts)) for tier, counts in header["tiers"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"{name} line 1 is not the header of a plan: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Value):
    """A step that was not taken."""

    id: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied(Value):
    """What `apply` did."""

    done: int
    """Steps taken by this call."""
    already: int = 0
    """Steps that an earlier call had taken."""
    refused: tuple[Refused, ...] = ()
    """Steps whose memory has changed since the plan was made."""
    left: int = 0
    """Steps not tried: another process has taken over. Apply the plan again."""


# ---------------------------------------------------------------------------------------------- lines


def _line(step: Step) -> bytes:
    row = (step.id, step.action, step.rule, step.reason, step.before, step.after, step.expects, step.requires)
    return dumps(row).encode()


def _step(line: bytes) -> Step:
    id, action, rule, reason, before, after, expects, requires = json.loads(line.decode())
    return Step(
        id=id, action=action, rule=rule, reason=reason, before=before, after=after, expects=expects,
        requires=requires,
    )  # fmt: skip


def _lines(block: bytes) -> list[bytes]:
    return zlib.decompress(block).split(b"\n")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _checked(line: bytes, place: str) -> None:
    """Raise `InvalidInput` unless the line is a step."""
    try:
        step = _step(line)
        texts = all(isinstance(one, str) for one in (step.id, step.rule, step.reason))
        maps = all(isinstance(one, dict) for one in (step.before, step.after, step.expects, step.requires))
        numbers = [*step.expects.values(), *step.requires.values()] if maps else [-1]
        whole = all(type(number) is int and 0 <= number <= _MAX for number in numbers)
        fine = texts and maps and whole and bool(step.id) and step.action in ("update", "forget", "summarise")
    except (ValueError, TypeError, RecursionError):
        fine = False
    if not fine:
        raise InvalidInput(f"{place} is not a step of a plan; make the plan again")


def _moment(text: object) -> datetime:
    found = instant(text)
    if found is None:
        raise ValueError(f"not a time: {text!r}")
    return found
