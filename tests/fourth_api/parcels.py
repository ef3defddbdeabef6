"""The groups of an API of parcels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

from plexypay_async.api.checks import key_or_new
from plexypay_async.api.facades import F
from plexypay_async.api.fields import ListRequest, Model, Request, wire
from plexypay_async.api.operation import Evidence, Listing, Operation, Resource
from plexypay_async.api.replay import Replay

from .description import PARCELS

__all__ = ["CreateParcel", "Depot", "Depots", "Parcel", "Parcels", "Quote", "QuoteParcel"]


@attrs.frozen(kw_only=True)
class CreateParcel(Request):
    """Send a parcel.

    Args:
        weight: In grams.
        till: Whose parcel it is.
        idempotency_key: Kept over all attempts.
    """

    weight: int
    till: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class QuoteParcel(Request):
    """Ask what a parcel costs."""

    weight: int
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class ListParcels(ListRequest):
    """List parcels."""


@attrs.frozen(kw_only=True)
class ListDepots(Request):
    """List depots."""

    size: int | None = None
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Parcel(Model):
    """A parcel."""

    proof: ClassVar[tuple[str, ...]] = ("label",)

    label: str | None = None
    weight: int | None = None


@attrs.frozen(kw_only=True)
class Quote(Model):
    """What a parcel costs."""

    price: int


@attrs.frozen(kw_only=True)
class Depot(Model):
    """A depot."""

    name: str


class Parcels(Resource[F], api=PARCELS):
    """Parcels."""

    create: Final = Operation(
        "POST",
        "/depots/{depot_id}/parcels",
        CreateParcel,
        Parcel,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        key="idempotency_key",
    )
    quote: Final = Operation(
        "POST", "/depots/{depot_id}/quotes", QuoteParcel, Quote, evidence=Evidence.PUBLISHED, reads=True
    )
    list: Final = Listing("/depots/{depot_id}/parcels", ListParcels, Parcel, evidence=Evidence.PUBLISHED)


class Depots(Resource[F], api=PARCELS):
    """Depots."""

    list: Final = Listing("/depots", ListDepots, Depot, evidence=Evidence.PUBLISHED, paged=False)
