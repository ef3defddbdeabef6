"""What a terminal shows after all that was written to it: a screen of lines, with a cursor."""

from __future__ import annotations

import re

import rich.cells

_PARTS = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]")


class Screen:
    """A terminal as wide as this, with as many lines as come; it knows the codes that the command uses.

    Args:
        columns: Its width. What does not fit goes on in the next line, in the middle of a word.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._cells: list[list[str]] = [[]]
        self._row = self._column = 0
        self.broken: list[str] = []
        """The words that were broken by the end of a line, without those that are longer than a line."""

    def feed(self, text: str) -> None:
        """Show a text."""
        for part in _PARTS.finditer(text):
            number, code = part[1], part[2]
            if code is None:
                self._put(part[0])
            elif code == "A":
                self._row = max(0, self._row - int(number or 1))
            elif code == "K":
                assert number in ("2", "0", "")
                del self._cells[self._row][0 if number == "2" else self._column :]
            else:
                # Colours, and the cursor being shown or not.
                assert code in "mhl", part[0]

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            # The terminal's driver adds the carriage return itself.
            self._next_line()
        else:
            if self._column >= self._columns:
                self._note_break(character)
                self._next_line()
                self._column = 0
            line = self._cells[self._row]
            line.extend(" " * (self._column + 1 - len(line)))
            line[self._column] = character
            self._column += max(1, rich.cells.cell_len(character))

    def _next_line(self) -> None:
        self._row += 1
        if self._row == len(self._cells):
            self._cells.append([])

    def _note_break(self, character: str) -> None:
        line = "".join(self._cells[self._row])
        word = line.rpartition(" ")[2]
        if not character.isspace() and word and len(word) < self._columns - len("  "):
            self.broken.append(f"{word}|{character}")

    @property
    def lines(self) -> list[str]:
        """What it shows now."""
        return ["".join(line).rstrip() for line in self._cells]


def shown(text: str, columns: int) -> Screen:
    """Return the screen after a text."""
    screen = Screen(columns)
    screen.feed(text)
    return screen
