"""A success status proves nothing: only what the work itself gives in its answer does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    NotFoundError,
    Outcome,
    PaymentLink,
    PlexyPayError,
    RetryPolicy,
    UnprocessableError,
    UnreadableResponseError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    DROP,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    SHORT,
    SILENCE,
    Answer,
    Step,
    code,
    link,
    page,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

Call = Callable[[AsyncPlexyPay], Awaitable[Any]]

BUSY = {"code": 1, "message": "busy"}
PORTAL = b"<html><title>Sign in to the network</title></html>"
BODIES: dict[str, Any] = {
    "code 1": BUSY,
    "code 1 of the API": {**BUSY, "source": "payments", "type": "apiError"},
    "an id beside the API's type": {"id": "t", **BUSY, "type": "apiError"},
    "an error": {"error": "x"},
    "a status": {"status": "error"},
    "ok": {"ok": True},
    "an empty object": {},
    "empty": b"",
    "blank": b" \r\n",
    "html": PORTAL,
    "null": b"null",
    "an empty list": b"[]",
    "a list": [{"id": "t", "success": True}],
    "a number": b"1",
    "a text": b'"ok"',
    "id null": {"id": None, "success": None},
    "success as a text": {"success": "true"},
    "success as a number": {"success": 1},
}
MONEY_OR_CREATE: dict[str, Call] = {
    "refund": lambda plexy: plexy.payments.refund("t", amount=Decimal(1)),
    "capture": lambda plexy: plexy.payments.capture("t", amount=Decimal(1)),
    "cancel": lambda plexy: plexy.payments.cancel("t"),
    "charge": lambda plexy: plexy.recurring.charge(
        amount=1, currency="KZT", card_token_id="c", initial_transaction_id="t"
    ),
    "payout": lambda plexy: plexy.payouts.create(extra={"amount": 1}),
    "wallet capture": lambda plexy: plexy.wallet.capture("w"),
    "customer": lambda plexy: plexy.customers.create(extra={"name": "A"}),
    "link without a reference": lambda plexy: plexy.payment_links.create(amount=1, currency="KZT"),
}


def told(error: BaseException | None) -> str:
    """All that an error says, with its causes and attempts."""
    texts = list[str]()
    while error is not None:
        texts += [str(error), getattr(error, "body", "")]
        texts += [told(attempt) for attempt in getattr(error, "attempts", ())]
        error = error.__cause__
    return "\n".join(texts)


def beginning(body: Any) -> str:
    return Answer(200, body).content.decode().strip()[:20]


@pytest.mark.parametrize("name", MONEY_OR_CREATE)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [200, 202])
async def test_a_success_status_alone_moves_no_money_and_creates_nothing(
    name: str, body: str, status: int
) -> None:
    async with scripted({"*": Answer(status, BODIES[body])}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await MONEY_OR_CREATE[name](plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.count() == 1
    assert beginning(BODIES[body]) in told(caught.value)


@pytest.mark.parametrize("name", MONEY_OR_CREATE)
async def test_an_empty_204_is_no_success_either(name: str) -> None:
    async with scripted({"*": Answer(204)}) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await MONEY_OR_CREATE[name](plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert script.count() == 1


@pytest.mark.parametrize("body", BODIES)
async def test_a_settlement_order_without_its_id_is_asked_again_with_its_key(body: str) -> None:
    order = {"payment_order_id": "o", "amount": "100", "currency": "KZT"}
    bad = Answer(200, BODIES[body])

    def create(plexy: AsyncPlexyPay) -> Any:
        return plexy.settlement_orders.create(amount=100, currency="KZT", request_id="r-1")

    async with scripted({"*": [bad, Answer(201, order)]}) as (plexy, script):
        assert (await create(plexy)).id == "o"
        assert script.count() == 2
        assert script.seen[0].body == script.seen[1].body
    async with scripted({"*": bad}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
        assert caught.value.idempotency_key == "r-1"
    assert beginning(BODIES[body]) in told(caught.value)


@pytest.mark.parametrize("body", BODIES)
async def test_a_create_with_a_reference_is_looked_up(body: str) -> None:
    def create(plexy: AsyncPlexyPay) -> Any:
        return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")

    post, look_up = f"POST {LINKS}", f"GET {BY_REFERENCE}/ORD-1"
    async with scripted({post: Answer(200, BODIES[body]), look_up: FOUND}) as (plexy, script):
        assert (await create(plexy)).order_reference == "ORD-1"
        assert script.counts == {post: 1, look_up: 1}
    routes = {post: Answer(200, BODIES[body]), look_up: NOT_FOUND, f"GET {LINKS}": page()}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy)
        assert caught.value.outcome is Outcome.UNKNOWN
    assert beginning(BODIES[body]) in told(caught.value)


# ------------------------------------------------------------------------------------------------- deletes

CANCEL = f"DELETE {LINKS}/pl_1"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("state", ["active", "cancelled", "paid"])
async def test_a_links_cancel_without_the_link_is_confirmed_by_reading_it(body: str, state: str) -> None:
    routes = {CANCEL: Answer(200, BODIES[body]), "*": Answer(200, link(status=state))}
    async with scripted(routes) as (plexy, script):
        if state == "cancelled":
            cancelled = await plexy.payment_links.cancel("pl_1")
            assert cancelled is not None
            assert cancelled.status == "cancelled"
            assert script.count(CANCEL) == 1
            return
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.cancel("pl_1")
        assert caught.value.outcome is not Outcome.DONE
        # A paid link stays paid, and is none that this call cancelled; an active one may be cancelled yet.
        assert state == "paid" or caught.value.outcome is Outcome.UNKNOWN
    assert beginning(BODIES[body]) in told(caught.value)


@pytest.mark.parametrize("body", BODIES)
async def test_a_delete_is_not_done_because_a_page_says_200(body: str) -> None:
    async with scripted({"*": Answer(200, BODIES[body])}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.split_requests.delete("s")
        assert caught.value.outcome is Outcome.UNKNOWN
    assert beginning(BODIES[body]) in told(caught.value)


async def test_a_delete_is_done_by_an_empty_204() -> None:
    async with scripted({"*": Answer(204)}) as (plexy, script):
        assert await plexy.split_requests.delete("s") is None
        assert await plexy.payment_links.cancel("pl_1") is None
        assert script.count() == 2


NOTHING_DONE: dict[str, Step] = {"code 1": CODE_1, "429": Answer(429), "429 with code 1": code(1, 429)}
PERHAPS_DONE: dict[str, Step] = {
    "lost": DROP,
    "code 2": CODE_2,
    "502": Answer(502),
    "408": Answer(408),
    "503 with a message": Answer(503, {"message": "no"}),
}


@pytest.mark.parametrize("before", NOTHING_DONE)
async def test_a_delete_that_finds_nothing_after_attempts_that_did_nothing_is_not_found(before: str) -> None:
    step = NOTHING_DONE[before]
    async with scripted({"*": [step, step, NOT_FOUND]}) as (plexy, script):
        with pytest.raises(NotFoundError) as caught:
            await plexy.split_requests.delete("s")
        assert caught.value.outcome is Outcome.REJECTED
        assert script.count() == 3


@pytest.mark.parametrize("order", [("lost", "code 1"), ("code 1", "lost")], ids=" then ".join)
@pytest.mark.parametrize("before", PERHAPS_DONE)
async def test_a_delete_that_finds_nothing_after_a_lost_attempt_is_done(
    before: str, order: tuple[str, str]
) -> None:
    steps = [PERHAPS_DONE[before] if which == "lost" else CODE_1 for which in order]
    async with scripted({"*": [*steps, NOT_FOUND]}) as (plexy, _):
        assert await plexy.split_requests.delete("s") is None


async def test_a_gateways_404_does_not_say_that_a_delete_is_done() -> None:
    async with scripted({"*": [CODE_2, Answer(404, PORTAL)]}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.split_requests.delete("s")
        assert caught.value.outcome is Outcome.UNKNOWN


async def test_a_delete_that_is_refused_otherwise_after_a_lost_attempt_is_unknown() -> None:
    async with scripted({"*": [CODE_2, code(5, 422)]}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.split_requests.delete("s")
        assert caught.value.outcome is Outcome.UNKNOWN
        assert isinstance(caught.value.__cause__, UnprocessableError)


API_ERROR = {"code": 4, "message": "not here", "source": "splitRequests", "type": "apiError"}


async def test_a_delete_that_the_api_refused_with_a_200_has_deleted_nothing() -> None:
    async with scripted({"*": [Answer(200, API_ERROR), NOT_FOUND]}) as (plexy, script):
        with pytest.raises(NotFoundError) as caught:
            await plexy.split_requests.delete("s")
        assert caught.value.outcome is Outcome.REJECTED
        assert script.count() == 2


@pytest.mark.parametrize("status", [200, 202])
async def test_an_api_error_with_a_200_is_no_success_of_any_call(status: int) -> None:
    calls: dict[str, Call] = {
        **MONEY_OR_CREATE,
        "delete": lambda plexy: plexy.split_requests.delete("s"),
        "cancel link": lambda plexy: plexy.payment_links.cancel("pl_1"),
        "expiration": lambda plexy: plexy.payment_links.update_expiration(
            "pl_1", expires_at=datetime(2030, 1, 1, tzinfo=UTC)
        ),
    }
    active = Answer(200, link(status="active"))
    for name, call in calls.items():
        for more in ({}, {"id": "pl_1", "success": True}):
            answer = Answer(status, {**API_ERROR, **more})
            async with scripted({f"GET {LINKS}/pl_1": active, "*": answer}) as (plexy, _):
                with pytest.raises(PlexyPayError) as caught:
                    await call(plexy)
                assert caught.value.outcome is Outcome.UNKNOWN, name
                assert "not here" in told(caught.value), name


READS: dict[str, Call] = {
    "customer": lambda plexy: plexy.customers.retrieve("c"),
    "card tokens": lambda plexy: plexy.customers.card_tokens("c"),
    "merchant": lambda plexy: plexy.merchant.retrieve(),
    "link": lambda plexy: plexy.payment_links.retrieve("pl_1"),
    "statistics": lambda plexy: plexy.payment_links.statistics(),
    "transaction": lambda plexy: plexy.transactions.retrieve("t"),
    "history": lambda plexy: plexy.transactions.history("t"),
    "search": lambda plexy: plexy.payments.search(order_reference="ORD-1"),
    "wallet": lambda plexy: plexy.wallet.retrieve("w"),
    "raw": lambda plexy: plexy.request("GET", "/v1/anything"),
}


@pytest.mark.parametrize("name", READS)
async def test_an_api_error_with_a_200_is_no_answer_to_a_read(name: str) -> None:
    for code_ in (4, "4", "0004"):
        for more in ({}, {"id": "c"}):
            async with scripted({"*": Answer(200, {**API_ERROR, **more, "code": code_})}) as (plexy, script):
                with pytest.raises(UnreadableResponseError, match=rf"code {code_}: not here") as caught:
                    await READS[name](plexy)
                assert script.count() == 1
            assert caught.value.outcome is Outcome.DONE
            assert name == "search" or caught.value.raw["code"] == code_


async def test_an_api_error_with_a_200_is_no_answer_for_the_sync_facade() -> None:
    async def answer(call: Callable[[PlexyPay], Any]) -> None:
        async with serving({"*": Answer(200, API_ERROR)}) as server:

            def ask() -> None:
                with (
                    PlexyPay(KEY, base_url=server.url) as plexy,
                    pytest.raises(UnreadableResponseError, match="code 4: not here"),
                ):
                    call(plexy)

            await asyncio.to_thread(ask)

    await answer(lambda plexy: plexy.merchant.retrieve())
    await answer(lambda plexy: plexy.request("GET", "/v1/anything"))


async def test_an_api_error_with_a_200_leaves_a_raw_write_unknown() -> None:
    for method, sent in (("POST", 1), ("PUT", 3)):
        retry = attrs.evolve(SHORT, max_attempts=3)
        async with scripted({"*": Answer(200, API_ERROR)}, retry=retry) as (plexy, script):
            with pytest.raises(PlexyPayError, match="code 4: not here") as caught:
                await plexy.request(method, "/v1/anything", json={})
            assert (caught.value.outcome, script.count()) == (Outcome.UNKNOWN, sent)


async def test_a_raw_answer_that_only_looks_like_an_error_is_an_answer() -> None:
    for body in ({"type": "apiError"}, {"type": "card", "code": 4}, {"code": 4, "message": "x"}):
        async with scripted({"*": Answer(200, body)}) as (plexy, _):
            assert await plexy.request("GET", "/v1/anything") == body


SHORT_LINK = {name: value for name, value in link(status="cancelled").items() if name != "url"}


async def test_a_cancel_answered_with_the_lists_form_of_a_link_reads_the_whole_link() -> None:
    routes = {CANCEL: Answer(200, SHORT_LINK), "*": Answer(200, link(status="cancelled"))}
    async with scripted(routes) as (plexy, script):
        cancelled = await plexy.payment_links.cancel("pl_1")
        assert cancelled is not None
        assert (cancelled.status, cancelled.url) == ("cancelled", link()["url"])
        assert script.counts == {CANCEL: 1, f"GET {LINKS}/pl_1": 1}


UNREAD: dict[str, tuple[Step, dict[str, Any]]] = {
    "not found": (NOT_FOUND, {}),
    "forbidden": (Answer(403, {"message": "no"}), {}),
    "its short form": (Answer(200, SHORT_LINK), {}),
    "code 2": (CODE_2, {}),
    "code 2 until the deadline": (CODE_2, {"retry": RetryPolicy(base=0.05), "timeout": 0.3}),
    "silence until the deadline": (SILENCE, {"timeout": 0.3}),
}


@pytest.mark.parametrize("how", UNREAD)
async def test_a_cancel_answered_with_the_lists_form_is_done_though_the_link_cannot_be_read(how: str) -> None:
    step, options = UNREAD[how]
    async with scripted({CANCEL: Answer(200, SHORT_LINK), "*": step}, **options) as (plexy, script):
        cancelled = await plexy.payment_links.cancel("pl_1")
        assert isinstance(cancelled, PaymentLink)
        assert (cancelled.id, cancelled.status, cancelled.url) == ("pl_1", "cancelled", "")
        assert cancelled.raw == SHORT_LINK
        assert script.count(CANCEL) == 1


@pytest.mark.parametrize("status", ["active", "paid", None])
async def test_the_lists_form_of_a_link_that_is_not_cancelled_is_no_cancel(status: str | None) -> None:
    short = {**SHORT_LINK, "status": status}
    async with scripted({CANCEL: Answer(200, short), "*": NOT_FOUND}, retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.cancel("pl_1")
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("state", ["paid", "expired"])
@pytest.mark.parametrize("body", [{**API_ERROR, "code": 5}, {}, b"null"], ids=["error", "empty", "null"])
async def test_a_cancel_of_a_link_in_a_final_state_is_not_sent_again(state: str, body: Any) -> None:
    routes = {CANCEL: Answer(200, body), "*": Answer(200, link(status=state))}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as caught:
            await plexy.payment_links.cancel("pl_1")
        assert script.counts == {CANCEL: 1, f"GET {LINKS}/pl_1": 1}
    assert caught.value.outcome is Outcome.REJECTED


async def test_a_cancel_after_a_lost_one_is_not_done_where_the_link_is_paid() -> None:
    routes = {CANCEL: [DROP, Answer(200, {**API_ERROR, "code": 5})], "*": Answer(200, link(status="paid"))}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(UnreadableResponseError) as caught:
            await plexy.payment_links.cancel("pl_1")
        assert script.count(CANCEL) == 2
    assert caught.value.outcome is Outcome.REJECTED


async def test_answers_that_contradict_each_other_leave_the_outcome_unknown() -> None:
    routes = {CANCEL: Answer(200, SHORT_LINK), "*": Answer(200, link(status="paid"))}
    async with scripted(routes) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.payment_links.cancel("pl_1")
        assert script.count(CANCEL) == 1
    assert caught.value.outcome is Outcome.UNKNOWN
