"""Models as one would write them with pydantic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveInt
from pydantic.alias_generators import to_camel

from . import SUCCESS_URL, Codec


class Model(BaseModel):
    """Camel case on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Create(Model):
    """The request."""

    amount: PositiveInt
    currency: str
    description: str | None = None
    order_reference: str | None = None
    expires_at: datetime | None = None
    metadata: dict[str, Any] | None = None
    customer_id: str | None = None
    auto_clearing: bool | None = None


class Summary(Model):
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


class Link(Summary):
    """A whole link."""

    url: str | None = None
    metadata: dict[str, Any] | None = None
    customer_id: str | None = None


class Page(Model):
    """A page of a listing."""

    data: list[Summary]
    page: int
    size: int
    total: int


def codec(link: bytes, page: bytes) -> Codec:
    """Return what a client of these models would do."""

    def encode() -> object:
        request = Create(
            amount=100,
            currency="KZT",
            description="Invoice",
            order_reference="ORD-1",
            metadata={"successUrl": SUCCESS_URL},
        )
        return request.model_dump_json(by_alias=True, exclude_none=True)

    return {
        "encode": encode,
        "decode": lambda: Link.model_validate_json(link),
        "page": lambda: Page.model_validate_json(page),
    }
