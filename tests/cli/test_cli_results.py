"""The results file: its formats, and what it keeps of texts that come from others."""

from __future__ import annotations

import csv
import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.report import Problems
from plexypay_async.cli.results import ResultsFile, RowOutcome, RowResult
from plexypay_async.cli.terminal import printable

COLUMNS = [
    *("line", "order_reference", "outcome", "link_id", "url", "error", "error_code", "error_message"),
    *("amount_major", "currency", "description"),
]

CREATED = RowResult(
    line=2, order_reference="ЗАКАЗ-1", outcome=RowOutcome.CREATED, link_id="pl_1", url="https://x.example.com"
)
FAILED = RowResult(
    line=3,
    outcome=RowOutcome.FAILED,
    error="UnprocessableError",
    error_code=5,
    error_message='two\nlines, and a "quote"',
)


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with closing(ResultsFile(str(path))) as results:
        results.write(CREATED)
        results.write(FAILED)
    with path.open(encoding="utf-8", newline="") as file:
        header, created, failed = csv.reader(file)
    assert header == COLUMNS
    assert created == ["2", "ЗАКАЗ-1", "created", "pl_1", "https://x.example.com", *[""] * 6]
    assert failed == [
        "3",
        "",
        "failed",
        "",
        "",
        "UnprocessableError",
        "5",
        'two\nlines, and a "quote"',
        "",
        "",
        "",
    ]


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "results.JSONL"
    with closing(ResultsFile(str(path))) as results:
        results.write(CREATED)
        results.write(FAILED)
    created, failed = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert list(created) == COLUMNS
    assert created["order_reference"] == "ЗАКАЗ-1"
    assert created["error_code"] is None
    assert failed["error_code"] == 5
    assert failed["error_message"] == 'two\nlines, and a "quote"'


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_every_line_is_there_before_the_file_is_closed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"results.{ending}"
    with closing(ResultsFile(str(path))) as results:
        results.write(CREATED)
        assert results.partial is not None
        assert "pl_1" in Path(results.partial).read_text("utf-8")
        assert not path.exists()
    assert "pl_1" in path.read_text("utf-8")
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("text", ["=1+1", "+7701", "-5", "@cmd", "\tx", "\rx"])
def test_a_spreadsheet_calculates_nothing(tmp_path: Path, text: str) -> None:
    result = RowResult(line=2, order_reference=text, outcome=RowOutcome.FAILED, error_message=text)
    tables = {}
    for ending in ("csv", "jsonl"):
        path = tmp_path / f"results.{ending}"
        with closing(ResultsFile(str(path))) as results:
            results.write(result)
        tables[ending] = path
    with tables["csv"].open(encoding="utf-8", newline="") as file:
        _, cells = csv.reader(file)
    assert (cells[1], cells[7]) == ("'" + text, "'" + text)
    exact = json.loads(tables["jsonl"].read_text("utf-8"))
    assert (exact["order_reference"], exact["error_message"]) == (text, text)


def test_text_that_is_no_unicode_is_written_as_an_escape(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with closing(ResultsFile(str(path))) as results:
        results.write(RowResult(line=2, order_reference="a\udcd0", outcome=RowOutcome.INVALID))
    assert json.loads(path.read_text("utf-8"))["order_reference"] == "a\udcd0"


def test_an_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("mine")
    with pytest.raises(UnusableInputError, match="exists"):
        ResultsFile(str(path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["results.txt", "results", "results.csv.gz"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnusableInputError, match=r"must end in \.csv or \.jsonl"):
        ResultsFile(str(tmp_path / name))
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableInputError, match=r"there is no folder .*nowhere"):
        ResultsFile(str(tmp_path / "nowhere" / "results.csv"))


def test_problems_are_told_up_to_a_limit_and_counted_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    problems = Problems("orders.csv", limit=2)
    for line in range(2, 7):
        problems.add(line, "bad\x1b[2J", told.append)
    problems.tell_hidden(": see results.csv")
    assert told == ["orders.csv:2: bad\\x1b[2J", "orders.csv:3: bad\\x1b[2J"]
    assert capsys.readouterr().err == "and 3 more: see results.csv\n"


def test_terminals_are_sent_no_control_characters() -> None:
    assert printable("Тур «Чарын»") == "Тур «Чарын»"
    assert printable("a\x1b]0;title\x07\nb\u202e") == r"a\x1b]0;title\x07\nb\u202e"
