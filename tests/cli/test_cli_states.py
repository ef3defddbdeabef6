"""`plexypay reconcile`: who has paid, and which rows nobody can pay."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async.bulk.journal_format import State
from plexypay_async.cli import main
from plexypay_async.cli.reconciliation import Finding, Reconciliation
from plexypay_async.cli.references import check_references
from plexypay_async.cli.rows import open_rows
from plexypay_async.cli.source import Lines
from plexypay_async.pay.payment_links import PaymentLinkSummary
from tests.cli.test_cli_journal import table
from tests.cli.test_cli_reconcile import Files, kept, link, sums

if TYPE_CHECKING:
    from .conftest import ServedSandbox

COLUMNS = ["line", "order_reference", "amount_major", "currency", "status", "link_id", "links", "repeats"]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def settled(files: Files, served: ServedSandbox, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """A file whose links have come to every end, and the id of each link by its order reference."""
    soon = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    files.orders.write_text(
        "amount;currency;order_reference;expires_at\n7700000;KZT;ACTIVE;\n100;KZT;PAID;\n2500;KZT;PAID-2;\n"
        f"500;JPY;CANCELLED;\n600;JPY;EXPIRED;{soon}\n100;KZT;PAID;\nx;KZT;=BAD;\n"
    )
    assert files.create() == 1
    ids = {row["order_reference"]: row["link_id"] for row in results_of(files)[:5]}
    for reference in ("PAID", "PAID-2"):
        served.ask("POST", f"/payment-links/{ids[reference]}/pay")
    assert main(["pay", "payment-links", "cancel", ids["CANCELLED"], "--yes"]) == 0
    served.ask("POST", "/clock", '{"advance_seconds": 7200}')
    capsys.readouterr()
    return ids


def results_of(files: Files) -> list[dict[str, str]]:
    with files.orders.with_name("orders.results.csv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def compared(
    rows: str, *links: PaymentLinkSummary
) -> tuple[list[Finding], list[tuple[int, str | None, str | None, int]]]:
    """Return the findings, and of each row its line, status, link's id and number of links."""
    data = ("amount,currency,order_reference\n" + rows).encode()
    with Reconciliation.open() as reconciliation:
        opened = open_rows(Lines(io.BytesIO(data)), "orders.csv")
        reconciliation.add_rows(check_references(opened, required="needed"))
        reconciliation.add_journal([("A", State.DONE, kept("1"))])
        for found in links:
            reconciliation.add_link(found)
        findings = list(reconciliation.findings())
        states = [(each.line, each.status, each.link_id, each.links) for each in reconciliation.states()]
    return findings, states


# ------------------------------------------------------------------------------------- what nobody can pay


