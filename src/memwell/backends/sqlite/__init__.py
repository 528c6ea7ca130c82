"""SQLite: one file, shared by many threads and processes."""
