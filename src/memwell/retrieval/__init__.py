"""Recall without a model: reading texts and questions, the index in memory, and the ranking. No I/O.

Write: `text` and `dates` read a content, `evidence.describe` and `signals` keep what was read. Read:
`corpora` holds the `corpus` of each owner (`lexical` postings, a `vectorset`, `conversations`), `candidates`
answers a `search` with those that may fit and the evidence of their `windows`, `ranking` puts them in order.
"""
