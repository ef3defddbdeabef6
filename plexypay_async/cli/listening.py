"""The server of ``plexypay listen``: what it answers to deliveries, and how it shows their events."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime

from aiohttp import web

from ..errors import WebhookAuthenticationError, WebhookError
from ..webhooks import MAX_BODY, PaymentOrderEvent, TransactionEvent, WebhookEvent, WebhookReceiver
from .report import drop_output, printable, tell

__all__ = ["listen", "on_one_line", "to_json"]

_GRACE = 0.1
"""Seconds for the requests under way when it ends."""


async def listen(receiver: WebhookReceiver, host: str, port: int, *, as_json: bool) -> None:
    """Show the events of deliveries to this address until it is cancelled, or nobody reads them.

    Raises:
        OSError: The address cannot be opened.
    """
    unread = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        try:
            event = receiver.receive(request.headers, await request.read())
        except WebhookError as error:
            return _refused(
                request, 401 if isinstance(error, WebhookAuthenticationError) else 400, str(error)
            )
        except (ConnectionError, web.RequestPayloadError):
            return _refused(request, 400, "it broke off")
        except web.HTTPRequestEntityTooLarge:
            return _refused(request, 413, f"the body has more than {MAX_BODY} bytes")
        now = datetime.now(UTC)
        try:
            print(to_json(event, now) if as_json else on_one_line(event, now), flush=True)
        except BrokenPipeError:
            drop_output()
            unread.set()
            return web.Response(status=503)
        return web.Response()

    application = web.Application(client_max_size=MAX_BODY + 1)
    application.router.add_post("/{path:.*}", take)
    logger = logging.getLogger("plexypay.listen")
    logger.handlers, logger.propagate = [_OneLine()], False
    runner = web.AppRunner(
        application, access_log=None, logger=logger, handle_signals=False, shutdown_timeout=_GRACE
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        opened = " and ".join(_url(address[0], address[1]) for address in runner.addresses)
        tell(f"plexypay: listening on {opened}; stop with Ctrl-C")
        await unread.wait()
    finally:
        await runner.cleanup()


class _OneLine(logging.Handler):
    """Tells of what is no HTTP without its content, in which the token may be."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line to standard error."""
        kind = record.exc_info and record.exc_info[0]
        tell(f"plexypay: {printable(record.getMessage())}{f' ({kind.__name__})' if kind else ''}")


def _refused(request: web.Request, status: int, reason: str) -> web.Response:
    tell(f"plexypay: refused a delivery from {request.remote} with {status}: {printable(reason)}")
    return web.Response(status=status, text=f"{reason}\n")


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def on_one_line(event: WebhookEvent, now: datetime) -> str:
    """Return what a reader wants to know of an event, without anything that a terminal would obey."""
    words: list[str | None] = [_moment(now), event.name]
    if isinstance(event, TransactionEvent):
        transaction = event.transaction
        words += [transaction.id, transaction.type, transaction.status]
        words += [_text(transaction.amount), transaction.currency]
        words += [transaction.order_reference and f"order {transaction.order_reference}"]
    elif isinstance(event, PaymentOrderEvent):
        order = event.payment_order
        words += [order.id, order.status, _text(order.amount), order.currency]
    else:
        words += ["(unknown to this version; --json shows all of it)"]
    return printable(" ".join(word for word in words if word))


def to_json(event: WebhookEvent, now: datetime) -> str:
    """Return the whole event as one line of JSON, in ASCII."""
    return json.dumps({"received_at": _moment(now), "dedupe_key": event.dedupe_key, "event": event.raw})


def _moment(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


def _text(amount: object) -> str | None:
    return None if amount is None else str(amount)
