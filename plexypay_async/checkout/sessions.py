"""Sessions: what the browser's SDK needs to take a payment by itself.

Evidence: published, with the vendor's own programs for the optional fields. Amounts are in **minor** units.
A call that reads a session is not published: its result comes by webhook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_optional_text, check_text, key_or_new
from ..api.facades import F
from ..api.fields import Model, Request, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from ..errors import ConfigurationError
from .description import CHECKOUT
from .shopper import (
    Address,
    AuthenticationData,
    Channel,
    LineItem,
    RecurringProcessingModel,
    ShopperInteraction,
    ShopperName,
    StorePaymentMethodMode,
    check_hidden_text,
    check_kind,
    check_line_items,
    date_of_birth_of,
)
from .values import Amount, CheckoutMoney, amount_of, check_idempotency_key

__all__ = ["CreateSession", "Session", "Sessions"]


@hiding_arguments
@attrs.frozen(kw_only=True)
class CreateSession(Request):
    """Create a session, with which the browser's SDK takes the payment.

    Safe to repeat with the same key: the library keeps it over all attempts of a call, and an error of the
    call has it as `idempotency_key`. The API keeps it for 24 hours. Nothing is paid by it.

    Args:
        amount: What is to be paid, in **minor** units; `Money.major` makes it of major units.
        reference: Your order's reference; refused with a character that is not seen, or with white space at
            an end.
        return_url: Where the shopper comes back to after a redirect.
        country_code: The shopper's country, two letters such as ``KZ``.
        channel: ``Web``, ``iOS`` or ``Android``.
        shopper_locale: The shopper's language, such as ``ru-RU``.
        shopper_reference: Your customer's id.
        shopper_email: The shopper's address for mail; not shown in the repr.
        shopper_name: The shopper's name.
        telephone_number: The shopper's; not shown in the repr.
        date_of_birth: The shopper's, a date or its text; not shown in the repr.
        social_security_number: The shopper's; not shown in the repr.
        shopper_interaction: ``Ecommerce``.
        recurring_processing_model: ``CardOnFile`` or ``Subscription``.
        store_payment_method_mode: ``enabled``, ``disabled`` or ``askForConsent``.
        billing_address: The shopper's.
        delivery_address: The shopper's.
        line_items: What is paid for; amounts are in **minor** units.
        authentication_data: Whether and how the shopper is to be authenticated.
        blocked_payment_methods: The types of ways to pay that are not offered.
        merchant_account: The merchant account's name; the client's unless given.
        idempotency_key: The header ``Idempotency-Key``: printable ASCII of at most 255 characters. A UUID of
            version 4 is made for the request unless given; give the earlier one to repeat a call of another
            process.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `Session`; give its `for_browser()` to the page, with your client key.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no merchant account; nothing was sent.
        InvalidRequestError: The server refused the data.
        IdempotencyError: The key is in use, or was used with other values.
        OutcomeUnknownError: The session may exist; the same call with the error's `idempotency_key` is safe.
        PlexyPayError: Any other failure; its `outcome` says whether it may have been done.

    Evidence: the call, `amount`, `merchant_account`, `reference` and `return_url` are published; the other
    fields are in the vendor's own programs and in the published answer. That the call takes a key is assumed.
    """

    merchant_account: str | None = attrs.field(default=None, metadata=wire(of_client=True))
    amount: CheckoutMoney = attrs.field(converter=amount_of)
    reference: str
    return_url: str
    country_code: str | None = None
    channel: Channel | str | None = None
    shopper_locale: str | None = None
    shopper_reference: str | None = None
    shopper_email: str | None = attrs.field(default=None, repr=False)
    shopper_name: ShopperName | None = None
    telephone_number: str | None = attrs.field(default=None, repr=False)
    date_of_birth: str | None = attrs.field(default=None, repr=False, converter=date_of_birth_of)
    social_security_number: str | None = attrs.field(default=None, repr=False)
    shopper_interaction: ShopperInteraction | str | None = None
    recurring_processing_model: RecurringProcessingModel | str | None = None
    store_payment_method_mode: StorePaymentMethodMode | str | None = None
    billing_address: Address | None = None
    delivery_address: Address | None = None
    line_items: Sequence[LineItem] | None = attrs.field(default=None, hash=False)
    authentication_data: AuthenticationData | None = None
    blocked_payment_methods: Sequence[str] | None = attrs.field(default=None, hash=False)
    idempotency_key: str = attrs.field(
        default=None, converter=key_or_new, metadata=wire("Idempotency-Key", header=True)
    )
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "reference")
        settle_identity(self, "shopper_reference")
        check_text("reference", self.reference)
        check_text("return_url", self.return_url)
        for name in (
            *("merchant_account", "country_code", "channel", "shopper_locale", "shopper_interaction"),
            *("recurring_processing_model", "store_payment_method_mode"),
        ):
            check_optional_text(name, getattr(self, name))
        for name in ("shopper_email", "telephone_number", "social_security_number"):
            check_hidden_text(name, getattr(self, name))
        check_kind("shopper_name", self.shopper_name, ShopperName, optional=True)
        check_kind("billing_address", self.billing_address, Address, optional=True)
        check_kind("delivery_address", self.delivery_address, Address, optional=True)
        check_kind("authentication_data", self.authentication_data, AuthenticationData, optional=True)
        check_line_items(self.line_items)
        if self.blocked_payment_methods is not None:
            if not isinstance(self.blocked_payment_methods, (list, tuple)):
                raise ConfigurationError(
                    "blocked_payment_methods: expected a list of texts, got "
                    f"{type(self.blocked_payment_methods).__name__}"
                )
            for index, name in enumerate(self.blocked_payment_methods):
                check_text(f"blocked_payment_methods[{index}]", name)
        check_idempotency_key(self.idempotency_key)

    @property
    def order_reference(self) -> str:
        """Your order's reference."""
        return self.reference

    @property
    def amount_value(self) -> int:
        """What is to be paid, in **minor** units."""
        return self.amount.amount

    @property
    def currency(self) -> str:
        """Of the amount."""
        return self.amount.currency


