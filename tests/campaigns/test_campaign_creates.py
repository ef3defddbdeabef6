"""Bulk creates through every fault of the wire: none lost, none twice, none wrong, none hung.

``python -m pytest tests/campaigns -m campaign -n 0 -s`` prints the figures.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from plexypay_async import AsyncPlexyPay, BulkResult, CreatePaymentLink, RetryPolicy

from .loopback_front import listening
from .recording_server import RecordingServer
from .wire_faults import WIRE_FAULTS, WireFaults

KEY = "pr_0123456789abcdef0123456789abcdef"
SILENCE = 0.25
LIMIT = 120.0
"""Seconds within which a job has ended; without faults it takes less than two."""
SEED = 16


def _row(number: int) -> CreatePaymentLink:
    return CreatePaymentLink(amount=number + 1, currency="KZT", order_reference=f"order-{number}")


async def _created(rows: int, fault: str, journal: Path | None) -> None:
    server = RecordingServer()
    results: list[BulkResult] = []
    began = time.perf_counter()
    hung = False
    async with (
        listening(WireFaults(server, fault, SEED, SILENCE)) as front,
        AsyncPlexyPay(
            KEY, base_url=front.base_url, read_timeout=SILENCE, retry=RetryPolicy(base=0.005, cap=0.05)
        ) as plexy,
    ):
        try:
            async with asyncio.timeout(LIMIT):
                source = (_row(number) for number in range(rows))
                job = plexy.payment_links.create_many(source, timeout=60, journal=journal)
                async for result in job:
                    results.append(result)  # noqa: PERF401 - what a job that hangs has given counts
        except TimeoutError:
            hung = True
        took = time.perf_counter() - began
        if journal is not None and not hung:
            again = [
                result
                async for result in plexy.payment_links.create_many(map(_row, range(rows)), journal=journal)
            ]
            results += [result for result in again if result.from_journal]

    found = {result.index for result in results if result.link is not None}
    lost = sorted(set(range(rows)) - found)
    twice = [reference for reference, made in server.record.made.items() if len(made) > 1]
    wrong = [result for result in results if result.link is not None and not _is_right(result, server)]
    ends = Counter("link" if result.error is None else type(result.error).__name__ for result in results)
    print(
        f"\n{rows} rows, {fault} ({front.struck} times), {took:.1f} s: {len(lost)} lost, {len(twice)} twice,"
        f" {len(wrong)} wrong{', hung' * hung}; {dict(ends)}"
    )
    for reference in [*(f"order-{number}" for number in lost[:2]), *twice[:2]]:
        print(f"{reference}: {server.record.history.get(reference)}")
    for result in [*wrong[:2], *[result for result in results if result.error is not None][:2]]:
        print(f"{result.request.order_reference}: {result.link or result.error}")
    assert front.struck
    assert not hung
    assert (len(lost), len(twice), len(wrong)) == (0, 0, 0)
    assert set(server.record.made) == {f"order-{number}" for number in range(rows)}


def _is_right(result: BulkResult, server: RecordingServer) -> bool:
    link, reference = result.link, str(result.request.order_reference)
    made = server.record.made.get(reference)
    return (
        link is not None
        and bool(made)
        and (link.order_reference, link.amount) == (reference, result.request.amount)
        and (link.id, link.url) == (made[0]["id"], made[0]["url"])  # type: ignore[index]
    )


@pytest.fixture(autouse=True)
def _settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    # No work here is later than its request.
    monkeypatch.setattr("plexypay_async._core.record.LATE_WORK", 0.05)


@pytest.mark.parametrize("fault", WIRE_FAULTS)
@pytest.mark.asyncio
async def test_a_hundred_creates_through_a_fault_of_the_wire(fault: str) -> None:
    await _created(100, fault, None)


@pytest.mark.parametrize("fault", [fault for fault in WIRE_FAULTS if "twice" in fault or "unasked" in fault])
@pytest.mark.asyncio
async def test_a_journal_never_keeps_the_link_of_another_row(fault: str, tmp_path: Path) -> None:
    await _created(100, fault, tmp_path / "rows.journal")


@pytest.mark.campaign
@pytest.mark.parametrize("journaled", [False, True], ids=["alone", "journal"])
@pytest.mark.parametrize("fault", WIRE_FAULTS)
@pytest.mark.asyncio
async def test_two_thousand_creates_through_a_fault_of_the_wire(
    fault: str, journaled: bool, tmp_path: Path
) -> None:
    await _created(2_000, fault, tmp_path / "rows.journal" if journaled else None)
