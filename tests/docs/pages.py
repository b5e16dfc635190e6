# SPDX-License-Identifier: Apache-2.0
"""The documentation, taken apart: what its tests look at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    sorted(
        (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")),
        key=lambda page: page.relative_to(ROOT).as_posix(),
    )
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word behind its fence, its lines, and where it begins."""

    page: Path
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its headings, its rows, and the block before it if only blank lines lie between."""

    page: Path
    line: int
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    after: Block | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A line that begins with `$ ` in a console block, and the output that is shown below it."""

    place: str
    line: str
    output: str


def blocks(page: Path, kind: str = "") -> Iterator[Block]:
    """The fenced blocks of a page, or those of one kind."""
    for part in _parts(page):
        if isinstance(part, Block) and kind in ("", part.kind):
            yield part


def tables(page: Path) -> Iterator[Table]:
    """The tables of a page."""
    for part in _parts(page):
        if isinstance(part, Table):
            yield part


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page's console blocks."""
    for block in blocks(page, "console"):
        for entry in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, output = entry.partition("\n")
            yield Command(block.place, line, output)


def anchors(page: Path) -> set[str]:
    """What links can name on a page, in the manner of the usual viewers."""
    titles = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _parts(page: Path) -> Iterator[Block | Table]:
    lines = page.read_text().splitlines()
    at = 0
    before: Block | None = None
    while at < len(lines):
        begin = at
        if lines[at].startswith("```"):
            at = lines.index("```", begin + 1)
            before = Block(page, begin + 1, lines[begin][3:], "\n".join([*lines[begin + 1 : at], ""]))
            yield before
        elif lines[at].startswith("|"):
            while at + 1 < len(lines) and lines[at + 1].startswith("|"):
                at += 1
            headings, _, *rows = map(_cells, lines[begin : at + 1])
            yield Table(page, begin + 1, headings, tuple(rows), before)
            before = None
        elif lines[at]:
            before = None
        at += 1


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))
