"""The card's fields on the checkout page: read, checked, and shown again where something is wrong with them.

A number that is not a test card's may be a real card's: it is neither stored nor sent back in the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from ..clock import Clock
from ..state.acquirer import PENDING, LinkPayment, default_expiry
from ..state.issuer import CARDS

__all__ = ["CardForm", "first_form", "in_groups", "read_card_form"]

_EXPIRY = re.compile(r"(0?[1-9]|1[0-2]) */ *([0-9]{4}|[0-9]{2})")
_CVV = re.compile("[0-9]{3,4}")


@attrs.frozen(kw_only=True)
class CardForm:
    """The content of the fields, and the errors by the fields' names."""

    card: str = attrs.field(default="", repr=False)
    expiry: str = ""
    cvv: str = attrs.field(default="", repr=False)
    errors: Mapping[str, str] = attrs.field(factory=dict[str, str])


def first_form(clock: Clock, number: str = "") -> CardForm:
    """Return the form of a fresh page, with the test card of this number filled in, if there is one."""
    month, year = default_expiry(clock)
    return CardForm(
        card=in_groups(number) if number in CARDS else "", expiry=f"{month:02}/{year % 100:02}", cvv="123"
    )


def read_card_form(fields: Mapping[str, str]) -> LinkPayment | CardForm:
    """Return the payment that a customer asks for, or the form to fill in again.

    The number may have spaces or hyphens in it. Without an expiry the card has one in the future, and
    without a CVV none was asked for.
    """
    number = re.sub(r"[\s-]", "", fields.get("card", ""))
    expiry, cvv = fields.get("expiry", "").strip(), fields.get("cvv", "").strip()
    errors: dict[str, str] = {}
    if not number:
        errors["card"] = "Enter a card number, or choose a test card below."
    elif number not in CARDS:
        errors["card"] = "This is none of the test cards, and the sandbox takes no other. Choose one below."
    date = _EXPIRY.fullmatch(expiry)
    if expiry and date is None:
        errors["expiry"] = "Enter month and year, such as 07/31."
    if cvv and _CVV.fullmatch(cvv) is None:
        errors["cvv"] = "Enter three or four digits."
    if errors:
        return CardForm(
            card=in_groups(number) if number in CARDS else "", expiry=expiry, cvv=cvv, errors=errors
        )
    expires = None if date is None else (int(date[1]), int(date[2]))
    return LinkPayment(card=number, cvv=cvv or None, expiry=expires, otp=PENDING)


def in_groups(number: str) -> str:
    """Return a card's number as cards show it: ``4111 1111 1111 1111``."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))
