"""Requests that look after a whole store."""

from __future__ import annotations

from os import PathLike

from memwell._dataclasses import dataclass
from memwell.engine.requests.base import OwnedRequest

__all__ = [
    "ExportRequest",
    "ImportRequest",
    "ReembedRequest",
    "RotateKeysRequest",
    "ShredRequest",
    "StatsRequest",
]


@dataclass(slots=True, kw_only=True)
class StatsRequest(OwnedRequest):
    """`stats`: counts by kind, category and model."""


@dataclass(slots=True, kw_only=True)
class ExportRequest(OwnedRequest):
    """`export`: write a scope's memories to a file."""

    path: str | PathLike[str]
    vectors: bool = True
    plain: bool = False


@dataclass(slots=True, kw_only=True)
class ImportRequest:
    """`import_`: read an export."""

    path: str | PathLike[str]


@dataclass(slots=True, kw_only=True)
class ReembedRequest:
    """`reembed`: move the store to another embedding model."""

    batch: int = 64
    drop_old: bool = False
    skip_failed: bool = False


@dataclass(slots=True, kw_only=True)
class RotateKeysRequest:
    """`rotate_keys`: wrap all data keys by the first master key."""

    data: bool = False


@dataclass(slots=True, kw_only=True)
class ShredRequest:
    """`shred`: destroy the keys of a tenant."""

    tenant: str
    reason: str
    actor: str | None = None
