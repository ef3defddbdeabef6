"""All that is wrong with a row, told at once; and points in time, told with the whole form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from plexypay_async.bulk.columns import BadRowError, request_of

GOOD = {"order_reference": "A-1", "amount_major": "22 000,50", "currency": "KZT"}
FORM = ", that is date, time, and your time zone's offset from UTC (Kazakhstan is +05:00)"


def refusal(row: dict[str, object], *, major: bool = False) -> BadRowError:
    with pytest.raises(BadRowError) as caught:
        request_of(row, major=major)
    return caught.value


# ---------------------------------------------------------------------------------------------- all at once


def test_every_fault_of_a_row_is_told() -> None:
    told = refusal(
        {
            "order_reference": "#N/A",
            "amount_major": "1,000",
            "currency": "KZT",
            "expires_at": "31.12.2026",
            "auto_clearing": "maybe",
            "success_url": "shop",
            "zzzz": "red",
        }
    )
    assert told.column == "order_reference"
    parts = str(told).split("; ")
    # The names of the columns have a semicolon between them.
    assert [part.split(":")[0] for part in parts] == [
        "column order_reference",
        "column expires_at",
        "column auto_clearing",
        "column success_url",
        "unknown column 'zzzz'",
        "further columns",
        "column amount_major",
    ]
    assert "'1,000' can be 1000 or 1.000" in parts[-1]


def test_a_missing_cell_is_told_beside_a_wrong_one() -> None:
    told = refusal({"order_reference": "A-1", "amount": "5", "expires_at": "soon"})
    assert str(told).endswith("; column currency: is empty: every row needs one")
    assert "column expires_at: 'soon' is not a time in full" in str(told)


@pytest.mark.parametrize(
    "row",
    [
        # A cell that cannot be read is not empty, and an unknown column may be the one that is missing.
        {**GOOD, "currency": "тенге"},
        {"amount": "x", "currency": "KZT"},
        {"amount_major": 0.5, "currency": "KZT"},
        {"price": "5", "currency": "KZT"},
    ],
    ids=lambda row: " ".join(row),
)
def test_what_is_wrong_is_not_told_to_be_empty_too(row: dict[str, object]) -> None:
    assert "is empty" not in str(refusal(row))


def test_faults_that_only_the_whole_request_shows_are_told_with_the_others() -> None:
    told = refusal({**GOOD, "currency": "K", "extra": {"amount": 1}})
    assert "column currency: 'K' is not a currency" in str(told)
    assert "; extra['amount']: amount is a field of its own" in str(told)


def test_an_object_with_very_many_faults_tells_some_and_the_number_of_the_others() -> None:
    told = refusal({**GOOD, **{f"zzzz{number}": 1 for number in range(5000)}})
    assert told.reason.count("unknown column") == 10
    assert told.reason.endswith("; and 4,990 more")


def test_a_table_s_sum_is_told_alone() -> None:
    told = refusal({"order_reference": "", "description": "Итого", "amount": "x", "currency": ""})
    assert (
        str(told) == "column description: 'Итого': this is the sum of a table, and no order: remove the row"
    )


@pytest.mark.parametrize(
    ("more", "lacks"),
    [({}, False), ({"order_reference": " "}, True), ({"order_reference": 5}, False)],
)
def test_it_is_known_whether_the_row_lacks_a_reference(more: dict[str, object], lacks: bool) -> None:
    assert refusal({**GOOD, "currency": "", **more}).lacks_reference is lacks


@pytest.mark.parametrize(
    ("row", "is_encoding"),
    [
        ({**GOOD, "description": "\udcd1\udce7", "customer_id": "\udcd1"}, True),
        ({**GOOD, "description": "\udcd1\udce7", "expires_at": "soon"}, False),
        ({**GOOD, "expires_at": "soon"}, False),
    ],
)
def test_an_encoding_is_told_once_in_a_row(row: dict[str, object], is_encoding: bool) -> None:
    told = refusal(row)
    assert told.not_utf_8 is is_encoding
    assert told.reason.count("is not UTF-8 text: save the file as UTF-8") == ("description" in row)
    assert "?" not in told.reason


# -------------------------------------------------------------------------------------------- points in time


@pytest.mark.parametrize(
    ("written", "example"),
    [
        ("31.12.2026", "2026-12-31T23:59:59"),
        ("1.2.2027", "2027-02-01T23:59:59"),
        ("31.12.2026 18:30", "2026-12-31T18:30:00"),
        ("31.12.2026, 18:30:15", "2026-12-31T18:30:15"),
        ("2026-12-31", "2026-12-31T23:59:59"),
        ("2026/12/31", "2026-12-31T23:59:59"),
        ("2026-12-31 18:30", "2026-12-31T18:30:00"),
        ("2026-12-31T18:30:15.250", "2026-12-31T18:30:15"),
        ("12/31/2026", "2026-12-31T23:59:59"),
        ("31/12/2026", "2026-12-31T23:59:59"),
        ("05/05/2026", "2026-05-05T23:59:59"),
        ("12/31/2026 11:59 PM", "2026-12-31T23:59:00"),
        ("12/31/2026 12:05 AM", "2026-12-31T00:05:00"),
        ("12/31/2026 12:05 pm", "2026-12-31T12:05:00"),
    ],
)
def test_a_date_is_told_in_the_whole_form(written: str, example: str) -> None:
    told = refusal({**GOOD, "expires_at": written})
    assert f": write {example}+05:00{FORM}" in told.reason
    # What is advised can be read.
    assert request_of({**GOOD, "expires_at": f"{example}+05:00"}).expires_at == datetime.fromisoformat(
        example
    ).replace(tzinfo=timezone(timedelta(hours=5)))


@pytest.mark.parametrize(
    "written",
    [
        *("04/05/2026", "31.02.2026", "31.12.26", "46387", "tomorrow", "2026-13-01", "31/31/2026"),
        *("31.12.2026 в полдень", "12/31/2026 13:00 PM", "31.12.2026 25:00", "٣١.١٢.٢٠٢٦"),
    ],
)
def test_what_can_be_two_dates_or_is_none_gets_an_example_of_another(written: str) -> None:
    told = refusal({**GOOD, "expires_at": written})
    assert f": write 2099-12-31T23:59:59+05:00{FORM}" in told.reason
    assert "ISO 8601" not in told.reason


def test_a_time_of_python_without_an_offset_is_its_own_example() -> None:
    told = refusal({**GOOD, "expires_at": datetime(2026, 12, 31, 18, 30)})
    assert f"has no offset from UTC: write 2026-12-31T18:30:00+05:00{FORM}" in told.reason
    assert request_of({**GOOD, "expires_at": datetime(2026, 12, 31, tzinfo=UTC)}).expires_at is not None


# ------------------------------------------------------------------------------------------------ currencies


def test_a_currency_of_the_past_is_told_with_the_one_of_today() -> None:
    told = refusal({**GOOD, "currency": "RUR"})
    assert str(told) == "column currency: RUR is no currency of today: write RUB"
    told = refusal({**GOOD, "currency": "KZZ"})
    assert str(told).startswith("column currency: KZZ is no currency of today: correct it, or give")
