"""Whether the local model is installed, and how to install it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Final

from memwell.errors import ConfigError

__all__ = ["library", "module", "remedy", "weights"]

_PACKAGES: Final = ("numpy", "onnxruntime", "tokenizers")


def remedy(folder: str | None) -> str | None:
    """The commands that install the local model; `None` if it is installed. `folder`: MEMWELL_MODEL_DIR."""
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        return "pip install 'memwell[local]' && memwell models pull"
    if folder is not None:
        try:
            library().layout_of(module("folders").expanded(folder))
        except ConfigError:
            return "memwell models pull"
        return None
    return None if weights().available() is not None else "memwell models pull"


def weights() -> Any:
    """The module that finds and downloads the default model. Raises `ConfigError` if a package is missing."""
    return module("weights")


def library() -> Any:
    """The module that finds and downloads models by name. Raises `ConfigError` if a package is missing."""
    return module("library")


def module(name: str) -> Any:
    """A module of `embedders.local`. Raises `ConfigError` if a package is missing."""
    try:
        return importlib.import_module(f"memwell.embedders.local.{name}")
    except ImportError as error:
        text = "the local model's packages are missing; run: pip install 'memwell[local]'"
        raise ConfigError(text) from error
