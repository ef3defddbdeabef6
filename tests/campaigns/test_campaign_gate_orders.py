"""Orders of digital goods through every fault: none charged twice, none lost, each unknown one settled.

``python -m pytest tests/campaigns -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import attrs
import pytest

from plexypay_async import AsyncPlexyGate, Outcome, PlexyPayError, RetryPolicy
from plexypay_async.gate import Order

from .gate_ledger import AGENT, KINDS, PRICE, GateLedger, befalling
from .lossy_proxy import lossy_proxy

KEY = "gate_0123456789abcdef0123456789abcdef"
SHARE = 0.1
READ_TIMEOUT = 0.2
PRODUCT = 101
SHORT = RetryPolicy(max_attempts=3, base=0.005, cap=0.05)
MOST_QUESTIONS = 50
"""So often an order of an unknown outcome is asked for again, with its key."""


@attrs.define
class Told:
    """What became of one order, by what the client was told."""

    marker: str
    order: Order | None = None
    unknown: list[PlexyPayError] = attrs.field(factory=list[PlexyPayError])
    """Errors that leave it open."""
    lies: list[str] = attrs.field(factory=list[str])


async def _ordered(gate: AsyncPlexyGate, ledger: GateLedger, told: Told) -> None:
    """Order once; ask again with the error's key for as long as it is not known what became of it."""
    key: str | None = None
    for _ in range(MOST_QUESTIONS):
        try:
            told.order = await gate.orders.create(
                product_id=PRODUCT, external_ref=told.marker, idempotency_key=key
            )
        except PlexyPayError as error:
            done = ledger.record.done[told.marker]
            if error.idempotency_key is None or (key is not None and error.idempotency_key != key):
                told.lies.append(f"the key is {error.idempotency_key}: {error}")
                return
            if key is None and error.outcome in (Outcome.NOT_SENT, Outcome.REJECTED) and done:
                told.lies.append(f"{error.outcome}, and it was done: {error}")
            if error.outcome is Outcome.DONE and not done:
                told.lies.append(f"done, and it was not: {error}")
            if error.outcome is Outcome.UNKNOWN:
                told.unknown.append(error)
                if error.idempotency_key not in str(error):
                    told.lies.append(f"the message names no key: {error}")
            key = error.idempotency_key
        else:
            return


async def _campaign(orders: int, concurrency: int, seed: int) -> None:
    began = time.perf_counter()
    ledger = GateLedger()
    all_told = [Told(f"INV-{number}") for number in range(orders)]
    waiting: Iterator[Told] = iter(all_told)
    async with lossy_proxy(ledger, befalling(SHARE, READ_TIMEOUT), seed) as proxy:
        async with AsyncPlexyGate(
            KEY, agent_id=AGENT, base_url=proxy.base_url, read_timeout=READ_TIMEOUT, timeout=3.0, retry=SHORT
        ) as gate:

            async def work() -> None:
                for told in waiting:
                    await _ordered(gate, ledger, told)

            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(work())
        await proxy.settled()

    unknown = [told for told in all_told if told.unknown]
    lost = [told for told in all_told if told.order is None]
    twice = [marker for marker, charged in ledger.charged.items() if charged != PRICE]
    wrong = [told for told in all_told if told.order is not None and not _is_its_own(told, ledger)]
    lies = [f"{told.marker}: {lie}" for told in all_told for lie in told.lies]
    met = Counter(kind for kind in KINDS for fate in proxy.befallen if fate.startswith(kind))
    print(
        f"\n{orders} orders in {time.perf_counter() - began:.1f} s, seed {seed}: {len(twice)} charged twice, "
        f"{len(lost)} lost, {len(wrong)} wrong; {len(unknown)} unknown by a call, each settled with its key"
    )
    for fate, count in sorted(proxy.befallen.items()):
        print(f"  {count:6} {fate}")
    for marker in [*twice[:2], *[told.marker for told in lost[:2]]]:
        print(f"{marker}: {ledger.record.history.get(marker)}")
    assert set(met) == set(KINDS)
    assert unknown
    assert not lies, lies[:5]
    assert (len(twice), len(lost), len(wrong)) == (0, 0, 0)
    assert sum(ledger.charged.values()) == orders * PRICE


def _is_its_own(told: Told, ledger: GateLedger) -> bool:
    order = told.order
    assert order is not None
    kept = ledger.orders.get(str(order.idempotency_key))
    return kept is not None and (order.id, order.external_ref) == (kept["id"], told.marker)


@pytest.mark.asyncio
async def test_no_order_is_lost_or_charged_twice() -> None:
    await _campaign(120, 60, seed=22)


@pytest.mark.campaign
@pytest.mark.asyncio
async def test_none_of_five_thousand_orders_is_lost_or_charged_twice() -> None:
    await _campaign(5_000, 200, seed=random.randrange(2**32))
