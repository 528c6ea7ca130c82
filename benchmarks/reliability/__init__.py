"""Proofs by force: killed writers and crowded files. `python -m benchmarks.reliability.crash --help`."""
