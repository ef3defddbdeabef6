"""Rows that repeat an earlier one of the job, and references that an earlier version has sent otherwise."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

from plexypay_async import AsyncPlexyPay, BulkResult, CreatePaymentLink
from plexypay_async.api.identities import StoredIdentity
from plexypay_async.bulk import earlier_rows
from plexypay_async.bulk.journal_format import State
from plexypay_async.sandbox import Sandbox

from .ledger_server import ledger
from .rows import CREATE, a_client, row, rows, run

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "july.journal"


def repeats(results: Iterable[BulkResult]) -> dict[int, int]:
    return {result.index: result.repeats for result in results if result.repeats is not None}


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("apart", [0, 300], ids=["in the same batch", "in another batch"])
async def test_a_result_says_which_row_it_repeats(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path, apart: int, ordered: bool
) -> None:
    links = [*rows(1), *rows(apart, 1), row(0), row(0)]
    wanted = {apart + 1: 0, apart + 2: 0}

    assert repeats(await run(plexy, links, journal=path, ordered=ordered)) == wanted

    # In another order, with what the journal knows of the first run.
    assert repeats(await run(plexy, links, journal=path, ordered=ordered)) == wanted
    shifted = [row(500), row(501), *links]
    assert repeats(await run(plexy, shifted, journal=path)) == {
        index + 2: first + 2 for index, first in wanted.items()
    }
    assert repeats(await run(plexy, rows(apart + 1), journal=path)) == {}
    assert sandbox.requests.count(CREATE) == apart + 3


async def test_a_row_with_other_content_repeats_none(plexy: AsyncPlexyPay, path: Path) -> None:
    await run(plexy, [row(0)], journal=path)
    # Far apart, so that each is claimed by itself.
    links = [row(0, amount=9), *rows(100, 1), row(0), *rows(100, 101), row(0)]

    results = {result.index: result for result in await run(plexy, links, journal=path)}

    assert results[0].error is not None
    assert repeats(results.values()) == {202: 101}


async def test_a_row_that_was_corrected_repeats_none(
    sandbox: Sandbox, plexy: AsyncPlexyPay, path: Path
) -> None:
    await run(plexy, [row(500)], journal=path)
    sandbox.faults.add(f"code=5,times=1,operation={CREATE}")
    wrong, right = row(0, amount=9), row(0)
    links = [wrong, *rows(100, 1), right, *rows(100, 101), right]

    results = {result.index: result for result in await run(plexy, links, journal=path, concurrency=1)}

    assert results[0].error is not None
    assert repeats(results.values()) == {202: 101}


async def test_without_room_for_a_temporary_database_the_job_goes_on(
    plexy: AsyncPlexyPay, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(plexy, [row(0)], journal=path)
    monkeypatch.setattr(earlier_rows, "_SCHEMA", "no statement")

    results = await run(plexy, rows(200), journal=path)

    assert [result.error for result in results] == [None] * 200


# --------------------------------------------------------------------- references of an earlier version

OLDER = {
    "ORD-0": ["ORD\u200b-0", "\ufeffORD-0", "ORD-0\n", " ORD-0", "'ORD-0", '="ORD-0"', '\'="ORD-0"'],
    "Зака\u0437-й": [unicodedata.normalize("NFD", "Заказ-й")],
}


def set_state(path: Path, state: State) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE links SET state = ?, answer = NULL, link = NULL, seal = NULL", (state,))


def sent_by_an_earlier_version(reference: str) -> CreatePaymentLink:
    return row(0, order_reference=StoredIdentity(reference))


@pytest.mark.parametrize(
    ("today", "older"), [(today, each) for today, olders in OLDER.items() for each in olders], ids=ascii
)
@pytest.mark.parametrize("state", [State.DONE, State.CLAIMED])
async def test_its_link_is_found_and_not_made_again(path: Path, today: str, older: str, state: State) -> None:
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, [sent_by_an_earlier_version(older)], journal=path)
        assert list(server.links) == [older]
        if state is State.CLAIMED:
            set_state(path, state)

        for _ in range(2):
            (result,) = await run(plexy, [row(0, order_reference=today)], journal=path)
            assert result.link is not None
            assert result.link.order_reference == older
            assert result.recovered
        assert server.creates.total() == 1


async def test_with_other_content_it_is_refused(path: Path) -> None:
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, [sent_by_an_earlier_version("'ORD-0")], journal=path)

        (result,) = await run(plexy, [row(0, amount=9)], journal=path)

        assert "with other content" in str(result.error)
        assert server.creates.total() == 1


async def test_what_failed_is_sent_in_the_form_of_today(path: Path) -> None:
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, [sent_by_an_earlier_version("'ORD-0")], journal=path)
        server.links.clear()
        set_state(path, State.FAILED)

        (result,) = await run(plexy, [row(0)], journal=path)

        assert result.link is not None
        assert list(server.links) == ["ORD-0"]


async def test_a_reference_that_is_known_itself_comes_first(path: Path) -> None:
    async with ledger() as server, a_client(server) as plexy:
        await run(plexy, [sent_by_an_earlier_version("'ORD-0"), row(0)], journal=path)

        (result,) = await run(plexy, [row(0)], journal=path)

        assert result.link is not None
        assert result.link.order_reference == "ORD-0"
        assert server.creates == {"'ORD-0": 1, "ORD-0": 1}


async def test_the_look_up_is_proved_by_a_reference_as_the_server_has_it() -> None:
    async def fail(reference: str) -> bool:
        if server.creates[reference] == 1:
            raise web.HTTPBadGateway
        return True

    async with ledger() as server, a_client(server) as plexy:
        older = {
            "id": "pl_1",
            "amount": 1,
            "currency": "KZT",
            "status": "active",
            "url": "https://pay.example",
        }
        server.links["ORD\u200b-7 "] = [{**older, "orderReference": "ORD\u200b-7 "}]
        server.before = fail

        (result,) = await run(plexy, [row(0)])

        assert result.link is not None
        assert server.look_ups["ORD\u200b-7 "] == 1
