"""Each call of transactions, payments, direct and recurring payments, by both facades through a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay
from plexypay_async.api.operation import declarations
from plexypay_async.cards import Card, CardPadding, StoredCard, encrypt_card, encrypt_cvv
from plexypay_async.errors import (
    DeadlineExceededError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    RefusedError,
    UnprocessableError,
)
from plexypay_async.pay.direct_payments import (
    Address,
    BrowserDetails,
    CustomerDetails,
    DirectPayment,
    DirectPayments,
    DirectRecurring,
    OrderDetails,
    ThreeDSecureStatus,
)
from plexypay_async.pay.payment_links import Recurring
from plexypay_async.pay.payments import PaymentResult, Payments, RefundResult
from plexypay_async.pay.recurring import RecurringPayment, RecurringPayments
from plexypay_async.pay.transactions import Transaction, Transactions, TransactionStatus
from plexypay_async.sandbox import Sandbox
from plexypay_async.settings import RetryPolicy
from plexypay_sync import PlexyPay

pytestmark = pytest.mark.asyncio

GROUPS = (Transactions, Payments, DirectPayments, RecurringPayments)
AMOUNT = Decimal("56.41")
YEAR = datetime.now(UTC).year + 3
BROWSER = BrowserDetails(
    accept_header="text/html",
    language="ru-KZ",
    color_depth=24,
    screen_height=1080,
    screen_width=1920,
    time_zone=-300,
    user_agent="Mozilla/5.0",
)
REQUIRED: dict[str, Any] = {
    "terminal_id": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
    "browser_details": BROWSER,
    "customer_details": CustomerDetails(
        billing_address=Address(
            first_name="John",
            last_name="Doe",
            address_line1="Abay 1",
            address_line2="",
            postal_code="050000",
            phone="+77010000000",
            country="KZ",
        )
    ),
    "three_ds_notification_url": "https://shop.example/3ds",
}


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

    async def items(self, name: str, **fields: Any) -> list[Any]:
        """Read a listing to its end."""
        pages = self._bound(name)(**fields)
        if isinstance(self.client, AsyncPlexyPay):
            return [item async for item in pages]
        return await asyncio.to_thread(list, pages)

    def _bound(self, name: str) -> Any:
        group, _, attribute = name.partition(".")
        return getattr(getattr(self.client, group), attribute)


@pytest_asyncio.fixture(params=["async", "sync"])
async def plexy(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[Facade]:
    """A client of the sandbox whose retries hardly pause."""
    options: dict[str, Any] = {
        "base_url": sandbox.base_url,
        "timeout": 10,
        "retry": RetryPolicy(base=0.001, cap=0.01),
    }
    if request.param == "async":
        async with AsyncPlexyPay(sandbox.api_key, **options) as client:
            yield Facade(client)
        return
    blocking = PlexyPay(sandbox.api_key, **options)
    try:
        yield Facade(blocking)
    finally:
        await asyncio.to_thread(blocking.close)


async def paid(plexy: Facade, sandbox: Sandbox, **how: Any) -> Transaction:
    """Make a link of 56.41 EUR that is to be captured by hand, pay it, and retrieve its transaction."""
    link = await plexy.call(
        "payment_links.create", amount=5641, currency="EUR", order_reference="ORD-1", auto_clearing=False
    )
    sandbox.pay(link.id, **how)
    found = await plexy.call("transactions.retrieve_by_payment_link", link.id)
    assert isinstance(found, Transaction)
    return found


async def test_every_call_is_there(plexy: Facade, sandbox: Sandbox) -> None:
    served = sandbox.served()
    for group in GROUPS:
        for name, operation in declarations(group).items():
            assert callable(getattr(getattr(plexy.client, group.group), name))
            assert served[operation.name] == (operation.method, operation.path)


async def test_one_transaction_in_each_shape(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    assert (found.amount, found.order_reference, found.payment_id) == (AMOUNT, "ORD-1", found.id)
    assert found.status is TransactionStatus.AUTHORIZED
    assert found.is_paid
    assert not found.is_final
    assert await plexy.call("transactions.retrieve", found.id) == found
    assert await plexy.call("transactions.retrieve_by_order_reference", "ORD-1") == found
    (listed,) = await plexy.items("transactions.list", size=1)
    assert (listed.id, listed.amount, listed.order_reference) == (found.id, AMOUNT, "ORD-1")
    assert listed.status is TransactionStatus.AUTHORIZED
    assert listed.created_at.utcoffset() == timedelta()
    assert len(listed.rrn) == 12
    history = await plexy.call("transactions.history", found.id)
    assert [event["status"] for event in history.events] == ["created", "authorized"]
    assert datetime.fromisoformat(history.events[0]["createdAt"]) == listed.created_at


async def test_a_listing_of_several_pages(plexy: Facade, sandbox: Sandbox) -> None:
    links = [await plexy.call("payment_links.create", amount=n, currency="KZT") for n in range(1, 6)]
    for link in links:
        sandbox.pay(link.id)
    listed = await plexy.items("transactions.list", size=2)
    assert [item.amount for item in listed] == [Decimal(n) / 100 for n in (5, 4, 3, 2, 1)]
    assert sandbox.requests.count("transactions.list") == 3


async def test_what_is_not_there(plexy: Facade) -> None:
    for name in ("retrieve", "retrieve_by_payment_link", "retrieve_by_order_reference", "history"):
        with pytest.raises(NotFoundError, match="transaction not found"):
            await plexy.call(f"transactions.{name}", "none")


async def test_waiting_for_a_payment(plexy: Facade, sandbox: Sandbox) -> None:
    link = await plexy.call("payment_links.create", amount=5641, currency="EUR", order_reference="ORD-1")
    waiting = asyncio.create_task(
        plexy.call("transactions.wait", payment_link_id=link.id, timeout=30, interval=0.01)
    )
    while sandbox.requests.count("transactions.retrieve_by_payment_link") < 2:
        await asyncio.sleep(0.001)
    sandbox.pay(link.id)
    assert (await waiting).status is TransactionStatus.AUTHORIZED
    until = asyncio.create_task(
        plexy.call("transactions.wait", order_reference="ORD-1", until="charged", timeout=30, interval=0.01)
    )
    while sandbox.requests.count("transactions.retrieve_by_order_reference") < 2:
        await asyncio.sleep(0.001)
    sandbox.clock.advance(hours=1)
    assert (await until).status is TransactionStatus.CHARGED


async def test_waiting_for_a_customer_who_does_not_come_back(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox, card="4111111111111111", otp="pending")
    assert found.status is TransactionStatus.THREE_D_SECURE
    with pytest.raises(DeadlineExceededError, match="3d"):
        await plexy.call("transactions.wait", found.id, timeout=0.2, interval=0.01)


async def test_a_capture_and_refunds(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    captured = await plexy.call("payments.capture", found.id)
    assert isinstance(captured, PaymentResult)
    assert (captured.success, captured.id, captured.response_code) == (True, found.id, "00")
    assert (captured.amount, captured.remaining_balance) == (AMOUNT, AMOUNT)
    refunded = await plexy.call(
        "payments.refund", found.id, amount=Decimal("15.55"), order_reference="R-1", description="Возврат"
    )
    assert isinstance(refunded, RefundResult)
    assert (refunded.amount, refunded.remaining_balance) == (Decimal("15.55"), Decimal("40.86"))
    assert (refunded.original_transaction_id, refunded.order_reference) == (found.id, "R-1")
    rest = await plexy.call("payments.refund", found.id)
    assert (rest.amount, rest.remaining_balance) == (Decimal("40.86"), 0)
    assert (await plexy.call("transactions.retrieve", found.id)).status is TransactionStatus.REFUNDED
    before = sandbox.requests.count("payments.refund")
    with pytest.raises(OutcomeUnknownError, match="already refunded") as raised:
        await plexy.call("payments.refund", found.id)
    assert raised.value.outcome is Outcome.UNKNOWN
    assert sandbox.requests.count("payments.refund") == before + 1


async def test_a_capture_in_part(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    assert (await plexy.call("payments.capture", found.id, amount=50)).remaining_balance == 50
    with pytest.raises(UnprocessableError, match="charged cannot be captured"):
        await plexy.call("payments.capture", found.id)


async def test_a_cancel(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    assert (await plexy.call("payments.cancel", found.id)).success is True
    assert (await plexy.call("transactions.retrieve", found.id)).status is TransactionStatus.CANCELLED
    with pytest.raises(UnprocessableError, match="cancelled cannot be refunded"):
        await plexy.call("payments.refund", found.id)


@pytest.mark.parametrize("fault", ["code=2,work=after", "cut=after"])
async def test_a_refund_of_unknown_outcome_is_sent_once(plexy: Facade, sandbox: Sandbox, fault: str) -> None:
    found = await paid(plexy, sandbox)
    await plexy.call("payments.capture", found.id)
    sandbox.faults.add(f"{fault},operation=payments.refund")
    with pytest.raises(OutcomeUnknownError, match=r"transactions\.history"):
        await plexy.call("payments.refund", found.id, amount=1)
    assert sandbox.requests.count("payments.refund") == 1
    history = await plexy.call("transactions.history", found.id)
    assert history.events[-1]["status"] == "refunded"


async def _statuses(plexy: Facade, id: str) -> list[tuple[str, Any]]:
    history = await plexy.call("transactions.history", id)
    return [(event["status"], event["amount"]) for event in history.events]


async def test_each_place_that_a_lost_refund_names_shows_it(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    await plexy.call("payments.capture", found.id)
    sandbox.faults.add("cut=after,operation=payments.refund")
    with pytest.raises(OutcomeUnknownError) as lost:
        await plexy.call("payments.refund", found.id, amount=1, order_reference="R-1")
    assert (
        f"look for a refund of 1 in transactions.history('{found.id}'),"
        " payments.search(order_reference='R-1') (only by a reference of the refund's own, and only one of"
        " several) and transactions.list() before"
    ) in str(lost.value)
    assert lost.value.order_reference == "R-1"

    refund = await plexy.call("payments.search", order_reference="R-1")
    assert (refund.type, refund.status, refund.amount) == ("refund", "refunded", 1)
    assert (await _statuses(plexy, found.id))[-1] == ("refunded", 1)
    newest = (await plexy.items("transactions.list"))[0]
    assert (newest.id, newest.order_reference, newest.amount) == (refund.id, "R-1", 1)
    # The payment itself does not show a part.
    assert (await plexy.call("transactions.retrieve", found.id)).status is TransactionStatus.CHARGED


async def test_the_whole_of_a_lost_refund_shows_on_the_payment(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    await plexy.call("payments.capture", found.id)
    sandbox.faults.add("cut=after,operation=payments.refund")
    with pytest.raises(OutcomeUnknownError, match=r"the status 'refunded' in transactions\.retrieve"):
        await plexy.call("payments.refund", found.id)
    assert (await plexy.call("transactions.retrieve", found.id)).status is TransactionStatus.REFUNDED


async def test_where_a_lost_capture_shows(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    sandbox.faults.add("cut=after,operation=payments.capture")
    with pytest.raises(OutcomeUnknownError, match=r"a capture of 2 in transactions\.history.*'charged'"):
        await plexy.call("payments.capture", found.id, amount=2)
    assert (await _statuses(plexy, found.id))[-1] == ("charged", 2)
    charged = await plexy.call("transactions.retrieve", found.id)
    assert (charged.status, charged.amount) == (TransactionStatus.CHARGED, found.amount)


async def test_a_refund_is_repeated_while_the_service_is_unavailable(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    await plexy.call("payments.capture", found.id)
    sandbox.faults.add("code=1,times=2,operation=payments.refund")
    assert (await plexy.call("payments.refund", found.id, amount=1)).success is True
    assert sandbox.requests.count("payments.refund") == 3
    assert sum(item["type"] == "refund" for item in sandbox.transactions()) == 1


async def pay_directly(
    plexy: Facade, number: str, padding: CardPadding = CardPadding.OAEP_SHA256, **fields: Any
) -> Any:
    """Fetch the sandbox's key, encrypt a card with it, and pay 221 EUR unless told otherwise."""
    keys = await plexy.call("direct_payments.keys")
    card = Card(number, 7, YEAR, "123", "Айгерім")
    order = OrderDetails(amount=fields.pop("amount", 221), currency="EUR", order_reference="ORD-1")
    return await plexy.call(
        "direct_payments.create",
        transaction_type=fields.pop("transaction_type", "sale"),
        order_details=order,
        card_data=encrypt_card(card, keys.raw["data"][0]["publicKey"], padding),
        **{**REQUIRED, **fields},
    )


