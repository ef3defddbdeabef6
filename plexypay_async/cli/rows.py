"""Rows of CSV or JSON Lines, read one at a time into requests.

Both formats share the columns of `bulk.columns`. A row that cannot become a request is a `BadRow` among the
others; only a file that cannot be read as rows at all is an `UnusableInputError`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

import attrs

from .._wire.messages import WireRequest
from ..bulk.bad_rows import BadRowError, shown
from ..bulk.columns import KNOWN_COLUMNS, REQUIRED, SAME_COLUMN, column_of, request_of, text
from ..pay.payment_links import CreatePaymentLink
from .dialect import DELIMITERS, Dialect
from .exits import UnusableInputError
from .source import Line, Lines
from .torn_rows import may_be_part, row_within

__all__ = ["BadRow", "Row", "open_rows"]

_MOST_TOLD = 10
"""Names in a header that are told of; the header of another program's report may have hundreds."""
_JSON_LINES_ENDINGS = (".jsonl", ".ndjson")
_TOO_LONG = "the line is longer than 1 MiB"
_REFERENCE = "order_reference"
_SWALLOWED = (
    "this row ends in line {last}, since a double quote is closed there, and what is quoted from line"
    " {within} on looks like a row of its own: close the quote in the line where it is opened, or write a"
    " text of several lines as one"
)

_DECIMALS = re.compile(r"\s*[0-9]{2}\s*")

T = TypeVar("T")
_Reader = Callable[[Mapping[str, Any]], CreatePaymentLink]


class WrittenAmount(NamedTuple):
    """An amount as it stands in a file."""

    cell: str | int | Decimal
    column: str
    """``amount`` or ``amount_major``."""

    def __str__(self) -> str:
        # Without the quotes of a text: what was read as an amount has digits, marks and a currency alone.
        return " ".join(str(self.cell).split())


@attrs.frozen
class Row:
    """A row that can be sent, and the physical line, from 1, at which it starts."""

    line: int
    request: CreatePaymentLink
    encoded: WireRequest | None = None
    """The request as it goes out, where it was needed to compare rows."""
    ends_open: bool = False
    """Whether it is the last of a CSV file whose last line does not end: it may have been cut there."""
    may_be_part: bool = False
    """Whether a cut there may have left a part of a cell that names the order, its amount or its time."""
    repeats: int | None = None
    """The line of an earlier row with the same order reference and the same data, if there is one."""
    amount: WrittenAmount | None = None
    """The row's amount as it stands in the file."""
    same_but_zeros: int | None = None
    """The line of an earlier row whose order reference differs in zeros at its beginning alone, if any."""
    warnings: tuple[str, ...] = ()
    """What is doubtful about it, or shows in it for the first time; it is sent all the same."""

    @property
    def order_reference(self) -> str | None:
        """The request's own."""
        return self.request.order_reference


@attrs.frozen
class BadRow:
    """A row that cannot be sent, and why."""

    line: int
    column: str | None
    reason: str
    order_reference: str | None = None
    repeats: int | None = None
    """The line of an earlier row with the same order reference and data, where that is what is wrong."""
    same_but_zeros: int | None = None
    """The line of an earlier row whose order reference differs in zeros at its beginning alone, if any."""
    lacks_reference: bool = False
    """Whether it could be read, and has no order reference."""
    seems_major: str | None = None
    """Its amount, where that is to be minor units and looks like major ones, as a message may show it."""
    not_utf_8: bool = False
    """Whether nothing else is wrong than its encoding, which is the whole file's."""
    warnings: tuple[str, ...] = ()
    """What shows in it for the first time about other rows of the file."""

    @property
    def explanation(self) -> str:
        """The reason, behind the column's name where one column is to blame."""
        return str(BadRowError(self.reason, self.column))


