"""What is asked about payment links, and what is answered: the requests and the models of `payment_links`.

Evidence: as `payment_links` says of each call. Amounts are integers of **minor** units, asked or answered
(22 000 KZT is ``2200000``). Times are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import attrs

from .._privacy.hiding import shown
from .._privacy.printable import log
from ..api.checks import (
    check_bool,
    check_currency,
    check_json_object,
    check_minor_units,
    check_optional_text,
    check_size,
    check_text,
    check_time,
    in_capitals,
)
from ..api.constructors import quickly_made
from ..api.fields import Model, OpenEnum, PathRequest, Request, check_extra, wire
from ..api.identities import settle_identity
from ..errors import ConfigurationError

__all__ = [
    "CancelPaymentLink",
    "CreateOrRetrievePaymentLink",
    "CreatePaymentLink",
    "ListPaymentLinks",
    "PaymentLink",
    "PaymentLinkStatistics",
    "PaymentLinkStatus",
    "PaymentLinkSummary",
    "Recurring",
    "RecurringType",
    "RetrievePaymentLink",
    "RetrievePaymentLinkByOrderReference",
    "RetrievePaymentLinkStatistics",
    "UpdatePaymentLinkExpiration",
]


class PaymentLinkStatus(OpenEnum):
    """A link's state. Only ``active`` is published; the others are what merchants' code expects."""

    ACTIVE = "active"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
"""A whole one, of a page or of an app (``myapp://paid``)."""
_ENDED = (PaymentLinkStatus.PAID, PaymentLinkStatus.EXPIRED, PaymentLinkStatus.CANCELLED)


class RecurringType(OpenEnum):
    """What a link starts. Only ``cof_initial`` (the first of a series on a stored card) is published."""

    COF_INITIAL = "cof_initial"


@attrs.frozen(kw_only=True)
class Recurring:
    """A series of payments that a link begins.

    Args:
        type: ``cof_initial``, the published value.
        frequency: A positive `int`, sent as it is. That it is how often the series is charged is assumed from
            its name; its unit is **not published**.
        expiry: An aware datetime, sent in UTC. That it is when the series ends is assumed from its name.
        parent_transaction_id: A transaction's id. That it is the one which the series continues is assumed
            from its name.

    Raises:
        ConfigurationError: A value is of the wrong kind.

    Evidence: the names and ``cof_initial`` are published, what the other fields mean is not.
    """

    type: RecurringType | str = RecurringType.COF_INITIAL
    frequency: int | None = None
    expiry: datetime | None = None
    parent_transaction_id: str | None = None

    def __attrs_post_init__(self) -> None:
        check_text("recurring.type", self.type)
        if self.frequency is not None and (type(self.frequency) is not int or self.frequency <= 0):
            raise ConfigurationError(
                f"recurring.frequency: expected a positive int, got {shown(self.frequency)}"
            )
        if self.expiry is not None:
            check_time("recurring.expiry", self.expiry)
        check_optional_text("recurring.parent_transaction_id", self.parent_transaction_id)


def _check_return_url(name: str, value: Any, metadata: Mapping[str, Any] | None) -> None:
    if type(value) is not str or not value:
        check_text(name, value)
    if _ADDRESS.fullmatch(value) is None:
        # Not shown: there may be a secret in its query.
        raise ConfigurationError(f"{name}: expected a whole address, such as https://shop.example/paid")
    if metadata is not None and (key := name.replace("_url", "Url")) in metadata:
        raise ConfigurationError(f"{name}: metadata has {key!r} too; give it once")


@quickly_made
@attrs.frozen(kw_only=True)
class CreatePaymentLink(Request):
    """Create a payment link.

    Repeated by the library only where that cannot make a second link: with an `order_reference` it looks the
    reference up first; without one it raises `OutcomeUnknownError` when an answer is lost.

    Args:
        amount: In **minor** units of `currency`: 22 000 KZT is ``2200000``.
        currency: Three letters, such as ``KZT``; sent in capitals.
        description: What the customer reads on the checkout page.
        order_reference: Your order's reference, unique among your links (from 2023). Give one: it is what
            makes a retry safe. It is sent in Unicode's form NFC; one that has control, format or separator
            characters, or white space at an end, is refused, since two that look alike make two links.
        expires_at: When the link stops taking payments; an aware datetime, sent in UTC. The server judges
            it, the local clock does not.
        customer_id: Your customer's id at Plexy Pay; refused and sent as `order_reference` is.
        auto_clearing: True (the server's default) captures one hour after authorization; False leaves five
            days to capture or cancel.
        recurring: The series of payments that this link begins.
        validation: Sent as it is; the vendor does not publish what it means.
        metadata: An object with the wire's own keys (``successUrl``, ``failureUrl``, ``cancelUrl``,
            ``callbackUrl``) and any of yours; sent as it is and read back as received.
        success_url: Where the customer goes after paying; the same as ``metadata["successUrl"]``.
        failure_url: Where the customer goes after a failure; the same as ``metadata["failureUrl"]``.
        cancel_url: Where the customer goes after giving up; the same as ``metadata["cancelUrl"]``.
        callback_url: Where webhooks for this link go; the same as ``metadata["callbackUrl"]``.
        extra: Further fields of the body, under their wire names; none that has a parameter here.

    Returns:
        The new `PaymentLink`.

    Raises:
        ConfigurationError: A value is of the wrong kind, a reference has a character that is not seen, or an
            address to return to is not a whole one; nothing was sent.
        UnprocessableError: The server refused the data, for example a reference that is taken.
        OrderReferenceConflictError: After a lost answer, the reference was found on a link with another
            amount or currency, or on one that is cancelled or expired. A link that fits is returned, even
            where an earlier run of yours created it. Its outcome is `UNKNOWN` where this call may have made
            that link: see its `link_id` and `link_url`.
        UnreadableResponseError: With the outcome `DONE` the link exists, and cannot be read as a whole: see
            its `link_id`, its `link_url` and its `raw`.
        OutcomeUnknownError: The link may exist; look for its order reference before creating it again.
        DeadlineExceededError: `timeout` ran out.

    Evidence: request and answer published; amounts in minor units observed, and the unit of the examples.
    """

    amount: int
    currency: str = attrs.field(converter=in_capitals)
    description: str | None = None
    order_reference: str | None = None
    expires_at: datetime | None = None
    customer_id: str | None = None
    auto_clearing: bool | None = None
    recurring: Recurring | None = None
    validation: bool | None = None
    metadata: Mapping[str, Any] | None = None
    success_url: str | None = attrs.field(default=None, metadata=wire(inside="metadata"))
    failure_url: str | None = attrs.field(default=None, metadata=wire(inside="metadata"))
    cancel_url: str | None = attrs.field(default=None, metadata=wire(inside="metadata"))
    callback_url: str | None = attrs.field(default=None, metadata=wire(inside="metadata"))
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        check_minor_units("amount", self.amount)
        # Most currencies, references and ids are seen here to be usable, without a call for each.
        name: str | None = self.currency
        if not (type(name) is str and len(name) == 3 and name.isascii() and name.isalpha()):
            check_currency("currency", name)
        if (text := self.description) is not None and type(text) is not str:
            check_optional_text("description", text)
        name = self.order_reference
        if name is not None and not (
            type(name) is str and name.isascii() and name.isprintable() and name.strip() == name and name
        ):
            settle_identity(self, "order_reference")
        if self.expires_at is not None:
            check_time("expires_at", self.expires_at)
        name = self.customer_id
        if name is not None and not (
            type(name) is str and name.isascii() and name.isprintable() and name.strip() == name and name
        ):
            settle_identity(self, "customer_id")
        if self.auto_clearing is not None:
            check_bool("auto_clearing", self.auto_clearing)
        if self.validation is not None:
            check_bool("validation", self.validation)
        if self.recurring is not None and not isinstance(self.recurring, Recurring):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"recurring: expected a Recurring, got {type(self.recurring).__name__}")
        metadata = self.metadata
        if metadata is not None:
            check_json_object("metadata", metadata)
        if self.success_url is not None:
            _check_return_url("success_url", self.success_url, metadata)
        if self.failure_url is not None:
            _check_return_url("failure_url", self.failure_url, metadata)
        if self.cancel_url is not None:
            _check_return_url("cancel_url", self.cancel_url, metadata)
        if self.callback_url is not None:
            _check_return_url("callback_url", self.callback_url, metadata)
        if self.extra is not None:
            check_extra(self)


