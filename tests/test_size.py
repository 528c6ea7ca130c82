"""What `pip install memwell` brings along stays small."""

from __future__ import annotations

import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

LIMIT = 22_000_000
ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def core() -> dict[str, Distribution]:
    """All that memwell requires without extras, by its pyproject.toml: what is installed may be older."""
    found: dict[str, Distribution] = {}
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        closure(Requirement(text), found)
    return found


def closure(wanted: Requirement, found: dict[str, Distribution]) -> None:
    """Add what is wanted and all it requires here without extras."""
    needed = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    if needed and wanted.name.lower() not in found:
        found[wanted.name.lower()] = distribution(wanted.name)
        for text in found[wanted.name.lower()].requires or ():
            closure(Requirement(text), found)


def size(installed: Distribution) -> int:
    """Bytes of the files recorded, without compiled ones, which not every installer makes."""
    files = [file for file in installed.files or () if file.suffix != ".pyc"]
    assert files, f"{installed.name} has no RECORD"
    return sum(file.size or 0 for file in files)


def test_the_core_installs_in_less_than_22_megabytes() -> None:
    sizes = {name: size(found) for name, found in core().items()}
    ours = (path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    sizes["memwell"] = sum(path.stat().st_size for path in ours)
    largest = sorted(sizes.items(), key=lambda item: -item[1])
    listing = "\n".join(f"{amount / 1e6:7.2f} MB  {name}" for name, amount in largest)
    print(listing)
    assert sum(sizes.values()) < LIMIT, listing


def test_the_core_does_not_bring_numpy_or_pydantic_settings() -> None:
    assert not {"numpy", "pydantic-settings"} & core().keys()
