"""The options of every command (store, embedder, owner, output), before or after the command's name."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import update_wrapper
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec
from urllib.parse import quote

import typer

from memwell._dataclasses import dataclass
from memwell.cli.local import remedy
from memwell.cli.output import Output, short
from memwell.config import Settings, load
from memwell.engine.clock import zone_of
from memwell.errors import InvalidInput, NotFound
from memwell.fields import LIMITS
from memwell.policies import durations
from memwell.security.acting import acting
from memwell.security.keyring import Keyring
from memwell.sync import Memory
from memwell.types import Owner

__all__ = ["Cli", "Metadata", "Where", "Yes", "ask", "command", "content_of", "duration"]

P = ParamSpec("P")

PANEL: Final = "Store, owner and output"
OWNER: Final = ("user", "agent", "session", "tenant", "namespace")
_OPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "url": (
        "URL",
        "The store: a file such as notes.db, or a URL. Default: a file in your data directory.",
    ),
    "embedder": ("NAME", "auto, local, hashing, or none to use words only."),
    "user": ("ID", "The user the memories belong to."),
    "agent": ("ID", "The agent."),
    "session": ("ID", "The conversation."),
    "tenant": ("ID", "The tenant. No command sees another tenant."),
    "namespace": ("NAME", "The namespace."),
    "timezone": ("ZONE", "The time zone of days and times, such as Europe/Berlin, or local. Default: UTC."),
}
SHARED: Final = (*_OPTIONS, "json")
_SHORTEST: Final = 4
_WHOLE: Final = 36

Where = Annotated[
    str | None, typer.Option("--where", metavar="JSON", help='A filter, such as \'{"category": "work"}\'.')
]
Metadata = Annotated[
    str | None, typer.Option("--metadata", metavar="JSON", help='Metadata, such as \'{"topic": "tea"}\'.')
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@dataclass(frozen=True, slots=True)
class Cli:
    """One call of the command line: its settings, its owner and its output."""

    settings: Settings
    owner: Owner
    out: Output

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Cli:
        """Options override the environment; an empty option resets a setting to its default."""
        found = load()
        chosen = {name: value for name in _OPTIONS if (value := given.get(name)) is not None}
        settings = found.with_options(**chosen)
        named = {f"{name}_id" if name != "namespace" else name: getattr(settings, name) for name in OWNER}
        owner: Any = {name: value for name, value in named.items() if value}
        return cls(settings, owner, Output(as_json=bool(given.get("json")), zone=zone_of(settings.timezone)))

    def memory(self, *, embeds: bool = False, enrich: bool = False) -> Memory:
        """The memory of this call. Without `embeds` the model is loaded only if an index has to follow the writes."""
        settings = self.settings
        embedder = self.embedder() if embeds or settings.index else None
        missing = remedy(settings.model_dir) if embedder == "auto" else None
        if missing is not None:
            embedder = None
            if embeds:
                self.out.hint(
                    f"recall uses words only; for recall by meaning run: {missing} (or pass --embedder none)"
                )
        index = settings.index if embeds or embedder is not None else None
        cache = None if embedder is None else settings.cache
        return Memory(
            settings.url,
            embedder=embedder,
            index=index,
            cache=cache,
            encryption=self.keyring(),
            timezone=self.out.zone,
            audit=self.settings.audit,
            receipts=self.settings.receipt_key,
            enrich=enrich,
        )

    def keyring(self) -> Keyring | None:
        """The master keys of `MEMWELL_ENCRYPTION_KEY`, if there are any."""
        text = self.settings.encryption_key
        return None if text is None else Keyring.from_text(text)

    def embedder(self) -> str | None:
        """The embedder for the engine."""
        name, folder = self.settings.embedder, self.settings.model_dir
        if folder is not None and name in ("auto", "local"):
            return f"local:///{quote(str(Path(folder).expanduser().absolute()))}"
        return None if name == "none" else name

    def find(self, memory: Memory, id: str) -> str:
        """The full id for an id, its first or last characters, or the first of those that lists show. Raises
        `NotFound`, and `InvalidInput` if several match.
        """
        if not _SHORTEST <= len(id) < _WHOLE:
            return id
        with suppress(NotFound):
            return memory.get(id, **self.owner).id
        found, cursor = list[str](), None
        while len(found) < 2:
            page = memory.list(where={"id": {"$contains": id}}, limit=500, cursor=cursor, **self.owner)
            found += [
                one.id
                for one in page
                if one.id.startswith(id) or one.id.endswith(id) or short(one.id).startswith(id)
            ]
            cursor = page.cursor
            if cursor is None:
                break
        if not found:
            raise NotFound(f"no memory {id!r} in this scope")
        if len(found) > 1:
            raise InvalidInput(f"several memories have {id!r} in their id; give more characters")
        return found[0]

    def filter(self, text: str | None, option: str = "--where") -> dict[str, Any] | None:
        """A JSON object from an option."""
        return _object(text, option)


def command(function: Callable[Concatenate[Cli, P], None]) -> Callable[..., None]:
    """Turn a function of a `Cli` into a typer command: add the shared options and build the `Cli` from them."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    def call(ctx: typer.Context, **values: Any) -> None:
        given = {name: values.pop(name) for name in SHARED}
        before = ctx.obj if isinstance(ctx.obj, dict) else {}
        cli = Cli.of({n: before.get(n) if v in (None, False) else v for n, v in given.items()})
        with acting(actor=cli.settings.actor):
            function(cli, **values)  # type: ignore[call-arg]

    update_wrapper(call, function)
    with_context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [
        with_context,
        *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own),
        *shared_parameters(),
    ]
    del call.__wrapped__  # type: ignore[attr-defined]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def shared_parameters() -> list[inspect.Parameter]:
    """The options of every command."""
    found = []
    for name, (metavar, text) in _OPTIONS.items():
        option = typer.Option(f"--{name}", metavar=metavar, help=text, rich_help_panel=PANEL)
        found.append(_parameter(name, Annotated[str | None, option], None))
    flag = typer.Option("--json", help="Write JSON to stdout, and nothing else.", rich_help_panel=PANEL)
    return [*found, _parameter("json", Annotated[bool, flag], False)]


def _parameter(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _object(text: str | None, option: str) -> dict[str, Any] | None:
    if text is None:
        return None
    like = f'{option} \'{{"topic": "tea"}}\''
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise typer.BadParameter(
            f"{option} nests too deep; at most {LIMITS['metadata_depth']} levels are taken"
        ) from error
    except ValueError as error:
        raise typer.BadParameter(f"{option} is not JSON: {error}. Quote it: {like}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{option} takes a JSON object such as {like}, not {text}")
    return value


def ask(question: str) -> None:
    """Continue only after a yes. Without a terminal, `--yes` is required."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} There is no terminal to ask; pass --yes")
    typer.confirm(question, abort=True, err=True)


def content_of(text: str) -> str:
    """The argument, or for `-` all of stdin without the last newline."""
    if text != "-":
        return text
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"stdin is not UTF-8 text (byte {error.start}); convert it first, for example with iconv"
        ) from error


def duration(text: str | None) -> timedelta | None:
    """A duration such as `90` (seconds), `30m`, `12h`, `7d` or `2w`."""
    if text is None:
        return None
    try:
        return durations.duration(text)
    except InvalidInput as error:
        raise typer.BadParameter(f"--ttl {error.message}") from error
