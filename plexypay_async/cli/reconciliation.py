"""Where the rows of a file, a journal and an account's links differ.

All three are put into a temporary SQLite database, which moves to the disk as it grows, and compared there: a
million links take no more memory than a thousand. Amounts are integers of minor units, kept as text, because
an account may hold one that is too large for SQLite's integers.
"""

from __future__ import annotations

import contextlib
import enum
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, cast

import attrs

from .._files.sqlite_file import execute_all, temporary_database
from .._privacy.hiding import id_in, text_in
from .._wire.converter import integer
from ..bulk.journal_format import State
from ..bulk.spreadsheets import meant_reference
from ..pay.payment_links import PaymentLinks, PaymentLinkStatus, PaymentLinkSummary
from .amounts import amount_told, in_major_units
from .rows import BadRow, Row
from .states_file import RowState

__all__ = ["Finding", "FindingKind", "FoundLink", "LinkSum", "Reconciliation"]

_AGAIN = "run bulk-create again with this journal"
_LOOK_UP = PaymentLinks.create.look_up
_DEAD = () if _LOOK_UP is None else _LOOK_UP.dead
"""The states of links that nobody can pay."""
_CLOSED = sorted(str(status) for status in _DEAD)
_STATUSES = [status.value for status in PaymentLinkStatus]
_PREFERRED = {PaymentLinkStatus.PAID.value: 0, PaymentLinkStatus.ACTIVE.value: 1}
"""Which of several links tells what became of an order."""

SCHEMA = """
CREATE TABLE rows (
    reference TEXT PRIMARY KEY, line INTEGER NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE repeated (line INTEGER NOT NULL, reference TEXT NOT NULL, first INTEGER NOT NULL);
CREATE TABLE invalid (line INTEGER NOT NULL, reference TEXT, reason TEXT NOT NULL);
CREATE TABLE journal (
    reference TEXT PRIMARY KEY, state INTEGER NOT NULL, id TEXT, amount TEXT, currency TEXT, unread TEXT
) WITHOUT ROWID;
CREATE TABLE links (
    id TEXT PRIMARY KEY, reference TEXT, status TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL
) WITHOUT ROWID;
"""

AFTER_FILLING = """
CREATE INDEX links_by_reference ON links (reference);
CREATE VIEW judged_links AS SELECT *, COALESCE(
    reference IN (SELECT reference FROM rows)
    OR reference IN (SELECT reference FROM journal)
    OR id IN (SELECT id FROM journal WHERE id IS NOT NULL), 0) AS ours FROM links;
"""


class FindingKind(enum.StrEnum):
    """What is wrong."""

    NO_LINK = "no-link"
    NOT_PAYABLE = "not-payable"
    NO_ROW = "no-row"
    OTHER_LINK = "other-link"
    TWO_LINKS = "two-links"
    DIFFERS = "differs"
    CLAIMED = "claimed"
    UNREADABLE = "unreadable"
    INVALID = "invalid"
    REPEATED = "repeated"


@attrs.frozen
class FoundLink:
    """A link as the account's listing shows it; `amount` is in minor units."""

    id: str
    status: str
    amount: int
    currency: str


@attrs.frozen
class LinkSum:
    """How many links of the rows have a status, and their sum in **minor** units."""

    currency: str
    status: str
    links: int
    amount: int


@attrs.frozen(kw_only=True)
class Finding:
    """One thing to report.

    `detail` is for people, with amounts in **major** units. `amounts` has the amounts that differ, in
    **minor** units, by where each was found.
    """

    kind: FindingKind
    line: int | None = None
    order_reference: str | None = None
    detail: str
    amounts: dict[str, str] = attrs.Factory(dict[str, str])
    links: tuple[FoundLink, ...] = ()


