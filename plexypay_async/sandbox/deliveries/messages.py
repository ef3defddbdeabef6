"""The webhook that tells of a change: its name, its body, and the address to which it goes.

Evidence: names and bodies are published. Ids of other objects are written as ``{"Value": "..."}``, as
published; plain strings are observed too. Which changes have a webhook is assumed: all states with a
published name, so not ``3d``. A refund has one for its own transaction, and one for the payment when nothing
of it is left. A payment order belongs to no link, so its webhooks go to the default address.
"""

from __future__ import annotations

import orjson

from ..state.links import LinkStore
from ..state.settlement_orders import MERCHANT_ID, StoredSettlementOrder
from ..state.state import Changed
from ..state.transactions import StoredTransaction
from .store import DeliveryDraft

__all__ = ["webhook_of"]

_TOLD = frozenset({"created", "authorized", "rejected", "failed", "charged", "cancelled", "refunded"})
_WRAPPED = ("paymentLinkId", "paymentSessionId", "cardTokenId", "customerId")


def webhook_of(changed: Changed, links: LinkStore, default_url: str | None) -> DeliveryDraft | None:
    """Return the webhook for a new state; None if that state has none, or there is no address for it."""
    if isinstance(changed, StoredSettlementOrder):
        return None if default_url is None else _of_order(changed, default_url)
    url = _callback_url(changed, links) or default_url
    return None if url is None or changed.status not in _TOLD else _of_transaction(changed, url)


def _callback_url(transaction: StoredTransaction, links: LinkStore) -> str | None:
    link = None if transaction.payment_link_id is None else links.find(transaction.payment_link_id)
    return None if link is None else link.text_of_metadata("callbackUrl")


def _of_transaction(transaction: StoredTransaction, url: str) -> DeliveryDraft:
    data = transaction.whole()
    for key in _WRAPPED:
        if data[key] is not None:
            data[key] = {"Value": data[key]}
    name = f"transaction.{transaction.status}"
    subject = transaction.id
    if transaction.type == "refund" and transaction.parent_id is not None:
        subject = transaction.parent_id
    body = orjson.dumps({"name": name, "merchantId": MERCHANT_ID, "data": data})
    return DeliveryDraft(event=name, subject=subject, url=url, body=body)


def _of_order(order: StoredSettlementOrder, url: str) -> DeliveryDraft:
    data = order.shown()
    del data["id"]
    name = f"payment_order.{order.status}"
    body = orjson.dumps({"name": name, "merchant_id": MERCHANT_ID, "data": data})
    return DeliveryDraft(event=name, subject=order.id, url=url, body=body)
