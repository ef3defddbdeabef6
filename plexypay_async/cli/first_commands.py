"""What ``plexypay`` alone says: the commands that a newcomer needs first."""

from __future__ import annotations

__all__ = ["FIRST_COMMANDS"]

FIRST_COMMANDS = """\
usage: plexypay [-h] [--version] COMMAND ...

Three commands to begin with. None of them needs an account.

make a payment link, in a sandbox that ends with the command:
  plexypay pay payment-links create --amount 2200000 --currency KZT --sandbox

turn a file of invoices into payment links, each exactly once:
  plexypay bulk-create examples/links.csv --sandbox

serve a local Plexy Pay, and see in a browser what is in it:
  plexypay sandbox

plexypay --help tells of all commands, plexypay COMMAND --help of one.
"""
