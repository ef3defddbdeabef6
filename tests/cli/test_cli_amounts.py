"""`--amounts major`, from the file to the account's links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async.cli import main

if TYPE_CHECKING:
    from .conftest import ServedSandbox

CSV = """\
order_reference;amount;currency
ORD-1;22 000,50;KZT
ORD-2;22\u00a0000,50\u00a0₸;KZT
ORD-3;1500;JPY
"""
JSON_LINES = """\
{"order_reference": "ORD-1", "amount": 22000.50, "currency": "KZT"}
{"order_reference": "ORD-2", "amount": 22000.5, "currency": "KZT"}
{"order_reference": "ORD-3", "amount": 1500, "currency": "JPY"}
"""
MAJOR = ("--amounts", "major")


@pytest.fixture(params=[("orders.csv", CSV), ("orders.jsonl", JSON_LINES)], ids=["CSV", "JSON Lines"])
def orders(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name, content = request.param
    (tmp_path / name).write_text(content, "utf-8")
    return str(tmp_path / name)


def amounts_of(served: ServedSandbox) -> dict[str, int]:
    links = served.ask("GET", "/payment-links?page=1&size=100")["data"]
    return {link["orderReference"]: link["amount"] for link in links}


@pytest.mark.parametrize("more", [(), ("--strict",), ("--no-references",), ("--allow-repeats",)])
def test_links_of_amounts_in_major_units(orders: str, served: ServedSandbox, more: tuple[str, ...]) -> None:
    assert main(["bulk-create", orders, *MAJOR, *more]) == 0
    assert amounts_of(served) == {"ORD-1": 2200050, "ORD-2": 2200050, "ORD-3": 1500}


def test_the_units_are_those_of_the_whole_job(
    orders: str, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = ("--journal", str(tmp_path / "orders.journal"))
    assert main(["bulk-create", orders, *journal, *MAJOR]) == 0
    assert main(["bulk-create", orders, *journal, *MAJOR]) == 0
    assert main(["reconcile", orders, *journal, *MAJOR]) == 0
    capsys.readouterr()
    # 1500 JPY are the same in both.
    assert main(["bulk-create", orders, *journal]) == 1
    assert capsys.readouterr().err.count("name the column amount_major, or give --amounts major: all") == 2
    assert served.count() == 3
    assert main(["reconcile", orders, *journal]) == 1
    assert (
        capsys.readouterr().out.count("or give --amounts major: all its amounts are then read as major units")
        == 2
    )


def test_a_job_that_goes_on_in_other_units_sends_nothing(
    served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, journal = tmp_path / "orders.csv", ("--journal", str(tmp_path / "orders.journal"))
    path.write_text("order_reference,amount,currency\nORD-1,22000,KZT\nORD-2,500,KZT\n")
    assert main(["bulk-create", str(path), *journal]) == 0
    capsys.readouterr()
    assert main(["bulk-create", str(path), *journal, *MAJOR]) == 1
    told = capsys.readouterr().err
    assert told.count("the journal has the order reference 'ORD-") == 2
    assert told.count("with other content") == told.count("nothing was sent for it") == 2
    assert amounts_of(served) == {"ORD-1": 22000, "ORD-2": 500}
    assert main(["reconcile", str(path), *journal, *MAJOR]) == 1
    assert "differs: order ORD-1: row 22,000.00 KZT, journal 220.00 KZT, account 220.00 KZT" in (
        capsys.readouterr().out
    )


def test_a_bad_row_names_the_column_as_it_is_named(
    tmp_path: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('order_reference,amount,currency\nORD-1,"1,000",KZT\nORD-2,5 USD,KZT\nORD-3,5,KZT\n')
    assert main(["bulk-create", str(path), *MAJOR]) == 1
    told = capsys.readouterr().err
    assert f"{path}:2: column amount: '1,000' can be 1000 or 1.000" in told
    assert f"{path}:3: column amount: '5 USD' is marked as USD" in told
    assert amounts_of(served) == {"ORD-3": 500}


def test_what_was_understood_is_told(orders: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bulk-create", orders, "--check", *MAJOR]) == 0
    told = re.sub(r" +", " ", capsys.readouterr().out)
    written = "22000.50 in line 1" if orders.endswith(".jsonl") else "22 000,50 in line 2"
    assert told.startswith(f"amounts are read as major units\n {written} is 22,000.50 KZT\nrows 3\n")
    assert "sum 44,001.00\n smallest 22,000.50\n largest 22,000.50" in told
    assert "JPY: links 1\n sum 1,500\n" in told


def test_there_are_two_units(orders: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("bulk-create", "reconcile"):
        with pytest.raises(SystemExit):
            main([command, orders, "--amounts", "cents"])
        assert "invalid choice: 'cents'" in capsys.readouterr().err