@pytest.mark.parametrize("padding", list(CardPadding))
async def test_a_direct_payment(plexy: Facade, padding: CardPadding) -> None:
    payment = await pay_directly(plexy, "4200000000000000", padding, amount=AMOUNT)
    assert isinstance(payment, DirectPayment)
    assert (payment.success, payment.captured, payment.amount) == (True, True, AMOUNT)
    assert (payment.card_mask, payment.card_expiry_date) == ("******0000", f"07/{YEAR % 100:02}")
    assert (payment.cardholder_name, payment.card_scheme) == ("Айгерім", "visa")
    assert not payment.requires_3ds
    found = await plexy.call("transactions.retrieve_by_order_reference", "ORD-1")
    assert (found.id, found.status, found.card_token_id) == (
        payment.id,
        TransactionStatus.CHARGED,
        payment.card_token_id,
    )


@pytest.mark.parametrize(
    ("number", "amount", "code"), [("4200000000000000", 20510, "51"), ("4907639999990022", 1, "3DS")]
)
async def test_a_decline(plexy: Facade, sandbox: Sandbox, number: str, amount: int, code: str) -> None:
    with pytest.raises(RefusedError) as raised:
        await pay_directly(plexy, number, amount=amount)
    assert (raised.value.code, raised.value.outcome) == (code, Outcome.REJECTED)
    assert raised.value.answer.amount == amount
    assert [item["status"] for item in sandbox.transactions()] == ["rejected"]
    assert sandbox.requests.count("direct_payments.create") == 1


