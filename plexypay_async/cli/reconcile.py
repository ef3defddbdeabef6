"""``plexypay reconcile``: compares a file of rows, its journal and the account's links."""

from __future__ import annotations

import argparse
import os

from .account import ENVIRONMENT, api_key_from_environment
from .arguments import add_amounts
from .connection import Connection, add_connection
from .exits import UnusableInputError
from .terminal import require_output

__all__ = ["SUMMARY", "configure"]

_DETAILS = f"""\
what is reported:
  no-link         a row without a link
  not-payable     a row whose only links are cancelled or expired, so that nobody can pay it, although
                  bulk-create still has them from the journal; a link that was paid is no finding
  no-row          a link of this journal whose order reference is in no row of the file; one that is cancelled
                  or expired only with --all
  other-link      with --all: a link of another order, in neither the file nor the journal; else these are
                  only counted
  two-links       an order reference with more than one link; while two of them are active, a customer
                  may pay twice
  differs         an amount, a currency or a link's id that is not the same in row, journal and account
  claimed         a row of the journal that may have been sent and is not settled: run bulk-create again with
                  this journal
  unreadable      an answer kept in the journal whose id, amount or currency cannot be read, so that only the
                  row and the account are compared: look at the link
  invalid         a row that cannot be read or has no order_reference, and so cannot be compared
  repeated        a row that repeats an earlier one, order reference and data, and so has no link of its
                  own; not reported with --allow-repeats

Order references are compared as bulk-create reads them from a file: without the marks of a text, white space
at the ends and characters that are not seen, and in Unicode's form NFC. Links whose references differ in
these alone are links of one order.

Amounts are told in major units, such as 77,000.00 KZT; "amounts" and "amount" of --json are minor units. In
the file, the column amount has minor units too, unless --amounts major is given, as it was to bulk-create.
Nothing is changed: not the account, and not a row of the journal. A journal
that a job is using is refused; so run this when the job has ended.

who has paid:
  The table has the number and the sum of the rows' links for each currency and status: active, paid, expired,
  cancelled, or another that the API has. --states FILE writes a line for each row of the file, in its order:
  line, order_reference, amount_major, currency, status, link_id, links (how many the order reference has;
  the status is that of one that is paid, else active) and repeats (the line of the row that this one repeats:
  count its payment once). The amounts in it are the rows' own; an invalid row has none. A refund does not
  change a link's status: look for it in the transactions. The addresses of links are not in a listing: they
  are in bulk-create's results.

output:
  One line for each finding, then a table of sums. With --json one object per line: for each finding "kind",
  "line", "order_reference", "detail", "amounts" and "links" (id, status, amount, currency); at last one
  of kind "summary" with the sums, those by currency and status in "states" (links, amount), in "sandbox"
  whether the account is one of a sandbox, and in "whole" false where the file may have been cut, or has
  changed. What is not known is null or empty.

{ENVIRONMENT.format(unless="")}
exit codes:
  0  nothing to report
  1  something is reported, or the file may have been cut, or has changed while it was read
  2  the input, the journal or the account cannot be used

examples:
  plexypay reconcile orders.csv --journal orders.journal
  plexypay reconcile orders.csv --journal orders.journal --states orders.states.csv
  plexypay reconcile orders.csv --journal orders.journal --json > findings.jsonl
"""

SUMMARY = "compare a file of rows and its journal with the account's links"


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its description and arguments."""
    parser.description = "Compare a file of rows and its journal with the account's payment links."
    parser.epilog = _DETAILS
    parser.add_argument(
        "file", metavar="FILE", help="the file that bulk-create was given; - is standard input"
    )
    parser.add_argument(
        "--journal", metavar="FILE", required=True, help="the journal that bulk-create was given"
    )
    add_amounts(parser)
    parser.add_argument(
        "--states",
        metavar="FILE",
        help="write the status of each row's link to this new .csv or .jsonl file: who has paid, and who has"
        " not",
    )
    parser.add_argument("--json", action="store_true", help="write one JSON object per line")
    parser.add_argument(
        "--all", action="store_true", help="report the account's other links too, not only their number"
    )
    parser.add_argument(
        "--allow-repeats", action="store_true", help="take rows that repeat an earlier one as meant"
    )
    add_connection(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code.

    Raises:
        UnusableInputError: The input, the journal or the account cannot be used.
    """
    from .reconcile_run import ReconcileRun
    from .source import Source
    from .states_file import StatesFile

    connection = Connection.of(arguments)
    require_output("what differs")
    if arguments.states is not None:
        StatesFile.check(arguments.states)
    if not os.path.exists(arguments.journal):
        raise UnusableInputError(f"there is no journal {arguments.journal}")
    api_key = api_key_from_environment()
    with Source(arguments.file) as source:
        run = ReconcileRun(
            source=source,
            journal_path=arguments.journal,
            api_key=api_key,
            connection=connection,
            everything=arguments.all,
            as_json=arguments.json,
            allow_repeats=arguments.allow_repeats,
            major=arguments.amounts == "major",
            states_path=arguments.states,
        )
        return run.execute()
