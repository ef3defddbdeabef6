"""Direct payments, host to host: the merchant's server takes the card and sends it encrypted.

Raw card data puts the merchant in the scope of PCI DSS. Evidence: the path of `create` is published, its
bodies are from 2023; `continue_3ds` is from 2023; the path of `keys` is **assumed** and nothing of its answer
is known. Amounts are in **major** units as `Decimal` (56.41 EUR is ``Decimal("56.41")``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final, cast

import attrs

from .._privacy.hiding import hiding_arguments
from ..api.checks import check_bool, check_given, check_text
from ..api.facades import F
from ..api.fields import Model, OpenEnum, Part, PathRequest, Request, check_marked, wire
from ..api.identities import settle_identity
from ..api.operation import Evidence, Operation, Resource
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from ..cards import EncryptedCard, StoredCard
from ..errors import ConfigurationError
from .description import PAY
from .direct_details import (
    Address,
    BrowserDetails,
    CustomerDetails,
    DirectRecurring,
    DirectRecurringType,
    OrderDetails,
    ScaExemption,
    check_billing,
    check_part,
)

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
    "ScaExemption",
    "ThreeDSecure",
    "ThreeDSecureStatus",
    "TransactionType",
]

_3DS_REQUIRED = "3ds-required"
_ENDS = ("success", "fail", "cancel", "return")
"""Parts of the names of the shop's own pages, to which a customer comes afterwards."""
_WEB = ("https://", "http://")
_DEEPEST_REDIRECT = 2
"""How deep an object may be inside an answer in which the address of a redirect is looked for."""


class TransactionType(OpenEnum):
    """What a direct payment does. Evidence: from 2023."""

    AUTH = "auth"
    """Hold the funds, to be captured later."""
    SALE = "sale"
    """Hold the funds and debit them at once."""
    VERIFICATION = "verification"
    """Check the card."""


class ThreeDSecureStatus(OpenEnum):
    """What 3-D Secure came to. The letters are from 2023, their meaning is that of the EMV standard."""

    AUTHENTICATED = "Y"
    NOT_AUTHENTICATED = "N"
    UNAVAILABLE = "U"
    ATTEMPTED = "A"
    CHALLENGE = "C"
    """The customer has to answer the bank's challenge."""
    REJECTED = "R"


# ------------------------------------------------------------------------------------------ the requests

_CUSTOMER = Part(CustomerDetails, required=("billing_address",), schema="CustomerDetails")
_FIRST_USE = Part(
    EncryptedCard, required=("encrypted_cvv", "encrypted_cardholder_name"), schema="EncryptedCard"
)
"""What a card must have that the API has not stored yet, by the table of 2023."""