@attrs.frozen(kw_only=True)
class CreateOrRetrievePaymentLink(CreatePaymentLink):
    """Create the payment link of an order, or return the one that it has already.

    Where the server refuses the order reference as taken, the link with it is looked up and compared. So a
    page that is loaded twice, or a program that is run again, gets the same link, and needs no memory of its
    own.

    Args:
        order_reference: Your order's reference, by which its link is found: each order has one.
        amount: In **minor** units of `currency`: 22 000 KZT is ``2200000``.
        currency: Three letters, such as ``KZT``; sent in capitals.
        description: As for `payment_links.create`, as are all that follow. They are those of a link that is
            made now; an earlier one keeps its own.
        expires_at: An aware datetime, sent in UTC.
        customer_id: Your customer's id at Plexy Pay.
        auto_clearing: Whether the payment is captured one hour after authorization.
        recurring: The series of payments that this link begins.
        validation: Sent as it is; the vendor does not publish what it means.
        metadata: An object with the wire's own keys and any of yours.
        success_url: Where the customer goes after paying.
        failure_url: Where the customer goes after a failure.
        cancel_url: Where the customer goes after giving up.
        callback_url: Where webhooks for this link go.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `PaymentLink`, with this amount and currency; its `status` may be ``paid``
        (`PaymentLinkStatus.PAID`), so look at it before the customer is sent to its `url`.

    Raises:
        ConfigurationError: A value is of the wrong kind, or there is no order reference; nothing was sent.
        OrderReferenceConflictError: The reference is on a link with another amount or currency, or on one
            that is cancelled or expired.
        UnprocessableError: The server refused the data, and no link has the reference.
        OutcomeUnknownError: The link may exist; call again.
        DeadlineExceededError: `timeout` ran out.

    Evidence: that of `payment_links.create`, and of the look-up by order reference, whose path is
    **assumed**: it is believed only after it has found a link known to exist.
    """

    order_reference: str = attrs.field()
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_text("order_reference", self.order_reference)


