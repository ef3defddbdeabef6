"""Amounts of the Checkout API: ``{"currency": "KZT", "value": 2200000}``, in **minor** units.

Evidence: published; that KZT, USD and EUR have 100 minor units is published too.
"""

from __future__ import annotations

from typing import Any

import attrs

from ..api.fields import Model, wire
from ..errors import ConfigurationError
from ..money import Money

__all__ = ["Amount", "CheckoutMoney", "amount_of", "optional_amount_of"]


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
    currency: str

    def equals(self, money: Money) -> bool:
        """Tell whether this is the same amount of the same currency."""
        same: Any = money
        return isinstance(same, Money) and (self.value, self.currency.upper()) == (
            same.amount,
            same.currency,
        )
