"""A shop on FastAPI: it makes payment links, and hears by webhook that they were paid.

    pip install fastapi uvicorn
    export PLEXYPAY_API_KEY=... PLEXYPAY_WEBHOOK_TOKEN=... SHOP_URL=https://shop.example
    uvicorn --app-dir examples fastapi_shop:app

    curl -X POST http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1

The same works on Starlette alone: a request has the same `headers` and `body()`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from order_book import OrderBook

from plexypay_async import (
    AsyncPlexyPay,
    PaymentLink,
    WebhookAuthenticationError,
    WebhookPayloadError,
    WebhookReceiver,
)

NEEDED = ("PLEXYPAY_API_KEY", "PLEXYPAY_WEBHOOK_TOKEN")
if __name__ == "__main__" or not all(map(os.environ.get, NEEDED)):
    sys.exit(__doc__)

SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")

receiver = WebhookReceiver(os.environ["PLEXYPAY_WEBHOOK_TOKEN"])
orders = OrderBook(os.environ.get("SHOP_DATABASE", "shop.sqlite"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep one client for as long as the application lives."""
    async with AsyncPlexyPay() as app.state.plexy:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders/{order}/payment-link")
async def create_link(order: int, request: Request) -> PaymentLink:
    """Make the order's payment link, or find the one that it has: customers press buttons twice."""
    plexy: AsyncPlexyPay = request.app.state.plexy
    reference, amount = f"ORD-{order}", 100 * order
    await run_in_threadpool(orders.add, reference, amount)
    return await plexy.payment_links.create_or_retrieve(
        amount=amount,  # minor units
        currency="KZT",
        order_reference=reference,
        success_url=f"{SHOP_URL}/orders/{order}",
        callback_url=f"{SHOP_URL}/webhooks/plexypay",
    )


@app.post("/webhooks/plexypay")
async def webhook(request: Request) -> Response:
    """Apply what happened to an order, and acknowledge it once that is written."""
    try:
        event = receiver.receive(request.headers, await request.body())
    except WebhookAuthenticationError:
        return Response(status_code=401)
    except WebhookPayloadError:
        return Response(status_code=400)
    await run_in_threadpool(orders.apply, event)
    return Response()


@app.get("/orders/{order}")
def show_order(order: int) -> dict[str, Any]:
    """Show how far an order is."""
    found = orders.state_of(f"ORD-{order}")
    if found is None:
        raise HTTPException(404)
    return {"state": found[0], "parcels": found[1]}
