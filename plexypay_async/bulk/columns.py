"""The columns of a row that becomes a payment link, and how each cell is read.

The columns are the fields of `CreatePaymentLink`. A field with keys of its own has a column for each of them:
``metadata.NAME`` and ``extra.NAME`` for any name, ``recurring.type`` and so on for the fields of `Recurring`;
where a cell can hold an object, the field itself is a column too. Letter case counts in NAME alone.

A cell is text, as in CSV, a value of JSON, or an object of Python's, NumPy's or pandas'. What is refused is a
`BadRowError`, whose reason tells its reader what to write.
"""

from __future__ import annotations

import functools
import operator
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import attrs

from .._times import read_time, real_time
from ..api.fields import own_field, wire_name
from ..api.identities import folded_identity, identity_of
from ..errors import ConfigurationError
from ..pay.payment_links import CreatePaymentLink
from .amounts import advice, minor_units
from .spreadsheets import is_nothing, names_a_sum, spoiled, without_marks

__all__ = [
    "COLUMNS",
    "REQUIRED",
    "SAME_COLUMN",
    "BadRowError",
    "column_of",
    "is_mapping",
    "reference_in",
    "request_of",
    "shown",
    "text",
]

_LARGEST_AMOUNT = 2**63 - 1
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_HAS_TIME_OF_DAY = re.compile(r"\d[T t]\d")


class BadRowError(Exception):
    """A row, or one of its cells, that cannot be sent.

    Args:
        reason: What is wrong, and what to write instead.
        column: The column that is to blame, if one is.
    """

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column
        self.order_reference: str | None = None
        """The row's own, where it has one."""

    def __str__(self) -> str:
        return self.reason if self.column is None else f"column {self.column}: {self.reason}"


def shown(value: object, limit: int = 40) -> str:
    """Return a value as a message may show it: on one line, with nothing unprintable, not too long."""
    try:
        written = str(value) if isinstance(value, Decimal) else repr(value)
    except ValueError:
        # An integer of more digits than Python writes.
        return f"this {type(value).__name__}"
    return written if len(written) <= limit else written[: limit - 3] + "..."


# ------------------------------------------------------------------------------------------------- cells


