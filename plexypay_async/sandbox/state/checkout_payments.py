"""Payments and stored cards of the Checkout API in the database.

Amounts are integers of minor units. Times are microseconds since 1970 in UTC. They are apart from the
transactions of the Pay API: how the two belong together is not published.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ..clock import written_time
from .checkout_sessions import money, reference_of_16
from .issuer import CARDS, PresentedCard
from .table import Sought, Table

__all__ = [
    "BRANDS",
    "GIFT_CARDS",
    "CheckoutDraft",
    "CheckoutPaymentStore",
    "Means",
    "StoredCard",
    "StoredCardStore",
    "StoredCheckoutPayment",
]

BRANDS: Mapping[str, str] = {"visa": "visa", "mastercard": "mc"}
"""What the API calls the schemes of the test cards. Evidence: the vendor's tests."""

GIFT_CARDS: Mapping[str, int] = {"9000000000000001": 500_000, "9000000000000002": 0}
"""What the test gift cards hold at first, in minor units of `GIFT_CURRENCY`; the sandbox's own."""
GIFT_CURRENCY = "KZT"


@attrs.frozen(kw_only=True)
class Means:
    """What a payment is made with."""

    type: str
    """``scheme``, ``giftcard``, or a wallet's, such as ``googlepay``."""
    brand: str | None = None
    card: PresentedCard | None = None
    """Of a ``scheme``."""
    gift_card: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class CheckoutDraft:
    """What a new payment is made of, beside its means."""

    merchant_account: str
    reference: str
    amount: int
    currency: str
    return_url: str
    shopper_reference: str | None = None
    recurring_model: str | None = None
    is_stored: bool = False
    """Whether the card is to be stored."""
    session_id: str | None = None
    order_id: str | None = None
    ends_at_bank: bool = False
    """Whether the bank's page ends it, and nobody comes back with a ``redirectResult``."""


@attrs.define
class StoredCheckoutPayment:
    """One row of the payments."""

    id: str
    """Its ``pspReference``."""
    event_subject: str
    """What webhooks call it."""
    status: str
    """``created``, ``challenged``, ``authorised``, ``refused``, ``error`` or ``returned``."""
    merchant_account: str
    reference: str
    amount: int
    currency: str
    return_url: str
    shopper_reference: str | None
    recurring_model: str | None
    is_stored: bool
    session_id: str | None
    order_id: str | None
    ends_at_bank: bool
    method: str
    brand: str | None
    # Always a test card's: no other is taken.
    card_number: str | None = attrs.field(repr=False)
    card_expiry: str | None
    response_code: str
    """What the issuer says, or will say once the shopper is authenticated."""
    network_reference: str
    bank_page: str = attrs.field(repr=False, metadata={"sql": "UNIQUE"})
    """The last part of the address of its bank's page."""
    is_confirmed: bool | None
    """What came of the bank's page; None as long as the shopper has not answered there."""
    redirect_result: str = attrs.field(repr=False, metadata={"sql": "UNIQUE"})
    """What the shopper comes back with from the bank's page."""
    created_at: int
    updated_at: int

    @property
    def last4(self) -> str:
        """The card's last four digits."""
        return (self.card_number or "")[-4:]

    @property
    def order_reference(self) -> str:
        """The shop's reference, as the pages call it."""
        return self.reference

    def shown(self) -> dict[str, Any]:
        """Return all that tests may want to know of it."""
        return {
            "pspReference": self.id,
            "eventSubject": self.event_subject,
            "status": self.status,
            "merchantAccount": self.merchant_account,
            "merchantReference": self.reference,
            "amount": money(self.amount, self.currency),
            "type": self.method,
            "brand": self.brand,
            "last4": self.last4 or None,
            "responseCode": self.response_code,
            "sessionId": self.session_id,
            "orderPspReference": self.order_id,
            "createdAt": written_time(self.created_at),
            "updatedAt": written_time(self.updated_at),
        }


