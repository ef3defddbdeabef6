"""Webhooks that come twice, late, out of order or not at all, on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay
from plexypay_async.sandbox import DeliveryState, Fault, Misdelivery, Sandbox

pytestmark = pytest.mark.asyncio

CREATED, AUTHORIZED, CHARGED = (f"transaction.{name}" for name in ("created", "authorized", "charged"))


@pytest_asyncio.fixture
async def sandbox(receiver: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(webhook_url=receiver.url, seed=1) as running:
        yield running


@pytest_asyncio.fixture
async def plexy(sandbox: Sandbox) -> AsyncIterator[AsyncPlexyPay]:
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as client:
        yield client


async def pay(sandbox: Sandbox, plexy: AsyncPlexyPay) -> dict[str, Any]:
    link = await plexy.payment_links.create(amount=2_200_000, currency="KZT")
    return sandbox.pay(link.id)


async def test_twice(sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any) -> None:
    fault = sandbox.faults.add(Fault(delivery=Misdelivery.TWICE, event=AUTHORIZED))
    await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    assert receiver.names == [CREATED, AUTHORIZED, AUTHORIZED]
    assert receiver.received[1].body == receiver.received[2].body
    created, authorized = sandbox.deliveries
    assert (created.fault, authorized.fault) == (None, "twice")
    assert [attempt.status for attempt in authorized.attempts] == [200, 200]
    assert sandbox.faults.struck(fault.id) == 1


async def test_the_second_time_is_tried_again_like_the_first(
    sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any
) -> None:
    sandbox.faults.add("delivery=twice,times=1")
    receiver.answers = [200, 500]
    await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    assert receiver.names == [CREATED, CREATED, AUTHORIZED]
    sandbox.clock.advance(minutes=1)
    await sandbox.deliveries.settled()
    created, _ = sandbox.deliveries
    assert created.state is DeliveryState.DELIVERED
    assert [attempt.status for attempt in created.attempts] == [200, 500, 200]


async def test_late(sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any) -> None:
    sandbox.faults.add(f"delivery=late,latency=90,event={CREATED}")
    await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    sandbox.clock.advance(seconds=80)
    await sandbox.deliveries.settled()
    assert receiver.names == [AUTHORIZED]
    late = next(iter(sandbox.deliveries))
    assert (late.state, late.fault, late.attempts) == (DeliveryState.PENDING, "late", ())
    sandbox.clock.advance(seconds=10)
    await sandbox.deliveries.settled()
    assert receiver.names == [AUTHORIZED, CREATED]
    assert receiver.received[1].body["data"]["status"] == "created"


async def test_out_of_order(sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any) -> None:
    sandbox.faults.add("delivery=reordered")
    first = await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    assert receiver.names == [AUTHORIZED, CREATED]
    assert [delivery.fault for delivery in sandbox.deliveries] == ["reordered", None]
    sandbox.clock.advance(hours=1)
    await sandbox.deliveries.settled()
    # Nothing has followed yet, of this payment.
    await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    assert receiver.names == [AUTHORIZED, CREATED] * 2
    await plexy.payments.refund(first["id"])
    await sandbox.deliveries.settled()
    assert receiver.names[4:] == ["transaction.refunded", CHARGED, "transaction.refunded"]


async def test_what_is_held_for_the_next_comes_after_a_minute(
    sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any
) -> None:
    sandbox.faults.add(f"delivery=reordered,event={AUTHORIZED}")
    await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    assert receiver.names == [CREATED]
    sandbox.clock.advance(minutes=1)
    await sandbox.deliveries.settled()
    assert receiver.names == [CREATED, AUTHORIZED]


async def test_never(sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any) -> None:
    sandbox.faults.add(f"delivery=never,event={AUTHORIZED},times=1")
    await pay(sandbox, plexy)
    await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    assert Counter(receiver.names) == {CREATED: 2, AUTHORIZED: 1}
    lost = list(sandbox.deliveries)[1]
    assert (lost.state, lost.fault, lost.attempts) == (DeliveryState.LOST, "never", ())
    # Resending is struck by no fault.
    sandbox.faults.add("delivery=never")
    sandbox.deliveries.resend(lost)
    await sandbox.deliveries.settled()
    assert Counter(receiver.names) == {CREATED: 2, AUTHORIZED: 2}
    assert list(sandbox.deliveries)[1].state is DeliveryState.DELIVERED


async def test_a_rate(sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any) -> None:
    sandbox.faults.add("delivery=never,rate=0.5")
    for _ in range(20):
        await pay(sandbox, plexy)
    await sandbox.deliveries.settled()
    lost = sum(delivery.state is DeliveryState.LOST for delivery in sandbox.deliveries)
    assert 8 < lost < 32
    assert len(receiver.received) == 40 - lost


async def test_faults_of_requests_do_not_strike_webhooks_nor_the_reverse(
    sandbox: Sandbox, plexy: AsyncPlexyPay, receiver: Any
) -> None:
    never = sandbox.faults.add("delivery=never")
    link = await plexy.payment_links.create(amount=100, currency="KZT")
    assert sandbox.faults.struck(never.id) == 0
    sandbox.faults.clear()
    error = sandbox.faults.add("code=1")
    sandbox.pay(link.id)
    await sandbox.deliveries.settled()
    assert receiver.names == [CREATED, AUTHORIZED]
    assert sandbox.faults.struck(error.id) == 0
