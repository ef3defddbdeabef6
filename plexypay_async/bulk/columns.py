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
import typing
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import attrs

from .._times import real_time
from ..api.fields import own_field, wire_name
from ..api.identities import folded_identity, identity_of
from ..errors import ConfigurationError
from ..pay.payment_links import CreatePaymentLink
from .amounts import advice, minor_units
from .bad_rows import BadRowError, Faults, shown
from .expiries import moment
from .spreadsheets import is_nothing, names_a_sum, spoiled, without_marks

__all__ = [
    "COLUMNS",
    "KNOWN_COLUMNS",
    "NOT_UTF_8",
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
_MINOR_EXAMPLE = " (22 000 KZT is 2200000), or name the column amount_major if its amounts are major units"
_EMPTY = "is empty: every row needs one"
NOT_UTF_8 = "is not UTF-8 text: save the file as UTF-8 (in a spreadsheet: CSV UTF-8)"
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


# ------------------------------------------------------------------------------------------------- cells


def text(value: object) -> str:
    """Read text that can be sent as UTF-8."""
    if not isinstance(value, str):
        raise BadRowError(f"{shown(value)} is not text: write it in quotes, or read its column as text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadRowError(NOT_UTF_8, not_utf_8=True) from None
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
    number = _whole(value, " of minor units", _MINOR_EXAMPLE)
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
_BY_TYPE: dict[type, Callable[[Any], Any]] = {str: text, bool: _flag, int: _whole, real_time(): moment}


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
    return f"did you mean {near}?" if near else KNOWN_COLUMNS


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
            "order no",
            "order number",
            "invoice",
            "invoice no",
            "invoice number",
            "номер",
            "номер счета",
            "номер счёта",
            "номер заказа",
            "заказ",
            "счет",
            "счёт",
        ),
        "order_reference",
    ),
    # People write their amounts in major units.
    **dict.fromkeys(
        ("price", "sum", "total", "сумма", "сумма заказа", "сумма к оплате", "итого", "цена"),
        "amount_major",
    ),
    **dict.fromkeys(("валюта",), "currency"),
    **dict.fromkeys(
        ("lineitem name", "product", "название", "наименование", "описание", "товар"), "description"
    ),
}
"""What other programs call the columns, in lower case."""

COLUMNS = tuple(name for name in _COLUMNS if name not in _WITH_KEYS)
"""The names of the columns whose cells can be text, as messages and the documentation have them."""
_OF_INVOICES = ("order_reference", "amount_major", "currency", "description")
KNOWN_COLUMNS = (
    f"a file of invoices needs {', '.join(_OF_INVOICES)}; further columns:"
    f" {', '.join(name for name in COLUMNS if name not in _OF_INVOICES)}"
)
"""What is told of the columns where it is not plain which of them is meant."""
REQUIRED = tuple(field.name for field in _FIELDS if field.default is attrs.NOTHING)
SAME_COLUMN = {
    f"{field.metadata['inside']}.{wire_name(field)}": field.name
    for field in _FIELDS
    if field.metadata.get("inside")
} | {_AMOUNT_MAJOR.name: "amount"}
"""The columns that say what another says, such as ``metadata.successUrl``, with that one."""
_IN_PLACE = {"amount": 1, "currency": "KZT"}
"""What stands for the required fields of a row that is refused, while the others are looked at."""


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
        BadRowError: It stands for none; it says all that is wrong, and which order reference the row has.
    """
    values: dict[str, Any] = {}
    faults = Faults()
    for name, cell in row.items():
        try:
            column = column_of(name)
            _take(values, _AMOUNT_AS_MAJOR if major and column.field == "amount" else column, cell)
        except BadRowError as error:
            if error.column == "amount" and not major:
                _advise(error, row, option)
            faults.add(error)
    request = _request(values, faults)
    if request is None:
        reference = _order_reference_in(row)
        refusal = _sum_in(row, reference)
        if refusal is None:
            refusal = faults.as_one()
            refusal.lacks_reference = reference is None and not faults.may_be_of(("order_reference",))
        refusal.order_reference = reference
        raise refusal
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
        # Spaces that do not break are shown as the spaces that people see.
        seen = shown(" ".join(written.split()) if isinstance(written, str) else written)
        error.reason = f"{seen} is not a whole number of minor units: {told}"
        error.seems_major = seen


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


def _request(values: dict[str, Any], faults: Faults) -> CreatePaymentLink | None:
    """Return the request of what was read, or None after adding what is wrong with it to the row's faults."""
    _settle_amount(values, faults)
    for column in REQUIRED:
        if column in values:
            continue
        if not faults.may_be_of((column, *(same for same, field in SAME_COLUMN.items() if field == column))):
            faults.add(BadRowError(_EMPTY, column))
        # So that what else is wrong is told too.
        values[column] = _IN_PLACE[column]
    try:
        for field in _WITH_KEYS:
            found, kind = values.get(field), _CLASSES.get(field)
            if found is not None and kind is None:
                values[field] = found or None
            elif found is not None and kind is not None and not isinstance(found, kind):
                values[field] = kind(**found)
        request = CreatePaymentLink(**values)
    except ConfigurationError as error:
        faults.add(BadRowError(str(error)))
        return None
    return None if faults else request


def _settle_amount(values: dict[str, Any], faults: Faults) -> None:
    """Put the minor units of an amount that is given in major ones under `amount`."""
    major: _Major | None = values.pop(_AMOUNT_MAJOR.name, None)
    if major is None:
        return
    if "amount" in values:
        faults.add(BadRowError("amount is given too: keep one", _AMOUNT_MAJOR.name))
        return
    values["amount"] = _IN_PLACE["amount"]
    # Without its currency, nobody knows what it is worth.
    if "currency" in values:
        try:
            values["amount"] = minor_units(major.written, values["currency"])
        except ConfigurationError as error:
            field, _, told = str(error).partition(": ")
            faults.add(BadRowError(told, major.column if field == "amount" else field))


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
