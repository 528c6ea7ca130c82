"""mem0 as a store: `store` is the port, `dialects` and `listings` its APIs, `memories` what a record is there."""
