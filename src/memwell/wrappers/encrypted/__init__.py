"""A store whose contents, metadata, signals and versions are encrypted before they reach the store inside."""

from __future__ import annotations

from memwell.wrappers.encrypted.store import Encrypted

__all__ = ["Encrypted"]
