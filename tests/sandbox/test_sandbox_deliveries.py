"""Which webhooks the sandbox delivers, to whom, and what it does until they are answered with 200."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyPay
from plexypay_async.errors import ConfigurationError
from plexypay_async.sandbox import DeliveryState, Sandbox

pytestmark = pytest.mark.asyncio

LINK = {"amount": 2_200_000, "currency": "KZT"}
LINKS = "/v1/payment-links"
ORDERS = "/v1/merchants/settlement-payment-orders"
PAID = ["transaction.created", "transaction.authorized"]


@pytest.fixture
def sandbox_with(receiver: Any) -> Callable[..., Any]:
    """Run a sandbox whose webhooks go to the receiver unless told otherwise."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[tuple[Sandbox, AsyncPlexyPay]]:
        async with (
            Sandbox(**{"webhook_url": receiver.url, "seed": 1, **settings}) as sandbox,
            AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy,
        ):
            yield sandbox, plexy

    return run


async def pay(sandbox: Sandbox, plexy: AsyncPlexyPay, **fields: Any) -> dict[str, Any]:
    link = await plexy.payment_links.create(**{**LINK, **fields})
    return sandbox.pay(link.id)


async def test_a_paid_link_is_told_as_published(
    sandbox_with: Any, receiver: Any, example: Callable[[str], Any]
) -> None:
    published = example("webhook-transaction.json")
    async with sandbox_with(webhook_token="token-of-mine") as (sandbox, plexy):
        transaction = await pay(
            sandbox,
            plexy,
            order_reference="A-1",
            customer_id="c-1",
            callback_url=f"{receiver.base_url}/orders?shop=1",
        )
        await sandbox.deliveries.settled()
        assert receiver.names == PAID
        for webhook in receiver.received:
            assert (webhook.path, webhook.headers["Content-Type"]) == ("/orders", "application/json")
            assert webhook.headers.getall("Authorization") == ["Bearer token-of-mine"]
            assert webhook.body.keys() == published.keys()
            assert webhook.body["data"].keys() == published["data"].keys()
        told = receiver.received[1].body["data"]
        link_id = transaction["paymentLinkId"]
        assert told == transaction | {"paymentLinkId": {"Value": link_id}, "customerId": {"Value": "c-1"}}
        assert (told["amount"], told["status"], told["cardTokenId"]) == (22000, "authorized", None)
        assert receiver.received[0].body["data"]["status"] == "created"
        assert receiver.received[0].body["merchantId"] == (await plexy.merchant.retrieve()).raw["id"]


