"""PostgreSQL: memwell's store beside hand-written SQL."""

from benchmarks.speed.postgres.rows import postgres

__all__ = ["postgres"]
