"""A client's slots: never more at once, first come first served, and none lost to a cancellation."""

from __future__ import annotations

import asyncio
import random

import pytest

from plexypay_async._core.slots import Slots

pytestmark = pytest.mark.asyncio


async def take(slots: Slots) -> None:
    if slots.free:
        slots.free -= 1
    else:
        await slots.wait()


async def test_slots_go_to_those_who_waited_longest() -> None:
    slots = Slots(asyncio.get_running_loop(), 1)
    await take(slots)
    order: list[int] = []

    async def wait(number: int) -> None:
        await take(slots)
        order.append(number)
        slots.give()

    waiting = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0)
    slots.give()
    # One who comes now finds none free, though its owner has not woken yet.
    assert slots.free == 0
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2]
    assert slots.free == 1


async def test_a_slot_given_at_the_moment_of_a_cancellation_goes_on() -> None:
    slots = Slots(asyncio.get_running_loop(), 1)
    await take(slots)
    first, second = (asyncio.create_task(take(slots)) for _ in range(2))
    await asyncio.sleep(0)
    slots.give()
    first.cancel()
    await asyncio.wait([first, second], timeout=1)
    assert first.cancelled()
    assert second.done()
    slots.give()
    assert slots.free == 1


async def test_no_slot_is_lost_or_made_in_a_crowd_with_cancellations() -> None:
    slots = Slots(asyncio.get_running_loop(), 3)
    chance = random.Random(2026)
    under_way = most = 0

    async def work() -> None:
        nonlocal under_way, most
        await take(slots)
        try:
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(chance.random() / 1000)
        finally:
            under_way -= 1
            slots.give()

    tasks = [asyncio.create_task(work()) for _ in range(300)]
    for _ in range(100):
        await asyncio.sleep(0)
        chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert slots.free == 3
