"""The columns of a row: the same ones, read in the same way, from CSV, JSON Lines and a partition's rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from plexypay_async import CreatePaymentLink
from plexypay_async.bulk import PartitionSettings, create_partition
from plexypay_async.bulk.columns import COLUMNS, BadRowError, request_of
from plexypay_async.cli import main
from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.rows import BadRow, Row, open_rows
from plexypay_async.cli.source import Lines
from plexypay_async.pay.payment_links import CreateManyPaymentLinks, Recurring

TEXTS = {
    "amount": "2200000",
    "currency": "kzt",
    "description": "Тур «Чарын», 2 взрослых",
    "order_reference": "ORD-1",
    "expires_at": "2099-12-31T23:59:59Z",
    "customer_id": "5e9f8f8f-9d9e-4e9d-9e9f-8f8f8f9d9e9f",
    "auto_clearing": "no",
    "recurring.type": "cof_initial",
    "recurring.frequency": "30",
    "recurring.expiry": "2100-01-01T05:00:00+05:00",
    "recurring.parent_transaction_id": "txn-1",
    "validation": "yes",
    "metadata.NAME": "Алматы",
    "success_url": "https://shop.example/success",
    "failure_url": "https://shop.example/failure",
    "cancel_url": "https://shop.example/cancel",
    "callback_url": "https://shop.example/callback",
    "extra.NAME": "more",
}
RECURRING = Recurring(
    type="cof_initial",
    frequency=30,
    expiry=datetime(2100, 1, 1, tzinfo=UTC),
    parent_transaction_id="txn-1",
)
REQUEST = CreatePaymentLink(
    amount=2_200_000,
    currency="KZT",
    description="Тур «Чарын», 2 взрослых",
    order_reference="ORD-1",
    expires_at=datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC),
    customer_id="5e9f8f8f-9d9e-4e9d-9e9f-8f8f8f9d9e9f",
    auto_clearing=False,
    recurring=RECURRING,
    validation=True,
    metadata={"NAME": "Алматы"},
    success_url="https://shop.example/success",
    failure_url="https://shop.example/failure",
    cancel_url="https://shop.example/cancel",
    callback_url="https://shop.example/callback",
    extra={"NAME": "more"},
)

Read = Callable[..., CreatePaymentLink | str]


class Noted(PartitionSettings):
    """Settings whose jobs note what they would send, and send nothing."""

    requests: list[CreatePaymentLink] = []  # noqa: RUF012

    def job(self, links: Iterable[CreatePaymentLink]) -> CreateManyPaymentLinks:
        self.requests[:] = links
        return super().job([])


def from_csv(row: dict[str, Any], *, major: bool = False) -> CreatePaymentLink | str:
    file = io.StringIO()
    csv.writer(file).writerows([row, row.values()])
    return only(open_rows(Lines(io.BytesIO(file.getvalue().encode())), "orders.csv", major=major))


def from_json_lines(row: dict[str, Any], *, major: bool = False) -> CreatePaymentLink | str:
    return from_json(json.dumps(row), major=major)


def from_json(line: str, *, major: bool = False) -> CreatePaymentLink | str:
    return only(open_rows(Lines(io.BytesIO(line.encode())), "orders.jsonl", major=major))


def only(rows: Iterable[Row | BadRow]) -> CreatePaymentLink | str:
    (row,) = rows
    return row.request if isinstance(row, Row) else row.explanation


def from_partition(row: dict[str, Any], *, major: bool = False) -> CreatePaymentLink | str:
    settings = Noted(api_key="key", base_url="http://127.0.0.1:1")
    records = (
        create_partition([row], settings, amounts="major") if major else create_partition([row], settings)
    )
    return str(records[0]["error_message"]) if records else Noted.requests[0]


DOORS = {"CSV": from_csv, "JSON Lines": from_json_lines, "partition": from_partition}
WITH_OBJECTS = {name: DOORS[name] for name in ("JSON Lines", "partition")}


def test_every_field_of_the_request_is_a_column() -> None:
    fields = {field.name for field in attrs.fields(CreatePaymentLink)}
    assert {column.partition(".")[0] for column in COLUMNS} == fields | {"amount_major"}
    assert set(TEXTS) == set(COLUMNS) - {"amount_major"}


@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
def test_every_column_is_read_from_text(read: Read) -> None:
    assert read(TEXTS) == REQUEST
    assert read({f" {name.upper()} ": text for name, text in TEXTS.items() if "." not in name}) == (
        attrs.evolve(REQUEST, recurring=None, metadata=None, extra=None)
    )


@pytest.mark.parametrize("read", WITH_OBJECTS.values(), ids=WITH_OBJECTS)
def test_objects_and_their_columns_give_the_same_request(read: Read) -> None:
    row: dict[str, Any] = {name: text for name, text in TEXTS.items() if "." not in name}
    recurring = {"type": "cof_initial", "Frequency": 30, "expiry": "2100-01-01T00:00:00Z"}
    row |= {
        "amount": 2_200_000,
        "auto_clearing": False,
        "validation": True,
        "recurring.parent_transaction_id": "txn-1",
    }
    row |= {"recurring": recurring, "metadata": {"NAME": "Алматы"}, "extra": {"NAME": "more"}}
    assert read(row) == REQUEST


def test_a_partition_takes_what_the_request_takes() -> None:
    given = {field.name: getattr(REQUEST, field.name) for field in attrs.fields(CreatePaymentLink)}
    assert from_partition(given) == REQUEST


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"amount": "1.23E+05"},
            "column amount: '1.23E+05' is not a whole number of minor units: write digits",
        ),
        ({"amount": "0"}, "column amount: 0 is not an amount: write a number of minor units greater than 0"),
        ({"amount": ""}, "column amount: is empty: every row needs one"),
        (
            {"currency": "tenge"},
            "column currency: 'tenge' is not a currency: write three letters, such as KZT",
        ),
        (
            {"expires_at": "2099-12-31"},
            "column expires_at: '2099-12-31' has no time of day: write 2099-12-31T23:59:59+05:00",
        ),
        ({"validation": "perhaps"}, "column validation: 'perhaps' is neither true nor false: write true or"),
        (
            {"recurring.frequency": "1.5"},
            "column recurring.frequency: '1.5' is not a whole number: write digits",
        ),
        ({"recurring.frequency": "0"}, "recurring.frequency: expected a positive int, got 0"),
        (
            {"recurring.expiry": "31.12.2099"},
            "column recurring.expiry: '31.12.2099' is not a time in full: write 2099-12-31T23:59:59+05:00",
        ),
    ],
)
def test_a_bad_cell_is_told_in_the_same_words(change: dict[str, str], told: str) -> None:
    reasons = {door: read(TEXTS | change) for door, read in DOORS.items()}
    assert len(set(reasons.values())) == 1, reasons
    assert str(reasons["CSV"]).startswith(told)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("recurring.frequncy", "did you mean recurring.frequency?"),
        ("recurring.more", "did you mean recurring."),
        ("validations", "did you mean validation?"),
        ("extra.", "did you mean extra.NAME?"),
        ("zzzz", "a file of invoices needs order_reference, amount_major, currency"),
    ],
)
def test_an_unknown_column_is_told_in_the_same_words(name: str, hint: str) -> None:
    told = f"unknown column '{name}': {hint}"
    for read in WITH_OBJECTS.values():
        assert str(read(TEXTS | {name: "1"})).startswith(told)
    with pytest.raises(UnusableInputError, match="line 1: unknown column") as caught:
        from_csv(TEXTS | {name: "1"})
    assert told in str(caught.value)


@pytest.mark.parametrize("read", WITH_OBJECTS.values(), ids=WITH_OBJECTS)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"metadata": "VIP"}, "column metadata: 'VIP' is not a JSON object"),
        ({"recurring": [30]}, "column recurring: [30] is not a JSON object"),
        ({"recurring": {"more": 1}}, "column recurring: unknown column 'recurring.more'"),
        ({"recurring": {"frequency": 1.5}}, "column recurring.frequency: 1.5 is not a whole number"),
        ({"recurring": {"Frequency": 30}}, "column recurring.frequency: is given twice: keep one"),
    ],
)
def test_a_bad_object_is_told(read: Read, change: dict[str, Any], told: str) -> None:
    assert str(read(TEXTS | change)).startswith(told)


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("orderReference", "order_reference"),
        ("order_reference", "order_reference"),
        ("OrderReference", "order_reference"),
        ("amount", "amount"),
        ("customerId", "customer_id"),
    ],
)
def test_a_field_under_its_name_on_the_wire_is_no_column_of_extra(key: str, field: str) -> None:
    told = f"'extra.{key}': {field} is a column of its own: name it so"
    row = {"amount": 1, "currency": "KZT", "order_reference": "ORD-1", f"extra.{key}": "ORD-2"}

    with pytest.raises(UnusableInputError) as caught:
        list(open_rows(Lines(io.BytesIO(f"amount,currency,extra.{key}\n1,KZT,X\n".encode())), "orders.csv"))
    assert str(caught.value) == f"line 1: {told}"
    (bad,) = open_rows(Lines(io.BytesIO(json.dumps(row).encode())), "orders.jsonl")
    assert isinstance(bad, BadRow)
    assert (bad.explanation, bad.order_reference) == (told, "ORD-1")
    (record,) = create_partition([row], PartitionSettings(api_key="key", base_url="http://127.0.0.1:9"))
    assert (record["outcome"], record["error_message"]) == ("invalid", told)

    row["extra"] = {key: row.pop(f"extra.{key}")}
    (bad,) = open_rows(Lines(io.BytesIO(json.dumps(row).encode())), "orders.jsonl")
    assert isinstance(bad, BadRow)
    assert bad.explanation == f"extra[{key!r}]: {field} is a field of its own: give it there"


@pytest.mark.parametrize("name", ["metadata", "recurring", "extra"])
def test_a_column_of_objects_is_no_column_of_csv(name: str) -> None:
    with pytest.raises(UnusableInputError, match=f"line 1: unknown column '{name}': did you mean {name}\\."):
        from_csv({"amount": "5", "currency": "KZT", name: ""})


def test_the_commands_help_names_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bulk-create", "--help"])
    told = capsys.readouterr().out
    assert [name for name in COLUMNS if name not in told] == []


# ------------------------------------------------------------------------------------- amounts of major units


@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        *[("22 000,50", "kzt", 2200050), ("22\u00a0000.50", "KZT", 2200050), ("22000", "JPY", 22000)],
        *[("1.5", "KWD", 1500), (" 22'000 ", "RUB", 2200000)],
    ],
)
def test_an_amount_of_major_units_in_place_of_minor_ones(
    read: Read, written: str, currency: str, minor: int
) -> None:
    found = read({"amount_major": written, "currency": currency, "order_reference": "ORD-1"})
    assert found == CreatePaymentLink(amount=minor, currency=currency, order_reference="ORD-1")


@pytest.mark.parametrize("read", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(
    ("written", "currency", "told"),
    [
        ("1,000", "KZT", "column amount_major: '1,000' can be 1000 or 1.000: write 1000, or 1.0"),
        ("22000.505", "KZT", "column amount_major: '22000.505' has more decimals than KZT, which has 2"),
        ("22000.5", "JPY", "column amount_major: '22000.5' has more decimals than JPY, which has 0"),
        ("-5", "KZT", "column amount_major: '-5' is not an amount: write digits"),
        ("5", "XAU", "column currency: XAU has no minor units: give"),
        ("5", "", "column currency: is empty"),
        ("", "KZT", "column amount: is empty"),
    ],
)
def test_an_amount_of_major_units_that_cannot_be_sent(
    read: Read, written: str, currency: str, told: str
) -> None:
    found = read({"amount_major": written, "currency": currency, "order_reference": "ORD-1"})
    assert str(found).startswith(told)


def test_a_number_that_may_have_been_rounded_is_no_amount_of_major_units() -> None:
    row = {"currency": "KZT", "order_reference": "ORD-1"}
    assert "may have been rounded already" in str(from_partition({**row, "amount_major": 22000.5}))
    told = str(from_partition({**row, "amount": 22000.5}, major=True))
    assert told.startswith("column amount: 22000.5 is not an amount: write it as text")


@pytest.mark.parametrize("read", WITH_OBJECTS.values(), ids=WITH_OBJECTS)
def test_a_whole_number_is_an_amount_of_major_units(read: Read) -> None:
    assert read({"amount_major": 22000, "currency": "KZT", "order_reference": "ORD-1"}) == CreatePaymentLink(
        amount=2200000, currency="KZT", order_reference="ORD-1"
    )


@pytest.mark.parametrize("read", WITH_OBJECTS.values(), ids=WITH_OBJECTS)
def test_an_amount_is_given_once(read: Read) -> None:
    told = read({"amount": 5, "amount_major": "5", "currency": "KZT", "order_reference": "ORD-1"})
    assert str(told) == "column amount_major: amount is given too: keep one"


def test_a_file_names_one_column_of_amounts() -> None:
    with pytest.raises(
        UnusableInputError, match="amount and amount_major are the same, given twice: keep one"
    ):
        from_csv({"amount": "5", "amount_major": "5", "currency": "KZT"})
    with pytest.raises(UnusableInputError, match="no column amount"):
        from_csv({"currency": "KZT"})


@pytest.mark.parametrize("key", ["successUrl", "failureUrl", "cancelUrl", "callbackUrl"])
@pytest.mark.parametrize("address", ["ftp://x", "javascript:1", "", "not an address", 5])
def test_an_address_in_an_object_is_read_as_in_its_column(key: str, address: Any) -> None:
    row = {"amount": 5, "currency": "KZT", "metadata": {"mine": "a", key: address}}
    with pytest.raises(BadRowError) as caught:
        request_of(row)
    assert caught.value.column == f"metadata.{key}"
    row["metadata"] = {"mine": "a", key: "https://shop.example/paid", "other": None}
    assert request_of(row).metadata == row["metadata"]


def test_whole_decimals_are_minor_units_and_others_may_be_major_ones() -> None:
    row = {"currency": "KZT", "order_reference": "A"}
    assert request_of({**row, "amount": Decimal(22000)}).amount == 22000
    for amount in ("22000.00", "2.2E+4", "NaN", "sNaN", "Infinity"):
        with pytest.raises(BadRowError) as caught:
            request_of({**row, "amount": Decimal(amount)})
        assert caught.value.column == "amount"
