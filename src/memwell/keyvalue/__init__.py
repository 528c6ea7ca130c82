"""Small values under text keys: one file per adapter of the `KeyValue` port."""