@attrs.frozen
class RetrieveDirectPaymentKeys(PathRequest):
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
        terminal_id: The id of your terminal, a UUID; the vendor gives it.
        transaction_type: ``auth``, ``sale`` or ``verification``.
        browser_details: The customer's browser; see `BrowserDetails.from_headers`.
        order_details: What is paid for; its amount is in **major** units.
        card_data: The card, encrypted by `encrypt_card`, with its code and its holder's name; or a
            `StoredCard`. A `Card` in plain is refused.
        customer_details: Who pays; its billing address is required, but for the city.
        three_ds_notification_url: Where the bank's page sends the customer after 3-D Secure, with the
            ``cres`` for `continue_3ds`; required.
        external_user_id: Your customer's id.
        skip_three_ds: Whether to go without 3-D Secure.
        moto: Whether the order came by mail or telephone.
        recurring: The series that this payment begins or continues.
        sca_exemption: The exemption from strong authentication that is asked for: ``low_value``.
        payment_method: ``card``, the only one from 2023.
        extra: Further fields of the body, under their wire names.

    Returns:
        The `DirectPayment`; its amount is in **major** units.

    Raises:
        ConfigurationError: A value is of the wrong kind, or one is missing that the table of 2023 requires;
            nothing was sent.
        RefusedError: The payment was declined; it has the code, such as ``51`` for insufficient funds, the
            HTTP status, and the whole `answer`.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: It may be paid; ask `payments.search` by the order reference (its path is from
            2023), and look through `transactions.list`.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: the call is published, request and answer are from 2023, and so is what is required.
    """

    terminal_id: str | None = attrs.field(
        default=None,
        metadata=wire(required="give your terminal's id, a UUID that the vendor tells you"),
    )
    transaction_type: TransactionType | str
    browser_details: BrowserDetails
    order_details: OrderDetails
    card_data: EncryptedCard | StoredCard = attrs.field(metadata=wire(part=_FIRST_USE))
    customer_details: CustomerDetails | None = attrs.field(
        default=None, metadata=wire(required="give the CustomerDetails", part=_CUSTOMER)
    )
    three_ds_notification_url: str | None = attrs.field(
        default=None,
        metadata=wire(
            "threeDSNotificationUrl",
            required="give the address of your page to which the bank sends the customer back after "
            "3-D Secure",
        ),
    )
    external_user_id: str | None = None
    skip_three_ds: bool | None = attrs.field(default=None, metadata=wire("skipThreeDS"))
    moto: bool | None = None
    recurring: DirectRecurring | None = None
    sca_exemption: ScaExemption | str | None = None
    payment_method: str = "card"
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_part("card_data", self.card_data, EncryptedCard, StoredCard)
        check_text("transaction_type", self.transaction_type)
        check_part("browser_details", self.browser_details, BrowserDetails)
        check_part("order_details", self.order_details, OrderDetails)
        check_part("customer_details", self.customer_details, CustomerDetails, optional=True)
        check_part("recurring", self.recurring, DirectRecurring, optional=True)
        settle_identity(self, "external_user_id")
        for name in ("terminal_id", "three_ds_notification_url", "sca_exemption"):
            if getattr(self, name) is not None:
                check_text(name, getattr(self, name))
        for name in ("skip_three_ds", "moto"):
            if getattr(self, name) is not None:
                check_bool(name, getattr(self, name))
        check_text("payment_method", self.payment_method)
        self._check_required()

    def _check_required(self) -> None:
        """Refuse a payment that the API refuses by its table of 2023."""
        check_billing(self.customer_details)
        check_marked(self)
        if isinstance(self.card_data, _FIRST_USE.kind):
            for name in _FIRST_USE.required:
                check_given(
                    f"card_data.{name}",
                    getattr(self.card_data, name),
                    "a card's first use requires it: give the Card its "
                    f"{name.removeprefix('encrypted_')} before it is encrypted",
                )

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
        OutcomeUnknownError: It may be paid; `transactions.retrieve` shows a status other than ``3d`` then.
        PlexyPayError: Any other failure; its `outcome` says whether money may have moved.

    Evidence: from 2023.
    """

    cres: str = attrs.field(repr=False)
    transaction_id: str
    extra: Mapping[str, Any] | None = attrs.field(default=None, repr=False)

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
    """The result; the letters are from 2023."""
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
    electronic_commerce_indicator: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The card scheme's word on the authentication (ECI), such as ``05``."""
    acs_transaction_id: str | None = attrs.field(
        default=None, metadata=wire("acsTranscationId", aliases=("acsTransactionId",))
    )
    """The transaction's id at the card's bank; the API spells it ``acsTranscationId``."""
    mpi_transaction_id: str | None = None
    """Its id at the merchant's 3-D Secure server."""
    directory_transaction_id: str | None = None
    """Its id at the card scheme's directory."""
    status_reason: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """Why it was not authenticated, a code such as ``11``; its meanings are those of the EMV standard."""


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
    """The transaction's id."""
    order_reference: str | None = None
    """Your order's reference."""
    amount: Decimal | None = None
    """What it is over, in **major** units of `currency`."""
    currency: str | None = None
    """Three letters, such as ``EUR``."""
    payment_method: str | None = None
    """``card``, the only one from 2023."""
    success: bool | None = None
    """Whether it has worked; true in the example of an answer that asks for 3-D Secure."""
    captured: bool | None = None
    """Whether the funds are debited, not only held."""
    message: str | None = None
    """The server's words on it."""
    action: str | None = None
    """What has to be done next; ``3ds-required`` is the known one."""
    three_ds: ThreeDSecure | None = attrs.field(default=None, metadata=wire("threeDS"))
    """What 3-D Secure came to, or what the customer's browser has to do for it."""
    card_token_id: str | None = None
    """The token of the card, for a `StoredCard` or a recurring charge."""
    card_mask: str | None = None
    """Such as ``******1111``."""
    card_expiry_date: str | None = attrs.field(default=None, repr=False)
    """Such as ``07/27``."""
    cardholder_name: str | None = attrs.field(default=None, repr=False)
    """The holder's name, as on the card."""
    card_scheme: str | None = None
    """Such as ``visa``."""
    cvv_status: str | None = None
    """The result of the code's check: the examples have ``P`` and ``" 06"``, and no list is published."""
    cvv_status_decoded: str | None = None
    """The same in words, such as ``not provided``."""
    network_transaction_reference: str | None = None
    """The card network's own reference of the transaction, by its name."""
    response_code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The acquirer's code; ``00`` is a success."""
    auth_code: str | None = None
    """The code that the card's bank has given to the authorization, by its name."""
    code: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """The code of a decline."""
    status: str | None = attrs.field(default=None, metadata=wire(as_text=True))
    """What the table of 2023 says is there after 3-D Secure, without its values; a search's example has
    ``charged``."""

    @property
    def requires_3ds(self) -> bool:
        """Whether the customer has to pass 3-D Secure: nothing is paid before `continue_3ds`.

        So it is too where an answer has a `redirect_url` and no code of an acquirer, which is **assumed**.
        """
        if self.action is not None and self.action.lower() == _3DS_REQUIRED:
            return True
        if self.three_ds is not None and self.three_ds.status is not None:
            return self.three_ds.status is ThreeDSecureStatus.CHALLENGE
        codes = (self.code, self.response_code, self.auth_code)
        return all(code is None for code in codes) and self.redirect_url is not None

    @property
    def redirect_url(self) -> str | None:
        """The address to send the customer to for 3-D Secure; None where the answer has none.

        A summary of the vendor's site says that there is one today, and not how its field is named. So it is
        **assumed** to be the first text beginning with ``http`` in a field whose name has ``redirect`` in it,
        in the answer or in an object inside it. In an answer of 2023 there is none: see `three_ds`.
        """
        return next(_redirects(self.raw, _DEEPEST_REDIRECT), None)


