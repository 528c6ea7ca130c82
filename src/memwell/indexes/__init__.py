"""Ids near a vector: one file per adapter of the `VectorIndex` port."""