def open_rows(
    lines: Lines, name: str, *, without_references: str | None = None, major: bool = False
) -> Iterator[Row | BadRow]:
    """Return the rows of an input, reading no further than its header.

    With a spreadsheet's marks around them, order references and customers' ids are read as they are meant.

    Args:
        lines: The input's lines.
        name: The file's name: ``.jsonl`` and ``.ndjson`` mean JSON Lines. Otherwise the first byte tells.
        without_references: Why an input without order references is refused, and what to do; None takes it.
        major: Whether the column ``amount`` has **major** units; else it has **minor** ones.

    Raises:
        UnusableInputError: There is no header line, or its columns are not those of a payment link, or it has
            no order references.
    """
    json_lines = name.lower().endswith(_JSON_LINES_ENDINGS)
    read = partial(request_of, major=major)
    named: str | None = None
    for number, data in lines:
        if data is not None and not data.strip():
            continue
        if not json_lines and (delimiter := _named_delimiter(data or b"", number)) is not None:
            named = delimiter
            continue
        lines.put_back([(number, data)])
        if json_lines or (data is not None and data.lstrip().startswith(b"{")):
            if data is not None and data.strip() == b"{":
                raise UnusableInputError(
                    f"line {number}: a JSON object stands on several lines: write each object on one line"
                )
            if without_references is not None:
                _refuse_first_object(number, data, without_references)
            break
        return _csv_rows(lines, number, data or b"", named, without_references, read)
    else:
        if not json_lines:
            raise UnusableInputError(
                f"{name} is empty: the first line must name the columns, such as amount,currency,description"
            )
    lines.dialect = Dialect(json_lines=True)
    return _json_rows(lines, read)


def _row(line: int, data: T, cells_of: Callable[[T], Mapping[str, Any]], read: _Reader) -> Row | BadRow:
    try:
        cells = cells_of(data)
        return Row(line, read(cells), amount=_written_amount(cells))
    except BadRowError as error:
        return _bad_row(line, error)


def _bad_row(line: int, error: BadRowError) -> BadRow:
    """Return the bad row of this line, with all that its error says."""
    return BadRow(
        line,
        error.column,
        error.reason,
        error.order_reference,
        lacks_reference=error.lacks_reference,
        seems_major=error.seems_major,
        not_utf_8=error.not_utf_8,
    )


def _written_amount(cells: Mapping[str, Any]) -> WrittenAmount | None:
    # A key of JSON may have another letter case; such a row is no example of how amounts are written.
    for column in ("amount", "amount_major"):
        written = cells.get(column)
        if written not in (None, ""):
            return WrittenAmount(written, column)
    return None


# -------------------------------------------------------------------------------------------------------- CSV


