"""Stores: one adapter a file. They are named only by the registry."""
