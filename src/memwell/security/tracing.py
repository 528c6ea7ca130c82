"""What an operation touched, read from its arguments and its result, whatever the operation is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.hits import Hits
from memwell.ports import Delete, Insert, Operation, SetLink, Unlink, Update
from memwell.security.receipts import Receipt
from memwell.security.signing import Key
from memwell.types import Hit, Link, Page, Record, Related, Scope, Version

__all__ = ["Traced", "digest_of", "traced", "traced_write"]

_WRITING: Final = frozenset({"content", "version", "clear", "supersedes", "on_duplicate"})
"""Arguments that only operations have which return the records that they wrote."""


@dataclass(slots=True)
class Traced:
    """Ids, changed versions and further data. With changes, the ids are those of stored memories."""

    ids: list[str] = field(default_factory=list)
    changes: list[tuple[str, int, str]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def traced(given: Mapping[str, Any], result: object, key: Key | None, nonce: str) -> Traced:
    """What a call touched. `given` are its arguments by name; contents are digested by the key, or by the nonce."""
    if isinstance(result, Record):
        change = (result.id, result.version, digest_of(result.content, key, nonce))
        return Traced([result.id], [] if _WRITING.isdisjoint(given) else [change])
    found = Traced()
    if isinstance(result, Receipt):
        found.data = {"receipt": result.id, "count": len(result.records)}
        if not given.get("audit"):
            found.ids = [one.id for one in result.records]
        return found
    records = list(_records(result))
    if records:
        found.ids = [record.id for record in records]
        if not _WRITING.isdisjoint(given):
            found.changes = [(r.id, r.version, digest_of(r.content, key, nonce)) for r in records]
        return found
    if isinstance(result, list) and result and all(isinstance(one, str) for one in result):
        found.ids = list(result)
        return found
    found.ids = [*_named(given)]
    if isinstance(result, Link):
        found.data = {"kind": result.kind}
    elif isinstance(result, int) and not isinstance(result, bool):
        found.data = {"count": result}
    return found


def traced_write(
    operations: Sequence[Operation], results: Sequence[Any], key: Key | None, nonce: str
) -> list[tuple[Scope, Traced]]:
    """What one of several writes of a call has changed, for each tenant: with the scope that its operations name, or
    the tenant alone if they name several.
    """
    found: dict[str, Traced] = {}
    scopes: dict[str, set[Scope]] = {}
    for operation, result in zip(operations, results, strict=False):
        scope = getattr(operation, "scope", None)
        if isinstance(operation, Insert | Update):
            scope = result.scope if scope is None else scope
            ids, changes = [result.id], [(result.id, result.version, digest_of(result.content, key, nonce))]
        elif isinstance(operation, Delete):
            ids, changes = list(result), []
        elif isinstance(operation, SetLink | Unlink):
            target = operation.link.target if isinstance(operation, SetLink) else operation.target
            ids, changes = [operation.source, target], []
        else:
            continue
        if scope is not None and ids:
            one = found.setdefault(scope.tenant_id, Traced())
            one.ids += ids
            one.changes += changes
            scopes.setdefault(scope.tenant_id, set()).add(scope)
    return [
        (next(iter(scopes[tenant])) if len(scopes[tenant]) == 1 else Scope(tenant_id=tenant), one)
        for tenant, one in found.items()
    ]


def _records(result: object) -> Iterable[Record]:
    items = result if isinstance(result, list | tuple | Hits | Page) else [result]
    for item in items:
        if isinstance(item, Record):
            yield item
        elif isinstance(item, Hit | Related | Version):
            yield item.record


def _named(given: Mapping[str, Any]) -> Iterable[str]:
    """The ids that the arguments name."""
    for name in ("id", "ids", "source", "target"):
        value = given.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple | set | frozenset):
            yield from (one for one in value if isinstance(one, str))


def digest_of(content: str, key: Key | None, nonce: str) -> str:
    """The digest of a content in an entry: keyed by the key of receipts, else by the nonce of the entry."""
    if key is not None:
        return key.digest(content)
    raw = content.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, key=bytes.fromhex(nonce), digest_size=16).hexdigest()
