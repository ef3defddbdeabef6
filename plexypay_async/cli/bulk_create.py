"""``plexypay bulk-create``: a file of rows becomes payment links."""

from __future__ import annotations

import argparse
import os

from .exits import UnusableInputError
from .sandbox import parse_faults

__all__ = ["SUMMARY", "configure"]

_API_KEY_VARIABLE = "PLEXYPAY_API_KEY"

_OTHER_OPEN_FILES = 64
"""What the process has open beside its connections, generously."""

_DETAILS = """\
columns (CSV header or JSON keys; amount and currency are required):
  amount           whole number of minor units: 22 000 KZT is 2200000
  currency         three letters, such as KZT
  description      what the customer reads
  order_reference  your order's reference, unique; it makes a retry safe
  expires_at       date, time and offset, such as 2099-12-31T23:59:59Z
  customer_id      your customer's id at Plexy Pay
  auto_clearing    true or false (also yes, no, 1, 0)
  success_url, failure_url, cancel_url, callback_url
  metadata.NAME    a key of your own (in JSON Lines also an object, metadata)
An empty cell is a field that is not given.

environment:
  PLEXYPAY_API_KEY   your API key, unless --sandbox is given
  PLEXYPAY_BASE_URL  the API's address, unless --base-url is given

exit codes:
  0    every row became a link
  1    some did not (bad rows and unknown outcomes count)
  2    the input or the arguments cannot be used; no request was sent
  130  stopped by Ctrl-C (143: by SIGTERM)

examples:
  plexypay bulk-create examples/links.csv --sandbox
  plexypay bulk-create orders.csv --strict --results links.csv
  plexypay bulk-create orders.jsonl --results links.jsonl --concurrency 20
  plexypay bulk-create orders.csv --sandbox --fault code=1,rate=0.05
  generate-orders | plexypay bulk-create - --results links.jsonl
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
        help="write what became of each row to a new .csv or .jsonl file; in .csv, a text that a spreadsheet"
        " would calculate gets an apostrophe before it",
    )
    parser.add_argument("--strict", action="store_true", help="check all rows before the first request")
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
    parser.add_argument("--base-url", metavar="URL", help="the API's address")
    parser.add_argument(
        "--concurrency",
        metavar="N",
        type=_positive,
        default=50,
        help="links under way at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=600.0,
        help="for one link, all its retries included (default: 600)",
    )
    parser.set_defaults(run=run, parser=parser)


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= number <= 10_000:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 10000, got {text!r}")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code.

    Raises:
        UnusableInputError: Nothing was sent; the message says what to change.
    """
    if arguments.fault and not arguments.sandbox:
        arguments.parser.error("--fault needs --sandbox")
    if arguments.base_url is not None and arguments.sandbox:
        arguments.parser.error("--base-url and --sandbox exclude each other")
    from .bulk_run import BulkRun
    from .results import check_results_path
    from .source import Source

    if arguments.results is not None:
        check_results_path(arguments.results)
        if os.path.lexists(arguments.results):
            raise UnusableInputError(
                f"{arguments.results} exists: results are never overwritten, give another name"
            )
    api_key = None if arguments.sandbox else _api_key()
    faults = parse_faults(arguments.fault)
    _allow_open_files(arguments.concurrency * (2 if arguments.sandbox else 1))
    with Source(arguments.file) as source:
        if arguments.strict:
            source.spool()
        run = BulkRun(
            source,
            api_key=api_key,
            faults=faults,
            base_url=arguments.base_url,
            concurrency=arguments.concurrency,
            timeout=arguments.timeout,
            results_path=arguments.results,
        )
        return run.execute(strict=arguments.strict)


def _api_key() -> str:
    api_key = os.environ.get(_API_KEY_VARIABLE, "")
    if not api_key:
        raise UnusableInputError(
            f"no API key: set the environment variable {_API_KEY_VARIABLE}, or try it with --sandbox"
        )
    return api_key


def _allow_open_files(connections: int) -> None:
    """Raise this process' limit of open files as far as the connections need it."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return
    needed = connections + _OTHER_OPEN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    asked = f"--concurrency: {connections:,} connections need {needed:,} open files"
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UnusableInputError(f"{asked}, and {hard:,} are allowed")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:
        raise UnusableInputError(f"{asked}, and the limit of {soft:,} cannot be raised: {error}") from None
