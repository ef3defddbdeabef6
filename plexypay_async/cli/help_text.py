"""The text of ``--help``, in lines that fit the terminal and break between words alone.

A terminal breaks a line that is too long in mid-word, and lets its rest begin at the edge, where it looks
like a paragraph of its own.
"""

from __future__ import annotations

import argparse
import re
import textwrap

__all__ = ["HelpFormatter", "laid_out"]

_WIDEST = 110
"""Columns above which longer lines of prose make nothing easier to read."""
_EXAMPLES = "examples:"
"""The lines below this one are commands."""

_TABLE_ROW = re.compile(r"( *\S+(?: \S+)*? {2,})(\S.*)")
"""Two spaces part what a row is about from what is said of it."""
_THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}\b)")
_WITHIN_NUMBER = "\0"


def laid_out(text: str, width: int) -> str:
    """Return a text in lines that fit into so many columns, however its own lines are broken.

    Lines with the same indentation are a paragraph. A row of a table goes on below its second column. A
    command under ``examples:`` goes on as a shell reads it. What has no space stays whole.
    """
    blocks: list[_Block | None] = []
    in_examples = False
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        last = blocks[-1] if blocks else None
        if not line.strip():
            blocks.append(None)
            in_examples = False
        elif in_examples:
            blocks.append(_Block(line[:indent], line[indent:], indent + 4, end=" \\"))
        elif (row := _TABLE_ROW.fullmatch(line)) is not None:
            blocks.append(_Block(row[1], row[2], row.start(2)))
        elif last is not None and last.hang == indent:
            last.text += f" {line.strip()}"
        else:
            blocks.append(_Block(line[:indent], line[indent:], indent))
        in_examples = in_examples or line == _EXAMPLES
    return "\n".join("" if block is None else block.laid_out(min(width, _WIDEST)) for block in blocks)


class _Block:
    """A paragraph, a row of a table or a command.

    Args:
        start: What stands before its first line, as it is.
        text: Its words.
        hang: How many spaces stand before its other lines.
        end: What stands behind each of its lines but the last.
    """

    def __init__(self, start: str, text: str, hang: int, end: str = "") -> None:
        self.start = start
        self.text = text
        self.hang = hang
        self.end = end

    def laid_out(self, width: int) -> str:
        hang = self.hang
        if self.start.strip() and hang > width // 2:
            # A column so narrow would be a tower of words.
            hang = len(self.start) - len(self.start.lstrip()) + 4
        lines = _wrapped(self.text, width - len(self.end), self.start, " " * hang)
        return f"{self.end}\n".join(lines)


def _wrapped(text: str, width: int, start: str = "", hang: str = "") -> list[str]:
    lines = textwrap.wrap(
        _THOUSANDS.sub(_WITHIN_NUMBER, " ".join(text.split())),
        width,
        initial_indent=start,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_WITHIN_NUMBER, " ") for line in lines]


class HelpFormatter(argparse.HelpFormatter):
    """Lays out the description, the epilog and what is said of each option by the width of the terminal."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return textwrap.indent(laid_out(text, width), indent)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)
