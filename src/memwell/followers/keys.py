"""Records named by tenant and id, as the change sequence names them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, TypeAlias

from memwell.ports import Change

__all__ = ["NEVER_EXPIRED", "Key", "by_tenant", "changed"]

Key: TypeAlias = tuple[str, str]
"""Tenant and id of a record."""
NEVER_EXPIRED: Final = datetime.min.replace(tzinfo=UTC)
"""A moment at which nothing has expired yet: sinks hold expired records until they are swept."""


def changed(changes: Iterable[Change]) -> set[Key]:
    """The records that changed."""
    return {(change.tenant_id, change.id) for change in changes}


def by_tenant(keys: Iterable[Key]) -> dict[str, list[str]]:
    """The ids of each tenant, both in order."""
    found: dict[str, list[str]] = {}
    for tenant, id in sorted(keys):
        found.setdefault(tenant, []).append(id)
    return found
