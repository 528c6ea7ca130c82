"""Vector indexes: one module or package per adapter of the `VectorIndex` port."""
