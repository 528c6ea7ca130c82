"""Pinecone as a vector index."""

from __future__ import annotations

from memwell.indexes.pinecone.index import Pinecone

__all__ = ["Pinecone"]
