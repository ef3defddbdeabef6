"""Amounts in major units become minor units exactly, or are refused; none is ever rounded."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plexypay_async import ConfigurationError, CreatePaymentLink, Money
from plexypay_async.money import number_of

EXPONENTS = {"KZT": 2, "RUB": 2, "UZS": 2, "JPY": 0, "KWD": 3, "CLF": 4}


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        *[("22000.50", 2200050), ("22000,5", 2200050), ("22000", 2200000), (" 22000 ", 2200000)],
        *[("22 000,50", 2200050), ("22\u00a0000,50", 2200050), ("22\u202f000", 2200000)],
        *[
            ("22'000.50", 2200050),
            ("22\u2019000,50", 2200050),
            ("22,000.50", 2200050),
            ("22.000,50", 2200050),
        ],
        *[("1,000,000", 100000000), ("1.000.000,25", 100000025), ("1 000,000", 100000), ("1,000.0", 100000)],
        *[("0,500", 50), ("0.01", 1), ("22000.500", 2200050), ("1.0000000000000000000000000000000000", 100)],
        *[(5, 500), (Decimal("5.05"), 505), (Decimal("5E+2"), 50000)],
    ],
)
def test_what_people_write(written: Any, minor: int) -> None:
    assert Money.major(written, "kzt") == Money(minor, "KZT")


@pytest.mark.parametrize("written", ["1,000", "1.000", "12,345", "999.999"])
@pytest.mark.parametrize("currency", EXPONENTS)
def test_what_can_be_read_in_two_ways_is_refused_with_both(written: str, currency: str) -> None:
    whole, decimals = written[:-4], written[-3:]
    with pytest.raises(ConfigurationError) as caught:
        Money.major(written, currency)
    assert f"{whole}{decimals} or {whole}.{decimals}" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        *[
            (each, "is not an amount")
            for each in ("", " ", "-5", "+5", "5.", ".5", "1e5", "abc", "100 KZT", "5%")
        ],
        *[
            (each, "is not an amount")
            for each in ("1,00,000", "1000,000.5", "1 00 000", "1 000'000", "1.0.0,0")
        ],
        *[
            (each, "is not an amount")
            for each in ("\u0661\u0662", "\u00b22", "22_000", "9" * 61, "1\n000", "0x5")
        ],
        *[("0.005", "more decimals than KZT, which has 2"), (Decimal("5.055"), "more decimals")],
        *[("1.00000000000000000000000000000000001", "more decimals"), (Decimal("1E-400"), "more decimals")],
        *[("0", "must be positive"), (Decimal(-3), "must be positive"), (0, "must be positive")],
        *[
            (5.5, "rounded already"),
            (True, "got a bool"),
            (None, "got a NoneType"),
            (Decimal("NaN"), "not an"),
        ],
        *[(Decimal("1E+400"), "larger than"), (10**30, "larger than"), (Decimal("9" * 61), "not an amount")],
        *[("999.999.999.999.999.999.999", "larger than"), (Decimal("sNaN"), "not an amount")],
    ],
)
def test_what_is_refused(written: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^amount: .*{told}"):
        Money.major(written, "KZT")


@pytest.mark.parametrize(
    ("written", "currency", "told"),
    [
        ("1,000", "KZT", "can be 1000 or 1.000: write 1000, or 1.0"),
        ("1.505", "KWD", "can be 1505 or 1.505: write 1505, or 1.5050"),
        (
            "220.505",
            "KZT",
            "can be 220505 or 220.505, and KZT has 2 decimals: round it, or, if thousands are meant,"
            " write 220505",
        ),
        (
            "1,500",
            "JPY",
            "can be 1500 or 1.500, and JPY has 0 decimals: round it, or, if thousands are meant, write 1500",
        ),
        # Zeros before it do not tell what the mark stands for.
        ("001,500", "KZT", "can be 1500 or 1.500: write 1500, or 1.5"),
        ("010.000", "RUB", "can be 10000 or 10.000: write 10000, or 10.0"),
        ("00,500", "KZT", "can be 500 or 0.500: write 500, or 0.5"),
    ],
)
def test_both_readings_are_told_as_they_can_be_written(written: str, currency: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Money.major(written, currency)
    assert str(caught.value) == f"amount: {written!r} {told}"
    for advised in told.partition("write ")[2].split(", or "):
        assert Money.major(advised, currency).amount > 0


def test_behind_a_single_zero_there_are_decimals() -> None:
    assert Money.major("0,500", "KZT").amount == 50


@pytest.mark.parametrize("currency", ["XAU", "ZZZ", "XXX", "K1", "", 5, None])
def test_a_currency_whose_minor_units_nobody_knows(currency: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^currency: "):
        Money.major("5", currency)


@pytest.mark.parametrize(("currency", "exponent"), EXPONENTS.items())
def test_the_currencies_decimals(currency: str, exponent: int) -> None:
    assert Money.major(1, currency).amount == 10**exponent
    money = Money(12345, currency)
    assert str(money.in_major_units) == str(Decimal(12345).scaleb(-exponent))
    assert Money.major(money.in_major_units, currency) == money


def test_it_is_what_a_link_takes() -> None:
    money = Money.major("22 000,50", "kzt")
    link = CreatePaymentLink(amount=money.amount, currency=money.currency)
    assert (link.amount, link.currency) == (2200050, "KZT")


@pytest.mark.parametrize("amount", [0, -1, 1.0, "5", None])
def test_an_amount_of_minor_units_is_a_positive_int(amount: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^amount: "):
        Money(amount, "KZT")


def grouped(digits: str, mark: str) -> str:
    head = len(digits) % 3 or 3
    return mark.join([digits[:head], *(digits[at : at + 3] for at in range(head, len(digits), 3))])


@given(
    minor=st.integers(1, 10**17),
    currency=st.sampled_from(sorted(EXPONENTS)),
    thousands=st.sampled_from(["", " ", "\u00a0", "\u2009", "\u202f", "'", "\u2019", ",", "."]),
    mark=st.sampled_from([",", "."]),
    zeros=st.integers(0, 3),
    precision=st.integers(1, 6),
)
def test_every_spelling_is_exact_or_refused(
    minor: int, currency: str, thousands: str, mark: str, zeros: int, precision: int
) -> None:
    assume(thousands != mark)
    exponent = EXPONENTS[currency]
    digits = str(minor).rjust(exponent + 1, "0")
    whole, decimals = digits[: len(digits) - exponent], digits[len(digits) - exponent :] + "0" * zeros
    written = grouped(whole, thousands) + (mark + decimals if decimals else "")
    # A caller's own context must not round.
    with localcontext(Context(prec=precision)):
        try:
            read = Money.major(written, currency).amount
        except ConfigurationError:
            # One mark before three digits may be of either kind.
            assert len(decimals) in (0, 3)
            assert written.count(",") + written.count(".") == 1
        else:
            assert read == minor


@given(st.text("0123456789.,' \u00a0", min_size=1, max_size=14))
def test_whatever_is_read_has_the_digits_that_were_written(written: str) -> None:
    try:
        read = Money.major(written, "KWD")
    except ConfigurationError:
        return
    kept = [each for each in written if each.isdigit()]
    assert str(read.amount).strip("0") == "".join(kept).strip("0")


@pytest.mark.parametrize(
    ("written", "number"),
    [("22 000,50", "22000.50"), ("0.005", "0.005"), ("1,022,000.5", "1022000.5"), ("15", "15")],
)
def test_an_amount_of_an_unknown_currency_is_read_alike(written: str, number: str) -> None:
    assert str(number_of(written)) == number


def test_an_amount_of_an_unknown_currency_is_refused_where_it_can_be_read_in_two_ways() -> None:
    with pytest.raises(ConfigurationError) as caught:
        number_of("1.000")
    assert str(caught.value) == "amount: '1.000' can be 1000 or 1.000: write 1000, or 1.0"
    with pytest.raises(ConfigurationError, match="is not an amount"):
        number_of("5 KZT")
