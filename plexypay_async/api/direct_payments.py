"""Direct payments, host to host: the merchant's server takes the card and sends it encrypted.

Raw card data puts the merchant in the scope of PCI DSS. Evidence: the path of `create` is published, its
bodies are from 2023; `continue_3ds` is from 2023; the path of `keys` is **assumed** and nothing of its answer
is known. Amounts are in **major** units as `Decimal` (56.41 EUR is ``Decimal("56.41")``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Protocol, cast

import attrs

from .._privacy.hiding import hiding_arguments
from ..cards import EncryptedCard, StoredCard
from ..errors import ConfigurationError
from .facades import F
from .fields import (
    Model,
    OpenEnum,
    Request,
    check_bool,
    check_currency,
    check_json_object,
    check_major_units,
    check_optional_text,
    check_text,
    in_capitals,
    wire,
)
from .operation import Evidence, Operation, Resource, SettledBy
from .replay import Replay

__all__ = [
    "Address",
    "BrowserDetails",
    "ContinueThreeDSecure",
    "CreateDirectPayment",
    "CustomerDetails",
    "DirectPayment",
    "DirectPaymentKeys",
    "DirectPayments",
    "DirectRecurring",
    "DirectRecurringType",
    "OrderDetails",
    "RetrieveDirectPaymentKeys",
    "ThreeDSecure",
    "ThreeDSecureStatus",
    "TransactionType",
]

_3DS_REQUIRED = "3ds-required"


class TransactionType(OpenEnum):
    """What a direct payment does. Evidence: from 2023."""

    AUTH = "auth"
    """Hold the funds, to be captured later."""
    SALE = "sale"
    """Hold the funds and debit them at once."""
    VERIFICATION = "verification"
    """Check the card."""


class DirectRecurringType(OpenEnum):
    """How a direct payment belongs to a series on a stored card. Evidence: from 2023."""

    COF_INITIAL = "cof_initial"
    """The first of a series."""
    UCOF = "ucof"
    """One that is not scheduled."""


class ThreeDSecureStatus(OpenEnum):
    """What 3-D Secure came to. The letters are from 2023, their meaning is that of the EMV standard."""

    AUTHENTICATED = "Y"
    NOT_AUTHENTICATED = "N"
    UNAVAILABLE = "U"
    ATTEMPTED = "A"
    CHALLENGE = "C"
    """The customer has to answer the bank's challenge."""
    REJECTED = "R"


# ---------------------------------------------------------------------------------- parts of the request


class Headers(Protocol):
    """A web framework's request headers, or a dict of them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return the names and values."""
        ...


def _as_text(value: int | str) -> str:
    return str(value) if type(value) is int else cast("str", value)


@attrs.frozen(kw_only=True)
class BrowserDetails:
    """The customer's browser, for 3-D Secure. The API takes its numbers as strings; an int is written as one.

    Args:
        accept_header: The browser's ``Accept``.
        language: Such as ``ru-RU``; a page's ``navigator.language``.
        color_depth: Bits per pixel; a page's ``screen.colorDepth``.
        screen_height: In pixels; a page's ``screen.height``.
        screen_width: In pixels; a page's ``screen.width``.
        time_zone: Minutes from local time to UTC, such as -300 for UTC+5; a page's
            ``new Date().getTimezoneOffset()``. That the API means this one is assumed.
        user_agent: The browser's ``User-Agent``.
        java_enabled: Whether the browser runs Java; none does today.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: from 2023.
    """

    accept_header: str
    language: str
    color_depth: str = attrs.field(converter=_as_text)
    screen_height: str = attrs.field(converter=_as_text)
    screen_width: str = attrs.field(converter=_as_text)
    time_zone: str = attrs.field(converter=_as_text)
    user_agent: str
    java_enabled: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("accept_header", "language", "color_depth", "screen_height", "screen_width"):
            check_text(f"browser_details.{name}", getattr(self, name))
        check_text("browser_details.time_zone", self.time_zone)
        check_text("browser_details.user_agent", self.user_agent)
        check_bool("browser_details.java_enabled", self.java_enabled)

    @classmethod
    def from_headers(
        cls,
        headers: Headers,
        *,
        color_depth: int | str,
        screen_height: int | str,
        screen_width: int | str,
        time_zone: int | str,
        language: str | None = None,
        java_enabled: bool = False,
    ) -> BrowserDetails:
        """Return the details of the browser that sent these headers.

        Args:
            headers: The headers of the customer's request: ``request.headers`` of Django, Flask, aiohttp or
                Starlette, or a dict. The letter case of the names does not matter; of a header that comes
                more than once the first is taken.
            color_depth: As for the class; the page's JavaScript knows it, the headers do not.
            screen_height: The same.
            screen_width: The same.
            time_zone: The same.
            language: Unless given, the language that ``Accept-Language`` prefers.
            java_enabled: As for the class.

        Raises:
            ConfigurationError: A header is missing, or a value is of the wrong kind.
        """
        found: dict[str, str] = {}
        for name, value in headers.items():
            found.setdefault(name.lower(), value)
        if language is None:
            language = _preferred_language(_header(found, "Accept-Language"))
        return cls(
            accept_header=_header(found, "Accept"),
            language=language,
            color_depth=color_depth,
            screen_height=screen_height,
            screen_width=screen_width,
            time_zone=time_zone,
            user_agent=_header(found, "User-Agent"),
            java_enabled=java_enabled,
        )


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower())
    if value is None or not value.strip():
        raise ConfigurationError(f"headers: the browser's {name} is not there")
    return value


