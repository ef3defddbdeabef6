"""The canned answers of the benchmarks' server, each as the whole bytes of an HTTP response.

A payment link as Plexy Pay has it, pages of a listing, code 1; and a payment link as Stripe and as Square
have it, with about as many fields, for their own clients.
"""

from __future__ import annotations

import functools
import itertools
import json
import re

ID = b"pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f"

BODY = (
    b'{"id":"%b","amount":2200000,"currency":"KZT",'
    b'"description":"Invoice","orderReference":"ORD-1","status":"active",'
    b'"url":"https://pay.example/%b",'
    b'"metadata":{"successUrl":"https://shop.example/thanks"},"customerId":null,'
    b'"createdAt":"2025-03-01T12:00:00Z","updatedAt":"2025-03-01T12:00:00Z","expiresAt":"2099-03-01T12:00:00Z"}'
) % (ID, ID)

STRIPE_BODY = (
    b'{"id":"plink_1Nv0FGQ9RKHgCVdK","object":"payment_link","active":true,"currency":"kzt",'
    b'"billing_address_collection":"auto","livemode":false,"submit_type":"auto",'
    b'"url":"https://pay.example/plink_1Nv0FGQ9RKHgCVdK",'
    b'"metadata":{"order_reference":"ORD-1"},"customer_creation":"if_required","on_behalf_of":null,'
    b'"application_fee_amount":null,"transfer_data":null}'
)

SQUARE_BODY = (
    b'{"payment_link":{"id":"PKVT6XGJZXYUP3NZ","version":1,"description":"Invoice",'
    b'"order_id":"o4b7saqp4HzhNttf5AJxC0Srjd4F","payment_note":"ORD-1",'
    b'"checkout_options":{"redirect_url":"https://shop.example/thanks"},'
    b'"url":"https://pay.example/PKVT6XGJZXYUP3NZ","long_url":"https://pay.example/link/PKVT6XGJZXYUP3NZ",'
    b'"created_at":"2025-03-01T12:00:00Z","updated_at":"2025-03-01T12:00:00Z"}}'
)


def response(status: bytes, body: bytes) -> bytes:
    """Return a whole HTTP response of JSON."""
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        + body
    )


_AMOUNT = re.compile(rb'"amount": *(\d+)')
_REFERENCE = re.compile(rb'"orderReference": *"([^"]*)"')
_CREATED = BODY.replace(b"%", b"%%").replace(ID, b"%b").replace(b"2200000", b"%b").replace(b"ORD-1", b"%b")
_CREATED_IDS = itertools.count(1)
_CREATED_HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def created(request: bytes) -> bytes:
    """Return the answer to a creation: a link of its own id, with the amount and the reference asked for.

    A client that compares an answer with its request, and with those before it, would take any other for that
    of somebody else.
    """
    amount, reference = _AMOUNT.search(request), _REFERENCE.search(request)
    if amount is None:
        return UNKNOWN
    id = b"pl_%032x" % next(_CREATED_IDS)
    body = _CREATED % (id, amount[1], b"" if reference is None else reference[1], id)
    return _CREATED_HEAD % len(body) + body


FOUND = response(b"200 OK", BODY)
CREATED_BY = {
    b"POST /v1/payment_links": response(b"200 OK", STRIPE_BODY),
    b"POST /v2/online-checkout/payment-links": response(b"200 OK", SQUARE_BODY),
}
"""The answers of other APIs, by method and path."""
UNAVAILABLE = response(
    b"503 Service Unavailable",
    b'{"code":1,"message":"service unavailable","source":"paymentLinks","type":"apiError"}',
)
UNKNOWN = response(b"404 Not Found", b'{"code":4,"message":"not found","type":"apiError"}')

PAGE_QUERY = re.compile(rb"[?&](page|size)=(\d+)")
PAGE_MARK = b"00c0ffee"
"""What stands for a page's number in the ids of its items, as wide as the number."""


def listed(number: int) -> dict[str, object]:
    """Return an item of a page, shorter than a whole link, as the API lists them."""
    return {
        "id": f"pl_{PAGE_MARK.decode()}{number:024x}",
        "amount": 2_200_000,
        "currency": "KZT",
        "description": "Invoice",
        "orderReference": f"ORD-{number}",
        "status": "active",
        "createdAt": "2025-03-01T12:00:00Z",
        "updatedAt": "2025-03-01T12:00:00Z",
        "expiresAt": "2099-03-01T12:00:00Z",
    }


@functools.cache
def items(count: int) -> bytes:
    """Return so many items as a JSON array."""
    return json.dumps([listed(number) for number in range(count)], separators=(",", ":")).encode()


def page(target: bytes, total: int) -> bytes:
    """Return the page that a listing's query asks for, of so many items in all; each item has its own id."""
    asked = {name: int(value) for name, value in PAGE_QUERY.findall(target)}
    number, size = asked.get(b"page", 1), asked.get(b"size", 100)
    shown = max(0, min(size, total - (number - 1) * size))
    return response(
        b"200 OK",
        b'{"data":%b,"page":%d,"size":%d,"total":%d}'
        % (items(shown).replace(PAGE_MARK, b"%08x" % number), number, size, total),
    )
