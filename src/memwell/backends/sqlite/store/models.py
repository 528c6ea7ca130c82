"""Which model's vectors a SQLite store serves, and moving from one to another."""

from __future__ import annotations

import sqlite3

from memwell.errors import InvalidInput

__all__ = ["MODEL_SHIFT", "drop", "names", "serve", "serving", "settle"]

MODEL_SHIFT = 44
"""The id of a vector: the number of its model, shifted by this, and the key of its record."""
_OF_MODEL = "v.id >= ?1 << 44 AND v.id < (?1 + 1) << 44"


def names(connection: sqlite3.Connection) -> list[str]:
    """See `Store.embedding_models`."""
    known = connection.execute("SELECT name, number FROM models").fetchall()
    return [name for name, number in known if _has_vectors(connection, number)]


def serving(connection: sqlite3.Connection) -> str | None:
    """The model that searches use; `None` while there are no vectors of it."""
    row = connection.execute("SELECT name, number FROM models WHERE serving").fetchone()
    if row is None or not _has_vectors(connection, row[1]):
        return None
    return str(row[0])


def settle(connection: sqlite3.Connection, number: int) -> None:
    """Before vectors of a model are stored: let it serve if no other has vectors and serves."""
    row = connection.execute("SELECT number FROM models WHERE serving").fetchone()
    if row is None or (row[0] != number and not _has_vectors(connection, row[0])):
        _take_over(connection, number)


def serve(connection: sqlite3.Connection, model: str, lacking: int) -> int:
    """See `Store.serve`."""
    row = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
    number = -1 if row is None else row[0]
    without = connection.execute(
        "SELECT count(*) FROM records r WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.id = r.key + (? << 44))",
        (number,),
    ).fetchone()[0]
    if without <= lacking:
        _take_over(connection, number)
    return int(without)


def drop(connection: sqlite3.Connection, model: str) -> int:
    """See `Store.drop_model`."""
    row = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
    if row is None:
        return 0
    if model == serving(connection):
        raise InvalidInput(f"{model!r} serves searches; reembed with another model first", part="sqlite")
    gone = connection.execute(f"DELETE FROM vectors AS v WHERE {_OF_MODEL}", row).rowcount
    connection.execute("DELETE FROM models WHERE number = ?", row)
    if gone:
        numbers = [other[0] for other in connection.execute("SELECT number FROM models").fetchall()]
        left = " OR ".join(f"v.id = r.key + ({number} << 44)" for number in numbers) or "0"
        connection.execute(
            f"UPDATE records AS r SET embedded = 0 WHERE embedded AND NOT EXISTS (SELECT 1 FROM vectors v WHERE {left})"
        )
    return gone


def _take_over(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("UPDATE models SET serving = (number = ?)", (number,))


def _has_vectors(connection: sqlite3.Connection, number: int) -> bool:
    query = f"SELECT EXISTS (SELECT 1 FROM vectors v WHERE {_OF_MODEL})"
    return bool(connection.execute(query, (number,)).fetchone()[0])
