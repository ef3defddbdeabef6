"""What the docstrings of requests and models say, taken apart for those who read no Python."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from .._composed_docs import below_fields, written_doc
from .wire_words import wire_words

__all__ = ["Docstring", "docstring_of", "docstring_said", "field_descriptions"]

_HEADING = re.compile(r"^(Args|Returns|Raises):$")
_ARGUMENT = re.compile(r"^    (\w+): ")


@attrs.frozen
class Docstring:
    """One docstring in its parts."""

    summary: str
    paragraphs: tuple[str, ...]
    """Those after the summary, without the evidence."""
    evidence: tuple[str, ...]
    arguments: dict[str, str]
    """What is said of each argument."""
    returns: str


def docstring_of(documented: Any, package: str) -> Docstring:
    """Take the docstring of a class apart, for those who use the API with this package without Python."""
    return docstring_said(documented, partial(wire_words, package=package))


def docstring_said(documented: Any, words: Callable[[str], str]) -> Docstring:
    """Take the docstring of a class apart, and say each part of it in the words of those whom it is for."""
    paragraphs: list[str] = []
    sections: dict[str, str] = {}
    for block in inspect.cleandoc(written_doc(documented)).split("\n\n"):
        head, _, rest = block.partition("\n")
        heading = _HEADING.match(head)
        if heading is None:
            paragraphs.append(_plain(block, words))
        else:
            # A long list of arguments may stand in several sections.
            sections[heading[1]] = f"{sections.get(heading[1], '')}\n{rest}"
    summary, *others = paragraphs or [""]
    return Docstring(
        summary,
        tuple(each for each in others if not each.startswith("Evidence:")),
        tuple(each for each in others if each.startswith("Evidence:")),
        _arguments(sections.get("Args", ""), words),
        _plain(sections.get("Returns", ""), words),
    )


def field_descriptions(kind: Any, package: str) -> dict[str, str]:
    """Return what a class says of its fields: under ``Args``, and in strings below them."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if attrs.has(base):
            found |= {name: wire_words(text, package) for name, text in below_fields(base).items()}
            found |= docstring_of(base, package).arguments
    return found


def _arguments(text: str, words: Callable[[str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        begins = _ARGUMENT.match(line)
        if begins is not None:
            name = begins[1]
            found[name] = line[begins.end() :].strip()
        elif name:
            found[name] += f" {line.strip()}"
    return {name: _plain(told, words) for name, told in found.items()}


def _plain(text: str, words: Callable[[str], str]) -> str:
    """Return a text in one line, in the words of those whom it is for."""
    return words(" ".join(text.split()))
