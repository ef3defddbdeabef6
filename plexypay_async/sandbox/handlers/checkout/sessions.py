"""Sessions, as the sandbox does them.

A session lasts an hour by the sandbox's clock, and is paid once. Its ``url`` is a page of the sandbox where
the shopper pays; the shopper's browser may also pay it by `plexypay_async.sandbox.shopper_api`.
"""

from __future__ import annotations

import base64
import secrets

from ...checkout_messages import CheckoutFields
from ...exchange import ApiRequest, ApiResponse
from ...state.checkout_sessions import SESSION_LASTS, StoredSession, reference_of_16
from .once import CheckoutHandlers

__all__ = ["SessionsHandlers"]

_DATA_BYTES = 300
_TEXTS = (
    *("channel", "countryCode", "shopperLocale", "shopperEmail", "shopperInteraction", "telephoneNumber"),
    *("dateOfBirth", "socialSecurityNumber"),
)
_STORE_MODES = (None, "enabled", "disabled", "askForConsent")


class SessionsHandlers(CheckoutHandlers):
    """What the sandbox does for each operation of sessions."""

    def create(self, request: ApiRequest) -> ApiResponse:
        """Make a session."""
        return self._once("sessions.create", request, self._create)

    def _create(self, fields: CheckoutFields, merchant_account: str) -> ApiResponse:
        amount, currency = fields.amount("amount")
        reference, return_url = fields.required_text("reference"), fields.required_text("returnUrl")
        for name in _TEXTS:
            fields.text(name)
        for name in ("billingAddress", "deliveryAddress", "shopperName"):
            fields.object(name)
        fields.texts("blockedPaymentMethods")
        store_mode = fields.text("storePaymentMethodMode")
        if store_mode not in _STORE_MODES:
            raise fields.bad_value("storePaymentMethodMode", "expected enabled, disabled or askForConsent")
        sessions = self._checkout.sessions
        now = sessions.clock.microseconds()
        session = StoredSession(
            id=f"CS{reference_of_16()}",
            merchant_account=merchant_account,
            reference=reference,
            amount=amount,
            currency=currency,
            return_url=return_url,
            shopper_reference=fields.text("shopperReference"),
            recurring_model=fields.text("recurringProcessingModel"),
            store_mode=store_mode,
            request=fields.canonical(),
            session_data=base64.b64encode(secrets.token_bytes(_DATA_BYTES)).decode(),
            status="active",
            created_at=now,
            expires_at=now + SESSION_LASTS,
        )
        sessions.add(session)
        return ApiResponse(201, session.shown(self._base_url))
