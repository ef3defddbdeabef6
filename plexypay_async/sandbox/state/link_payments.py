"""Pays links, as their customers do it on the checkout page."""

from __future__ import annotations

import uuid

import attrs
import orjson

from ..clock import Clock
from ..exchange import Refusal
from .acquirer import Acquirer, Authentication
from .issuer import CARDS, DEFAULT_CARD, PASSWORD, PresentedCard
from .links import LinkStore, StoredLink
from .transactions import AUTOMATIC, MANUAL, StoredTransaction, TransactionDraft

__all__ = ["PENDING", "LinkPayment", "LinkPayments", "default_expiry"]

_SOURCE = "paymentLinks"
_YEARS_TO_EXPIRY = 2

PENDING = "pending"
"""Given in place of a one-time password: the customer does not come back from the bank's page."""


@attrs.frozen(kw_only=True)
class LinkPayment:
    """What a customer does on the checkout page, with a test card."""

    card: str = attrs.field(default=DEFAULT_CARD, repr=False)
    cvv: str | None = attrs.field(default=None, repr=False)
    expiry: tuple[int, int] | None = None
    """The card's last month and its year in four digits; two years ahead unless given."""
    otp: str = PASSWORD
    failed: bool = False
    """Whether the payment fails by a system error."""


class LinkPayments:
    """Pays links: each attempt is a transaction, and an authorized one makes its link ``paid``."""

    def __init__(self, links: LinkStore, acquirer: Acquirer, clock: Clock) -> None:
        self._links = links
        self._acquirer = acquirer
        self._clock = clock

    def pay(self, link_id: str, payment: LinkPayment) -> StoredTransaction:
        """Pay an active link, or try to.

        Raises:
            Refusal: There is no such link (code 4), it is not active, or the card is no test card (code 5).
        """
        link = self._links.find(link_id)
        if link is None:
            raise Refusal(4, "payment link not found", source=_SOURCE)
        if link.status != "active":
            raise Refusal(5, f"status: a link that is {link.status} cannot be paid", source=_SOURCE)
        number = payment.card.replace(" ", "")
        if number not in CARDS:
            raise Refusal(5, "card: is none of the test cards", source=_SOURCE)
        month, year = default_expiry(self._clock) if payment.expiry is None else payment.expiry
        card = PresentedCard(number=number, expiry_month=month, expiry_year=year, cvv=payment.cvv)
        draft = _draft(link)
        if payment.failed:
            return self._acquirer.fail(draft, card)
        transaction = self._acquirer.pay(draft, card, Authentication.ASKED)
        if transaction.status == "3d" and payment.otp != PENDING:
            transaction = self._acquirer.answer_challenge(transaction, payment.otp)
        return transaction


def default_expiry(clock: Clock) -> tuple[int, int]:
    """Return the month and the year of expiry that a test card has unless another is given."""
    now = clock.now()
    return now.month, now.year + _YEARS_TO_EXPIRY


def _draft(link: StoredLink) -> TransactionDraft:
    recurring_type = None if link.recurring is None else orjson.loads(link.recurring)["type"]
    return TransactionDraft(
        amount=link.amount,
        currency=link.currency,
        clearing=AUTOMATIC if link.auto_clearing else MANUAL,
        order_reference=link.order_reference,
        description=link.description,
        payment_link_id=link.id,
        customer_id=link.customer_id,
        recurring_type=recurring_type,
        card_token_id=str(uuid.uuid4()) if recurring_type == "cof_initial" else None,
    )
