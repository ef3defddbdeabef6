"""The operations of the Gate API, as the sandbox does them.

Every agent of a UUID is served: it has 1000.00 USD and 100.00 EUR at first, and a deposit of 50.00 USD that
is never posted. There are three products, one of each type. An order costs a quarter more than its price, or
than the amount of its top-up, as the published one does. It reserves that at once, is ``pending``, and
``completed`` five seconds later by the sandbox's clock; one whose ``external_ref`` begins with ``fail`` fails
then, and costs nothing. The same key with the same body returns the existing order, in its present state.

Evidence: paths, statuses, fields and the key are published or seen in examples; the body of an error, the
answer to a key that was used with another body (409), categories, lists of products and the health are
assumed. Amounts are texts in major units with two decimals; more are refused.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias, TypeVar

import attrs

from ..clock import written_time
from ..exchange import ApiRequest, ApiResponse, Fields, OwnRefusal, Refusal
from ..state.gate_orders import StoredGateDeposit, StoredGateOrder, in_text
from .group import GroupHandlers

__all__ = [
    "BalanceHandlers",
    "DepositsHandlers",
    "HealthHandlers",
    "OrdersHandlers",
    "ProductCategoriesHandlers",
    "ProductTypesHandlers",
    "ProductsHandlers",
]

T = TypeVar("T")
Find: TypeAlias = Callable[[int, int], tuple[Sequence[T], int]]
"""Takes the offset and the size of a page, and returns its items and how many there are in all."""

_KEY = "Idempotency-Key"
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_FAILS = "fail"
_PAGE_SIZE = 50
_REDEEM_CARD, _DIRECT_TRANSFER, _DIRECT_TOP_UP = 1, 2, 3
_TYPES = [
    {"id": _REDEEM_CARD, "code": "redeem_card", "name": "Redeemable Card"},
    {"id": _DIRECT_TRANSFER, "code": "direct_transfer", "name": "Direct Transfer"},
    {"id": _DIRECT_TOP_UP, "code": "direct_top_up", "name": "Direct Top-up"},
]
_CATEGORIES = [{"id": 10, "name": "Games"}, {"id": 11, "name": "Mobile"}]


def _product(
    id: int, name: str, category_id: int, type_id: int, currency_code: str, price: float, **more: Any
) -> dict[str, Any]:
    slug = name.lower().replace(" ", "-")
    amounts = {"min_amount": None, "max_amount": None, "step": None}
    return {
        "id": id,
        "name": name,
        "slug": slug,
        "category_id": category_id,
        "product_type_id": type_id,
        "region_code": "GLOBAL",
        "currency_code": currency_code,
        "logo": f"https://cdn.example.com/logos/{slug}.png",
        "price": price,
        **amounts,
        "description": f"{name}.",
        "is_active": True,
        **more,
    }


_PRODUCTS = {
    product["id"]: product
    for product in (
        _product(101, "Game Card 10 USD", 10, _REDEEM_CARD, "USD", 10),
        _product(202, "Mobile Data 5 EUR", 11, _DIRECT_TRANSFER, "EUR", 4.99),
        _product(
            456, "Steam Wallet Top Up", 10, _DIRECT_TOP_UP, "USD", 10, min_amount=5, max_amount=100, step=1
        ),
    )
}


class GateRefusal(OwnRefusal):
    """The sandbox refuses a request to the Gate API. Evidence: the statuses are published, not the body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, {"code": code, "message": message})


@attrs.define
class _GateHandlers(GroupHandlers):
    source = "gate"
    noun = "resource"

    def _agent(self, request: ApiRequest) -> str:
        """Return the agent that is in the path, whom the sandbox has seen from then on."""
        try:
            agent_id = str(uuid.UUID(request.path["agent_id"]))
        except ValueError:
            raise GateRefusal(404, "not_found", "agent not found") from None
        self._state.gate_deposits.see(agent_id)
        return agent_id

    def _paged(self, request: ApiRequest, find: Find[T], show: Callable[[T], Any]) -> ApiResponse:
        """Answer one page of what there is."""
        page = _count(request.query, "page", 1)
        size = min(_count(request.query, "pageSize", _PAGE_SIZE), self._max_page_size)
        items, total = find((page - 1) * size, size)
        shown = [show(item) for item in items]
        return ApiResponse(200, {"items": shown, "page": page, "pageSize": size, "total": total})


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if re.fullmatch("[0-9]{1,9}", text) is None or int(text) == 0:
        raise GateRefusal(400, "invalid_request", f"{name}: expected a whole number from 1")
    return int(text)


class ProductTypesHandlers(_GateHandlers):
    """What the sandbox does for each operation of product types."""

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return all of them, in an array."""
        self._agent(request)
        return ApiResponse(200, _TYPES)


class ProductCategoriesHandlers(_GateHandlers):
    """What the sandbox does for each operation of product categories."""

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of them."""
        self._agent(request)
        return self._paged(request, partial(_part_of, _CATEGORIES), _as_it_is)


class ProductsHandlers(_GateHandlers):
    """What the sandbox does for each operation of products."""

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of them."""
        self._agent(request)
        return self._paged(request, partial(_part_of, [*_PRODUCTS.values()]), _as_it_is)

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one."""
        self._agent(request)
        number = request.path["product_id"]
        product = _PRODUCTS.get(int(number)) if re.fullmatch("[0-9]{1,9}", number) else None
        if product is None:
            raise GateRefusal(404, "not_found", "product not found")
        return ApiResponse(200, product)


