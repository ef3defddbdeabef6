"""`--check --results FILE`: the rows that cannot be sent, in a file to correct them by."""

from __future__ import annotations

import csv
import errno
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.dialect import Dialect
from plexypay_async.cli.results import Results, ResultsFile, RowOutcome, RowResult, have_links
from tests.cli.ran import Ran

if TYPE_CHECKING:
    from .conftest import ServedSandbox

HEADER = "order_reference,amount,currency,description\n"
BAD = 30
CONTENT = (
    HEADER
    + "A-1,5,KZT,\n"
    + "".join(f"B-{number},x,kz,\n" for number in range(BAD))
    + "A-1,5,KZT,\n"
    + "A-2,5,KZT,\n"
)


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "orders.csv"
    path.write_text(CONTENT)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["bad.csv", "bad.jsonl"])
def test_every_row_to_correct_is_in_the_file(name: str, orders: Path, run: Ran) -> None:
    assert run("bulk-create", "orders.csv", "--check", "--results", name) == 1
    rows = rows_of(Path(name))
    assert [int(row["line"]) for row in rows] == [*range(3, 3 + BAD), 3 + BAD]
    assert [row["order_reference"] for row in rows] == [*(f"B-{number}" for number in range(BAD)), "A-1"]
    assert [row["outcome"] for row in rows] == [*["invalid"] * BAD, "repeated"]
    assert rows[0]["error_message"].startswith("column amount: 'x' is not a whole number of minor units")
    assert "; column currency: 'kz' is not a currency" in rows[0]["error_message"]
    assert rows[-1]["error_message"].startswith("repeats line 2, its order reference and its data")
    assert f"and {BAD + 1 - 20} more: see {name}\n" in run.err
    assert run.err.endswith(f"plexypay: rows to correct: {name}\n")
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert sorted(path.name for path in orders.parent.iterdir()) == [name, "orders.csv"]


def test_without_a_file_it_is_told_how_to_have_them(orders: Path, run: Ran) -> None:
    assert run("bulk-create", "orders.csv", "--check") == 1
    assert f"and {BAD + 1 - 20} more: give --results FILE to have them all\n" in run.err
    assert [path.name for path in orders.parent.iterdir()] == ["orders.csv"]


def test_a_file_with_nothing_to_correct_leaves_none(orders: Path, run: Ran) -> None:
    orders.write_text(f"{HEADER}A-1,5,KZT,\nA-1,5,KZT,\n")
    assert run("bulk-create", "orders.csv", "--check", "--results", "bad.csv", "--allow-repeats") == 0
    assert "rows to correct" not in run.err
    assert [path.name for path in orders.parent.iterdir()] == ["orders.csv"]


def test_on_standard_output_they_stand_alone(orders: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bulk-create", "orders.csv", "--check", "--results", "-"]) == 1
    out, err = capfd.readouterr()
    assert len(list(csv.DictReader(out.splitlines()))) == BAD + 1
    assert err.rstrip().splitlines()[-1].startswith("last expiry")
    assert "amounts are read as" in err


def test_an_earlier_file_is_replaced_only_where_that_is_said(orders: Path, run: Ran) -> None:
    check = ("bulk-create", "orders.csv", "--check", "--results", "bad.csv")
    assert run(*check) == 1
    before = Path("bad.csv").read_bytes()
    orders.write_text(f"{HEADER}A-1,x,KZT,\n")
    assert run(*check) == 2
    assert "bad.csv exists: results are never overwritten" in run.err
    assert Path("bad.csv").read_bytes() == before
    assert run(*check, "--overwrite") == 1
    assert [row["line"] for row in rows_of(Path("bad.csv"))] == ["2"]
    assert run("bulk-create", "orders.csv", "--check", "--results", "orders.csv", "--overwrite") == 2
    assert orders.read_text() == f"{HEADER}A-1,x,KZT,\n"


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_the_results_of_a_job_are_never_replaced(
    name: str, separator: str, orders: Path, served: ServedSandbox, run: Ran
) -> None:
    orders.write_text(f"{HEADER}A-1,5,KZT,\n".replace(",", separator))
    job = ("bulk-create", "orders.csv", "--results", name, "--overwrite")
    assert run(*job) == 0
    before = Path(name).read_bytes()
    orders.write_text(f"{HEADER}A-2,x,KZT,\n".replace(",", separator))
    assert run(*job, "--check") == 2
    assert f"{name} holds the links of a job, which --check does not replace" in run.err
    assert Path(name).read_bytes() == before
    assert sorted(path.name for path in orders.parent.iterdir()) == ["orders.csv", name]


@pytest.mark.parametrize("dialect", [Dialect(), Dialect(delimiter=";", named=True), Dialect(json_lines=True)])
@pytest.mark.parametrize("reference", [None, "A;1", 'A,"created",1', '"link_id": "x"'])
@pytest.mark.parametrize("outcome", list(RowOutcome))
def test_a_link_in_results_is_found_whatever_became_of_its_row(
    dialect: Dialect, reference: str | None, outcome: RowOutcome, tmp_path: Path
) -> None:
    path = str(tmp_path / ("results.jsonl" if dialect.json_lines else "results.csv"))
    for link_id in (None, "pl_1"):
        results = ResultsFile(path, dialect=dialect, rewrite=True)
        results.write(RowResult(line=2, outcome=RowOutcome.INVALID, error_message="pl_0"))
        results.write(RowResult(line=3, order_reference=reference, outcome=outcome, link_id=link_id))
        results.close()
        assert have_links(path) == (link_id is not None)


@pytest.mark.parametrize("where", ["none/bad.csv", "bad.txt"])
def test_a_place_that_cannot_be_written_is_told(where: str, orders: Path, run: Ran) -> None:
    assert run("bulk-create", "orders.csv", "--check", "--results", where) == 2
    assert where in run.err
    assert run.out == ""


def test_a_full_disk_is_told(orders: Path, run: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, result: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Results, "write", full)
    assert run("bulk-create", "orders.csv", "--check", "--results", "bad.csv") == 2
    assert run.err.endswith("plexypay: cannot write bad.csv: No space left on device\n")
    assert [path.name for path in orders.parent.iterdir()] == ["orders.csv"]


def test_faults_of_a_row_s_reference_are_told_with_the_others(orders: Path, run: Ran) -> None:
    orders.write_text(f"{HEADER}A-1,x,KZT,\nA-1,y,KZT,\n,z,KZT,\n")
    assert run("bulk-create", "orders.csv", "--check", "--results", "bad.jsonl") == 1
    first, second, third = (row["error_message"] for row in rows_of(Path("bad.jsonl")))
    assert "order_reference" not in first
    assert second.endswith(
        "; column order_reference: is the same as in line 2: give it a reference of its own"
    )
    assert "; column order_reference: is empty: without one" in third
    assert run("bulk-create", "orders.csv", "--check", "--no-references") == 1
    assert "is empty" not in run.err


def test_an_encoding_is_told_of_one_row(orders: Path, run: Ran) -> None:
    rows = "".join(f"Счёт-{number},5,KZT,Обед\n" for number in range(25))
    orders.write_bytes((HEADER + rows).encode("windows-1251"))
    assert run("bulk-create", "orders.csv", "--check", "--results", "bad.jsonl") == 1
    assert run.err.count("is not UTF-8 text: save the file as UTF-8 (in a spreadsheet: CSV UTF-8)") == 1
    assert "?" not in run.err
    assert "and 24 more: see bad.jsonl" in run.err
    assert len(rows_of(Path("bad.jsonl"))) == 25
