"""AutoMem as a store: `store` is the port, `memories` and `relations` say what a record is there."""