class CheckoutPaymentStore(Table[StoredCheckoutPayment], name="checkout_payments", row=StoredCheckoutPayment):
    """The payments of one sandbox, in the order of their creation."""

    sought = Sought(ids=["id", "event_subject", "session_id", "order_id"], references=["reference"])
    extra_schema = """
        CREATE INDEX IF NOT EXISTS checkout_payments_by_order ON checkout_payments (order_id);
        CREATE INDEX IF NOT EXISTS checkout_payments_by_session ON checkout_payments (session_id);
        CREATE INDEX IF NOT EXISTS checkout_payments_by_card ON checkout_payments (card_number);
    """

    def create(self, draft: CheckoutDraft, means: Means, *, response_code: str) -> StoredCheckoutPayment:
        """Store a new payment in the state ``created``."""
        now = self.clock.microseconds()
        number = means.gift_card if means.card is None else means.card.number
        payment = StoredCheckoutPayment(
            id=reference_of_16(),
            event_subject=f"pay_{uuid.uuid4().hex[:16]}",
            status="created",
            **attrs.asdict(draft, recurse=False),
            method=means.type,
            brand=means.brand,
            card_number=number,
            card_expiry=None if means.card is None else means.card.expiry,
            response_code=response_code,
            network_reference="".join(secrets.choice("0123456789") for _ in range(15)),
            bank_page=secrets.token_urlsafe(24),
            is_confirmed=None,
            redirect_result=secrets.token_urlsafe(48),
            created_at=now,
            updated_at=now,
        )
        self.add(payment)
        return payment

    def move(self, payment: StoredCheckoutPayment, status: str, **changes: Any) -> StoredCheckoutPayment:
        """Return the payment in another state, as of now, with further columns changed."""
        moved = attrs.evolve(payment, status=status, updated_at=self.clock.microseconds(), **changes)
        with self.atomically():
            self._replace(moved.id, moved)
            self._changed(moved)
        return moved

    def of_order(self, order_id: str) -> Iterator[StoredCheckoutPayment]:
        """Yield the parts of an order that are paid, the oldest first."""
        return iter(list(self._rows("WHERE order_id = ? AND status = 'authorised' ORDER BY seq", order_id)))

    def left_on(self, gift_card: str) -> int:
        """Return what a gift card still holds, in minor units."""
        (spent,) = self._execute(
            "SELECT COALESCE(SUM(amount), 0) FROM checkout_payments"
            " WHERE card_number = ? AND status = 'authorised'",
            (gift_card,),
        ).fetchone()
        return GIFT_CARDS[gift_card] - int(spent)


@attrs.define
class StoredCard:
    """One row of the cards that shoppers have stored."""

    id: str
    merchant_account: str
    shopper_reference: str
    # Always a test card's.
    card_number: str = attrs.field(repr=False)
    card_expiry: str
    network_reference: str
    is_deleted: bool

    @property
    def card(self) -> PresentedCard:
        """The card, without its security code, which nobody stores."""
        month, year = map(int, self.card_expiry.split("/"))
        return PresentedCard(number=self.card_number, expiry_month=month, expiry_year=year)

    @property
    def brand(self) -> str:
        """What the API calls its scheme."""
        return BRANDS[CARDS[self.card_number].scheme]

    def shown(self) -> dict[str, Any]:
        """Return the card as the list of a shopper's payment methods shows it."""
        month, year = self.card_expiry.split("/")
        return {
            "id": self.id,
            "type": "scheme",
            "name": "VISA" if self.brand == "visa" else "Mastercard",
            "brand": self.brand,
            "lastFour": self.card_number[-4:],
            "expiryMonth": month,
            "expiryYear": f"20{year}",
            "supportedShopperInteractions": ["Ecommerce"],
            "networkTxReference": self.network_reference,
        }


class StoredCardStore(Table[StoredCard], name="checkout_stored_cards", row=StoredCard):
    """The cards that the shoppers of one sandbox have stored."""

    def of_shopper(self, merchant_account: str, shopper_reference: str) -> list[StoredCard]:
        """Return what a shopper has stored and not deleted, the oldest first."""
        return list(
            self._rows(
                "WHERE merchant_account = ? AND shopper_reference = ? AND NOT is_deleted ORDER BY seq",
                merchant_account,
                shopper_reference,
            )
        )

    def keep(self, payment: StoredCheckoutPayment) -> None:
        """Store the card of a payment for its shopper, once."""
        shopper, number, expiry = payment.shopper_reference, payment.card_number, payment.card_expiry
        if shopper is None or number is None or expiry is None:
            return
        if any(card.card_number == number for card in self.of_shopper(payment.merchant_account, shopper)):
            return
        self.add(
            StoredCard(
                id=reference_of_16(),
                merchant_account=payment.merchant_account,
                shopper_reference=shopper,
                card_number=number,
                card_expiry=expiry,
                network_reference=payment.network_reference,
                is_deleted=False,
            )
        )
