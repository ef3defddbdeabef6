"""The summary of a file, as it is shown before anything is sent."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from plexypay_async.cli import main
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
        *("amounts are read as minor units", "2200050 in line 2 is 22,000.50 KZT"),
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
    assert "first expiry                        never" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------- --check


def checked(tmp_path: Path, content: str, *more: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.delenv("PLEXYPAY_API_KEY", raising=False)
    # Whatever would be sent, would be sent there, and fail.
    monkeypatch.setenv("PLEXYPAY_BASE_URL", "http://127.0.0.1:9")
    path = tmp_path / "orders.csv"
    path.write_text(content)
    before = sorted(tmp_path.iterdir())
    code = main(["bulk-create", str(path), "--check", *more])
    assert sorted(tmp_path.iterdir()) == before
    return code


@pytest.mark.parametrize(("column", "units"), [("amount_major", "major"), ("amount", "minor")])
def test_the_units_are_those_of_the_header_where_no_row_is_good(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    column: str,
    units: str,
) -> None:
    content = f"order_reference,{column},currency\nORD-1,x,KZT\n"
    assert checked(tmp_path, content, monkeypatch=monkeypatch) == 1
    assert capsys.readouterr().out.split("\n")[0].split() == ["amounts", "are", "read", "as", units, "units"]


GOOD = "order_reference,amount,currency\nORD-1,2200050,KZT\nORD-2,100,KZT\n"


@pytest.mark.parametrize("more", [(), ("--strict",), ("--results", "x.csv"), ("--journal", "x.journal")])
def test_a_file_is_checked_without_an_account_or_a_request(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked(tmp_path, GOOD, *more, monkeypatch=monkeypatch) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith(
        "amounts are read as minor units 2200050 in line 2 is 22,000.50 KZT rows 2 bad rows 0"
        " repeated rows 0 without an order reference 0 KZT: links 2 "
    )
    assert "sum 22,001.50 smallest 1.00 largest 22,000.50" in told


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        ("ORD-3,-1,KZT\n", 1, "orders.csv:4: column amount: "),
        ("ORD-1,2200050,KZT\n", 1, "orders.csv:4: repeats line 2, its order reference and its data"),
        ("ORD-1,5,KZT\n", 1, "orders.csv:4: column order_reference: "),
        ("ORD-3,22,KZT", 0, "orders.csv:4: warning: the last line does not end: "),
        (",300,KZT\n", 1, "orders.csv:4: column order_reference: is empty"),
        ("#N/A,300,KZT\n", 1, "orders.csv:4: column order_reference: "),
    ],
)
def test_what_is_wrong_is_told_by_its_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: str,
    code: int,
    told: str,
) -> None:
    assert checked(tmp_path, GOOD + more, monkeypatch=monkeypatch) == code
    captured = capsys.readouterr()
    assert told in captured.err
    assert "\nrows 3\n" in re.sub(" +", " ", captured.out)


def test_repeats_that_are_meant_are_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = GOOD + "ORD-1,2200050,KZT\n"
    assert checked(tmp_path, content, "--allow-repeats", monkeypatch=monkeypatch) == 0
    captured = capsys.readouterr()
    assert "repeated rows 1" in " ".join(captured.out.split())
    assert "repeats" not in captured.err


@pytest.mark.parametrize("content", ["order_reference,amount,currency\n", "amount,currency\n5,KZT\n"])
def test_what_is_no_file_of_orders_gives_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    assert checked(tmp_path, content, monkeypatch=monkeypatch) == 2
    assert capsys.readouterr().err.startswith("plexypay: ")
