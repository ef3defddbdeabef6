"""Files as people's tools write them: which links they make, which rows are refused, with which exit code.

Each file of `tests/files` goes through every door: the command, with and without a journal, with
``--strict`` and ``--check``, `reconcile`, `create_many` and `create_partition`. No two rows may share a link
in silence, no order may get two, and no link may have another amount than the file.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async import CreatePaymentLink, PlexyPayError
from plexypay_async.bulk import create_partition
from plexypay_async.cli import main
from plexypay_sync import PlexyPay
from tests.cli.conftest import KEY
from tests.cli.file_outcomes import EXPECTED, FILES, REFUSED, WITHOUT_REFERENCES, Expected

if TYPE_CHECKING:
    from .conftest import ServedSandbox

each_file = pytest.mark.parametrize("name", EXPECTED)
each_refused_file = pytest.mark.parametrize("name", REFUSED)
a_repeating_file = pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name].repeats])


def copied(name: str, folder: Path) -> Path:
    """Return a copy of a file: what a command writes beside its input is written beside that."""
    return Path(shutil.copy(FILES / name, folder / name))


def rows_in_library(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file as a caller of the library reads them."""
    text = (FILES / name).read_bytes().decode("utf-8-sig", "replace")
    if name.endswith(".jsonl"):
        rows: list[dict[str, Any]] = []
        for line in text.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                rows.append(found)
        return rows
    return list(
        csv.DictReader(
            io.StringIO(text, newline=""), delimiter=";" if ";" in text.partition("\n")[0] else ","
        )
    )


def links_of(served: ServedSandbox) -> dict[str, str]:
    """Return what each link is for, by its order reference; no reference has two links."""
    found = served.ask("GET", "/payment-links?page=1&size=100")["data"]
    links = {link["orderReference"]: f"{link['amount']} {link['currency']}" for link in found}
    assert len(links) == len(found), found
    return links


def results_of(path: Path) -> dict[int, dict[str, Any]]:
    return {row["line"]: row for row in map(json.loads, path.read_text().splitlines())}


def told_of(path: Path, error: str, line: int) -> str:
    return next(each for each in error.splitlines() if each.startswith(f"{path}:{line}: "))


def test_every_file_is_expected() -> None:
    assert sorted([*EXPECTED, *REFUSED, *WITHOUT_REFERENCES]) == sorted(
        path.name for path in FILES.glob("[!.]*")
    )


