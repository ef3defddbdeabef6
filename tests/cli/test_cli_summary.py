"""The summary of a file, as it is shown before anything is sent."""

from __future__ import annotations

import io

import pytest

from plexypay_async.cli.rows import open_rows
from plexypay_async.cli.source import Lines
from plexypay_async.cli.summary import FileSummary

FILE = """\
order_reference,amount,currency,expires_at
ORD-1,2200050,KZT,2099-12-31T23:59:59Z
ORD-2,5,KZT,2098-01-01T00:00:00+05:00
ORD-3,500,JPY,
ORD-4,1,XAU,
ORD-5,1500,KWD,
,100,KZT,
ORD-6,-1,KZT,
ORD-7,9000000000000000000,KZT,
ORD-8,9000000000000000000,KZT,
"""


def summary_of(content: str) -> FileSummary:
    summary = FileSummary()
    for row in open_rows(Lines(io.BytesIO(content.encode())), "orders.csv"):
        summary.add(row)
    return summary


def test_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    summary_of(FILE).tell()
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert told == [
        *("rows 9", "bad rows 1", "repeated rows 0", "without an order reference 1"),
        *("JPY: links 1", "sum 500", "smallest 500", "largest 500"),
        *("KWD: links 1", "sum 1.500", "smallest 1.500", "largest 1.500"),
        *("KZT: links 5", "sum 180,000,000,000,022,001.55", "smallest 0.05"),
        "largest 90,000,000,000,000,000.00",
        *("XAU: links 1", "sum 1 minor units", "smallest 1 minor units", "largest 1 minor units"),
        *("first expiry 2097-12-31 19:00:00 UTC", "last expiry 2099-12-31 23:59:59 UTC"),
    ]


def test_a_file_without_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    summary_of("amount,currency\n").tell()
    assert "first expiry                  never" in capsys.readouterr().out