@attrs.frozen(eq=False)
class Reconciliation:
    """Compares rows, a journal and an account's links, once all of them are added.

    Args:
        database: An empty database with the tables of `SCHEMA`.
        everything: Whether links that are in neither the rows nor the journal are reported, too.
        allow_repeats: Whether rows that repeat others are not reported.
    """

    _database: sqlite3.Connection
    _everything: bool
    _allow_repeats: bool = False

    @classmethod
    @contextmanager
    def open(cls, *, everything: bool = False, allow_repeats: bool = False) -> Generator[Self]:
        """Open one in a temporary database, which is deleted when the block ends."""
        with temporary_database(SCHEMA) as database:
            yield cls(database, everything, allow_repeats)

    def add_rows(self, rows: Iterable[Row | BadRow]) -> None:
        """Add the file's rows, as `check_references` yields them."""
        for row in rows:
            if isinstance(row, BadRow):
                self._database.execute(
                    "INSERT INTO invalid VALUES (?, ?, ?)", (row.line, row.order_reference, row.explanation)
                )
            elif row.repeats is None:
                self._database.execute(
                    "INSERT INTO rows VALUES (?, ?, ?, ?)",
                    (row.order_reference, row.line, str(row.request.amount), row.request.currency),
                )
            else:
                self._database.execute(
                    "INSERT INTO repeated VALUES (?, ?, ?)", (row.line, row.order_reference, row.repeats)
                )

    def add_journal(self, links: Iterable[tuple[str, State, Any]]) -> None:
        """Add the journal's rows, as `Journal.iterate` yields them."""
        for reference, state, link in _usual_first(links):
            kept = _kept_in(link)
            # Of a row that is purged there is the id alone.
            expected = kept if isinstance(link, dict) and link.keys() != {"id"} else ("id",)
            unread = [name for name in expected if kept[name] is None and state is State.DONE]
            self._database.execute(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)",
                (self._free_name(reference), state, *kept.values(), ", ".join(unread) or None),
            )

    def _free_name(self, reference: str) -> str:
        """Return what a reference of the journal is meant as; itself where another one is meant so."""
        meant = meant_reference(reference)
        found = self._database.execute("SELECT 1 FROM journal WHERE reference = ?", (meant,)).fetchone()
        return meant if found is None else reference

    def add_link(self, link: PaymentLinkSummary) -> None:
        """Add a link of the account; one that the listing shows twice is one link."""
        meant = None if link.order_reference is None else meant_reference(link.order_reference)
        self._database.execute(
            "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?)",
            (link.id, meant, str(link.status), str(link.amount), link.currency.upper()),
        )

    def findings(self) -> Iterator[Finding]:
        """Yield what is to be reported, one kind after the other, once everything is added."""
        execute_all(self._database, AFTER_FILLING)
        yield from self._invalid()
        yield from self._rows_without_link()
        yield from self._not_payable()
        yield from self._two_links()
        yield from self._differing()
        yield from self._claimed()
        yield from self._unreadable()
        yield from self._links_without_row()
        if not self._allow_repeats:
            yield from self._repeated()

    def sums(self) -> dict[str, int]:
        """Return how much was compared, and how many links are of no row; call it at last.

        ``rows`` are all rows of the file, the repeated and invalid ones among them.
        """
        every = "SELECT line FROM rows UNION ALL SELECT line FROM repeated UNION ALL SELECT line FROM invalid"
        counted = {
            "rows": f"({every})",
            "repeated_rows": "repeated",
            "journal_rows": "journal",
            "links": "links",
            "other_links": "judged_links WHERE NOT ours",
            # No text of a request: the names are the library's own.
            "closed_links": f"judged_links WHERE ours AND status IN ({', '.join(map(repr, _CLOSED))})"  # noqa: S608
            " AND (reference IS NULL OR reference NOT IN (SELECT reference FROM rows"
            " UNION SELECT reference FROM invalid WHERE reference IS NOT NULL))",
        }
        return {
            name: self._database.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0]  # noqa: S608
            for name, what in counted.items()
        }

    def link_sums(self) -> list[LinkSum]:
        """Return what the links of the file's rows come to, by currency and status; call it at last."""
        found = self._database.execute(
            "SELECT currency, status, amount FROM links WHERE reference IN (SELECT reference FROM rows)"
        )
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for currency, status, amount in found:
            links, total = sums.get((currency, status), (0, 0))
            sums[currency, status] = links + 1, total + int(amount)
        ordered = sorted(sums, key=lambda each: (each[0], _rank(each[1]), each[1]))
        return [LinkSum(*each, *sums[each]) for each in ordered]

    def states(self) -> Iterator[RowState]:
        """Yield what is listed of each row of the file, in the order of its lines; call it at last."""
        found = self._database.execute(
            "SELECT line, reference, amount, currency, NULL FROM rows"
            " UNION ALL SELECT repeated.line, repeated.reference, amount, currency, first"
            " FROM repeated LEFT JOIN rows USING (reference)"
            " UNION ALL SELECT line, reference, NULL, NULL, NULL FROM invalid ORDER BY line"
        )
        for line, reference, amount, currency, first in found:
            # An order may have been paid though its row has a fault by now.
            links = () if reference is None else self._links_of(reference)
            link = min(links, key=lambda each: _PREFERRED.get(each.status, 2), default=None)
            yield RowState(
                line=line,
                order_reference=reference,
                amount_major=None if amount is None else in_major_units(int(amount), currency),
                currency=currency,
                status=None if link is None else link.status,
                link_id=None if link is None else link.id,
                links=len(links),
                repeats=first,
            )

    def _invalid(self) -> Iterator[Finding]:
        for line, reference, reason in self._database.execute("SELECT * FROM invalid ORDER BY line"):
            yield Finding(kind=FindingKind.INVALID, line=line, order_reference=reference, detail=reason)

    def _repeated(self) -> Iterator[Finding]:
        for line, reference, first in self._database.execute("SELECT * FROM repeated ORDER BY line"):
            detail = f"is the same row as in line {first}: it has no link of its own"
            yield Finding(kind=FindingKind.REPEATED, line=line, order_reference=reference, detail=detail)

    def _rows_without_link(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT line, rows.reference, state, id FROM rows LEFT JOIN journal USING (reference)"
            " WHERE reference NOT IN (SELECT reference FROM links WHERE reference IS NOT NULL) ORDER BY line"
        )
        for line, reference, state, kept in found:
            match state:
                case None:
                    detail = "no link, and the journal does not know the row: it was not attempted"
                case State.DONE:
                    detail = f"no link, although the journal has {kept}: the account's list does not show it"
                case State.CLAIMED:
                    detail = f"no link is listed; the row may have been sent and is not settled: {_AGAIN}"
                case _:
                    detail = "no link: creating it failed"
            yield Finding(kind=FindingKind.NO_LINK, line=line, order_reference=reference, detail=detail)

    def _not_payable(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT line, reference FROM rows WHERE reference IN (SELECT reference FROM links) ORDER BY line"
        )
        for line, reference in found:
            links = self._links_of(reference)
            if any(link.status not in _DEAD for link in links):
                continue
            told = "; ".join(f"{link.id}, {link.status}" for link in links)
            yield Finding(
                kind=FindingKind.NOT_PAYABLE,
                line=line,
                order_reference=reference,
                detail=f"{told}: nobody can pay {'it' if len(links) == 1 else 'them'}; for a new link, give"
                " the row an order reference of its own",
                links=links,
            )

    def _two_links(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT reference, line, COUNT(*), SUM(status = 'active') AS active FROM judged_links"
            " LEFT JOIN rows USING (reference) WHERE reference IS NOT NULL AND (ours OR ?)"
            " GROUP BY reference HAVING COUNT(*) > 1 ORDER BY active < 2, line, reference",
            (self._everything,),
        )
        for reference, line, count, active in found:
            warning = ": a customer may pay twice" if active > 1 else ""
            yield Finding(
                kind=FindingKind.TWO_LINKS,
                line=line,
                order_reference=reference,
                detail=f"{count} links, {active} of them active{warning}",
                links=self._links_of(reference),
            )

    def _differing(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT line, reference, rows.amount || ' ' || rows.currency,"
            " journal.amount || ' ' || journal.currency, id FROM rows LEFT JOIN journal USING (reference)"
            " UNION ALL SELECT NULL, reference, NULL, amount || ' ' || currency, id FROM journal"
            " WHERE reference NOT IN (SELECT reference FROM rows) ORDER BY line"
        )
        for line, reference, of_row, of_journal, kept in found:
            links = self._links_of(reference)
            seen = {f"{link.amount} {link.currency}" for link in links}
            places = {"row": of_row, "journal": of_journal}
            amounts = {place: value for place, value in places.items() if value is not None}
            difference = partial(
                Finding, kind=FindingKind.DIFFERS, line=line, order_reference=reference, links=links
            )
            if len(seen.union(amounts.values())) > 1:
                told = {place: _told(value) for place, value in amounts.items()}
                if seen:
                    amounts["account"] = ", ".join(sorted(seen))
                    told["account"] = ", ".join(map(_told, sorted(seen)))
                detail = ", ".join(f"{place} {value}" for place, value in told.items())
                yield difference(detail=detail, amounts=amounts)
            if kept is not None and links and kept not in {link.id for link in links}:
                of_account = ", ".join(link.id for link in links)
                yield difference(detail=f"the journal has {kept}, the account {of_account}")

    def _claimed(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT line, reference FROM journal LEFT JOIN rows USING (reference) WHERE state = ?"
            " ORDER BY line, reference",
            (State.CLAIMED,),
        )
        for line, reference in found:
            links = self._links_of(reference)
            yield Finding(
                kind=FindingKind.CLAIMED,
                line=line,
                order_reference=reference,
                detail=f"not settled in the journal; {'a link is' if links else 'no link is'} listed:"
                f" {_AGAIN}",
                links=links,
            )

    def _unreadable(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT line, reference, unread FROM journal LEFT JOIN rows USING (reference)"
            " WHERE unread IS NOT NULL ORDER BY line, reference"
        )
        for line, reference, unread in found:
            yield Finding(
                kind=FindingKind.UNREADABLE,
                line=line,
                order_reference=reference,
                detail=f"the journal's answer has a form that cannot be read: {unread}",
                links=self._links_of(reference),
            )

    def _links_without_row(self) -> Iterator[Finding]:
        found = self._database.execute(
            "SELECT id, reference, status, amount, currency, ours FROM judged_links"
            " WHERE (reference IS NULL OR reference NOT IN ("
            "SELECT reference FROM rows UNION SELECT reference FROM invalid WHERE reference IS NOT NULL))"
            " AND (ours OR ?) ORDER BY NOT ours, reference, id",
            (self._everything,),
        )
        for identifier, reference, status, amount, currency, ours in found:
            if ours and status in _DEAD and not self._everything:
                # Its row had another order reference since, and nobody can pay it.
                continue
            whose = (
                "the journal has it, the file does not" if ours else "neither in the file nor in the journal"
            )
            yield Finding(
                kind=FindingKind.NO_ROW if ours else FindingKind.OTHER_LINK,
                order_reference=reference,
                detail=f"{whose}: {identifier}, {status}, {amount_told(int(amount), currency)}",
                links=(FoundLink(identifier, status, int(amount), currency),),
            )

    def _links_of(self, reference: str) -> tuple[FoundLink, ...]:
        found = self._database.execute(
            "SELECT id, status, amount, currency FROM links WHERE reference = ?"
            " ORDER BY status != 'active', id",
            (reference,),
        )
        return tuple(FoundLink(row[0], row[1], int(row[2]), row[3]) for row in found)


def _rank(status: str) -> int:
    return _STATUSES.index(status) if status in _STATUSES else len(_STATUSES)


def _told(value: str) -> str:
    """Return an amount of minor units and its currency as people read them."""
    amount, currency = value.split(" ", 1)
    return amount_told(int(amount), currency)


def _kept_in(link: Any) -> dict[str, str | None]:
    """Return a kept link's id, amount and currency by the rules of answers; None for what cannot be read."""
    currency = text_in(link, "currency")
    amount: str | None = None
    if isinstance(link, dict):
        with contextlib.suppress(TypeError, ValueError):
            amount = str(integer(cast("dict[str, Any]", link).get("amount"), int))
    return {
        "id": id_in(link),
        "amount": amount,
        "currency": None if currency is None else currency.upper(),
    }


def _usual_first(links: Iterable[tuple[str, State, Any]]) -> Iterator[tuple[str, State, Any]]:
    """Yield the rows of a journal, at last those whose references are not meant as they are written."""
    others: list[tuple[str, State, Any]] = []
    for each in links:
        if meant_reference(each[0]) == each[0]:
            yield each
        else:
            others.append(each)
    yield from others
