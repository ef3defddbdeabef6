"""Rows of CSV and JSON Lines: what is read, what is refused, and in whose words."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from plexypay_async.cli import main
from plexypay_async.cli.exits import UnusableInputError
from plexypay_async.cli.references import check_references
from plexypay_async.cli.rows import BadRow, Row, open_rows
from plexypay_async.cli.source import LONGEST_LINE, Lines, Source
from plexypay_async.pay.payment_links import CreatePaymentLink


def read(content: str | bytes, name: str = "orders.csv", *, major: bool = False) -> list[Row | BadRow]:
    data = content.encode() if isinstance(content, str) else content
    return list(open_rows(Lines(io.BytesIO(data)), name, major=major))


def request(content: str | bytes, name: str = "orders.csv") -> CreatePaymentLink:
    (row,) = read(content, name)
    assert isinstance(row, Row), row
    return row.request


def refusal(content: str | bytes, name: str = "orders.csv") -> BadRow:
    (row,) = read(content, name)
    assert isinstance(row, BadRow), row
    return row


def unusable(content: str | bytes, name: str = "orders.csv") -> str:
    with pytest.raises(UnusableInputError) as caught:
        read(content, name)
    return str(caught.value)


def cell(column: str, value: str) -> BadRow | Row:
    """Read one row that has a good amount and currency and this cell."""
    cells = {"amount": "100", "currency": "KZT", column: f'"{value}"'}
    (row,) = read(",".join(cells) + "\n" + ",".join(cells.values()) + "\n")
    return row


FULL = {
    "amount": "2200000",
    "currency": "KZT",
    "description": "Тур «Чарын», 2 взрослых",
    "order_reference": "ORD-1",
    "expires_at": "2099-12-31T23:59:59Z",
    "customer_id": "5e9f8f8f-9d9e-4e9d-9e9f-8f8f8f9d9e9f",
    "auto_clearing": "false",
    "success_url": "https://shop.example.com/success",
    "failure_url": "https://shop.example.com/failure",
    "cancel_url": "https://shop.example.com/cancel",
    "callback_url": "https://shop.example.com/callback",
    "metadata.branch": "Алматы",
}


def full_request() -> CreatePaymentLink:
    return CreatePaymentLink(
        amount=2_200_000,
        currency="KZT",
        description="Тур «Чарын», 2 взрослых",
        order_reference="ORD-1",
        expires_at=datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC),
        customer_id="5e9f8f8f-9d9e-4e9d-9e9f-8f8f8f9d9e9f",
        auto_clearing=False,
        success_url="https://shop.example.com/success",
        failure_url="https://shop.example.com/failure",
        cancel_url="https://shop.example.com/cancel",
        callback_url="https://shop.example.com/callback",
        metadata={"branch": "Алматы"},
    )


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_reads_every_column(delimiter: str, ending: str, mark: bytes) -> None:
    values = [f'"{value}"' for value in FULL.values()]
    content = delimiter.join(FULL) + ending + delimiter.join(values) + ending
    assert request(mark + content.encode()) == full_request()


def test_json_lines_read_every_column() -> None:
    values: dict[str, Any] = {**FULL, "amount": 2_200_000, "auto_clearing": False}
    del values["metadata.branch"]
    values["metadata"] = {"branch": "Алматы"}
    for ascii_only in (True, False):
        assert request(json.dumps(values, ensure_ascii=ascii_only), "orders.jsonl") == full_request()


def test_header_names_ignore_case_and_space_but_custom_keys_keep_theirs() -> None:
    found = request("\ufeff Amount ; CURRENCY;Metadata.managerName\n100;kzt;Айгерім\n")
    assert (found.amount, found.currency) == (100, "KZT")
    assert found.metadata == {"managerName": "Айгерім"}


def test_the_delimiter_is_judged_outside_quotes() -> None:
    content = 'amount;currency;"metadata.a,b,c,d"\n100;KZT;"x,y"\n'
    assert request(content).metadata == {"a,b,c,d": "x,y"}


def test_empty_cells_are_not_given() -> None:
    found = request("amount,currency,description,expires_at,metadata.a\n100,KZT, ,,\n")
    assert found == CreatePaymentLink(amount=100, currency="KZT")


def test_line_numbers_are_physical_lines() -> None:
    rows = read(
        '\namount,currency,description\n1,KZT,"two\nlines"\n\n,,\nx,KZT,\n2,KZT,"three\r\n\r\nlines"\ny,KZT,'
    )
    assert [(row.line, type(row)) for row in rows] == [(3, Row), (7, BadRow), (8, Row), (11, BadRow)]
    assert cast(Row, rows[0]).request.description == "two\nlines"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("22 000.00", "'22 000.00' is not a whole number of minor units: name the column amount_major"),
        ("1e3", "write digits only (22 000 KZT is 2200000)"),
        ("2200000.0", "write digits only"),
        ("22,000", "write digits only"),
        ("-5", "write digits only"),
        ("+5", "write digits only"),
        ("٣", "write digits only"),
        ("0", "greater than 0"),
        ("000", "greater than 0"),
        ("9223372036854775808", "larger than any amount"),
        ("9" * 5000, "write digits only"),
        ("", "is empty: every row needs one"),
    ],
)
def test_bad_amounts(text: str, part: str) -> None:
    row = refusal(f'currency,amount\nKZT,"{text}"\n')
    assert (row.line, row.column) == (2, "amount")
    assert part in row.reason


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2099-12-31", "has no time of day"),
        ("2099-12-31T10:00:00", "has no offset from UTC"),
        ("31.12.2099", "is not a time in full"),
        ("2099-02-30T00:00:00Z", "is not a time in full"),
        ("9999-12-31T23:59:59-05:00", "outside the years 1 to 9999"),
    ],
)
def test_bad_expiry_times(text: str, part: str) -> None:
    row = cell("expires_at", text)
    assert isinstance(row, BadRow)
    assert row.column == "expires_at"
    assert part in row.reason
    assert f"write 2099-12-31T{'10:00:00' if 'T10' in text else '23:59:59'}+05:00, that is date" in row.reason


@pytest.mark.parametrize("text", ["2099-12-31T10:00:00+05:00", "2099-12-31 10:00:00+05:00"])
def test_expiry_times_keep_their_offset(text: str) -> None:
    row = cell("expires_at", text)
    assert isinstance(row, Row)
    assert row.request.expires_at == datetime(2099, 12, 31, 10, tzinfo=timezone(timedelta(hours=5)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("FALSE", False), ("1", True), ("0", False), ("Yes", True), ("no", False)],
)
def test_auto_clearing(text: str, expected: bool) -> None:
    row = cell("auto_clearing", text)
    assert isinstance(row, Row)
    assert row.request.auto_clearing is expected


@pytest.mark.parametrize(
    ("content", "column", "part"),
    [
        ("amount,currency\n5,tenge\n", "currency", "write three letters, such as KZT"),
        ("amount,currency,auto_clearing\n5,KZT,да\n", "auto_clearing", "write true or false"),
        ("amount,currency\n5,KZT,x\n", None, "has 3 cells for 2 columns"),
        ("amount,currency,description\n5,KZT\n", None, "description is the first that is missing"),
        ('amount,currency,description\n5,KZT,"a"b\n', None, "write a quote inside a cell twice"),
        ('amount,currency,description\n5,KZT,"a\n', None, "opened and not closed"),
    ],
)
def test_bad_rows_say_what_to_write(content: str, column: str | None, part: str) -> None:
    row = refusal(content)
    assert (row.line, row.column) == (2, column)
    assert part in row.reason


def test_a_stray_quote_costs_its_own_row_only() -> None:
    good = "5,KZT,good\n" * 20_000
    rows = read(f'amount,currency,description\n5,KZT,"never closed\n{good}')
    assert [row.line for row in rows if isinstance(row, BadRow)] == [2]
    assert sum(isinstance(row, Row) for row in rows) == 20_000


def test_bytes_that_are_not_utf_8_cost_their_own_row_only() -> None:
    content = b"amount,currency,description\n5,KZT,ok\n" + "6,KZT,Тур\n".encode("cp1251") + b"7,KZT,\n"
    first, bad, last = read(content)
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.column) == (3, "description")
    assert "save the file as UTF-8" in bad.reason


def test_a_line_without_end_is_one_bad_row() -> None:
    endless = "6,KZT," + "x" * (3 * LONGEST_LINE) + "\n"
    _, bad, last = read("amount,currency,description\n5,KZT,\n" + endless + "7,KZT,\n")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (3, "the line is longer than 1 MiB")
    assert isinstance(last, Row)
    assert last.line == 4


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["is empty", "must name the columns"]),
        ("\n \n", ["is empty"]),
        ("amount,currency,oder_reference\n", ["line 1", "'oder_reference'", "did you mean order_reference?"]),
        ("amount,currency,orderReference\n", ["did you mean order_reference?"]),
        ("amount,currency,zzzz\n", ["'zzzz'", "a file of invoices needs order_reference, amount_major"]),
        (
            "Invoice no,Сумма,Foo,currency,Bar\n",
            [
                "line 1: unknown column 'Invoice no': did you mean order_reference?; unknown column 'Сумма':"
                " did you mean amount_major?; unknown column 'Foo', 'Bar': a file of invoices needs"
                " order_reference, amount_major, currency, description; further columns: amount, expires_at, "
            ],
        ),
        (
            ",".join(f"zzz{number}" for number in range(500)),
            ["'zzz8', 'zzz9' and 490 more: a file of invoices needs"],
        ),
        ("\namount,currency,metadata.\n", ["line 2", "'metadata.'"]),
        ("amount,description\n", ["no column currency"]),
        ("description\n", ["no column amount", "no column currency"]),
        ("2200000,KZT\n", ["unknown column '2200000'"]),
        ("amount,currency,Amount\n", ["column amount is given twice"]),
        ("amount,currency,metadata.a,metadata.a\n", ["column metadata.a is given twice"]),
        ("amount,currency,success_url,metadata.successUrl\n", ["twice"]),
        ("amount,currency,metadata.successUrl,success_url\n", ["are the same"]),
        ("amount,,currency\n", ["column 2 has no name"]),
        ("amount\tcurrency\n", ["not tabs"]),
        ("amount|currency\n", ["commas or semicolons, not |"]),
        ("sep=:\namount:currency\n", ["line 1", "sep=", "names no separator"]),
        ("sep=,\norder_reference;amount;currency\n", ['separated by ";"', 'names ",":', "or remove it"]),
        (
            "sep=;\norder_reference,amount,currency\n",
            ['line 2: the header is separated by ","', "sep= above"],
        ),
        ('sep=,\n\n"amount";"currency"\n', ['line 3: the header is separated by ";"']),
        ("\ufeffsep=,\namount;currency,,\n", ['line 2: the header is separated by ";"']),
        ("sep=,\nmetadata.x;amount;currency\n", ['line 2: the header is separated by ";"']),
        ("sep=|\namount\tcurrency\n", ['by a tab, and the line sep= above it names "|"', "in that line"]),
        ("sep=\t\namount|currency\n", ['by "|", and the line sep= above it names a tab']),
        ("sep=,\namount\n", ["line 2: no column currency"]),
        ('sep=,\n"a;b",amount,currency\n', ["line 2: unknown column 'a;b'"]),
        ('{\n"amount": 1\n}\n', ["line 1", "write each object on one line"]),
        (b"PK\x03\x04 and more", ["Excel workbook", "save the sheet as CSV UTF-8"]),
        (b"\xd0\xcf\x11\xe0 and more", ["old Excel workbook"]),
        (b"\x1f\x8b and more", ["compressed (gzip)", "gunzip"]),
        (b"%PDF-1.7", ["is a PDF"]),
        ("amount,currency\n".encode("utf-16-le"), ["UTF-16 text without a mark", "save it as UTF-8"]),
        ("amount,currency\n".encode("utf-16-be"), ["UTF-16 text without a mark", "save it as UTF-8"]),
        ('[{"amount": 1}]\n', ["one object per line"]),
        ('amount,"currency\n', ["header cannot be read"]),
        ("amount,currency\n".encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        ("amount,currency,описание\n".encode("cp1251"), ["column 3", "UTF-8"]),
    ],
)
def test_unusable_headers(content: str | bytes, parts: list[str]) -> None:
    message = unusable(content)
    for part in parts:
        assert part in message


def test_json_lines_are_known_by_their_first_byte() -> None:
    assert request('\ufeff\n  {"amount": 5, "currency": "KZT"}\n', "stdin").amount == 5


def test_json_lines_may_be_empty() -> None:
    assert read("", "orders.jsonl") == []
    assert read("\n\n", "orders.NDJSON") == []


def test_json_lines_accept_digits_as_text_and_null_as_not_given() -> None:
    found = request(
        '{"amount": "5", "Currency": "usd", "description": null, "metadata": null, "metadata.n": 3}',
        "a.jsonl",
    )
    assert found == CreatePaymentLink(amount=5, currency="USD", metadata={"n": 3})


@pytest.mark.parametrize(
    ("line", "column", "part"),
    [
        ('{"amount": 5.0, "currency": "KZT"}', "amount", "write digits only"),
        ('{"amount": true, "currency": "KZT"}', "amount", "write digits only"),
        ('{"amount": null, "currency": "KZT"}', "amount", "every row needs one"),
        ('{"currency": "KZT"}', "amount", "every row needs one"),
        ('{"amount": 5, "currency": 398}', "currency", "three letters"),
        ('{"amount": 5, "currency": "KZT", "order_reference": 7}', "order_reference", "write it in quotes"),
        ('{"amount": 5, "currency": "KZT", "auto_clearing": 1}', "auto_clearing", "write true or false"),
        ('{"amount": 5, "currency": "KZT", "expires_at": 1}', "expires_at", "is not a time"),
        ('{"amount": 5, "currency": "KZT", "metadata": [1]}', "metadata", "is not a JSON object"),
        ('{"amount": 5, "currency": "KZT", "orderReference": "a"}', None, "did you mean order_reference?"),
        ('{"amount": 5, "amount": 6, "currency": "KZT"}', None, "'amount' is given twice"),
        ('{"amount": 5, "Amount": 6, "currency": "KZT"}', "amount", "is given twice"),
        ('{"amount": 5, "currency": "KZT", "metadata.a": 1, "metadata": {"a": 2}}', "metadata.a", "twice"),
        (
            '{"amount": 5, "currency": "KZT", "success_url": "http://u", "metadata": {"successUrl": "http://v"}}',
            None,
            "give it once",
        ),
        ('{"amount": NaN, "currency": "KZT"}', None, "NaN is not JSON"),
        ('{"amount": 5, "currency": "KZT", "description": "\\ud800"}', None, "half of a surrogate pair"),
        ('{"amount": ' + "9" * 5000 + ', "currency": "KZT"}', None, "a number is too long"),
        ('{"amount": 5, "currency": "KZT", "metadata": ' + "[" * 200_000, None, "nested too deep"),
        ('{"amount": 5, "currency": "KZT"', None, "is not JSON"),
        ("[5]", None, "is not a JSON object"),
    ],
)
def test_bad_json_rows(line: str, column: str | None, part: str) -> None:
    first, bad, last = read(
        f'{{"amount": 1, "currency": "KZT"}}\n{line}\n{{"amount": 2, "currency": "KZT"}}', "o.jsonl"
    )
    assert isinstance(first, Row)
    assert isinstance(last, Row)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.column) == (2, column)
    assert part in bad.reason
    assert len(bad.reason) < 200


def test_json_bytes_that_are_not_utf_8() -> None:
    row = refusal('{"amount": 5, "currency": "KZT", "description": "Тур"}'.encode("cp1251"), "o.jsonl")
    assert "save the file as UTF-8" in row.reason


def test_a_bad_row_keeps_its_order_reference() -> None:
    assert refusal("amount,currency,order_reference\n0,KZT, ORD-7 \n").order_reference == "ORD-7"
    row = refusal('{"amount": 0, "currency": "KZT", "order_reference": "ORD-7"}', "o.jsonl")
    assert row.order_reference == "ORD-7"


def test_strict_names_the_first_line_of_a_repeated_reference() -> None:
    content = "amount,currency,order_reference\n1,KZT,A\n1,KZT,\n1,KZT,B\n1,KZT,\n1,KZT,A\n"
    opened = open_rows(Lines(io.BytesIO(content.encode())), "orders.csv")
    rows = list(check_references(opened, required=None, keep_repeats=False))
    (bad,) = (row for row in rows if isinstance(row, BadRow))
    assert (bad.line, bad.column, bad.order_reference) == (6, "order_reference", "A")
    assert "line 2" in bad.reason


class _Generated(io.RawIOBase):
    """A CSV file of `count` rows that exists nowhere."""

    def __init__(self, count: int) -> None:
        self._lines: Iterator[bytes] = self._generate(count)
        self._rest = b""

    def _generate(self, count: int) -> Iterator[bytes]:
        yield b"amount,currency,description,order_reference,metadata.branch\n"
        for number in range(count):
            yield f'{number + 1},KZT,"Заказ, № {number}",ORD-{number},Алматы\n'.encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._rest or next(self._lines, b"")
        taken = data[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = data[len(taken) :]
        return len(taken)


def test_rows_are_read_in_constant_memory() -> None:
    def peak_of(count: int) -> int:
        rows = open_rows(Lines(io.BufferedReader(_Generated(count))), "generated.csv")
        tracemalloc.start()
        try:
            assert sum(isinstance(row, Row) for row in rows) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(10)
    assert peak_of(20_000) < peak_of(500) + 100_000


def test_a_pipe_is_spooled_to_be_read_twice(tmp_path: Any) -> None:
    import os

    fifo = tmp_path / "orders"
    read_end, write_end = os.pipe()
    os.write(write_end, b"amount,currency\n5,KZT\n")
    os.close(write_end)
    fifo.symlink_to(f"/dev/fd/{read_end}")
    with Source(str(fifo)) as source:
        assert not source.repeatable
        source.spool()
        assert source.repeatable
        assert source.size == 22
        for _ in range(2):
            (row,) = open_rows(source.lines(), source.name)
            assert isinstance(row, Row)
    os.close(read_end)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b'[{"amount": 1, "currency": "KZT"}]\n', "one object per line"),
        (b"amount,currency\r1,KZT\r", "carriage return alone"),
    ],
    ids=["JSON array", "old Mac"],
)
def test_files_of_another_format_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, hint: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    assert main(["bulk-create", str(path), "--sandbox"]) == 2
    error = capsys.readouterr().err
    assert "line 1: the header cannot be read" in error
    assert hint in error


# ----------------------------------------------------------------------------------- as spreadsheets write it


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("name", "delimiter"), [("sep=;", ";"), ("SEP=,", ","), ("sep=|", "|"), ("sep=\t", "\t")]
)
def test_a_first_line_may_name_the_separator(mark: str, name: str, delimiter: str) -> None:
    found = request(f"{mark}{name}\r\namount{delimiter}currency\r\n100{delimiter}KZT\r\n")
    assert (found.amount, found.currency) == (100, "KZT")


def test_columns_that_were_emptied_are_dropped() -> None:
    rows = read("amount,currency,,\n100,KZT,,\n200,KZT,, \n300,KZT\n400,KZT,,more\n500,KZT,,,\n")
    assert [row.request.amount for row in rows if isinstance(row, Row)] == [100, 200, 300]
    more, wider = [row for row in rows if isinstance(row, BadRow)]
    assert (more.line, more.reason[:36]) == (5, "has 4 cells for 2 columns, 'more' is")
    assert (wider.line, wider.reason[:53]) == (6, "has 5 cells for 4 columns, and nothing stands in the ")


@pytest.mark.parametrize(
    "content",
    [
        "order_reference,currency,amount,description\nINV-0,KZT,29461,50,\n",
        "order_reference,currency,amount,description\nINV-0,KZT,1 000,00,\n",
        "currency,amount,order_reference,description\nKZT,90230,50,INV-0,\n",
        "order_reference,currency,amount,description\nINV-0,KZT,29461,50\n",
        'order_reference,currency,amount,description\nINV-1,KZT,67 922,50",\n',
    ],
)
@pytest.mark.parametrize("major", [False, True])
def test_decimals_behind_a_separator_are_no_cell_of_their_own(content: str, major: bool) -> None:
    (bad,) = read(content, major=major)
    assert isinstance(bad, BadRow)
    assert "double quotes" in bad.reason


def test_a_space_before_a_quoted_cell_is_named() -> None:
    bad = refusal('amount,currency,description\n100,KZT, "for two, please"\n')
    assert bad.reason == "a space stands before a double quote: remove it, so that the cell is quoted"


def test_a_cell_that_is_too_long_is_named() -> None:
    bad = refusal(f"amount,currency,description\n100,KZT,{'x' * 131_073}\n")
    assert bad.reason.startswith("a cell has more than 131,072 characters")


RETURN_URLS = [
    *("success_url", "failure_url", "cancel_url", "callback_url"),
    *("metadata.successUrl", "metadata.failureUrl", "metadata.cancelUrl", "metadata.callbackUrl"),
]


@pytest.mark.parametrize("column", RETURN_URLS)
@pytest.mark.parametrize(
    "value", ["shop.example", "ftp://shop.example/x", "https://", "/paid", "http://[", "n/a"]
)
def test_a_return_address_is_that_of_a_page(column: str, value: str) -> None:
    bad = cell(column, value)
    assert isinstance(bad, BadRow)
    assert bad.column == column
    assert "is no address of a page: write one such as https://" in bad.reason
    good = cell(column, "HTTPS://shop.example/paid?order=1")
    assert isinstance(good, Row)


# ------------------------------------------------------------------------------------------ the input's end


def test_a_last_line_without_a_line_feed_is_marked() -> None:
    rows = read("amount,currency\n100,KZT\n22,KZT")
    assert [row.ends_open for row in rows if isinstance(row, Row)] == [False, True]
    assert not any(
        row.ends_open for row in read("amount,currency\n100,KZT\n22,KZT\n") if isinstance(row, Row)
    )
    (row,) = read('{"amount": 5, "currency": "KZT"}', "orders.jsonl")
    assert isinstance(row, Row)
    assert not row.ends_open


def test_lines_that_are_read_again_are_not_the_last() -> None:
    # The quote that is opened swallows all lines to the end, which are read again.
    rows = read('amount,currency,description\n1,KZT,"a\n2,KZT,b\n3,KZT,c')
    assert [(row.line, row.ends_open) for row in rows if isinstance(row, Row)] == [(3, False), (4, True)]


@pytest.mark.parametrize(
    "word", ["TOTAL", "Total:", "Итого", "ИТОГО:", "Всего", "Жиыны", "барлығы", "Grand Total"]
)
def test_the_sum_below_a_table_is_no_order(word: str) -> None:
    for row in (f"300,KZT,,{word}", f"300,,,{word}", f"300,KZT,{word},"):
        bad = refusal(f"amount,currency,order_reference,description\n{row}\n")
        assert "this is the sum of a table, and no order: remove the row" in bad.reason
        assert bad.column in ("description", "order_reference")
    fine = request(f"amount,currency,order_reference,description\n300,KZT,ORD-1,{word}\n")
    assert fine.description == word
