"""A growable matrix of unit vectors for exact search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwell.errors import ConfigError, EmbeddingError
from memwell.ports.arrays import numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from memwell.ports import Vectors

__all__ = ["Matrix"]

SLAB = 8192
"""Rows allocated at a time."""
_LEAST = 64
"""Rows of the smallest slab."""


class Matrix:
    """Rows of float32 in slabs. Growing beyond the first slab copies nothing, so peak memory is the size of the matrix.
    The first slab begins as large as needed, because most owners have few records.

    Callers must lock: many threads may read at once, but none while another writes. Only `dot` may run while rows are
    appended; it covers the rows that existed when it began.
    """

    def __init__(self, dimension: int, *, expected: int = 0) -> None:
        """A matrix without rows, with room for as many as are `expected`. Raises `ConfigError` if numpy is missing or
        the dimension is not positive.
        """
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}")
        self._np = numpy()
        self.dimension = dimension
        """Length of every row."""
        self.rows = 0
        """Number of rows, cleared ones included."""
        self._slabs: list[NDArray[np.float32]] = []
        self._expected = expected

    def append(self, rows: Vectors) -> int:
        """Append `(n, d)` rows; returns the number of the first. Raises `EmbeddingError` for another dimension."""
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise EmbeddingError(
                f"the matrix has dimension {self.dimension}; rows of shape {tuple(rows.shape)} do not fit"
            )
        first, taken = self.rows, 0
        while taken < len(rows):
            room = self._room()[: len(rows) - taken]
            room[:] = rows[taken : taken + len(room)]
            taken += len(room)
            self.rows += len(room)
        return first

    def append_stored(self, rows: Sequence[bytes]) -> None:
        """Append rows as they are stored, little-endian float32. Raises `EmbeddingError` for another dimension."""
        sizes = set(map(len, rows)) - {4 * self.dimension}
        if sizes:
            raise EmbeddingError(
                f"the matrix has dimension {self.dimension}; a row of {min(sizes)} bytes does not fit"
            )
        self.append(self._np.frombuffer(b"".join(rows), dtype="<f4").reshape(-1, self.dimension))

    def _room(self) -> NDArray[np.float32]:
        """The free rows of the last slab; of a new one if it is full."""
        slab, at = divmod(self.rows, SLAB)
        if slab == len(self._slabs):
            self._slabs.append(self._empty(SLAB if slab else min(SLAB, max(_LEAST, self._expected))))
        elif at == len(self._slabs[slab]):
            larger = self._empty(min(SLAB, at + at // 4 + _LEAST))
            larger[:at] = self._slabs[slab]
            self._slabs[slab] = larger  # who reads the smaller one may go on
        return self._slabs[slab][at:]

    def _empty(self, rows: int) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._np.empty((rows, self.dimension), dtype=self._np.float32)
        return found

    def set(self, row: int, vector: Vectors) -> None:
        """Replace a row by a `(d,)` vector. Raises `EmbeddingError` for another dimension, `IndexError` past the
        end.
        """
        if vector.shape != (self.dimension,):
            raise EmbeddingError(
                f"the matrix has dimension {self.dimension}; a vector of shape {tuple(vector.shape)} does not fit"
            )
        self._row(row)[:] = vector

    def get(self, row: int) -> Vectors:
        """A copy of a row, `(d,) float32`. Raises `IndexError` past the end."""
        return self._row(row).copy()

    def clear(self, row: int) -> None:
        """Set a row to zero, so that each of its products is 0. Raises `IndexError` past the end."""
        self._row(row)[:] = 0

    def check(self, query: Vectors) -> None:
        """Raises `EmbeddingError` for a query of another dimension."""
        if query.shape[-1] != self.dimension:
            raise EmbeddingError(
                f"the stored vectors have dimension {self.dimension}, the query vector has {query.shape[-1]};"
                " give an embedder with another dimension another model name"
            )

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Vectors:
        """A copy of some rows, `(len(rows), d) float32`, in the given order. Raises `IndexError` past the end."""
        np = self._np
        numbers = np.asarray(rows, dtype=np.intp)
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.rows:
            raise IndexError(f"rows {numbers.min()} to {numbers.max()} of {self.rows}")
        found = np.empty((len(numbers), self.dimension), dtype=np.float32)
        slabs = numbers // SLAB
        for slab in np.unique(slabs):
            inside = np.nonzero(slabs == slab)[0]
            found[inside] = self._slabs[slab][numbers[inside] % SLAB]
        result: Vectors = found
        return result

    def dot(self, query: Vectors) -> Vectors:
        """The product of each row with a `(d,)` query: `(rows,) float32`; the cosine if both have unit length. Raises
        `EmbeddingError` for another dimension."""
        self.check(query)
        rows = self.rows  # read once: another thread may append meanwhile
        products: Vectors = self._np.empty(rows, dtype=self._np.float32)
        query = self._np.ascontiguousarray(query, dtype=self._np.float32)
        for start, slab in self.slabs(rows):
            self._products(slab, query, products[start : start + len(slab)])
        return products

    def dot_some(self, rows: Sequence[int] | NDArray[np.intp], query: Vectors) -> Vectors:
        """The product of some rows with a `(d,)` query: `(len(rows),) float32`, in the given order. Raises `IndexError`
        past the end."""
        taken = self.take(rows)
        products: Vectors = self._np.empty(len(taken), dtype=self._np.float32)
        self._products(taken, self._np.ascontiguousarray(query, dtype=self._np.float32), products)
        return products

    def _products(self, rows: Vectors, query: Vectors, out: Vectors) -> None:
        """Row by row, which is as fast as one product of BLAS, whose threads would spin for a while afterwards."""
        self._np.matmul(rows[:, None], query[:, None], out=out[:, None, None])

    def dot_many(self, queries: Vectors) -> Vectors:
        """The products with `(q, d)` queries: `(q, rows) float32`."""
        products: Vectors = self._np.empty((len(queries), self.rows), dtype=self._np.float32)
        queries = self._np.ascontiguousarray(queries, dtype=self._np.float32)
        for start, slab in self.slabs():
            self._np.matmul(queries, slab.T, out=products[:, start : start + len(slab)])
        return products

    def slabs(self, rows: int | None = None) -> Iterator[tuple[int, Vectors]]:
        """The first `rows` rows, or all, without a copy: pairs (number of the slab's first row, `(n, d)` view)."""
        rows = self.rows if rows is None else rows
        for start in range(0, rows, SLAB):
            yield start, self._slabs[start // SLAB][: min(SLAB, rows - start)]

    def _row(self, row: int) -> Vectors:
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        found: Vectors = self._slabs[row // SLAB][row % SLAB]
        return found
