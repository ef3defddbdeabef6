"""One run of ``reconcile``, after its arguments were checked."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from .._privacy.printable import printable_json
from .._privacy.secret import Secret
from ..bulk import Journal
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    PlexyPayError,
    UnreadableResponseError,
)
from ..pay.client import AsyncPlexyPay
from ..pay.description import PAY
from ..settings import chosen_base_url
from .account import without_secret
from .amounts import number_told
from .connection import Connection
from .exits import Exit, UnusableInputError, exit_code_of
from .reconciliation import Finding, FindingKind, LinkSum, Reconciliation
from .references import check_references
from .report import tell_table
from .rows import BadRow, Row, open_rows
from .signals import run_until_signal
from .source import Source, reading
from .states_file import StatesFile
from .terminal import drop_output, show, tell
from .torn_rows import CUT_OFF

__all__ = ["ReconcileRun"]

_NEEDED = "a job with a journal needs one on every row"
_NAMES = {
    FindingKind.NO_LINK: "rows without a link",
    FindingKind.NOT_PAYABLE: "rows that nobody can pay",
    FindingKind.NO_ROW: "links without a row",
    FindingKind.TWO_LINKS: "references with two links",
    FindingKind.DIFFERS: "differences",
    FindingKind.CLAIMED: "rows not settled",
    FindingKind.UNREADABLE: "answers not readable",
    FindingKind.INVALID: "invalid rows",
}


@attrs.define(eq=False, kw_only=True)
class ReconcileRun:
    """Compares one input with its journal and account, and writes what differs.

    Args:
        source: The opened input.
        journal_path: The journal, which exists.
        api_key: The merchant's key.
        connection: How the API is reached.
        everything: Whether the account's other links are reported too.
        as_json: Whether findings are written as JSON Lines.
        allow_repeats: Whether rows that repeat others are meant, and so no finding.
        major: Whether the column ``amount`` has **major** units.
        states_path: The new file that the state of each row's link is written to, if one is wanted.
    """

    source: Source
    journal_path: str
    api_key: Secret[str]
    connection: Connection
    everything: bool
    as_json: bool
    allow_repeats: bool = False
    major: bool = False
    states_path: str | None = None
    _is_sandbox: bool | None = attrs.field(init=False, default=None)
    _is_whole: bool = attrs.field(init=False, default=True)
    """Whether nothing shows that rows of the input may be missing, or the last may be a part of one."""

    def execute(self) -> int:
        """Compare, report, and return the exit code.

        Raises:
            UnusableInputError: The input, the journal or the account cannot be used.
        """
        with (
            Reconciliation.open(
                everything=self.everything, allow_repeats=self.allow_repeats
            ) as reconciliation,
            contextlib.ExitStack() as stack,
        ):
            with reading(self.source.name):
                lines = self.source.lines()
                rows = open_rows(lines, self.source.name, major=self.major)
                states = None
                if self.states_path is not None:
                    states = StatesFile(self.states_path, dialect=lines.dialect)
                    # Once it has its name there is nothing to discard.
                    stack.callback(states.discard)
                reconciliation.add_rows(self._looked_at(check_references(rows, required=_NEEDED)))
            if (change := self.source.change()) is not None:
                tell(f"plexypay: {change}: what came later was not compared")
                self._is_whole = False
            received = run_until_signal(self._read_account(reconciliation))
            if received is not None:
                tell("plexypay: stopped before anything was compared")
                return exit_code_of(received)
            try:
                code = self._report(reconciliation)
            except OSError:
                # The states have a place of their own.
                if states is not None:
                    self._has_written(states, reconciliation)
                raise
            if states is not None and not self._has_written(states, reconciliation):
                code = Exit.INCOMPLETE
            return code

    def _looked_at(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        """Yield the rows, and tell of a last one that may be cut."""
        for row in rows:
            if isinstance(row, Row) and row.ends_open:
                tell(f"plexypay: warning: line {row.line}: {CUT_OFF}")
                self._is_whole = not row.may_be_part
            yield row

    async def _read_account(self, reconciliation: Reconciliation) -> None:
        """Add the journal's rows and the account's links."""
        unusable: str | None = None
        try:
            base_url = chosen_base_url(self.connection.base_url, PAY)
            async with AsyncPlexyPay(self.api_key, **self.connection.options()) as client:
                # The journal is free again while the listing, which may be long, is read.
                kept = self._read_journal(reconciliation, base_url)
                if kept is not None:
                    await self._prove_key(client, kept)
                async for link in client.payment_links.list():
                    reconciliation.add_link(link)
                self._is_sandbox = client.is_sandbox
        except ConfigurationError as error:
            unusable = str(error)
        except PlexyPayError as error:
            unusable = f"cannot read the account's links: {without_secret(str(error), self.api_key)}"
        # Not raised in the handler: the other error, whose frames hold the key, would be its context.
        if unusable is not None:
            raise UnusableInputError(unusable)

    def _read_journal(self, reconciliation: Reconciliation, base_url: str) -> str | None:
        """Add the journal's rows. If it was begun with another key, return a link to prove this one with."""
        try:
            with Journal(self.journal_path) as journal:
                journal.open(make=False)
                if not journal.counts():
                    return None
                is_known_key = journal.belongs_to(base_url, self.api_key)
                reconciliation.add_journal(journal.iterate())
                link = None if is_known_key else journal.any_link()
                if not is_known_key and link is None:
                    raise UnusableInputError(
                        f"journal {self.journal_path}: it was begun with another API key, and holds no link"
                        " that could show that this one is of the same account; use the first key"
                    )
                return link
        except sqlite3.Error as error:
            raise UnusableInputError(f"journal {self.journal_path}: {error}") from None

    async def _prove_key(self, client: AsyncPlexyPay, kept: str) -> None:
        with contextlib.suppress(AuthenticationError, PermissionDeniedError, NotFoundError):
            try:
                await client.payment_links.retrieve(kept)
            except UnreadableResponseError as error:
                # The account has it, though not all of it can be read.
                if error.link_id != kept:
                    raise
            return
        raise UnusableInputError(
            f"journal {self.journal_path}: it was begun with another API key, and this one does not find"
            f" its link {kept}"
        )

    def _has_written(self, states: StatesFile, reconciliation: Reconciliation) -> bool:
        """Write the states of the rows; tell whether they are in their file."""
        try:
            for state in reconciliation.states():
                states.write(state)
            states.close()
        except OSError as error:
            tell(f"plexypay: cannot write {states.path}: {error.strerror}")
            return False
        if states.moved is not None:
            tell(f"plexypay: the earlier ones are in {states.moved} now")
        tell(f"plexypay: states: {states.path}")
        return True

    def _report(self, reconciliation: Reconciliation) -> int:
        counts = Counter[FindingKind]()
        if self._is_sandbox:
            tell("plexypay: this is a sandbox's account, not one of Plexy Pay")
        try:
            for finding in reconciliation.findings():
                counts[finding.kind] += 1
                show(printable_json(attrs.asdict(finding)) if self.as_json else self._as_line(finding))
            sums = reconciliation.sums()
            if self.as_json:
                findings = {kind.value: counts[kind] for kind in FindingKind}
                summary = {
                    "kind": "summary",
                    "sandbox": self._is_sandbox,
                    "whole": self._is_whole,
                    **sums,
                    "states": [attrs.asdict(each) for each in reconciliation.link_sums()],
                    "findings": findings,
                }
                show(printable_json(summary))
            else:
                tell_table(
                    ("rows", f"{sums['rows']:,}"),
                    ("  of them repeated", f"{sums['repeated_rows']:,}"),
                    ("rows of the journal", f"{sums['journal_rows']:,}"),
                    ("links of the account", f"{sums['links']:,}"),
                    ("  of other orders", f"{sums['other_links']:,}"),
                    ("  of no row, cancelled or expired", f"{sums['closed_links']:,}"),
                    *(line for each in reconciliation.link_sums() for line in _lines_of(each)),
                    *((name, f"{counts[kind]:,}") for kind, name in _NAMES.items()),
                )
            sys.stdout.flush()
        except BrokenPipeError:
            drop_output()
        return Exit.INCOMPLETE if counts or not self._is_whole else Exit.OK

    def _as_line(self, finding: Finding) -> str:
        place = self.source.name if finding.line is None else f"{self.source.name}:{finding.line}"
        reference = "" if finding.order_reference is None else f" order {finding.order_reference}:"
        return f"{place}: {finding.kind}:{reference} {finding.detail}"


def _lines_of(link_sum: LinkSum) -> list[tuple[str, str]]:
    return [
        (f"links of rows: {link_sum.currency}, {link_sum.status}", f"{link_sum.links:,}"),
        ("  sum", number_told(link_sum.amount, link_sum.currency)),
    ]
