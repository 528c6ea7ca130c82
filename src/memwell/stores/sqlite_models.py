"""Which model's vectors a SQLite store serves, and moving from one to another."""

from __future__ import annotations

import sqlite3

from memwell.errors import InvalidInput

__all__ = ["drop", "serve", "serving", "take_over"]

_OF_MODEL = "v.id >= {number} << 44 AND v.id < ({number} + 1) << 44"


def serving(connection: sqlite3.Connection) -> str | None:
    """The model that searches use; `None` while there are no vectors of it."""
    row = connection.execute("SELECT name, number FROM models WHERE serving").fetchone()
    if row is None or not _has_vectors(connection, row[1]):
        return None
    return str(row[0])


def serve(connection: sqlite3.Connection, model: str) -> int:
    """Cut over if every record has vectors of the model; how many lack them."""
    row = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
    total = int(connection.execute("SELECT count(*) FROM records").fetchone()[0])
    if row is None:
        return total
    having = connection.execute(
        "SELECT count(*) FROM records r WHERE EXISTS (SELECT 1 FROM vectors v WHERE v.id = r.key + (? << 44))",
        row,
    ).fetchone()[0]
    if total == having:
        take_over(connection, row[0])
    return total - int(having)


def take_over(connection: sqlite3.Connection, number: int) -> None:
    """Let a model serve from now on."""
    connection.execute("UPDATE models SET serving = (number = ?)", (number,))


def drop(connection: sqlite3.Connection, model: str) -> int:
    """Remove the vectors of a model that does not serve; of how many records."""
    row = connection.execute("SELECT number, serving FROM models WHERE name = ?", (model,)).fetchone()
    if row is None:
        return 0
    if row[1] and _has_vectors(connection, row[0]):
        raise InvalidInput(f"{model!r} serves searches; move to another model first", part="sqlite")
    gone = connection.execute(
        f"DELETE FROM vectors AS v WHERE {_OF_MODEL.format(number='?1')}", row[:1]
    ).rowcount
    numbers = [other[0] for other in connection.execute("SELECT number FROM models").fetchall()]
    left = " OR ".join(f"v.id = r.key + ({number} << 44)" for number in numbers)
    connection.execute(
        f"UPDATE records AS r SET embedded = EXISTS (SELECT 1 FROM vectors v WHERE {left}) WHERE embedded"
    )
    connection.execute("DELETE FROM models WHERE number = ? AND NOT serving", row[:1])
    return gone


def _has_vectors(connection: sqlite3.Connection, number: int) -> bool:
    query = f"SELECT EXISTS (SELECT 1 FROM vectors v WHERE {_OF_MODEL.format(number='?1')})"
    return bool(connection.execute(query, (number,)).fetchone()[0])
