"""PostgreSQL: memwell's store beside hand-written SQL."""
