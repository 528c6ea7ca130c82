"""The growable matrix: it equals a plain one, does not move, and does not copy."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from memwell.errors import ConfigError, EmbeddingError
from memwell.ports import Vectors
from memwell.retrieval.index.matrix import SLAB, Matrix


def unit(rows: int, dimension: int = 12, seed: int = 1) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("sizes", [[], [1], [3, 0, 4], [SLAB], [SLAB + 1], [1, SLAB, 2 * SLAB, 5]])
def test_products_equal_those_of_a_plain_matrix(sizes: list[int]) -> None:
    matrix, plain = Matrix(12), np.empty((0, 12), dtype=np.float32)
    for size in sizes:
        rows = unit(size, seed=size)
        assert matrix.append(rows) == len(plain)
        matrix.append_stored([row.astype("<f4").tobytes() for row in rows[::-1]])
        plain = np.concatenate([plain, rows, rows[::-1]])
    queries = unit(3, seed=99)
    assert matrix.rows == len(plain)
    assert matrix.dot(queries[0]).dtype == np.float32
    np.testing.assert_allclose(matrix.dot(queries[0]), plain @ queries[0], atol=1e-6)
    np.testing.assert_allclose(matrix.dot_many(queries), queries @ plain.T, atol=1e-6)
    rows = np.arange(len(plain))[::-3]
    np.testing.assert_allclose(matrix.dot_some(rows, queries[1]), plain[rows] @ queries[1], atol=1e-6)
    assert matrix.dot_many(queries[:0]).shape == (0, len(plain))
    np.testing.assert_array_equal(np.concatenate([plain[:0], *(view for _, view in matrix.slabs())]), plain)


def test_rows_are_set_read_taken_and_cleared_across_slabs() -> None:
    matrix, plain = Matrix(12), unit(SLAB + 10)
    matrix.append(plain)
    new = unit(2, seed=5)
    for row, vector in zip((7, SLAB + 3), new, strict=True):
        matrix.set(row, vector)
        plain[row] = vector
    matrix.clear(SLAB - 1)
    plain[SLAB - 1] = 0
    wanted = [SLAB + 3, 0, SLAB - 1, SLAB, 7, 7]
    np.testing.assert_array_equal(matrix.take(wanted), plain[wanted])
    np.testing.assert_array_equal(matrix.get(SLAB + 9), plain[SLAB + 9])
    assert matrix.dot(new[0])[SLAB - 1] == 0
    assert matrix.take([]).shape == (0, 12)


def test_what_was_appended_or_read_is_a_copy() -> None:
    matrix, rows = Matrix(12), unit(2)
    before = rows.copy()
    matrix.append(rows)
    rows[:] = 0
    matrix.get(0)[:] = 0
    matrix.take([0])[:] = 0
    np.testing.assert_array_equal(matrix.take([0, 1]), before)


def test_growing_moves_no_row_and_needs_no_more_memory_than_the_rows() -> None:
    tracemalloc.start()
    matrix, block = Matrix(64), unit(1000, 64)
    for _ in range(9):  # more than one slab
        matrix.append(block)
    first = next(iter(matrix.slabs()))[1]
    for _ in range(52):
        matrix.append(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.shares_memory(first, next(iter(matrix.slabs()))[1])
    assert peak < matrix.rows * 64 * 4 + 2 * SLAB * 64 * 4


def test_few_rows_take_little_room_and_more_come_after_them() -> None:
    few, matrix = Matrix(12, expected=100), Matrix(12)
    rows = unit(300)
    tracemalloc.start()
    few.append(rows[:100])
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < 2 * 100 * 12 * 4
    seen = next(iter(few.slabs()))[1]
    few.append(rows[100:])
    for row in rows:
        matrix.append(row[None])
    for each in (few, matrix):
        np.testing.assert_array_equal(each.take(range(300)), rows)
    np.testing.assert_array_equal(seen, rows[:100])


@pytest.mark.parametrize("shape", [(2, 11), (2, 13), (12,), (1, 2, 12)])
def test_rows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    matrix = Matrix(12)
    with pytest.raises(EmbeddingError):
        matrix.append(np.zeros(shape, dtype=np.float32))
    matrix.append(unit(1))
    with pytest.raises(EmbeddingError, match="44 bytes"):
        matrix.append_stored([bytes(48), bytes(44)])
    assert matrix.rows == 1
    with pytest.raises(EmbeddingError):
        matrix.set(0, np.zeros(13, dtype=np.float32))


@pytest.mark.parametrize("row", [-1, 1, SLAB])
def test_a_row_that_is_not_there_is_an_index_error(row: int) -> None:
    matrix = Matrix(12)
    matrix.append(unit(1))
    for call in (
        matrix.get,
        matrix.clear,
        lambda row: matrix.set(row, unit(1)[0]),
        lambda row: matrix.take([row]),
    ):
        with pytest.raises(IndexError):
            call(row)


def test_a_dimension_is_positive() -> None:
    with pytest.raises(ConfigError):
        Matrix(0)


class Growing(Matrix):
    """As if another thread appended a row before each slab is looked at."""

    def slabs(self, rows: int | None = None) -> Iterator[tuple[int, Vectors]]:
        for found in super().slabs(rows):
            self.append(np.ones((1, self.dimension), dtype=np.float32))
            yield found


def test_a_product_tells_of_the_rows_that_were_there_when_it_began() -> None:
    matrix = Growing(2)
    matrix.append(np.ones((SLAB + 1, 2), dtype=np.float32))
    assert matrix.dot(np.ones(2, dtype=np.float32)).tolist() == [2.0] * (SLAB + 1)
