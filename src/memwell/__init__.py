"""memwell: memory for AI agents."""
