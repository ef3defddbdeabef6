"""What the help of an operation says, taken from the docstrings of its declaration.

Docstrings are written for Python. Here a field is called by its option, an operation by its command, and what
marks a word as code is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from ..api.docstrings import Docstring, docstring_said

__all__ = ["Words", "command_name", "first_sentence", "words_of"]

_CODE = re.compile(r"``(.+?)``|`(.+?)`|\*\*(.+?)\*\*")
_NONE = re.compile(r"\bNone\b(?! of)")
_SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z`*])")
_UNIT = re.compile(r"\bunits?\b")
_OF_PYTHON = re.compile(r";? ?[Oo]verride (?:it|the path) with paths=\{[^}]*\}")
"""What a caller of the library can do about it."""
_LEFT_OUT = re.compile(
    r", a Decimal or an int(?=;)|; not shown in the repr(?=\.)| No repr, log or error shows it\."
    r"|; Money\.major makes it of major units(?=\.)"
)
"""What is said of objects in Python."""
_LONGEST = 240
"""Characters that are said of an option at the most, where no sentence is longer."""


def command_name(name: str) -> str:
    """Return an attribute's name as a command line has it."""
    return name.replace("_", "-")


def first_sentence(text: str) -> str:
    """Return a text up to the end of its first sentence."""
    return _SENTENCE_END.split(text, maxsplit=1)[0]


@attrs.frozen
class Words:
    """The docstring of one request, in the words of the command line.

    Args:
        said: The docstring, its parts in these words.
    """

    said: Docstring

    @property
    def summary(self) -> str:
        """What the operation does, in a sentence."""
        return first_sentence(self.said.summary)

    @property
    def returns(self) -> str:
        """What it answers, with the unit of each amount."""
        return _shortened(self.said.returns)

    @property
    def evidence(self) -> str:
        """How well it is known."""
        found = self.said.evidence[0] if self.said.evidence else ""
        return _OF_PYTHON.sub("", found.removeprefix("Evidence:")).strip()

    def of(self, name: str) -> str:
        """Return what is said of a field, with the unit of an amount."""
        return _shortened(self.said.arguments.get(name, ""))


def words_of(documented: Any, options: Mapping[str, str], commands: Mapping[str, str]) -> Words:
    """Return what is said of a request.

    Args:
        documented: Its class.
        options: The option of each of its fields.
        commands: The command of each operation, by names such as ``payment_links.create``.
    """

    def said(match: re.Match[str]) -> str:
        literal, name, stressed = match.groups()
        return literal or stressed or options.get(name) or commands.get(name) or name

    def words(text: str) -> str:
        return _LEFT_OUT.sub("", _NONE.sub("null", _CODE.sub(said, text)))

    return Words(docstring_said(documented, words))


def _shortened(text: str) -> str:
    """Return the first sentences of a text, and whatever sentence says what an amount is in."""
    first, *others = _SENTENCE_END.split(text)
    kept, length = [first], len(first)
    goes_on = True
    for sentence in others:
        goes_on = goes_on and length + len(sentence) < _LONGEST
        if goes_on or (_UNIT.search(sentence) and not _UNIT.search(" ".join(kept))):
            kept.append(sentence)
            length += len(sentence)
    return " ".join(kept)
