"""What spreadsheets, and programs that read their files, make of an order's reference.

They mark a text as one (``="00017"``, ``'00017``), write an error or the word for "nothing" where a reference
should be, and shorten long numbers (``1.23457E+12``): many orders then have the same one.
"""

from __future__ import annotations

import re

from ..api.identities import folded_identity

__all__ = ["meant_reference", "spoiled", "with_marks", "without_marks"]

_QUOTED_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_ERROR = re.compile(
    r"#[^\W\d_][\w/]*[!?]"  # #REF!, #NAME?, #DIV/0!, and as other languages write them: #ССЫЛКА!, #ИМЯ?
    r"|#N/A(?: N/A)?|#Н/Д|#GETTING_DATA|ERR:\d{3}"
)
_TOO_NARROW = re.compile("#+")
_NOTHING = frozenset({"NAN", "NONE", "NULL", "NAT", "<NA>"})
_SHORTENED = re.compile(r"[-+]?\d+(?:[.,]\d+E\+?\d+|E\+\d+)")
"""A number with an exponent. Without a fraction and a sign, such as ``1E5``, it may be a reference."""

_CALCULATED = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
"""What begins a formula, in the width of East Asian letters too."""
_BEFORE = r'(?<![,;|\s"])(?:[^\S\t\r\n]|")*+[,;|\t\r\n][,;|\s"]*+'
"""Where some program begins a cell: which one splits at what depends on its settings, and one that splits at
another separator may find no quotes where it looks for them. It may pass over white space."""
_SEPARATOR = re.compile(r"[,;|\t\r\n]")
_FIRST = re.compile(rf"[\s\"]*+'*+{_CALCULATED}|['\t\r\n]")
_INNER = re.compile(rf"({_BEFORE})('*+{_CALCULATED})")
_INNER_MARKED = re.compile(rf"({_BEFORE})'('*+{_CALCULATED})")

_AGAIN = "format the column as text and export again"


def with_marks(text: str) -> str:
    """Return a text that no spreadsheet calculates in a file of separated cells, with apostrophes if need be.

    They stand at its beginning, and behind each separator in it that a formula would follow, since a program
    of another country splits at another separator. `without_marks` takes them off.
    """
    # Most texts have no separator, and are looked through once.
    marked = text if _SEPARATOR.search(text) is None else _INNER.sub(r"\1'\2", text)
    return "'" + marked if marked != text or _FIRST.match(text) is not None else text


def without_marks(text: str) -> str:
    """Return a cell's text without what marks it as text: a leading apostrophe, and ``="..."`` around it.

    Apostrophes inside it are taken off where all of it is what `with_marks` writes, as the results of
    ``bulk-create`` do. Any other text keeps them: they may be all that tells two references apart.
    """
    if text.startswith("'"):
        marked = text[1:]
        bare = _INNER_MARKED.sub(r"\1\2", marked)
        text = (bare if bare != marked and with_marks(bare) == text else marked).strip()
    if text.startswith("=") and (quoted := _QUOTED_FORMULA.fullmatch(text)) is not None:
        text = quoted[1].replace('""', '"').strip()
    return text


def meant_reference(text: str) -> str:
    """Return the reference that a text was meant as, which an earlier version sent as it stood in a file."""
    meant = folded_identity(text)
    while (bare := without_marks(meant)) != meant:
        meant = folded_identity(bare)
    return meant


def spoiled(text: str) -> str | None:
    """Tell what has become of a reference, and what to do; None where it may be one."""
    folded = text.upper()
    if _ERROR.fullmatch(folded) is not None:
        return f"is a spreadsheet's error and no reference: correct the formula, {_AGAIN}"
    if _TOO_NARROW.fullmatch(folded) is not None:
        return f"is what a spreadsheet shows in a column that is too narrow: widen it, {_AGAIN}"
    if folded in _NOTHING:
        return f"is what programs write for an empty cell: write the order's reference, {_AGAIN}"
    if _SHORTENED.fullmatch(folded) is not None:
        return f"is a number that a spreadsheet has shortened, and no reference: {_AGAIN}"
    return None
