"""Quality of recall on public conversations: `python -m benchmarks.quality --help`."""
