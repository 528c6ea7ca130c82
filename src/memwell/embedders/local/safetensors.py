"""Reading safetensors: eight bytes with the length of a JSON header, the header, then the arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["tensors"]

_TYPES: Final = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I8": "i1",
    "U8": "u1",
}


def tensors(blob: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file, as views of its bytes. Raises `ValueError` for anything else."""
    import numpy as np

    size = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or size > len(blob) - 8:
        raise ValueError("the safetensors header is cut off")
    header: Mapping[str, Any] = json.loads(blob[8 : 8 + size])
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _TYPES:
            raise ValueError(f"the tensor {name} has the type {entry['dtype']}; known: {', '.join(_TYPES)}")
        start, end = entry["data_offsets"]
        raw = memoryview(blob)[8 + size + start : 8 + size + end]
        found[name] = np.frombuffer(raw, _TYPES[entry["dtype"]]).reshape(entry["shape"])
    return found
