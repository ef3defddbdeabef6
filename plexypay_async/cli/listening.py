"""What ``plexypay listen`` shows of the events that are delivered to it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from .._privacy.printable import printable_json
from ..sandbox.listener import webhook_listener
from ..webhooks import PaymentOrderEvent, TransactionEvent, WebhookEvent, WebhookReceiver
from .terminal import drop_output, log_on_one_line, show, tell

__all__ = ["listen", "on_one_line", "to_json"]


async def listen(receiver: WebhookReceiver, host: str, port: int, *, as_json: bool) -> None:
    """Show the events of deliveries to this address until it is cancelled, or nobody reads them.

    Args:
        receiver: What authenticates the deliveries and reads their events.
        host: The address to open.
        port: Its port; 0 is any free one.
        as_json: Whether an event is shown as a line of JSON.

    Raises:
        OSError: The address cannot be opened.
    """
    unread = asyncio.Event()

    def show_event(event: WebhookEvent) -> bool:
        now = datetime.now(UTC)
        try:
            show(to_json(event, now) if as_json else on_one_line(event, now), flush=True)
        except BrokenPipeError:
            drop_output()
            unread.set()
        return not unread.is_set()

    log_on_one_line("aiohttp.server")
    async with webhook_listener(
        receiver, host, port, take=show_event, tell=lambda text: tell(f"plexypay: {text}")
    ) as opened:
        tell(f"plexypay: listening on {' and '.join(opened)}; stop with Ctrl-C")
        await unread.wait()


def on_one_line(event: WebhookEvent, now: datetime) -> str:
    """Return what a reader wants to know of an event."""
    words: list[object] = [_moment(now), event.name]
    if isinstance(event, TransactionEvent):
        transaction = event.transaction
        words += [transaction.id, transaction.type, transaction.status]
        words += [transaction.amount, transaction.currency]
        words += [transaction.order_reference and f"order {transaction.order_reference}"]
    elif isinstance(event, PaymentOrderEvent):
        order = event.payment_order
        words += [order.id, order.status, order.amount, order.currency]
    else:
        words += ["(unknown to this version; --json shows all of it)"]
    return " ".join(str(word) for word in words if word not in (None, ""))


def to_json(event: WebhookEvent, now: datetime) -> str:
    """Return the whole event as one line of JSON, in ASCII."""
    document = {"received_at": _moment(now), "dedupe_key": event.dedupe_key, "event": event.raw}
    return printable_json(document, in_ascii=True)


def _moment(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"
