"""A shop on aiohttp.web: it makes payment links, and hears by webhook that they were paid.

export PLEXYPAY_API_KEY=... PLEXYPAY_WEBHOOK_TOKEN=... SHOP_URL=https://shop.example
python examples/aiohttp_shop.py 8000

curl -X POST http://127.0.0.1:8000/orders/1/payment-link
curl http://127.0.0.1:8000/orders/1
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from aiohttp import web
from order_book import OrderBook

from plexypay_async import (
    AsyncPlexyPay,
    WebhookAuthenticationError,
    WebhookPayloadError,
    WebhookReceiver,
)

NEEDED = ("PLEXYPAY_API_KEY", "PLEXYPAY_WEBHOOK_TOKEN")
if (__name__ == "__main__" and len(sys.argv) != 2) or not all(map(os.environ.get, NEEDED)):
    sys.exit(__doc__)

SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")
PLEXY = web.AppKey("plexy", AsyncPlexyPay)

receiver = WebhookReceiver(os.environ["PLEXYPAY_WEBHOOK_TOKEN"])
orders = OrderBook(os.environ.get("SHOP_DATABASE", "shop.sqlite"))
routes = web.RouteTableDef()


async def client(app: web.Application) -> AsyncIterator[None]:
    """Keep one client for as long as the application lives."""
    async with AsyncPlexyPay() as plexy:
        app[PLEXY] = plexy
        yield


@routes.post(r"/orders/{order:\d+}/payment-link")
async def create_link(request: web.Request) -> web.Response:
    """Make the order's payment link, or find the one that it has: customers press buttons twice."""
    plexy, order = request.app[PLEXY], int(request.match_info["order"])
    reference, amount = f"ORD-{order}", 100 * order
    await asyncio.to_thread(orders.add, reference, amount)
    link = await plexy.payment_links.create_or_retrieve(
        amount=amount,  # minor units
        currency="KZT",
        order_reference=reference,
        success_url=f"{SHOP_URL}/orders/{order}",
        callback_url=f"{SHOP_URL}/webhooks/plexypay",
    )
    return web.json_response(
        {"order_reference": reference, "amount": link.amount, "status": link.status, "url": link.url}
    )


@routes.post("/webhooks/plexypay")
async def webhook(request: web.Request) -> web.Response:
    """Apply what happened to an order, and acknowledge it once that is written."""
    try:
        event = receiver.receive(request.headers, await request.read())
    except WebhookAuthenticationError:
        return web.Response(status=401)
    except WebhookPayloadError:
        return web.Response(status=400)
    await asyncio.to_thread(orders.apply, event)
    return web.Response()


@routes.get(r"/orders/{order:\d+}")
async def show_order(request: web.Request) -> web.Response:
    """Show how far an order is."""
    found = await asyncio.to_thread(orders.state_of, f"ORD-{request.match_info['order']}")
    if found is None:
        raise web.HTTPNotFound
    return web.json_response({"state": found[0], "parcels": found[1]})


async def application() -> web.Application:
    """Return the application; gunicorn's worker ``aiohttp.GunicornWebWorker`` takes it too."""
    app = web.Application()
    app.cleanup_ctx.append(client)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]))
