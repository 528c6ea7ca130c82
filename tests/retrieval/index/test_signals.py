"""The columns of signals are the same, read at once or line by line."""

from __future__ import annotations

from memwell.retrieval.index.signals import Signals

LINES = (
    "ana\t0.35\t739949-739949",
    "",
    "ben\t\t",
    "ana\t0.35\t738521-738885,739943-739949",
    "\t\t739951-739981\t739951-739981\t739982-740012",
    "\t0.50\t",
    "ben\t0.20\t~ciphertext",
)


def test_lines_read_at_once_give_the_columns_of_lines_added() -> None:
    added = Signals()
    for line in LINES:
        added.add(line)
    whole = Signals(LINES)
    assert vars(whole) == vars(added)
    assert whole.codes == {"ana": 1, "ben": 2}
    assert whole.actors.tolist() == [1, 0, 2, 1, 0, 0, 2]
    assert whole.shares.tolist() == [0.35, 0, 0, 0.35, 0, 0.5, 0.2]
    assert [*whole.timed] == [1, 0, 0, 1, 1, 0, 0]
