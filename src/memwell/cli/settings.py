"""`config check`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import typer

from memwell import config, registry
from memwell.cli.failures import Code, explain
from memwell.cli.local import remedy
from memwell.cli.shared import Cli
from memwell.errors import ConfigError, MemwellError
from memwell.masking import masked
from memwell.ports import Port

__all__ = ["COMMANDS", "HELP", "check"]

HELP: Final = "Show the settings and check that they work."
_URLS: Final = ("url", "index", "cache", "embedder")


def check(cli: Cli) -> None:
    """Show every setting with its value and source, and check that each part opens."""
    settings = {name: _value(cli, name) for name in config.names()}
    parts = _parts(cli)
    healthy = all(ok for ok, _ in parts.values())
    if cli.out.as_json:
        shown = {
            name: {"value": value, "source": cli.settings.source(name)} for name, value in settings.items()
        }
        tried = {name: {"ok": ok, "detail": text} for name, (ok, text) in parts.items()}
        cli.out.json({"ok": healthy, "settings": shown, "parts": tried})
    else:
        rows = [(name, value, cli.settings.source(name)) for name, value in settings.items()]
        cli.out.table(("setting", "value", "from"), rows, wide="value")
        tried_rows = [(name, "ok" if ok else "FAILS", text) for name, (ok, text) in parts.items()]
        cli.out.table(("part", "state", "detail"), tried_rows, wide="detail")
    if not healthy:
        raise typer.Exit(Code.PROBLEMS)


def _value(cli: Cli, name: str) -> str | None:
    value = getattr(cli.settings, name)
    if name == "encryption_key" and (keyring := cli.keyring()) is not None:
        return f"keys {', '.join(keyring.ids)}"
    if value is None and name == "url":
        from memwell.engine.assembly import default_url

        with suppress(ConfigError):  # the part `store` says why
            value = default_url()
    if value is None:
        return None
    return masked(str(value)) if name in _URLS else str(value).lower() if isinstance(value, bool) else value


def _parts(cli: Cli) -> dict[str, tuple[bool, str]]:
    """Part → whether it opens, and its name or what is wrong."""
    from memwell.engine.assembly import default_url

    settings = cli.settings
    index, cache = settings.index, settings.cache
    found = {"store": _tried(lambda: registry.open_store(settings.url or default_url()))}
    found["embedder"] = _embedder(cli)
    wanted = ("index", index, registry.open_index), ("cache", cache, registry.open_keyvalue)
    for part, name, opener in wanted:
        if name is not None and cli.embedder() is None:
            found[part] = (
                False,
                f"needs an embedder; unset {config.PREFIX}{part.upper()} or choose an embedder",
            )
        elif name is not None:
            found[part] = _tried(partial(opener, name))
    return found


def _embedder(cli: Cli) -> tuple[bool, str]:
    name = cli.embedder()
    if name is None:
        return True, "none: recall uses words only"
    missing = remedy(cli.settings.model_dir) if name == "auto" else None
    if missing is not None:
        return True, f"auto: recall uses words only; for recall by meaning run: {missing}"
    return _tried(lambda: registry.open_embedder("local" if name == "auto" else name))


def _tried(opened: Callable[[], Port]) -> tuple[bool, str]:
    async def ping() -> str:
        async with opened() as part:
            await part.ping()
            return part.part

    try:
        return True, asyncio.run(ping())
    except MemwellError as error:
        return False, masked(explain(error))


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (("check", check),)
