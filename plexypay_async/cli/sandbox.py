"""``plexypay sandbox``: a local Plexy Pay, served until it is stopped."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .arguments import add_address, opening_address, port
from .exits import Exit, UnusableInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..sandbox import Fault, Sandbox

__all__ = ["SUMMARY", "configure", "parse_faults"]

_EXAMPLES = """\
The sandbox speaks the API's HTTP, keeps its state in memory unless --database is given, and moves no money.
Any program in any language can be tested against it. GET /_sandbox lists the paths that pay links, move the
clock and add faults. In a browser, its address shows its links, transactions and webhooks. Webhooks go to the
callbackUrl of a payment's link, else to --webhook-url; to this machine only unless --webhook-host names
another, and there to the ports 3000, 5000, 8000, 8080 and 8791, to that of --webhook-url, and to those of
--webhook-port. The guide is docs/sandbox.md.

On this machine the paths that steer it ask for no key. With a --host that others reach, it makes an API key
and an admin token of its own and prints them, unless they are given. It speaks plain HTTP: whoever is between
reads them.

examples:
  plexypay sandbox
  plexypay sandbox --port 9000 --database sandbox.sqlite
  plexypay sandbox --fault code=1,rate=0.05 --fault cut=after,rate=0.01 --seed 7
  plexypay sandbox --webhook-url http://localhost:8000/webhooks --fault delivery=twice,rate=0.1
  plexypay sandbox --host 0.0.0.0 --allowed-host sandbox
"""


SUMMARY = "serve a local Plexy Pay that needs no account"


def configure(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its description and arguments."""
    parser.description = "Serve a local Plexy Pay until Ctrl-C."
    parser.epilog = _EXAMPLES
    add_address(parser, 8790)
    parser.add_argument(
        "--allowed-host",
        metavar="NAME",
        action="append",
        default=[],
        help="serve requests that call the sandbox by this name too, beside --host and localhost; those of"
        " other names may be sent by a page of the web. May be repeated",
    )
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key that the sandbox accepts; take no real one (default: sandbox-key, and a random one with"
        " a --host that others reach)",
    )
    parser.add_argument(
        "--admin-token",
        metavar="TOKEN",
        help="what the paths that steer the sandbox ask for, as Authorization: Bearer or as the password in a"
        " browser (default: nothing, and a random one with a --host that others reach)",
    )
    parser.add_argument(
        "--database",
        metavar="FILE",
        help="keep all state (links, transactions, wallet, ...) in this SQLite file, across restarts",
    )
    parser.add_argument(
        "--fault",
        metavar="SPEC",
        action="append",
        default=[],
        help="misbehave, such as code=1,rate=0.05 or latency=0.2; may be repeated",
    )
    parser.add_argument(
        "--webhook-url", metavar="URL", help="where webhooks go whose link has no callbackUrl of its own"
    )
    parser.add_argument(
        "--webhook-token",
        metavar="TOKEN",
        help="what webhooks carry as Authorization: Bearer; take no real one (default: the key)",
    )
    parser.add_argument(
        "--checkout-webhook-url",
        metavar="URL",
        help="where webhooks of the Checkout API go (default: --webhook-url)",
    )
    parser.add_argument(
        "--checkout-webhook-secret",
        metavar="SECRET",
        help="what webhooks of the Checkout API are signed with; take no real one (default: one made of the"
        " key)",
    )
    parser.add_argument(
        "--webhook-host",
        metavar="HOST",
        action="append",
        default=[],
        help="deliver to this host too, beside this machine and that of --webhook-url; * is any host."
        " May be repeated",
    )
    parser.add_argument(
        "--webhook-port",
        metavar="PORT",
        type=_webhook_port,
        action="append",
        default=[],
        help="deliver to this port of this machine too; * is any port, that of a database too. May be"
        " repeated",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="make the faults' chances repeatable")
    parser.set_defaults(run=run)


def _webhook_port(text: str) -> int | str:
    return text if text == "*" else port(text)


