"""What a shop's page may say of a payment, and what its server alone does.

The vendor's browser SDK gives the page an object, which the server is to send on merged over its own fields.
A page is in its visitor's hands. So a field has one author: what is not known to come from the SDK is refused
here, and so is what the server has given itself. No amount, currency, reference or merchant account comes
from a page, under whatever name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .._privacy.hiding import shown
from ..api.checks import check_json_object
from ..api.fields import own_field
from ..errors import ConfigurationError

__all__ = ["FROM_ADDITIONAL_DETAILS", "FROM_SUBMIT", "check_state_data"]

FROM_SUBMIT = frozenset(
    {
        *("paymentMethod", "storePaymentMethod", "installments", "riskData", "clientStateDataIndicator"),
        *("browserInfo", "origin", "order"),
        *("shopperName", "shopperEmail", "telephoneNumber", "dateOfBirth", "socialSecurityNumber"),
        *("billingAddress", "deliveryAddress"),
    }
)
"""What ``onSubmit`` gives. Evidence: the vendor's browser SDK; `telephoneNumber` and `dateOfBirth` are
assumed."""
FROM_ADDITIONAL_DETAILS = frozenset({"details", "paymentData"})
"""What ``onAdditionalDetails`` gives. Evidence: the vendor's browser SDK."""


def check_state_data(request: Any, allowed: frozenset[str]) -> None:
    """Refuse what a page has sent with a field that a page may not give, or that has two authors.

    Args:
        request: The request whose `state_data` it is.
        allowed: The fields that the SDK gives.

    Raises:
        ConfigurationError: It has another field, or one that the server has given too, or lacks the object
            that must be there. The message names the field and shows no value.
    """
    kind: Any = request.__class__
    state_data: Any = request.state_data
    needed: str = attrs.fields_dict(kind)["state_data"].metadata["merged"]
    check_json_object("state_data", state_data)
    for key in state_data:
        place = f"state_data[{shown(key, 60)}]"
        if key not in allowed:
            own = own_field(kind, key)
            what_to_do = (
                "if your server has checked it, take it out and give it in extra"
                if own is None
                else f"it is your server's to say: give {own} there, and take it out"
            )
            raise ConfigurationError(f"{place}: no page may give this; {what_to_do}")
        own = own_field(kind, key)
        if own is not None and key != "order" and getattr(request, own) is not None:
            raise ConfigurationError(
                f"{place}: both your server ({own}) and the page give it; leave one of them out"
            )
    if not isinstance(state_data.get(needed), Mapping):
        raise ConfigurationError(f"state_data[{needed!r}]: expected an object, as the browser's SDK gives it")
