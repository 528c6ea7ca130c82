"""Rerankers: models that read the question and a memory together, for the best candidates of a recall."""
