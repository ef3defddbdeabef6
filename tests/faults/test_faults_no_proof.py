"""What proves nothing: a cut answer in which a refusal may be missing, an echo inside, a work accepted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    CreatePaymentLink,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RefusedError,
    RetryPolicy,
)

from .scripted import (
    BY_REFERENCE,
    LINKS,
    NOT_FOUND,
    ONCE,
    Answer,
    Raw,
    Script,
    Seen,
    Step,
    link,
    page,
    scripted,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UP = f"GET {BY_REFERENCE}/*"
LISTING = f"GET {LINKS}"
EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
SOON = RetryPolicy(max_attempts=2, base=0.002, cap=0.01)
Call = Callable[[AsyncPlexyPay], Awaitable[Any]]


def create(plexy: AsyncPlexyPay) -> Awaitable[Any]:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


# ------------------------------------------------------------------------------------ cut before the refusal


@attrs.frozen
class Refused:
    """An answer that refuses, and the field with which it does, before which it is cut."""

    call: Call
    answer: dict[str, Any]
    field: str

    def cut(self, how: str) -> Raw:
        whole = json.dumps(self.answer).encode()
        come = whole[: whole.rindex(f'"{self.field}"'.encode())]
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if how == "by length":
            head += f"Content-Length: {len(whole)}\r\n"
        if how == "gzip":
            head += f"Content-Encoding: gzip\r\nContent-Length: {len(gzip.compress(come))}\r\n"
            come = gzip.compress(come)
        return Raw(head.encode() + b"\r\n" + come)


MONEY: dict[str, Refused] = {
    "refund": Refused(
        lambda plexy: plexy.payments.refund("t", amount=5),
        {"id": "r", "responseCode": "51", "amount": 5, "originalTransactionId": "t", "success": False},
        "success",
    ),
    "refund without a code": Refused(
        lambda plexy: plexy.payments.refund("t"),
        {"id": "r", "originalTransactionId": "t", "message": "declined", "success": False},
        "success",
    ),
    "capture": Refused(
        lambda plexy: plexy.payments.capture("t"),
        {"id": "t", "responseCode": "05", "networkTransactionReference": "n", "success": False},
        "success",
    ),
    "cancel": Refused(
        lambda plexy: plexy.payments.cancel("t"),
        {"id": "t", "responseCode": "05", "success": False},
        "success",
    ),
    "recurring": Refused(
        lambda plexy: plexy.recurring.charge(
            amount=5, currency="KZT", card_token_id="c", initial_transaction_id="t"
        ),
        {"id": "p", "amount": 5, "currency": "KZT", "status": "rejected"},
        "status",
    ),
    "3-D Secure": Refused(
        lambda plexy: plexy.direct_payments.continue_3ds(transaction_id="t", cres="abc"),
        {"id": "t", "orderReference": "O", "message": "declined", "success": False, "code": 1013},
        "message",
    ),
    "payout": Refused(
        lambda plexy: plexy.payouts.create(extra={"amount": 5}), {"id": "p", "status": "failed"}, "status"
    ),
    "transfer": Refused(
        lambda plexy: plexy.beneficiaries.transfer("b", extra={"amount": 5}),
        {"id": "f", "success": False},
        "success",
    ),
    "wallet": Refused(
        lambda plexy: plexy.wallet.capture("w"),
        {"walletTransactionId": "w", "walletTransactionStatus": "FAILED"},
        "walletTransactionStatus",
    ),
}
cuts = pytest.mark.parametrize("how", ["by length", "until the end", "gzip"])


@cuts
@pytest.mark.parametrize("kind", MONEY)
async def test_money_is_not_moved_by_a_success_that_was_cut(kind: str, how: str) -> None:
    async with scripted({"*": MONEY[kind].cut(how)}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await MONEY[kind].call(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", ["refund", "refund without a code", "capture", "cancel", "3-D Secure"])
async def test_the_whole_answer_refuses(kind: str) -> None:
    async with scripted({"*": Answer(200, MONEY[kind].answer)}) as (plexy, _):
        with pytest.raises(RefusedError):
            await MONEY[kind].call(plexy)


async def test_money_has_moved_where_what_came_says_success() -> None:
    refund = MONEY["refund"]
    told = {"originalTransactionId": "t", "success": True, "amount": 5, "message": "x"}
    cut = attrs.evolve(refund, answer=told, field="message")
    async with scripted({"*": cut.cut("by length")}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund.call(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.DONE


@pytest.mark.parametrize(
    "told",
    [
        {"originalTransactionId": "another", "success": True, "message": "x"},
        {"original": {"success": True}, "message": "x"},
        {"error": '{"success": true}', "message": "x"},
        {"items": [{"success": True}], "message": "x"},
    ],
    ids=["another's", "inside an object", "in a text", "inside a list"],
)
@cuts
async def test_another_success_is_none_of_this_refund(told: dict[str, Any], how: str) -> None:
    refund = MONEY["refund"]
    cut = attrs.evolve(refund, answer=told, field="message")
    async with scripted({"*": cut.cut(how)}) as (plexy, _):
        with pytest.raises(OutcomeUnknownError):
            await refund.call(plexy)


# ------------------------------------------------------------------------------------ whole, and does not fit

ODD: dict[str, tuple[Call, Answer]] = {
    "link accepted": (create, Answer(202, {"id": "job", "status": "queued", "orderReference": "ORD-1"})),
    "link's echo inside": (
        create,
        Answer(200, {"id": "w", "request": {"orderReference": "ORD-1", "amount": 2_200_000}}),
    ),
    "link's echo in a text": (
        create,
        Answer(200, {"id": "w", "status": {"code": 1}, "echo": '{"orderReference":"ORD-1"}'}),
    ),
    "echo of a link without reference": (
        lambda plexy: plexy.payment_links.create(amount=2_200_000, currency="KZT"),
        Answer(200, {"id": "w", "request": {"amount": 2_200_000}}),
    ),
    "payout's odd id": (
        lambda plexy: plexy.payouts.create(extra={"a": 1}),
        Answer(200, {"id": ["x"], "a": 1}),
    ),
    "customer's odd id": (
        lambda plexy: plexy.customers.create(extra={"a": 1}),
        Answer(200, {"id": {"a": 1}}),
    ),
    "customer's id in a text": (
        lambda plexy: plexy.customers.create(extra={"a": 1}),
        Answer(200, {"id": True, "x": '"id":"z"'}),
    ),
    "wallet accepted": (
        lambda plexy: plexy.wallet.authorize(amount=5, currency="KZT", order_reference="ORD-1"),
        Answer(
            202,
            {"walletTransactionId": "job", "walletTransactionStatus": {"x": 1}, "orderReference": "ORD-1"},
        ),
    ),
    "settlement accepted": (
        lambda plexy: plexy.settlement_orders.create(amount=5, currency="KZT", beneficiary_id="b"),
        Answer(202, {"id": "job", "status": 5, "amount": 5}),
    ),
    "recurring's odd status": (
        lambda plexy: plexy.recurring.charge(
            amount=5, currency="KZT", card_token_id="c", initial_transaction_id="t"
        ),
        Answer(200, {"id": "job", "status": {"failed": 1}, "amount": 5, "currency": "KZT"}),
    ),
    "recurring's echo inside": (
        lambda plexy: plexy.recurring.charge(
            amount=5, currency="KZT", card_token_id="c", initial_transaction_id="t"
        ),
        Answer(200, {"id": "w", "request": {"amount": 5, "currency": "KZT"}}),
    ),
    "update accepted": (
        lambda plexy: plexy.payment_links.update_expiration(
            "pl_1", expires_at=datetime(2030, 1, 1, tzinfo=UTC)
        ),
        Answer(202, {"id": "pl_1", "status": "queued"}),
    ),
}


@pytest.mark.parametrize("spelt", ["\\u0026", "&"])
async def test_a_cut_answer_proves_by_a_reference_however_it_is_spelt(spelt: str) -> None:
    content = '{"id": "pl_1", "orderReference": "A&B", "amount": 5, "status"'.replace("&", spelt).encode()
    cut = Raw(b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n" + content)
    async with scripted({POST: cut, "*": Answer(500)}, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.create(amount=5, currency="KZT", order_reference="A&B")
    assert caught.value.outcome is Outcome.DONE


@pytest.mark.parametrize("more", [{"success": False}, {"type": "apiError"}, {"type": "validationError"}])
async def test_a_cut_answer_that_tells_of_an_error_proves_nothing(more: dict[str, Any]) -> None:
    cut = Refused(
        lambda plexy: plexy.customers.create(extra={"a": 1}), {"id": "c", **more, "message": "no"}, "message"
    )
    async with scripted({"*": cut.cut("by length")}, retry=ONCE) as (plexy, _):
        with pytest.raises(OutcomeUnknownError):
            await cut.call(plexy)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("cancelled", Outcome.DONE), ("CANCELLED", Outcome.DONE), ("active", Outcome.UNKNOWN)],
)
async def test_a_cut_cancel_is_done_unless_it_shows_another_state(status: str, outcome: Outcome) -> None:
    cut = Refused(
        lambda plexy: plexy.payment_links.cancel("pl_1"), link(id="pl_1", status=status) | {"more": 1}, "more"
    )
    routes = {"DELETE *": cut.cut("by length"), "*": Answer(403, {"message": "no"})}
    async with scripted(routes, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await cut.call(plexy)
    assert caught.value.outcome is outcome


@pytest.mark.parametrize("kind", ODD)
async def test_what_does_not_say_that_it_was_done_leaves_that_unknown(kind: str) -> None:
    call, answer = ODD[kind]
    routes = {LOOK_UP: NOT_FOUND, LISTING: page(), "*": answer}
    async with scripted(routes, retry=ONCE) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
        looked_up = script.count(LOOK_UP)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert bool(looked_up) == kind.startswith("link")


@pytest.mark.parametrize("kind", [kind for kind in ODD if kind.startswith("link")])
async def test_a_link_whose_answer_does_not_fit_is_looked_up(kind: str) -> None:
    async with scripted({POST: ODD[kind][1], LOOK_UP: Answer(200, link(id="pl_9"))}) as (plexy, script):
        assert (await create(plexy)).id == "pl_9"
        assert script.count(POST) == 1


async def test_a_link_that_is_named_and_does_not_fit_was_made() -> None:
    async with scripted({POST: Answer(201, link(url=None)), LOOK_UP: NOT_FOUND, LISTING: page()}) as (
        plexy,
        script,
    ):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy)
        assert script.count(POST) == 1
    assert caught.value.outcome is Outcome.DONE


# ------------------------------------------------------------------------------------------------------ jobs


class Queue:
    """A gateway that accepts links to be made later, which never are; later it makes them at once."""

    def __init__(self) -> None:
        self.accepts = True
        self.made: list[str] = []

    def create(self, seen: Seen) -> Step:
        reference = seen.json["orderReference"]
        if self.accepts:
            return Answer(202, {"id": "job", "status": "queued", "orderReference": reference})
        self.made.append(reference)
        return Answer(201, link(reference))

    def look_up(self, seen: Seen) -> Step:
        reference = seen.path.rpartition("/")[2]
        return Answer(200, link(reference)) if reference in self.made else NOT_FOUND

    @property
    def script(self) -> Script:
        return Script({POST: self.create, LOOK_UP: self.look_up, LISTING: page()})


ROWS = [
    CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference=f"ORD-{number}")
    for number in range(3)
]


async def _ran(plexy: AsyncPlexyPay, journal: Path | None) -> list[Outcome | None]:
    """Run a job of three rows; tell how each ended, None for a link."""
    job = plexy.payment_links.create_many(ROWS, journal=journal, timeout=0.5)
    return [None if each.error is None else each.error.outcome async for each in job]


@pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])
async def test_a_row_that_was_accepted_is_not_made(journalled: bool, tmp_path: Path) -> None:
    journal = tmp_path / "job.journal" if journalled else None
    async with scripted(Queue().script, retry=SOON, read_timeout=0.2) as (plexy, _):
        assert await _ran(plexy, journal) == [Outcome.UNKNOWN] * 3


async def test_a_later_run_makes_the_links_that_were_only_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async.bulk.intake.LATE_WORK", 0.02)
    queue, journal = Queue(), tmp_path / "job.journal"
    async with scripted(queue.script, retry=SOON, read_timeout=0.2) as (plexy, _):
        assert await _ran(plexy, journal) == [Outcome.UNKNOWN] * 3
        assert await _ran(plexy, journal) == [Outcome.UNKNOWN] * 3
        queue.accepts = False
        assert await _ran(plexy, journal) == [None] * 3
    assert sorted(queue.made) == ["ORD-0", "ORD-1", "ORD-2"]
