"""Models as one would write them with msgspec."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from . import SUCCESS_URL, Codec


class Create(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """The request."""

    amount: int
    currency: str
    description: str | None = None
    order_reference: str | None = None
    expires_at: datetime | None = None
    metadata: dict[str, Any] | None = None
    customer_id: str | None = None
    auto_clearing: bool | None = None


class Summary(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A listed link."""

    id: str
    amount: int
    currency: str
    status: str
    description: str | None = None
    order_reference: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None


class Link(Summary, rename="camel", frozen=True, kw_only=True):
    """A whole link."""

    url: str | None = None
    metadata: dict[str, Any] | None = None
    customer_id: str | None = None


class Page(msgspec.Struct, frozen=True):
    """A page of a listing."""

    data: list[Summary]
    page: int
    size: int
    total: int


def codec(link: bytes, page: bytes) -> Codec:
    """Return what a client of these models would do."""
    write = msgspec.json.Encoder().encode
    read_link, read_page = msgspec.json.Decoder(Link).decode, msgspec.json.Decoder(Page).decode

    def encode() -> object:
        return write(
            Create(
                amount=100,
                currency="KZT",
                description="Invoice",
                order_reference="ORD-1",
                metadata={"successUrl": SUCCESS_URL},
            )
        )

    return {"encode": encode, "decode": lambda: read_link(link), "page": lambda: read_page(page)}
