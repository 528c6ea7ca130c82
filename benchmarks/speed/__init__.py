"""Speed beside a hand-written floor; `python -m benchmarks.speed`."""
