"""What the sandbox knows of the Checkout API, and how its payments move through their states.

| state | comes from | how |
|---|---|---|
| ``challenged`` | | a card of which 3-D Secure asks for a one-time password |
| ``authorised`` | ``challenged``, or at once | the issuer approves |
| ``refused`` | ``challenged``, or at once | 3-D Secure fails, the issuer declines, or the session is over |
| ``error`` | | a system error, on demand |
| ``returned`` | ``authorised`` | its order is cancelled |

A challenge alone decides nothing: the payment stays ``challenged`` until somebody submits its
``redirectResult``. Amounts are integers of minor units.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable

import attrs

from ..clock import Clock
from ..exchange import Refusal
from .acquirer import PENDING, LinkPayment, default_expiry
from .checkout_payments import (
    BRANDS,
    GIFT_CURRENCY,
    CheckoutDraft,
    CheckoutPaymentStore,
    Means,
    StoredCardStore,
    StoredCheckoutPayment,
)
from .checkout_sessions import (
    CheckoutOrderStore,
    IdempotencyKeyStore,
    SessionStore,
    StoredCheckoutOrder,
    StoredSession,
)
from .issuer import CARDS, PASSWORD, Flow, PresentedCard, ResponseCode, response_code

__all__ = ["SOURCE", "CheckoutState", "of_session"]

SOURCE = "checkout"


class CheckoutState:
    """The tables of the Checkout API, and the payments that change several of them at once.

    Args:
        connection: The database.
        clock: The sandbox's clock.
        changed: Called with a payment in a new state, in the same database transaction.
    """

    stores = (SessionStore, CheckoutPaymentStore, CheckoutOrderStore, StoredCardStore, IdempotencyKeyStore)

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, changed: Callable[[StoredCheckoutPayment], None]
    ) -> None:
        self.clock = clock
        self.sessions: SessionStore = SessionStore(connection, clock)
        self.payments: CheckoutPaymentStore = CheckoutPaymentStore(connection, clock, changed)
        self.orders: CheckoutOrderStore = CheckoutOrderStore(connection, clock)
        self.cards: StoredCardStore = StoredCardStore(connection, clock)
        self.keys: IdempotencyKeyStore = IdempotencyKeyStore(connection, clock)

    def clear(self) -> None:
        """Forget everything."""
        for store in (self.sessions, self.payments, self.orders, self.cards, self.keys):
            store.clear()

    def pay(self, draft: CheckoutDraft, means: Means, *, failed: bool = False) -> StoredCheckoutPayment:
        """Make a payment: it comes back authorised, refused, challenged, or failed by a system error.

        Raises:
            Refusal: Its session or its order takes no payment (code 5).
        """
        with self.payments.atomically():
            session = self._session(draft.session_id)
            if session is not None and session.status != "active":
                raise Refusal(5, f"session: is {session.status}", source=SOURCE)
            if failed:
                payment = self.payments.create(draft, means, response_code=ResponseCode.SYSTEM_ERROR)
                return self.payments.move(payment, "error")
            draft, code = self._asked(draft, means)
            payment = self.payments.create(draft, means, response_code=code)
            flow = Flow.FRICTIONLESS if means.card is None else CARDS[means.card.number].flow
            if flow.is_challenge:
                return self.payments.move(payment, "challenged")
            if flow is Flow.FRICTIONLESS_FAILURE:
                return self._refuse(payment, ResponseCode.NOT_AUTHENTICATED)
            return self._authorise(payment)

    def pay_session(self, session_id: str, asked: LinkPayment) -> StoredCheckoutPayment:
        """Pay a session with a test card, as on the sandbox's own page; a challenge ends there.

        Raises:
            Refusal: There is no such session (code 4), it takes no payment, or the card is no test card
                (code 5).
        """
        session = self.sessions.find(session_id)
        if session is None:
            raise Refusal(4, "session not found", source=SOURCE)
        number = asked.card.replace(" ", "")
        if number not in CARDS:
            raise Refusal(5, "card: is none of the test cards", source=SOURCE)
        month, year = asked.expiry or default_expiry(self.clock)
        card = PresentedCard(number=number, expiry_month=month, expiry_year=year, cvv=asked.cvv)
        means = Means(type="scheme", brand=BRANDS[CARDS[number].scheme], card=card)
        payment = self.pay(of_session(session, ends_at_bank=True), means, failed=asked.failed)
        return payment if asked.otp == PENDING else self.answer_challenge(payment, asked.otp)

    def answer_challenge(self, payment: StoredCheckoutPayment, password: str) -> StoredCheckoutPayment:
        """Note what the shopper has answered on the bank's page, once; it ends those that end there."""
        if payment.status != "challenged" or payment.is_confirmed is not None:
            return payment
        flow = CARDS[payment.card_number or ""].flow
        is_confirmed = password == PASSWORD and flow is not Flow.BROKEN_CHALLENGE
        with self.payments.atomically():
            self.payments.update(id=payment.id, is_confirmed=is_confirmed)
            answered = attrs.evolve(payment, is_confirmed=is_confirmed)
            return self.go_on(answered) if payment.ends_at_bank else answered

    def go_on(self, payment: StoredCheckoutPayment) -> StoredCheckoutPayment:
        """Decide a payment whose shopper is back from the bank's page; one that is decided stays so."""
        if payment.status != "challenged" or payment.is_confirmed is None:
            return payment
        with self.payments.atomically():
            if not payment.is_confirmed:
                return self._refuse(payment, ResponseCode.NOT_AUTHENTICATED)
            return self._authorise(payment)

    def order(self, identifier: str, order_data: str, merchant_account: str) -> StoredCheckoutOrder:
        """Return the order that a request names.

        Raises:
            Refusal: There is none with this data, of this merchant account (code 5).
        """
        found = self.orders.find(identifier)
        if (
            found is None
            or not hmac.compare_digest(found.order_data.encode(), order_data.encode())
            or found.merchant_account != merchant_account
        ):
            raise Refusal(5, "order: there is none with this pspReference and orderData", source=SOURCE)
        return found

    def is_open(self, order: StoredCheckoutOrder) -> bool:
        """Whether an order can be paid."""
        return order.status == "open" and self.clock.microseconds() < order.expires_at

    def cancel(self, order: StoredCheckoutOrder) -> None:
        """Cancel an order that is not paid, and give the parts back that are.

        Raises:
            Refusal: It is paid, or cancelled already (code 5).
        """
        if order.status != "open":
            raise Refusal(5, f"order: is {order.status}", source=SOURCE)
        with self.orders.atomically():
            self.orders.update(id=order.id, status="cancelled", paid=0)
            for part in self.payments.of_order(order.id):
                self.payments.move(part, "returned")

    def _session(self, session_id: str | None) -> StoredSession | None:
        return None if session_id is None else self.sessions.find(session_id)

    def _asked(self, draft: CheckoutDraft, means: Means) -> tuple[CheckoutDraft, str]:
        """Return what is paid, of an order with a gift card no more than that holds, and the answer to it."""
        if means.card is not None:
            return draft, response_code(means.card, draft.amount, self.clock.now())
        if means.gift_card is None:
            return draft, ResponseCode.APPROVED
        left = self.payments.left_on(means.gift_card) if draft.currency.upper() == GIFT_CURRENCY else 0
        if draft.order_id is not None and 0 < left < draft.amount:
            return attrs.evolve(draft, amount=left), ResponseCode.APPROVED
        is_enough = left >= draft.amount
        return draft, ResponseCode.APPROVED if is_enough else ResponseCode.INSUFFICIENT_FUNDS

    def _authorise(self, payment: StoredCheckoutPayment) -> StoredCheckoutPayment:
        if payment.response_code != ResponseCode.APPROVED:
            return self._refuse(payment, payment.response_code)
        # It may have been paid, cancelled or have expired while its shopper was being authenticated.
        session = self._session(payment.session_id)
        order = None if payment.order_id is None else self.orders.find(payment.order_id)
        if session is not None and session.status != "active":
            return self._refuse(payment, ResponseCode.CLOSED)
        if order is not None and not (self.is_open(order) and payment.amount <= order.remaining):
            return self._refuse(payment, ResponseCode.CLOSED)
        if session is not None:
            self.sessions.update(id=session.id, status="paid")
        if order is not None:
            paid = order.paid + payment.amount
            self.orders.update(id=order.id, paid=paid, status="paid" if paid == order.amount else "open")
        if payment.is_stored:
            self.cards.keep(payment)
        return self.payments.move(payment, "authorised")

    def _refuse(self, payment: StoredCheckoutPayment, code: str) -> StoredCheckoutPayment:
        return self.payments.move(payment, "refused", response_code=code)


def of_session(
    session: StoredSession, *, is_stored: bool = False, ends_at_bank: bool = False
) -> CheckoutDraft:
    """Return what a payment of a session is made of."""
    wanted = session.store_mode == "enabled" or (session.store_mode == "askForConsent" and is_stored)
    return CheckoutDraft(
        merchant_account=session.merchant_account,
        reference=session.reference,
        amount=session.amount,
        currency=session.currency,
        return_url=session.return_url,
        shopper_reference=session.shopper_reference,
        recurring_model=session.recurring_model,
        is_stored=wanted,
        session_id=session.id,
        ends_at_bank=ends_at_bank,
    )
