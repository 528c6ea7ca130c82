"""Shared by stores that keep memories in another memory service, over its API.

`documents` carries a record in what the service stores, `drafts` turns operations into its calls, `listing` searches
what it lists, `store` is the base of the adapters.
"""
