"""Results as spreadsheets read them: nothing is calculated, whatever one splits at, and texts stay exact."""

from __future__ import annotations

import html
import itertools
import random
import re
import shutil
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plexypay_async.bulk.spreadsheets import with_marks, without_marks
from plexypay_async.cli import main
from plexypay_async.cli.dialect import Dialect
from plexypay_async.cli.results import ResultsFile, RowOutcome, RowResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import ServedSandbox

DIALECTS = [
    Dialect(delimiter=delimiter, named=named, mark=mark)
    for delimiter, named, mark in itertools.product(",;\t", (False, True), (False, True))
]
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)
URL = "https://pay.example.com/a?b=1&c=2;d,e"
EXACT = ["Заказ-№ 1", "Ұлттық-й", "pl_0e5", 'a "quoted" one', "A,B;C", "-".join("ӘІҢҒҮҰҚӨҺ")]
FORMULAS = [
    *("=1+1", "+1+1", "-1+1", "@SUM(1+1)", "\t=1+1", "\r=1+1", '"=1+1', "'=1+1", "\uff1d1+1"),
    *("A;=1+1", "A,=1+1", "A\t=1+1", "A|=1+1", "A\n=1+1", "A\r=1+1", "A; =1+1;B", "A,,=1+1,B", ";=1+1;"),
    *('A;"=1+1";', 'A,""=1+1,', 'A;"",=1+1', "A;'=1+1;", "A;=1+1,=1+1;", "x;=cmd|'/C calc'!A0;"),
]
CALCULATED = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def written(path: Path, dialect: Dialect, texts: list[str]) -> str:
    with closing(ResultsFile(str(path), dialect=dialect)) as results:
        for line, text in enumerate(texts, 2):
            results.write(
                RowResult(
                    line=line,
                    order_reference=text,
                    outcome=RowOutcome.FAILED,
                    link_id=text,
                    url=URL,
                    error_message=text,
                    description=text,
                )
            )
    return path.read_bytes().decode()


def cells(text: str, separators: str, *, lenient: bool) -> Iterator[str]:
    """Split a file as spreadsheets do: a quote counts at a cell's beginning alone.

    Args:
        text: The file's content.
        separators: What separates cells.
        lenient: Whether a quote ends a cell only in front of a separator or a line's end, as LibreOffice has
            it; else what follows it is part of the cell, as Excel has it.
    """
    ends = separators + "\r\n"
    position = 0
    while position < len(text):
        cell = ""
        if text[position] == '"':
            position += 1
            while position < len(text):
                if text[position] != '"':
                    cell += text[position]
                elif text.startswith('""', position):
                    cell += '"'
                    position += 1
                elif lenient and text[position + 1 : position + 2] not in ("", *ends):
                    cell += '"'
                else:
                    position += 1
                    break
                position += 1
        while position < len(text) and text[position] not in ends:
            cell += text[position]
            position += 1
        position += 1
        yield cell


@pytest.mark.parametrize("lenient", [False, True], ids=["Excel", "LibreOffice"])
@pytest.mark.parametrize("separators", [",", ";", "\t", "|", ",;\t", ",;"], ids=repr)
@each_dialect
def test_no_cell_is_calculated(dialect: Dialect, separators: str, lenient: bool, tmp_path: Path) -> None:
    chosen = random.Random(f"{dialect}{separators}")
    drawn = [
        "".join(chosen.choices("=+-@'\",;\t|\n\r x1\uff1d", k=chosen.randrange(1, 12))) for _ in range(2000)
    ]
    text = written(tmp_path / "results.csv", dialect, FORMULAS + drawn).removeprefix("\ufeff")
    text = text.removeprefix(f"sep={dialect.delimiter}\r\n")
    found = [
        cell for cell in cells(text, separators, lenient=lenient) if cell.lstrip().startswith(CALCULATED)
    ]
    assert not found


@each_dialect
def test_its_own_reader_finds_every_text(dialect: Dialect, tmp_path: Path) -> None:
    text = written(tmp_path / "results.csv", dialect, EXACT).removeprefix("\ufeff")
    text = text.removeprefix(f"sep={dialect.delimiter}\r\n")
    found = list(cells(text.replace("\r\n", "\n"), dialect.delimiter, lenient=False))
    for number, exact in enumerate(EXACT, 1):
        row = found[11 * number : 11 * number + 11]
        assert row == [str(number + 1), exact, "failed", exact, URL, "", "", exact, "", "", exact]


# --------------------------------------------------------------------------------------- read back as input


@pytest.mark.parametrize("text", [*EXACT, *FORMULAS])
def test_marks_are_taken_off_again(text: str) -> None:
    assert without_marks(with_marks(text)) == text.strip()


