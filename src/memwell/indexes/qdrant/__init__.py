"""Qdrant as a vector index: a server, a folder, or in process (`qdrant-edge`)."""
