"""Embedders, one file each; nothing is imported until it is asked for."""
