"""Reading texts: terms, names, dates, and what ranking needs of them."""
