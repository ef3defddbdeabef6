"""True tables of invoices, and what spreadsheets and people do to their cells."""

from __future__ import annotations

import csv
import random
import unicodedata
from collections.abc import Callable

import attrs

__all__ = ["OF_CELLS", "Draft", "Row", "Truth", "folded", "read_back", "true_table"]

Truth = tuple[int, str]
"""An amount in minor units, and its currency."""


def folded(reference: str) -> str:
    """Return a reference as two are compared: in Unicode's form NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", reference.strip())


def read_back(cell: str, encoding: str) -> str:
    """Return the reference that is left of a cell in an encoding; a question mark in it may have been one."""
    text = folded(cell.encode(encoding, "replace").decode(encoding))
    if text.startswith('="'):
        text = text[2:].removesuffix('"')
    return folded(text.removeprefix("'"))


@attrs.define
class Row:
    cells: dict[str, str]
    reference: str | None
    """The reference that a link of this row may have; None where there must be no link."""
    truth: Truth
    others: set[str] = attrs.Factory(set[str])
    """What else its reference may be, where an encoding has changed it and JSON's escapes may not have."""


@attrs.define
class Draft:
    chances: random.Random
    columns: list[str]
    rows: list[Row]
    delimiter: str
    line_end: str
    quoting: int
    mark: bool
    ends: bool = True
    """Whether the last line has its line end."""
    damages: list[str] = attrs.Factory(list[str])
    text: str = ""
    needed: set[str] | None = None
    is_cut: bool = False
    appended: bytes = b""
    row_ends: list[int] = attrs.Factory(list[int])
    """Where the rows end in the text, in bytes, while nothing of it is damaged."""

    def some(self) -> list[Row]:
        """Return some of the rows, at least one."""
        return self.chances.sample(self.rows, self.chances.randint(1, len(self.rows)))

    def one(self) -> Row:
        return self.chances.choice(self.rows)


_DESCRIPTIONS = (
    "Тур «Чарын», 2 взрослых",
    'Экран 15", чёрный',
    'Кабель 3"',
    "Ұлттық тағам; жеткізу",
    "Two lines\nof text",
    "100, KZT",
    "😀 e\u0301clair",
    "O'Brien",
    "",
    "Тур",
)


def _references(chances: random.Random, count: int) -> list[str]:
    first = chances.randint(1, 10**6)
    # Apart by so much that a spreadsheet's fifteen digits tell some of them apart, and others not.
    long = chances.randint(10**12, 10**18)
    kinds: list[Callable[[int], str]] = [
        lambda n: f"INV-{first + n}",
        lambda n: str(long + n * chances.choice((1, 7, 1000))),
        lambda n: f"{first + n:08}",
        lambda n: f"СЧ-{first + n}",
        lambda n: f"Заказ-йод {first + n}",
        lambda n: f"Ұ/{first + n}-ғ",
        lambda n: f"{first + n}/2026",
        lambda n: f"{chances.getrandbits(64):016x}-{n}",
    ]
    return list(dict.fromkeys(map(chances.choice(kinds), range(count))))


def true_table(chances: random.Random) -> Draft:
    price = chances.choice((2_200_000, 500, 150_000, chances.randint(1, 10**10)))
    more = ["description", "customer_id", "expires_at", "metadata.branch"]
    columns = ["order_reference", "amount", "currency", *chances.sample(more, chances.randint(0, 3))]
    if chances.random() < 0.6:
        chances.shuffle(columns)
    rows: list[Row] = []
    for number, reference in enumerate(_references(chances, chances.randint(1, 6))):
        amount = price if chances.random() < 0.5 else chances.randint(1, 10**10)
        currency = chances.choice(("KZT", "KZT", "USD", "JPY"))
        cells = {
            "order_reference": reference,
            "amount": str(amount),
            "currency": currency,
            "description": chances.choice(_DESCRIPTIONS),
            "customer_id": f"C-{number}" if chances.random() < 0.5 else "",
            "expires_at": "2099-12-31T23:59:59Z" if chances.random() < 0.5 else "",
            "metadata.branch": chances.choice(("Алматы", "")),
        }
        rows.append(Row({name: cells[name] for name in columns}, folded(reference), (amount, currency)))
    return Draft(
        chances=chances,
        columns=columns,
        rows=rows,
        delimiter=chances.choice(",;"),
        line_end=chances.choice(("\n", "\r\n")),
        quoting=chances.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
        mark=chances.random() < 0.4,
    )


