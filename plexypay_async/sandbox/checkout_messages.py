"""What the Checkout API's messages hold, for the server's operations and for the shopper's browser alike.

The fields of a card are encrypted by the vendor's browser SDK, with a key that the sandbox does not have. In
their place it reads ``test_`` and the field in plain: ``test_4111111111111111``, as ``encryptedCardNumber``.
That is the sandbox's own, and so are the gift cards. What a field holds is neither kept nor sent back unless
it is a test card's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs

from .exchange import Fields
from .state.checkout import CheckoutState
from .state.checkout_payments import (
    BRANDS,
    GIFT_CARDS,
    Means,
    StoredCard,
    StoredCardStore,
    StoredCheckoutPayment,
)
from .state.checkout_sessions import money
from .state.issuer import CARDS, REASONS, Flow, PresentedCard

__all__ = [
    "WALLETS",
    "CheckoutFields",
    "card_brand",
    "gift_card",
    "means_of",
    "payment_answer",
    "payment_methods",
    "result_code",
]

PREFIX = "test_"
_MONTH, _YEAR, _CODE = re.compile("0?[1-9]|1[0-2]"), re.compile("[0-9]{2}|[0-9]{4}"), re.compile("[0-9]{3,4}")
WALLETS = {
    "googlepay": "googlePayToken",
    "paywithgoogle": "googlePayToken",
    "applepay": "applePayToken",
}
"""The types of wallets, each with the field of its token. Evidence: the vendor's browser SDK."""
_METHODS: tuple[dict[str, Any], ...] = (
    {"type": "scheme", "name": "Credit Card", "brands": ["visa", "mc"]},
    {"type": "googlepay", "name": "Google Pay"},
    {"type": "applepay", "name": "Apple Pay"},
    {"type": "giftcard", "name": "Gift card", "brand": "sandbox"},
)
_RESULTS = {"authorised": "Authorised", "refused": "Refused", "error": "Error", "returned": "Cancelled"}


class CheckoutFields(Fields):
    """The fields of a body of the Checkout API, of which some are amounts or encrypted for the vendor."""

    def amount(self, name: str) -> tuple[int, str]:
        """Return an amount that must be given: its minor units and its currency."""
        fields = self.given(name, self.nested(name))
        return fields.minor_units("value"), fields.currency("currency")

    def texts(self, name: str) -> list[str]:
        """Return an array of strings, empty where none is given."""
        values = cast("list[Any]", self._typed(name, list, "an array") or [])
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise self._bad_type(f"{name}[{number}]", "expected a string")
        return values

    def encrypted(self, name: str, is_one: Callable[[str], object], told: str) -> str:
        """Return what an encrypted field holds, which is not shown where it is none."""
        text = self.required_text(name)
        content = text.removeprefix(PREFIX).replace(" ", "")
        if not text.startswith(PREFIX):
            raise self.bad_value(name, f"expected {PREFIX} and the value, such as test_4111111111111111")
        if not is_one(content):
            raise self.bad_value(name, told)
        return content


def means_of(
    fields: CheckoutFields, cards: StoredCardStore, *, merchant_account: str, shopper_reference: str | None
) -> Means:
    """Read a ``paymentMethod``.

    Raises:
        Refusal: It is none that the sandbox knows.
    """
    kind = fields.required_text("type")
    if kind in WALLETS:
        fields.required_text(WALLETS[kind])
        network = fields.text("googlePayCardNetwork") or "visa"
        return Means(type=kind, brand=BRANDS.get(network.lower(), network.lower()[:32]))
    if kind == "giftcard":
        return Means(type=kind, brand=fields.text("brand") or "sandbox", gift_card=gift_card(fields))
    if kind != "scheme":
        raise fields.bad_value("type", f"expected scheme, giftcard or {', '.join(WALLETS)}, got {kind!r:.60}")
    stored = fields.text("storedPaymentMethodId")
    kept = () if stored is None else cards.of_shopper(merchant_account, shopper_reference or "")
    card = _card(fields) if stored is None else _stored(fields, stored, kept)
    return Means(type=kind, brand=BRANDS[CARDS[card.number].scheme], card=card)


