"""``plexypay bulk-create``: makes a payment link of every row of a file."""

from __future__ import annotations

import argparse
import os

from .account import ENVIRONMENT, api_key_from_environment
from .arguments import add_amounts, digits, number_argument
from .connection import Connection, add_connection, given_beside_sandbox, given_options
from .exits import Exit, UnusableInputError
from .first_commands import write_example
from .open_files import allow_open_files
from .sandbox import parse_faults
from .terminal import require_output

__all__ = ["SUMMARY", "configure"]

_DETAILS = f"""\
columns (CSV header or JSON keys; amount and currency are required):
  amount           whole number of minor units: 22 000 KZT is 2200000; see below for --amounts major
  amount_major     in its place, major units as people write them: 22 000,50 or 22000.50
  currency         three letters, such as KZT
  description      what the customer reads
  order_reference  your order's reference, unique; it makes a retry safe, and is required: see below
  expires_at       date, time and offset, such as 2099-12-31T23:59:59Z
  customer_id      your customer's id at Plexy Pay
  auto_clearing    true or false (also yes, no, 1, 0)
  validation       true or false; sent as it is
  success_url, failure_url, cancel_url, callback_url
  metadata.NAME    a key of your own
  recurring.type, recurring.frequency, recurring.expiry, recurring.parent_transaction_id
  extra.NAME       a further field of the request, under its name at Plexy Pay
In JSON Lines, metadata, recurring and extra may also be objects. An empty cell is a field that is not given.

amounts:
  With --amounts major, the column amount has major units, as amount_major does: with a point or a comma
  before the decimals, thousands parted by spaces or apostrophes, and the row's currency beside the number,
  as its code or as a sign that no other currency has (22 000,50 KZT, 22 000,50 ₸). Nothing is rounded: more
  decimals than the currency has, and what can be read in two ways (1,000), make a bad row. reconcile needs
  the same option. How amounts are read is told with an example of the file, and of a column amount in which
  some look like major units and others are whole numbers, one line of each is named.

order references:
  Without an order reference on every row, running the file again makes every link a second time: a file
  without the column, or a row without one, is refused unless --no-references says that it is meant.
  A spreadsheet's errors (#N/A, nan) and shortened numbers (1.23457E+12) are no references: format the column
  as text and export again. Texts with characters that are not seen are refused too. The marks of a text,
  ="..." and a leading apostrophe, are taken off, so is white space at the ends, and letters that can be
  written in two ways are brought into Unicode's form NFC.
  A row that repeats an earlier one, reference and data, gets no link of its own: such rows are counted, and
  the exit code is 1, unless --allow-repeats says that they are meant.
  A spreadsheet drops zeros at the front: two references of digits that differ in those alone are warned of.
  With a journal that knows one spelling, a row with another, which the file has not before, is a bad row.

before the first request:
  At a terminal, what --check tells of the file is shown, and the job begins once you have answered its
  question with y or yes. Anything else ends it with exit code 2, and nothing was sent; so does a file that
  changes before the answer. --yes begins at once. Nothing is asked where standard input or standard error is
  no terminal, as in pipes and cron, of an input that is no file, or with --sandbox.

results:
  What became of each row, with the link's id and url, is written beside the input: orders.results.csv for
  orders.csv, orders.results.jsonl for orders.jsonl. Of standard input and pipes, and with --results -, it
  goes to standard output, and all else to standard error. Nothing is written with --sandbox alone, whose
  links end with it. CSV has the input's separator and byte-order mark; a text that a spreadsheet would
  calculate has apostrophes in it. Earlier results beside the input are renamed to orders.results.1.csv;
  where no row of a run has a link they stay, and that run's have this name.
  A file has the rows in the order of the input once the run has ended; until then, and on standard output,
  they are in the order in which they ended. The columns amount_major, currency and description are the row's.

  outcome     what became of the row
  created     there is a new link
  recovered   its link was there, and was found again by the order reference
  journal     an earlier run with this journal has made its link; whether it can still be paid, reconcile says
  repeated    it repeats an earlier row, and has the link of that
  failed      there is no link; error_message says why
  unknown     there may be a link: run the same file again
  invalid     the row was bad, and nothing was sent for it

  Running the same file again finds the links again: a row that is refused because its order reference exists
  is looked up. With the same amount and currency it is "recovered", with its url; with others it failed.

journal:
  With --journal FILE a job can be stopped, or killed, and run again: the same command goes on where it
  stopped, and creates each order reference once. Rows that are done come from the journal without a
  request, rows that may have been sent are looked for first, failed ones are tried again. Every row then
  needs an order_reference. An equal row with the same reference is reported with the same link; one with
  other content is refused: cancel the link of before first, since it may still be paid. A journal belongs to
  one account and one address of the API. Results belong to the journal that wrote them: it knows them by
  their digest, so another journal replaces none of them, and those that were changed since are left too,
  unless --overwrite is given.

A job ends early if no row could become a link: the key is refused, the server's certificate cannot be
verified, or the address is not the API's. Rows that were read and not sent are "failed" in the results, and
say so; the rows after them are not in the file.

Ctrl-C and SIGTERM end it within a second; with a journal they first finish what is under way, for 10
seconds at the most, unless they come again. What then has no answer is "unknown" in the results where its
request was sent; what had only waited for its turn, or for a connection, is "failed", and says "not sent".

{ENVIRONMENT.format(unless=", unless --sandbox is given")}
exit codes:
  0    every row became a link
  1    some did not (bad rows and unknown outcomes count), rows repeat others, or the last may be cut
  2    the input or the arguments cannot be used; no request was sent
  130  stopped by Ctrl-C (143: by SIGTERM)

exit codes of --check:
  0    every row could be sent
  1    some could not, or repeat others (unless --allow-repeats is given), the last line does not end, so that
       its last cell may be cut, or the file changed meanwhile; what is only warned of does not count
  2    the input or the arguments cannot be used, or there is no row

examples:
  plexypay bulk-create invoices.csv --example
  plexypay bulk-create invoices.csv --sandbox
  plexypay bulk-create orders.csv --check
  plexypay bulk-create orders.csv --strict
  plexypay bulk-create orders.jsonl --results links.jsonl --concurrency 20
  plexypay bulk-create orders.csv --sandbox --fault code=1,rate=0.05
  plexypay bulk-create orders.csv --journal orders.journal --results links.csv
  generate-orders | plexypay bulk-create - > links.jsonl
"""


