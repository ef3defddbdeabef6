"""Texts of others, as a terminal, a log or a line of JSON may show them.

A server, a file and a file's name may hold what a terminal obeys (control characters, C1 among them), what
turns the direction of the text around it, and what is not seen at all. Each such character is shown as an
escape.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from typing import Any

__all__ = ["UNSEEN", "OneLine", "is_unseen", "log", "printable", "printable_json"]

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories: control, format (direction and zero width), half a pair, and two ends of a line."""

UNSEEN = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
"""What Unicode takes for letters and marks, and nobody sees."""


def printable(text: str, *, keep: str = "") -> str:
    """Return a text on one line, with nothing in it that is obeyed, turns the direction or is not seen.

    Args:
        text: The text, of whatever origin.
        keep: Characters that stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if is_unseen(character) and character not in keep
        else character
        for character in text
    )


def printable_json(value: Any, *, in_ascii: bool = False) -> str:
    """Return a value as one line of JSON that is read as the same value, with the same characters escaped.

    Args:
        value: The value.
        in_ascii: Whether all other characters outside ASCII are escaped, too.
    """
    text = json.dumps(value, ensure_ascii=in_ascii)
    if text.isascii() and text.isprintable():
        return text
    # Outside its strings, JSON has none of them.
    return "".join(_json_escape(character) if is_unseen(character) else character for character in text)


def is_unseen(character: str) -> bool:
    """Tell whether a terminal obeys a character, it turns the direction, ends a line, or is not seen."""
    return unicodedata.category(character) in _ESCAPED or re.match(UNSEEN, character) is not None


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))


class OneLine(logging.Filter):
    """Lets every record of a logger be one line, whatever its arguments say; it drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_told, record.args))
        return True


def _told(argument: object) -> object:
    return argument if isinstance(argument, (int, float)) else printable(str(argument))


log = logging.getLogger("plexypay")
"""The library's logger; what is logged by it is one line for each record."""
log.addFilter(OneLine())
