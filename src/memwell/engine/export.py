"""Export: one JSON object a line, checksummed. `import_` reads it.

Form 1::

    {"memwell": "export", "form": 1, "scope": {…}, "total": 3, "position": 7, "vectors": true, "at": "…"}
    {"record": {…}, "past": [version, …], "vectors": [embedding, …]}           one a memory, in order of id
    {"links": [[tenant, source, {link}], …]}                                   at most 1,000 a line
    {"end": true, "records": 3, "sha256": "…"}                                 digest of all lines before it

The export of an encrypted memory holds the records as they are stored, encrypted, and in its first line the keys of the
tenant, wrapped: `"keys": {…}`.

An unfinished export stays beside its target as `….part` and is continued after the last record in it. `position`
is where the store's change sequence stood when the export began: what changed since then is read again before the
file is sealed, so that a backup holds no memory that was forgotten meanwhile. Memories that cannot be read are left
out, logged, and named as `skipped` in the last line.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from memwell.engine.context import Engine
from memwell.engine.export_reading import Reader
from memwell.engine.jsonl import path_of
from memwell.engine.keys import encrypting
from memwell.engine.partial_file import FORM, PartialFile
from memwell.engine.requests import ExportRequest
from memwell.engine.validation import check_flag, check_progress
from memwell.errors import BackendError, Corrupt, MemwellError, NotSupported, Unavailable
from memwell.ports import Store
from memwell.records.codec import dumps, record_to_json
from memwell.security import tenant_keys
from memwell.security.tenant_keys import TenantKeys
from memwell.types import Progress, Scope

__all__ = ["export"]

log = logging.getLogger("memwell")

_BATCH: Final = 100
_LINKS: Final = 1000
_CHANGES: Final = 1000
_ROUNDS: Final = 5
"""How often what changed is read again before the file is sealed."""
_STARTS: Final = 3
"""How often an export starts again because the changes since it began are no longer known."""


async def export(engine: Engine, request: ExportRequest, progress: Progress | None) -> int:
    """Write the scope's memories to a file; returns how many. Raises `BackendError` if it cannot be written."""
    scope, target, vectors = request.scope(), path_of(request.path), check_flag("vectors", request.vectors)
    check_progress(progress)
    try:
        keys, store = None, engine.store
        if not check_flag("plain", request.plain) and (found := encrypting(engine)) is not None:
            keys, store = await tenant_keys.find(found.inner, scope.tenant_id), found.inner
        with PartialFile.opened(target) as file:
            return await _Export(engine, store, scope, file, vectors, keys, progress).run()
    except OSError as error:
        raise BackendError(
            f"the export cannot be written: {error}; {_remedy(error)}, and run it again",
            part="memory",
            operation="export",
        ) from error


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "create the folder, or choose another place"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space or choose another place"
    return "choose another place"


