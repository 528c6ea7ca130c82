"""Index terms made by an older analysis are made again at the first use of a store.

The number of the analysis (`memwell.retrieval.analysis.text.ANALYSIS`) stands in the table `meta`; a store without one
has number 1.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

from redis.exceptions import ResponseError

from memwell.backends.redis.store.check import fields
from memwell.backends.redis.store.rows import words_text
from memwell.backends.redis.store.server import Server, in_parts
from memwell.backends.redis.store.transaction import Transaction, transact
from memwell.errors import Corrupt
from memwell.retrieval.analysis.text import ANALYSIS

__all__ = ["analyse_again"]

_PART: Final = 500
_FIELD: Final = b"analysis"

_log = logging.getLogger("memwell.backends.redis")


def analyse_again(server: Server) -> None:
    """Bring all index terms up to date, in small transactions beside other writers. A server that takes no writes is
    searched by the terms that it has."""
    if not server.stored or int(server.command("HGET", "meta", _FIELD) or 1) >= ANALYSIS:
        return
    done = changed = 0
    try:
        for names in in_parts(dict.fromkeys(fields(server, "records")), _PART):
            changed += transact(server, lambda transaction, part=names: _renew(transaction, part))  # type: ignore[misc]
            done += len(names)
            _log.info("index terms of %d memories analysed again, %d of them changed", done, changed)
        transact(server, _note)
    except ResponseError as error:
        _log.warning("the index terms are of an older analysis and could not be written again: %s", error)


def _renew(transaction: Transaction, names: list[bytes]) -> int:
    """Write the words of some records again; how many have changed."""
    transaction.load((table, name) for name in names for table in ("records", "words"))
    changed = 0
    for name in names:
        with suppress(Corrupt):  # the doctor reports it
            row = transaction.row(name)
            text = None if row is None else words_text(row)
            if row is not None and text != transaction.get("words", name):
                transaction.put("words", name, text)
                transaction.note(row)
                changed += 1
    return changed


def _note(transaction: Transaction) -> None:
    transaction.put("meta", _FIELD, b"%d" % ANALYSIS)
