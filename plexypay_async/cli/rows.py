"""Rows of CSV or JSON Lines, read one at a time into requests.

Both formats share their columns: the fields of `CreatePaymentLink` in snake_case, in any letter case, and
``metadata.NAME`` for a key of the merchant's own, whose letter case is kept. A row that cannot become a
request is a `BadRow` among the others; only a file that cannot be read as rows at all is an
`UnusableInputError`.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, cast

import attrs

from ..api.payment_links import CreatePaymentLink
from ..errors import ConfigurationError
from .exits import UnusableInputError
from .source import Line, Lines
from .values import CONVERTERS, BadValueError, shown, text

__all__ = ["BadRow", "Row", "open_rows"]

_REQUIRED = ("amount", "currency")
_METADATA = "metadata."
_RETURN_URLS = {
    "successUrl": "success_url",
    "failureUrl": "failure_url",
    "cancelUrl": "cancel_url",
    "callbackUrl": "callback_url",
}
_JSON_LINES_ENDINGS = (".jsonl", ".ndjson")
_TOO_LONG = "the line is longer than 1 MiB"


@attrs.frozen
class Row:
    """A row that can be sent, and the physical line, from 1, at which it starts."""

    line: int
    request: CreatePaymentLink
    repeats: int | None = None
    """The line of an equal row with the same order reference, where a job with a journal found one."""


@attrs.frozen
class BadRow:
    """A row that cannot be sent, and why."""

    line: int
    column: str | None
    reason: str
    order_reference: str | None = None

    @property
    def explanation(self) -> str:
        """The reason, behind the column's name where one column is to blame."""
        return self.reason if self.column is None else f"column {self.column}: {self.reason}"


