"""The answer of another request: what an answer names is compared with what was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    CreatePaymentLink,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    UnreadableResponseError,
)

from .scripted import (
    BY_REFERENCE,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    SHORT,
    Answer,
    Script,
    Seen,
    Server,
    Step,
    link,
    scripted,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)


class Ledger:
    """Links as a server keeps them."""

    def __init__(self) -> None:
        self.links: dict[str, dict[str, Any]] = {}
        self.creates = 0

    def create(self, seen: Seen) -> Answer:
        self.creates += 1
        reference = seen.json["orderReference"]
        if reference in self.links:
            return Answer(422, {"code": 5, "message": "exists", "type": "apiError"})
        made = link(
            reference, id=f"pl_{reference}", amount=seen.json["amount"], url=f"https://pay/{reference}"
        )
        self.links[reference] = made
        return Answer(201, made)

    def one(self, seen: Seen) -> Answer:
        """A link by its reference or by its id; a cancel and a new time change it."""
        reference = seen.path.rpartition("/")[2].removeprefix("pl_")
        found = self.links.get(reference)
        if found is None:
            return NOT_FOUND
        if seen.method == "DELETE":
            found["status"] = "cancelled"
        return Answer(200, found)

    def page(self, seen: Seen) -> Answer:
        query = dict(pair.split("=") for pair in seen.query.split("&"))
        number, size = int(query["page"]), int(query["size"])
        items = list(self.links.values())
        shown = items[(number - 1) * size : number * size]
        return Answer(200, {"data": shown, "page": number, "size": size, "total": len(items)})

    @property
    def script(self) -> Script:
        return Script({POST: self.create, f"GET {LINKS}": self.page, f"* {LINKS}/*": self.one})


class Repeating(Server):
    """A server behind a proxy that sends each answer twice, the second time a little later."""

    def __init__(self, script: Script, late: float) -> None:
        super().__init__(script)
        self._late = late

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        goes_on = await super()._play(step, reader, writer)
        if isinstance(step, Answer):
            content = step.head(len(step.content)) + step.content
            asyncio.get_running_loop().call_later(self._late, self._again, writer, content)
        return goes_on

    @staticmethod
    def _again(writer: asyncio.StreamWriter, content: bytes) -> None:
        if not writer.is_closing():
            writer.write(content)


@asynccontextmanager
async def repeating(late: float, **options: Any) -> AsyncGenerator[tuple[AsyncPlexyPay, Ledger, Server]]:
    ledger = Ledger()
    server = Repeating(ledger.script, late)
    await server.listen()
    try:
        options = {"retry": SHORT, "timeout": 30.0, **options}
        async with AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy:
            yield plexy, ledger, server
    finally:
        await server.close()


def rows(count: int) -> list[CreatePaymentLink]:
    return [
        CreatePaymentLink(amount=1000 + number, currency="KZT", order_reference=f"ORD-{number}")
        for number in range(count)
    ]


LATE = [0.0, 0.001, 0.004]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("together", [1, 8])
async def test_a_create_never_returns_its_neighbours_link(late: float, together: int) -> None:
    async with repeating(late, max_connections=together) as (plexy, ledger, server):

        async def create(number: int) -> None:
            try:
                made = await plexy.payment_links.create(
                    amount=1000 + number, currency="KZT", order_reference=f"ORD-{number}"
                )
            except OutcomeUnknownError:
                # Each connection of the pool may have a neighbour's answer on its way, for the look-up too.
                assert together > 1
                return
            assert made.order_reference == f"ORD-{number}"
            assert made.url == f"https://pay/ORD-{number}"
            assert made.amount == 1000 + number

        for start in range(0, 40, together):
            await asyncio.gather(*(create(start + n) for n in range(together)))
        assert len(ledger.links) == ledger.creates == 40
        # A connection on which a neighbour's answer came is not used again. With others under way, on a busy
        # machine, each may have come before its connection was wanted.
        assert server.script.connections > together or together > 1


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("journal", [True, False], ids=["journal", "no journal"])
async def test_each_row_of_a_job_has_its_own_link(late: float, journal: bool, tmp_path: Path) -> None:
    path = tmp_path / "rows.journal" if journal else None
    async with repeating(late) as (plexy, ledger, _):
        results = [
            r
            async for r in plexy.payment_links.create_many(rows(200), journal=path, timeout=60, concurrency=1)
        ]
        assert sorted(result.index for result in results) == list(range(200))
        for result in results:
            assert result.error is None
            assert result.link is not None
            assert result.link.order_reference == result.request.order_reference
            assert result.link.url == f"https://pay/{result.request.order_reference}"
            assert result.link.amount == result.request.amount
        assert len(ledger.links) == 200
        if path is not None:
            again = [r async for r in plexy.payment_links.create_many(rows(200), journal=path)]
            for result in again:
                assert result.link is not None
                assert result.from_journal
                assert result.link.url == f"https://pay/{result.request.order_reference}"


@pytest.mark.parametrize("late", LATE)
async def test_reads_and_cancels_are_their_own(late: float) -> None:
    async with repeating(late, max_connections=1) as (plexy, ledger, _):
        ledger.links.update({f"R-{n}": link(f"R-{n}", id=f"pl_R-{n}") for n in range(30)})

        async def one(number: int) -> None:
            found = await plexy.payment_links.retrieve(f"pl_R-{number}")
            assert found.id == f"pl_R-{number}"
            found = await plexy.payment_links.retrieve_by_order_reference(f"R-{number}")
            assert found.order_reference == f"R-{number}"
            found = await plexy.payment_links.update_expiration(f"pl_R-{number}", expires_at=EXPIRES)
            assert found.id == f"pl_R-{number}"
            if number % 2:
                cancelled = await plexy.payment_links.cancel(f"pl_R-{number}")
                assert cancelled is not None
                assert (cancelled.id, cancelled.status) == (f"pl_R-{number}", "cancelled")

        await asyncio.gather(*(one(number) for number in range(10)))


@pytest.mark.parametrize("late", LATE)
async def test_pages_are_their_own(late: float) -> None:
    async with repeating(late, max_connections=1) as (plexy, ledger, _):
        ledger.links.update({f"R-{n}": link(f"R-{n}", id=f"pl_R-{n}") for n in range(30)})
        listed = [item.id async for item in plexy.payment_links.list(size=4)]
        assert listed == [f"pl_R-{n}" for n in range(30)]


# ------------------------------------------------------------------------------- an answer of another's

Call = Callable[[AsyncPlexyPay], Awaitable[Any]]

READS: dict[str, tuple[Call, Any]] = {
    "link": (lambda plexy: plexy.payment_links.retrieve("pl_1"), link(id="pl_2")),
    "link by reference": (
        lambda plexy: plexy.payment_links.retrieve_by_order_reference("ORD-1"),
        link("ORD-2"),
    ),
    "transaction": (lambda plexy: plexy.transactions.retrieve("t1"), {"id": "t2", "status": "charged"}),
    "transaction of a link": (
        lambda plexy: plexy.transactions.retrieve_by_payment_link("pl_1"),
        {"id": "t2", "status": "charged", "paymentLinkId": "pl_2"},
    ),
    "history": (
        lambda plexy: plexy.transactions.history("t1"),
        {"transactionId": "t2", "history": []},
    ),
    "customer": (lambda plexy: plexy.customers.retrieve("c1"), {"id": "c2"}),
    "page": (
        lambda plexy: plexy.payment_links.list().first_page(),
        {"data": [link()], "page": 2, "size": 100, "total": 150},
    ),
}
SAFE_WRITES: dict[str, tuple[Call, Any]] = {
    "update": (
        lambda plexy: plexy.payment_links.update_expiration("pl_1", expires_at=EXPIRES),
        link(id="pl_2"),
    ),
    "put": (lambda plexy: plexy.split_requests.update("s1", extra={"a": 1}), {"id": "s2"}),
    "delete": (lambda plexy: plexy.split_requests.delete("s1"), {"id": "s2"}),
    "cancel": (lambda plexy: plexy.payment_links.cancel("pl_1"), link(id="pl_2", status="cancelled")),
}
MONEY: dict[str, tuple[Call, Any]] = {
    "refund": (
        lambda plexy: plexy.payments.refund("t1", amount=Decimal(5)),
        {"id": "r", "success": True, "originalTransactionId": "t2", "amount": "5"},
    ),
    "refund of another amount": (
        lambda plexy: plexy.payments.refund("t1", amount=Decimal(5)),
        {"id": "r", "success": True, "originalTransactionId": "t1", "amount": "50"},
    ),
    "capture": (lambda plexy: plexy.payments.capture("t1"), {"id": "t2", "success": True}),
    "cancel": (lambda plexy: plexy.payments.cancel("t1"), {"id": "t2", "success": True}),
    "charge": (
        lambda plexy: plexy.recurring.charge(
            amount=1, currency="KZT", card_token_id="c", initial_transaction_id="t"
        ),
        {"id": "t2", "status": "charged", "amount": 2, "currency": "KZT"},
    ),
    "link without a reference": (
        lambda plexy: plexy.payment_links.create(amount=5, currency="KZT"),
        link(None, amount=6),
    ),
    "link of another currency": (
        lambda plexy: plexy.payment_links.create(amount=5, currency="KZT"),
        link(None, amount=5, currency="USD"),
    ),
}


@pytest.mark.parametrize("name", READS)
async def test_a_read_that_is_answered_so_each_time_is_unreadable(name: str) -> None:
    call, other = READS[name]
    async with scripted({"*": Answer(200, other)}) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as caught:
            await call(plexy)
        assert "another request" in str(caught.value)
        # Each on a connection of its own: what came on the first is not to be trusted.
        assert (script.count(), script.connections) == (3, 3)


async def test_a_read_that_is_answered_so_once_is_asked_again_on_another_connection() -> None:
    async with scripted({"*": [Answer(200, link(id="pl_2")), FOUND]}) as (plexy, script):
        assert (await plexy.payment_links.retrieve("pl_1")).id == "pl_1"
        assert (script.count(), script.connections) == (2, 2)
        await plexy.payment_links.retrieve("pl_1")
        assert (script.count(), script.connections) == (3, 2)


@pytest.mark.parametrize("name", SAFE_WRITES)
async def test_a_safe_write_is_asked_again_and_never_done_by_anothers_answer(name: str) -> None:
    call, other = SAFE_WRITES[name]
    async with scripted({"*": Answer(200, other)}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert "another request" in f"{caught.value} {caught.value.__cause__}"
        writes = sum(seen.method != "GET" for seen in script.seen)
        assert writes == 8
        assert script.connections == script.count()


@pytest.mark.parametrize("name", MONEY)
async def test_what_is_not_safe_is_sent_once_and_unknown(name: str) -> None:
    call, other = MONEY[name]
    async with scripted({"*": Answer(200, other)}) as (plexy, script):
        with pytest.raises(OutcomeUnknownError) as caught:
            await call(plexy)
        assert "answer is of another request" in f"{caught.value} {caught.value.__cause__}"
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.count() == 1
        script.on("*", FOUND)
        await plexy.payment_links.retrieve("pl_1")
        assert script.connections == 2


@pytest.mark.parametrize("field", [{"amount": 7}, {"currency": "USD"}, {"orderReference": "ORD-2"}], ids=repr)
async def test_a_create_with_a_reference_that_another_answers_is_looked_up(field: dict[str, Any]) -> None:
    routes = {POST: Answer(201, {**link(), **field}), f"GET {BY_REFERENCE}/ORD-1": FOUND}
    async with scripted(routes) as (plexy, script):
        made = await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
        assert (made.order_reference, made.amount, made.currency) == ("ORD-1", 2_200_000, "KZT")
        assert script.count(POST) == 1
        assert script.connections == 2


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (MONEY["capture"][0], {"id": "t2", "success": True, "amount": []}),
        (MONEY["refund"][0], {"id": 1, "success": True, "originalTransactionId": "t2", "amount": []}),
        (MONEY["charge"][0], {"id": "t2", "amount": 2, "currency": "KZT"}),
        (MONEY["link without a reference"][0], {"id": "pl_2", "amount": 6, "currency": "KZT"}),
        (MONEY["link without a reference"][0], {"id": "pl_2", "currency": "KZT"}),
    ],
    ids=["capture", "refund", "charge", "link", "link that names its currency alone"],
)
async def test_an_answer_of_anothers_that_cannot_be_read_does_not_say_done(call: Call, answer: Any) -> None:
    async with scripted({"*": Answer(200, answer)}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.count() == 1
