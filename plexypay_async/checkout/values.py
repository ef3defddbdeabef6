"""What several groups have: amounts, result codes, idempotency keys, and what goes to the browser.

An amount is ``{"currency": "KZT", "value": 2200000}``, in **minor** units. Evidence: published; that KZT, USD
and EUR have 100 minor units is published too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import attrs

from ..api.checks import check_key
from ..api.fields import Model, OpenEnum, wire
from ..errors import ConfigurationError
from ..money import Money

__all__ = [
    "Amount",
    "CheckoutMoney",
    "ResultCode",
    "amount_of",
    "check_idempotency_key",
    "for_json",
    "optional_amount_of",
]

LONGEST_KEY = 255
"""Characters of an idempotency key. Evidence: published."""


@attrs.frozen(kw_only=True)
class CheckoutMoney(Money):
    """A `Money` as this API writes it; requests make it of the `Money` that they are given.

    `amount` is in **minor** units and is ``value`` on the wire.

    Evidence: published.
    """

    amount: int = attrs.field(metadata=wire("value"))


def amount_of(value: Money) -> CheckoutMoney:
    """Return a `Money` in the form of this API.

    Raises:
        ConfigurationError: It is no `Money`.
    """
    if isinstance(value, CheckoutMoney):
        return value
    if not isinstance(value, Money):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f'amount: expected Money, such as Money.major("22000.50", "KZT"), got {type(value).__name__}'
        )
    return CheckoutMoney(amount=value.amount, currency=value.currency)


def optional_amount_of(value: Money | None) -> CheckoutMoney | None:
    """Return a `Money` in the form of this API, or None; see `amount_of`."""
    return None if value is None else amount_of(value)


@attrs.frozen(kw_only=True)
class Amount(Model):
    """An amount of an answer. `value` is in **minor** units of `currency`; it may be 0.

    Evidence: published.
    """

    value: int
    """How much it is, in **minor** units of `currency`: 22 000 KZT is ``2200000``."""
    currency: str
    """Three letters, such as ``KZT``."""

    def equals(self, money: Money) -> bool:
        """Tell whether this is the same amount of the same currency."""
        same: Any = money
        return isinstance(same, Money) and (self.value, self.currency.upper()) == (
            same.amount,
            same.currency,
        )


def for_json(value: Any) -> Any:
    """Return a value of an answer as whatever writes JSON takes it, and as a browser reads it.

    It is the same, but for a number with more digits than a float has, which is a `Decimal` here: a browser
    reads the nearest float in its place.
    """
    if type(value) is Decimal:
        return value if math.isinf(number := float(value)) else number
    if type(value) is dict:
        fields = cast("Mapping[str, Any]", value)
        made = {name: for_json(inner) for name, inner in fields.items()}
        return fields if all(made[name] is inner for name, inner in fields.items()) else made
    if type(value) is list:
        items = cast("Sequence[Any]", value)
        each = [for_json(inner) for inner in items]
        return items if all(a is b for a, b in zip(each, items, strict=True)) else each
    return value


class ResultCode(OpenEnum):
    """How far a payment has come. An unknown code is a member that equals the string it came as.

    Look at an answer's `action` first: with one, whatever the code says, nothing is decided yet.

    Evidence: the vendor's browser SDK; ten of the thirteen are published.
    """

    AUTHORISED = "Authorised"
    """Paid, or the funds are held."""
    REFUSED = "Refused"
    PENDING = "Pending"
    """Not decided yet: wait for the webhook."""
    RECEIVED = "Received"
    """Not decided yet: wait for the webhook."""
    ERROR = "Error"
    CANCELLED = "Cancelled"
    REDIRECT_SHOPPER = "RedirectShopper"
    """The shopper has to go to another page."""
    IDENTIFY_SHOPPER = "IdentifyShopper"
    """The shopper's browser has to be looked at, for 3-D Secure."""
    CHALLENGE_SHOPPER = "ChallengeShopper"
    """The shopper has to pass 3-D Secure."""
    PRESENT_TO_SHOPPER = "PresentToShopper"
    """Something is to be shown, such as a code to scan."""
    PARTIALLY_AUTHORISED = "PartiallyAuthorised"
    """A part of an order is paid."""
    AUTHENTICATION_FINISHED = "AuthenticationFinished"
    """The shopper is authenticated; nothing is paid by that."""
    AUTHENTICATION_NOT_REQUIRED = "AuthenticationNotRequired"
    """The shopper need not be authenticated; nothing is paid by that."""


def check_idempotency_key(value: Any) -> None:
    """Refuse an idempotency key that the API does not take, or that a header cannot carry as it is."""
    check_key("idempotency_key", value)
    if len(value) > LONGEST_KEY:
        raise ConfigurationError(
            f"idempotency_key: has {len(value)} characters; the API takes {LONGEST_KEY} at the most"
        )
