"""A shop on Django, in one file, that sends its customers to payment links.

Run it under gunicorn, whose workers are forked from a process that has the client already::

    pip install django gunicorn
    export PLEXYPAY_API_KEY=...
    gunicorn --chdir examples --preload --workers 2 --threads 4 django_shop:application

    curl -X POST http://127.0.0.1:8000/orders/1/payment-link
    curl http://127.0.0.1:8000/orders/1/payment-link

In a project of your own the client stands beside the views, as here, and the settings in their own file.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_http_methods

from plexypay_sync import NotFoundError, PaymentLink, PlexyPay, PlexyPayError, UnprocessableError

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])

log = logging.getLogger(__name__)

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
    try:
        return plexy.payment_links.create(amount=price(order), currency="KZT", order_reference=reference)
    except UnprocessableError:
        return plexy.payment_links.retrieve_by_order_reference(reference)


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


urlpatterns = [path("orders/<int:order>/payment-link", payment_link)]
application = get_wsgi_application()