def _preferred_language(accepted: str) -> str:
    best, most = "", 0.0
    for part in accepted.split(","):
        language, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            continue
        language = language.strip()
        if weight > most and language not in ("", "*"):
            best, most = language, weight
    if not best:
        raise ConfigurationError("language: Accept-Language names none; give it")
    return best


@attrs.frozen(kw_only=True)
class OrderDetails:
    """What is paid for.

    Args:
        amount: In **major** units of `currency`, a `Decimal` or an `int`: 56.41 EUR is ``Decimal("56.41")``.
        currency: Three letters, such as ``KZT``; sent in capitals.
        description: In words.
        order_reference: Your order's reference. Give one: by it the payment is found when an answer is lost.
        cart_reference: Your cart's reference.
        items: The cart, each item an object under the wire's own names; sent as they are. The fields of an
            item are not published.

    Raises:
        ConfigurationError: A value is of the wrong kind, such as a float for the amount.

    Evidence: from 2023.
    """

    amount: Decimal | int
    currency: str = attrs.field(converter=in_capitals)
    description: str | None = None
    order_reference: str | None = None
    cart_reference: str | None = None
    items: Sequence[Mapping[str, Any]] | None = attrs.field(default=None, hash=False)

    def __attrs_post_init__(self) -> None:
        check_major_units("order_details.amount", self.amount)
        check_currency("order_details.currency", self.currency)
        check_optional_text("order_details.description", self.description)
        if self.order_reference is not None:
            check_text("order_details.order_reference", self.order_reference)
        check_optional_text("order_details.cart_reference", self.cart_reference)
        if self.items is not None:
            if not isinstance(self.items, (list, tuple)):
                raise ConfigurationError(
                    f"order_details.items: expected a list of mappings, got {type(self.items).__name__}"
                )
            for index, item in enumerate(self.items):
                check_json_object(f"order_details.items[{index}]", item)


@attrs.frozen(kw_only=True)
class Address:
    """An address of the customer's. Its repr shows the country alone.

    Raises:
        ConfigurationError: A value is no text.

    Evidence: from 2023; how `country` is written is not stated.
    """

    first_name: str | None = attrs.field(default=None, repr=False)
    last_name: str | None = attrs.field(default=None, repr=False)
    address_line1: str | None = attrs.field(default=None, repr=False)
    address_line2: str | None = attrs.field(default=None, repr=False)
    postal_code: str | None = attrs.field(default=None, repr=False)
    city: str | None = attrs.field(default=None, repr=False)
    phone: str | None = attrs.field(default=None, repr=False)
    country: str | None = None

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Address):
            check_optional_text(f"address.{field.name}", getattr(self, field.name))


@attrs.frozen(kw_only=True)
class CustomerDetails:
    """Who pays.

    Args:
        email: The customer's address for mail; not shown in the repr.
        delivery_address: Where the goods go.
        billing_address: The card holder's address.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: from 2023.
    """

    email: str | None = attrs.field(default=None, repr=False)
    delivery_address: Address | None = None
    billing_address: Address | None = None

    def __attrs_post_init__(self) -> None:
        check_optional_text("customer_details.email", self.email)
        _check_part("customer_details.delivery_address", self.delivery_address, Address, optional=True)
        _check_part("customer_details.billing_address", self.billing_address, Address, optional=True)


