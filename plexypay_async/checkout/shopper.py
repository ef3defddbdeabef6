"""The parts of requests: who pays, with which browser, and what for.

Evidence: from the vendor's own programs, unless said otherwise. Amounts are integers of **minor** units.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_bool, check_holdable, check_optional_text, check_text
from ..api.fields import OpenEnum, wire
from ..errors import ConfigurationError

__all__ = [
    "Address",
    "AuthenticationData",
    "BrowserInfo",
    "Channel",
    "LineItem",
    "RecurringProcessingModel",
    "ShopperInteraction",
    "ShopperName",
    "StorePaymentMethodMode",
    "ThreeDSRequestData",
    "check_hidden_text",
    "check_kind",
    "check_line_items",
    "date_of_birth_of",
]


class Channel(OpenEnum):
    """Where the shopper pays. Evidence: published."""

    WEB = "Web"
    IOS = "iOS"
    ANDROID = "Android"


class ShopperInteraction(OpenEnum):
    """How the shopper takes part in a payment. Evidence: from the vendor's own programs."""

    ECOMMERCE = "Ecommerce"
    """The shopper is there and pays."""


class RecurringProcessingModel(OpenEnum):
    """What a stored card is to be used for. Evidence: from the vendor's own programs."""

    CARD_ON_FILE = "CardOnFile"
    SUBSCRIPTION = "Subscription"