def parse_faults(specifications: Sequence[str]) -> list[Fault]:
    """Read the faults of a command line.

    Raises:
        UnusableInputError: One of them cannot be read; the message says what is allowed.
    """
    if not specifications:
        return []
    from ..sandbox import Fault

    try:
        return [Fault.parse(specification) for specification in specifications]
    except ValueError as error:
        raise UnusableInputError(f"--fault: {error}") from None


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM, then return 0.

    Raises:
        UnusableInputError: The faults, the address or the database cannot be used.
    """
    faults = parse_faults(arguments.fault)
    import sqlite3

    from ..errors import ConfigurationError
    from ..sandbox import Sandbox
    from .signals import run_until_signal

    try:
        sandbox = Sandbox(
            api_key=arguments.api_key,
            database=arguments.database,
            host=arguments.host,
            port=arguments.port,
            faults=faults,
            seed=arguments.seed,
            webhook_url=arguments.webhook_url,
            webhook_token=arguments.webhook_token,
            checkout_webhook_url=arguments.checkout_webhook_url,
            checkout_webhook_secret=arguments.checkout_webhook_secret,
            webhook_hosts=arguments.webhook_host,
            webhook_ports=arguments.webhook_port,
            allowed_hosts=arguments.allowed_host,
            admin_token=arguments.admin_token,
        )
        with opening_address(arguments, "serve on"):
            run_until_signal(_serve(sandbox, arguments))
    except ConfigurationError as error:
        raise UnusableInputError(str(error)) from None
    except sqlite3.Error as error:
        raise UnusableInputError(f"cannot use the database {arguments.database}: {error}") from None
    return Exit.OK


async def _serve(sandbox: Sandbox, given: argparse.Namespace) -> None:
    import asyncio

    from ..sandbox.site import is_loopback
    from .terminal import STANDARD_OUTPUT, drop_output_that_fails, log_on_one_line, output_is_closed, tell

    log_on_one_line("aiohttp.server")
    # A webhook that is not sent leaves an order unpaid; its program sees nothing of it.
    log_on_one_line("plexypay.sandbox")
    # What is printed may end up in the logs of a container; there, a key that was given is known already.
    is_exposed = not is_loopback(given.host)
    async with sandbox:
        if is_exposed:
            tell(
                f"plexypay: --host {given.host}: others can reach this sandbox, by plain HTTP;"
                " whoever has its admin token steers it"
            )
        of_key = "--api-key" if is_exposed and given.api_key else None
        of_webhooks = "--webhook-token" if given.webhook_token else "--api-key" if given.api_key else None
        lines = [
            f"Plexy Pay sandbox on {sandbox.base_url}; stop it with Ctrl-C. For your program:",
            f"export PLEXYPAY_BASE_URL={sandbox.base_url}",
            _export("PLEXYPAY_API_KEY", sandbox.api_key, of_key),
            _export("PLEXYPAY_WEBHOOK_TOKEN", sandbox.webhook_token, of_webhooks if is_exposed else None),
        ]
        of_secret = "--checkout-webhook-secret" if is_exposed and given.checkout_webhook_secret else None
        if sandbox.admin_token is not None:
            of_token = "--admin-token" if given.admin_token else None
            lines.append(_export("PLEXYPAY_SANDBOX_TOKEN", sandbox.admin_token, of_token))
        lines += [
            f"export PLEXYPAY_CHECKOUT_BASE_URL={sandbox.base_url}",
            _export("PLEXYPAY_CHECKOUT_API_KEY", sandbox.api_key, of_key),
            _export("PLEXYPAY_CHECKOUT_WEBHOOK_SECRET", sandbox.checkout_webhook_secret, of_secret),
        ]
        try:
            # Where standard output is closed, they are as good on standard error.
            print(*lines, sep="\n", file=sys.stderr if output_is_closed() else sys.stdout, flush=True)
        except OSError as error:
            drop_output_that_fails()
            raise UnusableInputError(
                f"cannot write the sandbox's address to {STANDARD_OUTPUT}: {error.strerror}"
            ) from None
        await asyncio.Event().wait()


def _export(variable: str, text: str, given_by: str | None) -> str:
    return f"export {variable}={text}" if given_by is None else f"# {variable} is what {given_by} says"