@attrs.frozen(kw_only=True)
class ListPaymentLinks(Request):
    """List payment links, in the server's order, which is not published.

    Args:
        status: Only links in this state. One that is not known is sent as it is, and told of once in the log.
        created_from: Only links created from this aware datetime on, sent in UTC. The parameter's name on
            the wire (``from``) is assumed, and whether the moment itself counts is not published.
        created_to: Only links created up to this aware datetime, sent in UTC. The parameter's name on the
            wire (``to``) is assumed, and whether the moment itself counts is not published.
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `PaymentLinkSummary`, with
        `amount` in **minor** units of `currency`.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: published, the date filters in prose only.
    """

    status: PaymentLinkStatus | str | None = None
    created_from: datetime | None = attrs.field(default=None, metadata=wire("from"))
    created_to: datetime | None = attrs.field(default=None, metadata=wire("to"))
    size: int | None = None
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.status is not None:
            check_text("status", self.status)
            if PaymentLinkStatus.is_news(self.status):
                log.warning(
                    "payment_links.list: status %r is none of the known: %s; it is sent as it is",
                    str(self.status),
                    ", ".join(PaymentLinkStatus),
                )
        if self.created_from is not None:
            check_time("created_from", self.created_from)
        if self.created_to is not None:
            check_time("created_to", self.created_to)
        check_size(self.size)
        if self.extra is not None:
            check_extra(self)


@attrs.frozen
class RetrievePaymentLink(PathRequest):
    """Retrieve a payment link by its id.

    Args:
        external_id: The link's `id`, such as ``pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f``.
        extra: Query parameters, under their wire names.

    Returns:
        The `PaymentLink`.

    Raises:
        NotFoundError: There is no such link, or it is out of the key's scope.

    Evidence: published.
    """

    external_id: str


@attrs.frozen
class RetrievePaymentLinkByOrderReference(PathRequest):
    """Retrieve a payment link by your order's reference.

    Args:
        order_reference: The reference given when the link was created.
        extra: Query parameters, under their wire names.

    Returns:
        The `PaymentLink`.

    Raises:
        ConfigurationError: The reference is none that `create` takes; nothing was sent.
        NotFoundError: There is no link with this reference, or this path is not the API's.

    Evidence: the answer is published, the path **assumed**; override it with
    ``paths={"payment_links.retrieve_by_order_reference": "/v1/..."}``.
    """

    order_reference: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "order_reference")


