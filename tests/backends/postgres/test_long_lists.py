"""Long lists in filters: compared by a hash table, so that no statement runs for minutes."""

from __future__ import annotations

from typing import Any, Final

import pytest

from memwell import Memory, NewMemory
from memwell.filters import MAX_OPERANDS

MANY: Final = MAX_OPERANDS - 10
LISTS: Final[list[tuple[Any, int]]] = [
    ({"k": {"$in": [*range(-MANY, 0), 3, "x4", None]}}, 1),
    ({"k": {"$nin": list(range(-MANY, 0))}}, 1500),
    ({"t": {"$in": [*(f"y{n}" for n in range(MANY)), "x4"]}}, 1),
    ({"id": {"$in": [f"r{n}" for n in range(1000, MANY)]}}, 500),
    ({"version": {"$in": list(range(1, MANY))}}, 1500),
    ({"importance": {"$nin": [n / MANY for n in range(1, MANY) if n != MANY // 2]}}, 1500),
    ({"created_at": {"$in": ["2024-01-01T00:00:00+00:00"] * MANY}}, 0),
    ({"$or": [{"k": {"$in": list(range(-100, 0))}}] * 99}, 0),
]


@pytest.mark.parametrize(("where", "count"), LISTS)
def test_a_long_list_takes_no_longer_than_a_statement_may(postgres_url: str, where: Any, count: int) -> None:
    """One by one these are ten million comparisons and more."""
    joined = "&" if "?" in postgres_url else "?"
    with Memory(f"{postgres_url}{joined}statement_timeout=4&warm=0", embedder=None) as memory:
        memory.remember(
            [NewMemory(content=f"tea {n}", id=f"r{n}", metadata={"k": n, "t": f"x{n}"}) for n in range(1500)]
        )
        assert memory.count(where=where) == count
