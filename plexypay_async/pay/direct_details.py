"""The parts of a direct payment's request: the customer's browser, the order, who pays, the series.

Evidence: from the vendor's 2023 docs. Amounts are in **major** units as `Decimal` (56.41 EUR is
``Decimal("56.41")``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, cast

import attrs

from ..api.checks import (
    check_bool,
    check_currency,
    check_json_object,
    check_major_units,
    check_optional_text,
    check_text,
    in_capitals,
)
from ..api.fields import OpenEnum, Part, check_marked, wire
from ..api.identities import settle_identity
from ..errors import ConfigurationError

__all__ = [
    "Address",
    "BrowserDetails",
    "CustomerDetails",
    "DirectRecurring",
    "DirectRecurringType",
    "Headers",
    "OrderDetails",
    "ScaExemption",
    "check_billing",
    "check_part",
]


class DirectRecurringType(OpenEnum):
    """How a direct payment belongs to a series on a stored card. Evidence: from 2023."""

    COF_INITIAL = "cof_initial"
    """The first of a series."""
    UCOF = "ucof"
    """One that is not scheduled."""


class ScaExemption(OpenEnum):
    """The exemption from strong customer authentication that is asked for. Evidence: from 2023."""

    LOW_VALUE = "low_value"
    """The amount is low."""


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
            Refused where a payment link's would be, and sent in Unicode's form NFC.
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
        settle_identity(self, "order_reference", "order_details.order_reference")
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

    A billing address needs all but `city`; where there is no second line, give ``""``, which the table of
    2023 neither allows nor forbids.

    Args:
        first_name: Of the person there.
        last_name: Of the person there.
        address_line1: The street and the house.
        address_line2: What else leads there.
        postal_code: The postal code.
        city: The city.
        phone: The telephone number; its form is not published.
        country: The country; whether as a code or a name is not published.

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


_BILLING = Part(
    Address,
    required=(
        *("first_name", "last_name", "address_line1", "address_line2"),
        *("postal_code", "phone", "country"),
    ),
    schema="BillingAddress",
)
"""What a billing address must have, by the table of 2023."""


@attrs.frozen(kw_only=True)
class CustomerDetails:
    """Who pays.

    Args:
        email: The customer's address for mail; not shown in the repr.
        delivery_address: Where the goods go.
        billing_address: The card holder's address, which a direct payment requires.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: from 2023.
    """

    email: str | None = attrs.field(default=None, repr=False)
    delivery_address: Address | None = None
    billing_address: Address | None = attrs.field(default=None, metadata=wire(part=_BILLING))

    def __attrs_post_init__(self) -> None:
        check_optional_text("customer_details.email", self.email)
        check_part("customer_details.delivery_address", self.delivery_address, Address, optional=True)
        check_part("customer_details.billing_address", self.billing_address, Address, optional=True)


@attrs.frozen(kw_only=True)
class DirectRecurring:
    """The series of payments on a stored card that a payment begins or continues.

    Args:
        recurring_type: ``cof_initial`` or ``ucof``.
        parent_transaction_id: The transaction that the series began with; required for ``ucof``.

    Raises:
        ConfigurationError: A value is of the wrong kind, or ``ucof`` has no `parent_transaction_id`.

    Evidence: from 2023.
    """

    recurring_type: DirectRecurringType | str = DirectRecurringType.COF_INITIAL
    parent_transaction_id: str | None = attrs.field(
        default=None,
        metadata=wire(
            required="ucof goes on with a series: give the id of the transaction that it began with, made "
            "with cof_initial",
            required_with=("recurring_type", DirectRecurringType.UCOF),
        ),
    )

    def __attrs_post_init__(self) -> None:
        check_text("recurring.recurring_type", self.recurring_type)
        check_optional_text("recurring.parent_transaction_id", self.parent_transaction_id)
        check_marked(self, "recurring.")


def check_part(name: str, value: Any, *kinds: type, optional: bool = False) -> None:
    """Refuse another kind of object; what it holds, which may be a card in plain, is not shown."""
    if not isinstance(value, kinds) and not (optional and value is None):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigurationError(f"{name}: expected {expected}, got {type(value).__name__}")


def check_billing(customer: CustomerDetails | None) -> None:
    """Refuse a payment without the card holder's whole address; the message names what is missing."""
    name = "customer_details.billing_address"
    address = None if customer is None else customer.billing_address
    if address is None:
        told = ", ".join(_BILLING.required)
        raise ConfigurationError(f"{name}: missing; give the card holder's Address, with {told}")
    # A second line may be empty.
    missing = [
        field
        for field in _BILLING.required
        if (value := getattr(address, field)) is None or not (value.strip() or field == "address_line2")
    ]
    if missing:
        others = f" (as are {', '.join(missing[1:])})" if missing[1:] else ""
        raise ConfigurationError(
            f"{name}.{missing[0]}: missing{others}; give the Address of the card holder with it"
        )
