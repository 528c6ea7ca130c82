"""What the documentation says is run: Python blocks, `$ memwell …` lines, and links.

Each page is one process in its own temporary folder, its blocks in reading order. In a `console` block only
the lines that call memwell are run; they must succeed. The servers that the pages name by example are real ones here.
Commands that need no shell run in the process of the page.
Then all pages run one after the other in one folder, as somebody does who follows them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backends.automem.wire import TOKEN, AutoMemWire
from tests.backends.mem0.wire import KEY, OssWire
from tests.indexes.wire.base import serving
from tests.processes import Script

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EVERY_PAGE = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


SERVERS = {
    r"postgresql://app:secret@db\.example\.com/app": "postgres_url",
    r"rediss?://(?::secret@)?cache\.example\.com(?::6379)?": "redis_url",
    r"memcached://cache\.example\.com(?::11211)?": "memcached_url",
    r"mem0\+http://:secret@mem0\.example\.com:8888": "mem0_url",
    r"automem\+http://:secret@automem\.example\.com:8001": "automem_url",
}
"""How pages name a server → the fixture that gives the URL of a real one."""
REPLICA = "replica.example.com"


@pytest.fixture
def mem0_url() -> Iterator[str]:
    """mem0's own protocol on loopback."""
    with serving(OssWire()) as service:
        yield f"mem0+http://:{KEY}@{service.url.removeprefix('http://')}?timeout=30"


@pytest.fixture
def automem_url() -> Iterator[str]:
    """AutoMem's protocol on loopback."""
    with serving(AutoMemWire()) as service:
        yield f"automem+http://:{TOKEN}@{service.url.removeprefix('http://')}?timeout=30"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str, int]]:
    """Language, text and first line of each block that is run."""
    text = page.read_text("utf-8")
    return [(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in BLOCK.finditer(text)]


def commands(text: str) -> list[str]:
    """The memwell commands of a console block, continuation lines joined."""
    joined = text.replace("\\\n", " ")
    return [line[2:].split("  # ")[0] for line in joined.splitlines() if line.startswith("$ memwell ")]


COMMAND = """
import os, shlex, subprocess, sys
from memwell.cli.root import run

folder, scripts = sys.argv[1:]
os.chdir(folder)
os.environ |= {
    "PATH": os.pathsep.join([scripts, os.environ.get("PATH", "")]),
    "XDG_DATA_HOME": os.path.join(folder, "data"),
    "NO_COLOR": "1",
}

def command(text):
    if "|" in text or ">" in text:
        subprocess.run(text, shell=True, check=True)
    elif (code := run(shlex.split(text)[1:])) != 0:
        raise SystemExit(f"{text} returned {code}")
"""


def program(page: Path) -> str:
    """The page as one Python program with the page's own line numbers in tracebacks."""
    return "\n".join([COMMAND, *steps(page)])


def together(pages: list[Path]) -> str:
    """All pages as one Python program: each has names of its own, and they share the folder."""
    return "\n".join([COMMAND, *(step for page in pages for step in steps(page))])


def steps(page: Path) -> list[str]:
    """The statements that run the blocks of a page."""
    lines = ["names = {}"]
    for language, text, first in blocks(page):
        if language == "python":
            source = "\n" * (first - 1) + text
            lines.append(f"exec(compile({source!r}, {str(page)!r}, 'exec'), names)")
        else:
            lines.extend(f"command({each!r})" for each in commands(text))
    return lines


def served(source: str, request: pytest.FixtureRequest) -> str:
    """The program with real servers in place of those named by example; their own options come first."""
    for name, fixture in SERVERS.items():
        if re.search(name, source):
            url = request.getfixturevalue(fixture)
            source = re.sub(rf"{name}(\?)?", lambda m, url=url: url + ("&" if m[1] else ""), source)
    if REPLICA in source:
        source = source.replace(REPLICA, f"127.0.0.1:{request.getfixturevalue('postgres').port}")
    return source


@pytest.mark.usefixtures("model")  # pages show semantic recall
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    succeeds(served(program(page), request), tmp_path)


@pytest.mark.usefixtures("model")
def test_all_pages_run_one_after_the_other_in_one_folder(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    succeeds(served(together(PAGES), request), tmp_path)


def succeeds(source: str, tmp_path: Path) -> None:
    """Run a program in a folder of its own."""
    with Script(source, tmp_path, Path(sys.executable).parent) as process:
        said = process.communicate()
    assert process.returncode == 0, said


def anchors(page: Path) -> set[str]:
    """Heading anchors as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for found in LINK.finditer(FENCED.sub("", page.read_text("utf-8"))):
        target, _, anchor = (found[1] or found[2]).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(found[0])
    assert not broken
