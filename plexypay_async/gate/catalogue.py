"""What an agent can sell: the types of products, their categories, and the products.

Evidence: the paths are published. The fields of types and products are seen in an example; the answers of
`product_categories.list` and `products.list` are **assumed**. A product's numbers are `Decimal`, exactly as
they were written, presumably in **major** units of its currency.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from ..api.facades import F
from ..api.fields import ListRequest, Model, OpenEnum, PathRequest, wire
from ..api.operation import Evidence, Listing, Operation, Resource
from ..errors import ConfigurationError
from .description import GATE

__all__ = [
    "ListProductCategories",
    "ListProductTypes",
    "ListProducts",
    "Product",
    "ProductCategories",
    "ProductCategory",
    "ProductType",
    "ProductTypeCode",
    "ProductTypes",
    "Products",
    "RetrieveProduct",
]


def check_number(name: str, value: object) -> None:
    """Refuse anything but a positive `int` of 64 bits, as the API's numeric ids are."""
    if type(value) is not int:
        raise ConfigurationError(f"{name}: expected an int, got a {type(value).__name__}")
    if not 0 < value < 2**63:
        raise ConfigurationError(f"{name}: must be positive and of 64 bits")


class ProductTypeCode(OpenEnum):
    """How a product reaches the customer. An unknown code is a member that equals the string it came as.

    Evidence: seen in an example; an open set.
    """

    REDEEM_CARD = "redeem_card"
    """A voucher: its code is in the order's content."""
    DIRECT_TRANSFER = "direct_transfer"
    DIRECT_TOP_UP = "direct_top_up"
    """The customer's account elsewhere is topped up: an order needs a `TopupRequest`. Published."""


# ------------------------------------------------------------------------------------------ the requests


@attrs.frozen
class ListProductTypes(PathRequest):
    """List the types of products, in the server's order.

    Args:
        extra: Query parameters, under their wire names.

    Returns:
        The whole list, in one page; its items are `ProductType`.

    Raises:
        PlexyPayError: While reading.

    Evidence: published; that it is an array alone, without pages, is seen in an example.
    """


@attrs.frozen(kw_only=True)
class ListProductCategories(ListRequest):
    """List the categories of products, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names.

    Returns:
        Pages that fetch themselves while they are read; its items are `ProductCategory`. A server that does
        not page it gives the whole list.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: the path is published, the answer is **assumed**: a page as of orders, or an array.
    """


@attrs.frozen(kw_only=True)
class ListProducts(ListRequest):
    """List the products that the agent may sell, in the server's order.

    Args:
        size: Items per page; the library asks for 100 unless given. The server may give fewer, and how many
            it gives at the most is not published.
        extra: Further query parameters, under their wire names; which filters there are is not published.

    Returns:
        Pages that fetch themselves while they are read; its items are `Product`, with numbers presumably in
        **major** units.

    Raises:
        ConfigurationError: A value is of the wrong kind; nothing was sent.
        PlexyPayError: While reading; its `cursor` says where to resume.

    Evidence: the path is published, filters and answer are **assumed**: a page as of orders, or an array.
    """


@attrs.frozen
class RetrieveProduct(PathRequest):
    """Retrieve a product by its id.

    Args:
        product_id: The product's `id`.
        extra: Query parameters, under their wire names.

    Returns:
        The `Product`; its numbers are presumably in **major** units.

    Raises:
        ConfigurationError: The id is no positive `int`; nothing was sent.
        NotFoundError: There is no such product.

    Evidence: published.
    """

    product_id: int

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_number("product_id", self.product_id)


# ------------------------------------------------------------------------------------------- the answers


@attrs.frozen(kw_only=True)
class ProductType(Model):
    """A type of products.

    Evidence: seen in an example.
    """

    id: int
    """The type's id: a product's `product_type_id`."""
    code: ProductTypeCode
    """How a product of it reaches the customer."""
    name: str | None = None
    """Its name for people, such as ``Redeemable Card``."""


@attrs.frozen(kw_only=True)
class ProductCategory(Model):
    """A category of products, which a product names by its `category_id`.

    Evidence: **assumed**; no more than its id, what else there is of it is in `raw`.
    """

    id: int
    """The category's id: a product's `category_id`."""


@attrs.frozen(kw_only=True)
class Product(Model):
    """A product.

    `price`, `min_amount`, `max_amount` and `step` are numbers of JSON, read exactly; that they are in
    **major** units of `currency_code` is assumed. Which of them a card of a fixed price has is unknown.

    Evidence: seen in an example.
    """

    id: int
    """The product's id: the `product_id` of an order."""
    name: str
    """Its name for people, such as ``Steam Wallet Top Up``."""
    slug: str | None = None
    """Its name for addresses, such as ``steam-top-up``."""
    category_id: int | None = attrs.field(default=None, metadata=wire("category_id"))
    """The `id` of its `ProductCategory`."""
    product_type_id: int | None = attrs.field(default=None, metadata=wire("product_type_id"))
    """The `id` of its `ProductType`."""
    region_code: str | None = attrs.field(default=None, metadata=wire("region_code"))
    """Where it is valid, such as ``GLOBAL``."""
    currency_code: str | None = attrs.field(default=None, metadata=wire("currency_code"))
    """Three letters, such as ``USD``."""
    logo: str | None = None
    """The address of a picture."""
    price: Decimal | None = None
    """What it costs, presumably in **major** units of `currency_code`."""
    min_amount: Decimal | None = attrs.field(default=None, metadata=wire("min_amount"))
    """The least that may be ordered of it, by its name; presumably in **major** units of `currency_code`."""
    max_amount: Decimal | None = attrs.field(default=None, metadata=wire("max_amount"))
    """The most that may be ordered of it, by its name; presumably in **major** units of `currency_code`."""
    step: Decimal | None = None
    """What an amount must be a multiple of, by its name; presumably in **major** units of `currency_code`."""
    description: str | None = None
    """What it is, for people."""
    is_active: bool | None = attrs.field(default=None, metadata=wire("is_active"))
    """Whether it may be ordered, by its name."""


# -------------------------------------------------------------------------------------------- the groups


class ProductTypes(Resource[F], api=GATE):
    """List the types of products."""

    list: Final = Listing(
        "/agent/{agent_id}/product-types",
        ListProductTypes,
        ProductType,
        evidence=Evidence.PUBLISHED,
        paged=False,
    )


class ProductCategories(Resource[F], api=GATE):
    """List the categories of products."""

    list: Final = Listing(
        "/agent/{agent_id}/product-categories",
        ListProductCategories,
        ProductCategory,
        evidence=Evidence.PUBLISHED,
    )


class Products(Resource[F], api=GATE):
    """List the products that the agent may sell, and look at one."""

    list: Final = Listing("/agent/{agent_id}/products", ListProducts, Product, evidence=Evidence.PUBLISHED)
    retrieve: Final = Operation(
        "GET",
        "/agent/{agent_id}/products/{product_id}",
        RetrieveProduct,
        Product,
        evidence=Evidence.PUBLISHED,
        echoes={"product_id": "id"},
    )
