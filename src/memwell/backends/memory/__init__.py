"""In-process parts: nothing outlives the process, unless `persisted` keeps it."""
