"""Arrays at the borders of ports: the type of vectors, and numpy where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from memwell.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Vectors", "numpy"]

Vectors: TypeAlias = "NDArray[np.float32]"
"""`(n, d) float32`, rows of unit length."""


def numpy() -> Any:
    """The numpy module. Raises `ConfigError` with the command that installs it."""
    try:
        import numpy
    except ImportError as error:
        raise ConfigError("vectors need numpy: pip install 'memwell[vectors]'") from error
    return numpy
