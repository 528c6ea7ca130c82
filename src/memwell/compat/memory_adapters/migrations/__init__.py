"""The SQL scripts of the tables, for `psql -f`: `001_create_memory_tables.sql`, `002_add_memory_indexes.sql`,
`003_add_memory_partitions.sql`.

`python -m memwell.compat.memory_adapters.migrations` prints their folder::

    cd "$(python -m memwell.compat.memory_adapters.migrations)"
    psql -d your_database -f 001_create_memory_tables.sql

With a folder as its argument it copies them there, such as to `infra/migrations`. `PostgresMemoryAdapter.connect` runs
the same scripts when the tables are missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["FOLDER", "scripts"]

FOLDER: Final = Path(__file__).parent
"""Where the scripts are."""


def scripts() -> list[Path]:
    """The scripts, in order."""
    return sorted(FOLDER.glob("*.sql"))
