"""How far a payment has come: the word that the API has for it.

Evidence: the thirteen are in the vendor's browser SDK, ten of them are published.
"""

from __future__ import annotations

from ..api.fields import OpenEnum

__all__ = ["ResultCode"]


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