@attrs.frozen
class UpdatePaymentLinkExpiration(Request):
    """Move the time at which a payment link expires.

    Args:
        external_id: The link's `id`.
        expires_at: The new time; an aware datetime, sent in UTC. The server judges it.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `PaymentLink` as it is now.

    Raises:
        ConfigurationError: `expires_at` has no time zone; nothing was sent.
        NotFoundError: There is no such link.
        UnprocessableError: The link cannot be changed.

    Evidence: published.
    """

    external_id: str
    expires_at: datetime = attrs.field(kw_only=True)
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_time("expires_at", self.expires_at)
        if self.extra is not None:
            check_extra(self)


@attrs.frozen
class CancelPaymentLink(PathRequest):
    """Cancel a payment link, so that it takes no payment any more.

    Safe to repeat: if a repeat is refused because the link is cancelled already, that is a success.

    Args:
        external_id: The link's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `PaymentLink`, or None where the server answers with an empty body. Its `url` is empty where the
        answer has the form of a listing and the link cannot be retrieved.

    Raises:
        NotFoundError: There is no such link.
        UnprocessableError: The link cannot be cancelled, for example because it is paid, or was cancelled by
            an earlier call. Nothing has changed.
        UnreadableResponseError: The answer has a success status and does not say that the link is cancelled;
            its outcome is REJECTED where the link is paid or expired, as retrieving it has shown.

    Evidence: the call is published; what a success answers is not.
    """

    external_id: str


@attrs.frozen
class RetrievePaymentLinkStatistics(PathRequest):
    """Retrieve statistics of the account's payment links.

    Args:
        extra: Query parameters, under their wire names; the vendor's page could not be read.

    Returns:
        `PaymentLinkStatistics`, whose fields are unknown: read `raw`.

    Evidence: **assumed**; override the path with ``paths={"payment_links.statistics": "/v1/..."}``.
    """


@attrs.frozen(kw_only=True)
class PaymentLinkSummary(Model):
    """A payment link as a listing shows it, without its address.

    `amount` is in **minor** units of `currency`. Times are UTC.

    Evidence: published; the published list item carries exactly these fields.
    """

    id: str
    """The link's id, such as ``pl_5e9f8f8f9d9e9e9d9e9f8f8f8f9d9e9f``: the `external_id` of other calls."""
    amount: int
    """What the customer is to pay, in **minor** units of `currency`: 22 000 KZT is ``2200000``."""
    currency: str
    """Three letters, such as ``KZT``."""
    status: PaymentLinkStatus
    """Its state; ``active`` alone is published."""
    description: str | None = None
    """What the customer reads on the checkout page."""
    order_reference: str | None = None
    """Your order's reference, as the link was created with it."""
    created_at: datetime | None = None
    """When it was created, in UTC."""
    updated_at: datetime | None = None
    """When it was last changed, in UTC."""
    expires_at: datetime | None = None
    """When it stops taking payments, in UTC."""


@attrs.frozen(kw_only=True)
class PaymentLink(PaymentLinkSummary):
    """A payment link.

    `amount` is in **minor** units of `currency`. Times are UTC. Use `url` as it is, never build it.
    `metadata` is read back as received. An answer without an address is an error, unless the link takes no
    payment any more: then `url` may be empty.

    Evidence: published; `auto_clearing`, `validation` and `created_by` are in the newer example only.
    """

    checked: ClassVar[tuple[str, ...]] = ("url",)

    url: str
    """The address of its checkout page, for the customer."""
    metadata: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    """What was given as `metadata`, and the addresses to return to, as received."""
    customer_id: str | None = None
    """Your customer's id at Plexy Pay, as the link was created with it."""
    auto_clearing: bool | None = None
    """Whether the payment is captured one hour after authorization. In the newer example only."""
    validation: bool | None = None
    """What it means is not published. In the newer example only."""
    created_by: str | None = None
    """Who created it, by its name; not published in which form. In the newer example only."""

    def flaw(self, names: Iterable[str]) -> str | None:
        """Tell which of these fields says nothing: a link that takes no payment any more needs no address."""
        told = super().flaw(names)
        return None if told == "url: is empty" and self.status in _ENDED else told


@attrs.frozen(kw_only=True)
class PaymentLinkStatistics(Model):
    """Statistics of payment links. No field of it is known: everything is in `raw`.

    Evidence: the vendor names the schema and shows no field of it.
    """
