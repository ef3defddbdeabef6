"""What a newcomer needs first: what ``plexypay`` alone says, and a file of invoices to begin with."""

from __future__ import annotations

import os
import shlex

from .exits import UnusableInputError
from .terminal import tell, write_to_any_reader

__all__ = ["FIRST_COMMANDS", "write_example"]

FIRST_COMMANDS = """\
usage: plexypay [-h] [--version] COMMAND ...

Three commands to begin with. None of them needs an account.

make a payment link, in a sandbox that ends with the command:
  plexypay pay payment-links create --amount 2200000 --currency KZT --sandbox

turn a file of invoices into payment links, each exactly once; the first line
writes a small file to begin with:
  plexypay bulk-create invoices.csv --example
  plexypay bulk-create invoices.csv --sandbox

serve a local Plexy Pay, and see in a browser what is in it:
  plexypay sandbox

plexypay --help tells of all commands, plexypay COMMAND --help of one.
"""

EXAMPLE_CSV = """\
order_reference,amount_major,currency,description,expires_at
INV-1001,"22 000,50",KZT,"Desk, oak",2099-12-31T23:59:59+05:00
INV-1002,9 900,KZT,Chair,
INV-1003,149.99,USD,"Lamp, brass",
"""
EXAMPLE_JSON_LINES = """\
{"order_reference": "INV-1001", "amount": 2200050, "currency": "KZT", "expires_at": "2099-12-31T18:59:59Z"}
{"order_reference": "INV-1002", "amount": 990000, "currency": "KZT", "description": "Chair"}
{"order_reference": "INV-1003", "amount": 14999, "currency": "USD", "description": "Lamp, brass"}
"""
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Before CSV, so that a spreadsheet takes it for UTF-8, and saves it so."""


def write_example(path: str) -> None:
    """Write a small file of invoices, for the columns to be seen.

    Args:
        path: The new file, JSON Lines where its name says so, else CSV; ``-`` is standard output.

    Raises:
        UnusableInputError: The file exists, or cannot be made.
    """
    is_csv = not path.lower().endswith((".jsonl", ".ndjson"))
    text = EXAMPLE_CSV if is_csv else EXAMPLE_JSON_LINES
    if path == "-":
        write_to_any_reader(text)
        return
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            file.write(_MARK + text if is_csv else text)
    except FileExistsError:
        raise UnusableInputError(
            f"{path} exists and was left as it is: give the example another name"
        ) from None
    except OSError as error:
        raise UnusableInputError(f"cannot write {path}: {error.strerror}") from None
    command = f"plexypay bulk-create {shlex.quote(path)} --sandbox"
    tell(f"{os.path.basename(path)} has three invoices. Try it with: {command}")
