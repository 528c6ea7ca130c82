"""Rows of PostgreSQL: what comes back is what was stored, whatever the server is set to."""

from __future__ import annotations

import pytest

from memwell import Memory

FLOATS = (1 / 3, 0.1 + 0.2, 1e-300, 5e-324, 1 - 2**-53)


def test_floats_keep_their_bits_where_the_server_writes_fifteen_digits(postgres_url: str) -> None:
    joined = "&" if "?" in postgres_url else "?"
    with Memory(f"{postgres_url}{joined}options=-c%20extra_float_digits%3D0", embedder=None) as memory:
        memory.remember("hub", id="hub")
        for number, value in enumerate(FLOATS):
            memory.remember(f"tea {number}", id=f"r{number}", importance=value, metadata={"x": value})
            memory.relate("hub", f"r{number}", strength=value)
            found = memory.get(f"r{number}")
            assert (found.importance, found.metadata["x"]) == (value, value)
            assert memory.count(where={"importance": value}) == memory.count(where={"x": value}) == 1
        assert [link.strength for link in memory.get("hub").links] == pytest.approx(
            list(FLOATS), rel=0, abs=0
        )
        assert {found.strength for found in memory.related("hub")} == set(FLOATS)
