"""Qdrant as a vector index: a server, a local folder, or embedded (`qdrant-edge`)."""