def test_no_two_texts_are_marked_alike() -> None:
    texts = ["".join(each) for n in range(1, 6) for each in itertools.product("A'=,;", repeat=n)]
    assert len({with_marks(text) for text in texts}) == len(texts)
    assert [text for text in texts if without_marks(with_marks(text)) != text] == []


@pytest.mark.parametrize("text", ["A,'=1", "A;'=1", "A,''=1", "A;B", "A\t'=1", "A'=1"])
def test_a_reference_of_somebody_s_own_is_left_as_it_is(text: str) -> None:
    assert without_marks(text) == text


@pytest.mark.parametrize("text", ["'A,'=1;=2", "'A,B'=1", "'A;''B"])
def test_of_a_text_that_no_results_have_the_first_apostrophe_is_taken_off(text: str) -> None:
    assert without_marks(text) == text[1:]


@pytest.mark.parametrize("part", [";", '"', " ", "; ", "'", ";'", ";=", ";'=", '";', "\n", ' "'])
def test_a_long_cell_takes_no_long_time(part: str) -> None:
    text = "'" + part * (400_000 // len(part)) + "x"
    began = time.process_time()
    with_marks(text)
    without_marks(text)
    # It takes a second at the most; a pattern that looked from each place to the end would take minutes.
    assert time.process_time() - began < 20


def test_references_that_differ_by_an_inner_apostrophe_have_links_of_their_own(
    served: ServedSandbox, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('amount;currency;order_reference\n1;KZT;"A,\'=1"\n2;KZT;"A,=1"\n')
    assert main(["bulk-create", str(path)]) == 0
    assert served.references() == ["A,'=1", "A,=1"]
    # As the results have them, they are the same orders.
    references = [line.split(";")[1] for line in path.with_suffix(".results.csv").read_text().splitlines()]
    assert references[1:] == ["\"'A,''=1\"", "\"'A,'=1\""]
    again = tmp_path / "again.csv"
    again.write_text(f"amount;currency;order_reference\n1;KZT;{references[1]}\n2;KZT;{references[2]}\n")
    assert main(["bulk-create", str(again)]) == 0
    assert served.references() == ["A,'=1", "A,=1"]


# ---------------------------------------------------------------------------------------------- LibreOffice

LIBREOFFICE = shutil.which("soffice")
LANGUAGES = {"en": 1033, "ru": 1049, "kk": 1087}
with_libreoffice = pytest.mark.skipif(
    LIBREOFFICE is None,
    reason="LibreOffice is not on this machine: its rules are those of test_no_cell_is_calculated",
)


def converted(tmp_path: Path, files: list[Path], separators: str, language: str) -> dict[str, str]:
    """Let LibreOffice read CSV files, formulas too; return its documents by the files' names."""
    assert LIBREOFFICE is not None
    codes = "/".join(str(ord(separator)) for separator in separators)
    options = f"CSV:{codes},34,76,1,,{LANGUAGES[language]},false,true"
    profile, out = tmp_path / "profile", tmp_path / "converted"
    subprocess.run(
        [
            *(
                LIBREOFFICE,
                f"-env:UserInstallation={profile.as_uri()}",
                "--headless",
                f"--infilter={options}",
            ),
            *("--convert-to", "fods", "--outdir", str(out), *map(str, files)),
        ],
        capture_output=True,
        timeout=300,
        check=True,
    )
    return {file.name: (out / f"{file.stem}.fods").read_text("utf-8") for file in files}


@with_libreoffice
@pytest.mark.parametrize("separators", [",", ";", "\t", ",;\t"], ids=repr)
@pytest.mark.parametrize("language", LANGUAGES)
def test_libreoffice_calculates_nothing(language: str, separators: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.csv" for number in range(len(DIALECTS))]
    for dialect, file in zip(DIALECTS, files, strict=True):
        written(file, dialect, EXACT + FORMULAS)
    control = tmp_path / "control.csv"
    control.write_text("a\n=1+1\n")
    documents = converted(tmp_path, [*files, control], separators, language)
    assert 'table:formula="of:=1+1"' in documents.pop(control.name)
    for name, document in documents.items():
        assert "table:formula" not in document, (DIALECTS[int(name.removesuffix(".csv"))], separators)
    for dialect, file in zip(DIALECTS, files, strict=True):
        if dialect.delimiter == separators or len(separators) > 1:
            shown = {
                html.unescape(text) for text in re.findall(r"<text:p>(.*?)</text:p>", documents[file.name])
            }
            assert {URL, *EXACT, "failed"} <= {re.sub("<[^>]*>", "", text) for text in shown}, dialect
