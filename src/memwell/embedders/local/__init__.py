"""The local model: MiniLM on ONNX Runtime, and the source of its weights."""

from __future__ import annotations

from memwell.embedders.local.model import MiniLM

__all__ = ["MiniLM"]
