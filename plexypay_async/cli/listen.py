"""``plexypay listen``: shows webhooks as they come, until it is told to stop."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from .exits import Exit, UnusableInputError
from .sandbox import port

if TYPE_CHECKING:
    from ..webhooks import WebhookReceiver

__all__ = ["SUMMARY", "configure"]

TOKEN_VARIABLE = "PLEXYPAY_WEBHOOK_TOKEN"  # noqa: S105 - a name, no token

_EXAMPLES = f"""\
Every authentic delivery is shown on one line of standard output and then acknowledged with 200, on any path.
What is refused (401 without the token, 400 where it is no event) is told on standard error. Amounts are shown
as they came: their unit is ambiguous. Anything that reaches the port may post to it, so it is opened on this
machine only, unless --host says otherwise. A request that is not whole after 10 seconds is let go, and so is
the oldest of more than 100 connections. The guide is docs/webhooks.md.

environment:
  {TOKEN_VARIABLE}   the token that deliveries carry, unless --token is given

examples:
  {TOKEN_VARIABLE}=... plexypay listen --port 8791
  plexypay listen --token sandbox-token --json | jq .event.data
"""

SUMMARY = "show webhooks as they come"


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its description and arguments."""
    parser.description = "Receive webhooks and show each event, until Ctrl-C."
    parser.epilog = _EXAMPLES
    parser.add_argument("--host", default="127.0.0.1", help="the address to open (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=8791, help="the port, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        action="append",
        default=[],
        help="a token that deliveries carry; it shows in the list of processes, so give a real one by the "
        "environment; may be repeated",
    )
    parser.add_argument(
        "--json", action="store_true", help="show each event as a line of JSON, with all of it"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show events until SIGINT or SIGTERM, or until nobody reads them, then return 0.

    Raises:
        UnusableInputError: There is no usable token, or the address cannot be opened.
    """
    import errno

    from .listening import listen
    from .signals import run_until_signal

    receiver = _receiver(arguments)
    if isinstance(receiver, str):
        raise UnusableInputError(receiver)
    try:
        run_until_signal(listen(receiver, arguments.host, arguments.port, as_json=arguments.json))
    except OSError as error:
        told = f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            told += "; choose another --port, or 0 for a free one"
        raise UnusableInputError(told) from None
    except UnicodeError:
        raise UnusableInputError(f"--host {arguments.host}: this is no host's name") from None
    return Exit.OK


def _receiver(arguments: argparse.Namespace) -> WebhookReceiver | str:
    """Take the tokens out of the arguments into a receiver; return what is wrong with them, if anything."""
    from ..errors import ConfigurationError
    from ..webhooks import WebhookReceiver

    tokens, arguments.token = arguments.token, []
    if not tokens:
        tokens = [given] if (given := os.environ.get(TOKEN_VARIABLE)) else []
    if not tokens:
        return f"no token: set the environment variable {TOKEN_VARIABLE}, or give --token"
    try:
        return WebhookReceiver(tokens)
    except ConfigurationError as error:
        return str(error)
