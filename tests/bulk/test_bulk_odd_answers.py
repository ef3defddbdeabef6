"""Answers with odd fields settle their rows, also where a decisive field beside id and url is odd."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from plexypay_async import BulkResult, CreatePaymentLink, Outcome, UnreadableResponseError
from plexypay_async.bulk.journal import Journal
from plexypay_async.bulk.journal_format import State
from plexypay_async.cli.command import main
from plexypay_sync import BulkResult as SyncBulkResult
from plexypay_sync import PlexyPay

from .rows import QUICK, a_client, rows

pytestmark = pytest.mark.asyncio

Change = Callable[[dict[str, Any]], dict[str, Any]]

DESCRIPTIVE: list[Change] = [
    lambda link: {**link, "updatedAt": "", "metadata": []},
    lambda link: {**link, "createdAt": 1741824000, "expiresAt": "2025-03-01t12:00:60z", "createdBy": {}},
    lambda link: {**link, "amount": str(link["amount"]), "id": {"Value": link["id"]}, "customerId": 5},
]
DECISIVE: Change = lambda link: {**link, "amount": "abc"}  # noqa: E731


class Server:
    """Creates links, and shows each in the form that `changes` gives it."""

    api_key = "pr_0123456789abcdef0123456789abcdef"
    base_url = ""
    write: Callable[[Any], str] = staticmethod(json.dumps)

    def __init__(self, changes: list[Change]) -> None:
        self.changes = changes
        self.links: list[dict[str, Any]] = []
        self.requests: list[str] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.method)
        if request.method == "POST":
            body = orjson.loads(await request.read())
            number = len(self.links)
            self.links.append(
                {"id": f"pl_{number}", "status": "active", "url": f"https://pay/{number}", **body}
            )
            return self._shown(self.links[-1], 201)
        name = request.path.rpartition("/")[2]
        for link in self.links:
            if name in (link["id"], link["orderReference"]):
                return self._shown(link, 200)
        return web.json_response({"code": 4, "message": "no", "type": "apiError"}, status=404)

    def _shown(self, link: dict[str, Any], status: int) -> web.Response:
        number = int(link["orderReference"].rpartition("-")[2])
        return web.json_response(
            self.changes[number % len(self.changes)](link), status=status, dumps=self.write
        )


@asynccontextmanager
async def serving(*changes: Change) -> AsyncIterator[Server]:
    server = Server(list(changes))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    server.base_url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def run(server: Server, journal: Path | None, count: int = 3) -> list[BulkResult]:
    async with a_client(server) as plexy:
        job = plexy.payment_links.create_many(rows(count), journal=journal, ordered=True)
        return [result async for result in job]


async def test_rows_with_odd_fields_settle_and_come_from_the_journal_in_the_next_run(tmp_path: Path) -> None:
    async with serving(*DESCRIPTIVE) as server:
        first = await run(server, tmp_path / "j")
        assert server.requests == ["POST"] * 3
        again = await run(server, tmp_path / "j")
        assert server.requests == ["POST"] * 3

    assert [result.error for result in first + again] == [None] * 6
    assert [result.link for result in again] == [result.link for result in first]
    assert [result.link and result.link.amount for result in first] == [1, 2, 3]
    assert sorted(str(result.link_id) for result in first) == ["pl_0", "pl_1", "pl_2"]
    assert all(result.from_journal for result in again)


async def test_so_it_is_on_the_sync_facade(tmp_path: Path) -> None:
    def run_three_times() -> list[list[SyncBulkResult]]:
        with PlexyPay(Server.api_key, base_url=server.base_url, retry=QUICK, timeout=10) as plexy:
            job = plexy.payment_links.create_many
            return [list(job(rows(3), journal=tmp_path / "j", ordered=True)) for _ in range(3)]

    async with serving(*DESCRIPTIVE) as server:
        first, *others = await asyncio.to_thread(run_three_times)

    # Runs 2 and 3 have sent nothing.
    assert server.requests == ["POST"] * 3
    assert [(row.link_id, row.url, row.link and row.link.amount) for row in first] == [
        ("pl_0", "https://pay/0", 1),
        ("pl_1", "https://pay/1", 2),
        ("pl_2", "https://pay/2", 3),
    ]
    for again in others:
        assert [row.link for row in again] == [row.link for row in first]
        assert all(row.from_journal and row.error is None for row in again)


@pytest.mark.parametrize("journalled", [False, True])
async def test_a_row_whose_amount_cannot_be_read_is_told_with_its_link(
    journalled: bool, tmp_path: Path
) -> None:
    journal = tmp_path / "j" if journalled else None
    async with serving(DECISIVE) as server:
        (result,) = await run(server, journal, 1)

    error = result.error
    assert isinstance(error, UnreadableResponseError)
    assert error.outcome is Outcome.DONE
    assert "amount: expected an integer" in str(error)
    assert error.raw["amount"] == "abc"
    assert (result.link, result.link_id, result.url) == (None, "pl_0", "https://pay/0")


async def test_a_row_whose_amount_cannot_be_read_is_not_unknown_in_the_next_run(tmp_path: Path) -> None:
    async with serving(DECISIVE) as server:
        await run(server, tmp_path / "j", 1)
        with Journal(tmp_path / "j") as journal:
            journal.open()
            assert journal.counts() == {State.DONE: 1}
            assert journal.any_link() == "pl_0"
        for _ in range(2):
            (again,) = await run(server, tmp_path / "j", 1)
            assert isinstance(again.error, UnreadableResponseError)
            assert again.error.outcome is Outcome.DONE
            assert (again.link_id, again.url, again.recovered) == ("pl_0", "https://pay/0", True)
        # A server that is set right meanwhile shows the link.
        server.changes = [lambda link: link]
        (mended,) = await run(server, tmp_path / "j", 1)
        assert mended.error is None
        assert mended.link is not None
        assert (mended.link.id, mended.link.amount) == ("pl_0", 1)

    assert server.requests == ["POST", "GET", "GET", "GET"]


def unescaped(link: Any) -> str:
    return json.dumps(link, ensure_ascii=False)


WRITERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "Go": ("A&B-0", lambda link: json.dumps(link).replace("&", "\\u0026")),
    "PHP": ("2026/11-0", lambda link: json.dumps(link).replace("/", "\\/")),
    "escaped": ("ЗАКАЗ-0", json.dumps),
    "unescaped": ("ЗАКАЗ-0", unescaped),
    "wrapped": (
        "ORD-0",
        lambda link: json.dumps({**link, "orderReference": {"Value": link["orderReference"], "Valid": True}}),
    ),
    "a byte order mark": ("ORD-0", lambda link: "\ufeff" + json.dumps(link)),
}


@pytest.mark.parametrize("writer", WRITERS)
async def test_a_reference_proves_the_link_however_the_server_spells_it(writer: str, tmp_path: Path) -> None:
    reference, write = WRITERS[writer]
    request = CreatePaymentLink(amount=1, currency="KZT", order_reference=reference)
    async with serving(lambda link: {**link, "status": None}) as server:
        server.write = write
        for _ in range(2):
            async with a_client(server) as plexy:
                job = plexy.payment_links.create_many([request], journal=tmp_path / "j")
                (result,) = [result async for result in job]
            assert isinstance(result.error, UnreadableResponseError)
            assert result.error.outcome is Outcome.DONE
            assert (result.link_id, result.url) == ("pl_0", "https://pay/0")

    assert server.requests == ["POST", "GET"]


async def test_an_id_that_is_hidden_in_the_error_is_the_links_in_the_journal(tmp_path: Path) -> None:
    change: Change = lambda link: {**link, "id": "4111111111111111", "amount": "abc"}  # noqa: E731
    async with serving(change) as server:
        (result,) = await run(server, tmp_path / "j", 1)
        with Journal(tmp_path / "j") as journal:
            journal.open()
            assert journal.counts() == {State.DONE: 1}
            # What was hidden in the answer was not written by the server: nothing of it is kept.
            assert journal.links() == [("ORD-0", State.DONE, {"id": "4111111111111111"})]
    assert result.link_id == "4111111111111111"
    assert "4111111111111111" not in f"{result!r} {vars(result.error)['raw']}"


async def test_the_command_writes_the_id_and_url_of_such_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, results = tmp_path / "rows.csv", tmp_path / "results.csv"
    source.write_text("amount,currency,order_reference\n1,KZT,ORD-0\n")
    monkeypatch.setenv("PLEXYPAY_API_KEY", Server.api_key)
    async with serving(DECISIVE) as server:
        arguments = ["bulk-create", str(source), "--results", str(results), "--base-url", server.base_url]
        arguments += ["--journal", str(tmp_path / "j")]
        await asyncio.to_thread(main, arguments)
    (line,) = csv.DictReader(results.read_text().splitlines())
    assert (line["outcome"], line["link_id"], line["url"]) == ("created", "pl_0", "https://pay/0")
    assert line["error"] == "UnreadableResponseError"
    assert "amount: expected an integer" in line["error_message"]
