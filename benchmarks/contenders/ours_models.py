"""This library's models: also open enums, strict types, and the decoded JSON as `raw`."""

from __future__ import annotations

from plexypay_async import CreatePaymentLink, PaymentLinks
from plexypay_async._wire.codec import ListingCodec, OperationCodec
from plexypay_async._wire.messages import WireResponse

from . import SUCCESS_URL, Codec


def codec(link: bytes, page: bytes) -> Codec:
    """Return what the client does before and after a request."""
    create, listing = OperationCodec(PaymentLinks.create), ListingCodec(PaymentLinks.list)

    def encode() -> object:
        return create.encode(
            CreatePaymentLink(
                amount=100,
                currency="KZT",
                description="Invoice",
                order_reference="ORD-1",
                success_url=SUCCESS_URL,
            )
        )

    return {
        "encode": encode,
        "decode": lambda: create.decode(WireResponse(201, link)),
        "page": lambda: listing.decode(WireResponse(200, page)),
    }
