"""Embedders, one module or package each. Each is imported only when it is used."""