@attrs.frozen(kw_only=True)
class DirectRecurring:
    """The series of payments on a stored card that a payment begins or continues.

    Args:
        recurring_type: ``cof_initial`` or ``ucof``.
        parent_transaction_id: The transaction that the series began with.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: from 2023.
    """

    recurring_type: DirectRecurringType | str = DirectRecurringType.COF_INITIAL
    parent_transaction_id: str | None = None

    def __attrs_post_init__(self) -> None:
        check_text("recurring.recurring_type", self.recurring_type)
        check_optional_text("recurring.parent_transaction_id", self.parent_transaction_id)


def _check_part(name: str, value: Any, *kinds: type, optional: bool = False) -> None:
    """Refuse another kind of object; what it holds, which may be a card in plain, is not shown."""
    if not isinstance(value, kinds) and not (optional and value is None):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigurationError(f"{name}: expected {expected}, got {type(value).__name__}")


# ------------------------------------------------------------------------------------------ the requests


@attrs.frozen
class RetrieveDirectPaymentKeys(Request):
    """Retrieve the merchant's public keys, with which cards are encrypted.

    Args:
        extra: Query parameters, under their wire names.

    Returns:
        `DirectPaymentKeys`, whose fields are unknown: read `raw`.

    Raises:
        NotFoundError: This path is not the API's, or the account has no direct payments.

    Evidence: **assumed**; override the path with ``paths={"direct_payments.keys": "/v1/..."}``.
    """


@hiding_arguments
@attrs.frozen(kw_only=True)
class CreateDirectPayment(Request):
    """Pay with a card that the merchant's server has taken.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1. An answer
    that asks for 3-D Secure is returned, not raised: look at `requires_3ds` first. A decline raises.

    Args:
        transaction_type: ``auth``, ``sale`` or ``verification``.
        browser_details: The customer's browser; see `BrowserDetails.from_headers`.
        order_details: What is paid for; its amount is in **major** units.
        card_data: The card, encrypted by `encrypt_card`, or a `StoredCard`. A `Card` in plain is refused.
        customer_details: Who pays.
        three_ds_notification_url: Where the bank's page sends the customer after 3-D Secure, with the
            ``cres`` for `continue_3ds`.
        external_user_id: Your customer's id.
        skip_three_ds: Whether to go without 3-D Secure.
        moto: Whether the order came by mail or telephone.
        recurring: The series that this payment begins or continues.
        sca_exemption: The exemption from strong authentication that is asked for; its values are not
            published.
        payment_method: ``card``, the only one from 2023.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `DirectPayment`; its amount is in **major** units.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        RefusedError: The payment was declined; it has the code, such as ``51`` for insufficient funds, and
            the whole `answer`.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: It may be paid; ask `payments.search` by the order reference (its path is from
            2023), or look through `transactions.list`.

    Evidence: the call is published, request and answer are from 2023.
    """

    transaction_type: TransactionType | str
    browser_details: BrowserDetails
    order_details: OrderDetails
    card_data: EncryptedCard | StoredCard
    customer_details: CustomerDetails | None = None
    three_ds_notification_url: str | None = attrs.field(default=None, metadata=wire("threeDSNotificationUrl"))
    external_user_id: str | None = None
    skip_three_ds: bool | None = attrs.field(default=None, metadata=wire("skipThreeDS"))
    moto: bool | None = None
    recurring: DirectRecurring | None = None
    sca_exemption: str | None = None
    payment_method: str = "card"

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check_part("card_data", self.card_data, EncryptedCard, StoredCard)
        check_text("transaction_type", self.transaction_type)
        _check_part("browser_details", self.browser_details, BrowserDetails)
        _check_part("order_details", self.order_details, OrderDetails)
        _check_part("customer_details", self.customer_details, CustomerDetails, optional=True)
        _check_part("recurring", self.recurring, DirectRecurring, optional=True)
        for name in ("three_ds_notification_url", "external_user_id", "sca_exemption"):
            if getattr(self, name) is not None:
                check_text(name, getattr(self, name))
        for name in ("skip_three_ds", "moto"):
            if getattr(self, name) is not None:
                check_bool(name, getattr(self, name))
        check_text("payment_method", self.payment_method)

    @property
    def order_reference(self) -> str | None:
        """Your order's reference, by which the payment is found when an answer is lost."""
        return self.order_details.order_reference


@hiding_arguments
@attrs.frozen(kw_only=True)
class ContinueThreeDSecure(Request):
    """Go on with a payment once the customer is back from the bank's 3-D Secure page.

    Money moves: repeated by the library only where nothing was sent or the server answered code 1.

    Args:
        cres: The bank's answer, posted to your `three_ds_notification_url` as ``cres``.
        transaction_id: The `id` of the `DirectPayment`.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `DirectPayment` as it is now; its amount is in **major** units.

    Raises:
        RefusedError: The customer was not authenticated, or the payment was declined.
        OutcomeUnknownError: It may be paid; ask `transactions.retrieve`.

    Evidence: from 2023.
    """

    cres: str = attrs.field(repr=False)
    transaction_id: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not isinstance(self.cres, str) or not self.cres.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("cres: expected the bank's answer as text")
        check_text("transaction_id", self.transaction_id)

    @property
    def id(self) -> str:
        """The transaction's id, by which `transactions.retrieve` finds it."""
        return self.transaction_id


