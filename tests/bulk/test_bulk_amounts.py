"""Amounts in files: of major units, with currencies beside them, and decimals where minor units belong."""

from __future__ import annotations

from typing import Any

import pytest

from plexypay_async import ConfigurationError, CreatePaymentLink
from plexypay_async.bulk import create_partition

from .test_bulk_columns import DOORS, WITH_OBJECTS, Noted, Read, from_csv, from_json, from_partition


def row(amount: Any, currency: str = "KZT", column: str = "amount") -> dict[str, Any]:
    return {column: amount, "currency": currency, "order_reference": "ORD-1"}


def link(amount: int, currency: str = "KZT") -> CreatePaymentLink:
    return CreatePaymentLink(amount=amount, currency=currency, order_reference="ORD-1")


@pytest.mark.parametrize("column", ["amount", "amount_major"])
@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        *[("22 000,50", "KZT", 2200050), ("22000.50", "KZT", 2200050), ("22000", "kzt", 2200000)],
        *[("22\u00a0000,50", "KZT", 2200050), ("22\u202f000,50", "KZT", 2200050)],
        *[("22'000.50", "KZT", 2200050), ("22\u2019000,5", "KZT", 2200050), ("22000", "JPY", 22000)],
        *[("22 000,50 ₸", "KZT", 2200050), ("22 000,50₸", "KZT", 2200050), ("₸ 22000.50", "KZT", 2200050)],
        *[("22000.50 KZT", "KZT", 2200050), ("kzt\u00a022000.50", "kzt", 2200050), ("5 €", "EUR", 500)],
        *[("1 500,00\u00a0₽", "RUB", 150000), ("USD 5", "USD", 500)],
    ],
)
def test_amounts_of_major_units(read: Read, column: str, written: str, currency: str, minor: int) -> None:
    assert read(row(written, currency, column), major=True) == link(minor, currency)
    assert read(row(written, currency, "amount_major")) == link(minor, currency)


@pytest.mark.parametrize("column", ["amount", "amount_major"])
@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(
    ("written", "currency", "told"),
    [
        ("1,000", "KZT", "'1,000' can be 1000 or 1.000: write 1000, or 1.0"),
        ("1.000", "KZT", "'1.000' can be 1000 or 1.000: write 1000, or 1.0"),
        ("1,000 ₸", "KZT", "'1,000' can be 1000 or 1.000: write 1000, or 1.0"),
        ("22000.505", "KZT", "'22000.505' has more decimals than KZT, which has 2"),
        ("22000.5", "JPY", "'22000.5' has more decimals than JPY, which has 0"),
        *[(each, "KZT", f"{each!r} is not an amount: write digits") for each in ("-5", "(5)", "−5", "-5 ₸")],
        *[(each, "KZT", f"{each!r} is not an amount: write digits") for each in ("5%", "1e5", "abc", "5.")],
        *[(each, "KZT", f"must be positive, got {each!r}") for each in ("0", "0,00")],
        ("5 USD", "KZT", "'5 USD' is marked as USD, and the row's currency is KZT: correct one of them"),
        ("5 ₽", "KZT", "'5 ₽' is marked as RUB, and the row's currency is KZT: correct one of them"),
        ("$5", "USD", "'$5': $ stands for several currencies: write the number alone"),
        ("5 тг.", "KZT", "'5 тг.': тг. is no currency's code: write the number alone"),
        ("KZT 5 ₸", "KZT", "'KZT 5 ₸' is not an amount: write digits"),
    ],
)
def test_amounts_of_major_units_that_cannot_be_sent(
    read: Read, column: str, written: str, currency: str, told: str
) -> None:
    found = str(read(row(written, currency, column), major=True))
    assert found.startswith(f"column {column}: {told}")


@pytest.mark.parametrize("written", ["-5", "−5", "(5.00)", "–5"])
def test_an_amount_below_zero_is_told_so(written: str) -> None:
    assert str(from_csv(row(written), major=True)).endswith(", and no sign: it must be positive")


