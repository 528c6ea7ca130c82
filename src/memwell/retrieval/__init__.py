"""Text analysis, the in-memory index and ranking. No I/O.

- `analysis`: terms, dates and other features of texts and questions. Used when a record is written and when it is
  searched.
- `index`: the in-memory index of each owner in use: postings, vectors, conversations.
- `ranking`: `candidates` finds the records that may fit a search, `windows` adds the context of each in its
  conversation, `rank` scores and orders them.
"""