async def test_a_decline_under_another_status(plexy: Facade, sandbox: Sandbox) -> None:
    sandbox.faults.add("decline=402,times=1,operation=direct_payments.create")
    with pytest.raises(RefusedError) as raised:
        await pay_directly(plexy, "4200000000000000", amount=20510)
    assert (raised.value.code, raised.value.status) == ("51", 402)
    assert raised.value.answer.amount == 20510
    sandbox.faults.clear()
    sandbox.faults.add("decline=500,operation=direct_payments.*")
    with pytest.raises(OutcomeUnknownError) as lost:
        await pay_directly(plexy, "4200000000000000", amount=20510)
    (identifier,) = [each["id"] for each in sandbox.transactions() if each["id"] != raised.value.answer.id]
    assert f"in transactions.retrieve('{identifier}')" in str(lost.value)
    assert (await plexy.call("transactions.retrieve", identifier)).status is TransactionStatus.REJECTED
    assert (await pay_directly(plexy, "4200000000000000")).success is True
    assert sandbox.requests.count("direct_payments.create") == 3


async def test_3d_secure(plexy: Facade) -> None:
    payment = await pay_directly(
        plexy, "4111111111111111", three_ds_notification_url="https://shop.example/3ds"
    )
    assert payment.requires_3ds
    assert payment.three_ds.status is ThreeDSecureStatus.CHALLENGE
    assert payment.three_ds.html.startswith("<form")
    cres = base64.urlsafe_b64encode(json.dumps({"otp": "555"}).encode()).decode()
    ended = await plexy.call("direct_payments.continue_3ds", cres=cres, transaction_id=payment.id)
    assert (ended.id, ended.success, ended.requires_3ds) == (payment.id, True, False)
    assert ended.three_ds.status is ThreeDSecureStatus.AUTHENTICATED
    assert (await plexy.call("transactions.retrieve", payment.id)).status is TransactionStatus.CHARGED


