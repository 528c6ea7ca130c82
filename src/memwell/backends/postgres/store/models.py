"""The embedding models of a PostgreSQL store: a partition for the vectors of each, and which one serves searches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from psycopg.errors import InsufficientPrivilege

from memwell._dataclasses import dataclass
from memwell.backends.postgres import Connection, Database
from memwell.backends.postgres.store.rows import rows_of
from memwell.errors import ConfigError, EmbeddingError, InvalidInput, NotSupported
from memwell.ports import Embedding

__all__ = ["HAS_VECTORS", "SETTLE", "Model", "Models", "drop", "names", "serve", "serving"]

_INLINE: Final = 1900
"""Up to this dimension a vector fits into the row, where comparing is fastest; a longer one is stored out of line."""

_CREATING: Final = "SELECT pg_advisory_xact_lock(1835365241, 'models'::regclass::oid::int)"
"""Takes the lock under which models are created and replaced."""

HAS_VECTORS: Final = "EXISTS (SELECT FROM vectors v WHERE v.model = m.number)"

SETTLE: Final = (
    "UPDATE models SET serving = (number = %s) WHERE (serving OR number = %s) AND NOT EXISTS"
    f" (SELECT FROM models m WHERE m.serving AND {HAS_VECTORS} AND m.number <> %s)"
)
"""Makes the model whose vectors were just stored the serving one, unless another with vectors serves. Takes its number
three times."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as stored in the database."""

    number: int
    dimension: int

    @property
    def table(self) -> str:
        """The partition of its vectors."""
        return f"vectors_{self.number}"


