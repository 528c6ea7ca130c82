"""Chroma as a vector index."""

from __future__ import annotations

from memwell.indexes.chroma.index import Chroma

__all__ = ["Chroma"]
