"""The code blocks of README.md and docs, each with what its marker says of how it is run.

A marker is a comment of HTML in the line before the block, which no reader of the page sees. CONTRIBUTING.md
tells of it; `test_docs_blocks.py` runs the blocks, and other tests take those that name them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import attrs

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

REASONS: Final = {
    "ci": (2, "`.ci/run` runs it word for word"),
    "installs": (5, "it installs packages"),
    "hours": (1, "it takes up to an hour; tests/benchmarks runs the same in small"),
    "elsewhere": (1, "it opens ports to other machines, and asks from one of them"),
    "browser": (1, "a browser runs it, in tests/browser; here its syntax is looked at"),
}
"""Why a block may be without a run, and how many blocks say so."""

KINDS: Final = {"python", "sh", "csv", "json", "yaml", "text", "promql", "js"}

_MARKERS: Final = ("in", "file", "serves", "by", "not")
_FENCE = re.compile(r"^( *)(```+|~~~+)(.*)$")
_MARKER = re.compile(r"^ *<!-- run: (\w+)(?:=(\S+))? -->$")


@attrs.frozen
class Block:
    """A block of a page; `line` is that of its first line of code, from 1."""

    page: Path
    line: int
    kind: str
    text: str
    marker: str = ""
    """One of in, file, serves, by and not; empty where the block is run by itself."""
    value: str = ""

    @property
    def name(self) -> str:
        """Where it stands, as in ``docs/gate.md:13``."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def modules(self) -> list[str]:
        """The packages that Python code imports."""
        found = set[str]()
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
        return sorted(found)


def blocks_of(page: Path) -> list[Block]:
    """Return all blocks of a page in their order; a marker or a fence that is none raises ValueError."""
    return blocks_in(page, page.read_text(encoding="utf-8"))


def blocks_in(page: Path, text: str) -> list[Block]:
    """Return all blocks of a page's text."""
    found: list[Block] = []
    lines = text.splitlines()
    marked: tuple[str, str] | None = None
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        marker = _MARKER.match(lines[at])
        if fence is None:
            if marked is not None:
                raise ValueError(f"{page.name}:{at}: a marker without a block")
            if marker is None and re.search(r"<!--\s*run\b", lines[at]):
                raise ValueError(f"{page.name}:{at + 1}: not a marker: {lines[at].strip()}")
            marked = None if marker is None else (marker[1], marker[2] or "")
            at += 1
            continue
        indent, ticks, kind = fence.groups()
        closing = f"{indent}{ticks}"
        end = next((n for n in range(at + 1, len(lines)) if lines[n].rstrip() == closing), None)
        if end is None:
            raise ValueError(f"{page.name}:{at + 1}: a block without an end")
        code = "".join(f"{line.removeprefix(indent)}\n" for line in lines[at + 1 : end])
        found.append(Block(page, at + 2, kind.strip(), code, *(marked or ())))
        _check(found[-1])
        marked = None
        at = end + 1
    if marked is not None:
        raise ValueError(f"{page.name}:{at}: a marker without a block")
    return found


def every_block() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page)]


def run_by(file: str, page: str | None = None) -> list[str]:
    """Return the code of the blocks that say of a test file (its ``__file__``) that it runs them.

    Of one page, such as ``docs/gate.md``, or of all. The caller unpacks it, so that no block is left out.
    """
    own = Path(file).resolve().relative_to(ROOT).as_posix()
    found = [block for block in every_block() if (block.marker, block.value) == ("by", own)]
    if page is not None:
        found = [block for block in found if block.page == ROOT / page]
    if not found:
        raise ValueError(f"no block says that {own} runs it")
    return [block.text for block in found]


def shown_lines(page: Path) -> int:
    """Return how many lines a page has without its markers."""
    return sum(_MARKER.match(line) is None for line in page.read_text(encoding="utf-8").splitlines())


def _check(block: Block) -> None:
    if block.kind not in KINDS:
        raise ValueError(f"{block.name}: {block.kind!r} is no kind of block; there are {sorted(KINDS)}")
    if block.marker and block.marker not in _MARKERS:
        raise ValueError(f"{block.name}: {block.marker!r} is no marker; there are {_MARKERS}")
    if bool(block.value) != (block.marker in ("in", "file", "by", "not")):
        raise ValueError(f"{block.name}: the marker {block.marker!r} has no value, or one too much")
    if block.marker == "not" and block.value not in REASONS:
        raise ValueError(f"{block.name}: {block.value!r} is no reason; there are {sorted(REASONS)}")
    if block.kind in ("text", "promql", "js") and block.marker not in ("by", "not"):
        raise ValueError(f"{block.name}: what is {block.kind} is not run by itself: say by= or not=")
    if block.marker == "serves" and block.kind != "sh":
        raise ValueError(f"{block.name}: only commands serve")
