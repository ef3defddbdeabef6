"""What spreadsheets, and programs that read their files, make of an order's reference.

They mark a text as one (``="00017"``, ``'00017``), write an error or the word for "nothing" where a reference
should be, and shorten long numbers (``1.23457E+12``): many orders then have the same one.
"""

from __future__ import annotations

import re

from ..api.identities import folded_identity

__all__ = ["is_nothing", "meant_reference", "names_a_sum", "spoiled", "with_marks", "without_marks"]

_QUOTED_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
_ERROR = re.compile(
    r"#[^\W\d_][\w/]*[!?]"  # #REF!, #NAME?, #DIV/0!, and as other languages write them: #ССЫЛКА!, #ИМЯ?
    r"|#N/A(?: N/A)?|N/A|#NV|#Н/Д|Н/Д|#GETTING_DATA|(?:ERR|FEHLER|ОШИБКА|ҚАТЕ):\d{3}"
)
_TOO_NARROW = re.compile("#+")
_NOTHING = frozenset(
    {"NAN", "NONE", "NULL", "NAT", "<NA>", "(NULL)", "<NULL>", "[NULL]", "\\N", "NIL", "UNDEFINED"}
)
_SHORTENED = re.compile(r"[-+]?\d+(?:[.,]\d+[EЕ][-+]?\d+|[EЕ]\+\d+)")
"""A number with an exponent. Without a fraction and a sign, such as ``1E5``, it may be a reference."""

_HTML = re.compile(r"&#\d{2,}|&#[Xx][0-9A-Fa-f]{2,}|&(?:amp|quot|apos|lt|gt|nbsp)(?:;|$)")
"""The semicolon may have ended the cell."""
_QUOTED_PRINTABLE = re.compile("=[89A-F][0-9A-F]=[89A-F][0-9A-F]|=3D")
"""Letters that are not ASCII, of two bytes and more, as mail writes them."""

_SUM = re.compile(
    "(?:(?:grand |sub)?total|sum|сумма|всего|итого|(?:общий|промежуточный) итог|итоги?|общая сумма"
    "|барлығы|жиыны|(?:жалпы |аралық )?қорытынды|жалпы сома|жалпы)[ :.=]*"
    "|(?:итого|общий итог|қорытынды|барлығы|жиыны)[ :,.(].*"
    "|(?:(?:grand |sub)?total|всего)(?: *[:(,].*| (?:of|for|amount|due|sum|к|по|за|на|в) .*)"
    "|(?:grand |sub)?total (?:amount|due|sum)"
)
"""What stands below a table beside its sum, in lower case."""

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
    if "\ufffd" in text:
        return "has U+FFFD, which stands for a letter that was lost: export again, as UTF-8"
    if text[0] in '"“' or text.count('"') % 2:
        return "has a double quote that does not go around the cell: remove it, and a space before it"
    if _HTML.search(text) is not None:
        return "has a letter as web pages write it: export plain text, as UTF-8"
    if _QUOTED_PRINTABLE.search(text) is not None:
        return "has letters as mail transmits them: save the attachment from the mail program"
    return None


def is_nothing(text: str) -> bool:
    """Tell whether a text is what programs write for an empty cell, such as ``nan``."""
    return text.upper() in _NOTHING


def names_a_sum(text: str) -> bool:
    """Tell whether a cell says that its row is the sum of a table: ``Total:``, ``ИТОГО``, ``Барлығы``."""
    return _SUM.fullmatch(" ".join(text.split()).casefold()) is not None
