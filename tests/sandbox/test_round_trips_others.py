"""Each call of the wallet, settlement orders and the assumed groups, by both facades through a socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay, ConfigurationError
from plexypay_async.api.fields import BodyInExtra
from plexypay_async.api.operation import Listing, declarations
from plexypay_async.errors import (
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    ServiceUnavailableError,
    UnprocessableError,
)
from plexypay_async.pay.beneficiaries import (
    Beneficiaries,
    Beneficiary,
    BeneficiarySettlement,
    BeneficiaryTransfer,
)
from plexypay_async.pay.customers import CardToken, CardTokens, Customer, Customers
from plexypay_async.pay.merchant import Merchant, MerchantAccount
from plexypay_async.pay.payment_links import Recurring
from plexypay_async.pay.payouts import Payout, Payouts, PayoutTransaction, SavedPayoutCard
from plexypay_async.pay.settlement_orders import SettlementOrder, SettlementOrders, SettlementOrderStatus
from plexypay_async.pay.split_requests import SplitRequest, SplitRequests
from plexypay_async.pay.wallet import Wallet, WalletTransaction, WalletTransactionStatus
from plexypay_async.sandbox import Sandbox
from plexypay_async.settings import RetryPolicy
from plexypay_sync import PlexyPay

pytestmark = pytest.mark.asyncio

GROUPS = (Wallet, SettlementOrders, SplitRequests, Payouts, Customers, Beneficiaries, MerchantAccount)
QUICK = RetryPolicy(base=0.001, cap=0.01)
ANYTHING: dict[str, Any] = {"Имя": "Айгерім", "deep": {"list": [1, None, {"x": 1.5}]}, "large": 2**63}


@attrs.frozen
class Facade:
    """One of the two clients, called alike: a blocking one in a thread, as the sandbox lives on this loop."""

    client: AsyncPlexyPay | PlexyPay

    async def call(self, name: str, *args: Any, **fields: Any) -> Any:
        """Call an operation by its full name."""
        called = self._bound(name)
        if isinstance(self.client, AsyncPlexyPay):
            return await called(*args, **fields)
        return await asyncio.to_thread(called, *args, **fields)

    async def items(self, name: str, *args: Any, **fields: Any) -> list[Any]:
        """Read a listing to its end."""
        pages = self._bound(name)(*args, **fields)
        if isinstance(self.client, AsyncPlexyPay):
            return [item async for item in pages]
        return await asyncio.to_thread(list, pages)

    def _bound(self, name: str) -> Any:
        group, _, attribute = name.partition(".")
        return getattr(getattr(self.client, group), attribute)


@pytest_asyncio.fixture(params=["async", "sync"])
async def plexy(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[Facade]:
    """A client of the sandbox whose retries hardly pause."""
    options: dict[str, Any] = {"base_url": sandbox.base_url, "timeout": 10, "retry": QUICK}
    if request.param == "async":
        async with AsyncPlexyPay(sandbox.api_key, **options) as client:
            yield Facade(client)
        return
    blocking = PlexyPay(sandbox.api_key, **options)
    try:
        yield Facade(blocking)
    finally:
        await asyncio.to_thread(blocking.close)


def arrived(sandbox: Sandbox, operation: str) -> list[Any]:
    return [request for request in sandbox.requests if request.operation == operation]


async def test_a_wallet_payment_is_captured_and_refunded(plexy: Facade, sandbox: Sandbox) -> None:
    made = await plexy.call("wallet.authorize", amount=2_200_000, order_reference="ORD-1", currency="kzt")
    assert isinstance(made, WalletTransaction)
    assert (made.status, made.amount, made.currency, made.order_reference) == (
        WalletTransactionStatus.PROCESSING,
        2_200_000,
        "KZT",
        "ORD-1",
    )
    captured = await plexy.call("wallet.capture", made.id)
    assert captured == attrs.evolve(made, status=WalletTransactionStatus.SUCCESS)
    assert await plexy.call("wallet.refund", wallet_transaction_id=made.id) == captured
    assert await plexy.call("wallet.retrieve", made.id) == captured
    with pytest.raises(UnprocessableError, match="refunded already"):
        await plexy.call("wallet.refund", made.id)
    assert await plexy.items("wallet.list") == [captured]
    (listed,) = arrived(sandbox, "wallet.list")
    assert listed.path.startswith("/v1/wallet/transactions/?")


async def test_a_wallet_payment_is_cancelled(plexy: Facade) -> None:
    made = await plexy.call("wallet.authorize", amount=1)
    cancelled = await plexy.call("wallet.cancel", made.id)
    assert cancelled == attrs.evolve(made, status=WalletTransactionStatus.FAILED)
    with pytest.raises(UnprocessableError, match="cannot be captured"):
        await plexy.call("wallet.capture", made.id)


async def test_a_wallet_list_of_several_pages(plexy: Facade) -> None:
    made = [await plexy.call("wallet.authorize", amount=number) for number in range(1, 8)]
    assert await plexy.items("wallet.list", size=3) == made[::-1]


async def test_a_key_of_the_caller_s_finds_its_transaction(plexy: Facade) -> None:
    made = await plexy.call("wallet.authorize", amount=1, idempotency_key="k-1")
    assert await plexy.call("wallet.authorize", amount=1, idempotency_key="k-1") == made
    with pytest.raises(UnprocessableError, match="used with another body") as caught:
        await plexy.call("wallet.authorize", amount=2, idempotency_key="k-1")
    assert caught.value.idempotency_key == "k-1"
    assert await plexy.items("wallet.list") == [made]


@pytest.mark.parametrize("fault", ["cut=before", "cut=after", "cut=body", "code=1", "code=2,work=after"])
async def test_an_authorization_is_repeated_with_its_key(plexy: Facade, sandbox: Sandbox, fault: str) -> None:
    sandbox.faults.add(f"{fault},times=2,operation=wallet.authorize")
    made = await plexy.call("wallet.authorize", amount=1)
    sent = arrived(sandbox, "wallet.authorize")
    assert len(sent) == 3
    (key,) = {request.headers["Idempotency-Key"] for request in sent}
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key)
    assert await plexy.items("wallet.list") == [made]


async def test_a_capture_whose_answer_is_lost_is_not_repeated(plexy: Facade, sandbox: Sandbox) -> None:
    made = await plexy.call("wallet.authorize", amount=1)
    sandbox.faults.add("cut=after,operation=wallet.capture")
    with pytest.raises(OutcomeUnknownError, match=r"wallet\.retrieve") as caught:
        await plexy.call("wallet.capture", made.id)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(arrived(sandbox, "wallet.capture")) == 1
    assert (await plexy.call("wallet.retrieve", made.id)).status == WalletTransactionStatus.SUCCESS


async def test_a_settlement_order_is_paid_by_the_clock(plexy: Facade, sandbox: Sandbox) -> None:
    beneficiary = await plexy.call("beneficiaries.create", extra={"name": "Shop"})
    order = await plexy.call(
        "settlement_orders.create", amount=Decimal("10000.5"), currency="kzt", beneficiary_id=beneficiary.id
    )
    merchant = await plexy.call("merchant.retrieve")
    assert order == SettlementOrder(
        id=order.id,
        amount=Decimal("10000.5"),
        currency="KZT",
        status=SettlementOrderStatus.CREATED,
        beneficiary_id=beneficiary.id,
        merchant_id=merchant.id,
    )
    assert await plexy.call("settlement_orders.retrieve", order.id) == order
    sandbox.clock.advance(minutes=10)
    paid = attrs.evolve(order, status=SettlementOrderStatus.PAID)
    assert await plexy.call("settlement_orders.retrieve", id=order.id) == paid
    other = await plexy.call("settlement_orders.create", amount=7, currency="KZT")
    assert other.beneficiary_id is None
    assert await plexy.items("settlement_orders.list", size=1) == [other, paid]


@pytest.mark.parametrize("fault", ["cut=before", "cut=after", "cut=body", "code=1", "code=2,work=after"])
async def test_a_settlement_order_is_repeated_with_its_request_id(
    plexy: Facade, sandbox: Sandbox, fault: str
) -> None:
    sandbox.faults.add(f"{fault},times=2,operation=settlement_orders.create")
    order = await plexy.call("settlement_orders.create", amount=Decimal("56.41"), currency="KZT")
    assert len(arrived(sandbox, "settlement_orders.create")) == 3
    assert await plexy.items("settlement_orders.list") == [order]


async def test_a_request_id_of_the_caller_s_finds_its_order(plexy: Facade) -> None:
    order = await plexy.call("settlement_orders.create", amount=1, currency="KZT", request_id="r-1")
    assert order == await plexy.call("settlement_orders.create", amount=1, currency="KZT", request_id="r-1")
    with pytest.raises(UnprocessableError, match="used with another body") as caught:
        await plexy.call("settlement_orders.create", amount=2, currency="KZT", request_id="r-1")
    assert caught.value.idempotency_key == "r-1"


@pytest.mark.parametrize(
    ("group", "model"),
    [("split_requests", SplitRequest), ("customers", Customer), ("beneficiaries", Beneficiary)],
)
async def test_what_is_posted_comes_back(plexy: Facade, group: str, model: type[Any]) -> None:
    made = [await plexy.call(f"{group}.create", extra=ANYTHING | {"number": n}) for n in range(3)]
    for number, record in enumerate(made):
        assert type(record) is model
        assert record.raw == ANYTHING | {"number": number, "id": record.id}
        found = await plexy.call(f"{group}.retrieve", record.id)
        assert (type(found), found.raw) == (model, record.raw)
    listed = await plexy.items(f"{group}.list", size=2)
    assert [(type(item), item.raw) for item in listed] == [(model, record.raw) for record in made[::-1]]
    with pytest.raises(ConfigurationError, match=r"^extra: must not be empty"):
        await plexy.call(f"{group}.create")
    with pytest.raises(NotFoundError, match="not found") as caught:
        await plexy.call(f"{group}.retrieve", "none")
    assert f'paths={{"{group}.retrieve"' in "".join(caught.value.__notes__)


@pytest.mark.parametrize("group", ["split_requests", "beneficiaries"])
async def test_an_update_replaces(plexy: Facade, group: str) -> None:
    made = await plexy.call(f"{group}.create", extra={"a": 1})
    updated = await plexy.call(f"{group}.update", made.id, extra={"b": 2})
    assert updated.raw == {"b": 2, "id": made.id}
    assert (await plexy.call(f"{group}.retrieve", made.id)).raw == updated.raw


async def test_a_split_request_is_deleted(plexy: Facade) -> None:
    made = await plexy.call("split_requests.create", extra=ANYTHING)
    assert await plexy.call("split_requests.delete", made.id) is None
    with pytest.raises(NotFoundError):
        await plexy.call("split_requests.delete", made.id)
    assert await plexy.items("split_requests.list") == []


async def test_payouts(plexy: Facade) -> None:
    payout = await plexy.call("payouts.create", extra=ANYTHING)
    assert type(payout) is Payout
    assert payout.raw == ANYTHING | {"id": payout.id, "success": True}
    card = await plexy.call("payouts.save_card", extra={"customer": "c-1"})
    assert type(card) is SavedPayoutCard
    assert card.raw == {"id": card.id, "customer": "c-1"}
    assert [(type(item), item.raw) for item in await plexy.items("payouts.list")] == [
        (PayoutTransaction, payout.raw)
    ]


async def test_a_customer_s_cards_and_transactions(plexy: Facade, sandbox: Sandbox) -> None:
    customer = await plexy.call("customers.create", extra={"email": "a@example.com"})
    assert await plexy.call("customers.card_tokens", customer.id) == CardTokens()
    assert await plexy.items("customers.transactions", customer.id) == []
    link = await plexy.call(
        "payment_links.create",
        amount=5641,
        currency="KZT",
        customer_id=customer.id,
        recurring=Recurring(type="cof_initial"),
    )
    paid = sandbox.pay(link.id)
    (card,) = (await plexy.call("customers.card_tokens", customer.id)).data
    assert (type(card), card.raw) == (CardToken, {"cardTokenId": paid["cardTokenId"]})
    (transaction,) = await plexy.items("customers.transactions", customer.id, size=5)
    assert (transaction.id, transaction.amount) == (paid["id"], Decimal("56.41"))
    assert [transaction] == await plexy.items("transactions.list")
    with pytest.raises(NotFoundError, match="customer not found"):
        await plexy.items("customers.transactions", "none")


async def test_a_beneficiary_s_money(plexy: Facade) -> None:
    beneficiary = await plexy.call("beneficiaries.create", extra={"name": "Shop"})
    transfer = await plexy.call("beneficiaries.transfer", beneficiary.id, extra={"amount": 5})
    assert transfer == BeneficiaryTransfer(id=transfer.id, success=True)
    assert transfer.raw["amount"] == 5
    settlement = await plexy.call("beneficiaries.settle", beneficiary.id)
    assert settlement == BeneficiarySettlement(id=settlement.id, success=True)
    assert len({beneficiary.id, transfer.id, settlement.id}) == 3
    with pytest.raises(NotFoundError, match="beneficiary not found"):
        await plexy.call("beneficiaries.transfer", "none", extra={"amount": 5})


@pytest.mark.parametrize("name", ["payouts.create", "beneficiaries.transfer", "beneficiaries.settle"])
async def test_money_that_may_have_moved_is_not_moved_again(
    plexy: Facade, sandbox: Sandbox, name: str
) -> None:
    beneficiary = await plexy.call("beneficiaries.create", extra=ANYTHING)
    target = () if name == "payouts.create" else (beneficiary.id,)
    sandbox.faults.add(f"cut=after,operation={name}")
    with pytest.raises(OutcomeUnknownError):
        await plexy.call(name, *target, extra={"amount": 5})
    assert len(arrived(sandbox, name)) == 1
    sandbox.faults.clear()
    sandbox.faults.add(f"code=1,times=1,operation={name}")
    assert (await plexy.call(name, *target, extra={"amount": 5})).id
    assert len(arrived(sandbox, name)) == 3


async def test_the_merchant(plexy: Facade) -> None:
    merchant = await plexy.call("merchant.retrieve")
    assert merchant == Merchant(id=merchant.raw["id"])


async def test_every_call_reaches_its_operation(plexy: Facade, sandbox: Sandbox) -> None:
    """Drive each declaration once, refused at the gate: name, method and path fit the sandbox's."""
    sandbox.faults.add("code=5")
    required: dict[str, dict[str, Any]] = {
        "wallet.authorize": {"amount": 1},
        "settlement_orders.create": {"amount": 1, "currency": "KZT"},
    }
    driven = [operation for group in GROUPS for operation in declarations(group).values()]
    assert len(driven) == 29
    for operation in driven:
        run = plexy.items if isinstance(operation, Listing) else plexy.call
        given = required.get(operation.name, {})
        if issubclass(operation.request, BodyInExtra):  # type: ignore[arg-type]
            given = {"extra": ANYTHING}
        with pytest.raises(UnprocessableError):
            await run(operation.name, *operation.path_parameters, **given)
        request = [*sandbox.requests][-1]
        assert (request.operation, request.method) == (operation.name, operation.method)
    assert sandbox.requests.count() == len(driven)


async def test_an_outage_is_told(plexy: Facade, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")
    for name in ("merchant.retrieve", "payouts.create", "split_requests.create"):
        with pytest.raises(ServiceUnavailableError):
            await plexy.call(name, extra={"a": 1})
