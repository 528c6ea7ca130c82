"""What indexes that live in the process share."""
