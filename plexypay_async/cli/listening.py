"""The server of ``plexypay listen``: what it answers to deliveries, and how it shows their events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web

from .._privacy.printable import printable_json
from ..errors import WebhookAuthenticationError, WebhookError
from ..webhooks import PaymentOrderEvent, TransactionEvent, WebhookEvent, WebhookReceiver
from ..webhooks.payloads import MAX_BODY
from .connections import Connections
from .terminal import drop_output, show, tell

__all__ = ["listen", "log_on_one_line", "on_one_line", "to_json"]

_GRACE = 0.1
"""Seconds for the requests under way when it ends."""


async def listen(
    receiver: WebhookReceiver,
    host: str,
    port: int,
    *,
    as_json: bool,
    limit: int = 100,
    timeout: float = 10.0,
) -> None:
    """Show the events of deliveries to this address until it is cancelled, or nobody reads them.

    Args:
        receiver: What authenticates the deliveries and reads their events.
        host: The address to open.
        port: Its port; 0 is any free one.
        as_json: Whether an event is shown as a line of JSON.
        limit: How many connections are held; one more takes the place of the oldest.
        timeout: Seconds after which a connection is let go, with its request whole or not.

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
            show(to_json(event, now) if as_json else on_one_line(event, now), flush=True)
        except BrokenPipeError:
            drop_output()
            unread.set()
            return web.Response(status=503)
        return web.Response()

    application = web.Application(client_max_size=MAX_BODY + 1, middlewares=[_one_request])
    application.router.add_post("/{path:.*}", take)
    log_on_one_line("aiohttp.server")
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_GRACE)
    await runner.setup()
    assert runner.server is not None  # noqa: S101
    serve = Connections(limit=limit, timeout=timeout).bounded(runner.server)
    try:
        # Leaving it closes the port.
        async with _opened(serve, host, port) as addresses:
            opened = " and ".join(_url(address[0], address[1]) for address in addresses)
            tell(f"plexypay: listening on {opened}; stop with Ctrl-C")
            await unread.wait()
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _opened(
    serve: Callable[[], asyncio.Protocol], host: str, port: int
) -> AsyncGenerator[list[tuple[str, int]]]:
    server = await asyncio.get_running_loop().create_server(serve, host, port)
    try:
        yield [each.getsockname() for each in server.sockets]
    finally:
        # Without waiting: from Python 3.12 on that would be for the connections, too.
        server.close()


@web.middleware
async def _one_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Close a connection after its answer, so that its time is that of one request."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        refused.force_close()
        raise
    response.force_close()
    return response


def log_on_one_line(name: str) -> None:
    """Write what a logger is told to standard error, a line for each record and no traceback."""
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [OneLineHandler()], False


class OneLineHandler(logging.Handler):
    """Tells of what is no HTTP without its content, in which the token may be."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line to standard error."""
        kind = record.exc_info and record.exc_info[0]
        tell(f"plexypay: {record.getMessage()}{f' ({kind.__name__})' if kind else ''}")


def _refused(request: web.Request, status: int, reason: str) -> web.Response:
    tell(f"plexypay: refused a delivery from {request.remote} with {status}: {reason}")
    return web.Response(status=status, text=f"{reason}\n")


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def on_one_line(event: WebhookEvent, now: datetime) -> str:
    """Return what a reader wants to know of an event."""
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
    return " ".join(word for word in words if word)


def to_json(event: WebhookEvent, now: datetime) -> str:
    """Return the whole event as one line of JSON, in ASCII."""
    document = {"received_at": _moment(now), "dedupe_key": event.dedupe_key, "event": event.raw}
    return printable_json(document, in_ascii=True)


def _moment(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


def _text(amount: object) -> str | None:
    return None if amount is None else str(amount)
