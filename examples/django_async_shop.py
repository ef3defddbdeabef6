"""A shop on Django's async views: it makes payment links, and hears by webhook that they were paid.

    pip install django uvicorn
    export PLEXYPAY_API_KEY=... PLEXYPAY_WEBHOOK_TOKEN=... SHOP_URL=https://shop.example
    uvicorn --app-dir examples --lifespan off django_async_shop:application

    curl -X POST http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1

``django_shop.py`` does the same with plain views.
"""

from __future__ import annotations

import asyncio
import os
import sys

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from order_book import OrderBook

from plexypay_async import (
    AsyncPlexyPay,
    WebhookAuthenticationError,
    WebhookPayloadError,
    WebhookReceiver,
)

NEEDED = ("PLEXYPAY_API_KEY", "PLEXYPAY_WEBHOOK_TOKEN")
if __name__ == "__main__" or not all(map(os.environ.get, NEEDED)):
    sys.exit(__doc__)

SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])

# Django has no place for what lives as long as the application: the module is it. The client opens its
# connections at its first call, on the server's event loop.
plexy = AsyncPlexyPay()
receiver = WebhookReceiver(os.environ["PLEXYPAY_WEBHOOK_TOKEN"])
orders = OrderBook(os.environ.get("SHOP_DATABASE", "shop.sqlite"))


@csrf_exempt
@require_POST
async def create_link(request: HttpRequest, order: int) -> JsonResponse:
    """Make the order's payment link, or find the one that it has: customers press buttons twice."""
    reference, amount = f"ORD-{order}", 100 * order
    await asyncio.to_thread(orders.add, reference, amount)
    link = await plexy.payment_links.create_or_retrieve(
        amount=amount,  # minor units
        currency="KZT",
        order_reference=reference,
        success_url=f"{SHOP_URL}/orders/{order}",
        callback_url=f"{SHOP_URL}/webhooks/plexypay",
    )
    return JsonResponse(
        {"order_reference": reference, "amount": link.amount, "status": link.status, "url": link.url}
    )


@csrf_exempt
@require_POST
async def webhook(request: HttpRequest) -> HttpResponse:
    """Apply what happened to an order, and acknowledge it once that is written."""
    try:
        event = receiver.receive(request.headers, request.body)
    except WebhookAuthenticationError:
        return HttpResponse(status=401)
    except WebhookPayloadError:
        return HttpResponse(status=400)
    await asyncio.to_thread(orders.apply, event)
    return HttpResponse()


async def show_order(request: HttpRequest, order: int) -> JsonResponse:
    """Show how far an order is."""
    found = await asyncio.to_thread(orders.state_of, f"ORD-{order}")
    if found is None:
        return JsonResponse({"error": "there is no such order"}, status=404)
    return JsonResponse({"state": found[0], "parcels": found[1]})


urlpatterns = [
    path("orders/<int:order>/payment-link", create_link),
    path("orders/<int:order>", show_order),
    path("webhooks/plexypay", webhook),
]
application = get_asgi_application()
