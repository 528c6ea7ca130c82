"""From candidates to explained scores."""
