"""What comes of each file of `tests/files`: the links that are made, and what is said of the other rows."""

from __future__ import annotations

from pathlib import Path

import attrs

__all__ = ["EXPECTED", "FILES", "REFUSED", "WITHOUT_REFERENCES", "Expected"]

FILES = Path(__file__).parents[1] / "files"
SHORTENED = "is a number that a spreadsheet has shortened, and no reference: format the column as text"
ERROR = "is a spreadsheet's error and no reference: correct the formula, format the column as text and export"
NOTHING = "is what programs write for an empty cell"
SUM = "this is the sum of a table, and no order: remove the row"
AMOUNT = "column amount: "
CURRENCY = "column currency: "
MIXED = "the amount {} looks like major units, and {} is read as minor units (22,000.00 KZT): name"
EMPTY = "is empty: every row needs one"
NO_ADDRESS = "is no address of a page: write one such as https://shop.example/paid"
NOT_UTF_8 = "is not UTF-8 text: save the file as UTF-8 (in a spreadsheet: CSV UTF-8)"
NO_TIME = "is not a time in full: write 2099-12-31T23:59:"
OFFSET = "+05:00, that is date, time, and your time zone's offset from UTC (Kazakhstan is +05:00)"
STRAY_QUOTE = "has a double quote that does not go around the cell: remove it, and a space before it"
NOT_JSON = "is not JSON"
INVOICES = "a file of invoices needs order_reference, amount_major, currency, description; further columns: "
FIRST_LINE = (
    "the first line must name the columns: rename them, such as metadata.NAME to keep one of your own, and"
    " remove lines above them"
)


@attrs.frozen(kw_only=True)
class Expected:
    """What comes of a file whose rows can be read."""

    links: dict[str, str]
    """What each link that is made is for, by its order reference: minor units and currency."""
    bad: dict[int, str] = attrs.Factory(dict[int, str])
    """The lines of bad rows, with a part of what is said of each."""
    repeats: dict[int, int] = attrs.Factory(dict[int, int])
    """The lines of rows that repeat another, with that one's line."""
    untold: list[int] = attrs.Factory(list[int])
    """The lines of bad rows that are not told of: another one has told what is wrong with the whole file."""
    warned: dict[int, str] = attrs.Factory(dict[int, str])
    """The lines of rows that show something doubtful about others, with a part of what is said."""
    past: int | None = None
    """The first line whose link would expire in the past."""
    failed: dict[int, str] = attrs.Factory(dict[int, str])
    """The lines of rows that the server refuses, with a part of what is said of each."""
    ends_open: int | None = None
    """The last line, where it does not end."""
    may_be_part: bool = False
    """Whether that line's last cell may be a part of one that matters."""
    more_in_library: dict[str, str] = attrs.Factory(dict[str, str])
    """What `csv`, lenient unless told to be strict, and `json` make of it besides: rows that are well by
    themselves. Of the rows that an open quote has swallowed the library never hears."""
    same_in_library: bool = True
    """Whether `csv.DictReader` and `json.loads` find the same rows in it."""

    @property
    def code(self) -> int:
        """The exit code of the command."""
        return 1 if self.bad or self.repeats or self.failed or self.may_be_part else 0

    @property
    def code_of_check(self) -> int:
        """The exit code of a look at it before anything is sent."""
        return 1 if self.bad or self.repeats or self.may_be_part else 0