# ----------------------------------------------------------------------------------- damages of the cells

_ERRORS = (
    *("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#SPILL!", "########"),
    *("#Н/Д", "#ССЫЛКА!", "#ИМЯ?", "#ЗНАЧ!", "#ДЕЛ/0!", "#N/A N/A", "Err:502", "Err:508"),
    *("nan", "NaN", "None", "NULL", "null", "NaT", "<NA>"),
)
_UNSEEN = "\u200b\ufeff\u00ad\u200e\u202a\u2060\0\x1f\u2028\n\t\u00a0\u2009\ufffd"
_SUMS = (
    *("ИТОГО", "Итого:", "TOTAL", "Total", "Всего", "Grand Total", "Барлығы", "Жиыны", "Сумма"),
    *("Итого: 5 шт.", "ИТОГО ПО ДОКУМЕНТУ", "Всего к оплате", "Общий итог", "Жалпы қорытынды", "Итого, KZT"),
)


def _ids_are_shortened(draft: Draft) -> None:
    for row in draft.rows:
        if row.cells["order_reference"].isdecimal() and len(row.cells["order_reference"]) > 11:
            digits = draft.chances.choice((0, 1, 5))
            shortened = f"{float(row.cells['order_reference']):.{digits}E}"
            row.cells["order_reference"] = draft.chances.choice((shortened, shortened.replace(".", ",")))
            row.reference = None


def _last_digits_are_lost(draft: Draft) -> None:
    for row in draft.rows:
        digits = row.cells["order_reference"]
        if digits.isdecimal() and len(digits) > 15:
            # What remains is a reference like any other: where two have become one, it shows.
            row.cells["order_reference"] = row.reference = digits[:15] + "0" * (len(digits) - 15)


def _leading_zeros_are_lost(draft: Draft) -> None:
    for row in draft.rows:
        if row.cells["order_reference"].isdecimal():
            row.cells["order_reference"] = row.reference = row.cells["order_reference"].lstrip("0") or "0"


def _look_ups_fail(draft: Draft) -> None:
    column = draft.chances.choice(("order_reference", "order_reference", "amount", "currency"))
    for row in draft.some():
        row.cells[column] = draft.chances.choice(_ERRORS)
        row.reference = None


def _unseen_characters(draft: Draft) -> None:
    column = draft.chances.choice(("order_reference", "order_reference", "amount", "currency"))
    for row in draft.some():
        cell, at = row.cells[column], draft.chances.randint(0, len(row.cells[column]))
        row.cells[column] = cell[:at] + draft.chances.choice(_UNSEEN) + cell[at:]


def _letters_are_decomposed(draft: Draft) -> None:
    for row in draft.some():
        row.cells = {name: unicodedata.normalize("NFD", cell) for name, cell in row.cells.items()}


def _text_is_marked(draft: Draft) -> None:
    mark = draft.chances.choice(('="{}"', "'{}", " {} ", "{}\u00a0"))
    for row in draft.some():
        row.cells["order_reference"] = mark.format(row.cells["order_reference"])


def _references_are_dragged(draft: Draft) -> None:
    if not {"cells_are_shifted", "columns_are_swapped"}.isdisjoint(draft.damages):
        # Whatever stands in the column then is a reference to every reader.
        return
    first = draft.rows[0]
    for row in draft.rows[1:]:
        row.cells["order_reference"] = first.cells["order_reference"]
        row.reference = first.reference


def _rows_are_doubled(draft: Draft) -> None:
    for row in draft.some():
        at = draft.chances.randint(0, len(draft.rows))
        draft.rows.insert(at, attrs.evolve(row, cells=dict(row.cells)))


def _rows_are_moved(draft: Draft) -> None:
    draft.chances.shuffle(draft.rows)


def _a_sum_stands_below(draft: Draft) -> None:
    total = sum(row.truth[0] for row in draft.rows)
    cells = dict.fromkeys(draft.columns, "")
    cells["amount"] = str(total)
    cells[draft.chances.choice(draft.columns)] = draft.chances.choice(_SUMS)
    if not cells["currency"]:
        cells["currency"] = draft.rows[0].cells["currency"]
    draft.rows.append(Row(cells, None, (total, "")))


