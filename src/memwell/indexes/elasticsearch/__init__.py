"""Elasticsearch as a vector index."""

from __future__ import annotations

from memwell.indexes.elasticsearch.index import Elasticsearch

__all__ = ["Elasticsearch"]
