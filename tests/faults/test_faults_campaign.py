"""Many creates against a server that misbehaves in every tenth: each order has one link in the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from plexypay_async import AsyncPlexyPay, PaymentLink, RetryPolicy
from plexypay_async.sandbox import Fault, Sandbox

CREATE = "payment_links.create"
CONCURRENCY = 100


async def _campaign(orders: int, *faults: str) -> None:
    began = time.perf_counter()
    struck = [Fault.parse(f"{fault},operation={CREATE}") for fault in faults]
    async with (
        Sandbox(seed=7) as sandbox,
        AsyncPlexyPay(
            # Where two of five attempts do nothing, eight in a row do so once in 1500 calls.
            sandbox.api_key,
            base_url=sandbox.base_url,
            retry=RetryPolicy(max_attempts=20, base=0.005, cap=0.05),
        ) as plexy,
    ):
        numbers = [sandbox.faults.add(fault).id or 0 for fault in struck]
        waiting = iter(range(orders))
        made: list[PaymentLink] = []

        async def work() -> None:
            for number in waiting:
                link = await plexy.payment_links.create(
                    amount=100 + number, currency="KZT", order_reference=f"ORD-{number}"
                )
                made.append(link)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())
        took = time.perf_counter() - began
        stored = sandbox.payment_links()
        strikes = [sandbox.faults.struck(number) for number in numbers]
        sent = sandbox.requests.count(CREATE)
        looked_up = sandbox.requests.count("payment_links.retrieve_by_order_reference")

    assert len(made) == orders
    assert {link.order_reference: link.amount for link in made} == {
        f"ORD-{n}": 100 + n for n in range(orders)
    }
    times = Counter(each["orderReference"] for each in stored)
    assert len(stored) == orders
    assert set(times.values()) == {1}
    assert {each["id"] for each in stored} == {link.id for link in made}
    assert all(strikes)
    assert looked_up >= sum(strikes[1:])
    print(
        f"{orders} orders in {took:.1f} s ({orders / took:.0f}/s): {sent} sent, {looked_up} look-ups, "
        + ", ".join(f"{count} x {fault}" for fault, count in zip(faults, strikes, strict=True))
    )


FAULTS = ("code=1,rate=0.05", "code=2,work=random,rate=0.05", "cut=after,rate=0.05")


@pytest.mark.asyncio
async def test_three_hundred_orders_with_faults_are_three_hundred_links() -> None:
    await _campaign(300, *FAULTS)


@pytest.mark.asyncio
async def test_half_of_all_answers_lost() -> None:
    await _campaign(
        200, "code=1,rate=0.1", "code=2,work=random,rate=0.2", "cut=body,rate=0.1", "cut=before,rate=0.2"
    )


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_ten_thousand_orders_with_faults_are_ten_thousand_links() -> None:
    await _campaign(10_000, *FAULTS)


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_ten_thousand_orders_with_every_kind_of_cut_are_ten_thousand_links() -> None:
    await _campaign(
        10_000,
        "code=1,rate=0.05",
        "code=2,work=random,rate=0.05",
        "cut=before,rate=0.05",
        "cut=after,rate=0.05",
    )