_FORMS: tuple[Callable[[int], str], ...] = (
    lambda n: f"{n:,}",
    lambda n: f"{n:,}".replace(",", " "),
    lambda n: f"{n:,}".replace(",", "\u00a0"),
    lambda n: f"{n:,}".replace(",", "."),
    lambda n: f"{n}.00",
    lambda n: f"{n},00",
    lambda n: f"{n / 100:.2f}",
    lambda n: f"{n:.1E}",
    lambda n: f"{n:.1E}".replace(".", ","),
    lambda n: f"{n} ₸",
    lambda n: f"-{n}",
    lambda n: f"({n})",
    lambda n: f"={n}",
    lambda n: f"'{n}",
    lambda n: f"+{n}",
    lambda n: f"{n:012}",
    lambda n: str(n).translate({48 + d: 0xFF10 + d for d in range(10)}),
)


def _amounts_are_written_for_people(draft: Draft) -> None:
    form = draft.chances.choice(_FORMS)
    for row in draft.some():
        row.cells["amount"] = form(row.truth[0])


def _amounts_are_none(draft: Draft) -> None:
    for row in draft.some():
        row.cells["amount"] = draft.chances.choice(("", "0", "-5", "-", "n/a", "бесплатно", "0,00"))
        row.reference = None


def _currencies_change(draft: Draft) -> None:
    for row in draft.some():
        row.cells["currency"] = draft.chances.choice(
            (
                row.cells["currency"].lower(),
                row.cells["currency"].title(),
                "₸",
                "тенге",
                "$",
                "",
                "398",
                "КZТ",
            )
        )


def _cells_are_shifted(draft: Draft) -> None:
    names = draft.columns
    for row in draft.some():
        if any(cell.isdecimal() for name, cell in row.cells.items() if name != "amount"):
            # A reference of digits in the place of the amount is an amount to every reader.
            continue
        cells = [row.cells[name] for name in names]
        at = draft.chances.randrange(len(cells))
        if draft.chances.random() < 0.5:
            cells.insert(at, "")
        else:
            del cells[at]
            cells.append("")
        shifted = dict(zip(names, cells, strict=False))
        if any(shifted[name] != row.cells[name] for name in ("amount", "currency")):
            # A text in the place of a reference alone is a reference to every reader.
            row.cells = shifted


def _columns_are_swapped(draft: Draft) -> None:
    one, other = draft.chances.sample(draft.columns, 2)
    if "amount" in (one, other) and any(
        row.cells[name].isdecimal() for row in draft.rows for name in (one, other) if name != "amount"
    ):
        return
    if "order_reference" in (one, other) and {one, other} & {"description", "customer_id", "metadata.branch"}:
        # A text in the place of a reference is a reference to every reader.
        return
    for row in draft.rows:
        row.cells[one], row.cells[other] = row.cells[other], row.cells[one]


def _dates_are_local(draft: Draft) -> None:
    if "expires_at" in draft.columns:
        for row in draft.some():
            row.cells["expires_at"] = draft.chances.choice(
                ("31.12.2099 23:59", "12/31/2099", "31.12.2099", "73050,99", "2099-12-31 23:59")
            )


def _texts_go_through_another_encoding(draft: Draft) -> None:
    reading = draft.chances.choice(("cp1251", "utf-8"))
    for row in draft.rows:
        for name in ("order_reference", "description"):
            text = row.cells.get(name)
            if text is None or text.isascii():
                continue
            row.cells[name] = text.encode("cp1251", "replace").decode(reading, "replace")
            if name == "order_reference" and row.reference is not None:
                lost = "\ufffd" in row.cells[name]
                row.reference = None if lost else read_back(text, "cp1251")


OF_CELLS: tuple[Callable[[Draft], None], ...] = (
    _ids_are_shortened,
    _last_digits_are_lost,
    _leading_zeros_are_lost,
    _look_ups_fail,
    _unseen_characters,
    _letters_are_decomposed,
    _text_is_marked,
    _references_are_dragged,
    _rows_are_doubled,
    _rows_are_moved,
    _a_sum_stands_below,
    _amounts_are_written_for_people,
    _amounts_are_none,
    _currencies_change,
    _cells_are_shifted,
    _columns_are_swapped,
    _dates_are_local,
    _texts_go_through_another_encoding,
)
