"""Print the folder of the SQL scripts, or copy them to a folder: see `memwell.compat.memory_adapters.migrations`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from memwell.compat.memory_adapters.migrations import FOLDER, scripts

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        sys.stderr.write("usage: python -m memwell.compat.memory_adapters.migrations [FOLDER TO COPY TO]\n")
        return 2
    folder = Path(arguments[0]) if arguments else FOLDER
    if arguments:
        folder.mkdir(parents=True, exist_ok=True)
        for script in scripts():
            shutil.copy(script, folder / script.name)
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