def _part_of(items: Sequence[T], offset: int, size: int) -> tuple[Sequence[T], int]:
    return items[offset : offset + size], len(items)


def _as_it_is(item: T) -> T:
    return item


class BalanceHandlers(_GateHandlers):
    """What the sandbox does for each operation of the balance."""

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return what the agent has to spend in each currency, without what is reserved."""
        agent_id = self._agent(request)
        posted, spent = self._state.gate_deposits.posted(agent_id), self._state.gate_orders.spent(agent_id)
        items = [
            {
                "currency_code": currency_code,
                "available": in_text(amount - spent.get(currency_code, (0, 0))[0]),
                "updated_at": written_time(max(at, spent.get(currency_code, (0, 0))[1])),
            }
            for currency_code, (amount, at) in posted.items()
        ]
        return ApiResponse(200, {"items": items})


class DepositsHandlers(_GateHandlers):
    """What the sandbox does for each operation of deposits."""

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the agent's deposits, the newest first; ``status`` chooses some."""
        agent_id, status = self._agent(request), request.query.get("status")
        find = partial(self._state.gate_deposits.page_of, agent_id, status)
        return self._paged(request, find, StoredGateDeposit.shown)


class HealthHandlers(_GateHandlers):
    """What the sandbox does for each operation of the health."""

    def check(self, _: ApiRequest) -> ApiResponse:
        """Say that it is up."""
        return ApiResponse(200, {"status": "ok"})


class OrdersHandlers(_GateHandlers):
    """What the sandbox does for each operation of orders."""

    def list(self, request: ApiRequest) -> ApiResponse:
        """Return one page of the agent's orders, newest first; ``status`` and ``product_id`` choose some."""
        agent_id, query = self._agent(request), request.query
        find = partial(
            self._state.gate_orders.page_of, agent_id, query.get("status"), query.get("product_id")
        )
        return self._paged(request, find, StoredGateOrder.shown)

    def retrieve(self, request: ApiRequest) -> ApiResponse:
        """Return one order."""
        order = self._state.gate_orders.of_agent(self._agent(request), request.path["order_id"])
        if order is None:
            raise GateRefusal(404, "not_found", "order not found")
        return ApiResponse(200, order.shown())

    def create(self, request: ApiRequest) -> ApiResponse:
        """Make an order, or return the one that the same key and body have made."""
        agent_id, orders = self._agent(request), self._state.gate_orders
        try:
            fields = Fields(request.body, source=self.source)
            body = fields.canonical()
            key = request.headers.get(_KEY) or None
            existing = None if key is None else orders.of_key(agent_id, key)
            if existing is not None:
                if existing.request != body:
                    raise GateRefusal(409, "idempotency_conflict", f"{_KEY}: was used with another body")
                return ApiResponse(201, existing.shown())
            product, price = self._ordered(fields)
            external_ref = fields.text("external_ref")
        except GateRefusal:
            raise
        except Refusal as refusal:
            raise _invalid(refusal.response.document["message"]) from None
        charged, currency_code = price + price // 4, product["currency_code"]
        balance = self._state.gate_deposits.posted(agent_id)[currency_code][0]
        balance -= orders.spent(agent_id).get(currency_code, (0, 0))[0]
        if charged > balance:
            raise GateRefusal(400, "insufficient_balance", "the balance does not suffice")
        order = StoredGateOrder(
            id=str(uuid.uuid4()),
            agent_id=agent_id,
            product_id=product["id"],
            external_ref=external_ref,
            idempotency_key=key,
            status="pending",
            is_voucher=int(product["product_type_id"] == _REDEEM_CARD),
            fails=int((external_ref or "").startswith(_FAILS)),
            currency_code=currency_code,
            charged_amount=charged,
            balance_before=balance,
            region_code=product["region_code"],
            request=body,
            created_at=orders.clock.microseconds(),
            ended_at=None,
        )
        orders.add(order)
        return ApiResponse(201, order.shown())

    def _ordered(self, fields: Fields) -> tuple[dict[str, Any], int]:
        """Return the product that is ordered, and what it costs in hundredths of its currency."""
        product = _PRODUCTS.get(fields.given("product_id", fields.integer("product_id")))
        if product is None:
            raise _invalid("product_id: there is no such product")
        currency_code = fields.currency("currency_code", default=product["currency_code"])
        if currency_code != product["currency_code"]:
            raise _invalid(f"currency_code: the product is in {product['currency_code']}")
        topup = fields.nested("topup_request")
        if product["product_type_id"] != _DIRECT_TOP_UP:
            if topup is not None:
                raise _invalid("topup_request: only for a direct_top_up")
            return product, int(Decimal(str(product["price"])).scaleb(2))
        given = fields.given("topup_request", topup)
        account = given.given("customer_account", given.object("customer_account"))
        if not account:
            raise _invalid("topup_request.customer_account: must not be empty")
        return product, _amount(given.required_text("amount"), product)


def _amount(text: str, product: Mapping[str, Any]) -> int:
    """Return an amount of a top-up in hundredths of the currency."""
    amount = Decimal(text) if _AMOUNT.fullmatch(text) else None
    if amount is None:
        raise _invalid('topup_request.amount: expected text such as "12.50"')
    if not product["min_amount"] <= amount <= product["max_amount"] or amount % product["step"]:
        raise _invalid(
            f"topup_request.amount: expected {product['min_amount']} to {product['max_amount']} in steps of"
            f" {product['step']}"
        )
    return int(amount.scaleb(2))


def _invalid(message: str) -> GateRefusal:
    return GateRefusal(400, "invalid_request", message)
