"""The order of a results file, and which results a run without a link leaves in place."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plexypay_async.cli import line_order, main
from plexypay_async.cli.results import ResultsFile, RowOutcome, RowResult

if TYPE_CHECKING:
    from .conftest import ServedSandbox

TEXTS = ("plain", 'two\nlines, and a "quote"', "Ғ = ; ,", "a\udcd0")
OF_BEFORE = "line,order_reference,outcome,link_id,url,error,error_code,error_message\r\n"


def result(line: int) -> RowResult:
    return RowResult(
        line=line, outcome=RowOutcome.CREATED, link_id=f"pl_{line}", description=TEXTS[line % len(TEXTS)]
    )


def shuffled(count: int) -> list[int]:
    lines = list(range(2, count + 2))
    random.Random(count).shuffle(lines)
    return lines


def lines_of(path: Path) -> list[int]:
    if path.suffix == ".jsonl":
        return [json.loads(line)["line"] for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return [int(row["line"]) for row in csv.DictReader(file)]


# ------------------------------------------------------------------------------------------------ the order


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("count", [2, 3000])
def test_a_file_ends_up_in_the_order_of_the_input(tmp_path: Path, ending: str, count: int) -> None:
    path, expected = tmp_path / f"links.{ending}", tmp_path / f"expected.{ending}"
    with closing(ResultsFile(str(path), mark="abcd")) as results:
        for line in shuffled(count):
            results.write(result(line))
        assert results.partial is not None
        shutil.copy(results.partial, tmp_path / f"copy.{ending}")
        assert lines_of(tmp_path / f"copy.{ending}") == shuffled(count)
    with closing(ResultsFile(str(expected))) as results:
        for line in range(2, count + 2):
            results.write(result(line))
    assert path.read_bytes() == expected.read_bytes()
    assert sorted(os.listdir(tmp_path)) == [f"copy.{ending}", expected.name, path.name]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_digest_is_that_of_the_file_in_order(tmp_path: Path) -> None:
    digests = set[str]()
    for number, lines in enumerate(([2, 3, 4], [4, 2, 3])):
        results = ResultsFile(str(tmp_path / f"{number}.csv"))
        for line in lines:
            results.write(result(line))
        digests.add(results.finish())
        results.publish()
    assert len(digests) == 1


@pytest.mark.parametrize("where", ["noting", "copying", "replacing", "a file in the way"])
def test_what_cannot_be_put_in_order_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise {"noting": sqlite3.OperationalError("full"), "copying": OSError(28, "No space left")}[where]

    def not_replaced(source: str, target: str) -> None:
        if source.endswith(".ordered.part"):
            raise OSError(5, "Input/output error")
        os.rename(source, target)

    if where == "noting":
        monkeypatch.setattr(line_order, "temporary_database", fails)
    elif where == "copying":
        monkeypatch.setattr(line_order.LineOrder, "_write", fails)
    elif where == "replacing":
        monkeypatch.setattr(os, "replace", not_replaced)
    else:
        (tmp_path / "links.csv.ordered.part").write_text("mine")
    results = ResultsFile(str(tmp_path / "links.csv"))
    for line in shuffled(2500):
        results.write(result(line))
    results.close()
    assert results.unordered
    assert lines_of(tmp_path / "links.csv") == shuffled(2500)
    left = ["links.csv", *["links.csv.ordered.part"] * (where == "a file in the way")]
    assert sorted(os.listdir(tmp_path)) == left


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("where", ["os.fsync", "os.replace"])
def test_a_kill_as_it_is_put_in_order_loses_nothing(tmp_path: Path, where: str) -> None:
    path = tmp_path / "links.csv"
    program = f"""
import os, signal
from plexypay_async.cli.results import ResultsFile, RowOutcome, RowResult

results = ResultsFile({str(path)!r})
for line in (4, 2, 3):
    results.write(RowResult(line=line, outcome=RowOutcome.CREATED))
whole, {where} = {where}, lambda *given: (
    os.kill(os.getpid(), signal.SIGKILL) if os.path.exists(results._ordered) else whole(*given)
)
results.close()
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert lines_of(path.with_name("links.csv.part").rename(tmp_path / "left.csv")) == [4, 2, 3]
    assert not path.exists()
    # With what was left moved away, as the next run asks for, that one is put in order.
    with closing(ResultsFile(str(path))) as results:
        for line in (3, 2):
            results.write(result(line))
    assert lines_of(path) == [2, 3]
    assert sorted(os.listdir(tmp_path)) == ["left.csv", "links.csv"]


def test_what_a_run_has_left_that_was_killed_as_it_ordered_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "links.csv.ordered.part").write_text(OF_BEFORE[:30])
    with closing(ResultsFile(str(tmp_path / "links.csv"))) as results:
        for line in (3, 2):
            results.write(result(line))
    assert lines_of(tmp_path / "links.csv") == [2, 3]
    assert os.listdir(tmp_path) == ["links.csv"]


def test_it_orders_in_constant_memory(tmp_path: Path) -> None:
    def peak_of(count: int) -> int:
        tracemalloc.start()
        try:
            with closing(ResultsFile(str(tmp_path / f"{count}.csv"))) as results:
                for line in range(count, 0, -1):
                    results.write(result(line))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(2000)
    assert peak_of(30_000) < peak_of(3000) + 100_000
    assert lines_of(tmp_path / "30000.csv")[-1] == 30_000


def test_a_run_tells_rows_in_order_with_what_to_mail(tmp_path: Path, served: ServedSandbox) -> None:
    orders = tmp_path / "orders.csv"
    rows = [f"{100 * number},KZT,R-{number},=for {number}" for number in range(1, 61)]
    rows[40] = "x,KZT,R-41,"
    orders.write_text("\n".join(("amount,currency,order_reference,description", *rows)) + "\n")
    served.misbehave("code=1,rate=0.2")
    assert main(["bulk-create", str(orders)]) == 1
    served.behave()
    with (tmp_path / "orders.results.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [int(row["line"]) for row in found] == list(range(2, 62))
    assert [(row["amount_major"], row["currency"], row["description"]) for row in found[39:42]] == [
        ("40.00", "KZT", "'=for 40"),
        ("", "", ""),
        ("42.00", "KZT", "'=for 42"),
    ]