@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
def test_what_else_an_amount_of_major_units_needs(read: Read) -> None:
    assert str(read(row("5", "XAU"), major=True)).startswith("column currency: XAU has no minor units")
    assert str(read(row("5", ""), major=True)).startswith("column currency: is empty")
    assert str(read(row(""), major=True)).startswith("column amount: is empty")


@pytest.mark.parametrize("read", WITH_OBJECTS.values(), ids=WITH_OBJECTS)
def test_numbers_of_major_units(read: Read) -> None:
    assert read(row(22000), major=True) == link(2200000)
    told = read({**row(5), "amount_major": "5"}, major=True)
    assert str(told) == "column amount_major: is given twice: keep one"


# ------------------------------------------------------------------------------------- numbers of JSON Lines


@pytest.mark.parametrize("column", ["amount", "Amount_Major"])
@pytest.mark.parametrize(
    ("number", "minor"),
    [
        *[
            ("22000", 2200000),
            ("22000.5", 2200050),
            ("22000.50", 2200050),
            ("1.000", 100),
            ("2.2e4", 2200000),
        ],
        # As floats these would be other numbers.
        *[("90071992547409.93", 9007199254740993), ("1.10", 110), ("90071992547409.91", 9007199254740991)],
    ],
)
def test_numbers_of_json_are_exact(column: str, number: str, minor: int) -> None:
    line = f'{{"{column}": {number}, "currency": "KZT", "order_reference": "ORD-1"}}'
    assert from_json(line, major=True) == link(minor)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("22000.505", "22000.505 has more decimals than KZT"),
        ("1.00000000000000000001", "1.00000000000000000001 has more decimals than KZT"),
        ("-22000.5", "must be positive, got -22000.5"),
        ("-22000", "must be positive, got -22000"),
        ("1e999", "1E+999 is larger than any amount the API can hold"),
        ("1e99999999999999999999", "'1e99999999999999999999' is not an amount"),
        ("true", "True is not an amount"),
    ],
)
def test_numbers_of_json_that_cannot_be_sent(number: str, told: str) -> None:
    found = from_json(f'{{"amount": {number}, "currency": "KZT"}}', major=True)
    assert str(found).startswith(f"column amount: {told}")


def test_other_numbers_of_json_stay_what_they_are() -> None:
    found = from_json(
        '{"amount": 2.5, "currency": "KZT", "extra": {"share": 0.1, "fee": {"amount": 1.5}}}', major=True
    )
    assert found == CreatePaymentLink(
        amount=250, currency="KZT", extra={"share": 0.1, "fee": {"amount": 1.5}}
    )


# -------------------------------------------------------------------------- decimals where minor units belong


NAME_IT = (
    "name the column amount_major, or give --amounts major: all its amounts are then read as major units. If"
    " all are minor units,"
)
OR_NAME_IT = "or name the column amount_major if its amounts are major units"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        *[(each, f"{NAME_IT} write 2200050 here") for each in ("22000.50", "22 000,50 ₸")],
        # Of minor units that are shown with decimals, the figure would be a hundred times too large.
        *[(each, f"{NAME_IT} write digits only") for each in ("2200000.00", "22 000", "22000 KZT")],
        *[
            (each, f"write digits only (22 000 KZT is 2200000), {OR_NAME_IT}")
            for each in ("1,000", "22000.505", "1.2E+05")
        ],
    ],
)
def test_decimals_of_minor_units_are_told_with_what_to_do(written: str, told: str) -> None:
    reason = f"column amount: {written!r} is not a whole number of minor units: {told}"
    assert from_csv(row(written)) == reason
    assert from_partition(row(written)) == reason.replace("--amounts major", 'amounts="major"')


def test_decimals_of_json_are_told_as_they_are_written() -> None:
    told = f"column amount: 22000.50 is not a whole number of minor units: {NAME_IT} write 2200050 here"
    assert from_json('{"amount": 22000.50, "currency": "KZT"}') == told
    # The figure needs a currency.
    assert "write digits only (" in str(from_json('{"amount": 22000.50}'))


def test_other_units_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match=r"^amounts: expected 'minor' or 'major', got 'cents'"):
        create_partition([], Noted(api_key="key"), amounts="cents")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
