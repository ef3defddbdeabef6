"""The calls of a campaign: each with its marker, and what the server's record must say of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from plexypay_async import AsyncPlexyPay, Replay
from plexypay_async.api.index import every_declaration
from plexypay_async.pay.description import PAY

__all__ = ["CALLS", "CampaignCall"]

EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)


@attrs.frozen
class CampaignCall:
    """How one operation is called, and how its result shows whose it is."""

    operation: str
    make: Callable[[AsyncPlexyPay, str, int], Awaitable[Any]]
    """The call, for a client, a marker and the call's number, which is its amount."""
    own: Callable[[Any, str], bool]
    """Whether a result is that of the marker's call."""
    variants: tuple[str, ...] = ("paid",)
    """What the server may truthfully refuse."""
    named: bool = True
    """Whether request and answer both name whose they are, so that a neighbour's answer can be told."""
    title: str = attrs.field(default=attrs.Factory(lambda self: self.operation, takes_self=True))

    @property
    def replay(self) -> Replay:
        if self.title == CREATE_WITHOUT:
            return Replay.CREATE
        return next(each.replay for each in every_declaration(PAY) if each.name == self.operation)

    @property
    def is_read(self) -> bool:
        return self.operation.rpartition(".")[2] in ("retrieve", "list", "retrieve_by_order_reference")

    def marker(self, number: int) -> str:
        """Return a call's marker; every eleventh is something that the server refuses."""
        variant = (
            f"-{self.variants[number % len(self.variants)]}" if number % 11 == 0 and self.variants else ""
        )
        name = self.title.replace(".", "-").replace(" ", "-")
        return f"{name}{variant}-{number}"


CREATE_WITHOUT = "payment_links.create without a reference"


def _id_is_marker(result: Any, marker: str) -> bool:
    return bool(result.id == marker)


CALLS = (
    CampaignCall(
        "payment_links.retrieve",
        lambda plexy, marker, _: plexy.payment_links.retrieve(marker),
        _id_is_marker,
        ("absent",),
    ),
    CampaignCall(
        "transactions.retrieve",
        lambda plexy, marker, _: plexy.transactions.retrieve(marker),
        _id_is_marker,
        ("absent",),
    ),
    CampaignCall(
        "payment_links.list",
        lambda plexy, _, __: plexy.payment_links.list().first_page(),
        lambda result, _: len(result.items) == 1,
        (),
    ),
    CampaignCall(
        "payment_links.update_expiration",
        lambda plexy, marker, _: plexy.payment_links.update_expiration(marker, expires_at=EXPIRES),
        _id_is_marker,
        ("paid", "absent"),
    ),
    CampaignCall(
        "payment_links.cancel",
        lambda plexy, marker, _: plexy.payment_links.cancel(marker),
        lambda result, marker: result is None or (result.id == marker and result.status == "cancelled"),
        ("paid", "absent"),
    ),
    CampaignCall(
        "split_requests.update",
        lambda plexy, marker, n: plexy.split_requests.update(marker, extra={"amount": n}),
        _id_is_marker,
        ("paid", "absent"),
    ),
    CampaignCall(
        "beneficiaries.update",
        lambda plexy, marker, n: plexy.beneficiaries.update(marker, extra={"amount": n}),
        _id_is_marker,
        ("paid", "absent"),
    ),
    CampaignCall(
        "split_requests.delete",
        lambda plexy, marker, _: plexy.split_requests.delete(marker),
        lambda result, marker: result is None or result.id == marker,
        ("paid", "absent"),
    ),
    CampaignCall(
        "wallet.authorize",
        lambda plexy, marker, n: plexy.wallet.authorize(amount=n, currency="KZT", order_reference=marker),
        lambda result, marker: result.order_reference == marker,
    ),
    CampaignCall(
        "settlement_orders.create",
        lambda plexy, marker, n: plexy.settlement_orders.create(
            amount=n, currency="KZT", beneficiary_id=marker
        ),
        lambda result, marker: result.beneficiary_id == marker,
    ),
    CampaignCall(
        "payment_links.create",
        lambda plexy, marker, n: plexy.payment_links.create(amount=n, currency="KZT", order_reference=marker),
        lambda result, marker: result.order_reference == marker,
    ),
    CampaignCall(
        "payment_links.create",
        lambda plexy, marker, n: plexy.payment_links.create(amount=n, currency="KZT", description=marker),
        lambda result, marker: result.description == marker,
        title=CREATE_WITHOUT,
    ),
    CampaignCall(
        "customers.create",
        lambda plexy, marker, _: plexy.customers.create(extra={"marker": marker}),
        lambda result, marker: result.raw.get("marker") == marker,
        named=False,
    ),
    CampaignCall(
        "payments.refund",
        lambda plexy, marker, n: plexy.payments.refund(marker, amount=Decimal(n)),
        lambda result, marker: result.original_transaction_id == marker,
    ),
    CampaignCall(
        "payments.capture",
        lambda plexy, marker, n: plexy.payments.capture(marker, amount=Decimal(n)),
        _id_is_marker,
    ),
    CampaignCall("payments.cancel", lambda plexy, marker, _: plexy.payments.cancel(marker), _id_is_marker),
    CampaignCall(
        "recurring.charge",
        lambda plexy, marker, n: plexy.recurring.charge(
            amount=n, currency="KZT", card_token_id=marker, initial_transaction_id="t-0"
        ),
        lambda result, marker: result.id == f"of-{marker}",
    ),
    CampaignCall(
        "payouts.create",
        lambda plexy, marker, n: plexy.payouts.create(extra={"marker": marker, "amount": n}),
        lambda result, marker: result.raw.get("marker") == marker,
        named=False,
    ),
)