async def test_3d_secure_that_fails(plexy: Facade) -> None:
    payment = await pay_directly(plexy, "4918914107195005")
    with pytest.raises(RefusedError, match="authentication failed"):
        await plexy.call("direct_payments.continue_3ds", cres="111", transaction_id=payment.id)
    assert (await plexy.call("transactions.retrieve", payment.id)).status is TransactionStatus.REJECTED


async def test_a_stored_card_with_a_code_that_was_entered_anew(plexy: Facade) -> None:
    # Of the card that is challenged, code 444 is refused by its bank.
    first = await pay_directly(plexy, "4111111111111111", skip_three_ds=True)
    key = (await plexy.call("direct_payments.keys")).raw["data"][0]["publicKey"]
    pays: dict[str, Any] = {
        "transaction_type": "auth",
        "order_details": OrderDetails(amount=1, currency="EUR"),
        "skip_three_ds": True,
        **REQUIRED,
    }
    card = StoredCard(first.card_token_id, encrypt_cvv("123", key))
    again = await plexy.call("direct_payments.create", card_data=card, **pays)
    assert (again.success, again.cvv_status, again.cvv_status_decoded) == (True, "M", "matched")
    with pytest.raises(RefusedError, match="CVV failed"):
        await plexy.call(
            "direct_payments.create",
            card_data=StoredCard(first.card_token_id, encrypt_cvv("444", key)),
            **pays,
        )