class _Export:
    """One export under way."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        scope: Scope,
        file: PartialFile,
        vectors: bool,
        keys: TenantKeys | None,
        progress: Progress | None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._keys = None if keys is None else tenant_keys.keys_to_json(keys)
        """The keys of an encrypted export, wrapped."""
        self._scope = scope
        self._file = file
        self._vectors = vectors
        self._reader = Reader(engine, store, scope)
        self._progress = progress
        self._total = 0

    async def run(self) -> int:
        self._total = await self._store.count(self._scope, now=self._engine.clock())
        if self._vectors:
            await self._reader.with_vectors()
        header = self._file.resume(asdict(self._scope))
        for _ in range(_STARTS):
            position = await self._known_position(header)
            if header is None or position is None:
                position = await self._restart()
            try:
                await self._write(position)
            except NotSupported:
                header = None
                continue
            await self._check_emptiness()
            self._reader.warn()
            skipped = {"skipped": self._reader.unreadable} if self._reader.unreadable else {}
            self._file.seal(skipped)
            return self._file.records
        await self._store.ping()  # tells if it is damaged
        raise Unavailable(
            "the store forgets its changes faster than it can be exported; try again when it is less busy",
            part="memory",
            operation="export",
        )

    async def _check_emptiness(self) -> None:
        """Raise `Corrupt` if there is nothing to export because the store has lost it: an older backup stays."""
        if self._file.records:
            return
        try:
            await self._store.ping()
        except Corrupt:
            raise
        except MemwellError as error:
            log.debug("an empty store was exported, whose health is: %s", error)

    async def _known_position(self, header: Mapping[str, Any] | None) -> int | None:
        """Where the unfinished export began, if it can be continued: made by the same call over this store, which knows
        all changes since.
        """
        if (
            header is None
            or header.get("vectors") is not self._vectors
            or header.get("keys") != self._keys
            or not self._store.capabilities.changes
        ):
            return None
        position = header.get("position")
        if type(position) is not int or not 0 <= position <= await self._position():
            return None
        try:
            _, changed = await self._changed(position)
        except NotSupported:
            return None
        return position if self._file.last in changed or await self._has_last() else None

    async def _has_last(self) -> bool:
        """Whether the store still has the last record of the file, unchanged."""
        last = self._file.last_record
        if last is None or self._file.last is None:
            return True
        return any(
            (record.version, record.content, record.created_at.isoformat())
            == (last.get("version"), last.get("content"), last.get("created_at"))
            for record in await self._reader.get(self._file.last)
        )

    async def _position(self) -> int:
        return await self._store.position() if self._store.capabilities.changes else 0

    async def _restart(self) -> int:
        position = await self._position()
        self._file.restart(self._header(position))
        return position

    def _header(self, position: int) -> dict[str, Any]:
        return {
            "memwell": "export",
            "form": FORM,
            "scope": asdict(self._scope),
            "total": self._total,
            "position": position,
            "vectors": self._vectors,
            "at": self._engine.clock().isoformat(),
        } | ({} if self._keys is None else {"keys": self._keys})

    async def _changed(self, after: int) -> tuple[int, set[str]]:
        """(position now, ids that were written or deleted since). Raises `NotSupported` when that is not known."""
        ids: set[str] = set()
        if not self._store.capabilities.changes:
            return after, ids
        while found := await self._store.changes(after, limit=_CHANGES):
            after = found[-1].seq
            ids.update(change.id for change in found if change.tenant_id == self._scope.tenant_id)
        return after, ids

    async def _write(self, position: int) -> None:
        await self._records()
        for _ in range(_ROUNDS):
            position, changed = await self._changed(position)
            if not changed:
                break
            await self._read_again(changed, position)
        await self._links()

    async def _records(self) -> None:
        """Append every record after the last one in the file."""
        while True:
            found = await self._reader.page(self._file.last, _BATCH)
            lines = await self._reader.lines(found)
            for line in lines:
                self._file.write(line)
            if found:
                self._file.wrote(len(lines), found[-1].id)
            if self._progress is not None:
                self._progress(self._file.records, self._total)
            if len(found) < _BATCH:
                return

    async def _read_again(self, changed: set[str], position: int) -> None:
        """Replace the lines of changed records by what they are now, and add new ones."""
        waiting, records = sorted(changed), 0
        with self._file.rewritten() as new:

            async def add(ids: Sequence[str]) -> int:
                found = [record for id in ids for record in await self._reader.get(id)]
                lines = await self._reader.lines(found)
                new.writelines(line.encode() + b"\n" for line in lines)
                return len(lines)

            new.write(dumps(self._header(position)).encode() + b"\n")
            for id, raw in self._file.record_lines():
                earlier = 0
                while earlier < len(waiting) and waiting[earlier] <= id:
                    earlier += 1
                records += await add(waiting[:earlier])
                del waiting[:earlier]
                if id not in changed:
                    new.write(raw)
                    records += 1
            records += await add(waiting)
        self._file.records = records

    async def _links(self) -> None:
        after: str | None = None
        while True:
            found = await self._reader.page(after, _LINKS)
            rows = [
                [record.scope.tenant_id, record.id, record_to_json(record)["links"]]
                for record in found
                if record.links
            ]
            if rows:
                self._file.write({"links": rows})
            if len(found) < _LINKS:
                return
            after = found[-1].id
