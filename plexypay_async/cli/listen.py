"""``plexypay listen``: shows webhooks as they arrive, until it is stopped."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from .arguments import add_address, opening_address
from .exits import Exit, UnusableInputError
from .terminal import require_output

if TYPE_CHECKING:
    from ..webhooks import WebhookReceiver

__all__ = ["SUMMARY", "configure"]

TOKEN_VARIABLE = "PLEXYPAY_WEBHOOK_TOKEN"  # noqa: S105 - a name, no token

_EXAMPLES = f"""\
Every authentic delivery is shown on one line of standard output and then acknowledged with 200, on any path.
What is refused (401 without the token, 400 if it is not an event) is reported on standard error. Amounts are
shown as they came: their unit is ambiguous. Whatever reaches the port may post to it, so it is opened on this
machine only, unless --host says otherwise. The connection of a request that is not complete after 10 seconds
is closed, and so is the oldest of more than 100 connections. The guide is docs/webhooks.md.

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
    add_address(parser, 8791)
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
    from .listening import listen
    from .signals import run_until_signal

    require_output("the events")
    receiver = _receiver(arguments)
    if isinstance(receiver, str):
        raise UnusableInputError(receiver)
    with opening_address(arguments, "listen on"):
        run_until_signal(listen(receiver, arguments.host, arguments.port, as_json=arguments.json))
    return Exit.OK


def _receiver(arguments: argparse.Namespace) -> WebhookReceiver | str:
    """Return what checks the tokens, or why they are unusable: an error would have frames that hold them."""
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
