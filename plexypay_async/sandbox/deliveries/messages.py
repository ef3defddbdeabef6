"""What the webhook of a change is: its name, its body, and the address that it goes to.

Evidence: names and bodies are published. Ids of other objects are written as ``{"Value": "..."}``, as
published; plain strings are observed too. Which changes are told is assumed: each state that has a
published name, so not ``3d``; of a refund its own transaction, and the payment too once nothing of it is
left. A payment order knows no link, so its webhooks go to the default address alone.
"""

from __future__ import annotations

from typing import Any

import attrs
import orjson

from ..handlers.records import MERCHANT_ID
from ..state.links import LinkStore
from ..state.settlement_orders import StoredSettlementOrder
from ..state.transactions import StoredTransaction

__all__ = ["WebhookEvent", "callback_url", "order_event", "transaction_event"]

_TOLD = frozenset({"created", "authorized", "rejected", "failed", "charged", "cancelled", "refunded"})
_WRAPPED = ("paymentLinkId", "paymentSessionId", "cardTokenId", "customerId")


@attrs.frozen
class WebhookEvent:
    """One change that is told."""

    name: str
    """Such as ``transaction.charged``."""
    subject: str
    """What it is about: webhooks of one subject are delivered one after the other."""
    body: bytes


def transaction_event(transaction: StoredTransaction) -> WebhookEvent | None:
    """Return what is told of a transaction's new state; None for one that no webhook tells."""
    if transaction.status not in _TOLD:
        return None
    data = transaction.whole()
    for key in _WRAPPED:
        if data[key] is not None:
            data[key] = {"Value": data[key]}
    name = f"transaction.{transaction.status}"
    subject = transaction.id
    if transaction.type == "refund" and transaction.parent_id is not None:
        subject = transaction.parent_id
    return WebhookEvent(name, subject, orjson.dumps({"name": name, "merchantId": MERCHANT_ID, "data": data}))


def order_event(order: StoredSettlementOrder) -> WebhookEvent:
    """Return what is told of a settlement payment order's new state."""
    data = order.shown(MERCHANT_ID)
    del data["id"]
    name = f"payment_order.{order.status}"
    return WebhookEvent(
        name, order.id, orjson.dumps({"name": name, "merchant_id": MERCHANT_ID, "data": data})
    )


def callback_url(transaction: StoredTransaction, links: LinkStore) -> str | None:
    """Return the address that the transaction's link wants to be called at."""
    if transaction.payment_link_id is None:
        return None
    link = links.find(transaction.payment_link_id)
    if link is None or link.metadata is None:
        return None
    metadata: Any = orjson.loads(link.metadata)
    url = metadata.get("callbackUrl")
    return url if isinstance(url, str) and url else None
