"""The bank behind the test cards: how each card authenticates, and which payments are declined.

Evidence: the cards, the one-time passwords and the response codes 05 and 51 are the vendor's of 2023. The
other codes and all messages are the sandbox's own.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

import attrs

__all__ = [
    "CARDS",
    "DEFAULT_CARD",
    "PASSWORD",
    "REASONS",
    "Flow",
    "IssuedCard",
    "PresentedCard",
    "ResponseCode",
    "response_code",
]


class ResponseCode(enum.StrEnum):
    """What the issuer, or the acquirer for it, answers to a payment."""

    APPROVED = "00"
    REFUSED = "05"
    INVALID_NUMBER = "14"
    INSUFFICIENT_FUNDS = "51"
    EXPIRED = "54"
    AUTHENTICATION_REQUIRED = "1A"
    SYSTEM_ERROR = "96"
    CVV_FAILED = "N7"
    NOT_AUTHENTICATED = "3DS"
    UNAVAILABLE_LINK = "LINK"
    CLOSED = "CLOSED"


REASONS: Mapping[str, str] = {
    ResponseCode.APPROVED: "Successfully authorized the transaction",
    ResponseCode.REFUSED: "Do not honor",
    ResponseCode.INVALID_NUMBER: "Invalid card number",
    ResponseCode.INSUFFICIENT_FUNDS: "Insufficient funds",
    ResponseCode.EXPIRED: "Expired card",
    ResponseCode.AUTHENTICATION_REQUIRED: "Additional customer authentication required",
    ResponseCode.SYSTEM_ERROR: "System malfunction",
    ResponseCode.CVV_FAILED: "CVV failed",
    ResponseCode.NOT_AUTHENTICATED: "3-D Secure authentication failed",
    ResponseCode.UNAVAILABLE_LINK: "The payment link is not active any more",
    ResponseCode.CLOSED: "The session or the order takes no payment any more",
}
"""The message of each response code."""

PASSWORD = "555"  # noqa: S105
"""The one-time password that passes a challenge; ``111``, and any other, fails it."""
DEFAULT_CARD = "4200000000000000"
"""The card that pays a link unless another is given."""

_YEARS = 10


class Flow(enum.Enum):
    """What 3-D Secure does with a card."""

    FRICTIONLESS = enum.auto()
    """The customer is let through without being asked."""
    FRICTIONLESS_FAILURE = enum.auto()
    CHALLENGE = enum.auto()
    """The customer is asked for a one-time password."""
    MANDATORY_CHALLENGE = enum.auto()
    """As `CHALLENGE`, and a payment that skips it is refused."""
    BROKEN_CHALLENGE = enum.auto()
    """The customer is asked, and the answer is an error whatever the password."""

    @property
    def is_challenge(self) -> bool:
        """Whether the customer is asked."""
        return self in (Flow.CHALLENGE, Flow.MANDATORY_CHALLENGE, Flow.BROKEN_CHALLENGE)


@attrs.frozen
class IssuedCard:
    """A test card: its flow, and the amounts (in minor units) and CVVs that it answers with another code."""

    number: str = attrs.field(repr=False)
    scheme: str
    flow: Flow
    codes: Mapping[int, str] = attrs.field(factory=dict[int, str])
    cvv_codes: Mapping[str, str] = attrs.field(factory=dict[str, str])


CARDS: Mapping[str, IssuedCard] = {
    card.number: card
    for card in (
        IssuedCard(
            "4111111111111111",
            "visa",
            Flow.CHALLENGE,
            {20050_00: ResponseCode.REFUSED},
            {"444": ResponseCode.CVV_FAILED},
        ),
        IssuedCard(
            "4200000000000000", "visa", Flow.FRICTIONLESS, {20510_00: ResponseCode.INSUFFICIENT_FUNDS}
        ),
        IssuedCard("4907639999909022", "visa", Flow.FRICTIONLESS),
        IssuedCard("4907639999990022", "visa", Flow.FRICTIONLESS_FAILURE),
        IssuedCard("4918914107195005", "visa", Flow.MANDATORY_CHALLENGE),
        IssuedCard("5168159443230322", "mastercard", Flow.BROKEN_CHALLENGE),
        IssuedCard("4111111111111110", "visa", Flow.FRICTIONLESS),
    )
}
"""The test cards by their numbers. The sandbox takes no other, so that no real card gets into it."""


def _in_four_digits(year: int) -> int:
    return year if year > 99 else 2000 + year


@attrs.frozen(kw_only=True)
class PresentedCard:
    """The data of a card that a customer enters."""

    number: str = attrs.field(repr=False)
    expiry_month: int
    expiry_year: int = attrs.field(converter=_in_four_digits)
    """In four digits; given in two, it is of this century."""
    cvv: str | None = attrs.field(default=None, repr=False)
    holder: str | None = attrs.field(default=None, repr=False)

    @property
    def expiry(self) -> str:
        """The expiry as cards show it: ``07/27``."""
        return f"{self.expiry_month:02}/{self.expiry_year % 100:02}"


def response_code(card: PresentedCard, amount: int, now: datetime) -> str:
    """Return the issuer's answer to a payment of `amount` minor units."""
    if not _passes_luhn(card.number):
        return ResponseCode.INVALID_NUMBER
    left = (card.expiry_year - now.year) * 12 + card.expiry_month - now.month
    if not 0 <= left <= _YEARS * 12:
        return ResponseCode.EXPIRED
    issued = CARDS[card.number]
    if card.cvv is not None and card.cvv in issued.cvv_codes:
        return issued.cvv_codes[card.cvv]
    return issued.codes.get(amount, ResponseCode.APPROVED)


def _passes_luhn(number: str) -> bool:
    doubled = (int(digit) * 2 for digit in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(value // 10 + value % 10 for value in doubled)) % 10 == 0
