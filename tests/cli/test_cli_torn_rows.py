"""Rows of CSV that were torn: swallowed by a quote that is not closed, or cut at the file's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from plexypay_async.cli.rows import BadRow, Row, open_rows
from plexypay_async.cli.source import Source

HEADER = "order_reference,amount,currency,description\n"


def rows_of(content: str, folder: Path) -> list[Row | BadRow]:
    path = folder / "orders.csv"
    path.write_text(content, encoding="utf-8")
    with Source(str(path)) as source:
        return list(open_rows(source.lines(), source.name))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        # Of two rows whose quotes are not closed, the second is within the first.
        (f'{HEADER}A,1,KZT,"\nB,2,KZT,O\'Brien\nC,3,KZT,"\n', 3),
        (f'{HEADER}A,1,KZT,"\nB,2,KZT,"\n', 3),
        # The end of the first row and the beginning of the second: B would get the first's amount.
        ('amount,currency,description,order_reference\n1,KZT,"Tour,A\n2,KZT,Room",B\n', 3),
        # The first row's own end stands in its cell, and the rest of the second follows.
        ('description,order_reference,amount,currency\n"Tour,A,1,KZT\nRoom",B,2,KZT\n', 3),
        ('amount_major;currency;description;order_reference\n1,50;KZT;"Tour;A\n2,50;KZT;Room";B\n', 3),
        # The header is wider than its columns.
        ('order_reference;description;amount;currency;\nA;"Tour;1;KZT;\nB;Room";2;KZT;\n', 3),
        ('order_reference,amount,currency,description,,\nA,1,KZT,"Tour,,\nB,2,KZT,Room",,\n', 3),
        # The cell is between the amount and the currency, so that neither line of it has both.
        ('order_reference,amount,description,currency\nA,1,"Tour,KZT\nB,2,Room",KZT\n', 3),
        ('currency;description;amount;order_reference\nKZT;"Tour;1;A\nKZT;Room";2;B\n', 3),
        # Whatever form the amount has, and with a row of several lines.
        ('order_reference;description;amount_major;currency\nA;"Tour;1 KZT;KZT\nB;Room";2 \u20b8;KZT\n', 3),
        ('order_reference,description,amount,currency\nA,"Tour,1\u202f,KZT\nB,Room",2\u202f,KZT\n', 3),
        ('order_reference,amount,description,currency\nA,1,"Tour\nor so,KZT\nB,2,Room",KZT\n', 4),
    ],
)
def test_a_row_within_a_cell_is_told(content: str, line: int, tmp_path: Path) -> None:
    (row,) = rows_of(content, tmp_path)
    assert isinstance(row, BadRow)
    assert row.line == 2
    assert f"what is quoted from line {line} on looks like a row of its own" in row.reason


@pytest.mark.parametrize(
    "cell",
    [
        "Tour\nwith lunch",
        "Tour, 2 adults,\n100 KZT, each\n",
        "a,b,c,d\ne,f,g,h",
        "2026-07-01,\n5,KZT",
        "\n\n",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        'order_reference,amount,currency,description\nA,1,KZT,"{}"\n',
        'description,order_reference,amount,currency\n"{}",A,1,KZT\n',
    ],
)
def test_text_of_several_lines_is_taken(cell: str, form: str, tmp_path: Path) -> None:
    (taken,) = rows_of(form.format(cell), tmp_path)
    assert isinstance(taken, Row)
    assert taken.request.description == (cell.strip() or None)


@pytest.mark.parametrize(
    ("columns", "row", "may_be_part"),
    [
        ("order_reference,currency,amount", "A,KZT,22", True),
        ("currency,amount,order_reference", "KZT,22,A", True),
        ("order_reference,amount,currency,customer_id", "A,22,KZT,C", True),
        ("order_reference,amount,currency,expires_at", "A,22,KZT,2099-12-31T23:59+05", True),
        ("order_reference,amount,currency", "A,22,KZT", False),
        ("order_reference,amount,currency,description", "A,22,KZT,Tour", False),
        ("order_reference,currency,amount", 'A,KZT,"22"', False),
        ("order_reference,currency,amount,", "A,KZT,22,", False),
    ],
)
def test_a_last_cell_that_may_be_a_part_is_known(
    columns: str, row: str, may_be_part: bool, tmp_path: Path
) -> None:
    first, last = rows_of(f"{columns}\n{row.replace('A', 'B')}\n{row}", tmp_path)
    assert isinstance(first, Row)
    assert (first.ends_open, first.may_be_part) == (False, False)
    assert isinstance(last, Row)
    assert (last.ends_open, last.may_be_part) == (True, may_be_part)