def text(value: object) -> str:
    """Read text that can be sent as UTF-8."""
    if not isinstance(value, str):
        raise BadRowError(f"{shown(value)} is not text: write it in quotes, or read its column as text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            readable = value.encode(errors="replace").decode()
            raise BadRowError(f"{shown(readable)} is not UTF-8 text: save the file as UTF-8") from None
    return value


def _identity(value: object) -> str | None:
    """Read what names an order or a customer, as spreadsheets write it; None where nothing is left of it."""
    written = text(value)
    found = without_marks(written)
    if not found:
        return None
    if (told := spoiled(found)) is not None:
        raise BadRowError(f"{shown(found)} {told}")
    if written[0] == found[0] == "=":
        raise BadRowError(
            f"{shown(found)} is a formula: write what it shows, or an apostrophe before it if it is none"
        )
    try:
        return identity_of("cell", found)
    except ConfigurationError as error:
        raise BadRowError(str(error).removeprefix("cell: ")) from None


def _whole(value: Any, of: str = "", example: str = "") -> int:
    """Read a whole number: an integer of any kind, or text of digits alone."""
    if isinstance(value, str):
        if value.isascii() and value.isdecimal() and len(value) <= 30:
            return int(value)
    elif isinstance(value, Decimal):
        # With decimals, such as 22000.00, it may be in major units.
        if value.is_finite() and value.as_tuple().exponent == 0:
            return int(value)
    elif not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    told = f"{shown(value)} is not a whole number{of}: write digits only{example}"
    if isinstance(value, float):
        told += "; in a data frame, a column with an empty cell holds floats unless its dtype is Int64"
    raise BadRowError(told)


def _amount(value: object) -> int:
    """Read an amount: a whole positive number of **minor** units (22 000 KZT is ``2200000``)."""
    number = _whole(value, " of minor units", " (22 000 KZT is 2200000)")
    if number <= 0:
        raise BadRowError(f"{shown(number)} is not an amount: write a number of minor units greater than 0")
    if number > _LARGEST_AMOUNT:
        raise BadRowError(f"{shown(value)} is larger than any amount the API can hold: write minor units")
    return number


@attrs.frozen
class _Major:
    """An amount of **major** units as it is written, and its column; its worth depends on the currency."""

    written: str | int | Decimal
    column: str


def _major(column: str, value: object) -> _Major:
    """Take an amount of **major** units as it is."""
    if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
        return _Major(value, column)
    told = f"{shown(value)} is not an amount: write it as text, such as 22000.50"
    if isinstance(value, float):
        told += "; a number with decimals may have been rounded already, so read its column as text"
    raise BadRowError(told, column)


def _currency(value: object) -> str:
    """Read a currency: three ASCII letters in any case."""
    if (
        isinstance(value, str)
        and len(value) == 3
        and value.isascii()
        and value.isalpha()
        and not is_nothing(value)
    ):
        return value.upper()
    letters = "three letters" if not isinstance(value, str) or value.isascii() else "three Latin letters"
    raise BadRowError(f"{shown(value)} is not a currency: write {letters}, such as KZT")


def _moment(value: object) -> datetime:
    """Read a point in time: a datetime, or ISO 8601 with a time of day and an offset from UTC."""
    example = "write a date, a time and an offset, such as 2099-12-31T23:59:59Z or ...+05:00"
    if isinstance(value, datetime):
        parsed = value
    elif not isinstance(value, str):
        raise BadRowError(f"{shown(value)} is not a time: {example}")
    else:
        try:
            parsed = read_time(value)
        except ValueError:
            raise BadRowError(f"{shown(value)} is not an ISO 8601 time: {example}") from None
        if _HAS_TIME_OF_DAY.search(value) is None:
            raise BadRowError(f"{shown(value)} has no time of day: {example}")
    if parsed.utcoffset() is None:
        raise BadRowError(f"{shown(value)} has no offset from UTC: {example}")
    try:
        parsed.astimezone(UTC)
    except OverflowError:
        raise BadRowError(f"{shown(value)} is outside the years 1 to 9999 in UTC: {example}") from None
    return parsed


def _return_address(value: object) -> str:
    """Read the address of a page that a customer is sent to, or of a webhook."""
    address = text(value)
    try:
        parts = urlsplit(address)
        is_page = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_page = False
    if not is_page or any(each.isspace() for each in address):
        raise BadRowError(
            f"{shown(address)} is no address of a page: write one such as https://shop.example/paid"
        )
    return address


def _flag(value: object) -> bool:
    """Read true or false, in one of the three usual spellings and any letter case."""
    if value is True or value is False:
        return value
    known = _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise BadRowError(f"{shown(value)} is neither true nor false: write true or false")
    return known


def _anything(value: object) -> object:
    return text(value) if isinstance(value, str) else value


def _object(value: object) -> Mapping[Any, Any]:
    if not is_mapping(value):
        raise BadRowError(f"{shown(value)} is not a JSON object")
    return value


def is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Tell whether a value is a mapping, whatever is in it."""
    return isinstance(value, Mapping)


def _python_value(cell: Any) -> Any:
    """Return a NumPy scalar as the number or text that it holds."""
    kind = getattr(getattr(cell, "dtype", None), "kind", None)
    if kind is not None and kind in "iubfU" and getattr(cell, "shape", None) == ():
        return cell.item()
    return cell


def _is_missing(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return not value
    try:
        # Only NaN and NaT differ from themselves.
        return bool(value != value)
    except ArithmeticError:
        # A signalling NaN is none to be compared.
        return True
    except (TypeError, ValueError):
        # The comparison of pandas' NA is NA, which is neither true nor false; an array's is many.
        return type(value).__name__ == "NAType"


# ----------------------------------------------------------------------------------------------- columns

_ANY_KEY = "NAME"
_BY_NAME: dict[str, Callable[[Any], Any]] = {
    "amount": _amount,
    "currency": _currency,
    "order_reference": _identity,
    "customer_id": _identity,
    **dict.fromkeys(("success_url", "failure_url", "cancel_url", "callback_url"), _return_address),
}
"""How a cell is read whose type does not say all."""
_BY_TYPE: dict[type, Callable[[Any], Any]] = {str: text, bool: _flag, int: _whole, real_time(): _moment}


@attrs.frozen
class Column:
    """A column: a field of `CreatePaymentLink`, or one key of a field that has keys of its own."""

    field: str
    key: str | None
    read: Callable[[Any], Any]
    """Returns what the request takes; raises `BadRowError` without a column."""

    @property
    def name(self) -> str:
        """The column's name in lower case, but for a key that may be any."""
        return self.field if self.key is None else f"{self.field}.{self.key}"


def _fields_of(kind: type[Any]) -> list[attrs.Attribute[Any]]:
    attrs.resolve_types(kind)
    return sorted(attrs.fields(kind), key=lambda field: getattr(field, "inherited", False))


def _types_of(field: attrs.Attribute[Any]) -> list[Any]:
    """Return the types of a union, or the one type; a generic one without its parameters."""
    kinds = (field.type,) if typing.get_origin(field.type) is Mapping else typing.get_args(field.type)
    return [typing.get_origin(kind) or kind for kind in kinds or (field.type,)]


def _class_of(field: attrs.Attribute[Any]) -> type[Any] | None:
    return next(filter(attrs.has, _types_of(field)), None)


def _reader_of(field: attrs.Attribute[Any]) -> Callable[[Any], Any]:
    kinds = tuple(_types_of(field))
    by_type = (read for kind, read in _BY_TYPE.items() if any(issubclass(each, kind) for each in kinds))
    return _BY_NAME.get(field.name) or next(by_type)


def _columns_of(field: attrs.Attribute[Any]) -> Iterator[Column]:
    if Mapping in _types_of(field):
        yield Column(field.name, None, functools.partial(_read_keys, field.name))
        yield Column(field.name, _ANY_KEY, _anything)
    elif (kind := _class_of(field)) is not None:
        yield Column(field.name, None, functools.partial(_read_object, field.name, kind))
        for each in _fields_of(kind):
            yield Column(field.name, each.name, _reader_of(each))
    else:
        yield Column(field.name, None, _reader_of(field))


@functools.lru_cache(maxsize=1000)
def column_of(name: object, *, of_text: bool = False) -> Column:
    """Return the column that a header cell, or a key of a row, names.

    Args:
        name: The name.
        of_text: Whether its cells are text, so that a field with keys of its own is no column.

    Raises:
        BadRowError: There is no such column.
    """
    found = _column_of(name) if isinstance(name, str) else None
    if found is None or (of_text and found.key is None and found.field in _WITH_KEYS):
        raise BadRowError(f"unknown column {shown(name)}: {_hint(str(name))}")
    return found


def _hint(name: str) -> str:
    """Return what to write instead of an unknown column's name."""
    seen = folded_identity(name).lower()
    if seen in COLUMNS and seen != name.strip().lower():
        return f"it has a character that nobody sees: type {seen} anew"
    near = _OF_OTHERS.get(seen) or next(iter(get_close_matches(seen, COLUMNS, n=1, cutoff=0.5)), None)
    return f"did you mean {near}?" if near else f"the columns are {', '.join(COLUMNS)}"


def _column_of(name: str) -> Column | None:
    stripped = name.strip()
    folded = stripped.lower()
    field = folded.partition(".")[0]
    key = stripped[len(field) + 1 :].strip()
    if field == "extra" and (own := own_field(CreatePaymentLink, key)) is not None:
        raise BadRowError(f"{shown(stripped)}: {own} is a column of its own: name it so")
    if key and f"{field}.{_ANY_KEY}" in _COLUMNS:
        return Column(field, key, _return_address if f"{field}.{key}" in SAME_COLUMN else _anything)
    return _COLUMNS.get(folded)


def _read_keys(field: str, value: Any) -> Mapping[Any, Any]:
    """Read an object with any keys; what one of them says for a column of its own is read as that column."""
    given = _object(value)
    for key, cell in given.items():
        if f"{field}.{key}" in SAME_COLUMN and cell is not None:
            try:
                _return_address(cell)
            except BadRowError as error:
                error.column = f"{field}.{key}"
                raise
    return given


def _read_object(field: str, kind: type[Any], value: Any) -> Any:
    """Read an object of a class, or the values of its fields."""
    if isinstance(value, kind):
        return value
    values: dict[str, Any] = {}
    for key, cell in _object(value).items():
        _take(values, column_of(f"{field}.{key}"), cell)
    return values.get(field, {})


_FIELDS = _fields_of(CreatePaymentLink)
_CLASSES = {field.name: kind for field in _FIELDS if (kind := _class_of(field)) is not None}
_AMOUNT_MAJOR = Column("amount_major", None, functools.partial(_major, "amount_major"))
_AMOUNT_AS_MAJOR = attrs.evolve(_AMOUNT_MAJOR, read=functools.partial(_major, "amount"))
"""The column `amount` where it has major units."""
_COLUMNS = {column.name: column for field in _FIELDS for column in _columns_of(field)}
_COLUMNS[_AMOUNT_MAJOR.name] = _AMOUNT_MAJOR
_WITH_KEYS = {column.field for column in _COLUMNS.values() if column.key is not None}

_OF_OTHERS = {
    **dict.fromkeys(
        (
            "order",
            "orderid",
            "order id",
            "order_id",
            "invoice",
            "номер",
            "номер заказа",
            "заказ",
            "счет",
            "счёт",
        ),
        "order_reference",
    ),
    # People write their amounts in major units.
    **dict.fromkeys(("price", "sum", "total", "сумма", "сумма заказа", "итого", "цена"), "amount_major"),
    **dict.fromkeys(("валюта",), "currency"),
    **dict.fromkeys(
        ("lineitem name", "product", "название", "наименование", "описание", "товар"), "description"
    ),
}
"""What other programs call the columns, in lower case."""

COLUMNS = tuple(name for name in _COLUMNS if name not in _WITH_KEYS)
"""The names of the columns whose cells can be text, as messages and the documentation have them."""
REQUIRED = tuple(field.name for field in _FIELDS if field.default is attrs.NOTHING)
SAME_COLUMN = {
    f"{field.metadata['inside']}.{wire_name(field)}": field.name
    for field in _FIELDS
    if field.metadata.get("inside")
} | {_AMOUNT_MAJOR.name: "amount"}
"""The columns that say what another says, such as ``metadata.successUrl``, with that one."""


# -------------------------------------------------------------------------------------------------- rows


def request_of(
    row: Mapping[Any, Any], *, major: bool = False, option: str = "--amounts major"
) -> CreatePaymentLink:
    """Return the request that a row stands for. A cell that is empty or missing is a field not given.

    Args:
        row: Its cells by the names of their columns. ``amount`` is in **minor** units; in its place
            ``amount_major`` may be given, in **major** units, which `Money.major` reads.
        major: Whether ``amount`` is in **major** units too.
        option: How the caller's own users ask for that, for the message.

    Raises:
        BadRowError: It stands for none; it says why, and which order reference the row has.
    """
    values: dict[str, Any] = {}
    try:
        for name, cell in row.items():
            column = column_of(name)
            _take(values, _AMOUNT_AS_MAJOR if major and column.field == "amount" else column, cell)
        request = _request(values)
    except BadRowError as error:
        reference = _order_reference_in(row)
        refusal = _sum_in(row, reference) or error
        refusal.order_reference = reference
        if refusal is error and error.column == "amount" and not major:
            _advise(error, row, option)
        raise refusal from None
    reference = request.order_reference
    if (reference is None or names_a_sum(reference)) and (found := _sum_in(row, reference)) is not None:
        found.order_reference = reference
        raise found
    return request


def _advise(error: BadRowError, row: Mapping[Any, Any], option: str) -> None:
    """Say of an amount that may be in major units what to do."""
    written = _cell_in(row, "amount")
    told = advice(written, _cell_in(row, "currency"), option)
    if told is not None:
        error.reason = f"{shown(written)} is not a whole number of minor units: {told}"


def _take(values: dict[str, Any], column: Column, cell: Any) -> None:
    """Put a cell's value under its field."""
    if isinstance(cell, str):
        value: Any = cell.strip()
        if not value:
            return
    else:
        value = _python_value(cell)
        if _is_missing(value):
            return
    try:
        value = column.read(value)
    except BadRowError as error:
        error.column = error.column or column.name
        raise
    if value is None:
        return
    field = column.field
    added: Any = value if column.key is None else {column.key: value}
    found = values.get(field)
    if found is None:
        values[field] = added
        return
    if not is_mapping(found) or not is_mapping(added):
        raise BadRowError("is given twice: keep one", column.name)
    for key in added:
        if key in found:
            raise BadRowError("is given twice: keep one", f"{field}.{key}")
    values[field] = {**found, **added}


def _sum_in(row: Mapping[Any, Any], reference: str | None) -> BadRowError | None:
    """Refuse the row below a table that has its sum: as a payment link somebody would pay all of it."""
    for name, cell in row.items():
        column = name.strip().lower() if isinstance(name, str) else ""
        if (reference is None or column == "order_reference") and isinstance(cell, str) and names_a_sum(cell):
            return BadRowError(
                f"{shown(cell.strip())}: this is the sum of a table, and no order: remove the row", column
            )
    return None


def _request(values: dict[str, Any]) -> CreatePaymentLink:
    major: _Major | None = values.pop(_AMOUNT_MAJOR.name, None)
    if major is not None:
        if "amount" in values:
            raise BadRowError("amount is given too: keep one", _AMOUNT_MAJOR.name)
        if "currency" not in values:
            raise BadRowError("is empty: every row needs one", "currency")
        try:
            values["amount"] = minor_units(major.written, values["currency"])
        except ConfigurationError as error:
            field, _, told = str(error).partition(": ")
            raise BadRowError(told, major.column if field == "amount" else field) from None
    for column in REQUIRED:
        if column not in values:
            raise BadRowError("is empty: every row needs one", column)
    try:
        for field in _WITH_KEYS:
            found, kind = values.get(field), _CLASSES.get(field)
            if found is not None and kind is None:
                values[field] = found or None
            elif found is not None and kind is not None and not isinstance(found, kind):
                values[field] = kind(**found)
        return CreatePaymentLink(**values)
    except ConfigurationError as error:
        raise BadRowError(str(error)) from None


def reference_in(row: Mapping[Any, Any]) -> str | None:
    """Return a row's order reference as it is spelt there, without white space at its ends."""
    for name, cell in row.items():
        if isinstance(name, str) and name.strip().lower() == "order_reference" and isinstance(cell, str):
            return cell.strip() or None
    return None


def _order_reference_in(row: Mapping[Any, Any]) -> str | None:
    """Return the reference of a row that is refused; None where it cannot even be written down."""
    cell = reference_in(row)
    if cell is None or not (cell.isascii() or cell.encode(errors="replace").decode() == cell):
        return None
    return without_marks(cell) or None


def _cell_in(row: Mapping[Any, Any], column: str) -> Any:
    for name, cell in row.items():
        if isinstance(name, str) and name.strip().lower() == column:
            return cell.strip() if isinstance(cell, str) else cell
    return None