class _Decoded(Iterator[str]):
    """The lines of a CSV file as text, and in `taken` those of the record that is being read.

    Bytes that are not UTF-8 become lone surrogates, so that the cell that holds them can be named.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.taken: list[Line] = []

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        data = line[1]
        if data is None:
            raise BadRowError(_TOO_LONG)
        return data.decode("utf-8", "surrogateescape")


def _csv_rows(
    lines: Lines, number: int, first: bytes, named: str | None, without_references: str | None, read: _Reader
) -> Iterator[Row | BadRow]:
    """Read the header, whose first line and its number are given, and return what reads the rows."""
    _refuse_other_formats(first, number)
    if named is not None:
        _refuse_other_separator(first, number, named)
    delimiter = named or _delimiter(first)
    lines.dialect = attrs.evolve(lines.dialect, delimiter=delimiter, named=named is not None)
    text = _Decoded(lines)
    # Strict, so that a quote in the wrong place is a bad row and not a cell that swallows its neighbours.
    records = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        header = next(records)
    except (csv.Error, BadRowError) as error:
        raise UnusableInputError(
            f"line {number}: the header cannot be read: {_quoting_reason(error)}"
        ) from None
    columns = _header_columns(header, number)
    lines.has_amount_major = "amount_major" in columns
    if without_references is not None and _REFERENCE not in columns:
        raise UnusableInputError(f"line {number}: no column {_REFERENCE}: {without_references}")
    return _rows_below_header(lines, text, records, _Header(columns, len(header), delimiter), read)


@attrs.frozen
class _Header:
    """The columns of a CSV file."""

    columns: list[str]
    width: int
    """How many cells it has, empty ones at its end among them."""
    delimiter: str


def _rows_below_header(
    lines: Lines, text: _Decoded, records: Iterator[list[str]], header: _Header, read: _Reader
) -> Iterator[Row | BadRow]:
    columns = header.columns
    cells_of = partial(_cells_by_column, header)
    while True:
        taken = text.taken = []
        try:
            cells = next(records)
        except StopIteration:
            return
        except (csv.Error, BadRowError) as error:
            # The quote that was opened may be the mistake, so the lines after it are read again as rows.
            lines.put_back(taken[1:])
            yield BadRow(taken[0][0], None, _quoting_reason(error))
            continue
        if len(taken) > 1 and (below := _row_within(header, taken)) is not None:
            yield BadRow(taken[0][0], None, _SWALLOWED.format(within=taken[0][0] + below, last=taken[-1][0]))
        elif any(cell and not cell.isspace() for cell in cells):
            row = _row(taken[0][0], cells, cells_of, read)
            if isinstance(row, BadRow) and _is_header(cells, columns):
                row = BadRow(row.line, None, "is the header once more: remove the line")
            elif isinstance(row, Row) and lines.ends_open:
                row = attrs.evolve(row, ends_open=True, may_be_part=may_be_part(columns, cells, taken[-1][1]))
            yield row


def _row_within(header: _Header, taken: list[Line]) -> int | None:
    lines = [data or b"" for _, data in taken]
    return row_within(header.columns, header.width, header.delimiter, lines)


def _is_header(cells: list[str], columns: list[str]) -> bool:
    """Tell whether cells are the columns' names once more, as where files were joined."""
    names = [cell.strip("\ufeff ").lower() for cell in cells[: len(columns)]]
    return names == [column.lower() for column in columns]


def _cells_by_column(header: _Header, cells: list[str]) -> dict[str, str]:
    columns, delimiter = header.columns, header.delimiter
    if len(cells) > len(columns):
        more = next((cell for cell in cells[len(columns) :] if cell.strip()), None)
        if more is None and len(cells) <= header.width:
            # A spreadsheet writes columns that were emptied, in its header too.
            cells = cells[: len(columns)]
        elif more is None:
            raise BadRowError(
                f"has {len(cells)} cells for {header.width} columns, and nothing stands in the last: put a"
                f' cell that holds "{delimiter}", as an amount may, in double quotes, or end the line as the'
                " header ends"
            )
        elif any(cell != cell.lstrip() and cell.lstrip().startswith('"') for cell in cells):
            raise BadRowError("a space stands before a double quote: remove it, so that the cell is quoted")
        else:
            raise BadRowError(
                f"has {len(cells)} cells for {len(columns)} columns, {shown(more)} is in none of them: put"
                f' a cell that holds "{delimiter}" in double quotes, or remove the cells that are too many'
            )
    if len(cells) < len(columns):
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        raise BadRowError(
            f"has {count} for {len(columns)} columns, {columns[len(cells)]} is the first that is missing:"
            " write every cell, an empty one too, or remove the line if it is no order"
        )
    _refuse_decimals(columns, delimiter, cells)
    return dict(zip(columns, cells, strict=True))


def _refuse_decimals(columns: list[str], delimiter: str, cells: list[str]) -> None:
    """Refuse two digits as the description behind an amount: a comma before decimals may separate the two."""
    if delimiter != "," or "description" not in columns[1:]:
        return
    place = columns.index("description")
    if columns[place - 1] in ("amount", "amount_major") and _DECIMALS.fullmatch(cells[place]):
        amount = f"{cells[place - 1].strip()},{cells[place].strip()}"
        raise BadRowError(
            f"{shown(amount)} may be two cells or one: write the amount with a point, or in double quotes; a"
            " description of two digits needs a word"
        )