async def test_the_default_address_is_for_links_without_one(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        await pay(sandbox, plexy, callback_url=f"{receiver.base_url}/own")
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        assert sorted(webhook.path for webhook in receiver.received) == ["/own"] * 2 + ["/webhooks"] * 2
        sandbox.webhook_url = f"{receiver.base_url}/moved"
        sandbox.webhook_token = "rotated"
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        assert [webhook.path for webhook in receiver.received[4:]] == ["/moved"] * 2
        assert receiver.received[-1].headers["Authorization"] == "Bearer rotated"
        sandbox.webhook_url = None
        await pay(sandbox, plexy)
        assert len(sandbox.deliveries) == 6


@pytest.mark.parametrize(
    ("payment", "told"),
    [
        ({"card": "4907639999990022"}, ["created", "rejected"]),
        ({"card": "4111111111111111", "otp": "111"}, ["created", "rejected"]),
        ({"card": "4111111111111111", "otp": "pending"}, ["created"]),
        ({"failed": True}, ["created", "failed"]),
    ],
)
async def test_a_payment_that_does_not_go_through(
    sandbox_with: Any, receiver: Any, payment: dict[str, Any], told: list[str]
) -> None:
    async with sandbox_with() as (sandbox, plexy):
        link = await plexy.payment_links.create(**LINK)
        sandbox.pay(link.id, **payment)
        await sandbox.deliveries.settled()
        assert receiver.names == [f"transaction.{status}" for status in told]
        assert [webhook.body["data"]["status"] for webhook in receiver.received] == told


async def test_what_becomes_of_a_payment(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        first, second = await pay(sandbox, plexy), await pay(sandbox, plexy)
        await plexy.payments.cancel(first["id"])
        await plexy.payments.capture(second["id"])
        await sandbox.deliveries.settled()
        receiver.received.clear()
        part = await plexy.payments.refund(second["id"], amount=1000)
        await sandbox.deliveries.settled()
        rest = await plexy.payments.refund(second["id"])
        await sandbox.deliveries.settled()
        told = [(webhook.name, webhook.body["data"]) for webhook in receiver.received]
    assert {name for name, _ in told} == {"transaction.refunded"}
    # Each refund is a transaction of its own; the payment is refunded once nothing of it is left.
    assert [(data["id"], data["type"], data["amount"], data["parentTransactionId"]) for _, data in told] == [
        (part.id, "refund", 1000, second["id"]),
        (rest.id, "refund", 21000, second["id"]),
        (second["id"], "payment", 22000, None),
    ]
    assert told[-1][1]["balance"] == 0


async def test_time_alone_captures_and_tells(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        payments = [await pay(sandbox, plexy) for _ in range(3)]
        await sandbox.deliveries.settled()
        receiver.received.clear()
        sandbox.clock.advance(hours=1)
        # Nobody asks for anything.
        async with asyncio.timeout(20):
            while len(receiver.received) < 3:
                await asyncio.sleep(0.01)
        assert {webhook.name for webhook in receiver.received} == {"transaction.charged"}
        told = {webhook.body["data"]["id"]: webhook.body["data"] for webhook in receiver.received}
        assert told.keys() == {payment["id"] for payment in payments}
        for transaction in sandbox.transactions():
            data = told[transaction["id"]]
            assert data == transaction | {"paymentLinkId": {"Value": transaction["paymentLinkId"]}}


async def test_payment_orders_are_told_in_snake_case(
    sandbox_with: Any, receiver: Any, ask: Any, example: Callable[[str], Any]
) -> None:
    published = example("webhook-payment-order.json")
    async with sandbox_with() as (sandbox, plexy):
        order = await plexy.settlement_orders.create(amount=10_000, currency="KZT")
        sandbox.clock.advance(minutes=10)
        await sandbox.deliveries.settled()
        assert receiver.names == ["payment_order.created", "payment_order.paid"]
        for webhook, status in zip(receiver.received, ("created", "paid"), strict=True):
            assert webhook.body.keys() == published.keys()
            assert webhook.body["data"].keys() == published["data"].keys()
            assert webhook.body["data"]["payment_order_id"] == order.id
            assert webhook.body["data"]["status"] == status


@pytest.mark.parametrize("status", [500, 404, 201, 204, 302, 307])
async def test_anything_but_200_is_tried_again(sandbox_with: Any, receiver: Any, status: int) -> None:
    receiver.answers = [status]
    receiver.answer_headers = {"Location": f"{receiver.base_url}/elsewhere"}
    async with sandbox_with() as (sandbox, plexy):
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        created, _ = sandbox.deliveries
        assert created.state is DeliveryState.PENDING
        assert created.next_attempt_at is not None
        assert (created.next_attempt_at - created.attempts[0].at).total_seconds() == 5
        assert len(receiver.received) == 2
        sandbox.clock.advance(seconds=5)
        await sandbox.deliveries.settled()
        created, _ = sandbox.deliveries
        assert (created.state, created.next_attempt_at) == (DeliveryState.DELIVERED, None)
        assert [attempt.status for attempt in created.attempts] == [status, 200]
    assert receiver.names == [*PAID, "transaction.created"]
    assert receiver.received[0].body == receiver.received[2].body
    # A redirect is not followed.
    assert {webhook.path for webhook in receiver.received} == {"/webhooks"}


async def test_pauses_grow_until_it_gives_up(sandbox_with: Any, receiver: Any) -> None:
    receiver.answers = [500] * 6
    async with sandbox_with(webhook_pauses=(1, 10)) as (sandbox, plexy):
        link = await plexy.payment_links.create(**LINK, callback_url=receiver.url)
        sandbox.pay(link.id, card="4111111111111111", otp="pending")
        for made, pause in ((1, 1), (2, 10)):
            await sandbox.deliveries.settled()
            (created,) = sandbox.deliveries
            assert len(created.attempts) == made
            assert created.next_attempt_at is not None
            assert (created.next_attempt_at - created.attempts[-1].at).total_seconds() == pause
            sandbox.clock.advance(seconds=pause)
        await sandbox.deliveries.settled()
        (created,) = sandbox.deliveries
        assert (created.state, created.next_attempt_at) == (DeliveryState.FAILED, None)
        assert [attempt.status for attempt in created.attempts] == [500] * 3
        sandbox.clock.advance(hours=100)
        await sandbox.deliveries.settled()
        assert len(receiver.received) == 3


async def test_real_time_brings_the_next_attempt_too(sandbox_with: Any, receiver: Any) -> None:
    receiver.answers = [500, 500]
    async with sandbox_with(webhook_pauses=[0.05, 0.05]) as (sandbox, plexy):
        await pay(sandbox, plexy)
        async with asyncio.timeout(20):
            while any(delivery.state is DeliveryState.PENDING for delivery in sandbox.deliveries):
                await asyncio.sleep(0.01)
        assert len(receiver.received) == 4


async def test_a_receiver_that_is_not_there(sandbox_with: Any, unused_tcp_port: int) -> None:
    async with sandbox_with(webhook_url=f"http://localhost:{unused_tcp_port}/") as (sandbox, plexy):
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        for delivery in sandbox.deliveries:
            (attempt,) = delivery.attempts
            assert attempt.status is None
            assert attempt.error is not None
            assert "ClientConnectorError: Cannot connect to host localhost" in attempt.error
            assert delivery.state is DeliveryState.PENDING


async def test_a_receiver_that_does_not_answer(sandbox_with: Any, receiver: Any) -> None:
    receiver.answers = [forever, 200]
    async with sandbox_with(webhook_timeout=0.1) as (sandbox, plexy):
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        created, authorized = sandbox.deliveries
        assert [attempt.error for attempt in created.attempts] == ["no answer within 0.1 s"]
        assert authorized.state is DeliveryState.DELIVERED


async def forever() -> int:
    await asyncio.Event().wait()
    return 200


async def test_webhooks_of_one_transaction_come_one_after_the_other(sandbox_with: Any, receiver: Any) -> None:
    answered: list[int] = []

    async def slowly() -> int:
        await asyncio.sleep(0.05)
        answered.append(len(receiver.received))
        return 200

    receiver.answers = [slowly]
    async with sandbox_with() as (sandbox, plexy):
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
    assert receiver.names == PAID
    assert answered == [1]


async def test_a_refund_is_told_before_its_payment(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        payment = await pay(sandbox, plexy)
        sandbox.clock.advance(hours=1)
        await sandbox.deliveries.settled()
        came = len(receiver.received)
        seen: list[int] = []

        async def slowly() -> int:
            await asyncio.sleep(0.05)
            seen.append(len(receiver.received) - came)
            return 200

        receiver.answers = [slowly]
        await plexy.payments.refund(payment["id"])
        await sandbox.deliveries.settled()
    assert seen == [1]
    assert [webhook.body["data"]["type"] for webhook in receiver.received[came:]] == ["refund", "payment"]


async def test_webhooks_of_different_transactions_come_side_by_side(sandbox_with: Any, receiver: Any) -> None:
    together = asyncio.Barrier(10)

    async def at_once() -> int:
        await together.wait()
        return 200

    receiver.answers = [at_once] * 10
    async with sandbox_with() as (sandbox, plexy):
        for link in [await plexy.payment_links.create(**LINK) for _ in range(10)]:
            sandbox.pay(link.id, card="4111111111111111", otp="pending")
        await sandbox.deliveries.settled()
        assert {delivery.state for delivery in sandbox.deliveries} == {DeliveryState.DELIVERED}


async def test_many_more_than_can_be_sent_at_once(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        for number in range(25):
            await pay(sandbox, plexy, order_reference=f"A-{number}")
        await sandbox.deliveries.settled(30)
        assert {delivery.state for delivery in sandbox.deliveries} == {DeliveryState.DELIVERED}
    per_order: dict[str, list[str]] = {}
    for webhook in receiver.received:
        per_order.setdefault(webhook.body["data"]["merchantReference"], []).append(webhook.name)
    assert per_order == {f"A-{number}": PAID for number in range(25)}


async def test_to_another_machine_nothing_is_sent(sandbox_with: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        await pay(sandbox, plexy, callback_url="https://shop.example/webhooks")
        await sandbox.deliveries.settled()
        for delivery in sandbox.deliveries:
            assert (delivery.state, delivery.attempts) == (DeliveryState.REFUSED, ())
            assert delivery.reason is not None
            assert "webhook_hosts=['shop.example']" in delivery.reason
            assert delivery.next_attempt_at is None
        with pytest.raises(ValueError, match="not this machine"):
            sandbox.deliveries.resend(delivery)


async def test_resending(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with(webhook_pauses=()) as (sandbox, plexy):
        receiver.answers = [500]
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        created, authorized = sandbox.deliveries
        assert (created.state, authorized.state) == (DeliveryState.FAILED, DeliveryState.DELIVERED)
        sandbox.deliveries.resend(created)
        sandbox.deliveries.resend(authorized.id)
        await sandbox.deliveries.settled()
        assert receiver.names == [*PAID, *PAID]
        assert [[attempt.status for attempt in delivery.attempts] for delivery in sandbox.deliveries] == [
            [500, 200],
            [200, 200],
        ]
        assert sandbox.deliveries.find(created.id) == next(iter(sandbox.deliveries))
        with pytest.raises(ValueError, match="no such delivery"):
            sandbox.deliveries.resend("none")


async def test_what_is_resent_while_it_is_under_way_comes_again(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):

        async def resend() -> int:
            sandbox.deliveries.resend(next(iter(sandbox.deliveries)))
            return 200

        receiver.answers = [resend]
        link = await plexy.payment_links.create(**LINK)
        sandbox.pay(link.id, card="4111111111111111", otp="pending")
        await sandbox.deliveries.settled()
        assert receiver.names == ["transaction.created"] * 2


async def test_what_is_pending_goes_on_after_a_restart(
    sandbox_with: Any, receiver: Any, tmp_path: Path
) -> None:
    path = tmp_path / "sandbox.db"
    receiver.answers = [500, forever]
    async with sandbox_with(database=path) as (sandbox, plexy):
        await pay(sandbox, plexy)
        sandbox.clock.advance(hours=24)
        async with asyncio.timeout(20):
            while len(receiver.received) < 2:
                await asyncio.sleep(0.01)
        assert [len(delivery.attempts) for delivery in sandbox.deliveries][:2] == [1, 0]
    async with sandbox_with(database=path, webhook_url=None, webhook_ports=["*"]) as (sandbox, _):
        await sandbox.deliveries.settled()
        assert {delivery.state for delivery in sandbox.deliveries} == {DeliveryState.DELIVERED}
        assert receiver.names.count("transaction.created") == 2
        assert receiver.names.count("transaction.authorized") == 2
        assert receiver.names.count("transaction.charged") == 1


async def test_the_stop_leaves_no_task_however_long_a_receiver_takes(
    sandbox_with: Any, receiver: Any
) -> None:
    receiver.answers = [forever] * 5
    before = asyncio.all_tasks()
    async with sandbox_with() as (sandbox, plexy):
        for _ in range(5):
            await pay(sandbox, plexy)
        async with asyncio.timeout(20):
            while len(receiver.received) < 5:
                await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError, match="still under way after"):
            await sandbox.deliveries.settled(0.01)
        waiting = asyncio.ensure_future(sandbox.deliveries.settled())
        await asyncio.sleep(0)
    with pytest.raises(ConfigurationError, match="stopped"):
        await waiting
    # What else is left is the receiver's: it has not noticed yet that nobody waits for it.
    left = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
    assert not [work for work in left if "Dispatcher" in work]


async def test_a_reset_gives_up_what_is_under_way(sandbox_with: Any, receiver: Any) -> None:
    receiver.answers = [forever]
    async with sandbox_with() as (sandbox, plexy):
        await pay(sandbox, plexy)
        async with asyncio.timeout(20):
            while not receiver.received:
                await asyncio.sleep(0.01)
        sandbox.reset()
        assert len(sandbox.deliveries) == 0
        receiver.received.clear()
        await pay(sandbox, plexy)
        await sandbox.deliveries.settled()
        assert receiver.names == PAID
        assert [len(delivery.attempts) for delivery in sandbox.deliveries] == [1, 1]


async def test_any_thread_can_wait_and_look(sandbox_with: Any, receiver: Any) -> None:
    async with sandbox_with() as (sandbox, plexy):
        await pay(sandbox, plexy)
        with pytest.raises(ConfigurationError, match="runs in this thread"):
            sandbox.deliveries.wait_settled()
        failures: list[BaseException] = []

        def look() -> None:
            try:
                sandbox.deliveries.wait_settled()
                assert receiver.names == PAID
                sandbox.clock.advance(hours=1)
                asyncio.run(sandbox.deliveries.settled())
                assert receiver.names == [*PAID, "transaction.charged"]
                assert [delivery.event for delivery in sandbox.deliveries] == receiver.names
                for delivery in sandbox.deliveries:
                    assert delivery.payload["name"] == delivery.event
                    sandbox.deliveries.resend(delivery)
                sandbox.deliveries.wait_settled()
            except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=look)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert failures == []
        assert len(receiver.received) == 6


async def test_a_change_that_is_undone_is_not_told(
    sandbox_with: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sandbox_with() as (sandbox, plexy):
        link = await plexy.payment_links.create(**LINK)
        monkeypatch.setattr(
            "plexypay_async.sandbox.state.links.LinkStore.set_status",
            lambda *_: (_ for _ in ()).throw(OSError),
        )
        with pytest.raises(OSError):  # noqa: PT011 - it has no message
            sandbox.pay(link.id)
        await sandbox.deliveries.settled()
        assert (sandbox.transactions(), len(sandbox.deliveries), receiver.received) == ([], 0, [])


async def test_without_an_address_nothing_is_kept(ask: Any, sandbox: Sandbox) -> None:
    link = (await ask("POST", LINKS, LINK)).body
    sandbox.pay(link["id"])
    await ask("POST", ORDERS, {"amount": 1, "currency": "KZT"})
    await sandbox.deliveries.settled()
    assert list(sandbox.deliveries) == []


async def test_a_sandbox_that_is_not_running() -> None:
    deliveries = Sandbox().deliveries
    for use in (lambda: list(deliveries), lambda: len(deliveries), deliveries.wait_settled):
        with pytest.raises(ConfigurationError, match="not running"):
            use()
    with pytest.raises(ConfigurationError, match="not running"):
        await deliveries.settled()


async def test_the_admin_paths(sandbox_with: Any, receiver: Any, session: aiohttp.ClientSession) -> None:
    receiver.answers = [500]
    async with sandbox_with(webhook_pauses=()) as (sandbox, plexy):

        async def ask(method: str, path: str) -> tuple[int, Any]:
            async with session.request(method, f"{sandbox.base_url}/_sandbox/deliveries{path}") as response:
                return response.status, await response.json()

        await pay(sandbox, plexy)
        await pay(sandbox, plexy, callback_url="ftp://localhost/")
        assert await ask("POST", "/settle") == (200, {})
        status, page = await ask("GET", "?size=3")
        assert (status, page["page"], page["size"], page["total"]) == (200, 1, 3, 4)
        refused, _, authorized = page["data"]
        assert (refused["state"], refused["attempts"]) == ("refused", [])
        assert refused["reason"] == "expected an http or https address, got 'ftp://localhost/'"
        assert authorized["payload"] == receiver.received[1].body
        assert [attempt["status"] for attempt in authorized["attempts"]] == [200]
        (created,) = (await ask("GET", "?page=4&size=1"))[1]["data"]
        assert (created["event"], created["state"]) == ("transaction.created", "failed")
        status, resent = await ask("POST", f"/{created['id']}/resend")
        assert (status, resent["state"]) == (200, "pending")
        assert await ask("POST", "/settle") == (200, {})
        assert (await ask("GET", "?page=4&size=1"))[1]["data"][0]["state"] == "delivered"
        assert (await ask("POST", f"/{refused['id']}/resend"))[0] == 422
        assert (await ask("POST", "/none/resend"))[0] == 404


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two names lead to this machine."""
    real = socket.getaddrinfo

    def find(host: Any, *arguments: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host in ("evil.example", "shop.internal") else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", find)


async def test_a_link_reaches_no_port_of_this_machine_that_was_not_allowed(
    looked_up: None,
) -> None:
    arrived: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read(1))
        writer.close()

    async with (
        await asyncio.start_server(take, "127.0.0.1", 0) as database,
        Sandbox(webhook_hosts=["*"]) as sandbox,
        AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy,
    ):
        port = database.sockets[0].getsockname()[1]
        # By its addresses and by names that lead here, of which only a look-up knows.
        for host in ("127.0.0.1", "localhost", "[::ffff:7f00:1]", "0.0.0.0", "evil.example"):
            await pay(sandbox, plexy, callback_url=f"http://{host}:{port}/")
        await sandbox.deliveries.settled()
        for sent in sandbox.deliveries:
            told = sent.reason or str(sent.attempts[-1].error)
            assert f"port {port} of this machine is not open to webhooks; allow it with webhook_ports" in told
        assert len(sandbox.deliveries) == 10
        # Not even to steer the sandbox.
        await pay(sandbox, plexy, callback_url=f"{sandbox.base_url}/_sandbox/reset")
        assert [sent.reason for sent in sandbox.deliveries][-1] == (
            f"port {sandbox.base_url.rpartition(':')[2]} of this machine is the sandbox itself"
        )
    assert arrived == []


@pytest.mark.parametrize("ports", [["*"], "its own"])
async def test_a_port_that_is_allowed(sandbox_with: Any, receiver: Any, ports: Any) -> None:
    if ports == "its own":
        ports = [int(receiver.base_url.rpartition(":")[2])]
    async with sandbox_with(webhook_url=None, webhook_ports=ports) as (sandbox, plexy):
        await pay(sandbox, plexy, callback_url=receiver.url)
        await sandbox.deliveries.settled()
    assert receiver.names == PAID


async def test_a_host_that_was_named_is_taken_at_its_name(
    sandbox_with: Any, receiver: Any, looked_up: None
) -> None:
    url = receiver.url.replace("127.0.0.1", "shop.internal")
    async with sandbox_with(webhook_url=None, webhook_hosts=["shop.internal"]) as (sandbox, plexy):
        await pay(sandbox, plexy, callback_url=url)
        await sandbox.deliveries.settled()
    assert receiver.names == PAID
