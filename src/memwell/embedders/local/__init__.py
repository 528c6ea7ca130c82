"""Sentence-embedding models in this process: on ONNX Runtime, or one stored vector for each token."""

from __future__ import annotations

from memwell.embedders.local.model import Local

__all__ = ["Local"]
