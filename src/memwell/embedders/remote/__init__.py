"""Shared by embedders that call an HTTP API."""