@each_file
@pytest.mark.parametrize("journal", [False, True])
def test_the_command(
    name: str, journal: bool, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, path, results = EXPECTED[name], copied(name, tmp_path), tmp_path / "results.jsonl"
    arguments = ["bulk-create", str(path), "--results", str(results)]
    if journal:
        arguments += ["--journal", str(tmp_path / "a.journal")]
    assert main(arguments) == expected.code
    error = capsys.readouterr().err
    assert links_of(served) == expected.links
    assert served.count() == len(expected.links) + len(expected.failed)
    rows = results_of(results)
    for line, part in expected.bad.items():
        assert line in expected.untold or part in told_of(path, error, line)
        assert rows[line]["outcome"] == "invalid"
        assert part in rows[line]["error_message"]
    for line, part in expected.warned.items():
        assert f"plexypay: warning: line {line}: {part}" in error
    assert error.count("looks like major units") == len(expected.warned)
    for line, part in expected.failed.items():
        assert part in told_of(path, error, line)
        assert rows[line]["outcome"] == "failed"
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
    assert (f"warning: line {expected.ends_open}: the last line does not end: " in error) == (
        expected.ends_open is not None
    )
    created = [row["order_reference"] for row in rows.values() if row["outcome"] == "created"]
    assert sorted(created) == list(expected.links)


@each_file
def test_strict(name: str, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected, path = EXPECTED[name], copied(name, tmp_path)
    refused = expected.code_of_check or expected.ends_open is not None
    assert main(["bulk-create", str(path), "--strict"]) == (2 if refused else 0)
    error = capsys.readouterr().err
    assert links_of(served) == ({} if refused else expected.links)
    assert not refused or served.count() == 0
    for line in {*expected.bad, *expected.repeats}.difference(expected.untold):
        assert told_of(path, error, line)


@each_file
def test_a_look_at_it(
    name: str, served: ServedSandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, path = EXPECTED[name], copied(name, tmp_path)
    assert main(["bulk-create", str(path), "--check"]) == expected.code_of_check
    assert served.count() == 0
    told = capsys.readouterr()
    for line, part in expected.bad.items():
        assert line in expected.untold or part in told_of(path, told.err, line)
    for line, part in expected.warned.items():
        assert f"{path}:{line}: warning: {part}" in told.err
    assert told.err.count("looks like major units") == len(expected.warned)
    past = f"{path}:{expected.past}: warning: expires_at is in the past by this machine's clock: look whether"
    assert (past in told.err) == ("past by this machine's clock" in told.out) == (expected.past is not None)
    for line, first in expected.repeats.items():
        assert f"repeats line {first}" in told_of(path, told.err, line)
    figures = dict(line.rsplit("  ", 1) for line in told.out.splitlines() if "  " in line)
    found = {name.strip(): int(figure) for name, figure in figures.items() if figure.strip().isdecimal()}
    assert found["bad rows"] == len(expected.bad)
    assert found["repeated rows"] == len(expected.repeats)
    rows = len(expected.links) + len(expected.bad) + len(expected.repeats) + len(expected.failed)
    assert found["rows"] == rows


@each_refused_file
@pytest.mark.parametrize("more", [(), ("--strict",), ("--check",), ("--journal", "a.journal")], ids=str)
def test_a_file_that_is_refused(
    name: str,
    more: tuple[str, ...],
    served: ServedSandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["bulk-create", name, *more]) == 2
    error = capsys.readouterr().err
    for part in REFUSED[name].split("*"):
        assert part in error
    assert served.count() == 0
    if "--journal" in more:
        # What ends before it begins leaves no journal, or an empty one.
        assert main(["reconcile", name, *more]) == (0 if Path("a.journal").exists() else 2)


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
    arguments = ["bulk-create", str(copied("repeated_rows.csv", tmp_path)), "--allow-repeats"]
    arguments += ["--concurrency", "1"]
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
    assert found == {
        *(("invalid", line) for line in expected.bad),
        *(("repeated", line) for line in expected.repeats),
        *(("no-link", line) for line in expected.failed),
    }
    assert summary["rows"] == len(expected.links) + len(found)
    assert summary["repeated_rows"] == summary["findings"]["repeated"] == len(expected.repeats)
    allowed = main(["reconcile", str(path), "--journal", journal, "--allow-repeats"])
    assert allowed == (1 if expected.bad or expected.failed or expected.may_be_part else 0)
    assert summary["whole"] == (not expected.may_be_part)


# ------------------------------------------------------------------------------------------- the library


@each_file
def test_a_partition(name: str, served: ServedSandbox) -> None:
    expected = EXPECTED[name]
    records = create_partition(rows_in_library(name), {"api_key": KEY, "base_url": served.base_url})
    links = links_of(served)
    counted = Counter(record["outcome"] for record in records)
    assert counted["created"] == len(links)
    ids = [record["link_id"] for record in records if record["outcome"] == "created"]
    assert len(set(ids)) == len(ids)
    if not expected.same_in_library:
        # What `csv` makes of a torn file is not the file; no link of it is wrong, for all that.
        assert_known(links, expected)
        return
    assert links == expected.links
    assert (counted["repeated"], counted["invalid"], counted["failed"]) == (
        len(expected.repeats),
        len(expected.bad),
        len(expected.failed),
    )
    told = [record["error_message"] for record in records if record["outcome"] == "invalid"]
    for message, part in zip(told, expected.bad.values(), strict=True):
        assert message is not None
        assert part in message


def assert_known(links: dict[str, str], expected: Expected) -> None:
    assert links.items() <= {**expected.links, **expected.more_in_library}.items()


def asked_by_a_caller(row: dict[str, Any]) -> CreatePaymentLink | None:
    """Return what a caller makes of a row, who knows nothing of what spreadsheets do."""
    row = {name.lower(): cell for name, cell in row.items() if name is not None}
    try:
        return CreatePaymentLink(
            amount=int(row["amount"]),
            currency=row["currency"],
            order_reference=row["order_reference"],
            description=row.get("description") or None,
        )
    except (KeyError, TypeError, ValueError, PlexyPayError):
        return None


@pytest.mark.parametrize("name", [*EXPECTED, *REFUSED])
@pytest.mark.parametrize("journal", [False, True])
def test_create_many(name: str, journal: bool, served: ServedSandbox, tmp_path: Path) -> None:
    requests = [link for row in rows_in_library(name) if (link := asked_by_a_caller(row)) is not None]
    with PlexyPay(KEY, base_url=served.base_url) as plexy:
        where = tmp_path / "a.journal" if journal else None
        results = list(plexy.payment_links.create_many(requests, journal=where))
    assert sorted(result.index for result in results) == list(range(len(requests)))
    # Whatever the references are: each link is for one row, or it is said that rows share it.
    own = [result.link_id for result in results if result.link is not None and result.repeats is None]
    assert len(set(own)) == len(own)
    assert len(links_of(served)) == len(own)
    for result in results:
        assert (result.link is None) == (result.error is not None)
        if result.link is not None:
            assert (result.link.amount, result.link.currency) == (
                result.request.amount,
                result.request.currency,
            )
            if result.repeats is not None:
                assert result.link.id == next(r.link_id for r in results if r.index == result.repeats)


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
