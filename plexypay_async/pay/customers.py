"""Customers: store them, and find their cards and transactions.

Evidence: **assumed** throughout, but that a customer's id is a UUID, which is observed. The vendor's index
has the five calls and the schemas ``request.SaveOneCustomer``, ``response.Customer`` and
``response.CustomerTransactions``; their pages could not be read, so that a request takes its fields in
`extra` and an answer is in `raw`.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from ..api.facades import F
from ..api.fields import BodyInExtra, IdentifiedModel, ListRequest, Model, PathRequest
from ..api.identities import settle_identity
from ..api.operation import Evidence, Listing, Operation, Resource
from ..api.replay import Replay
from ..api.settling import Look, SettledBy
from .description import PAY
from .transactions import Transaction

__all__ = [
    "CardToken",
    "CardTokens",
    "CreateCustomer",
    "Customer",
    "Customers",
    "ListCustomerTransactions",
    "ListCustomers",
    "RetrieveCustomer",
    "RetrieveCustomerCardTokens",
]


@attrs.frozen(kw_only=True)
class ListCustomers(ListRequest):
    """List customers, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `Customer`, of which only `id` is typed
        and the rest is in `raw`.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: **assumed**; override the path with ``paths={"customers.list": "/v1/..."}``.
    """


@attrs.frozen
class CreateCustomer(BodyInExtra):
    """Create a customer.

    Never repeated by the library once the outcome is unknown: a second one could be made.

    Args:
        extra: The fields of the body, under their wire names: those of the vendor's
            ``request.SaveOneCustomer``. The library knows none of them.

    Returns:
        The `Customer`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: `extra` is empty; nothing was sent.
        NotFoundError: This path is not the API's.
        UnprocessableError: The server refused the data.
        OutcomeUnknownError: The customer may exist; look for it in `customers.list`.

    Evidence: **assumed**; override the path with ``paths={"customers.create": "/v1/..."}``.
    """


@attrs.frozen
class RetrieveCustomer(PathRequest):
    """Retrieve a customer by its id.

    Args:
        id: The customer's `id`, a UUID.
        extra: Query parameters, under their wire names.

    Returns:
        The `Customer`; of its fields, only `id` is typed, the others are in `raw`.

    Raises:
        ConfigurationError: The id has a character that is not seen; nothing was sent.
        NotFoundError: There is no such customer, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"customers.retrieve": "/v1/..."}``.
    """

    id: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "id")


@attrs.frozen
class RetrieveCustomerCardTokens(PathRequest):
    """Retrieve the tokens of a customer's stored cards.

    Args:
        id: The customer's `id`, a UUID.
        extra: Query parameters, under their wire names.

    Returns:
        `CardTokens`.

    Raises:
        ConfigurationError: The id has a character that is not seen; nothing was sent.
        NotFoundError: There is no such customer, or this path is not the API's.

    Evidence: **assumed**; override the path with ``paths={"customers.card_tokens": "/v1/..."}``.
    """

    id: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "id")


@attrs.frozen
class ListCustomerTransactions(ListRequest):
    """List a customer's transactions, in the server's order.

    Args:
        id: The customer's `id`, a UUID.
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `Transaction`, with `amount` as the
        server wrote it: in **major** units if this list is as `transactions.list` is.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: **assumed**; override the path with ``paths={"customers.transactions": "/v1/..."}``.
    """

    id: str

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settle_identity(self, "id")


@attrs.frozen(kw_only=True)
class Customer(IdentifiedModel):
    """A customer. All but `id` is in `raw`.

    Evidence: **assumed**; the vendor names the schema ``response.Customer`` and shows no field of it.
    """


@attrs.frozen(kw_only=True)
class CardToken(Model):
    """A stored card's token. No field of it is known: everything is in `raw`.

    Evidence: **assumed**; no field of it is published.
    """


@attrs.frozen(kw_only=True)
class CardTokens(Model):
    """The tokens of a customer's stored cards, in the server's order.

    Evidence: **assumed**; an array is read, alone, as ``data`` or under another likely name, such as
    ``items``, ``cardTokens`` or ``tokens``; anything else is in `raw`.
    """

    list_under: ClassVar[str | None] = "data"
    list_aliases: ClassVar[tuple[str, ...]] = (
        *("items", "cardTokens", "card_tokens", "tokens"),
        *("cards", "customerCardTokens", "customer_card_tokens"),
    )

    data: tuple[CardToken, ...] = ()
    """The tokens, in the server's order; empty where no array was found."""


class Customers(Resource[F], api=PAY):
    """Create, list and find customers, their cards' tokens and their transactions."""

    list: Final = Listing("/v1/customers", ListCustomers, Customer, evidence=Evidence.ASSUMED)
    create: Final = Operation(
        "POST",
        "/v1/customers",
        CreateCustomer,
        Customer,
        evidence=Evidence.ASSUMED,
        replay=Replay.CREATE,
        created=Evidence.ASSUMED,
        settled_by=SettledBy(Look("customers.list", "a new customer")),
    )
    retrieve: Final = Operation(
        "GET",
        "/v1/customers/{id}",
        RetrieveCustomer,
        Customer,
        evidence=Evidence.ASSUMED,
        echoes={"id": "id"},
    )
    card_tokens: Final = Operation(
        "GET",
        "/v1/customers/{id}/card-tokens",
        RetrieveCustomerCardTokens,
        CardTokens,
        evidence=Evidence.ASSUMED,
    )
    transactions: Final = Listing(
        "/v1/customers/{id}/transactions", ListCustomerTransactions, Transaction, evidence=Evidence.ASSUMED
    )