class Models:
    """A process's cache of the models; call `forget` when it turns out to be out of date."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Model] = {}

    @property
    def there(self) -> bool:
        """Whether the database can store vectors."""
        return "vectors" not in self._database.missing

    def forget(self) -> None:
        """Drop the cache."""
        self._known = {}

    async def prepare(self, embeddings: Iterable[Embedding | None]) -> None:
        """Create the partitions for vectors of these models, in a transaction of its own. Raises `EmbeddingError` if
        the dimension differs from the model's, `NotSupported` without the extension vector.
        """
        pairs = {(e.model, e.vectors.shape[1]) for e in embeddings if e is not None}
        dimensions = dict(pairs)
        for name, dimension in pairs:
            if dimensions[name] != dimension:
                raise _unfitting(name, dimensions[name], dimension)
            known = self._known.get(name)
            if known is None:
                known = self._known[name] = await self._find(name, dimension)
            if known.dimension != dimension:
                self._known[name] = await self._recreate(name, dimension)

    def of(self, embedding: Embedding) -> Model:
        """The model of an embedding that was passed to `prepare`."""
        return self._known[embedding.model]

    async def _find(self, name: str, dimension: int) -> Model:
        async with self._database.transaction() as connection:
            missing = self._database.missing.get("vectors")
            if missing is not None:
                raise NotSupported(
                    f"vectors cannot be stored: {missing} (as a database user who is allowed to), then open the store"
                    " again; or open the memory with embedder=None to recall by words",
                    part="postgres",
                )
            found = await _lookup(connection, name)
            if found is None:
                await connection.execute(_CREATING)
                found = await _lookup(connection, name)
            return await _created(connection, name, dimension) if found is None else found

    async def _recreate(self, name: str, dimension: int) -> Model:
        """Give a model another dimension, if it has no vectors. Raises `EmbeddingError` if it has."""
        async with self._database.transaction() as connection:
            await connection.execute(_CREATING)
            found = await _lookup(connection, name)
            if found is not None and found.dimension != dimension:
                await connection.execute(f"LOCK TABLE {found.table} IN ACCESS EXCLUSIVE MODE".encode())
                if await rows_of(connection, f"SELECT 1 FROM {found.table} LIMIT 1"):
                    raise _unfitting(name, found.dimension, dimension)
                await _remove(connection, found)
                found = None
            return await _created(connection, name, dimension) if found is None else found


def _unfitting(name: str, known: int, dimension: int) -> EmbeddingError:
    return EmbeddingError(
        f"the stored vectors of {name!r} have dimension {known}, not {dimension};"
        " give an embedder with another dimension another model name",
        part="postgres",
    )


async def names(connection: Connection) -> list[str]:
    """See `Store.embedding_models`."""
    rows = await rows_of(connection, f"SELECT m.name FROM models m WHERE {HAS_VECTORS}")
    return [name for (name,) in rows]


async def serving(connection: Connection) -> str | None:
    """The model that searches use; `None` while it has no vectors."""
    rows = await rows_of(connection, f"SELECT m.name FROM models m WHERE m.serving AND {HAS_VECTORS}")
    return rows[0][0] if rows else None


async def serve(connection: Connection, model: str, lacking: int) -> int:
    """See `Store.serve`."""
    await connection.execute("LOCK TABLE models IN SHARE ROW EXCLUSIVE MODE")
    rows = await rows_of(
        connection,
        "SELECT count(*) FROM records r WHERE NOT EXISTS (SELECT FROM vectors v JOIN models m ON m.number = v.model"
        " WHERE v.key = r.key AND m.name = %s)",
        [model],
    )
    without = int(rows[0][0])
    if without <= lacking:
        await connection.execute("UPDATE models SET serving = (name = %s)", (model,))
    return without


async def drop(connection: Connection, model: str) -> int:
    """See `Store.drop_model`."""
    await connection.execute("LOCK TABLE models IN SHARE ROW EXCLUSIVE MODE")
    found = await _lookup(connection, model)
    if found is None:
        return 0
    if model == await serving(connection):
        raise InvalidInput(f"{model!r} serves searches; reembed with another model first", part="postgres")
    await connection.execute(f"LOCK TABLE {found.table} IN ACCESS EXCLUSIVE MODE".encode())
    gone = await rows_of(connection, f"SELECT count(*) FROM {found.table}")
    await connection.execute(
        f"UPDATE records r SET embedded = false FROM {found.table} d WHERE d.key = r.key AND r.embedded"
        " AND NOT EXISTS (SELECT FROM vectors v WHERE v.key = r.key AND v.model <> %s)".encode(),
        (found.number,),
    )
    await _remove(connection, found)
    return int(gone[0][0])


async def _lookup(connection: Connection, name: str) -> Model | None:
    rows = await rows_of(connection, "SELECT number, dimension FROM models WHERE name = %s", [name])
    return Model(*rows[0]) if rows else None


async def _remove(connection: Connection, model: Model) -> None:
    await connection.execute(f"DROP TABLE {model.table}".encode())
    await connection.execute("DELETE FROM models WHERE number = %s", (model.number,))


async def _created(connection: Connection, name: str, dimension: int) -> Model:
    """See `_create`. Raises `ConfigError` for a database user who may not create tables."""
    try:
        return await _create(connection, name, dimension)
    except InsufficientPrivilege as error:
        raise ConfigError(
            f"this database user may not create the table for vectors of {name!r}; store the first vector of a model"
            " as the owner of the tables, for example by `memwell remember` or `memwell repair` with this --embedder",
            part="postgres",
        ) from error


async def _create(connection: Connection, name: str, dimension: int) -> Model:
    """Register a model and create the partition for its vectors. Attaching it waits for no reader or writer."""
    rows = await rows_of(
        connection,
        "INSERT INTO models (name, dimension) VALUES (%s, %s) RETURNING number, dimension",
        [name, dimension],
    )
    model = Model(*rows[0])
    storage = "PLAIN" if dimension <= _INLINE else "EXTERNAL"
    for statement in (
        f"CREATE TABLE {model.table} (LIKE vectors INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING INDEXES,"
        f" CHECK (vector_dims(vec) = {dimension}), CHECK (model = {model.number}))",
        f"ALTER TABLE {model.table} ALTER COLUMN vec SET STORAGE {storage}",
        f"ALTER TABLE vectors ATTACH PARTITION {model.table} FOR VALUES IN ({model.number})",
    ):
        await connection.execute(statement.encode())
    return model