async def test_a_stored_card(plexy: Facade) -> None:
    first = await pay_directly(plexy, "4200000000000000")
    second = await plexy.call(
        "direct_payments.create",
        transaction_type="auth",
        **REQUIRED,
        order_details=OrderDetails(amount=1, currency="EUR"),
        card_data=StoredCard(first.card_token_id),
    )
    assert (second.success, second.card_token_id) == (True, first.card_token_id)


async def test_a_recurring_charge_after_a_link(plexy: Facade, sandbox: Sandbox) -> None:
    link = await plexy.call(
        "payment_links.create", amount=109_900, currency="KZT", recurring=Recurring(type="cof_initial")
    )
    sandbox.pay(link.id, card="4111111111111111")
    first = await plexy.call("transactions.retrieve_by_payment_link", link.id)
    fields = {"currency": "KZT", "card_token_id": first.card_token_id, "initial_transaction_id": first.id}
    charged = await plexy.call("recurring.charge", amount=Decimal("1099.5"), **fields)
    assert isinstance(charged, RecurringPayment)
    assert (charged.amount, charged.status) == (Decimal("1099.5"), TransactionStatus.AUTHORIZED)
    found = await plexy.call("transactions.retrieve", charged.id)
    assert (found.amount, found.is_paid) == (Decimal("1099.5"), True)
    with pytest.raises(NotFoundError):
        await plexy.call("recurring.charge", amount=1, **fields | {"card_token_id": "none"})
    sandbox.faults.add("cut=after,operation=recurring.charge")
    with pytest.raises(OutcomeUnknownError, match=r"transactions\.list"):
        await plexy.call("recurring.charge", amount=1, **fields)
    assert len(await plexy.items("transactions.list")) == 3


async def test_a_recurring_charge_after_a_direct_payment(plexy: Facade) -> None:
    first = await pay_directly(plexy, "4200000000000000", recurring=DirectRecurring())
    charged = await plexy.call(
        "recurring.charge",
        amount=1099,
        currency="KZT",
        card_token_id=first.card_token_id,
        initial_transaction_id=first.id,
    )
    assert charged.status is TransactionStatus.AUTHORIZED
    plain = await pay_directly(plexy, "4200000000000000")
    with pytest.raises(UnprocessableError, match="cof_initial"):
        await plexy.call(
            "recurring.charge",
            amount=1099,
            currency="KZT",
            card_token_id=plain.card_token_id,
            initial_transaction_id=plain.id,
        )


async def test_a_search_of_payments(plexy: Facade, sandbox: Sandbox) -> None:
    found = await paid(plexy, sandbox)
    searched = await plexy.call("payments.search", order_reference="ORD-1")
    assert (searched.id, searched.amount, searched.currency) == (found.id, AMOUNT, "EUR")
    assert (searched.type, searched.is_paid) == ("payment", True)
    assert await plexy.call("payments.search", transaction_id=found.id, order_reference="other") == searched
    with pytest.raises(NotFoundError, match="transaction not found"):
        await plexy.call("payments.search", order_reference="none")


async def test_a_server_without_the_assumed_path(plexy: Facade, sandbox: Sandbox) -> None:
    sandbox.faults.add("status=404,operation=transactions.retrieve_by_order_reference")
    found = await paid(plexy, sandbox)
    assert (await plexy.call("transactions.retrieve_by_order_reference", "ORD-1")).id == found.id
    waited = await plexy.call("transactions.wait", order_reference="ORD-1", timeout=10, interval=0.01)
    assert (waited.id, waited.status) == (found.id, TransactionStatus.AUTHORIZED)
    assert sandbox.requests.count("payments.search") == 2
