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
from collections import defaultdict
from collections.abc import Callable, Sequence

import attrs

from .true_invoices import OF_CELLS, Draft, Truth, read_back, true_table

__all__ = ["DamagedFile", "damaged_file"]


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


# ------------------------------------------------------------------------------------ damages of the text


def _quotes_are_broken(draft: Draft) -> None:
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


def _a_cell_runs_on(draft: Draft) -> None:
    """The quote that ends a cell is lost, and the one that begins another in a line below."""
    lines = draft.text.split("\n")
    quoted = [number for number, line in enumerate(lines) if line.count('"') == 2]
    if len(quoted) < 2:
        return
    first, last = sorted(draft.chances.sample(quoted, 2))
    lines[first] = "".join(lines[first].rpartition('"')[::2])
    lines[last] = lines[last].replace('"', "", 1)
    draft.text = "\n".join(lines)


def _all_quotes_go(draft: Draft) -> None:
    draft.text = draft.text.replace('"', "")


def _quotes_become_smart(draft: Draft) -> None:
    draft.text = re.sub('"([^"]*)"', "“\\1”", draft.text)


def _spaces_stand_before_cells(draft: Draft) -> None:
    draft.text = draft.text.replace(draft.delimiter, f"{draft.delimiter} ")


def _separators_change(draft: Draft) -> None:
    other = draft.chances.choice(",;\t|:")
    if draft.chances.random() < 0.5:
        draft.text = draft.text.replace(draft.delimiter, other)
        return
    lines = draft.text.split("\n")
    at = draft.chances.randrange(len(lines))
    lines[at] = lines[at].replace(draft.delimiter, other)
    draft.text = "\n".join(lines)


def _line_ends_change(draft: Draft) -> None:
    how = draft.chances.choice(("\r", "\r\r\n", "\n\n", "\u2028", "\v", "", "some", "some lost"))
    if how.startswith("some"):
        places = [found.start() for found in re.finditer("\n", draft.text)]
        for place in draft.chances.sample(places, draft.chances.randint(min(1, len(places)), len(places))):
            draft.text = draft.text[:place] + "\r" * (how == "some") + draft.text[place + 1 :]
    else:
        draft.text = re.sub("\r?\n", how, draft.text)


def _an_export_is_joined(draft: Draft) -> None:
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


def _a_gateway_adds_lines(draft: Draft) -> None:
    before = draft.chances.choice(("", "Выписка за июль\n", "From: shop@example.com\n\n", "sep=;\n", "\n\n"))
    after = draft.chances.choice(
        ("", "-- \nSent from my phone\n", "Подпись: Иванова А.\n", "\x1a", "\0\0\0\0")
    )
    draft.text = before + draft.text.removesuffix("\n") + "\n" + after


def _an_editor_wraps_lines(draft: Draft) -> None:
    width = draft.chances.randint(20, 76)
    draft.text = "\n".join(
        line[at : at + width] for line in draft.text.split("\n") for at in range(0, max(len(line), 1), width)
    )


def _a_mail_is_quoted(draft: Draft) -> None:
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


def _html_is_escaped(draft: Draft) -> None:
    for row in draft.rows:
        if row.reference is not None and not row.reference.isascii():
            row.reference = None
    draft.text = "".join(
        character if character.isascii() else f"&#{ord(character)};" for character in draft.text
    )


def _a_shell_sorts(draft: Draft) -> None:
    draft.text = "".join(f"{line}\n" for line in sorted(draft.text.splitlines()))


# ------------------------------------------------------------------------------------- damages of the bytes


def _cut(draft: Draft, data: bytes) -> bytes:
    at = draft.chances.randrange(1, len(data))
    whole = sum(end <= at for end in draft.row_ends)
    draft.needed = {row.reference for row in draft.rows[:whole] if row.reference is not None}
    draft.is_cut = True
    return data[:at]


def _in_another_encoding(draft: Draft) -> bytes:
    encoding = draft.chances.choice(_ENCODINGS)
    draft.damages.append(encoding)
    for row in draft.rows:
        if row.reference is not None and not encoding.startswith("utf"):
            row.others = {row.reference}
            row.reference = read_back(row.cells["order_reference"], encoding)
            row.others.discard(row.reference)
    return draft.text.encode(encoding, "replace")


_OF_TEXT: tuple[Callable[[Draft], None], ...] = (
    _quotes_are_broken,
    _quotes_are_broken,
    _a_cell_runs_on,
    _a_cell_runs_on,
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
        _a_cell_runs_on,
        _all_quotes_go,
        _quotes_become_smart,
        _line_ends_change,
        _an_editor_wraps_lines,
    )
)
_ENCODINGS = ("cp1251", "utf-16", "utf-16-le", "utf-16-be", "cp866", "utf-8-sig")


# ------------------------------------------------------------------------------------------------- writing


def _table(rows: Sequence[Sequence[str]], draft: Draft) -> str:
    written = io.StringIO()
    writer = csv.writer(
        written,
        delimiter=draft.delimiter,
        lineterminator=draft.line_end,
        quoting=draft.quoting,  # type: ignore[arg-type]
    )
    writer.writerows(rows)
    return written.getvalue()


def _json_lines(draft: Draft) -> str:
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
    draft = true_table(chances)
    is_json = chances.random() < 0.15
    done = draft.damages

    def damage(what: Callable[[Draft], None]) -> None:
        what(draft)
        done.append(what.__name__.strip("_"))

    for _ in range(chances.choice((0, 1, 1, 1, 2))):
        damage(chances.choice(OF_CELLS))
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


def _write(draft: Draft) -> None:
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
    if draft.chances.random() < 0.06:
        _decimals_become_cells(draft, [header, *cells])
    if draft.chances.random() < 0.1:
        draft.text = f"sep={draft.delimiter}{draft.line_end}{draft.text}"
        draft.row_ends.clear()
    if draft.chances.random() < 0.1:
        draft.text = draft.text.removesuffix(draft.line_end)
        draft.damages.append("no line end at the end")


def _decimals_become_cells(draft: Draft, table: list[list[str]]) -> None:
    """Amounts with a comma before their decimals are not quoted, and cells at the end may be left out."""
    place = draft.columns.index("amount")
    behind = draft.columns[place + 1 : place + 2]
    may_go = behind not in (["order_reference"], ["customer_id"], ["metadata.branch"])
    for row, cells in zip(draft.rows, table[1:], strict=True):
        if draft.chances.random() < 0.7:
            cells[place] += "\x01"
            row.reference = None
            if not cells[-1] and draft.chances.random() < 0.5 and may_go:
                del cells[-1]
    draft.text = _table(table, draft).replace(
        "\x01", f"{draft.delimiter}{draft.chances.choice(('50', '00', '5'))}"
    )
    draft.row_ends.clear()
    draft.damages.append("decimals become cells")


def _finished(draft: Draft, seed: int, *, is_json: bool) -> DamagedFile:
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
        for other in row.others:
            truth[other].add(row.truth)
    return DamagedFile(
        name=f"orders-{seed}.{'jsonl' if is_json else 'csv'}",
        data=data,
        truth=dict(truth),
        needed=frozenset(truth) - {other for row in draft.rows for other in row.others}
        if draft.needed is None
        else frozenset(draft.needed),
        rows=None if draft.is_cut else len(draft.rows),
        appended=draft.appended,
        rows_are_torn=not _TEAR_ROWS.isdisjoint(done),
        damages=tuple(done),
    )
