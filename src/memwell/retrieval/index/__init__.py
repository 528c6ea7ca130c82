"""The index in memory: postings, vectors and conversations of one owner."""