def _quoting_reason(error: Exception) -> str:
    if isinstance(error, BadRowError):
        return error.reason
    message = str(error)
    if "field larger" in message:
        return (
            f"a cell has more than {csv.field_size_limit():,} characters: shorten it, or close a double quote"
            " that is open"
        )
    if "unexpected end" in message:
        return "a double quote is opened and not closed: close it, and write a quote inside a cell twice"
    if "new-line" in message:
        return (
            "a line break of old Macs (a carriage return) stands in a cell: write the cell on one line, or in"
            " double quotes"
        )
    return f"the quotes are not balanced ({message}): write a quote inside a cell twice"


def _refuse_other_formats(header: bytes, number: int) -> None:
    """Refuse a file whose first line shows that it has another format, and say how to write it."""
    beginning = header.removeprefix(b"\xef\xbb\xbf").strip()
    if beginning.startswith(b"["):
        hint = "for JSON, write one object per line (JSON Lines), not one array"
    elif b"\r" in beginning:
        hint = (
            "its lines end with a carriage return alone, as old Macs do: save the file as CSV UTF-8, with the"
            " line breaks of Windows or Linux"
        )
    else:
        return
    raise UnusableInputError(f"line {number}: the header cannot be read: {hint}")


def _named_delimiter(line: bytes, number: int) -> str | None:
    """Return the separator that a line such as ``sep=;`` names, as Excel writes it; None for other lines."""
    text = line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if text[:4].lower() != b"sep=":
        return None
    delimiter = text[4:].decode("ascii", "replace")
    if delimiter not in tuple(",;|\t"):
        raise UnusableInputError(
            f"line {number}: sep={shown(delimiter)} names no separator: write a comma or a semicolon"
        )
    return delimiter


def _refuse_other_separator(header: bytes, number: int, named: str) -> None:
    """Refuse a header that has another separator than the one that a line ``sep=`` above it names."""
    unquoted = b"".join(header.split(b'"')[::2]).decode("utf-8", "replace")
    found = max((mark for mark in DELIMITERS if mark != named), key=unquoted.count)
    # Two columns are required, so a header of one cell is none.
    if found in unquoted and not unquoted.strip().rstrip(named).count(named):
        told, meant = ("a tab" if mark == "\t" else f'"{mark}"' for mark in (found, named))
        remove = ", or remove it" if found in ",;" else ""
        raise UnusableInputError(
            f"line {number}: the header is separated by {told}, and the line sep= above it names {meant}:"
            f" write the header's separator in that line{remove}"
        )


def _delimiter(header: bytes) -> str:
    """Return what separates the cells of a header line: whichever of , and ; there is more of, unquoted."""
    unquoted = b"".join(header.split(b'"')[::2])
    return ";" if unquoted.count(b";") > unquoted.count(b",") else ","


def _header_columns(header: list[str], number: int) -> list[str]:
    columns: list[str] = []
    fields: dict[str, str] = {}
    told: list[str] = []
    unknown: list[str] = []
    while header and not header[-1].strip():
        # Columns that were emptied in a spreadsheet stay in its file; their cells must be empty too.
        header = header[:-1]
    for position, cell in enumerate(header, 1):
        if not cell.strip():
            raise UnusableInputError(f"line {number}: column {position} has no name: name it or remove it")
        if "\n" in cell or "\r" in cell:
            raise UnusableInputError(
                f"line {number}: the name of column {position} does not end in its line: close its quote"
            )
        try:
            text(cell)
        except BadRowError as error:
            raise UnusableInputError(f"line {number}: column {position}: {error}") from None
        try:
            column = _header_column(cell)
        except BadRowError as error:
            if error.reason == KNOWN_COLUMNS:
                unknown.append(shown(cell.strip()))
            else:
                told.append(error.reason)
            continue
        # Two columns can stand for the same field.
        field = SAME_COLUMN.get(column, column)
        if column in columns:
            raise UnusableInputError(f"line {number}: the column {column} is given twice: keep one")
        if field in fields:
            raise UnusableInputError(
                f"line {number}: {fields[field]} and {column} are the same, given twice: keep one"
            )
        columns.append(column)
        fields[field] = column
    if told or unknown:
        raise UnusableInputError(f"line {number}: {_unknown_columns(told, unknown)}")
    missing = [column for column in REQUIRED if column not in fields]
    if missing:
        raise UnusableInputError(
            f"line {number}: no column {' and no column '.join(missing)}: "
            f"the first line must name the columns, among them {' and '.join(REQUIRED)}"
        )
    return columns


