"""Doctor and repair of a Redis store: compares every derived entry with its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from memwell.backends.redis.memory import evicting
from memwell.backends.redis.store.inspection import OWNERS, SORTED, Findings, Inspection
from memwell.backends.redis.store.server import Server, in_parts
from memwell.backends.redis.store.transaction import Transaction, transact
from memwell.types import Problem, Report

__all__ = ["check", "fields"]

_PART: Final = 200
_LOOKS: Final = 20


def check(server: Server, repair: bool) -> Report:
    """Inspect every row, then what belongs to no row. With `repair`, fix what is wrong in small transactions."""
    found = Findings()
    _look_at_tables(server, found, repair)
    for names in in_parts(dict.fromkeys(fields(server, "records")), _PART):
        _take(server, found, repair, partial(Inspection.rows, names=names))
    for table in OWNERS:
        for members in in_parts(fields(server, table), _PART):
            _take(server, found, repair, partial(Inspection.orphans, table=table, members=members))
    for part in in_parts(fields(server, "vectors"), _PART):
        _take(server, found, repair, partial(Inspection.vectors, fields=part))
    for part in in_parts(fields(server, "marks"), _PART):
        _take(server, found, repair, partial(Inspection.marks, digests=part))
    left = [problem for problem in found.problems if not (repair and problem.repairable)]
    return Report(ok=not left, checked=found.checked, problems=tuple(found.problems), repaired=found.repaired)


def _look_at_tables(server: Server, found: Findings, repair: bool) -> None:
    """Whether the server may evict tables, or has lost some."""
    if reason := evicting(server.memory()):
        found.problems.append(Problem(kind="eviction", detail=reason, repairable=False))
    if lost := server.lost():
        found.problems.append(lost)
        if repair and lost.repairable:
            server.restore()
            found.repaired += 1


def _take(server: Server, found: Findings, repair: bool, work: Callable[[Inspection], None]) -> None:
    """Do a part of the work; a repair in a transaction.

    Others may write between two reads of an inspection. So a problem counts if nothing has changed meanwhile, or if it
    is found at every look.
    """

    def look(transaction: Transaction) -> Findings:
        done = Inspection(transaction, repair)
        work(done)
        return done.found

    def looked() -> Findings:
        common: list[Problem] | None = None
        for _ in range(_LOOKS):
            transaction = Transaction(server)
            seen = look(transaction)
            common = [problem for problem in seen.problems if common is None or problem in common]
            if not common or transaction.stands():
                break
        return replace(seen, problems=common or [])

    seen = transact(server, look) if repair else looked()
    found.problems += seen.problems
    found.checked += seen.checked
    if repair:
        found.repaired += sum(problem.repairable for problem in seen.problems)


def fields(server: Server, table: str) -> Iterator[bytes]:
    """Every field or member that stays in a table during the scan; some may come twice."""
    scan = "ZSCAN" if table in SORTED else "HSCAN"
    cursor = 0
    while True:
        page = server.command(scan, table, cursor, "COUNT", 10 * _PART)
        cursor, entries = int(page[0]), page[1]
        yield from entries if isinstance(entries, dict) else (member for member, _ in entries)
        if cursor == 0:
            return