class StorePaymentMethodMode(OpenEnum):
    """Whether the card that a session is paid with is stored. Evidence: from the vendor's own programs."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    ASK_FOR_CONSENT = "askForConsent"
    """The shopper is asked."""


@hiding_arguments
@attrs.frozen(kw_only=True)
class Address:
    """An address of the shopper's. Its repr shows the country alone.

    Args:
        street: Without the number of the house.
        house_number_or_name: The house's number, or its name.
        city: The city.
        postal_code: The postal code.
        country: Two letters, such as ``KZ``.

    Raises:
        ConfigurationError: A value is no text.

    Evidence: published, with the answer of a session; which of them must be given is not.
    """

    city: str | None = attrs.field(default=None, repr=False)
    country: str | None = None
    house_number_or_name: str | None = attrs.field(default=None, repr=False)
    postal_code: str | None = attrs.field(default=None, repr=False)
    street: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Address):
            check_hidden_text(f"address.{field.name}", getattr(self, field.name))


@hiding_arguments
@attrs.frozen(kw_only=True)
class ShopperName:
    """The shopper's name. Its repr shows nothing of it.

    Args:
        first_name: The first name.
        last_name: The last name.

    Raises:
        ConfigurationError: A value is no text.

    Evidence: from the vendor's own programs.
    """

    first_name: str | None = attrs.field(default=None, repr=False)
    last_name: str | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(ShopperName):
            check_hidden_text(f"shopper_name.{field.name}", getattr(self, field.name))


@attrs.frozen(kw_only=True)
class BrowserInfo:
    """The shopper's browser, for 3-D Secure. The vendor's browser SDK gives it too.

    Args:
        accept_header: The browser's ``Accept``.
        user_agent: Its ``User-Agent``.
        language: Such as ``ru-RU``.
        color_depth: Bits per pixel.
        screen_height: In pixels.
        screen_width: In pixels.
        time_zone_offset: Minutes from local time to UTC, such as -300 for UTC+5; a page's
            ``new Date().getTimezoneOffset()``.
        java_enabled: Whether the browser runs Java; none does today.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: from the vendor's own programs. Numbers are numbers here; the Pay API takes texts.
    """

    accept_header: str
    color_depth: int
    language: str
    java_enabled: bool = False
    screen_height: int
    screen_width: int
    user_agent: str
    time_zone_offset: int

    def __attrs_post_init__(self) -> None:
        for name in ("accept_header", "language", "user_agent"):
            check_text(f"browser_info.{name}", getattr(self, name))
        for name in ("color_depth", "screen_height", "screen_width", "time_zone_offset"):
            _check_integer(f"browser_info.{name}", getattr(self, name))
        check_bool("browser_info.java_enabled", self.java_enabled)


@attrs.frozen(kw_only=True)
class ThreeDSRequestData:
    """How 3-D Secure is to be done.

    Args:
        native_three_ds: ``preferred`` for a challenge inside your own page.

    Raises:
        ConfigurationError: A value is no text.

    Evidence: from the vendor's own programs.
    """

    native_three_ds: str | None = attrs.field(default=None, metadata=wire("nativeThreeDS"))

    def __attrs_post_init__(self) -> None:
        check_optional_text("three_ds_request_data.native_three_ds", self.native_three_ds)


@attrs.frozen(kw_only=True)
class AuthenticationData:
    """Whether and how the shopper is to be authenticated.

    Args:
        attempt_authentication: ``always`` for 3-D Secure with every payment.
        three_ds_request_data: How 3-D Secure is to be done.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: from the vendor's own programs.
    """

    attempt_authentication: str | None = None
    three_ds_request_data: ThreeDSRequestData | None = attrs.field(
        default=None, metadata=wire("threeDSRequestData")
    )

    def __attrs_post_init__(self) -> None:
        check_optional_text("authentication_data.attempt_authentication", self.attempt_authentication)
        check_kind(
            "authentication_data.three_ds_request_data",
            self.three_ds_request_data,
            ThreeDSRequestData,
            optional=True,
        )


@attrs.frozen(kw_only=True)
class LineItem:
    """One line of what is paid for.

    Args:
        quantity: How many.
        amount_excluding_tax: In **minor** units.
        amount_including_tax: In **minor** units.
        tax_amount: In **minor** units.
        tax_percentage: In hundredths of a percent: 21 % is ``2100``.
        description: In words.
        id: Your own id of it.
        tax_category: The tax's category.
        product_url: The address of its page.
        image_url: The address of its picture.

    Raises:
        ConfigurationError: A value is of the wrong kind, such as a float for an amount.

    Evidence: published, with the answer of a session; the unit of `tax_percentage` follows from an example.
    """

    quantity: int | None = None
    amount_excluding_tax: int | None = None
    tax_percentage: int | None = None
    description: str | None = None
    id: str | None = None
    tax_amount: int | None = None
    amount_including_tax: int | None = None
    tax_category: str | None = None
    product_url: str | None = None
    image_url: str | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("quantity", "amount_excluding_tax", "tax_percentage", "tax_amount"):
            _check_integer(f"line_items.{name}", getattr(self, name), optional=True)
        _check_integer("line_items.amount_including_tax", self.amount_including_tax, optional=True)
        for name in ("description", "id", "tax_category", "product_url", "image_url"):
            check_optional_text(f"line_items.{name}", getattr(self, name))


def _check_integer(name: str, value: Any, *, optional: bool = False) -> None:
    if type(value) is int:
        check_holdable(name, value)
    elif not (optional and value is None):
        raise ConfigurationError(f"{name}: expected an int, got {type(value).__name__}")


def check_kind(name: str, value: Any, *kinds: type, optional: bool = False) -> None:
    """Refuse another kind of object; what it holds is not shown."""
    if not isinstance(value, kinds) and not (optional and value is None):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigurationError(f"{name}: expected {expected}, got {type(value).__name__}")


def check_hidden_text(name: str, value: Any) -> None:
    """Refuse anything but a string or None; it is of the shopper's own, and not shown."""
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name}: expected a string, got {type(value).__name__}")


def check_line_items(items: Any) -> None:
    """Refuse anything but None and a list of `LineItem`."""
    if items is None:
        return
    if not isinstance(items, (list, tuple)):
        raise ConfigurationError(f"line_items: expected a list of LineItem, got {type(items).__name__}")
    for index, item in enumerate(cast("Sequence[Any]", items)):
        check_kind(f"line_items[{index}]", item, LineItem)


def date_of_birth_of(value: date | str | None) -> str | None:
    """Return a date of birth as the API takes it, such as ``1996-09-04``.

    Raises:
        ConfigurationError: It is no date; it is not shown.
    """
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    try:
        return date.fromisoformat(cast("str", value)).isoformat()
    except (TypeError, ValueError):
        pass
    raise ConfigurationError("date_of_birth: expected a date, or its text such as 2000-01-31")
