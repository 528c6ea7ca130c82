"""MemoryCore's errors: each has an `error_code` and `details`; memwell's own error is its `__cause__`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from memwell import errors

__all__ = [
    "EmbeddingDimensionError",
    "EmbeddingError",
    "EmbeddingModelError",
    "InvalidMemoryError",
    "InvalidQueryError",
    "MemoryCoreError",
    "StorageConflictError",
    "StorageConnectionError",
    "StorageError",
    "StorageNotFoundError",
    "StorageOperationError",
    "ValidationError",
    "translated",
]


class MemoryCoreError(Exception):
    """The base of all."""

    code: ClassVar[str] = "MEMORYCORE_ERROR"

    def __init__(
        self, message: str, error_code: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code or self.code
        self.details = dict(details or {})


class StorageError(MemoryCoreError):
    """The storage failed."""

    code = "STORAGE_ERROR"


class StorageConnectionError(StorageError):
    """The storage cannot be reached; a retry may help."""

    code = "STORAGE_CONNECTION_ERROR"


class StorageOperationError(StorageError):
    """The storage refused the operation."""

    code = "STORAGE_OPERATION_ERROR"


class StorageConflictError(StorageOperationError):
    """The memory was changed since it was got; get it again."""

    code = "STORAGE_CONFLICT"


class StorageNotFoundError(StorageError):
    """There is no such memory in the tenant."""

    code = "STORAGE_NOT_FOUND"


class EmbeddingError(MemoryCoreError):
    """The embedding service failed."""

    code = "EMBEDDING_ERROR"


class EmbeddingModelError(EmbeddingError):
    """The model cannot be used."""

    code = "EMBEDDING_MODEL_ERROR"


class EmbeddingDimensionError(EmbeddingError):
    """The model's vectors have another length than the settings say."""

    code = "EMBEDDING_DIMENSION_ERROR"


class ValidationError(MemoryCoreError, ValueError):
    """A value of the caller's is not valid."""

    code = "VALIDATION_ERROR"


class InvalidMemoryError(ValidationError):
    """A memory's content or metadata is not valid."""

    code = "INVALID_MEMORY"


class InvalidQueryError(ValidationError):
    """A query, filter or limit is not valid."""

    code = "INVALID_QUERY"


_TRANSLATIONS: tuple[tuple[type[errors.MemwellError], type[MemoryCoreError]], ...] = (
    (errors.InvalidQuery, InvalidQueryError),
    (errors.InvalidInput, InvalidMemoryError),
    (errors.NotFound, StorageNotFoundError),
    (errors.Conflict, StorageConflictError),
    (errors.Unavailable, StorageConnectionError),
    (errors.EmbeddingError, EmbeddingModelError),
    (errors.MemwellError, StorageOperationError),
)


@asynccontextmanager
async def translated(
    operation: str, invalid: type[ValidationError] = InvalidMemoryError
) -> AsyncIterator[None]:
    """Raise MemoryCore's errors instead of memwell's; `invalid` for a value that is not valid."""
    try:
        yield
    except errors.MemwellError as error:
        kind = next(ours for theirs, ours in _TRANSLATIONS if isinstance(error, theirs))
        kind = invalid if kind is InvalidMemoryError else kind
        raise kind(str(error), details={"operation": operation}) from error