# ------------------------------------------------------------------------------------------- the answers


@attrs.frozen(kw_only=True)
class DirectPaymentKeys(Model):
    """The public keys for cards. No field of it is known: everything is in `raw`, an array as ``data``.

    Evidence: the vendor names the call; nothing of its answer could be read.
    """

    list_under: ClassVar[str | None] = "data"


@attrs.frozen(kw_only=True)
class ThreeDSecure(Model):
    """What 3-D Secure came to, or what the customer's browser has to do for it. Evidence: from 2023."""

    status: ThreeDSecureStatus | None = None
    type: str | None = None
    """``frictionless`` or ``challengeflow``."""
    html: str | None = attrs.field(default=None, repr=False)
    """A form for the customer's browser, which sends it to the bank's page."""
    action: str | None = None
    """The address of the bank's page, where you make the form yourself."""
    creq: str | None = attrs.field(default=None, repr=False)
    """The form's field ``creq``."""
    session_data: str | None = attrs.field(default=None, repr=False, metadata=wire("threeDSSessionData"))
    """The form's field ``threeDSSessionData``."""


@attrs.frozen(kw_only=True)
class DirectPayment(Model):
    """A direct payment, as its creation or the end of 3-D Secure answers it.

    `amount` is in **major** units. Ask `requires_3ds` before anything else: in the vendor's example of an
    answer that asks for 3-D Secure, `success` and `captured` are true.

    Evidence: from 2023; answers of other payment calls are seen with fewer fields, so that every one may be
    None.
    """

    private: ClassVar[bool] = True
    proof: ClassVar[tuple[str, ...]] = ("success",)

    id: str | None = None
    order_reference: str | None = None
    amount: Decimal | None = None
    """In **major** units."""
    currency: str | None = None
    payment_method: str | None = None
    success: bool | None = None
    captured: bool | None = None
    """Whether the funds are debited, not only held."""
    message: str | None = None
    action: str | None = None
    """What has to be done next; ``3ds-required`` is the known one."""
    three_ds: ThreeDSecure | None = attrs.field(default=None, metadata=wire("threeDS"))
    card_token_id: str | None = None
    """The token of the card, for a `StoredCard` or a recurring charge."""
    card_mask: str | None = None
    """Such as ``******1111``."""
    card_expiry_date: str | None = attrs.field(default=None, repr=False)
    """Such as ``07/27``."""
    cardholder_name: str | None = attrs.field(default=None, repr=False)
    card_scheme: str | None = None
    """Such as ``visa``."""
    cvv_status: str | None = None
    network_transaction_reference: str | None = None
    response_code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The acquirer's code; ``00`` is a success."""
    auth_code: str | None = None
    code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The code of a decline."""

    @property
    def requires_3ds(self) -> bool:
        """Whether the customer has to pass 3-D Secure: nothing is paid before `continue_3ds`."""
        if self.action is not None and self.action.lower() == _3DS_REQUIRED:
            return True
        return self.three_ds is not None and self.three_ds.status is ThreeDSecureStatus.CHALLENGE


class DirectPayments(Resource[F]):
    """Pay with cards that the merchant's server has taken."""

    keys = Operation(
        "GET",
        "/v1/payments/direct/keys",
        RetrieveDirectPaymentKeys,
        DirectPaymentKeys,
        evidence=Evidence.ASSUMED,
    )
    create = Operation(
        "POST",
        "/v1/payments/direct",
        CreateDirectPayment,
        DirectPayment,
        evidence=Evidence.PUBLISHED,
        replay=Replay.MONEY,
        echoes={"order_reference": "order_reference"},
        settled_by=SettledBy("payments.search", by="order_reference", otherwise="transactions.list"),
        pending="requires_3ds",
    )
    continue_3ds = Operation(
        "POST",
        "/v1/3ds/callback",
        ContinueThreeDSecure,
        DirectPayment,
        evidence=Evidence.LEGACY,
        replay=Replay.MONEY,
        echoes={"id": "id"},
        settled_by=SettledBy("transactions.retrieve", by="id"),
        pending="requires_3ds",
    )
