"""Files as people's tools write them: which links they make, which rows are refused, with which exit code.

Each file of `tests/files` goes through every door: the command, with and without a journal, `reconcile`, and
`create_partition`. No two rows may share a link in silence, and no order may get two.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from plexypay_async.bulk import create_partition
from plexypay_async.cli import main
from tests.cli.conftest import KEY

if TYPE_CHECKING:
    from .conftest import ServedSandbox

FILES = Path(__file__).parents[1] / "files"
SHORTENED = "is a number that a spreadsheet has shortened, and no reference: format the column as text"
ERROR = "is a spreadsheet's error and no reference: correct the formula, format the column as text and export"
NOTHING = "is what programs write for an empty cell"


@attrs.frozen(kw_only=True)
class Expected:
    """What comes of a file."""

    links: list[str]
    """The order references of the links that are made."""
    bad: dict[int, str] = attrs.Factory(dict[int, str])
    """The lines of bad rows, with a part of what is said of each."""
    repeats: dict[int, int] = attrs.Factory(dict[int, int])
    """The lines of rows that repeat another, with that one's line."""

    @property
    def code(self) -> int:
        return 1 if self.bad or self.repeats else 0


EXPECTED = {
    "excel_en_shortened.csv": Expected(
        links=["INV-6"], bad={2: SHORTENED, 3: SHORTENED, 4: SHORTENED, 5: f"'#N/A' {ERROR}", 6: ERROR}
    ),
    "excel_ru_shortened.csv": Expected(
        links=["СЧ-3"], bad={2: f"'1,23457E+12' {SHORTENED}", 3: SHORTENED, 4: f"'9E+15' {SHORTENED}"}
    ),
    "excel_ru_errors.csv": Expected(links=["СЧ-1"], bad=dict.fromkeys(range(2, 9), ERROR)),
    "excel_en_errors.csv": Expected(
        links=["INV-1"], bad={**dict.fromkeys(range(2, 10), ERROR), 10: "in a column that is too narrow"}
    ),
    "libreoffice_errors.csv": Expected(links=["INV-1"], bad={2: ERROR, 3: ERROR}),
    "pandas_missing.csv": Expected(
        links=["INV-1"], bad={**dict.fromkeys(range(2, 7), NOTHING), 7: f"'1.23457e+12' {SHORTENED}"}
    ),
    "nine_spellings.csv": Expected(
        links=["INV-1"],
        bad={
            3: "column order_reference: has U+200B ZERO WIDTH SPACE at character 4; remove it",
            4: "has U+FEFF ZERO WIDTH NO-BREAK SPACE at character 1; remove it",
            5: "has U+00AD SOFT HYPHEN at character 4; remove it",
            6: "has U+200E LEFT-TO-RIGHT MARK at character 1; remove it",
            7: "has U+0000 NULL at character 6; remove it",
            8: "has U+000A LINE FEED at character 4; remove it",
        },
        repeats={10: 2, 11: 2, 12: 2},
    ),
    "excel_marks.csv": Expected(links=["00017", "00018", "00019"]),
    "results_marks.csv": Expected(links=["-INV-1", "=2+3", "@shop"]),
    "repeated_rows.csv": Expected(links=["A", "B"], repeats={4: 2, 5: 2}),
    "lost_last_digits.csv": Expected(links=["1234567890123450000", "1234567890123460000"], repeats={3: 2}),
    "summary_row.csv": Expected(links=["INV-1", "INV-2"], bad={4: "column order_reference: is empty"}),
    "macos_letters.csv": Expected(links=["Заказ-йод", "Ұлттық-й"], repeats={3: 2}),
    "spaces_at_ends.csv": Expected(links=["INV-1", "INV-2", "INV-3"]),
    "accounting_no_break_space.csv": Expected(
        links=["Счёт № 16"], bad={2: "has U+00A0 NO-BREAK SPACE at character 7; write a common space"}
    ),
    "like_numbers.csv": Expected(links=["#17", "0017", "12E-34", "1E5", "5e9f", "NA"]),
}
WITHOUT_REFERENCES = ["no_references.csv", "no_references.jsonl"]
each_file = pytest.mark.parametrize("name", EXPECTED)
a_repeating_file = pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name].repeats])


def results_of(path: Path) -> dict[int, dict[str, Any]]:
    return {row["line"]: row for row in map(json.loads, path.read_text().splitlines())}


def copied(name: str, folder: Path) -> Path:
    """Copy a file to where its results may stand beside it."""
    return Path(shutil.copy(FILES / name, folder))


def told_of(path: Path, error: str, line: int) -> str:
    return next(each for each in error.splitlines() if each.startswith(f"{path}:{line}: "))


def test_every_file_is_expected() -> None:
    assert sorted([*EXPECTED, *WITHOUT_REFERENCES]) == sorted(path.name for path in FILES.glob("[!.]*"))


