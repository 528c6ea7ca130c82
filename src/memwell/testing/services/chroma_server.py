"""Chroma: `chroma run` of the package chromadb."""

from __future__ import annotations

import shutil
import sysconfig
import urllib.error
import urllib.request
from http.client import HTTPException

from memwell.testing.services.service import Service, ServiceFailed

__all__ = ["ChromaServer"]


class ChromaServer(Service):
    """One Chroma with its database in the service's folder."""

    name = "chroma"

    @property
    def url(self) -> str:
        """`chroma://127.0.0.1:PORT`"""
        return f"chroma://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        program = shutil.which("chroma", path=sysconfig.get_path("scripts")) or shutil.which("chroma")
        if program is None:
            raise ServiceFailed("no program chroma; run: pip install 'memwell[chroma]'")
        data = str(self.folder / "data")
        return [program, "run", "--path", data, "--host", "127.0.0.1", "--port", str(self.port)]

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/api/v2/heartbeat"
        try:
            with urllib.request.urlopen(url, timeout=1) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, HTTPException):
            return False