def test_links_that_nobody_can_pay_are_told(
    files: Files, settled: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert files.reconcile("--allow-repeats") == 1
    lines = capsys.readouterr().out.splitlines()
    advice = "nobody can pay it; for a new link, give the row an order reference of its own"
    assert lines[1:3] == [
        f"{files.orders}:5: not-payable: order CANCELLED: {settled['CANCELLED']}, cancelled: {advice}",
        f"{files.orders}:6: not-payable: order EXPIRED: {settled['EXPIRED']}, expired: {advice}",
    ]
    assert files.reconcile("--json") == 1
    *findings, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert summary["findings"]["not-payable"] == 2
    found = next(each for each in findings if each["kind"] == "not-payable")
    assert found["links"] == [
        {"id": settled["CANCELLED"], "status": "cancelled", "amount": 500, "currency": "JPY"}
    ]


@pytest.mark.parametrize(
    ("statuses", "is_told"),
    [
        (["cancelled"], True),
        (["expired", "cancelled"], True),
        (["cancelled", "active"], False),
        (["expired", "paid"], False),
        (["paid"], False),
        # What the API adds is not known to be the end of a link.
        (["on_hold"], False),
    ],
)
def test_one_link_that_can_be_paid_or_was_is_enough(statuses: list[str], is_told: bool) -> None:
    links = [link(str(number), "A", status=status) for number, status in enumerate(statuses, 1)]
    findings, _ = compared("1,KZT,A\n", *links)
    told = [found.detail for found in findings if found.kind == "not-payable"]
    assert bool(told) == is_told
    if len(statuses) == 2 and is_told:
        assert told[0].startswith("1, expired; 2, cancelled: nobody can pay them;")


@pytest.mark.parametrize(
    ("status", "told"), [("cancelled", []), ("expired", []), ("active", ["no-row"]), ("paid", ["no-row"])]
)
def test_a_link_of_no_row_is_told_while_somebody_may_pay_it_or_has(status: str, told: list[str]) -> None:
    """An invoice that was corrected has a new order reference, and the old one's link was cancelled."""
    findings, states = compared("", link("1", "A", status=status), link("2", None, status="expired"))
    assert [found.kind for found in findings] == told
    assert states == []


def test_links_of_no_row_that_nobody_can_pay_are_told_with_all(
    files: Files, settled: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = files.orders.read_text().splitlines(keepends=True)
    files.orders.write_text("".join(line for line in lines if "CANCELLED" not in line))
    files.reconcile()
    told = capsys.readouterr().out
    assert "CANCELLED" not in told
    assert sums(told)["of no row, cancelled or expired"] == 1
    files.reconcile("--all")
    assert f"no-row: order CANCELLED: the journal has it, the file does not: {settled['CANCELLED']}" in (
        capsys.readouterr().out
    )


# ---------------------------------------------------------------------------------------------- who has paid


def test_the_table_has_number_and_sum_by_currency_and_status(
    files: Files, settled: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files.reconcile()
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    first = told.index("of no row, cancelled or expired 0") + 1
    assert told[first : first + 8] == [
        *("links of rows: JPY, expired 1", "sum 600", "links of rows: JPY, cancelled 1", "sum 500"),
        *("links of rows: KZT, active 1", "sum 77,000.00", "links of rows: KZT, paid 2", "sum 26.00"),
    ]
    files.reconcile("--json")
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["states"][-1] == {"currency": "KZT", "status": "paid", "links": 2, "amount": 2600}


def test_the_state_of_every_row_in_the_order_of_the_file(
    files: Files, settled: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = files.orders.with_name("states.csv")
    assert files.reconcile("--states", str(path)) == 1
    assert capsys.readouterr().err.endswith(f"plexypay: states: {path}\n")
    with path.open(newline="") as file:
        header, *rows = csv.reader(file, delimiter=";")
    assert header == COLUMNS
    assert rows == [
        ["2", "ACTIVE", "77000.00", "KZT", "active", settled["ACTIVE"], "1", ""],
        ["3", "PAID", "1.00", "KZT", "paid", settled["PAID"], "1", ""],
        ["4", "PAID-2", "25.00", "KZT", "paid", settled["PAID-2"], "1", ""],
        ["5", "CANCELLED", "500", "JPY", "cancelled", settled["CANCELLED"], "1", ""],
        ["6", "EXPIRED", "600", "JPY", "expired", settled["EXPIRED"], "1", ""],
        ["7", "PAID", "1.00", "KZT", "paid", settled["PAID"], "1", "3"],
        ["8", rows[6][1], "", "", "", "", "0", ""],
    ]
    assert rows[6][1] in ("", "'=BAD")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_as_json_lines(files: Files, settled: dict[str, str]) -> None:
    path = files.orders.with_name("states.jsonl")
    assert files.reconcile("--states", str(path)) == 1
    first, *_, last = map(json.loads, path.read_text().splitlines())
    assert list(first) == COLUMNS
    assert (first["amount_major"], first["links"], first["repeats"]) == ("77000.00", 1, None)
    assert (last["status"], last["link_id"], last["links"]) == (None, None, 0)


def test_of_several_links_the_state_is_that_of_the_one_that_tells() -> None:
    _, states = compared(
        "1,KZT,A\n1,KZT,B\n1,KZT,C\n",
        link("1", "A", status="cancelled"),
        link("2", "A"),
        link("3", "A", status="paid"),
        link("4", "B", status="expired"),
        link("5", "B"),
    )
    assert states == [(2, "paid", "3", 3), (3, "active", "5", 2), (4, None, None, 0)]


def test_an_order_whose_row_has_a_fault_by_now_is_shown_as_paid(
    files: Files, settled: dict[str, str]
) -> None:
    lines = files.orders.read_text().replace("2500;KZT;PAID-2", "x;KZT;PAID-2")
    files.orders.write_text(lines + "9;KZT;ACTIVE;\n")
    path = files.orders.with_name("states.csv")
    assert files.reconcile("--states", str(path)) == 1
    with path.open(newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert rows[3] == ["4", "PAID-2", "", "", "paid", settled["PAID-2"], "1", ""]
    # The same reference with another amount.
    assert rows[8] == ["9", "ACTIVE", "", "", "active", settled["ACTIVE"], "1", ""]


def test_a_formula_in_a_reference_is_not_calculated(files: Files, served: ServedSandbox) -> None:
    files.write("1,KZT,'=1+1")
    assert files.create() == 0
    assert files.reconcile("--states", str(files.orders.with_name("states.csv"))) == 0
    (row,) = table(files.orders.with_name("states.csv"))
    assert (row["order_reference"], row["status"]) == ("'=1+1", "active")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("states.txt", "--states {}: the name must end in .csv or .jsonl"),
        ("mine.csv", "{} exists: states are never overwritten, give another name"),
        ("orders.csv", "{} exists: states are never overwritten, give another name"),
        (
            "killed.csv",
            "{}.part exists: a run that was killed has left it, or is under way; remove it if none",
        ),
        ("nowhere/states.csv", "there is no folder"),
    ],
)
def test_where_states_cannot_be_written(
    files: Files, served: ServedSandbox, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    for other in ("mine.csv", "killed.csv.part"):
        files.orders.with_name(other).write_text("mine")
    before = {each: each.read_bytes() for each in files.orders.parent.iterdir()}
    path = files.orders.parent / name
    assert files.reconcile("--states", str(path)) == 2
    assert told.format(path) in capsys.readouterr().err
    assert {each: each.read_bytes() for each in files.orders.parent.iterdir()} == before
    assert served.count("payment_links.list") == 0


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("name", ["states.csv", "states.jsonl"])
def test_states_of_the_month_before_are_kept_under_another_name(
    files: Files, served: ServedSandbox, capsys: pytest.CaptureFixture[str], name: str, separator: str
) -> None:
    files.orders.write_text(
        f"\ufeffsep={separator}\namount,currency,order_reference\n1,KZT,A\n".replace(",", separator)
    )
    assert files.create() == 0
    path = files.orders.with_name(name)
    kept: list[str] = []
    for number in range(3):
        assert files.reconcile("--states", str(path)) == 0
        told = f"the earlier ones are in {path.with_stem(f'states.{number}')} now"
        assert (told in capsys.readouterr().err) == (number > 0)
        kept.append(path.read_text())
        served.ask("POST", "/clock", '{"advance_seconds": 7200}')
    assert path.with_stem("states.1").read_text() == kept[0]
    assert path.with_stem("states.2").read_text() == kept[1]


def test_an_account_that_cannot_be_read_leaves_no_states(files: Files, served: ServedSandbox) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    before = sorted(os.listdir(files.orders.parent))
    served.misbehave("status=403,operation=payment_links.list")
    assert files.reconcile("--states", str(files.orders.with_name("states.csv"))) == 2
    assert sorted(os.listdir(files.orders.parent)) == before


def test_states_that_cannot_be_written_are_a_failure(
    files: Files,
    served: ServedSandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files.write("1,KZT,A")
    assert files.create() == 0
    before = sorted(os.listdir(files.orders.parent))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plexypay_async.cli.states_file.StatesFile.write", full)
    path = files.orders.with_name("states.csv")
    assert files.reconcile("--states", str(path)) == 1
    captured = capsys.readouterr()
    assert f"cannot write {path}: No space left on device" in captured.err
    assert "links of the account" in captured.out
    assert sorted(os.listdir(files.orders.parent)) == before
