"""The results of a run that are removed, or replaced by another file, while it is at work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.results import Results, ResultsFile, RowResult
from tests.cli.test_cli_journal import outcomes, table

if TYPE_CHECKING:
    from .conftest import ServedSandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")

Change = Callable[[Path], None]
ANOTHERS = "another program's\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    tmp_path.joinpath("orders.csv").write_text("amount,currency,order_reference\n1,KZT,A\n2,KZT,B\n3,KZT,C\n")
    return folder


@pytest.fixture
def amid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], None]:
    """Does something to the file of results when the first row is written."""
    write = Results.write

    def set_up(change: Change) -> None:
        written: list[RowResult] = []

        def writing(self: Results, result: RowResult) -> None:
            write(self, result)
            written.append(result)
            if len(written) == 1:
                assert self.partial is not None
                change(Path(self.partial))

        monkeypatch.setattr(Results, "write", writing)

    return set_up


def remove(partial: Path) -> None:
    partial.unlink()


def replace(partial: Path) -> None:
    partial.unlink()
    partial.write_text(ANOTHERS)


def remove_folder(partial: Path) -> None:
    shutil.rmtree(partial.parent)


def run(folder: Path, *options: str) -> int:
    orders = str(folder.with_name("orders.csv"))
    return main(["bulk-create", orders, "--results", str(folder / "links.csv"), *options])


@pytest.mark.parametrize("with_journal", [False, True])
def test_what_was_removed_is_written_anew(
    folder: Path, served: ServedSandbox, amid: Callable[[Change], None], with_journal: bool
) -> None:
    options = ["--journal", str(folder.with_name("orders.journal"))] if with_journal else []
    amid(remove)
    assert run(folder, *options) == 0
    assert outcomes(folder / "links.csv") == ["created"] * 3
    assert all(row["url"] for row in table(folder / "links.csv"))
    assert os.listdir(folder) == ["links.csv"]
    if with_journal:
        # They are known as its own.
        assert run(folder, *options) == 0
        assert outcomes(folder / "links.csv") == ["journal"] * 3


@pytest.mark.parametrize("change", [replace, remove_folder])
@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ([], "a run of the same file again looks up each order reference"),
        (
            ["--journal", "j"],
            "run the same command again: its results have the links, and none is made twice",
        ),
        (["--no-references"], "do not run the same file again as it is"),
    ],
)
def test_results_are_named_at_no_place_where_they_are_not(
    folder: Path,
    served: ServedSandbox,
    amid: Callable[[Change], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Change,
    options: list[str],
    advice: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    amid(change)
    assert run(folder, *options) == 1
    told = capsys.readouterr().err
    assert f"cannot write {folder / 'links.csv'}: {folder / 'links.csv'}." in told
    assert ".part was removed or replaced while the job ran\n" in told
    assert "the results are in" not in told
    assert f"plexypay: {advice}" in told
    if change is replace:
        (others,) = folder.iterdir()
        assert others.read_text() == ANOTHERS
        others.unlink()
    folder.mkdir(exist_ok=True)
    monkeypatch.undo()
    monkeypatch.chdir(folder.parent)
    if "--no-references" not in options:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        assert run(folder, *options) == 0
        assert outcomes(folder / "links.csv") == ["journal" if "--journal" in options else "recovered"] * 3
    assert served.references() == ["A", "B", "C"]


def test_results_that_nothing_is_in_are_not_discarded_in_anothers_place(tmp_path: Path) -> None:
    results = ResultsFile(str(tmp_path / "links.csv"))
    assert results.partial is not None
    replace(Path(results.partial))
    assert results.partial is None
    results.discard()
    assert (tmp_path / "links.csv.part").read_text() == ANOTHERS
