"""Memoric's interface over memwell: memories with tiers, policies and scores, and providers to choose from.

`memoric` is this package. Vector stores, caches, language models, observability and queues are in
`memwell.compat.memoric.providers`, retries and circuit breakers in `memwell.compat.memoric.utils.resilience`.
"""

from __future__ import annotations

from memwell.compat.memoric.builders import PolicyConfig, RetrievalConfig, ScoringConfig, TierConfig
from memwell.compat.memoric.context import ContextAssembler
from memwell.compat.memoric.memory import Memory
from memwell.compat.memoric.memory_manager import Memoric
from memwell.compat.memoric.metadata import MetadataAgent
from memwell.compat.memoric.policies import PolicyExecutor
from memwell.compat.memoric.retriever import Retriever
from memwell.compat.memoric.scoring import ScoringEngine, ScoringWeights
from memwell.compat.memoric.text import LLMSummarizer, TextSummarizer, TextTrimmer

__all__ = [
    "ContextAssembler",
    "LLMSummarizer",
    "Memoric",
    "Memory",
    "MetadataAgent",
    "PolicyConfig",
    "PolicyExecutor",
    "RetrievalConfig",
    "Retriever",
    "ScoringConfig",
    "ScoringEngine",
    "ScoringWeights",
    "TextSummarizer",
    "TextTrimmer",
    "TierConfig",
]
