"""A shop on FastAPI whose own page takes the card: a session of the Checkout API, paid when a webhook comes.

    pip install fastapi uvicorn
    plexypay sandbox --checkout-webhook-url http://127.0.0.1:8000/webhooks/checkout
    export PLEXYPAY_CHECKOUT_BASE_URL=... PLEXYPAY_CHECKOUT_API_KEY=... PLEXYPAY_CHECKOUT_WEBHOOK_SECRET=...
    export PLEXYPAY_MERCHANT_ACCOUNT=Shop SHOP_URL=http://127.0.0.1:8000
    uvicorn --app-dir examples fastapi_checkout:app

Then open http://127.0.0.1:8000/orders/1 in a browser. The page has the session's id and data, and no key. It
loads the sandbox's stand-in for the vendor's browser SDK; with an account, load the vendor's there, and give
it your client key too.

Which order a webhook is about is not published: the sandbox says it in ``merchantReference``. Ask the vendor
what your webhooks have; without it this shop sends nothing, and tells its log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from order_book import OrderBook

from plexypay_async import (
    AsyncPlexyCheckout,
    CheckoutEvent,
    CheckoutWebhookReceiver,
    Money,
    PaymentSucceededEvent,
    WebhookAuthenticationError,
    WebhookPayloadError,
)

NEEDED = (
    "PLEXYPAY_CHECKOUT_BASE_URL",
    "PLEXYPAY_CHECKOUT_API_KEY",
    "PLEXYPAY_CHECKOUT_WEBHOOK_SECRET",
    "PLEXYPAY_MERCHANT_ACCOUNT",
)
if __name__ == "__main__" or not all(map(os.environ.get, NEEDED)):
    sys.exit(__doc__)

SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")
CHECKOUT_URL = os.environ["PLEXYPAY_CHECKOUT_BASE_URL"]
CURRENCY = "KZT"

log = logging.getLogger("shop")
receiver = CheckoutWebhookReceiver(os.environ["PLEXYPAY_CHECKOUT_WEBHOOK_SECRET"])


class CheckoutOrders(OrderBook):
    """Orders with the session of each, and the events that were handled."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        with self._changing() as database:
            database.execute("CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY)")
            database.execute(
                "CREATE TABLE IF NOT EXISTS sessions"
                " (reference TEXT PRIMARY KEY, number INTEGER NOT NULL, expires_at REAL)"
            )

    def session_key(self, reference: str) -> str:
        """Return the key that the order's session is made with: the same for each tab, until it expires.

        A session is paid once, so an order with one session at a time is not paid by two tabs.
        """
        with self._changing() as database:
            database.execute("INSERT OR IGNORE INTO sessions VALUES (?, 1, NULL)", (reference,))
            database.execute(
                "UPDATE sessions SET number = number + 1, expires_at = NULL"
                " WHERE reference = ? AND expires_at <= ?",
                (reference, time.time()),
            )
            found = database.execute("SELECT number FROM sessions WHERE reference = ?", (reference,))
            return f"session-{reference}-{found.fetchone()[0]}"

    def session_made(self, reference: str, expires_at: float) -> None:
        """Note until when the order's session can be paid, in seconds since 1970."""
        with self._changing() as database:
            database.execute(
                "UPDATE sessions SET expires_at = ? WHERE reference = ?", (expires_at, reference)
            )

    def settle(self, event: CheckoutEvent) -> None:
        """Send what is paid, once for each event and for each order."""
        if not isinstance(event, PaymentSucceededEvent) or not event.is_paid:
            return
        data = event.data
        reference = event.raw["data"].get("merchantReference")
        with self._changing() as database:
            new = database.execute("INSERT OR IGNORE INTO events VALUES (?)", (event.dedupe_key,))
            if not new.rowcount:
                return
            paid = database.execute(
                "UPDATE orders SET state = 'paid'"
                " WHERE reference = ? AND state = 'open' AND amount = ? AND ? = ?",
                (reference, data.amount, data.currency, CURRENCY),
            )
            if paid.rowcount:
                database.execute("INSERT INTO parcels (reference) VALUES (?)", (reference,))
            else:
                # Money for nothing that is open, or not the whole of it: for a person to look at.
                log.error("payment %s of %s %s pays no open order", data.id, data.amount, data.currency)