SUMMARY = "create a payment link for every row of a CSV or JSON Lines file"


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its description and arguments."""
    parser.description = "Create a payment link for every row of a CSV or JSON Lines file."
    parser.epilog = _DETAILS
    parser.add_argument(
        "file",
        metavar="FILE",
        help="UTF-8 CSV (comma or semicolon) or JSON Lines (.jsonl, .ndjson); - reads standard input",
    )
    parser.add_argument(
        "--results",
        metavar="FILE",
        help="write what became of each row to this new .csv or .jsonl file, and not beside the input; - is"
        " standard output. With --journal, what its runs have left there is replaced. Until the run ends, it"
        " is beside that as a .part file",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="let --results FILE replace those of another job, or ones that were changed since; with --check"
        " none that have links",
    )
    parser.add_argument(
        "--journal",
        metavar="FILE",
        help="keep what is done in this file, so that the same command can be run again; needs an"
        " order_reference on every row",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a job: refuse to start where the journal is not there yet (without this, a job"
        " goes on where its journal is there, and begins where it is not)",
    )
    add_amounts(parser)
    parser.add_argument("--strict", action="store_true", help="check all rows before the first request")
    parser.add_argument(
        "--check",
        action="store_true",
        help="send nothing: read every row, and tell bad and repeated rows, sums, smallest and largest"
        " amounts, and expiries; needs no account. With --results FILE all bad and repeated rows are written"
        " there",
    )
    parser.add_argument(
        "--example",
        action="store_true",
        help="send nothing: write a small example of such a file to FILE, which must not be there yet",
    )
    parser.add_argument(
        "-y",
        "--yes",
        action="store_true",
        help="begin without asking: else, of a file given at a terminal, what --check tells is shown, and"
        " nothing is sent unless you agree",
    )
    parser.add_argument(
        "--no-references",
        action="store_true",
        help="take rows without an order_reference: running the file again makes each of their links a second"
        " time",
    )
    parser.add_argument(
        "--allow-repeats",
        action="store_true",
        help="take rows that repeat an earlier one, reference and data, as meant: each gets the link of the"
        " first",
    )
    parser.add_argument(
        "--sandbox", action="store_true", help="try it on a Plexy Pay inside this process; needs no account"
    )
    parser.add_argument(
        "--fault",
        metavar="SPEC",
        action="append",
        default=[],
        help="with --sandbox: let it misbehave, such as code=1,rate=0.05; may be repeated",
    )
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=number_argument(digits, "a whole number from 1 to 10000", lambda number: 1 <= number <= 10_000),
        help="links under way at a time; unless given, it adapts to what the server takes",
    )
    parser.add_argument(
        "--rate",
        metavar="R",
        type=number_argument(float, "a number of requests per second above 0", _is_above_0),
        help="requests per second at the most; unless given, as many as the server takes",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=number_argument(float, "a number of seconds above 0", _is_above_0),
        default=600.0,
        help="for one link, all its retries included (default: 600)",
    )
    add_connection(parser)
    parser.set_defaults(run=run)


def _is_above_0(number: float) -> bool:
    return 0 < number < float("inf")


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code.

    Raises:
        UnusableInputError: Nothing was sent; the message says what to change.
    """
    if arguments.example:
        for other in ("check", "journal", "results", "sandbox"):
            if getattr(arguments, other):
                arguments.parser.error(
                    f"--example and --{other} exclude each other: first it writes the file"
                )
        write_example(arguments.file)
        return Exit.OK
    if arguments.fault and not arguments.sandbox:
        arguments.parser.error("--fault needs --sandbox")
    if arguments.sandbox and (option := given_beside_sandbox(arguments)) is not None:
        arguments.parser.error(f"{option} and --sandbox exclude each other")
    connection = Connection.of(arguments)
    if arguments.overwrite and arguments.results in (None, "-"):
        arguments.parser.error("--overwrite needs --results FILE")
    if arguments.resume and arguments.journal is None:
        arguments.parser.error("--resume needs --journal")
    if arguments.no_references and arguments.journal is not None:
        arguments.parser.error(
            "--no-references and --journal exclude each other: a journal knows a row by its order_reference"
        )
    if arguments.journal is not None and arguments.sandbox:
        arguments.parser.error(
            "--journal and --sandbox exclude each other: the sandbox of this process ends with it. Serve one"
            " with plexypay sandbox --database FILE, and give its address with --base-url"
        )
    from .bulk_run import MOST_ADAPTIVE, BulkRun
    from .confirmation import Confirmation
    from .source import Source

    api_key, most = None, MOST_ADAPTIVE
    if arguments.check:
        require_output("what the file holds")
    if not arguments.check:
        _check_paths(arguments)
        if not arguments.sandbox:
            api_key = api_key_from_environment(otherwise=", or try it with --sandbox")
        most = allow_open_files(
            arguments.concurrency, adaptive=MOST_ADAPTIVE, per_link=2 if arguments.sandbox else 1
        )
    faults = parse_faults(arguments.fault)
    with Source(arguments.file) as source:
        confirmation = None
        if not (arguments.check or arguments.sandbox or arguments.yes):
            confirmation = Confirmation.at_terminal(
                source, base_url=connection.base_url, journal_path=arguments.journal
            )
        if arguments.strict or (arguments.allow_repeats and arguments.journal is None):
            source.spool()
        run = BulkRun(
            source=source,
            api_key=api_key,
            faults=faults,
            connection=connection,
            concurrency=arguments.concurrency,
            most_adaptive=most,
            max_rate=arguments.rate,
            timeout=arguments.timeout,
            results_path=arguments.results,
            overwrite=arguments.overwrite,
            journal_path=arguments.journal,
            no_references=arguments.no_references,
            allow_repeats=arguments.allow_repeats,
            major=arguments.amounts == "major",
            same_server=given_options(arguments),
        )
        if arguments.check:
            return run.check()
        return run.execute(
            strict=arguments.strict, confirm=None if confirmation is None else confirmation.confirm
        )


def _check_paths(arguments: argparse.Namespace) -> None:
    """Refuse files that must not be written, or are not there although they should be."""
    from .results import check_results_path

    journal, results = arguments.journal, arguments.results
    if arguments.resume and not os.path.exists(journal):
        raise UnusableInputError(
            f"--resume: there is no journal {journal}: correct its name, or begin it without --resume"
        )
    if results in (None, "-"):
        return
    for other in () if journal is None else (arguments.file, journal):
        if os.path.realpath(results) == os.path.realpath(other):
            raise UnusableInputError(f"--results {results} is the name of another of the job's files")
    check_results_path(results, rewrite=journal is not None or arguments.overwrite)