@attrs.frozen(kw_only=True)
class Session(Model):
    """A session of the browser's SDK.

    `amount` is in **minor** units. Times are in UTC. What else the answer repeats of the request is in `raw`.

    Evidence: published; a test of the vendor's browser SDK has an answer with fewer fields.
    """

    private: ClassVar[bool] = True
    checked: ClassVar[tuple[str, ...]] = ("id", "session_data")

    id: str
    """The session's id; the browser's SDK takes it."""
    session_data: str = attrs.field(repr=False)
    """Opaque and long; whoever has it can go on with the session."""
    expires_at: datetime | None = None
    """When it takes no payment any more, by its name; in UTC."""
    amount: Amount | None = None
    """What is to be paid, in **minor** units."""
    merchant_account: str | None = None
    """The merchant account's name."""
    merchant_id: str | None = None
    """The merchant's id."""
    reference: str | None = None
    """Your order's reference."""
    return_url: str | None = None
    """Where the shopper comes back to after a redirect."""
    mode: str | None = None
    """What it means is not published, nor are its values."""
    url: str | None = attrs.field(default=None, repr=False)
    """What it leads to is not published."""
    channel: Channel | None = None
    """``Web``, ``iOS`` or ``Android``, as it was asked for."""
    country_code: str | None = None
    """The shopper's country, two letters such as ``KZ``."""
    shopper_locale: str | None = None
    """The shopper's language, such as ``ru-RU``."""
    shopper_reference: str | None = None
    """Your customer's id."""

    @property
    def amount_value(self) -> int | None:
        """What is to be paid, in **minor** units; None where the answer does not say it."""
        return None if self.amount is None else self.amount.value

    @property
    def currency(self) -> str | None:
        """Of the amount; None where the answer does not say it."""
        return None if self.amount is None else self.amount.currency

    def for_browser(self) -> dict[str, str]:
        """Return what the browser's SDK takes: ``id`` and ``sessionData``, and nothing else of the answer.

        The client key, which the page needs too, is no part of a session.
        """
        return {"id": self.id, "sessionData": self.session_data}


class Sessions(Resource[F], api=CHECKOUT):
    """Create sessions for the browser's SDK."""

    create: Final = Operation(
        "POST",
        "/v2/sessions",
        CreateSession,
        Session,
        evidence=Evidence.PUBLISHED,
        replay=Replay.SAME_KEY,
        key="idempotency_key",
        echoes={"reference": "reference", "amount_value": "amount_value", "currency": "currency"},
        created=Evidence.PUBLISHED,
    )
