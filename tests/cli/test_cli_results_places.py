"""Where results go that nobody has named a file for, and what a run of the same file again finds."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async.cli import main
from tests.cli.pseudo_terminal import Terminal, on_posix
from tests.cli.test_cli_bulk_create import sums
from tests.cli.test_cli_journal import table

if TYPE_CHECKING:
    from .conftest import ServedSandbox

ROWS = "amount,currency,order_reference\n1,KZT,A\n2,KZT,B\n"
COMMAND = [sys.executable, "-W", "error", "-m", "plexypay_async.cli", "bulk-create"]
LOOK_UP = "payment_links.retrieve_by_order_reference"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ROWS)
    return path


def beside(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def outcomes(path: Path) -> list[str]:
    return [row["outcome"] for row in table(path)]


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )


# ----------------------------------------------------------------------------------------- beside the input


def test_results_stand_beside_the_input(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bulk-create", str(orders)]) == 0
    results = orders.with_name("orders.results.csv")
    assert beside(orders) == ["orders.csv", results.name]
    assert f"plexypay: results: {results}\n" in capsys.readouterr().err
    for row in table(results):
        assert row["outcome"] == "created"
        assert row["link_id"] in row["url"]
    if sys.platform != "win32":
        assert results.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.ndjson", "orders"])
def test_they_have_the_format_of_the_input(name: str, tmp_path: Path, served: ServedSandbox) -> None:
    path = tmp_path / name
    path.write_text('{"amount": 1, "currency": "KZT", "order_reference": "A"}\n')
    assert main(["bulk-create", str(path)]) == 0
    assert beside(path) == sorted([name, "orders.results.jsonl"])
    (row,) = map(json.loads, (tmp_path / "orders.results.jsonl").read_text().splitlines())
    assert (row["order_reference"], row["outcome"]) == ("A", "created")


HEADER = (
    "line,order_reference,outcome,link_id,url,error,error_code,error_message,amount_major,currency,description"
    "\r\n"
)


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ("amount,currency,order_reference\n", HEADER),
        ("amount;currency;order_reference\n", HEADER.replace(",", ";")),
        ("\ufeffamount;currency;order_reference\r\n", "\ufeff" + HEADER.replace(",", ";")),
        ("\ufeffsep=;\r\namount;currency;order_reference\r\n", "\ufeffsep=;\r\n" + HEADER.replace(",", ";")),
        ("sep=\t\namount\tcurrency\torder_reference\n", "sep=\t\r\n" + HEADER.replace(",", "\t")),
        ("SEP=,\namount,currency,order_reference\n", "sep=,\r\n" + HEADER),
    ],
)
def test_they_are_separated_as_the_input_is(
    beginning: str, expected: str, tmp_path: Path, served: ServedSandbox
) -> None:
    path = tmp_path / "orders.csv"
    delimiter = next(each for each in ";\t," if each in beginning.splitlines()[-1])
    path.write_bytes((beginning + delimiter.join(["1", "KZT", "Заказ №1"]) + "\n").encode())
    for _ in range(2):
        assert main(["bulk-create", str(path), "--journal", str(tmp_path / "a.journal")]) == 0
    written = (tmp_path / "orders.results.csv").read_bytes().decode()
    assert written.startswith(expected)
    rows = list(csv.reader(io.StringIO(written.removeprefix(expected), newline=""), delimiter=delimiter))
    assert [row[:3] for row in rows] == [
        ["2" if "ep=" not in beginning.lower() else "3", "Заказ №1", "journal"]
    ]
    # They were known for results in each of these forms, and replaced.
    assert not (tmp_path / "orders.results.1.csv").exists()


def test_a_named_csv_file_of_json_lines_has_commas(tmp_path: Path, served: ServedSandbox) -> None:
    path, results = tmp_path / "orders.jsonl", tmp_path / "x.csv"
    path.write_text('{"amount": 1, "currency": "KZT", "order_reference": "A"}\n')
    assert main(["bulk-create", str(path), "--results", str(results)]) == 0
    assert results.read_bytes().decode().startswith(HEADER)
    assert beside(path) == ["orders.jsonl", "x.csv"]


def test_the_command_s_own_sandbox_leaves_none(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bulk-create", str(orders), "--sandbox"]) == 0
    assert main(["bulk-create", str(orders), "--check"]) == 0
    assert beside(orders) == ["orders.csv"]
    assert "results" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "amount,currency\n", "amount,currency,order_reference\n", "a,b\n"])
def test_a_refusal_leaves_none(text: str, orders: Path, served: ServedSandbox) -> None:
    orders.write_text(text)
    assert main(["bulk-create", str(orders)]) == 2
    assert beside(orders) == ["orders.csv"]
    orders.write_text("amount,currency,order_reference\nx,KZT,A\n")
    assert main(["bulk-create", str(orders), "--strict"]) == 2
    assert beside(orders) == ["orders.csv"]


def test_a_folder_that_cannot_be_written(
    orders: Path,
    served: ServedSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode, **_: path != str(tmp_path))
    assert main(["bulk-create", str(orders)]) == 2
    error = capsys.readouterr().err
    assert f"cannot write results into {tmp_path}, beside the input: give --results FILE" in error
    assert served.count() == 0
    assert beside(orders) == ["orders.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="names of 255 characters")
def test_a_name_that_is_too_long(
    tmp_path: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{'x' * 250}.csv"
    path.write_text(ROWS)
    assert main(["bulk-create", str(path)]) == 2
    assert "File name too long: give --results FILE" in capsys.readouterr().err
    assert served.count() == 0


# ---------------------------------------------------------------------------------- results that are there


def test_earlier_results_are_set_aside(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    results, first, second = (orders.with_name(f"orders.results{number}.csv") for number in ("", ".1", ".2"))
    assert main(["bulk-create", str(orders)]) == 0
    created = results.read_bytes()
    capsys.readouterr()
    assert main(["bulk-create", str(orders)]) == 0
    assert f"plexypay: earlier results of the name {results} are in {first} now" in capsys.readouterr().err
    assert first.read_bytes() == created
    assert outcomes(results) == ["recovered", "recovered"]
    assert [row["url"] for row in table(results)] == [row["url"] for row in table(first)]
    assert main(["bulk-create", str(orders)]) == 0
    assert (first.read_bytes(), outcomes(second)) == (created, ["recovered", "recovered"])
    assert served.references() == ["A", "B"]
    assert beside(orders) == ["orders.csv", first.name, second.name, results.name]


def test_a_journal_replaces_its_own_and_sets_others_aside(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = ["--journal", str(orders.with_name("a.journal"))]
    results, aside = orders.with_name("orders.results.csv"), orders.with_name("orders.results.1.csv")
    for outcome in ("created", "journal"):
        assert main(["bulk-create", str(orders), *journal]) == 0
        assert outcomes(results) == [outcome] * 2
    assert not aside.exists()
    noted = results.read_bytes() + b"paid in cash,,,,,,,\r\n"
    results.write_bytes(noted)
    assert main(["bulk-create", str(orders), *journal]) == 0
    assert aside.read_bytes() == noted
    assert outcomes(results) == ["journal"] * 2
    assert str(aside) in capsys.readouterr().err


@pytest.mark.parametrize("held", ["mine", "amount,currency\n", "line,order_reference,paid\n"])
def test_what_is_no_results_is_left(
    held: str, orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    results = orders.with_name("orders.results.csv")
    results.write_text(held)
    assert main(["bulk-create", str(orders)]) == 2
    assert "exists and holds no results: it was left as it is, give --results FILE" in capsys.readouterr().err
    assert results.read_text() == held
    assert served.count() == 0
    assert beside(orders) == ["orders.csv", results.name]


def test_a_run_that_is_under_way_is_not_disturbed(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    other = orders.with_name("orders.results.csv.part")
    other.write_text(HEADER)
    assert main(["bulk-create", str(orders)]) == 2
    assert f"{other} exists" in capsys.readouterr().err
    assert served.count() == 0


# ------------------------------------------------------------------------------------------ standard output


def test_of_standard_input_results_go_to_standard_output(served: ServedSandbox, tmp_path: Path) -> None:
    done = command("-", input="\ufeffamount;currency;order_reference\n1;KZT;Заказ\n".encode(), cwd=tmp_path)
    assert done.returncode == 0
    header, row = done.stdout.decode().splitlines()
    assert header == "\ufeff" + HEADER.replace(",", ";").strip()
    assert row.startswith("2;Заказ;created;pl_")
    error = done.stderr.decode()
    assert sums(error)["made now"] == "1"
    assert "plexypay: results" not in error
    assert os.listdir(tmp_path) == []


def test_of_json_lines_too(orders: Path, served: ServedSandbox) -> None:
    done = command("-", input=b'{"amount": 1, "currency": "KZT", "order_reference": "A"}\n' * 2)
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((row["line"], row["outcome"]) for row in rows) == [(1, "created"), (2, "invalid")]


def test_of_a_file_where_that_is_asked_for(orders: Path, served: ServedSandbox) -> None:
    done = command(orders, "--results", "-", "--sandbox")
    assert done.returncode == 0
    assert done.stdout.decode().startswith(HEADER)
    assert done.stdout.count(b"\r\n") == 3
    assert beside(orders) == ["orders.csv"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_of_a_named_pipe(tmp_path: Path, served: ServedSandbox) -> None:
    pipe = tmp_path / "orders.csv"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", str(pipe), ROWS]
    ):
        done = command(pipe)
    assert done.returncode == 0
    assert done.stdout.count(b",created,") == 2
    assert beside(pipe) == ["orders.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_standard_output_that_cannot_be_written(orders: Path, served: ServedSandbox) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, str(orders), "--results", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    assert done.returncode == 2
    assert b"cannot write to standard output: No space left on device: give --results FILE" in done.stderr
    assert b"Traceback" not in done.stderr
    assert served.count() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_goes_away_loses_no_result(tmp_path: Path, served: ServedSandbox) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("amount,currency,order_reference\n" + "".join(f"1,KZT,R-{n}\n" for n in range(2000)))
    process = subprocess.Popen(
        [*COMMAND, str(path), "--results", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        read = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()
        error = process.stderr.read().decode()
        assert process.wait(timeout=60) == 1
    assert read[0].decode() == HEADER
    assert "stopped: cannot write standard output: Broken pipe" in error
    assert "Traceback" not in error


@on_posix
def test_a_terminal_is_sent_no_control_characters(tmp_path: Path, served: ServedSandbox) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ROWS.replace("KZT,B", 'KZT,"B\rforged\x1b[2J"'))
    terminal = Terminal(["bulk-create", str(path), "--results", "-", "--yes"])
    shown = terminal.read()
    assert terminal.close() == 1
    assert "2,A,created,pl_" in shown
    assert r"3,B\rforged\x1b[2J,invalid,,,,," in shown
    # Lines alone, one after the other: there is no bar between them.
    assert "\x1b" not in shown
    assert "\r" not in shown.replace("\r\r\n", "\n").replace("\r\n", "\n")
    assert "━━━━" not in shown


# -------------------------------------------------------------------------------------- the same file again


def test_a_run_again_finds_the_links(orders: Path, served: ServedSandbox) -> None:
    assert main(["bulk-create", str(orders)]) == 0
    urls = [row["url"] for row in table(orders.with_name("orders.results.csv"))]
    orders.with_name("orders.results.csv").unlink()
    orders.write_text(ROWS + "3,KZT,C\n")
    assert main(["bulk-create", str(orders)]) == 0
    rows = table(orders.with_name("orders.results.csv"))
    assert [row["outcome"] for row in rows] == ["recovered", "recovered", "created"]
    assert [row["url"] for row in rows[:2]] == urls
    assert served.references() == ["A", "B", "C"]
    assert served.count(LOOK_UP) == 2


@pytest.mark.parametrize("changed", ["9,KZT,A", "1,USD,A"])
def test_another_amount_or_currency_is_a_conflict(
    changed: str, orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bulk-create", str(orders)]) == 0
    orders.write_text(ROWS.replace("1,KZT,A", changed))
    assert main(["bulk-create", str(orders)]) == 1
    first, second = table(orders.with_name("orders.results.csv"))
    assert (first["outcome"], first["error"], first["url"]) == ("failed", "OrderReferenceConflictError", "")
    assert "already belongs to pl_" in first["error_message"]
    assert second["outcome"] == "recovered"
    assert "order A: " in capsys.readouterr().err
    assert served.references() == ["A", "B"]


def test_a_conflict_can_be_corrected_under_a_journal(
    orders: Path, served: ServedSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with_journal = ["--journal", str(orders.with_suffix(".journal"))]
    assert main(["bulk-create", str(orders)]) == 0
    urls = [row["url"] for row in table(orders.with_name("orders.results.csv"))]
    orders.write_text(ROWS.replace("1,KZT,A", "9,KZT,A"))
    assert main(["bulk-create", str(orders), *with_journal]) == 1
    assert outcomes(orders.with_name("orders.results.csv")) == ["failed", "recovered"]
    orders.write_text(ROWS)
    assert main(["reconcile", str(orders), *with_journal]) == 0
    assert main(["bulk-create", str(orders), *with_journal]) == 0
    rows = table(orders.with_name("orders.results.csv"))
    assert [row["outcome"] for row in rows] == ["recovered", "journal"]
    assert [row["url"] for row in rows] == urls
    assert main(["reconcile", str(orders), *with_journal]) == 0
    assert served.references() == ["A", "B"]
    # A and B of the first run, and of the second; none of the last one.
    assert served.count() == 4


def test_repeats_that_are_meant_have_the_found_link(orders: Path, served: ServedSandbox) -> None:
    orders.write_text(ROWS + "1,KZT,A\n")
    for outcome in ("created", "recovered"):
        assert main(["bulk-create", str(orders), "--allow-repeats"]) == 0
        rows = table(orders.with_name("orders.results.csv"))
        assert [row["outcome"] for row in rows] == [outcome, outcome, "repeated"]
        assert rows[0]["url"] == rows[2]["url"]
    # One look-up for each reference, not for each row.
    assert served.count(LOOK_UP) == 2


def test_repeats_that_are_not_meant_have_none(orders: Path, served: ServedSandbox) -> None:
    orders.write_text(ROWS + "1,KZT,A\n")
    for _ in range(2):
        assert main(["bulk-create", str(orders)]) == 1
    rows = table(orders.with_name("orders.results.csv"))
    assert [row["outcome"] for row in rows] == ["recovered", "recovered", "invalid"]
    assert rows[2]["url"] == ""


def test_rows_without_a_reference_get_a_second_link(orders: Path, served: ServedSandbox) -> None:
    orders.write_text(ROWS + "3,KZT,\n")
    for _ in range(2):
        assert main(["bulk-create", str(orders), "--no-references"]) == 0
    assert outcomes(orders.with_name("orders.results.csv")) == ["recovered", "recovered", "created"]
    links = served.ask("GET", "/payment-links?page=1&size=10")["data"]
    assert sorted(str(link["orderReference"]) for link in links) == ["A", "B", "None", "None"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("more", [(), ("--no-references",)], ids=str)
def test_a_stopped_run_says_what_another_does(
    more: tuple[str, ...], orders: Path, served: ServedSandbox
) -> None:
    orders.write_text("amount,currency,order_reference\n" + "".join(f"1,KZT,R-{n}\n" for n in range(3000)))
    process = subprocess.Popen(
        [*COMMAND, str(orders), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        deadline = time.monotonic() + 60
        while served.count() < 20:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.terminate()
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    results = orders.with_name("orders.results.csv")
    assert f"plexypay: results: {results}" in error
    if more:
        assert "rows without an order_reference would get a second link" in error
    else:
        assert "a run of the same file again looks up each order reference that the server refuses" in error
    urls = {row["order_reference"]: row["url"] for row in table(results) if row["outcome"] == "created"}
    assert main(["bulk-create", str(orders), *more]) == 0
    again = {row["order_reference"]: row for row in table(results)}
    assert {again[reference]["url"] for reference in urls} == set(urls.values())
    assert {again[reference]["outcome"] for reference in urls} == {"recovered"}
    references = served.references()
    assert len(references) == len(set(references)) == 3000
