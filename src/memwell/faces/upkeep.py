"""The methods that look after a whole store: health, statistics, export and import, repair, another embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwell.engine import lookup, requests
from memwell.engine.keywords import explain_keywords
from memwell.faces.base import AsyncFace, Face, audited, delegated

if TYPE_CHECKING:
    from os import PathLike

    from memwell.security.receipts import Receipt
    from memwell.types import (
        Encryption,
        Health,
        Imported,
        KeyStatus,
        Progress,
        Reembedded,
        Report,
        Rotated,
        Stats,
    )

__all__ = ["AsyncUpkeep", "Upkeep"]


@audited
@explain_keywords
class AsyncUpkeep(AsyncFace):
    """Upkeep of a store, with `await`."""

    async def stats(
        self, *, tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Stats:  # fmt: skip
        """Counts by kind, category and embedding model, and the size of the store in bytes.

        All but the size are of the scope: `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`.
        """
        request = requests.StatsRequest(
            tenant_id=tenant_id,
            user_id=user_id,
            agent_id=agent_id,
            session_id=session_id,
            namespace=namespace,
        )
        return await lookup.stats(self._engine, request)

    async def health(self) -> Health:
        """Ask every part whether it works. Never raises; `ok` is false if one of them does not."""
        from memwell.engine import upkeep

        return await upkeep.health(self._engine)

    async def export(
        self, path: str | PathLike[str], *, vectors: bool = True, plain: bool = False,
        progress: Progress | None = None,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> int:  # fmt: skip
        """Write memories with their history, links and vectors to a file of checksummed JSON lines; return how many.

        - `path`: the file. It appears under this name only when it is complete. An export cut short is continued by the
          next call with the same path and scope.
        - `vectors`: whether to write the vectors; without them an import embeds again.
        - `plain`: whether to write what an encrypted memory says as plain text. Otherwise its export is as encrypted as
          its store, and needs one of its master keys to be imported.
        - `progress(done, total)`: called along the way.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: export only the memories of this scope.

        Raises `BackendError` if the file cannot be written.
        """
        from memwell.engine import export

        request = requests.ExportRequest(
            path=path, vectors=vectors, plain=plain, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await export.export(self._engine, request, progress)

    async def import_(self, path: str | PathLike[str], *, progress: Progress | None = None) -> Imported:
        """Read the export at `path`: check it, then store every memory under its own id and scope, with its vectors.

        Memories that are stored already as exported are skipped, so an import cut short is continued by running it
        again. `progress(done, total)` is called along the way. Raises `Corrupt` for a damaged file, and `Conflict` for
        an id that another memory has, or the same memory in a changed form; what was imported before that stays.
        """
        from memwell.engine import import_

        return await import_.import_(self._engine, requests.ImportRequest(path=path), progress)

    async def doctor(self) -> Report:
        """Compare the words, vectors and links of the store with its records, and name what receipts could not erase
        yet; `ok` if all agree and nothing is left.
        """
        from memwell.engine import upkeep

        return await upkeep.doctor(self._engine)

    async def repair(self, *, progress: Progress | None = None) -> Report:
        """Rebuild what `doctor` finds wrong, remove expired memories, and embed those without vectors.

        `progress(done, total)` is called while memories are embedded. If searches use another model than this memory's
        embedder, nothing is embedded and the report says so; `reembed` changes the model.
        """
        from memwell.engine import upkeep

        return await upkeep.repair(self._engine, progress)

    async def reembed(
        self, *, batch: int = 64, drop_old: bool = False, skip_failed: bool = False,
        progress: Progress | None = None,
    ) -> Reembedded:  # fmt: skip
        """Move the store to this memory's embedder: embed every memory of every tenant, then let searches use the new
        vectors, in one step.

        - `batch`: how many memories are embedded and stored at a time.
        - `drop_old`: remove the vectors of older models afterwards.
        - `skip_failed`: go on without the memories that cannot be embedded; only words find them then. Otherwise they
          stop the move with an `EmbeddingError` that names them.
        - `progress(done, total)`: called along the way.

        Other processes keep working with the old model until the move is complete. Afterwards, one that still searches
        with the old model gets an `EmbeddingError` that says what to do; what it writes is stored and embedded later. A
        call cut short is continued by the next one. Raises `NotSupported` without an embedder, and what the embedder
        raises if it fails altogether.
        """
        from memwell.engine import reembed

        request = requests.ReembedRequest(batch=batch, drop_old=drop_old, skip_failed=skip_failed)
        return await reembed.reembed(self._engine, request, progress)

    async def sweep(self) -> int:
        """Remove the expired memories of every tenant for good, and return how many. Also happens by itself."""
        from memwell.engine import upkeep

        return await upkeep.sweep(self._engine)

    async def rotate_keys(self, *, data: bool = False, progress: Progress | None = None) -> Rotated:
        """Wrap the data keys of every tenant by the first key of the keyring, while everybody works; the others can be
        thrown away afterwards.

        - `data`: make new data keys, too, and encrypt all that is stored again. The older keys stay until a later
          rotation of data keys, a minute or more after the new ones were made.
        - `progress(done, total)`: called along the way.

        Without `data` nothing that is stored is written again. A call cut short is continued by the next one. Raises
        `ConfigError` when the keyring lacks a key in use, and `NotSupported` without encryption.
        """
        from memwell.engine import rekeying

        return await rekeying.rotate_keys(self._engine, requests.RotateKeysRequest(data=data), progress)

    async def encrypt(self, *, progress: Progress | None = None) -> Encryption:
        """Encrypt what was stored without encryption, in place, while those work who have the keyring.

        `progress(done, total)` is called along the way. Memories, their versions and index terms are replaced; vectors
        stay as they are. At the end the store clears its files, and the result says what still holds plain text. A call
        cut short is continued by the next one. Raises `NotSupported` without encryption.
        """
        from memwell.engine import rekeying

        return await rekeying.encrypt(self._engine, progress)

    async def key_status(self) -> KeyStatus:
        """The master keys in use, and how many tenants each serves. Raises `NotSupported` without encryption."""
        from memwell.engine import keys

        return await keys.key_status(self._engine)

    async def shred(self, tenant: str, *, reason: str, actor: str | None = None) -> Receipt:
        """Destroy the keys of a tenant, so that no copy of what it stored can be decrypted, and remove its memories.

        - `tenant`: its id. It may store again afterwards, under new keys.
        - `reason`, `actor`: why, and who asked for it; both stand in the receipt.

        A call cut short is continued by the next one. Other processes notice within 30 seconds. The receipt names what
        remains. Raises `NotFound` for a tenant that never had keys, and `NotSupported` without encryption.
        """
        from memwell.engine import keys

        return await keys.shred(
            self._engine, requests.ShredRequest(tenant=tenant, reason=reason, actor=actor)
        )


@explain_keywords
class Upkeep(Face):
    """Upkeep of a store, without `await`. Its docstrings are those of `AsyncUpkeep`, copied by `make docs`."""

    _memory: AsyncUpkeep

    @delegated
    def stats(
        self, *, tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Stats:  # fmt: skip
        """Counts by kind, category and embedding model, and the size of the store in bytes.

        All but the size are of the scope: `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`.
        """

    @delegated
    def health(self) -> Health:
        """Ask every part whether it works. Never raises; `ok` is false if one of them does not."""

    @delegated
    def export(
        self, path: str | PathLike[str], *, vectors: bool = True, plain: bool = False,
        progress: Progress | None = None,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> int:  # fmt: skip
        """Write memories with their history, links and vectors to a file of checksummed JSON lines; return how many.

        - `path`: the file. It appears under this name only when it is complete. An export cut short is continued by the
          next call with the same path and scope.
        - `vectors`: whether to write the vectors; without them an import embeds again.
        - `plain`: whether to write what an encrypted memory says as plain text. Otherwise its export is as encrypted as
          its store, and needs one of its master keys to be imported.
        - `progress(done, total)`: called along the way.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: export only the memories of this scope.

        Raises `BackendError` if the file cannot be written.
        """

    @delegated
    def import_(self, path: str | PathLike[str], *, progress: Progress | None = None) -> Imported:
        """Read the export at `path`: check it, then store every memory under its own id and scope, with its vectors.

        Memories that are stored already as exported are skipped, so an import cut short is continued by running it
        again. `progress(done, total)` is called along the way. Raises `Corrupt` for a damaged file, and `Conflict` for
        an id that another memory has, or the same memory in a changed form; what was imported before that stays.
        """

    @delegated
    def doctor(self) -> Report:
        """Compare the words, vectors and links of the store with its records, and name what receipts could not erase
        yet; `ok` if all agree and nothing is left.
        """

    @delegated
    def repair(self, *, progress: Progress | None = None) -> Report:
        """Rebuild what `doctor` finds wrong, remove expired memories, and embed those without vectors.

        `progress(done, total)` is called while memories are embedded. If searches use another model than this memory's
        embedder, nothing is embedded and the report says so; `reembed` changes the model.
        """

    @delegated
    def reembed(
        self, *, batch: int = 64, drop_old: bool = False, skip_failed: bool = False,
        progress: Progress | None = None,
    ) -> Reembedded:  # fmt: skip
        """Move the store to this memory's embedder: embed every memory of every tenant, then let searches use the new
        vectors, in one step.

        - `batch`: how many memories are embedded and stored at a time.
        - `drop_old`: remove the vectors of older models afterwards.
        - `skip_failed`: go on without the memories that cannot be embedded; only words find them then. Otherwise they
          stop the move with an `EmbeddingError` that names them.
        - `progress(done, total)`: called along the way.

        Other processes keep working with the old model until the move is complete. Afterwards, one that still searches
        with the old model gets an `EmbeddingError` that says what to do; what it writes is stored and embedded later. A
        call cut short is continued by the next one. Raises `NotSupported` without an embedder, and what the embedder
        raises if it fails altogether.
        """

    @delegated
    def sweep(self) -> int:
        """Remove the expired memories of every tenant for good, and return how many. Also happens by itself."""

    @delegated
    def rotate_keys(self, *, data: bool = False, progress: Progress | None = None) -> Rotated:
        """Wrap the data keys of every tenant by the first key of the keyring, while everybody works; the others can be
        thrown away afterwards.

        - `data`: make new data keys, too, and encrypt all that is stored again. The older keys stay until a later
          rotation of data keys, a minute or more after the new ones were made.
        - `progress(done, total)`: called along the way.

        Without `data` nothing that is stored is written again. A call cut short is continued by the next one. Raises
        `ConfigError` when the keyring lacks a key in use, and `NotSupported` without encryption.
        """

    @delegated
    def encrypt(self, *, progress: Progress | None = None) -> Encryption:
        """Encrypt what was stored without encryption, in place, while those work who have the keyring.

        `progress(done, total)` is called along the way. Memories, their versions and index terms are replaced; vectors
        stay as they are. At the end the store clears its files, and the result says what still holds plain text. A call
        cut short is continued by the next one. Raises `NotSupported` without encryption.
        """

    @delegated
    def key_status(self) -> KeyStatus:
        """The master keys in use, and how many tenants each serves. Raises `NotSupported` without encryption."""

    @delegated
    def shred(self, tenant: str, *, reason: str, actor: str | None = None) -> Receipt:
        """Destroy the keys of a tenant, so that no copy of what it stored can be decrypted, and remove its memories.

        - `tenant`: its id. It may store again afterwards, under new keys.
        - `reason`, `actor`: why, and who asked for it; both stand in the receipt.

        A call cut short is continued by the next one. Other processes notice within 30 seconds. The receipt names what
        remains. Raises `NotFound` for a tenant that never had keys, and `NotSupported` without encryption.
        """
