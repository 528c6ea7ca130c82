"""Weaviate as a vector index."""

from __future__ import annotations

from memwell.indexes.weaviate.index import Weaviate

__all__ = ["Weaviate"]
