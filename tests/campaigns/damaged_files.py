"""Files of invoices as people's tools write them, damaged as what they pass through damages them.

A file begins with a true table of invoices. What is left of it in the file is known to the end: which order
references, with which amounts and currencies, and in how many rows.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence

import attrs

__all__ = ["DamagedFile", "damaged_file", "folded"]

Truth = tuple[int, str]
"""An amount in minor units, and its currency."""


@attrs.frozen
class DamagedFile:
    """A file, and what a job that ends with exit code 0 must have made of it."""

    name: str
    data: bytes
    truth: dict[str, set[Truth]]
    """What a link may be for, by its order reference; more than one where references have become one."""
    needed: frozenset[str]
    """The order references of the rows that are whole in the file."""
    rows: int | None
    """How many rows the file has; None where a cut leaves open which of them still is one."""
    appended: bytes
    """What a program that has not ended writes at the file's end while it is read, if anything."""
    rows_are_torn: bool
    """Whether a row may stand in two lines: its beginning can be a row, and its end shows that it was not."""
    damages: tuple[str, ...]


def folded(reference: str) -> str:
    """Return a reference as two are compared: in Unicode's form NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", reference.strip())


@attrs.define
class _Row:
    cells: dict[str, str]
    reference: str | None
    """The reference that a link of this row may have; None where there must be no link."""
    truth: Truth
    written: str | None = None
    """The reference as JSON's escapes may have kept it, where it is another."""


@attrs.define
class _Draft:
    chances: random.Random
    columns: list[str]
    rows: list[_Row]
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

    def some(self) -> list[_Row]:
        """Return some of the rows, at least one."""
        return self.chances.sample(self.rows, self.chances.randint(1, len(self.rows)))

    def one(self) -> _Row:
        return self.chances.choice(self.rows)


# --------------------------------------------------------------------------------------------- true tables

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


