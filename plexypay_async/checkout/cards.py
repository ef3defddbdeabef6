"""Details of a card, by its encrypted number.

Evidence: the request is in the vendor's own programs; nothing of the answer is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_optional_text
from ..api.facades import F
from ..api.fields import Model, Request, wire
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from ..errors import ConfigurationError
from .description import CHECKOUT

__all__ = ["CardDetails", "CardDetailsGroup", "RetrieveCardDetails"]


@hiding_arguments
@attrs.frozen(kw_only=True)
class RetrieveCardDetails(Request):
    """Retrieve what is known of a card, such as its brands.

    Safe to repeat: nothing is changed by it.

    Args:
        encrypted_card_number: The card's number, as the browser's SDK has encrypted it. No repr, log or error
            shows it.
        merchant_account: The merchant account's name; the client's unless given.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `CardDetails`, whose fields are unknown: read `raw`.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no merchant account; nothing was sent.
        InvalidRequestError: The server refused the data.

    Evidence: the vendor's own programs.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    encrypted_card_number: str = attrs.field(repr=False)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_optional_text("merchant_account", self.merchant_account)
        number = self.encrypted_card_number
        if not isinstance(number, str) or not number.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("encrypted_card_number: expected the text that the browser's SDK gives")
        if number.replace(" ", "").isdecimal():
            raise ConfigurationError("encrypted_card_number: is a number in plain; it must be encrypted")


@attrs.frozen(kw_only=True)
class CardDetails(Model):
    """What is known of a card. No field of it is known: everything is in `raw`.

    Evidence: nothing of the answer could be read.
    """

    private: ClassVar[bool] = True


class CardDetailsGroup(Resource[F], api=CHECKOUT):
    """Retrieve what is known of a card."""

    group: ClassVar[str] = "card_details"

    retrieve: Final = Operation(
        "POST",
        "/v2/cardDetails",
        RetrieveCardDetails,
        CardDetails,
        evidence=Evidence.VENDOR_CODE,
        replay=Replay.SAFE,
        reads=True,
    )
