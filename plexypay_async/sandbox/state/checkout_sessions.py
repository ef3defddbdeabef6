"""Sessions, orders that are paid in parts, and the idempotency keys of the Checkout API in the database.

Amounts are integers of minor units. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import secrets
from typing import Any

import attrs
import orjson

from ..clock import written_time
from .settlement_orders import MERCHANT_ID
from .table import Sought, Table

__all__ = [
    "CheckoutOrderStore",
    "IdempotencyKeyStore",
    "SessionStore",
    "StoredCheckoutOrder",
    "StoredIdempotencyKey",
    "StoredSession",
    "money",
    "reference_of_16",
]

_HOUR = 3600 * 1_000_000
SESSION_LASTS = _HOUR
ORDER_LASTS = 24 * _HOUR
KEY_LASTS = 24 * _HOUR
"""Evidence: published."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ECHOED = (
    *("channel", "countryCode", "shopperLocale", "shopperReference", "shopperInteraction"),
    *("recurringProcessingModel", "storePaymentMethodMode", "telephoneNumber", "dateOfBirth"),
    *("socialSecurityNumber", "billingAddress", "deliveryAddress", "lineItems"),
)
"""What a session's answer repeats of its request, beside what is required. Evidence: published."""


def reference_of_16() -> str:
    """Return a new reference of the kind that the API makes: 16 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


def money(value: int, currency: str) -> dict[str, Any]:
    """Return an amount as the API writes it."""
    return {"currency": currency, "value": value}


@attrs.define
class StoredSession:
    """One row of the sessions."""

    id: str
    merchant_account: str
    reference: str
    amount: int
    currency: str
    return_url: str
    shopper_reference: str | None
    recurring_model: str | None
    store_mode: str | None
    request: str = attrs.field(repr=False)
    """The body that it was made with, as JSON text."""
    session_data: str = attrs.field(repr=False)
    status: str = attrs.field(metadata={"sql": "DEFAULT 'active'"})
    """``active``, ``paid`` or ``expired``."""
    created_at: int
    expires_at: int

    @property
    def order_reference(self) -> str:
        """The shop's reference, as the pages call it."""
        return self.reference

    @property
    def description(self) -> None:
        """What it is for, as the pages show it: a session does not say."""

    def shown(self, base_url: str) -> dict[str, Any]:
        """Return the session as the API answers it, with its page's address under `base_url`."""
        request = orjson.loads(self.request)
        return {
            "id": self.id,
            "expiresAt": written_time(self.expires_at),
            "amount": money(self.amount, self.currency),
            "merchantAccount": self.merchant_account,
            "merchantId": MERCHANT_ID,
            "reference": self.reference,
            "returnUrl": self.return_url,
            "mode": "embedded",
            "sessionData": self.session_data,
            "url": f"{base_url}/checkout/sessions/{self.id}",
            **{name: request[name] for name in _ECHOED if request.get(name) is not None},
        }


class SessionStore(Table[StoredSession], name="checkout_sessions", row=StoredSession):
    """The sessions of one sandbox, in the order of their creation."""

    extra_schema = """
        CREATE INDEX IF NOT EXISTS checkout_sessions_by_expiry ON checkout_sessions (expires_at)
            WHERE status = 'active';
    """
    sought = Sought(references=["reference"])

    def next_change_at(self) -> int | None:
        """Return when the next session expires."""
        return self._earliest("expires_at", index="checkout_sessions_by_expiry", where="status = 'active'")

    def _make_changes(self, now: int) -> None:
        self._execute(
            "UPDATE checkout_sessions INDEXED BY checkout_sessions_by_expiry"
            " SET status = 'expired' WHERE status = 'active' AND expires_at <= ?",
            (now,),
        )


@attrs.define
class StoredCheckoutOrder:
    """One row of the orders that are paid in parts."""

    id: str
    """Its ``pspReference``."""
    order_data: str = attrs.field(repr=False)
    merchant_account: str
    reference: str
    amount: int
    currency: str
    paid: int
    status: str
    """``open``, ``paid`` or ``cancelled``."""
    expires_at: int

    @property
    def remaining(self) -> int:
        """What is still to be paid."""
        return self.amount - self.paid

    def shown(self) -> dict[str, Any]:
        """Return the order as the API shows it."""
        return {
            "pspReference": self.id,
            "orderData": self.order_data,
            "reference": self.reference,
            "amount": money(self.amount, self.currency),
            "remainingAmount": money(self.remaining, self.currency),
            "expiresAt": written_time(self.expires_at),
        }


class CheckoutOrderStore(Table[StoredCheckoutOrder], name="checkout_orders", row=StoredCheckoutOrder):
    """The orders of one sandbox that are paid in parts."""


@attrs.define
class StoredIdempotencyKey:
    """One row of the idempotency keys: what was asked with it, and what was answered."""

    id: str
    """The key."""
    operation: str
    request: str = attrs.field(repr=False)
    """The SHA-256 of the body in its canonical form."""
    status: int
    answer: str = attrs.field(repr=False)
    """The answer's body, as JSON text."""
    created_at: int


class IdempotencyKeyStore(
    Table[StoredIdempotencyKey], name="checkout_idempotency_keys", row=StoredIdempotencyKey
):
    """The idempotency keys of one sandbox, each for 24 hours. Evidence: published."""

    def known(self, key: str) -> StoredIdempotencyKey | None:
        """Return what a key was used for in the last 24 hours."""
        found = self.find(key)
        is_old = found is not None and found.created_at + KEY_LASTS <= self.clock.microseconds()
        return None if is_old else found

    def keep(self, row: StoredIdempotencyKey) -> None:
        """Store what a key was used for; what it was used for more than 24 hours ago is forgotten."""
        if self.find(row.id) is None:
            self.add(row)
        else:
            self._replace(row.id, row)