@each_file
@pytest.mark.parametrize("journal", [False, True])
def test_the_command(
    name: str, journal: bool, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, path, results = EXPECTED[name], FILES / name, tmp_path / "results.jsonl"
    arguments = ["bulk-create", str(path), "--results", str(results)]
    if journal:
        arguments += ["--journal", str(tmp_path / "a.journal")]
    assert main(arguments) == expected.code
    error = capsys.readouterr().err
    assert served.references() == expected.links
    assert served.count() == len(expected.links)
    rows = results_of(results)
    for line, part in expected.bad.items():
        assert part in told_of(path, error, line)
        assert rows[line]["outcome"] == "invalid"
    for line, first in expected.repeats.items():
        assert f"in line {first}" in told_of(path, error, line)
        assert rows[line]["outcome"] == ("repeated" if journal else "invalid")
        if journal:
            assert rows[line]["link_id"] == rows[first]["link_id"]
    count = len(expected.repeats)
    assert ("--allow-repeats" in error) == (count > 0)
    assert (
        count < 2
        or f"plexypay: {count} rows repeat an earlier row, its order reference and its data" in error
    )
    created = [row["order_reference"] for row in rows.values() if row["outcome"] == "created"]
    assert sorted(created) == expected.links


@each_file
def test_strict(name: str, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected, path = EXPECTED[name], copied(name, tmp_path)
    assert main(["bulk-create", str(path), "--strict"]) == (2 if expected.code else 0)
    error = capsys.readouterr().err
    assert served.count() == (0 if expected.code else len(expected.links))
    for line in (*expected.bad, *expected.repeats):
        assert told_of(path, error, line)


@a_repeating_file
@pytest.mark.parametrize("more", [(), ("--strict",), ("--journal",)], ids=str)
def test_repeats_that_are_meant(
    name: str,
    more: tuple[str, ...],
    served: ServedSandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # What else is wrong with the file is not looked at here.
    expected, path, results = EXPECTED[name], tmp_path / name, tmp_path / "results.jsonl"
    lines = (FILES / name).read_text(encoding="utf-8", errors="replace").split("\n")
    kept = [lines[0], *(lines[n - 1] for n in (2, *expected.repeats))]
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    if more == ("--journal",):
        more = ("--journal", str(tmp_path / "a.journal"))
    arguments = ["bulk-create", str(path), "--allow-repeats", "--results", str(results), *more]
    assert main(arguments) == 0
    assert served.count() == 1
    assert "repeat" not in capsys.readouterr().err
    rows = results_of(results)
    assert [rows[line]["outcome"] for line in sorted(rows)] == [
        "created",
        *("repeated" for _ in expected.repeats),
    ]
    assert len({row["url"] for row in rows.values()}) == 1


def test_repeats_of_a_row_that_failed(served: ServedSandbox, tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    served.misbehave("status=422,code=5,times=1,operation=payment_links.create")
    arguments = ["bulk-create", str(FILES / "repeated_rows.csv"), "--allow-repeats", "--concurrency", "1"]
    assert main([*arguments, "--results", str(results)]) == 1
    served.behave()
    rows = results_of(results)
    assert [rows[line]["outcome"] for line in sorted(rows)] == ["failed", "created", "failed", "failed"]
    assert {rows[line]["error"] for line in (2, 4, 5)} == {"UnprocessableError"}


@each_file
def test_reconcile(
    name: str, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, path, journal = EXPECTED[name], copied(name, tmp_path), str(tmp_path / "a.journal")
    main(["bulk-create", str(path), "--journal", journal])
    capsys.readouterr()
    assert main(["reconcile", str(path), "--journal", journal, "--json"]) == expected.code
    *findings, summary = map(json.loads, capsys.readouterr().out.splitlines())
    found = {(finding["kind"], finding["line"]) for finding in findings}
    assert found == {("invalid", line) for line in expected.bad} | {
        ("repeated", line) for line in expected.repeats
    }
    assert summary["rows"] == len(expected.links) + len(found)
    assert summary["repeated_rows"] == summary["findings"]["repeated"] == len(expected.repeats)
    allowed = main(["reconcile", str(path), "--journal", journal, "--allow-repeats"])
    assert allowed == (1 if expected.bad else 0)


@each_file
def test_a_partition(name: str, served: ServedSandbox) -> None:
    expected = EXPECTED[name]
    text = (FILES / name).read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in text else ","))
    records = create_partition(rows, {"api_key": KEY, "base_url": served.base_url})
    assert served.references() == expected.links
    counted = [record["outcome"] for record in records]
    assert (counted.count("created"), counted.count("repeated"), counted.count("invalid")) == (
        len(expected.links),
        len(expected.repeats),
        len(expected.bad),
    )
    told = [record["error_message"] for record in records if record["outcome"] == "invalid"]
    for message, part in zip(told, expected.bad.values(), strict=True):
        assert message is not None
        assert part in message


# --------------------------------------------------------------------------------- files without references


@pytest.mark.parametrize("name", WITHOUT_REFERENCES)
@pytest.mark.parametrize("more", [(), ("--strict",)], ids=str)
def test_a_file_without_references_is_refused(
    name: str,
    more: tuple[str, ...],
    served: ServedSandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["bulk-create", str(copied(name, tmp_path)), *more]
    assert main(arguments) == 2
    assert served.count() == 0
    error = capsys.readouterr().err
    assert "line 1: no " in error
    assert "order_reference: without one, running the file again makes a second link of every row" in error
    assert "give --no-references if that is meant" in error
    assert main([*arguments, "--no-references"]) == 0
    assert served.count() == 2


@pytest.mark.parametrize("name", WITHOUT_REFERENCES)
def test_a_journal_needs_references(
    name: str, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["bulk-create", str(copied(name, tmp_path)), "--journal", str(tmp_path / "a.journal")]
    assert main(arguments) == 2
    assert "order_reference: a job with a journal needs one on every row" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--no-references"])
    assert "--no-references and --journal exclude each other" in capsys.readouterr().err
    assert served.count() == 0


def test_an_object_without_a_reference_among_others(
    served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.jsonl"
    rows: list[dict[str, Any]] = [{"amount": 1, "currency": "KZT"} for _ in range(3)]
    rows[0]["order_reference"] = "A"
    rows[2]["order_reference"] = "\u200b"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert main(["bulk-create", str(path)]) == 1
    error = capsys.readouterr().err
    assert f"{path}:2: column order_reference: is empty: without one, running the file again" in error
    assert f"{path}:3: column order_reference: " in error
    assert served.references() == ["A"]


def test_help_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["bulk-create", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "Without an order reference on every row, running the file again makes every link a second time"
        in told
    )
