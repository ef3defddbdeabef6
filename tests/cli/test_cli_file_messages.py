"""What is said of the files of `tests/files` that are not well: line, column, cause, and what to do.

``pytest -rP`` prints all of it as one table, for who wants to read it as an accountant would.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import attrs
import pytest

from plexypay_async.cli import main
from plexypay_async.cli.terminal import printable
from tests.cli.file_outcomes import EXPECTED, FILES, REFUSED, WITHOUT_REFERENCES

_WHAT_TO_DO = re.compile(
    "(?:[:;] )(?=(?:write|remove|save|export|give|keep|correct|separate|close|end|unpack|format|widen|name it"
    "|name the column"
    "|type|put|shorten|add|look|for JSON, write|did you mean|the first line must name|every row needs)"
    "(?![a-z]))"
)
_OF_WHOLE_ROWS = (
    "has [0-9]+ cells? for [0-9]+ columns, "
    "|a double quote is opened"
    "|this row ends in line "
    "|a space stands before a double quote"
    "|is the header once more"
    "|is not JSON|is not a JSON object|NaN is not JSON|the key '"
    "|unknown column '"
    "|repeats line [0-9]+, "
    "|(warning: )?the last line does not end"
    "|warning: the amount "
    "|warning: expires_at is in the past "
)
"""What no single column is to blame for, or what names one itself."""
_OF_WHOLE_FILES = "the input is |[^ ]+ is empty|there is no row in "
"""What no line is to blame for."""
_OF_HEADERS = (
    "unknown column '|the column [a-z]+ is given twice|[a-z_]+ and [a-z_]+ are the same"
    "|column [0-9]+ has no name|the name of column [0-9]+ does not end|the header cannot be read"
    "|a JSON object stands on several lines"
    "|no (?:column )?order_reference"
)


@attrs.frozen
class Message:
    """One refusal, taken apart."""

    file: str
    line: str
    column: str
    cause: str
    what_to_do: str


def taken_apart(file: str, told: str) -> Message:
    line, column = "-", "-"
    if (found := re.match(r"(?:plexypay: )?(?:line |[^ ]+:)([0-9]+): ", told)) is not None:
        line, told = found[1], told[found.end() :]
    told = told.removeprefix("plexypay: ")
    if (found := re.match(r"column ([a-z_.]+): ", told)) is not None:
        column, told = found[1], told[found.end() :]
    cause, *what_to_do = _WHAT_TO_DO.split(told, maxsplit=1)
    return Message(file, line, column, cause, "".join(what_to_do))


@pytest.fixture
def messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[Message]:
    """Return all that is said of the files, which are read and not sent."""
    monkeypatch.chdir(tmp_path)
    found: list[Message] = []
    for name in sorted([*EXPECTED, *REFUSED, *WITHOUT_REFERENCES]):
        shutil.copy(FILES / name, name)
        main(["bulk-create", name, "--check"])
        told = capsys.readouterr().err.splitlines()
        assert all(line == printable(line) for line in told)
        found += [taken_apart(name, line) for line in told if not line.startswith("and ")]
    return found


def test_each_message_names_line_column_cause_and_what_to_do(messages: list[Message]) -> None:
    for each in messages:
        print("  ".join((f"{each.file:<30}", f"{each.line:>2}", f"{each.column:<15}", each.cause)))
        print(f"{'':<51}  -> {each.what_to_do}")
    for each in messages:
        assert each.cause, each
        assert each.what_to_do, each
        if each.file in REFUSED or each.file in WITHOUT_REFERENCES:
            kinds = _OF_WHOLE_FILES if each.line == "-" else _OF_HEADERS
            assert re.match(kinds, each.cause), each
            assert each.line in ("-", "1"), each
        else:
            assert each.line.isdecimal(), each
            assert each.column != "-" or re.match(_OF_WHOLE_ROWS, each.cause), each


def test_each_line_that_is_wrong_is_named(messages: list[Message]) -> None:
    told = {(each.file, each.line) for each in messages}
    expected = {
        (name, str(line))
        for name, each in EXPECTED.items()
        for line in (
            *(line for line in each.bad if line not in each.untold),
            *each.repeats,
            *each.warned,
            *([] if each.past is None else [each.past]),
            *([] if each.ends_open is None else [each.ends_open]),
        )
    }
    assert {(file, line) for file, line in told if file in EXPECTED} == expected
    assert {file for file, _ in told if file not in EXPECTED} == {*REFUSED, *WITHOUT_REFERENCES}
