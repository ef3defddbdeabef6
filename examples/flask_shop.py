"""A shop on Flask: it makes payment links, and hears by webhook that they were paid.

Run it under gunicorn, whose workers are forked from a process that has the client already::

    pip install flask gunicorn
    export PLEXYPAY_API_KEY=... PLEXYPAY_WEBHOOK_TOKEN=... SHOP_URL=https://shop.example
    gunicorn --chdir examples --preload --workers 2 --threads 4 flask_shop:app

    curl -X POST http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1
"""

from __future__ import annotations

import os
import sys
from typing import Any

from flask import Flask, abort, request
from order_book import OrderBook

from plexypay_sync import (
    NotFoundError,
    PaymentLink,
    PlexyPay,
    PlexyPayError,
    WebhookAuthenticationError,
    WebhookPayloadError,
    WebhookReceiver,
)

NEEDED = ("PLEXYPAY_API_KEY", "PLEXYPAY_WEBHOOK_TOKEN")
if __name__ == "__main__" or not all(map(os.environ.get, NEEDED)):
    sys.exit(__doc__)

SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 2**20
receiver = WebhookReceiver(os.environ["PLEXYPAY_WEBHOOK_TOKEN"])
orders = OrderBook(os.environ.get("SHOP_DATABASE", "shop.sqlite"))

# One client for the process: its threads share the connections, and each forked worker gets its own.
plexy = PlexyPay()
# A wrong key ends the start, and not the first customer's order. The workers may be forked after calls.
plexy.payment_links.list(size=1).first_page()


def price(order: int) -> int:
    """Return what an order costs in minor units; in your shop the database knows."""
    return 100 * order


def shown(link: PaymentLink) -> dict[str, Any]:
    """Return what the shop's pages need of a link."""
    return {
        "order_reference": link.order_reference,
        "amount": link.amount,
        "status": link.status,
        "url": link.url,
    }


@app.post("/orders/<int:order>/payment-link")
def create_link(order: int) -> dict[str, Any]:
    """Make the order's payment link, or find the one that it has: customers press buttons twice."""
    reference = f"ORD-{order}"
    orders.add(reference, price(order))
    link = plexy.payment_links.create_or_retrieve(
        amount=price(order),
        currency="KZT",
        order_reference=reference,
        success_url=f"{SHOP_URL}/orders/{order}",
        callback_url=f"{SHOP_URL}/webhooks/plexypay",
    )
    return shown(link)


@app.get("/orders/<int:order>/payment-link")
def show_link(order: int) -> dict[str, Any]:
    """Show how far the order's payment is."""
    return shown(plexy.payment_links.retrieve_by_order_reference(f"ORD-{order}"))


@app.post("/webhooks/plexypay")
def webhook() -> tuple[str, int]:
    """Apply what happened to an order, and acknowledge it once that is written."""
    try:
        event = receiver.receive(request.headers, request.get_data())
    except WebhookAuthenticationError:
        return "", 401
    except WebhookPayloadError:
        return "", 400
    orders.apply(event)
    return "", 200


@app.get("/orders/<int:order>")
def show_order(order: int) -> dict[str, Any]:
    """Show how far an order is."""
    found = orders.state_of(f"ORD-{order}")
    if found is None:
        abort(404)
    return {"state": found[0], "parcels": found[1]}


@app.errorhandler(NotFoundError)
def not_found(error: NotFoundError) -> tuple[dict[str, str], int]:
    """Answer for an order without a link."""
    return {"error": "this order has no payment link"}, 404


@app.errorhandler(PlexyPayError)
def failed(error: PlexyPayError) -> tuple[dict[str, str], int]:
    """Answer for any other failure; whatever its outcome, the order's reference makes a repeat safe."""
    app.logger.error("%s, outcome %s: %s", type(error).__name__, error.outcome, error)
    return {"error": "no payment link could be made; please try again"}, 503
