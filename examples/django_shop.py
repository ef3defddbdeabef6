"""A shop on Django, in one file: it makes payment links, and hears by webhook that they were paid.

Run it under gunicorn, whose workers are forked from a process that has the client already::

    pip install django gunicorn
    export PLEXYPAY_API_KEY=... PLEXYPAY_WEBHOOK_TOKEN=... SHOP_URL=https://shop.example
    gunicorn --chdir examples --preload --workers 2 --threads 4 django_shop:application

    curl -X POST http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1

In a project of your own the client stands beside the views, as here, and the settings in their own file.
"""

from __future__ import annotations

import logging
import os
import sys

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST
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

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])

log = logging.getLogger(__name__)
receiver = WebhookReceiver(os.environ["PLEXYPAY_WEBHOOK_TOKEN"])
orders = OrderBook(os.environ.get("SHOP_DATABASE", "shop.sqlite"))

# One client for the process: its threads share the connections, and each forked worker gets its own.
plexy = PlexyPay()
# A wrong key ends the start, and not the first customer's order. The workers may be forked after calls.
plexy.payment_links.list(size=1).first_page()


def price(order: int) -> int:
    """Return what an order costs in minor units; in your shop the database knows."""
    return 100 * order


def create_link(order: int) -> PaymentLink:
    """Make the order's payment link, or find the one that it has: customers press buttons twice."""
    reference = f"ORD-{order}"
    orders.add(reference, price(order))
    return plexy.payment_links.create_or_retrieve(
        amount=price(order),
        currency="KZT",
        order_reference=reference,
        success_url=f"{SHOP_URL}/orders/{order}",
        callback_url=f"{SHOP_URL}/webhooks/plexypay",
    )


@require_http_methods(["GET", "POST"])
def payment_link(request: HttpRequest, order: int) -> JsonResponse:
    """Make the order's payment link, or show how far its payment is."""
    try:
        if request.method == "POST":
            link = create_link(order)
        else:
            link = plexy.payment_links.retrieve_by_order_reference(f"ORD-{order}")
    except NotFoundError:
        return JsonResponse({"error": "this order has no payment link"}, status=404)
    except PlexyPayError as error:
        # Whatever its outcome, the order's reference makes a repeat safe.
        log.error("%s, outcome %s: %s", type(error).__name__, error.outcome, error)
        return JsonResponse({"error": "no payment link could be made; please try again"}, status=503)
    return JsonResponse(
        {
            "order_reference": link.order_reference,
            "amount": link.amount,
            "status": link.status,
            "url": link.url,
        }
    )


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Apply what happened to an order, and acknowledge it once that is written."""
    try:
        event = receiver.receive(request.headers, request.body)
    except WebhookAuthenticationError:
        return HttpResponse(status=401)
    except WebhookPayloadError:
        return HttpResponse(status=400)
    orders.apply(event)
    return HttpResponse()


def show_order(request: HttpRequest, order: int) -> JsonResponse:
    """Show how far an order is."""
    found = orders.state_of(f"ORD-{order}")
    if found is None:
        return JsonResponse({"error": "there is no such order"}, status=404)
    return JsonResponse({"state": found[0], "parcels": found[1]})


urlpatterns = [
    path("orders/<int:order>/payment-link", payment_link),
    path("orders/<int:order>", show_order),
    path("webhooks/plexypay", webhook),
]
application = get_wsgi_application()
