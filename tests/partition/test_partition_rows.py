"""What a row of an engine's may look like: the cells of data frames, and of files read as text."""

from __future__ import annotations

import importlib
import math
import unicodedata
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from plexypay_async.bulk import PartitionSettings, create_partition
from tests.needs import needs

from .served import ServedSandbox


class Scalar:
    """A scalar as NumPy has them."""

    def __init__(self, kind: str, value: Any) -> None:
        self.dtype = SimpleNamespace(kind=kind)
        self.shape = ()
        self._value = value

    def item(self) -> Any:
        return self._value


class NAType:
    """The missing value of pandas: a comparison with it is missing too."""

    def __ne__(self, other: object) -> Any:
        return self

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = object.__hash__


class NaTType:
    """The missing time of pandas: it differs from itself."""

    def __ne__(self, other: object) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


ROW: dict[str, Any] = {"amount": 2_200_000, "currency": "KZT", "order_reference": "R-1"}


def created(sandbox: ServedSandbox, settings: PartitionSettings, row: dict[Any, Any]) -> dict[str, Any]:
    [record] = create_partition([row], settings)
    assert record["outcome"] == "created", record
    [link] = sandbox.ask("GET", "/_sandbox/payment-links")["data"]
    return dict(link)


@pytest.mark.parametrize("missing", [None, math.nan, NAType(), NaTType(), Scalar("f", math.nan), "", "  "])
def test_a_missing_cell_is_a_field_not_given(
    sandbox: ServedSandbox, settings: PartitionSettings, missing: Any
) -> None:
    optional = ("description", "expires_at", "customer_id", "auto_clearing", "success_url", "metadata.Shop")

    link = created(sandbox, settings, ROW | dict.fromkeys(optional, missing))

    assert link["description"] is None
    assert not link["metadata"]


@pytest.mark.parametrize(
    "amount", [2**53 + 1, Scalar("i", 2**53 + 1), Scalar("u", 2**53 + 1), f"{2**53 + 1}"]
)
def test_an_amount_arrives_without_loss(
    sandbox: ServedSandbox, settings: PartitionSettings, amount: Any
) -> None:
    assert created(sandbox, settings, ROW | {"amount": amount})["amount"] == 2**53 + 1


def test_cells_read_as_text_become_what_their_column_says(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    row = {
        " Amount ": "2200000",
        "currency": "kzt",
        "Order_Reference": " R-1 ",
        "description": "Счёт 7",
        "expires_at": "2099-12-31T23:59:59+05:00",
        "auto_clearing": "False",
        "success_url": "https://shop.example/thanks",
        "metadata.Shop": "Almaty",
        "metadata": {"invoice": 7},
    }

    link = created(sandbox, settings, row)

    assert (link["amount"], link["currency"], link["orderReference"]) == (2_200_000, "KZT", "R-1")
    assert link["description"] == "Счёт 7"
    assert datetime.fromisoformat(link["expiresAt"]) == datetime(2099, 12, 31, 18, 59, 59, tzinfo=UTC)
    assert link["autoClearing"] is False
    assert link["metadata"] == {
        "successUrl": "https://shop.example/thanks",
        "Shop": "Almaty",
        "invoice": 7,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"amount": 2_200_000.0},
            "column amount: 2200000.0 is not a whole number of minor units: write digits only (22 000 KZT is"
            " 2200000), or name the column amount_major if its amounts are major units; in"
            " a data frame, a column with an empty cell holds floats unless its dtype is Int64",
        ),
        ({"amount": Scalar("f", 1.5)}, "column amount: 1.5 is not a whole number of minor units"),
        ({"amount": Scalar("b", True)}, "column amount: True is not a whole number of minor units"),
        ({"amount": Scalar("M", 5)}, "is not a whole number of minor units: write digits only"),
        ({"amount": "22 000"}, "column amount: '22 000' is not a whole number of minor units"),
        ({"amount": 10**5000}, "column amount: this int is larger than any amount the API can hold"),
        ({"amount": math.nan}, "column amount: is empty: every row needs one"),
        ({"currency": None}, "column currency: is empty: every row needs one"),
        (
            {"order_reference": math.nan},
            "column order_reference: is empty: every row of a partition needs one",
        ),
        ({"order_reference": Scalar("i", 1001)}, "column order_reference: 1001 is not text"),
        (
            {"expires_at": "tomorrow"},
            "column expires_at: 'tomorrow' is not a time in full: write 2099-12-31T23:59:59+05:00",
        ),
        ({"expires_at": "2099-12-31T00:00:00"}, "has no offset from UTC: write 2099-12-31T00:00:00+05:00"),
        ({"expires_at": datetime(2099, 12, 31)}, "has no offset from UTC"),
        (
            {"auto_clearing": "perhaps"},
            "column auto_clearing: 'perhaps' is neither true nor false: write true",
        ),
        ({"AMOUNT": 5}, "column amount: is given twice: keep one"),
        ({"ammount": None}, "unknown column 'ammount': did you mean amount?"),
        ({0: "cell"}, "unknown column 0: a file of invoices needs order_reference, amount_major"),
        ({"metadata.a": "x", "metadata": {"a": "y"}}, "column metadata.a: is given twice: keep one"),
    ],
)
def test_a_bad_row_is_reported_and_not_sent(
    sandbox: ServedSandbox, settings: PartitionSettings, change: dict[Any, Any], message: str
) -> None:
    [record] = create_partition([ROW | change], settings)

    assert (record["outcome"], record["error"]) == ("invalid", "ConfigurationError")
    assert message in str(record["error_message"])
    assert record["order_reference"] == (None if "order_reference" in change else "R-1")
    assert sandbox.ask("GET", "/_sandbox/requests")["total"] == 0


