"""The new state of a record that is remembered again or changed. Pure; every store uses these functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell._dataclasses import copier
from memwell.errors import Conflict, Corrupt
from memwell.ports import Insert, Recode, Update
from memwell.records.codec import version_from_json
from memwell.records.validity import check_validity
from memwell.types import Record, Version

__all__ = [
    "chain",
    "overwriting",
    "recoded",
    "reinforced",
    "revised",
    "stored_version",
    "stored_versions",
    "with_values",
]


def reinforced(found: Record, again: Record) -> Record:
    """The stored record after the same content was remembered again: counted, with the later of both expiries."""
    expiry = None
    if found.expires_at is not None and again.expires_at is not None:
        expiry = max(found.expires_at, again.expires_at)
    return with_values(found, {"reinforced": found.reinforced + 1, "expires_at": expiry})


def recoded(record: Record, operation: Recode) -> Record:
    """A version of a record in the form that the operation gives it."""
    form = operation.forms.get(record.version)
    return record if form is None else replace(record, content=form[0], metadata=form[1])


def overwriting(insert: Insert, stored: Record) -> Update | None:
    """The change that brings the duplicate of an insert the fields it overwrites; `None` if there are none."""
    if not insert.overwrite:
        return None
    changes = {name: getattr(insert.record, name) for name in insert.overwrite}
    return Update(scope=stored.scope, id=stored.id, changes=changes)


def revised(found: Record, update: Update, now: datetime) -> tuple[Record, tuple[str, ...]]:
    """The next version of a record and the names of the fields that differ; no name, no change.

    Raises `Conflict` when the stored version is not the expected one, and as `check_validity`.
    """
    expected = update.expected_version
    if expected is not None and expected != found.version:
        raise Conflict(
            f"memory {found.id!r} has version {found.version}, not {expected};"
            " read it again and repeat the change on what it holds now"
        )
    changed = tuple(sorted(name for name, value in update.changes.items() if getattr(found, name) != value))
    if not changed:
        return found, ()
    moment = max(now, found.updated_at)
    changes = {**update.changes, "version": found.version + 1, "updated_at": moment}
    return check_validity(with_values(found, changes)), changed


with_values: Final = copier(Record)
"""The record with other values in some fields."""


def chain(past: Sequence[Version], current: Record) -> list[Version]:
    """A history as returned to callers, from versions as stored.

    A stored version lists the fields that the next version changed; a returned one lists those that it changed itself.
    """
    changes = [(), *(version.changed for version in past)]
    last = Version(record=current, changed_at=current.updated_at, current=True)
    return [
        replace(version, changed=changed) for version, changed in zip((*past, last), changes, strict=True)
    ]


def stored_versions(versions: Sequence[Version]) -> list[Version]:
    """The inverse of `chain`, without the current version."""
    return [
        replace(version, changed=following.changed) for version, following in itertools.pairwise(versions)
    ]


def stored_version(read: Callable[[], Mapping[str, Any]], number: object, id: str, *, part: str) -> Version:
    """An earlier version of a memory as a store kept it. Raises `Corrupt` naming the version that cannot be read."""
    try:
        data = read()
        names = data["changed"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("what it changed is not a list of names")
        version = version_from_json(data)
        if version.record.id != id:
            raise TypeError(f"it is one of {version.record.id!r:.40}")
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
        Corrupt,
    ) as error:
        raise Corrupt(
            f"version {number} of memory {id!r} cannot be read: {error}; restore a backup, or forget the memory",
            part=part,
        ) from error
    return version