orders = CheckoutOrders(os.environ.get("SHOP_DATABASE", "shop.sqlite"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep one client for as long as the application lives."""
    async with AsyncPlexyCheckout() as app.state.checkout:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/orders/{order}")
async def show_order(order: int, request: Request) -> HTMLResponse:
    """Show an order: the way to pay it while it is open, and what became of it."""
    checkout: AsyncPlexyCheckout = request.app.state.checkout
    reference, amount = f"ORD-{order}", Money(amount=100 * order, currency=CURRENCY)
    await run_in_threadpool(orders.add, reference, amount.amount)
    found = await run_in_threadpool(orders.state_of, reference)
    shown: dict[str, Any] = {"order": order, "environment": CHECKOUT_URL}
    if found is not None and found[0] == "open":
        session = await checkout.sessions.create(
            amount=amount,
            reference=reference,
            return_url=f"{SHOP_URL}/orders/{order}",
            country_code="KZ",
            idempotency_key=await run_in_threadpool(orders.session_key, reference),
        )
        if session.expires_at is not None:
            await run_in_threadpool(orders.session_made, reference, session.expires_at.timestamp())
        # The id and the session's data, and nothing else of it.
        shown["session"] = session.for_browser()
    page = PAGE.format(
        reference=reference,
        amount=f"{amount.amount / 100:.2f} {amount.currency}",
        script=escape(f"{CHECKOUT_URL}/checkout/stand-in.js"),
        shown=json.dumps(shown).replace("<", "\\u003c"),
    )
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(CHECKOUT_URL))
    policy = f"default-src 'none'; script-src 'self' {origin}; connect-src 'self' {origin}"
    return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


@app.get("/orders/{order}/state")
def state(order: int) -> dict[str, Any]:
    """Tell how far an order is, by the word of webhooks alone."""
    found = orders.state_of(f"ORD-{order}")
    if found is None:
        raise HTTPException(404)
    return {"state": found[0], "parcels": found[1]}


@app.post("/webhooks/checkout")
async def webhook(request: Request) -> Response:
    """Send what is paid, and acknowledge it once that is written."""
    try:
        event = receiver.receive(request.headers, await request.body())
    except WebhookAuthenticationError:
        return Response(status_code=401)
    except WebhookPayloadError:
        return Response(status_code=400)
    await run_in_threadpool(orders.settle, event)
    return Response()


@app.get("/pay.js")
def script() -> Response:
    """Return the page's script."""
    return Response(SCRIPT, media_type="text/javascript")


PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{reference}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
</head>
<body>
<h1>{reference}: {amount}</h1>
<p id="status" role="status"></p>
<div id="payment"></div>
<script type="application/json" id="shown">{shown}</script>
<script src="{script}"></script>
<script src="/pay.js"></script>
</body>
</html>
"""

SCRIPT = """"use strict";
const shown = JSON.parse(document.getElementById("shown").textContent);
const say = (text) => { document.getElementById("status").textContent = text; };

// What happens in a browser is its visitor's word. The shop's server knows of a payment by webhook.
async function waitForShop() {
  say("Thank you. We wait for the bank to tell us.");
  for (;;) {
    const order = await (await fetch(`/orders/${shown.order}/state`)).json();
    if (order.state !== "open") {
      document.getElementById("payment").replaceChildren();
      return say(`This order is ${order.state}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function begin() {
  if (!shown.session) return waitForShop();
  const query = new URLSearchParams(location.search);
  history.replaceState(null, "", location.pathname);
  const checkout = await PlexyStandIn.create({
    environment: shown.environment,
    session: shown.session,
    onPaymentCompleted: waitForShop,
    onPaymentFailed: () => say("The payment was refused, and nothing was taken. Try another card."),
    onError: (error) => say(`That did not work: ${error.message}`),
  });
  checkout.mount("#payment");
  if (query.has("redirectResult")) {
    await checkout.submitDetails({ details: { redirectResult: query.get("redirectResult") } });
  }
}

// A session that takes no payment any more may have been paid in another tab.
begin().catch(waitForShop);
"""
