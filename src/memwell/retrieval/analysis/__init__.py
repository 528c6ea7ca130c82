"""Text analysis: terms, names, dates, and the features that ranking uses."""
