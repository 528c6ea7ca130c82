"""Enrichers: functions from the text of a new memory to what is known of it beside its words.

`memwell.enrich` is the one by rules. One of your own gives an `Enrichment`, or a mapping with some of its fields::

    def first_word(text):
        return {"topic": text.split()[0].lower(), "category": "general", "importance": 0.3}

    memory = Memory("notes.db", enrich=first_word)

It may be a coroutine function, such as `enrich` of a model of `memwell.policies.llm`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, Final, TypeAlias, get_args

from memwell.errors import ConfigError, InvalidInput, shown
from memwell.retrieval.analysis.enrichment import Enrichment, enrich
from memwell.retrieval.analysis.entities import MOST, Entity, EntityKind

__all__ = ["Enricher", "enricher_of", "enrichment_of"]

Found: TypeAlias = Enrichment | Mapping[str, Any]
Enricher: TypeAlias = Callable[[str], Found] | Callable[[str], Awaitable[Found]]
"""From the text of a memory to what is known of it."""

_KEYS: Final = tuple(field.name for field in fields(Enrichment) if field.name != "reasons")


def enricher_of(given: object) -> Enricher | None:
    """The enricher that a caller names; `None`: none. Raises `ConfigError`."""
    if given is None or given is False:
        return None
    if given is True:
        return enrich
    if not callable(given):
        raise ConfigError(f"enrich is True, or a function from a text to an Enrichment, not {shown(given)}")
    return given


def enrichment_of(found: object) -> Enrichment:
    """What an enricher gave, as an `Enrichment`. Raises `InvalidInput` for anything else."""
    if isinstance(found, Enrichment):
        return found
    if not isinstance(found, Mapping):
        raise InvalidInput(f"an enricher gives an Enrichment or a mapping, not {shown(found)}")
    if unknown := [key for key in found if key not in _KEYS]:
        raise InvalidInput(f"an enrichment has no {shown(unknown[0])}; it has {', '.join(_KEYS)}")
    return Enrichment(
        topic=_text("topic", found.get("topic")),
        category=_text("category", found.get("category")),
        entities=tuple(_entity(one) for one in _list("entities", found.get("entities"))[:MOST]),
        dates=tuple(_date(one) for one in _list("dates", found.get("dates"))[:MOST]),
        importance=found.get("importance"),
    )


def _text(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} of an enrichment is a text, not {shown(value)}")
    return value.strip() or None if value is not None else None


def _list(name: str, value: object) -> Sequence[object]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidInput(f"{name} of an enrichment are a list, not {shown(value)}")
    return value


def _entity(value: object) -> Entity:
    if isinstance(value, Entity):
        return value
    if isinstance(value, str) and value.strip():
        return Entity(text=value.strip())
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        kind = value.get("kind", "other")
        return Entity(text=value["text"], kind=kind if kind in get_args(EntityKind) else "other")
    raise InvalidInput(f"an entity is a text, or has a text and a kind, not {shown(value)}")


def _date(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, str):
        try:
            return "/".join(date.fromisoformat(part).isoformat() for part in value.split("/", 1))
        except ValueError:
            pass
    raise InvalidInput(
        f"a date of an enrichment is such as 2026-05-01 or 2026-05-01/2026-05-31, not {shown(value)}"
    )