def card_brand(fields: CheckoutFields) -> str:
    """Return what the API calls the scheme of an ``encryptedCardNumber``."""
    return BRANDS[CARDS[_number(fields)].scheme]


def payment_methods(allowed: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Return the ways to pay whose type is `allowed`."""
    return [method for method in _METHODS if allowed(method["type"])]


def result_code(payment: StoredCheckoutPayment, remaining: int | None = None) -> str:
    """Return how far a payment has come; `remaining` is what is left of its order."""
    if payment.status == "challenged":
        # A published answer has both: an action, and this. One card is to show that it may be so.
        is_odd = CARDS[payment.card_number or ""].flow is Flow.MANDATORY_CHALLENGE
        return "Authorised" if is_odd else "RedirectShopper"
    if payment.status == "authorised" and remaining:
        return "PartiallyAuthorised"
    return _RESULTS[payment.status]


def payment_answer(payment: StoredCheckoutPayment, state: CheckoutState, base_url: str) -> dict[str, Any]:
    """Return a payment as the API answers it, with its action's address under `base_url`."""
    order = None if payment.order_id is None else state.orders.find(payment.order_id)
    shown: dict[str, Any] = {
        "pspReference": payment.id,
        "resultCode": result_code(payment, None if order is None else order.remaining),
        "amount": money(payment.amount, payment.currency),
        "merchantReference": payment.reference,
        "paymentMethod": {"type": payment.method, "brand": payment.brand},
        "additionalData": {
            "paymentMethod": payment.brand or payment.method,
            "networkTxReference": payment.network_reference,
            "isCardCommercial": "unknown",
        },
    }
    if payment.recurring_model is not None:
        shown["additionalData"]["recurringProcessingModel"] = payment.recurring_model
    if payment.status == "challenged":
        shown["action"] = {
            "method": "GET",
            "paymentMethodType": payment.method,
            "type": "redirect",
            "url": f"{base_url}/checkout/redirect/{payment.bank_page}",
        }
    elif payment.status in ("refused", "error"):
        shown["refusalReason"] = REASONS[payment.response_code]
        shown["refusalReasonCode"] = str(payment.response_code)
    if order is not None:
        shown["order"] = order.shown()
    return shown


def gift_card(fields: CheckoutFields) -> str:
    """Return the number of the gift card of a ``paymentMethod``."""
    if fields.required_text("type") != "giftcard":
        raise fields.bad_value("type", "expected giftcard")
    return fields.encrypted("encryptedCardNumber", GIFT_CARDS.__contains__, "is none of the test gift cards")


def _card(fields: CheckoutFields) -> PresentedCard:
    month = fields.encrypted("encryptedExpiryMonth", _MONTH.fullmatch, "expected test_1 to test_12")
    year = fields.encrypted("encryptedExpiryYear", _YEAR.fullmatch, "expected such as test_2030")
    return PresentedCard(
        number=_number(fields),
        expiry_month=int(month),
        expiry_year=int(year),
        cvv=_security_code(fields),
        holder=fields.text("holderName"),
    )


def _stored(fields: CheckoutFields, identifier: str, kept: Sequence[StoredCard]) -> PresentedCard:
    found = next((one.card for one in kept if one.id == identifier), None)
    if found is None:
        raise fields.bad_value("storedPaymentMethodId", "the shopper has not stored it")
    if fields.text("encryptedSecurityCode") is None:
        return found
    return attrs.evolve(found, cvv=_security_code(fields))


def _number(fields: CheckoutFields) -> str:
    return fields.encrypted("encryptedCardNumber", CARDS.__contains__, "is none of the test cards")


def _security_code(fields: CheckoutFields) -> str:
    return fields.encrypted("encryptedSecurityCode", _CODE.fullmatch, "expected test_ and 3 or 4 digits")
