"""MemoryCore's MCP server: `python -m memwell.compat.memorycore.server`, over stdio.

The tenant is the one of the settings, so that a model cannot choose another. The storage is opened by the first call
of a tool, after the client was answered. Standard output carries the protocol alone; logs go to standard error.
"""

from __future__ import annotations

import sys

from memwell.compat.memorycore.errors import MemoryCoreError
from memwell.compat.memorycore.observability import configure_logging
from memwell.compat.memorycore.settings import Settings
from memwell.errors import ConfigError

__all__ = ["main"]


def main() -> int:
    """Serve until the client leaves. The exit code is 1 if a setting cannot be used or a package is missing."""
    try:
        settings = Settings.load()
        configure_logging(settings)
        try:
            from memwell.compat.memorycore.tools import create_server
        except ImportError as error:
            raise ConfigError(f"{error}; run: pip install 'memwell[memorycore]'") from error
        server = create_server(settings)
    except (ConfigError, MemoryCoreError) as error:
        sys.stderr.write(f"memorycore: {error}\n")
        return 1
    server.run("stdio")
    return 0


if __name__ == "__main__":
    sys.exit(main())
