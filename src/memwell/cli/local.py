"""The local model, as far as the command line has to know of it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Final

from memwell.errors import ConfigError

__all__ = ["remedy", "weights"]

_PACKAGES: Final = ("numpy", "onnxruntime", "tokenizers")


def remedy(folder: str | None) -> str | None:
    """What to run so that recall goes by meaning too; `None` when it does already. `folder`: MEMWELL_MODEL_DIR."""
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        return "pip install 'memwell[local]' && memwell models pull"
    return None if weights().available(folder) is not None else "memwell models pull"


def weights() -> Any:
    """The module that finds and fetches the weights. Raises `ConfigError` when a package is missing."""
    try:
        return importlib.import_module("memwell.embedders.local.weights")
    except ImportError as error:
        text = "the local model's packages are missing; run: pip install 'memwell[local]'"
        raise ConfigError(text) from error
