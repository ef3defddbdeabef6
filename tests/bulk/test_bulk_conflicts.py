"""Rows whose order reference another order's link has, in jobs with a journal: they can be corrected."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import ConfigurationError, Journal, OrderReferenceConflictError
from plexypay_async.bulk.journal_format import State
from plexypay_async.errors import Outcome
from plexypay_sync import PlexyPay

from .ledger_server import Ledger, ledger
from .rows import QUICK, a_client, row, run

pytestmark = pytest.mark.asyncio

RIGHT = row(0)
WRONG = row(0, amount=700)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.journal"


def kept(path: Path) -> list[tuple[str, State, Any]]:
    with Journal(path) as journal:
        journal.open()
        return journal.links()


async def conflicting(server: Ledger, path: Path) -> None:
    """Make the link without the journal, then run a row of another amount with it."""
    server.refuse_taken = True
    async with a_client(server) as plexy:
        await run(plexy, [RIGHT])
        (result,) = await run(plexy, [WRONG], journal=path)
    assert isinstance(result.error, OrderReferenceConflictError)
    assert (result.error.outcome, result.error.link_id) == (Outcome.REJECTED, "pl_ORD-0_0")
    assert (result.link_id, result.url) == (None, None)
    assert kept(path) == [("ORD-0", State.FAILED, None)]


async def test_a_row_that_was_a_conflict_is_corrected_under_its_journal(path: Path) -> None:
    async with ledger() as server:
        await conflicting(server, path)
        creates = server.creates.total()
        async with a_client(server) as plexy:
            (found,) = await run(plexy, [RIGHT], journal=path)
            (again,) = await run(plexy, [RIGHT], journal=path)
        # The reference is known to be taken: the link is looked up, and nothing is sent blindly.
        assert server.creates.total() == creates
    assert (found.link_id, found.recovered, found.from_journal) == ("pl_ORD-0_0", True, False)
    assert (again.link_id, again.from_journal) == ("pl_ORD-0_0", True)


async def test_so_it_is_on_the_other_facade(path: Path) -> None:
    def corrected(url: str) -> list[Any]:
        with PlexyPay("key", base_url=url, retry=QUICK, timeout=10) as plexy:
            create_many = plexy.payment_links.create_many
            return [result for link in (WRONG, RIGHT) for result in create_many([link], journal=path)]

    async with ledger() as server:
        await conflicting(server, path)
        wrong, right = await asyncio.to_thread(corrected, server.base_url)
    assert isinstance(wrong.error, OrderReferenceConflictError)
    assert wrong.error.outcome is Outcome.REJECTED
    assert (right.link_id, right.recovered) == ("pl_ORD-0_0", True)


@pytest.mark.parametrize("purged", [False, True], ids=["as it is", "purged"])
async def test_it_may_be_a_conflict_as_often_as_it_is_run(path: Path, purged: bool) -> None:
    async with ledger() as server:
        await conflicting(server, path)
        creates = server.creates.total()
        async with a_client(server) as plexy:
            for amount in (700, 800, 700):
                (result,) = await run(plexy, [row(0, amount=amount)], journal=path)
                assert isinstance(result.error, OrderReferenceConflictError)
                assert kept(path) == [("ORD-0", State.FAILED, None)]
                if purged:
                    with Journal(path) as journal:
                        journal.open()
                        journal.purge()
            (found,) = await run(plexy, [RIGHT], journal=path)
        assert server.creates.total() == creates
    assert (found.link_id, found.recovered) == ("pl_ORD-0_0", True)


@pytest.mark.parametrize("status", [500, 422, 200], ids=["no answer", "refused", "not readable"])
async def test_where_the_link_cannot_be_read_nothing_is_sent_and_the_row_can_still_be_corrected(
    path: Path, status: int
) -> None:
    async with ledger() as server:
        await conflicting(server, path)
        creates = server.creates.total()
        server.found_instead = status, "{"
        async with a_client(server) as plexy:
            (unread,) = await run(plexy, [WRONG], journal=path, timeout=1.0)
        assert unread.error is not None
        assert unread.error.outcome in (Outcome.NOT_SENT, Outcome.REJECTED)
        assert kept(path) == [("ORD-0", State.FAILED, None)]
        server.found_instead = None
        async with a_client(server) as plexy:
            (found,) = await run(plexy, [RIGHT], journal=path)
        assert server.creates.total() == creates
    assert (found.link_id, found.recovered) == ("pl_ORD-0_0", True)


async def test_a_row_whose_reference_has_become_free_is_created(path: Path) -> None:
    async with ledger() as server:
        await conflicting(server, path)
        del server.links["ORD-0"]
        async with a_client(server) as plexy:
            (made,) = await run(plexy, [WRONG], journal=path)
        assert [link["amount"] for link in server.links["ORD-0"]] == [700]
    assert (made.link_id, made.recovered) == ("pl_ORD-0_0", False)
    assert [state for _, state, _ in kept(path)] == [State.DONE]


async def test_a_conflict_that_may_be_of_the_rows_own_request_stays_claimed(path: Path) -> None:
    async with ledger() as server:

        async def made_otherwise(reference: str) -> bool:
            server.links[reference][0]["amount"] = 500
            return False

        server.after = made_otherwise
        async with a_client(server) as plexy:
            (lost,) = await run(plexy, [WRONG], journal=path)
            (other,) = await run(plexy, [row(0, amount=500)], journal=path)
        assert server.creates.total() == 1
    assert isinstance(lost.error, OrderReferenceConflictError)
    assert lost.error.outcome is Outcome.UNKNOWN
    assert isinstance(other.error, ConfigurationError)
    assert "with other content" in str(other.error)
    assert kept(path) == [("ORD-0", State.CLAIMED, None)]


async def test_without_a_journal_a_conflicts_reference_may_come_again_in_the_same_job() -> None:
    async with ledger() as server:
        server.refuse_taken = True
        async with a_client(server) as plexy:
            await run(plexy, [RIGHT])
            wrong, right = await run(plexy, [WRONG, RIGHT], ordered=True, concurrency=1)
    assert isinstance(wrong.error, OrderReferenceConflictError)
    assert (right.link_id, right.recovered, right.repeats) == ("pl_ORD-0_0", True, None)
