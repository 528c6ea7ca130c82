"""What every part on a PostgreSQL database shares: its URL, its database, closing, and the translation of errors."""

from __future__ import annotations

from typing import Self

from memwell.backends.postgres.database import Database
from memwell.backends.postgres.settings import Settings
from memwell.errors import MemwellError
from memwell.ports import Port
from memwell.urls import Url

__all__ = ["PostgresPart"]


class PostgresPart(Port):
    """A part over the tables of its own in a schema, beside whatever else memwell keeps there."""

    part = "postgres"
    adapts = True
    _database: Database

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`postgresql://user:password@host:port/database`; the options of `memwell.backends.postgres`."""
        return cls(Settings.from_url(url))  # type: ignore[call-arg]  # every part takes its settings

    @property
    def blocking(self) -> bool:
        """False, unless it was set: see `Port.adapts`."""
        return self._database.here

    @blocking.setter
    def blocking(self, value: bool) -> None:
        self._wait_here(value)

    def _wait_here(self, here: bool) -> None:
        self._database.here = here

    async def _close(self) -> None:
        await self._database.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        found = self._database.translate(error, self.part, operation)
        return found or super()._translate(error, operation)