def _true_table(chances: random.Random) -> _Draft:
    price = chances.choice((2_200_000, 500, 150_000, chances.randint(1, 10**10)))
    more = ["description", "customer_id", "expires_at", "metadata.branch"]
    columns = ["order_reference", "amount", "currency", *chances.sample(more, chances.randint(0, 3))]
    if chances.random() < 0.6:
        chances.shuffle(columns)
    rows: list[_Row] = []
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
        rows.append(_Row({name: cells[name] for name in columns}, folded(reference), (amount, currency)))
    return _Draft(
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


def _ids_are_shortened(draft: _Draft) -> None:
    for row in draft.rows:
        if row.cells["order_reference"].isdecimal() and len(row.cells["order_reference"]) > 11:
            digits = draft.chances.choice((0, 1, 5))
            shortened = f"{float(row.cells['order_reference']):.{digits}E}"
            row.cells["order_reference"] = draft.chances.choice((shortened, shortened.replace(".", ",")))
            row.reference = None


def _last_digits_are_lost(draft: _Draft) -> None:
    for row in draft.rows:
        digits = row.cells["order_reference"]
        if digits.isdecimal() and len(digits) > 15:
            # What remains is a reference like any other: where two have become one, it shows.
            row.cells["order_reference"] = row.reference = digits[:15] + "0" * (len(digits) - 15)


def _leading_zeros_are_lost(draft: _Draft) -> None:
    for row in draft.rows:
        if row.cells["order_reference"].isdecimal():
            row.cells["order_reference"] = row.reference = row.cells["order_reference"].lstrip("0") or "0"


def _look_ups_fail(draft: _Draft) -> None:
    column = draft.chances.choice(("order_reference", "order_reference", "amount", "currency"))
    for row in draft.some():
        row.cells[column] = draft.chances.choice(_ERRORS)
        row.reference = None


def _unseen_characters(draft: _Draft) -> None:
    column = draft.chances.choice(("order_reference", "order_reference", "amount", "currency"))
    for row in draft.some():
        cell, at = row.cells[column], draft.chances.randint(0, len(row.cells[column]))
        row.cells[column] = cell[:at] + draft.chances.choice(_UNSEEN) + cell[at:]


def _letters_are_decomposed(draft: _Draft) -> None:
    for row in draft.some():
        row.cells = {name: unicodedata.normalize("NFD", cell) for name, cell in row.cells.items()}


def _text_is_marked(draft: _Draft) -> None:
    mark = draft.chances.choice(('="{}"', "'{}", " {} ", "{}\u00a0", "\u3000{}"))
    for row in draft.some():
        row.cells["order_reference"] = mark.format(row.cells["order_reference"])


def _references_are_dragged(draft: _Draft) -> None:
    first = draft.rows[0]
    for row in draft.rows[1:]:
        row.cells["order_reference"] = first.cells["order_reference"]
        row.reference = first.reference


def _rows_are_doubled(draft: _Draft) -> None:
    for row in draft.some():
        at = draft.chances.randint(0, len(draft.rows))
        draft.rows.insert(at, attrs.evolve(row, cells=dict(row.cells)))


def _rows_are_moved(draft: _Draft) -> None:
    draft.chances.shuffle(draft.rows)


def _a_sum_stands_below(draft: _Draft) -> None:
    total = sum(row.truth[0] for row in draft.rows)
    cells = dict.fromkeys(draft.columns, "")
    cells["amount"] = str(total)
    cells[draft.chances.choice(draft.columns)] = draft.chances.choice(_SUMS)
    if not cells["currency"]:
        cells["currency"] = draft.rows[0].cells["currency"]
    draft.rows.append(_Row(cells, None, (total, "")))


def _amounts_are_written_for_people(draft: _Draft) -> None:
    form = draft.chances.choice(
        (
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
    )
    for row in draft.some():
        row.cells["amount"] = form(row.truth[0])


def _amounts_are_none(draft: _Draft) -> None:
    for row in draft.some():
        row.cells["amount"] = draft.chances.choice(("", "0", "-5", "-", "n/a", "бесплатно", "0,00"))
        row.reference = None


def _currencies_change(draft: _Draft) -> None:
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


def _cells_are_shifted(draft: _Draft) -> None:
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


def _columns_are_swapped(draft: _Draft) -> None:
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


def _dates_are_local(draft: _Draft) -> None:
    if "expires_at" in draft.columns:
        for row in draft.some():
            row.cells["expires_at"] = draft.chances.choice(
                ("31.12.2099 23:59", "12/31/2099", "31.12.2099", "73050,99", "2099-12-31 23:59")
            )


def _texts_go_through_another_encoding(draft: _Draft) -> None:
    kind = draft.chances.choice(("lost", "replaced"))
    for row in draft.rows:
        for name in ("order_reference", "description"):
            text = row.cells.get(name)
            if text is None or text.isascii():
                continue
            if kind == "lost":
                # A question mark may have been one: of two that have become one, it shows.
                row.cells[name] = text.encode("cp1251", "replace").decode("cp1251")
                if name == "order_reference":
                    row.reference = folded(row.cells[name])
            else:
                row.cells[name] = text.encode("cp1251", "replace").decode("utf-8", "replace")
                if name == "order_reference":
                    row.reference = None if "\ufffd" in row.cells[name] else folded(row.cells[name])


# ------------------------------------------------------------------------------------ damages of the text


def _quotes_are_broken(draft: _Draft) -> None:
    at = [found.start() for found in re.finditer('"', draft.text)]
    if at and draft.chances.random() < 0.5:
        for gone in sorted(draft.chances.sample(at, draft.chances.randint(1, len(at))), reverse=True):
            draft.text = draft.text[:gone] + draft.text[gone + 1 :]
        return
    for _ in range(draft.chances.randint(1, 3)):
        # At a cell's beginning or end, where one counts.
        places = [found.start() for found in re.finditer(f"[{draft.delimiter}\n]", draft.text)]
        place = draft.chances.choice(places) + draft.chances.randint(0, 1)
        draft.text = draft.text[:place] + '"' + draft.text[place:]


def _all_quotes_go(draft: _Draft) -> None:
    draft.text = draft.text.replace('"', "")


def _quotes_become_smart(draft: _Draft) -> None:
    draft.text = re.sub('"([^"]*)"', "“\\1”", draft.text)


def _spaces_stand_before_cells(draft: _Draft) -> None:
    draft.text = draft.text.replace(draft.delimiter, f"{draft.delimiter} ")


def _separators_change(draft: _Draft) -> None:
    other = draft.chances.choice(",;\t|:")
    if draft.chances.random() < 0.5:
        draft.text = draft.text.replace(draft.delimiter, other)
        return
    lines = draft.text.split("\n")
    at = draft.chances.randrange(len(lines))
    lines[at] = lines[at].replace(draft.delimiter, other)
    draft.text = "\n".join(lines)


def _line_ends_change(draft: _Draft) -> None:
    how = draft.chances.choice(("\r", "\r\r\n", "\n\n", "\u2028", "\v", "", "some", "some lost"))
    if how.startswith("some"):
        places = [found.start() for found in re.finditer("\n", draft.text)]
        for place in draft.chances.sample(places, draft.chances.randint(min(1, len(places)), len(places))):
            draft.text = draft.text[:place] + "\r" * (how == "some") + draft.text[place + 1 :]
    else:
        draft.text = re.sub("\r?\n", how, draft.text)


def _an_export_is_joined(draft: _Draft) -> None:
    """The same export, or its beginning, stands below the first; its header is not always the same."""
    header, rest = draft.text.split("\n", 1) if "\n" in draft.text else (draft.text, "")
    again = _table([draft.columns], draft)
    mark = "\ufeff" * draft.chances.randint(0, 1)
    kind = draft.chances.choice(("header", "all", "turned"))
    if kind == "header":
        draft.text = f"{header}\n{rest}{mark}{again}"
    elif kind == "all":
        draft.text += mark + draft.text
    else:
        # A later version of the program writes its columns in another order.
        columns = list(reversed(draft.columns))
        cells = [[row.cells.get(name, "") for name in columns] for row in draft.rows]
        draft.text += mark + _table([columns, *cells], draft)
    draft.is_cut = True


def _a_gateway_adds_lines(draft: _Draft) -> None:
    before = draft.chances.choice(("", "Выписка за июль\n", "From: shop@example.com\n\n", "sep=;\n", "\n\n"))
    after = draft.chances.choice(
        ("", "-- \nSent from my phone\n", "Подпись: Иванова А.\n", "\x1a", "\0\0\0\0")
    )
    draft.text = before + draft.text + after


def _an_editor_wraps_lines(draft: _Draft) -> None:
    width = draft.chances.randint(20, 76)
    draft.text = "\n".join(
        line[at : at + width] for line in draft.text.split("\n") for at in range(0, max(len(line), 1), width)
    )


def _a_mail_is_quoted(draft: _Draft) -> None:
    """Quoted-printable, or a quoted answer."""
    if draft.chances.random() < 0.5:
        draft.text = "".join(f"> {line}\n" for line in draft.text.split("\n"))
        return
    for row in draft.rows:
        if row.reference is not None and not row.reference.isascii():
            row.reference = None
    draft.text = "".join(
        character
        if character < "\x7f" and character != "="
        else "".join(f"={byte:02X}" for byte in character.encode())
        for character in draft.text
    )


def _html_is_escaped(draft: _Draft) -> None:
    for row in draft.rows:
        if row.reference is not None and not row.reference.isascii():
            row.reference = None
    draft.text = "".join(
        character if character.isascii() else f"&#{ord(character)};" for character in draft.text
    )


def _a_shell_sorts(draft: _Draft) -> None:
    draft.text = "".join(f"{line}\n" for line in sorted(draft.text.splitlines()))


# ------------------------------------------------------------------------------------- damages of the bytes


def _cut(draft: _Draft, data: bytes) -> bytes:
    at = draft.chances.randrange(1, len(data))
    whole = sum(end <= at for end in draft.row_ends)
    draft.needed = {row.reference for row in draft.rows[:whole] if row.reference is not None}
    draft.is_cut = True
    return data[:at]


def _in_another_encoding(draft: _Draft) -> bytes:
    encoding = draft.chances.choice(_ENCODINGS)
    draft.damages.append(encoding)
    for row in draft.rows:
        if row.reference is not None and not encoding.startswith("utf"):
            # A question mark may have been one.
            row.written = row.reference
            row.reference = folded(row.reference.encode(encoding, "replace").decode(encoding))
    return draft.text.encode(encoding, "replace")


_OF_CELLS: tuple[Callable[[_Draft], None], ...] = (
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
_OF_TEXT: tuple[Callable[[_Draft], None], ...] = (
    _quotes_are_broken,
    _quotes_are_broken,
    _all_quotes_go,
    _quotes_become_smart,
    _spaces_stand_before_cells,
    _separators_change,
    _line_ends_change,
    _an_export_is_joined,
    _a_gateway_adds_lines,
    _an_editor_wraps_lines,
    _a_mail_is_quoted,
    _html_is_escaped,
    _a_shell_sorts,
)
_TEAR_ROWS = frozenset(
    each.__name__.strip("_")
    for each in (
        _quotes_are_broken,
        _all_quotes_go,
        _quotes_become_smart,
        _line_ends_change,
        _an_editor_wraps_lines,
    )
)
_ENCODINGS = ("cp1251", "utf-16", "utf-16-le", "utf-16-be", "cp866", "utf-8-sig")


# ------------------------------------------------------------------------------------------------- writing


def _table(rows: Sequence[Sequence[str]], draft: _Draft) -> str:
    written = io.StringIO()
    writer = csv.writer(
        written,
        delimiter=draft.delimiter,
        lineterminator=draft.line_end,
        quoting=draft.quoting,  # type: ignore[arg-type]
    )
    writer.writerows(rows)
    return written.getvalue()


def _json_lines(draft: _Draft) -> str:
    lines: list[str] = []
    for row in draft.rows:
        found: dict[str, object] = {name: cell for name, cell in row.cells.items() if cell}
        if "amount" in found and str(found["amount"]).isdecimal() and draft.chances.random() < 0.8:
            found["amount"] = int(str(found["amount"]))
        lines.append(json.dumps(found, ensure_ascii=draft.chances.random() < 0.5))
    return "".join(f"{line}{draft.line_end}" for line in lines)


_OF_JSON: tuple[tuple[str, str], ...] = (
    (r'"amount": (\d+)', r'"amount": \1.0'),
    (r'"amount": (\d+)', r'"amount": NaN'),
    (r'"amount": (\d+)', r'"amount": 5, "amount": \1'),
    (r'"amount": (\d+)', r'"amount": \1e2'),
    (r'"order_reference": "(\d+)"', r'"order_reference": \1'),
    (r"\}$", "},"),
    ('"', "'"),
    (r"^", "["),
    (r'"amount"', '"Amount": 5, "amount"'),
    (r'": ', '":\n'),
)


def damaged_file(seed: int) -> DamagedFile:
    """Return the file of a seed."""
    chances = random.Random(seed)
    draft = _true_table(chances)
    is_json = chances.random() < 0.15
    done = draft.damages

    def damage(what: Callable[[_Draft], None]) -> None:
        what(draft)
        done.append(what.__name__.strip("_"))

    for _ in range(chances.choice((0, 1, 1, 1, 2))):
        damage(chances.choice(_OF_CELLS))
    if is_json:
        draft.text = _json_lines(draft)
        if chances.random() < 0.5:
            found, put = chances.choice(_OF_JSON)
            draft.text = re.sub(found, put, draft.text, count=chances.choice((0, 1)), flags=re.MULTILINE)
            done.append(put)
    else:
        _write(draft)
        for _ in range(chances.choice((0, 0, 0, 1, 1, 2))):
            damage(chances.choice(_OF_TEXT))
    return _finished(draft, seed, is_json=is_json)


def _write(draft: _Draft) -> None:
    columns, more = draft.columns, draft.chances.choice((0, 0, 0, 2))
    header = [draft.chances.choice((name, name, name.title())) for name in columns] + [""] * more
    if draft.chances.random() < 0.03:
        header[0] += "\u200b"
        draft.damages.append("zero-width in the header")
    cells = [[row.cells.get(name, "") for name in columns] + [""] * more for row in draft.rows]
    draft.text = _table([header, *cells], draft)
    mark = 3 * draft.mark
    draft.row_ends = [
        mark + len(_table([header, *cells[:n]], draft).encode()) for n in range(1, len(cells) + 1)
    ]
    if draft.chances.random() < 0.1:
        draft.text = f"sep={draft.delimiter}{draft.line_end}{draft.text}"
        draft.row_ends.clear()
    if draft.chances.random() < 0.1:
        draft.text = draft.text.removesuffix(draft.line_end)
        draft.damages.append("no line end at the end")


def _finished(draft: _Draft, seed: int, *, is_json: bool) -> DamagedFile:
    chances, done = draft.chances, draft.damages
    if draft.mark:
        draft.text = f"\ufeff{draft.text}"
    data = draft.text.encode()
    if chances.random() < 0.06:
        data = _in_another_encoding(draft)
    elif len(done) <= 1 and chances.random() < 0.15:
        if done:
            draft.row_ends.clear()
        data = _cut(draft, data)
        done.append("cut")
    elif chances.random() < 0.03:
        lines = data.splitlines(keepends=True)
        draft.appended = lines[-1]
        done.append("appended while read")
    truth: defaultdict[str, set[Truth]] = defaultdict(set)
    for row in draft.rows:
        if row.reference is not None:
            truth[row.reference].add(row.truth)
        if row.written is not None:
            truth[row.written].add(row.truth)
    return DamagedFile(
        name=f"orders-{seed}.{'jsonl' if is_json else 'csv'}",
        data=data,
        truth=dict(truth),
        needed=frozenset(truth) - {row.written for row in draft.rows}
        if draft.needed is None
        else frozenset(draft.needed),
        rows=None if draft.is_cut else len(draft.rows),
        appended=draft.appended,
        rows_are_torn=not _TEAR_ROWS.isdisjoint(done),
        damages=tuple(done),
    )