def test_a_row_with_the_reference_of_a_bad_row_above_it_is_bad_too(settings: PartitionSettings) -> None:
    rows: list[dict[str, Any]] = [
        {"order_reference": "A", "amount": "x", "currency": "KZT"},
        {"order_reference": "A", "amount": 5, "currency": "KZT"},
        {"order_reference": "B", "amount": 5, "currency": "KZT"},
        {"order_reference": "B", "amount": "x", "currency": "KZT"},
        {"order_reference": "B", "amount": 5, "currency": "KZT"},
    ]
    records = create_partition(rows, settings)
    outcomes = [record["outcome"] for record in records]
    assert outcomes == ["invalid", "invalid", "created", "invalid", "repeated"]
    assert records[1]["error_message"] == "column order_reference: 'A' is also that of row 0, which is bad"
    assert records[1]["order_reference"] == "A"


@pytest.mark.parametrize("row", [None, "amount", ["amount", 5], 5])
def test_what_is_no_row_is_reported_as_one_bad_row(settings: PartitionSettings, row: Any) -> None:
    [record] = create_partition([row], settings)
    assert record["error"] == "ConfigurationError"
    assert "expected a CreatePaymentLink or a mapping" in str(record["error_message"])


@needs("pandas")
def test_the_records_of_a_real_data_frame(sandbox: ServedSandbox, settings: PartitionSettings) -> None:
    pandas = importlib.import_module("pandas")
    frame = pandas.DataFrame([ROW | {"amount": n + 1, "order_reference": f"R-{n}"} for n in range(3)])
    frame["expires_at"] = pandas.Series([pandas.Timestamp("2099-01-01", tz="UTC"), pandas.NaT, pandas.NaT])
    frame["description"] = pandas.array(["one", pandas.NA, None], dtype="string")
    by_column = [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False)]

    records = create_partition(frame.to_dict("records"), settings)
    again = create_partition(by_column, settings)

    assert [record["outcome"] for record in records] == ["created"] * 3, records
    assert [record["outcome"] for record in again] == ["recovered"] * 3, again


# --------------------------------------------------------------- references that an earlier version has sent

SPELLINGS = {"'=7": "=7", '="P-7"': "P-7", unicodedata.normalize("NFD", "Зака\u0439"): "Зака\u0439"}


@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
def test_a_link_under_the_spelling_of_the_row_is_found(
    sandbox: ServedSandbox, settings: PartitionSettings, spelling: str
) -> None:
    made = sandbox.create(spelling, 100)
    row = {"amount": 100, "currency": "KZT", "order_reference": spelling}

    for _ in range(2):
        first, again = create_partition([row, row], settings)

        assert (first["outcome"], first["link_id"]) == ("recovered", made)
        assert first["order_reference"] == SPELLINGS[spelling]
        assert (again["outcome"], again["link_id"]) == ("repeated", made)
    assert sandbox.references() == [spelling]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)
def test_a_link_of_another_amount_under_the_spelling_of_the_row_is_a_conflict(
    sandbox: ServedSandbox, settings: PartitionSettings, spelling: str
) -> None:
    sandbox.create(spelling, 99)

    (record,) = create_partition([{"amount": 100, "currency": "KZT", "order_reference": spelling}], settings)

    assert (record["outcome"], record["error"]) == ("failed", "OrderReferenceConflictError")
    assert sandbox.references() == [spelling]


def test_only_rows_that_are_spelt_otherwise_cost_a_look_up_more(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    def look_ups() -> int:
        return sandbox.count("payment_links.retrieve_by_order_reference")

    links = [{"amount": 1, "currency": "KZT", "order_reference": each} for each in ("P-1", " P-2 ")]
    create_partition(links, settings)
    plain = look_ups()
    create_partition(links, settings)
    assert look_ups() == plain + 2

    spelt = [{"amount": 1, "currency": "KZT", "order_reference": each} for each in SPELLINGS]
    records = create_partition(spelt, settings)
    assert [record["outcome"] for record in records] == ["created"] * 3
    assert sorted(sandbox.references()) == sorted(["P-1", "P-2", *SPELLINGS.values()])
    before = look_ups()
    records = create_partition(spelt, settings)
    assert [record["outcome"] for record in records] == ["recovered"] * 3
    assert look_ups() == before + 6


def test_where_the_spelling_cannot_be_looked_up_nothing_is_created(
    sandbox: ServedSandbox, settings: PartitionSettings
) -> None:
    sandbox.add_fault("code=2,operation=payment_links.retrieve_by_order_reference")

    (record,) = create_partition(
        [{"amount": 1, "currency": "KZT", "order_reference": "'=7"}], attrs.evolve(settings, timeout=1.0)
    )

    assert record["outcome"] in ("failed", "unknown")
    assert record["link_id"] is None
    assert sandbox.references() == []
