"""The local model: MiniLM on ONNX Runtime, and where its weights come from."""

from __future__ import annotations

from memwell.embedders.local.model import MiniLM

__all__ = ["MiniLM"]