def _redirects(document: Any, depth: int) -> Iterator[str]:
    """Yield the addresses in fields that are named as one to send the customer to, the outermost first."""
    if not isinstance(document, dict):
        return
    fields = cast("dict[str, Any]", document)
    for name, value in fields.items():
        folded = name.lower()
        if "redirect" not in folded or any(end in folded for end in _ENDS):
            continue
        if isinstance(value, str) and value.lower().startswith(_WEB):
            yield value
    if depth > 0:
        for name, value in fields.items():
            inner = value
            if "redirect" in name.lower() and isinstance(value, dict):
                # {"redirect": {"url": "..."}}
                inner = {f"redirect {key}": each for key, each in cast("dict[str, Any]", value).items()}
            yield from _redirects(inner, depth - 1)


class DirectPayments(Resource[F], api=PAY):
    """Pay with cards that the merchant's server has taken."""

    keys: Final = Operation(
        "GET",
        "/v1/payments/direct/keys",
        RetrieveDirectPaymentKeys,
        DirectPaymentKeys,
        evidence=Evidence.ASSUMED,
    )
    create: Final = Operation(
        "POST",
        "/v1/payments/direct",
        CreateDirectPayment,
        DirectPayment,
        evidence=Evidence.PUBLISHED,
        replay=Replay.MONEY,
        echoes={"order_reference": "order_reference"},
        settled_by=SettledBy(
            Look("payments.search", "a payment", by="order_reference", amount="order_details.amount"),
            Look("transactions.list", "a payment", amount="order_details.amount"),
            named="transactions.retrieve",
        ),
        pending="requires_3ds",
    )
    continue_3ds: Final = Operation(
        "POST",
        "/v1/3ds/callback",
        ContinueThreeDSecure,
        DirectPayment,
        evidence=Evidence.LEGACY,
        replay=Replay.MONEY,
        echoes={"id": "id"},
        settled_by=SettledBy(Look("transactions.retrieve", "a status other than '3d'", by="id")),
        pending="requires_3ds",
    )
