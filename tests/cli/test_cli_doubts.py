"""What is doubtful about a file: amounts in two units, references without zeros, expiries in the past."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async.cli.doubts import Doubts
from plexypay_async.cli.references import check_references
from plexypay_async.cli.rows import open_rows
from plexypay_async.cli.source import Lines
from tests.cli.ran import Ran

if TYPE_CHECKING:
    from .conftest import ServedSandbox

HEADER = "order_reference,amount,currency\n"
MIXED = (
    "the amount '22 000,50' in line 3 looks like major units, and 22000 in line 2 is read as minor"
    " units (220.00 KZT): name the column amount_major, or give --amounts major, if all are major units"
)
ZEROS = "in zeros at the front alone, and each gets a link of its own: remove one of the rows"


def warnings_of(content: str, name: str = "orders.csv", *, major: bool = False) -> dict[int, tuple[str, ...]]:
    rows = open_rows(Lines(io.BytesIO(content.encode())), name, major=major)
    checked = Doubts().noted(check_references(rows, required=None))
    return {row.line: row.warnings for row in checked if row.warnings}


def written(tmp_path: Path, content: str, name: str = "orders.csv") -> str:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    return str(path)


# -------------------------------------------------------------------------------------- amounts in two units


@pytest.mark.parametrize("more", [("--check",), (), ("--journal", "a.journal"), ("--allow-repeats",)])
def test_amounts_that_look_like_two_units_are_told_once(
    more: tuple[str, ...], tmp_path: Path, served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, f'{HEADER}A-1,22000,KZT\nA-2,"22 000,50",KZT\nA-3,"1 500,25",KZT\nA-4,7,KZT\n')
    assert run("bulk-create", path, *more) == 1
    assert MIXED in run.err
    assert run.err.count("looks like major units") == 1
    assert served.references() == ([] if more == ("--check",) else ["A-1", "A-4"])


def test_they_are_told_before_the_first_row_is_sent(tmp_path: Path, served: ServedSandbox, run: Ran) -> None:
    # In a file whose rows are counted before, and where the row that shows it comes last.
    rows = "".join(f"A-{number},22000,KZT\n" for number in range(300))
    path = written(tmp_path, f'{HEADER}{rows}B-1,"22 000,50",KZT\n')
    served.ask("POST", "/faults", "operation=payment_links.create,status=401")
    assert run("bulk-create", path) == 1
    assert "warning: line 302: the amount '22 000,50' in line 302 looks like major units" in run.err
    assert served.references() == []


def test_amounts_in_one_unit_are_not_told_of() -> None:
    minor = f"{HEADER}A-1,22000,KZT\nA-2,x,KZT\nA-3,-5,KZT\n"
    major = f'{HEADER}A-1,22000,KZT\nA-2,"22 000,50",KZT\n'
    assert warnings_of(minor) == {}
    assert warnings_of(major, major=True) == {}
    assert warnings_of(major.replace("amount", "amount_major")) == {}
    assert list(warnings_of(major)) == [3]
    # In JSON Lines each row names its own column.
    both = '{"amount_major": "22 000,50", "currency": "KZT"}\n{"amount": 22000, "currency": "KZT"}\n'
    assert warnings_of(both, "orders.jsonl") == {}


@pytest.mark.parametrize(
    ("content", "more", "told"),
    [
        (f"{HEADER}A-1,22000,KZT\n", (), ["minor units", "22000 in line 2 is 220.00 KZT"]),
        (
            f'{HEADER}A-1,"22 000,50",KZT\n',
            ("--amounts", "major"),
            ["major units", "22 000,50 in line 2 is 22,000.50 KZT"],
        ),
        (
            f"{HEADER}A-1,x,KZT\nA-2,500,JPY\nA-3,1,KZT\n".replace("amount", "amount_major"),
            (),
            ["major units", "500 in line 3 is 500 JPY"],
        ),
        (f"{HEADER}A-1,x,KZT\n", (), ["minor units"]),
        (f"{HEADER}A-1,x,KZT\n", ("--amounts", "major"), ["major units"]),
    ],
)
def test_how_amounts_are_read_is_told_with_an_example(
    content: str, more: tuple[str, ...], told: list[str], tmp_path: Path, run: Ran
) -> None:
    run("bulk-create", written(tmp_path, content), "--check", *more)
    lines = [" ".join(line.split()) for line in run.out.splitlines()]
    assert lines[: len(told) + 1] == [
        f"amounts are read as {told[0]}",
        *told[1:],
        "rows " + lines[len(told)][5:],
    ]


def test_rows_of_both_units_have_an_example_each(tmp_path: Path, run: Ran) -> None:
    rows = (
        '{"order_reference": "A-1", "amount_major": "22 000,50", "currency": "KZT"}\n'
        '{"order_reference": "A-2", "amount": 22000, "currency": "KZT"}\n'
    )
    assert run("bulk-create", written(tmp_path, rows, "orders.jsonl"), "--check") == 0
    assert re.sub(" +", " ", run.out).startswith(
        "amounts are read as minor units\n 22000 in line 2 is 220.00 KZT\n"
        " and as major units\n 22 000,50 in line 1 is 22,000.50 KZT\nrows 2\n"
    )


# ------------------------------------------------------------------------------- zeros at a reference's front


def test_references_that_differ_in_zeros_alone_are_told_of(
    tmp_path: Path, served: ServedSandbox, run: Ran
) -> None:
    path = written(tmp_path, f"{HEADER}000123,5,KZT\nA-1,5,KZT\n123,5,KZT\n0,5,KZT\n00,x,KZT\n")
    assert run("bulk-create", path, "--check") == 1
    assert f"{path}:4: warning: the order reference '123' differs from that in line 2 {ZEROS}" in run.err
    # A bad row will be corrected, and sent.
    assert f"{path}:6: warning: the order reference '00' differs from that in line 5 {ZEROS}" in run.err
    assert run("bulk-create", path) == 1
    assert (
        f"plexypay: warning: line 4: the order reference '123' differs from that in line 2 {ZEROS}" in run.err
    )
    assert served.references() == ["0", "000123", "123", "A-1"]


def test_a_warning_alone_is_no_failure(tmp_path: Path, served: ServedSandbox, run: Ran) -> None:
    path = written(tmp_path, f"{HEADER}000123,5,KZT\n123,5,KZT\n")
    assert run("bulk-create", path, "--check") == 0
    assert run("bulk-create", path) == 0
    assert served.references() == ["000123", "123"]


def test_references_that_a_spreadsheet_leaves_alone_are_not_told_of() -> None:
    assert warnings_of(f"{HEADER}A-01,5,KZT\nA-1,5,KZT\n1-01,5,KZT\n1-1,5,KZT\n10,5,KZT\n1,5,KZT\n") == {}
    # Letters of other scripts that are digits are no numbers to it.
    assert warnings_of(f"{HEADER}٠١,5,KZT\n١,5,KZT\n") == {}
    # The same row twice is told as a repeat.
    assert warnings_of(f"{HEADER}01,5,KZT\n01,5,KZT\n") == {}


def test_of_very_many_pairs_some_are_told() -> None:
    rows = "".join(f"{number},5,KZT\n0{number},5,KZT\n" for number in range(1, 40))
    told = warnings_of(HEADER + rows)
    assert len(told) == 10
    assert [each.endswith("further ones of this kind are not told") for (each,) in told.values()] == [
        *[False] * 9,
        True,
    ]


JOURNAL = ("--journal", "a.journal")


def test_a_row_whose_order_has_a_link_under_its_zeros_is_refused(
    tmp_path: Path, served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = written(tmp_path, f"{HEADER}000123,5,KZT\n124,5,KZT\nA-01,5,KZT\n")
    assert run("bulk-create", first, *JOURNAL) == 0
    again = written(tmp_path, f"{HEADER}123,5,KZT\n0124,5,KZT\nA-1,5,KZT\n125,5,KZT\n")
    assert run("bulk-create", again, *JOURNAL) == 1
    assert (
        f"{again}:2: column order_reference: the journal knows '000123', which differs in zeros at the front"
        " alone: a spreadsheet may have dropped them, and this order would get a second link. Write 000123 if"
        " it is that order"
    ) in run.err
    assert f"{again}:3: column order_reference: the journal knows '124'" in run.err
    assert served.references() == ["000123", "124", "125", "A-01", "A-1"]


def test_a_row_that_the_journal_knows_itself_is_not_refused(
    tmp_path: Path, served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, f"{HEADER}000123,5,KZT\n123,5,KZT\n")
    assert run("bulk-create", path, *JOURNAL) == 0
    # It goes on with both, and with either alone.
    assert run("bulk-create", path, *JOURNAL) == 0
    assert run("bulk-create", written(tmp_path, f"{HEADER}123,5,KZT\n"), *JOURNAL) == 0
    assert "000123" not in run.err
    # A third spelling beside one of them is seen by whoever reads the file.
    assert run("bulk-create", written(tmp_path, f"{HEADER}123,5,KZT\n00123,5,KZT\n"), *JOURNAL) == 0
    assert f"line 3: the order reference '00123' differs from that in line 2 {ZEROS}" in run.err
    assert served.references() == ["000123", "00123", "123"]


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        # The row with the spelling that has the link is not sent.
        ("000123,x,KZT\n123,5,KZT\n", {3}),
        ("00123,x,KZT\n123,5,KZT\n", {3}),
        # Nor is the one that is refused itself.
        ("123,5,KZT\n00123,5,KZT\n", {2, 3}),
        ("123,5,KZT\n123,5,KZT\n00123,5,KZT\n", {2, 3, 4}),
    ],
)
def test_another_spelling_that_is_not_sent_is_no_reason_for_a_second_link(
    rows: str,
    refused: set[int],
    tmp_path: Path,
    served: ServedSandbox,
    run: Ran,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("bulk-create", written(tmp_path, f"{HEADER}000123,5,KZT\n"), *JOURNAL) == 0
    assert run("bulk-create", written(tmp_path, HEADER + rows), *JOURNAL) == 1
    told = re.findall(r":(\d+): column order_reference: the journal knows '000123'", run.err)
    assert {int(line) for line in told} == refused
    assert served.references() == ["000123"]


@pytest.mark.parametrize(("more", "code"), [("--check", 1), ("--strict", 2)])
def test_it_is_told_where_all_rows_are_read_before(
    more: str, code: int, tmp_path: Path, served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("bulk-create", written(tmp_path, f"{HEADER}000123,5,KZT\n"), *JOURNAL) == 0
    path = written(tmp_path, f"{HEADER}124,5,KZT\n123,5,KZT\n")
    before = Path("a.journal").read_bytes()
    assert run("bulk-create", path, *JOURNAL, more) == code
    assert f"{path}:3: column order_reference: the journal knows '000123'" in run.err
    assert served.references() == ["000123"]
    assert Path("a.journal").read_bytes() == before
    # Without the journal nobody knows.
    assert run("bulk-create", path, "--check") == 0


NO_ROW_KNOWN = "warning: the journal a.journal knows none of these rows: is it the right one?"


@pytest.mark.parametrize("more", ["--check", "--strict"])
def test_a_journal_that_knows_no_row_is_told_of(
    more: str, tmp_path: Path, served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, f"{HEADER}A-1,5,KZT\n")
    # There is none yet, and then one that knows the row, though it has another amount.
    assert run("bulk-create", path, *JOURNAL, more) == 0
    assert NO_ROW_KNOWN not in run.err
    assert run("bulk-create", path, *JOURNAL) == 0
    run("bulk-create", written(tmp_path, f"{HEADER}A-1,6,KZT\nA-2,6,KZT\n"), *JOURNAL, more)
    assert NO_ROW_KNOWN not in run.err
    assert run("bulk-create", written(tmp_path, f"{HEADER}B-1,5,KZT\n"), *JOURNAL, more) == 0
    assert run.err.count(NO_ROW_KNOWN) == 1


def test_a_check_tells_that_it_could_not_read_the_journal(
    tmp_path: Path, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.journal").write_text("no journal")
    assert run("bulk-create", written(tmp_path, f"{HEADER}A-1,5,KZT\n"), *JOURNAL, "--check") == 0
    assert "plexypay: warning: journal a.journal: " in run.err
    assert "; the rows were not compared with it\n" in run.err


def test_a_spelling_under_which_nothing_was_made_is_no_reason(
    tmp_path: Path, served: ServedSandbox, run: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    served.misbehave("operation=payment_links.create,status=422")
    assert run("bulk-create", written(tmp_path, f"{HEADER}000123,5,KZT\n"), *JOURNAL) == 1
    served.behave()
    assert run("bulk-create", written(tmp_path, f"{HEADER}123,5,KZT\n"), *JOURNAL) == 0
    assert served.references() == ["123"]


# -------------------------------------------------------------------------------------- expiries in the past


def test_links_that_expire_in_the_past_are_told_of(tmp_path: Path, run: Ran) -> None:
    path = written(
        tmp_path,
        "order_reference,amount,currency,expires_at\nA-1,5,KZT,2099-01-01T00:00:00Z\n"
        "A-2,5,KZT,2021-01-01T00:00:00Z\nA-3,5,KZT,2020-01-01T00:00:00Z\n",
    )
    assert run("bulk-create", path, "--check") == 0
    told = re.sub(" +", " ", run.out)
    assert (
        "first expiry 2020-01-01 00:00:00 UTC\n past by this machine's clock 2, the first in line 3\n" in told
    )
    assert run.err.count("is in the past by this machine's clock") == 1
    assert f"{path}:3: warning: expires_at is in the past by this machine's clock" in run.err