EXPECTED = {
    # ------------------------------------------------------------------------------------ order references
    "excel_en_shortened.csv": Expected(
        links={"INV-6": "100000 KZT"},
        bad={2: SHORTENED, 3: SHORTENED, 4: SHORTENED, 5: f"'#N/A' {ERROR}", 6: ERROR},
    ),
    "excel_ru_shortened.csv": Expected(
        links={"СЧ-3": "100000 KZT"},
        bad={2: f"'1,23457E+12' {SHORTENED}", 3: SHORTENED, 4: f"'9E+15' {SHORTENED}"},
    ),
    "excel_ru_errors.csv": Expected(links={"СЧ-1": "100000 KZT"}, bad=dict.fromkeys(range(2, 9), ERROR)),
    "excel_en_errors.csv": Expected(
        links={"INV-1": "100000 KZT"},
        bad={**dict.fromkeys(range(2, 10), ERROR), 10: "in a column that is too narrow"},
    ),
    "libreoffice_errors.csv": Expected(links={"INV-1": "300 KZT"}, bad={2: ERROR, 3: ERROR}),
    "pandas_missing.csv": Expected(
        links={"INV-1": "700 KZT"},
        bad={**dict.fromkeys(range(2, 7), NOTHING), 7: f"'1.23457e+12' {SHORTENED}"},
    ),
    "nine_spellings.csv": Expected(
        links={"INV-1": "2200000 KZT"},
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
    "excel_marks.csv": Expected(links={"00017": "100 KZT", "00018": "200 KZT", "00019": "300 KZT"}),
    "results_marks.csv": Expected(links={"-INV-1": "100 KZT", "=2+3": "200 KZT", "@shop": "300 KZT"}),
    "repeated_rows.csv": Expected(links={"A": "100 KZT", "B": "200 KZT"}, repeats={4: 2, 5: 2}),
    "lost_last_digits.csv": Expected(
        links={"1234567890123450000": "2200000 KZT", "1234567890123460000": "500000 KZT"}, repeats={3: 2}
    ),
    "macos_letters.csv": Expected(links={"Заказ-йод": "100 KZT", "Ұлттық-й": "200 KZT"}, repeats={3: 2}),
    "spaces_at_ends.csv": Expected(links={"INV-1": "100 KZT", "INV-2": "200 KZT", "INV-3": "300 KZT"}),
    "accounting_no_break_space.csv": Expected(
        links={"Счёт № 16": "200 KZT"},
        bad={2: "has U+00A0 NO-BREAK SPACE at character 7; write a common space"},
    ),
    "like_numbers.csv": Expected(
        links={
            "#17": "500 KZT",
            "0017": "400 KZT",
            "12E-34": "200 KZT",
            "1E5": "100 KZT",
            "5e9f": "300 KZT",
            "NA": "600 KZT",
        }
    ),
    "dragged_below_an_error.csv": Expected(
        links={"INV-2": "150000 KZT"},
        bad={
            2: AMOUNT,
            3: "column order_reference: is the same as in line 2, and the rest of the row is not",
        },
        more_in_library={"INV-1": "2200000 KZT"},
        same_in_library=False,
    ),
    "formula_left.csv": Expected(
        links={"=INV-2": "150000 KZT", "INV-3": "100 KZT"},
        bad={2: "column order_reference: '=INV-1' is a formula: write what it shows, or an apostrophe"},
    ),
    "web_letters.csv": Expected(
        links={"INV-3": "300 KZT"},
        bad={2: "'INV-&#8470;1' has a letter as web pages write it", 3: "'A&amp;B-2' has a letter as web"},
    ),
    "mail_letters.csv": Expected(
        links={"INV-2": "200 KZT"}, bad={2: "has letters as mail transmits them: save the attachment"}
    ),
    "replaced_letters.csv": Expected(
        links={"INV-2": "200 KZT"},
        bad={2: "has U+FFFD, which stands for a letter that was lost: export again, as UTF-8"},
    ),
    # ------------------------------------------------------------------------- the other columns
    "excel_ru_amounts.csv": Expected(
        links={"СЧ-10": "2200000 KZT"},
        bad={**dict.fromkeys(range(2, 10), AMOUNT), 10: AMOUNT + EMPTY},
        warned={11: MIXED.format("'22000,50' in line 2", "2200000 in line 11")},
    ),
    "excel_en_amounts.csv": Expected(
        links={"INV-10": "2200000 KZT"},
        bad=dict.fromkeys(range(2, 11), AMOUNT),
        warned={11: MIXED.format("'22,000.00' in line 2", "2200000 in line 11")},
    ),
    "excel_ru_dates.csv": Expected(
        links={"СЧ-4": "100 KZT"}, bad={2: f"{NO_TIME}00{OFFSET}", 3: f"{NO_TIME}59{OFFSET}", 4: NO_TIME}
    ),
    "excel_en_dates.csv": Expected(
        links={"INV-6": "100 KZT"},
        bad={
            2: f"{NO_TIME}00{OFFSET}",
            3: f"'2099-12-31' has no time of day: write 2099-12-31T23:59:59{OFFSET}",
            4: f"has no offset from UTC: write 2099-12-31T23:59:00{OFFSET}",
            5: NO_TIME,
        },
        past=6,
        failed={6: "expiresAt: is in the past: 2020-12-31T23:59:59Z"},
    ),
    "currencies.csv": Expected(
        links={"INV-1": "2200000 KZT", "INV-2": "500 USD"},
        bad={
            4: f"{CURRENCY}'$' is not a currency: write three letters",
            5: CURRENCY,
            6: "write three Latin letters, such as KZT",
            7: CURRENCY,
            # The first and the last are Cyrillic.
            8: "'КZТ' is not a currency: write three Latin letters",
            9: CURRENCY + EMPTY,
            10: f"{CURRENCY}'NaN' is not a currency",
        },
    ),
    "addresses.csv": Expected(
        links={"INV-1": "100 KZT"},
        bad={3: f"column success_url: 'shop.example/paid' {NO_ADDRESS}", 4: NO_ADDRESS, 5: "callback_url"},
    ),
    "descriptions.csv": Expected(
        links={
            "INV-1": "100 KZT",
            "INV-2": "100 KZT",
            "INV-3": "100 KZT",
            "INV-4": "100 KZT",
            "INV-5": "100 KZT",
        }
    ),
    # ------------------------------------------------------------------------------- files of one tool each
    "excel_en_utf8.csv": Expected(links={"INV-1": "2200000 KZT", "INV-2": "150000 KZT"}),
    "excel_ru_utf8.csv": Expected(links={"СЧ-1": "2200000 KZT", "СЧ-2": "150000 KZT"}),
    "excel_kk_named_separator.csv": Expected(
        links={"Ғ-2": "150000 KZT", "Ұ-1": "2200000 KZT"}, same_in_library=False
    ),
    "excel_ru_windows_1251.csv": Expected(
        links={"INV-2": "150000 KZT"},
        bad={2: f"column description: {NOT_UTF_8}", 4: f"column order_reference: {NOT_UTF_8}"},
        untold=[4],
        more_in_library={"INV-1": "2200000 KZT"},
        same_in_library=False,
    ),
    "excel_ru_emptied_columns.csv": Expected(
        links={"СЧ-1": "2200000 KZT", "СЧ-2": "150000 KZT"},
        bad={5: "has 6 cells for 3 columns, 'нет в плане' is in none of them: put a cell that holds"},
        same_in_library=False,
    ),
    "libreoffice_quoted.csv": Expected(links={"INV-1": "2200000 KZT", "INV-2": "150000 KZT"}),
    "named_tab.csv": Expected(links={"INV-1": "2200000 KZT"}, same_in_library=False),
    "google_sheets.csv": Expected(links={"INV-1": "2200000 KZT", "INV-2": "150000 KZT"}, ends_open=3),
    "google_sheets_amount_last.csv": Expected(
        links={"INV-1": "2200000 KZT", "INV-2": "150000 KZT"}, ends_open=3, may_be_part=True
    ),
    "1c_register.csv": Expected(
        links={"СЧ-000001": "2200000 KZT", "СЧ-000003": "100 KZT"},
        bad={3: AMOUNT, 5: f"column order_reference: 'ИТОГО': {SUM}"},
        warned={3: MIXED.format("'150 000' in line 3", "2200000 in line 2")},
        same_in_library=False,
    ),
    "1c_sum_beside_currency.csv": Expected(
        links={"СЧ-000001": "2200000 KZT", "СЧ-000002": "150000 KZT"},
        bad={4: f"column currency: 'Всего:': {SUM}"},
    ),
    "summary_row.csv": Expected(
        links={"INV-1": "100 KZT", "INV-2": "200 KZT"}, bad={4: "column order_reference: is empty"}
    ),
    "bank_signature.csv": Expected(
        links={"СЧ-1": "2200000 KZT", "СЧ-2": "150000 KZT"},
        bad={
            5: "has 1 cell for 3 columns, amount is the first that is missing: write every cell, an empty one"
            " too, or remove the line if it is no order",
            6: AMOUNT + EMPTY,
        },
        same_in_library=False,
    ),
    "header_letter_case.csv": Expected(links={"INV-1": "2200000 KZT"}),
    "blank_lines.csv": Expected(links={"INV-1": "2200000 KZT", "INV-2": "150000 KZT"}, same_in_library=False),
    # ------------------------------------------------------------------------------------------ joined, cut
    "joined_exports.csv": Expected(
        links={"INV-1": "2200000 KZT", "INV-2": "150000 KZT"},
        bad={3: "is the header once more: remove the line"},
        same_in_library=False,
    ),
    "joined_with_marks.csv": Expected(
        links={"INV-1": "2200000 KZT"},
        bad={3: "is the header once more: remove the line", 5: "has U+FEFF ZERO WIDTH NO-BREAK SPACE"},
        repeats={4: 2},
        same_in_library=False,
    ),
    "cut_in_amount.csv": Expected(
        links={"gr-1": "2200000 KZT", "gr-2": "22 KZT"}, ends_open=3, may_be_part=True
    ),
    "cut_in_row.csv": Expected(
        links={"INV-1": "2200000 KZT"},
        bad={3: "has 2 cells for 4 columns, currency is the first that is missing"},
        same_in_library=False,
    ),
    "cut_in_character.csv": Expected(
        links={"INV-1": "2200000 KZT"},
        bad={3: f"column description: {NOT_UTF_8}"},
        more_in_library={"INV-2": "150000 KZT"},
        same_in_library=False,
    ),
    "cut_in_quotes.csv": Expected(
        links={"INV-1": "2200000 KZT"},
        bad={3: "a double quote is opened and not closed: close it"},
        more_in_library={"INV-2": "150000 KZT"},
        same_in_library=False,
    ),
    "cut_in_object.jsonl": Expected(links={"INV-1": "2200000 KZT"}, bad={2: NOT_JSON}, same_in_library=False),
    "cells_missing.csv": Expected(
        links={"INV-4": "400 KZT"},
        bad={
            2: "description is the first that is missing",
            3: "has 5 cells for 4 columns, ' 2 adults' is in none of them",
            4: "column currency: '300' is not a currency",
        },
        more_in_library={"INV-1": "100 KZT"},
        same_in_library=False,
    ),
    # ----------------------------------------------------------------------------------------------- quotes
    "smart_quotes.csv": Expected(
        links={"INV-3": "100 KZT"},
        bad={2: f"'“INV-1”' {STRAY_QUOTE}", 3: "has 5 cells for 4 columns, ' sea view”'"},
        same_in_library=False,
    ),
    "spaces_before_quotes.csv": Expected(
        links={"INV-1": "2200000 KZT"},
        bad={3: "a space stands before a double quote: remove it", 4: f"'\"INV-3\"' {STRAY_QUOTE}"},
        same_in_library=False,
    ),
    "quote_missing.csv": Expected(
        links={"INV-2": "200 KZT", "INV-3": "300 KZT"},
        bad={2: "a double quote is opened and not closed: close it"},
        more_in_library={"INV-1": "100 KZT"},
        same_in_library=False,
    ),
    "quotes_missing.csv": Expected(
        links={"INV-4": "400 KZT"},
        bad={
            2: "this row ends in line 4, since a double quote is closed there, and what is quoted from line 3"
        },
        more_in_library={"INV-1": "100 KZT"},
        same_in_library=False,
    ),
    "quote_within.csv": Expected(
        links={"INV-1": "100 KZT"},
        bad={3: "has 5 cells for 4 columns", 4: f"'INV\"-3' {STRAY_QUOTE}"},
        same_in_library=False,
    ),
    # ------------------------------------------------------------------------------------------- JSON Lines
    "mistakes.jsonl": Expected(
        links={"INV-1": "2200000 KZT", "INV-8": "2200000 KZT"},
        warned={4: MIXED.format("2200000.0 in line 4", "2200000 in line 1")},
        bad={
            2: "the key 'amount' is given twice: keep one",
            3: "NaN is not JSON: write a number",
            4: AMOUNT,
            5: "column amount: {'value': 2200000} is not a whole number",
            6: f"{NOT_JSON} (Extra data at character 67): write one whole object on each line",
            7: "column order_reference: 1234567890123 is not text: write it in quotes",
            9: "column amount: True is not a whole number",
            10: "is not a JSON object: write one object per line",
            11: f"{NOT_JSON} (Expecting property name enclosed in double quotes at character 2)",
            12: "unknown column 'sum': did you mean amount_major?",
            13: AMOUNT,
            14: "column order_reference: is empty",
            15: "column order_reference: is the same as in line 1, and the rest of the row is not",
            16: "column amount: is given twice: keep one",
        },
        more_in_library={"INV-2": "2200000 KZT"},
        same_in_library=False,
    ),
}

REFUSED = {
    "1c_client_bank.txt": f"line 1: unknown column '1CClientBankExchange': {INVOICES}*{FIRST_LINE}",
    "bank_statement.csv": f"line 1: unknown column 'Выписка по счёту *{FIRST_LINE}",
    "compressed.csv": "the input is compressed (gzip): unpack it first, such as with gunzip -c FILE",
    "empty.csv": "is empty: the first line must name the columns, such as amount,currency",
    "excel_97_workbook.csv": "the input is an old Excel workbook: save the sheet as CSV UTF-8",
    "excel_old_macintosh.csv": "line 1: *carriage return alone, as old Macs do: save the file as CSV UTF-8",
    "excel_ru_unicode_text.txt": "the input is UTF-16 text: save it as UTF-8",
    "excel_workbook.csv": "the input is an Excel workbook, or another ZIP file: save the sheet as CSV UTF-8",
    "header_alone.csv": "there is no row in header_alone.csv",
    "header_missing.csv": f"line 1: unknown column 'INV-1', '2200000', 'KZT': {INVOICES}*{FIRST_LINE}",
    "header_quote_open.csv": "line 1: the name of column 4 does not end in its line: close its quote",
    "header_russian.csv": "line 1: unknown column 'Номер заказа': did you mean order_reference?",
    "header_twice.csv": "line 1: the column amount is given twice: keep one",
    "header_two_amounts.csv": "line 1: amount and amount_major are the same, given twice: keep one",
    "header_unnamed_column.csv": "line 1: column 2 has no name: name it or remove it",
    "header_zero_width.csv": "line 1: *it has a character that nobody sees: type order_reference anew",
    "json_array.json": "line 1: *write one object per line (JSON Lines), not one array",
    "json_array_lines.json": "line 1: *write one object per line (JSON Lines), not one array",
    "json_pretty_object.json": "line 1: a JSON object stands on several lines: write each object on one line",
    "libreoffice_tabs.csv": "line 1: *separate the columns with commas or semicolons, not tabs",
    "mark_alone.csv": "is empty: the first line must name the columns",
    "report_pdf.csv": "the input is a PDF: export the table as CSV UTF-8",
    "separated_by_bars.csv": "line 1: *separate the columns with commas or semicolons, not |",
    "shop_orders_shopify.csv": "line 1: unknown column 'Total': did you mean amount_major?*'Name', *"
    f"{INVOICES}*{FIRST_LINE}",
    "shop_orders_tilda.csv": "line 1: unknown column 'orderid': did you mean order_reference?",
    "shop_orders_woocommerce.csv": "line 1: unknown column 'Order Number': did you mean order_reference?",
    "utf_16_without_mark.csv": "the input is UTF-16 text without a mark: save it as UTF-8",
    "web_page.csv": "the input is a web page, or another XML file: export the table as CSV UTF-8",
}
"""The files that are refused as a whole, with what is said of them; ``*`` stands for more."""

WITHOUT_REFERENCES = ["no_references.csv", "no_references.jsonl"]