class _Refused(Exception):
    """A row's refusal on its way to a `BadRow`."""

    def __init__(self, column: str | None, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def open_rows(lines: Lines, name: str) -> Iterator[Row | BadRow]:
    """Return the rows of an input, reading no further than its header.

    Args:
        lines: The input's lines.
        name: The file's name: ``.jsonl`` and ``.ndjson`` mean JSON Lines. Otherwise the first byte tells.

    Raises:
        UnusableInputError: There is no header line, or its columns are not those of a payment link.
    """
    json_lines = name.lower().endswith(_JSON_LINES_ENDINGS)
    for number, data in lines:
        if data is not None and not data.strip():
            continue
        lines.put_back([(number, data)])
        if json_lines or (data is not None and data.lstrip().startswith(b"{")):
            break
        return _CsvRows(lines)
    else:
        if not json_lines:
            raise UnusableInputError(
                f"{name} is empty: the first line must name the columns, such as amount,currency,description"
            )
    return _json_rows(lines)


# --------------------------------------------------------------------------------------------------- requests


def _request(values: Mapping[str, Any], metadata: dict[str, Any]) -> CreatePaymentLink:
    for column in _REQUIRED:
        if column not in values:
            raise _Refused(column, "is empty: every row needs one")
    try:
        return CreatePaymentLink(**values, metadata=metadata or None)
    except ConfigurationError as error:
        raise _Refused(None, str(error)) from None


def _convert(column: str, value: object) -> Any:
    try:
        return CONVERTERS[column](value)
    except BadValueError as error:
        raise _Refused(column, str(error)) from None


def _nearest(name: str) -> str:
    candidates = [*CONVERTERS, "metadata.NAME"]
    found = get_close_matches(name.lower(), candidates, n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else f"the columns are {', '.join(candidates)}"


def _column(name: str) -> str | None:
    """Return the column that a header cell or a JSON key names, or None."""
    stripped = name.strip()
    folded = stripped.lower()
    if folded in CONVERTERS:
        return folded
    if folded.startswith(_METADATA) and len(stripped) > len(_METADATA):
        return _METADATA + stripped[len(_METADATA) :].strip()
    return None


# -------------------------------------------------------------------------------------------------------- CSV


class _Decoded(Iterator[str]):
    """The lines of a CSV file as text, remembering those that the record under way took.

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
            raise _Refused(None, _TOO_LONG)
        return data.decode("utf-8", "surrogateescape")

    def put_back_all_but_first(self) -> None:
        self._lines.put_back(self.taken[1:])


class _CsvRows(Iterator[Row | BadRow]):
    def __init__(self, lines: Lines) -> None:
        self._text = _Decoded(lines)
        number, data = next(lines)
        lines.put_back([(number, data)])
        _refuse_other_formats(data or b"", number)
        self._delimiter = _delimiter(data or b"")
        # Strict, so that a quote in the wrong place is a bad row and not a cell that swallows its neighbours.
        self._records = csv.reader(self._text, delimiter=self._delimiter, strict=True)
        try:
            header = next(self._records)
        except (csv.Error, _Refused) as error:
            raise UnusableInputError(f"line {number}: the header cannot be read: {error}") from None
        self._columns = _header_columns(header, number)
        self._ready: deque[Row | BadRow] = deque()

    def __next__(self) -> Row | BadRow:
        while True:
            taken = self._text.taken = []
            try:
                cells = next(self._records)
            except (csv.Error, _Refused) as error:
                line = taken[0][0]
                # The quote that was opened may be the mistake: what follows its line is read again as rows.
                self._text.put_back_all_but_first()
                return BadRow(line, None, _quoting_reason(error))
            if not any(cell and not cell.isspace() for cell in cells):
                continue
            line = taken[0][0]
            try:
                return Row(line, self._read(cells))
            except _Refused as refused:
                return BadRow(line, refused.column, refused.reason, self._reference(cells))

    def _read(self, cells: list[str]) -> CreatePaymentLink:
        columns = self._columns
        if len(cells) > len(columns):
            raise _Refused(
                None,
                f"has {len(cells)} cells for {len(columns)} columns: "
                f'put a cell that holds "{self._delimiter}" in double quotes',
            )
        if len(cells) < len(columns):
            raise _Refused(
                None,
                f"has {len(cells)} cells for {len(columns)} columns, "
                f"{columns[len(cells)]} is the first that is missing: write every cell, an empty one too",
            )
        values: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        for column, cell in zip(columns, cells, strict=True):
            value = cell.strip()
            if not value:
                continue
            if column in CONVERTERS:
                values[column] = _convert(column, value)
            else:
                try:
                    metadata[column[len(_METADATA) :]] = text(value)
                except BadValueError as error:
                    raise _Refused(column, str(error)) from None
        return _request(values, metadata)

    def _reference(self, cells: list[str]) -> str | None:
        if "order_reference" not in self._columns or len(cells) != len(self._columns):
            return None
        return cells[self._columns.index("order_reference")].strip() or None


def _quoting_reason(error: Exception) -> str:
    if isinstance(error, _Refused):
        return error.reason
    message = str(error)
    if "field larger" in message or "unexpected end" in message:
        return "a double quote is opened and not closed: close it, and write a quote inside a cell twice"
    if "new-line" in message:
        return "a carriage return stands in an unquoted cell: end lines with a line feed"
    return f"the quotes are not balanced ({message}): write a quote inside a cell twice"


def _refuse_other_formats(header: bytes, number: int) -> None:
    """Name what the first line shows to be no CSV that can be read."""
    beginning = header.removeprefix(b"\xef\xbb\xbf").strip()
    hint: str | None = None
    if beginning.startswith(b"["):
        hint = "for JSON, write one object per line (JSON Lines), not one array"
    elif beginning[:4].lower() == b"sep=":
        hint = "remove the line that names the separator: it is found without"
    elif b"\r" in beginning:
        hint = "end lines with a line feed, not with a carriage return alone"
    if hint is not None:
        raise UnusableInputError(f"line {number}: the header cannot be read: {hint}")


def _delimiter(header: bytes) -> str:
    """Return what separates the cells of a header line: whichever of , and ; there is more of, unquoted."""
    unquoted = b"".join(header.split(b'"')[::2])
    return ";" if unquoted.count(b";") > unquoted.count(b",") else ","


def _header_columns(header: list[str], number: int) -> list[str]:
    columns: list[str] = []
    for position, cell in enumerate(header, 1):
        if not cell.strip():
            raise UnusableInputError(f"line {number}: column {position} has no name: name it or remove it")
        try:
            text(cell)
        except BadValueError as error:
            raise UnusableInputError(f"line {number}: column {position}: {error}") from None
        column = _column(cell)
        if column is None:
            raise UnusableInputError(
                f"line {number}: unknown column {shown(cell.strip())}: {_header_hint(cell)}"
            )
        same = _RETURN_URLS.get(column.removeprefix(_METADATA), "")
        if column in columns or same in columns:
            raise UnusableInputError(f"line {number}: the column {column} is there twice")
        for key, shorthand in _RETURN_URLS.items():
            if column == shorthand and _METADATA + key in columns:
                raise UnusableInputError(
                    f"line {number}: {column} and {_METADATA}{key} are the same: keep one"
                )
        columns.append(column)
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        raise UnusableInputError(
            f"line {number}: no column {' and no column '.join(missing)}: "
            "the first line must name the columns, among them amount and currency"
        )
    return columns


def _header_hint(cell: str) -> str:
    if "\t" in cell:
        return "separate the columns with commas or semicolons, not tabs"
    if cell.lstrip().startswith("["):
        return "for JSON, write one object per line (JSON Lines), not one array"
    return _nearest(cell.strip())


# ------------------------------------------------------------------------------------------------- JSON Lines


def _json_rows(lines: Lines) -> Iterator[Row | BadRow]:
    for number, data in lines:
        if data is not None and not data.strip():
            continue
        found: dict[str, Any] = {}
        try:
            found = _json_object(data)
            row: Row | BadRow = Row(number, _json_request(found))
        except _Refused as refused:
            reference = found.get("order_reference")
            row = BadRow(
                number, refused.column, refused.reason, reference if isinstance(reference, str) else None
            )
        yield row


def _json_object(data: bytes | None) -> dict[str, Any]:
    if data is None:
        raise _Refused(None, _TOO_LONG)
    try:
        line = data.decode()
    except UnicodeDecodeError as error:
        raise _Refused(None, f"byte {error.start + 1} is not UTF-8 text: save the file as UTF-8") from None
    try:
        found = json.loads(line, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\u" in line:
            json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _Refused(None, f"is not JSON ({error.msg} at character {error.pos + 1})") from None
    except UnicodeEncodeError:
        raise _Refused(None, "holds half of a surrogate pair: write whole characters") from None
    except (ValueError, RecursionError):
        raise _Refused(None, "is not usable JSON: a number is too long or it is nested too deep") from None
    if not isinstance(found, dict):
        raise _Refused(None, "is not a JSON object: write one object per line")
    return cast("dict[str, Any]", found)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(None, f"the key {shown(twice)} is there twice")
    return found


def _no_constant(name: str) -> None:
    raise _Refused(None, f"{name} is not JSON: write a number")


def _json_request(found: Mapping[str, Any]) -> CreatePaymentLink:
    values: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for key, value in found.items():
        if key.strip().lower() == "metadata":
            if value is None:
                continue
            if not isinstance(value, dict):
                raise _Refused("metadata", f"{shown(value)} is not a JSON object")
            _merge(metadata, cast("dict[str, Any]", value))
            continue
        column = _column(key)
        if column is None:
            raise _Refused(None, f"unknown key {shown(key)}: {_nearest(key)}")
        if column in values:
            raise _Refused(column, "is there twice")
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        value = value.strip() if isinstance(value, str) else value
        if column in CONVERTERS:
            values[column] = _convert(column, value)
        else:
            _merge(metadata, {column[len(_METADATA) :]: value})
    return _request(values, metadata)


def _merge(metadata: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if key in metadata:
            raise _Refused(_METADATA + key, "is there twice")
        metadata[key] = value
