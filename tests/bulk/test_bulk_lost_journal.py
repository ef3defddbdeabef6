"""A journal that is removed or replaced while a job is using it, and references that exist already."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from plexypay_async import ConfigurationError, CreatePaymentLink, Journal, OrderReferenceConflictError
from plexypay_async.bulk.journal_format import State
from plexypay_async.errors import UnprocessableError

from .ledger_server import Ledger, ledger
from .rows import a_client, row, rows, run, run_to_error

pytestmark = pytest.mark.asyncio


def remove(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def replace(path: Path) -> None:
    other = path.with_name("another")
    with Journal(other) as journal:
        journal.open()
    os.replace(other, path)


def remove_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remove, "orders.journal was removed"),
        (replace, "orders.journal was replaced by another"),
        (remove_log, "orders.journal-wal was removed"),
    ],
)
async def test_a_job_stops_where_its_journal_goes_away(
    tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / "orders.journal"

    async def until_gone() -> AsyncIterator[CreatePaymentLink]:
        for number in range(1000):
            if number == 500:
                change(path)
            yield row(number)
            await asyncio.sleep(0)

    async with ledger() as server, a_client(server) as plexy:
        results, error = await run_to_error(plexy, until_gone(), journal=path, concurrency=8)
        made = set(server.links)
    assert isinstance(error, ConfigurationError)
    assert told in str(error)
    # What was made is told, and what was not sent is told as that.
    assert {result.request.order_reference for result in results if result.link is not None} == made
    assert len(made) < 600
    assert all(result.error is not None for result in results if result.link is None)


async def test_a_journal_that_goes_away_at_the_very_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"

    async def then_gone() -> AsyncIterator[CreatePaymentLink]:
        for number in range(5):
            yield row(number)
        await asyncio.sleep(0.5)
        remove(path)

    async with ledger() as server, a_client(server) as plexy:
        results, error = await run_to_error(plexy, then_gone(), journal=path)
    assert isinstance(error, ConfigurationError)
    assert "orders.journal was removed" in str(error)
    assert len([result for result in results if result.link is not None]) == 5


async def test_a_change_of_folder_keeps_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    async def moving() -> AsyncIterator[CreatePaymentLink]:
        yield row(0)
        monkeypatch.chdir(tmp_path / "elsewhere")
        for number in range(1, 200):
            yield row(number)

    async with ledger() as server, a_client(server) as plexy:
        results, error = await run_to_error(plexy, moving(), journal="orders.journal")
    assert error is None
    assert len(results) == 200


# ------------------------------------------------------------------------------- references that exist


def refusing(server: Ledger) -> Ledger:
    server.refuse_taken = True
    return server


async def test_the_next_run_finds_the_links_that_a_lost_journal_knew(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    async with ledger() as server, a_client(refusing(server)) as plexy:
        before = await run(plexy, rows(300), journal=path)
        remove(path)
        results = await run(plexy, rows(320), journal=path)
        creates = server.creates.total()
        again = await run(plexy, rows(320), journal=path)
        assert server.creates.total() == creates
    assert [result.link for result in results if result.error is not None] == []
    assert len([result for result in results if result.recovered]) == 300
    links = {result.index: result.link for result in results}
    for result in before:
        assert result.link == links[result.index]
    assert all(result.from_journal for result in again)
    assert server.twice == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"amount": 999}, "already belongs to pl_ORD-1_0, 999 KZT"),
        ({"currency": "USD"}, "2 USD"),
        ({"status": "cancelled"}, "status 'cancelled'"),
    ],
)
async def test_a_link_of_another_amount_is_a_conflict(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = tmp_path / "orders.journal"
    async with ledger() as server, a_client(refusing(server)) as plexy:
        await run(plexy, rows(2))
        server.links["ORD-1"][0].update(change)
        first, second = sorted(await run(plexy, rows(2), journal=path), key=lambda result: result.index)
    assert first.recovered
    assert isinstance(second.error, OrderReferenceConflictError)
    assert told in str(second.error)
    with Journal(path) as journal:
        journal.open()
        # Nothing was made for it, so it may be corrected; the next run looks it up first.
        assert {reference: state for reference, state, _ in journal.links()} == {
            "ORD-0": State.DONE,
            "ORD-1": State.FAILED,
        }


async def test_a_refusal_for_another_reason_stands(tmp_path: Path) -> None:
    async with ledger() as server, a_client(refusing(server)) as plexy:
        # A reference that is refused, and that no link has.
        server.links["ORD-0"] = []
        (result,) = await run(plexy, rows(1), journal=tmp_path / "orders.journal")
        assert server.look_ups["ORD-0"] == 1
    assert isinstance(result.error, UnprocessableError)
