"""Shared by parts that call network services: clients, API keys, `Retry-After`."""
