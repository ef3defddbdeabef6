"""What the webhook of a change is: its name, its body, and the address that it goes to.

Evidence: names and bodies are published. Ids of other objects are written as ``{"Value": "..."}``, as
published; plain strings are observed too. Which changes are told is assumed: each state that has a
published name, so not ``3d``; of a refund its own transaction, and the payment too once nothing of it is
left. A payment order knows no link, so its webhooks go to the default address alone.
"""

from __future__ import annotations

import attrs
import orjson

from ..state.links import LinkStore
from ..state.settlement_orders import MERCHANT_ID, StoredSettlementOrder
from ..state.state import Changed
from ..state.transactions import StoredTransaction

__all__ = ["WebhookMessage", "callback_url", "message_of"]

_TOLD = frozenset({"created", "authorized", "rejected", "failed", "charged", "cancelled", "refunded"})
_WRAPPED = ("paymentLinkId", "paymentSessionId", "cardTokenId", "customerId")


@attrs.frozen
class WebhookMessage:
    """One change that is told."""

    name: str
    """Such as ``transaction.charged``."""
    subject: str
    """What it is about: webhooks of one subject are delivered one after the other."""
    body: bytes


def message_of(changed: Changed) -> WebhookMessage | None:
    """Return what is told of something that has entered another state; None if no webhook tells it."""
    if isinstance(changed, StoredSettlementOrder):
        return _of_order(changed)
    return _of_transaction(changed) if changed.status in _TOLD else None


def callback_url(changed: Changed, links: LinkStore) -> str | None:
    """Return the address at which the link of a transaction wants to be called."""
    if isinstance(changed, StoredSettlementOrder) or changed.payment_link_id is None:
        return None
    link = links.find(changed.payment_link_id)
    return None if link is None else link.text_of_metadata("callbackUrl")


def _of_transaction(transaction: StoredTransaction) -> WebhookMessage:
    data = transaction.whole()
    for key in _WRAPPED:
        if data[key] is not None:
            data[key] = {"Value": data[key]}
    name = f"transaction.{transaction.status}"
    subject = transaction.id
    if transaction.type == "refund" and transaction.parent_id is not None:
        subject = transaction.parent_id
    body = orjson.dumps({"name": name, "merchantId": MERCHANT_ID, "data": data})
    return WebhookMessage(name, subject, body)


def _of_order(order: StoredSettlementOrder) -> WebhookMessage:
    data = order.shown()
    del data["id"]
    name = f"payment_order.{order.status}"
    body = orjson.dumps({"name": name, "merchant_id": MERCHANT_ID, "data": data})
    return WebhookMessage(name, order.id, body)
