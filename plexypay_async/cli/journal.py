"""``plexypay journal``: removes customers' data from the journal of a job."""

from __future__ import annotations

import argparse

from .arguments import number_argument
from .exits import Exit, UnusableInputError

__all__ = ["SUMMARY", "configure"]

SUMMARY = "remove customers' data from the journal of a job that is done"

_DETAILS = """\
A journal keeps what the server answered for each row, with what it says of the customer, for as long as the
file is there. purge removes that for good, also from the file's unused parts and its -wal file.

what is kept:
  of a row that is done    its order reference and number, a digest of its content, its link's id, and when
  of a failed row          the same; the id is that of another order's link with its reference, if one has it.
                           The server's reason is removed, whatever --older-than says
  of a row that is not settled   everything, which is no more than that: the next run has to look it up

The same job can still be run with the journal. A row that was purged is retrieved by its link's id, which
takes a request, and is never created again; where its link cannot be read, it is reported as unknown. What it
is answered with then is not kept.

A journal that a job is using is refused. No request is sent, and no API key is needed.

exit codes:
  0  done
  2  the journal cannot be used

examples:
  plexypay journal purge orders.journal
  plexypay journal purge orders.journal --older-than 30
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its description, and its own commands."""
    parser.description = "Work on the journal of a bulk job."
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    purge = commands.add_parser(
        "purge",
        help=SUMMARY,
        description="Remove customers' data from the journal of a bulk job.",
        epilog=_DETAILS,
    )
    purge.add_argument("file", metavar="FILE", help="the journal that bulk-create was given")
    purge.add_argument(
        "--older-than",
        metavar="DAYS",
        type=number_argument(float, "a number of days from 0 to 100000", lambda days: 0 <= days <= 100_000),
        default=0.0,
        help="only rows that were done so many days ago or before (default: all rows that are done)",
    )
    purge.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code.

    Raises:
        UnusableInputError: The journal cannot be used.
    """
    import sqlite3

    from ..bulk.journal import Journal
    from ..bulk.journal_format import State
    from ..errors import ConfigurationError
    from .report import tell_table
    from .terminal import STANDARD_OUTPUT, drop_output_that_fails, tell

    try:
        with Journal(arguments.file) as journal:
            journal.open(make=False)
            purged = journal.purge(older_than=arguments.older_than)
            counts = journal.counts()
    except ConfigurationError as error:
        raise UnusableInputError(str(error)) from None
    except sqlite3.Error as error:
        raise UnusableInputError(f"journal {arguments.file}: {error}") from None
    # What is done is done: that it cannot be shown does not undo it.
    try:
        tell_table(
            ("rows", f"{sum(counts.values()):,}"),
            ("  of them done", f"{counts.get(State.DONE, 0):,}"),
            ("purged now", f"{purged:,}"),
        )
    except OSError as error:
        drop_output_that_fails()
        tell(f"plexypay: cannot write to {STANDARD_OUTPUT}: {error.strerror}; {purged:,} rows were purged")
    return Exit.OK
