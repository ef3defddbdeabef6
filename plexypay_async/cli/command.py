"""The command line itself: its arguments, and the choice of the command that they name.

Nothing here or in the modules of the commands imports more than the standard library until a command runs,
so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

from . import bulk_create, journal, listen, operations, reconcile, sandbox
from .exits import Exit, LostOutputError, UnusableInputError, exit_code_of, system_error
from .first_commands import FIRST_COMMANDS
from .open_files import require_open_files, too_many_open_files
from .parser import Parser
from .terminal import (
    drop_errors_that_fail,
    drop_output_that_fails,
    open_streams,
    tell,
    write_to_any_reader,
)

__all__ = ["build_parser", "main"]

_MISSING_EXTRA = """plexypay: the command line needs the extra "cli": pip install 'plexypay[cli]'"""

_EXAMPLES = """\
examples:
  plexypay bulk-create invoices.csv --example
  plexypay bulk-create invoices.csv --sandbox
  PLEXYPAY_API_KEY=... plexypay bulk-create orders.csv --results links.csv
  plexypay reconcile orders.csv --journal orders.journal
  plexypay journal purge orders.journal
  plexypay sandbox --fault code=1,rate=0.05
  plexypay pay payment-links create --amount 2200000 --currency KZT --sandbox
  PLEXYPAY_WEBHOOK_TOKEN=... plexypay listen --port 8791

exit codes:
  0  everything was done
  1  some of it was not
  2  the arguments or the input cannot be used; no request was sent
  3  one operation may have been done: look before doing it again
"""


class _ShowVersion(argparse.Action):
    """Print the installed version; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        write_to_any_reader(f"plexypay {version('plexypay')}\n")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; the chosen command is in `run` of its result."""
    parser = Parser(
        prog="plexypay",
        description="Plexy Pay from the command line: payment links in bulk, each exactly once, and every"
        " operation of the vendor's APIs.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in (
        ("bulk-create", bulk_create),
        ("reconcile", reconcile),
        ("journal", journal),
        ("sandbox", sandbox),
        ("listen", listen),
    ):
        subparser = commands.add_parser(name, help=command.SUMMARY)
        command.configure(subparser)
    operations.add_apis(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after the program's name; those of the process unless given.

    Raises:
        SystemExit: After ``--help`` and ``--version`` (0), and for arguments that cannot be used (2).
    """
    open_streams()
    try:
        code = _run(argv)
    except SystemExit:
        # --help or --version, or arguments that cannot be used.
        _tell_lost_output()
        raise
    else:
        _tell_lost_output()
        return code
    finally:
        drop_errors_that_fail()


def _tell_lost_output() -> None:
    """Tell, before Python does at exit, that standard output cannot be written; no reader is no failure."""
    failed = drop_output_that_fails()
    if failed is not None and not isinstance(failed, BrokenPipeError):
        tell(f"plexypay: {LostOutputError(failed.errno, failed.strerror)}")


def _run(argv: Sequence[str] | None) -> int:
    try:
        if not (sys.argv[1:] if argv is None else argv):
            for line in FIRST_COMMANDS.splitlines():
                tell(line)
            return Exit.UNUSABLE
        arguments = build_parser().parse_args(argv)
        if importlib.util.find_spec("rich") is None:
            tell(_MISSING_EXTRA)
            return Exit.UNUSABLE
        require_open_files()
        return int(arguments.run(arguments))
    except UnusableInputError as error:
        tell(f"plexypay: {error}")
        return Exit.UNUSABLE
    except Exception as error:
        told = too_many_open_files(error) or system_error(error)
        if told is None:
            raise
        failed = drop_output_that_fails()
        if failed is not None and isinstance(error, OSError) and error.errno == failed.errno:
            told = str(LostOutputError(failed.errno, failed.strerror))
        tell(f"plexypay: {told}")
        return Exit.UNUSABLE
    except KeyboardInterrupt:
        import signal

        tell("plexypay: stopped by Ctrl-C before the first request")
        return exit_code_of(signal.SIGINT)