def _header_column(cell: str) -> str:
    """Return the column that a header's cell names.

    Raises:
        BadRowError: It names none; the reason is `KNOWN_COLUMNS` where it is not plain which one is meant.
    """
    name = cell.strip()
    try:
        return column_of(name, of_text=True).name
    except BadRowError as error:
        told = error.reason
    other = next((told for mark, told in {"\t": "tabs", "|": "|"}.items() if mark in cell), None)
    if other is not None:
        told = f"unknown column {shown(name)}: separate the columns with commas or semicolons, not {other}"
    raise BadRowError(KNOWN_COLUMNS if told.endswith(KNOWN_COLUMNS) else told)


def _unknown_columns(told: list[str], unknown: list[str]) -> str:
    """Return what is wrong with the names in a header.

    Args:
        told: What is said of single ones.
        unknown: Those of which nothing else can be said.
    """
    told = told[:_MOST_TOLD]
    if unknown:
        more = f" and {len(unknown) - _MOST_TOLD} more" if len(unknown) > _MOST_TOLD else ""
        told.append(
            f"unknown column {', '.join(unknown[:_MOST_TOLD])}{more}: {KNOWN_COLUMNS}; the first line must"
            " name the columns: rename them, such as metadata.NAME to keep one of your own, and remove lines"
            " above them"
        )
    return "; ".join(told)


# ------------------------------------------------------------------------------------------------- JSON Lines


def _json_rows(lines: Lines, read: _Reader) -> Iterator[Row | BadRow]:
    for number, data in lines:
        if data is None or data.strip():
            yield _row(number, data, _json_object, read)


def _refuse_first_object(number: int, data: bytes | None, why: str) -> None:
    """Refuse an input whose first object has no order reference; one that cannot be read is a bad row."""
    try:
        names = [column_of(name).name for name in _json_object(data)]
    except BadRowError:
        return
    if _REFERENCE not in names:
        raise UnusableInputError(f"line {number}: no {_REFERENCE}: {why}")


def _json_object(data: bytes | None) -> dict[str, Any]:
    if data is None:
        raise BadRowError(_TOO_LONG)
    try:
        line = data.decode()
    except UnicodeDecodeError as error:
        told = f"byte {error.start + 1} is not UTF-8 text: save the file as UTF-8"
        raise BadRowError(told, not_utf_8=True) from None
    try:
        found = json.loads(line, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\u" in line:
            json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise BadRowError(
            f"is not JSON ({error.msg} at character {error.pos + 1}): write one whole object on each line"
        ) from None
    except UnicodeEncodeError:
        raise BadRowError("holds half of a surrogate pair: write whole characters") from None
    except (ValueError, RecursionError):
        raise BadRowError(
            "is not usable JSON, a number is too long or it is nested too deep: shorten it"
        ) from None
    if not isinstance(found, dict):
        raise BadRowError("is not a JSON object: write one object per line")
    row = cast("dict[str, Any]", found)
    _keep_amounts(row, line)
    return row


def _keep_amounts(row: dict[str, Any], line: str) -> None:
    """Put amounts with decimals in as they are written: a float may be rounded."""
    rounded = [key for key, value in row.items() if type(value) is float and _has_amounts(key)]
    if rounded:
        written = json.loads(line, parse_float=_exact)
        row.update((key, written[key]) for key in rounded)


def _has_amounts(key: str) -> bool:
    return key.strip().lower() in ("amount", "amount_major")


def _exact(number: str) -> Decimal | str:
    try:
        return Decimal(number)
    except InvalidOperation:  # an exponent that no computer can hold
        return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadRowError(f"the key {shown(twice)} is given twice: keep one")
    return found


def _no_constant(name: str) -> None:
    raise BadRowError(f"{name} is not JSON: write a number")
