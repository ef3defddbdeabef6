"""An answer that a proxy sends again, some milliseconds later: no call takes a neighbour's for its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    CreatePaymentLink,
    NotFoundError,
    Outcome,
    PlexyPayError,
    RefusedError,
    RetryPolicy,
    UnprocessableError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    DROP,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    SHORT,
    Again,
    Answer,
    Late,
    Script,
    Seen,
    Step,
    code,
    link,
    page,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
REFUSAL = code(5, 422, "it cannot be done")
SETTLE = "POST /v1/merchants/settlement-payment-orders"
BAD, GOOD = (f"POST /v1/payments/{name}/refund" for name in ("bad", "good"))
facades = pytest.mark.parametrize("facade", ["async", "sync"])
late = pytest.mark.parametrize("late", [0.003, 0.012], ids=["3 ms", "12 ms"])


async def ended(facade: str, script: Script, *calls: Callable[[Any], Any]) -> list[Any]:
    """Make calls one after the other over one connection, and return what each gave or raised."""
    options: dict[str, Any] = {"retry": SHORT, "timeout": 5.0, "max_connections": 1}
    ends: list[Any] = []
    async with serving(script) as server:
        if facade == "async":
            async with AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy:
                for call in calls:
                    try:
                        ends.append(await call(plexy))
                    except PlexyPayError as error:
                        ends.append(error)
            return ends

        def use() -> None:
            with PlexyPay(KEY, base_url=server.url, **options) as plexy:
                for call in calls:
                    try:
                        ends.append(call(plexy))
                    except PlexyPayError as error:
                        ends.append(error)

        await asyncio.to_thread(use)
    return ends


class Work:
    """Work that is done when its request arrives, and takes so many seconds to be answered."""

    def __init__(self, seconds: float, answer: Answer) -> None:
        self.done = 0
        self._step = Late(seconds, answer)

    def __call__(self, _: Seen) -> Step:
        self.done += 1
        return self._step


def refund(name: str) -> Callable[[Any], Any]:
    return lambda plexy: plexy.payments.refund(name)


def refunded(name: str) -> Answer:
    return Answer(200, {"success": True, "id": f"r-{name}", "originalTransactionId": name})


# ------------------------------------------------------------------------------------------- what is refused


@facades
@late
@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (REFUSAL, UnprocessableError),
        (Answer(200, {"success": False, "code": "51", "message": "declined"}), RefusedError),
    ],
    ids=["422", "success: false"],
)
async def test_a_refusal_is_not_told_of_the_refund_after_it(
    refusal: Answer, error: type[PlexyPayError], late: float, facade: str
) -> None:
    work = Work(2 * late, refunded("good"))
    script = Script({BAD: Again(refusal, late), GOOD: work})
    refused, done = await ended(facade, script, refund("bad"), refund("good"))
    assert type(refused) is error
    assert refused.outcome is Outcome.REJECTED
    assert done.original_transaction_id == "good"
    assert work.done == 1


@facades
@pytest.mark.parametrize("undone", [CODE_1, Answer(429, {"message": "slow down"})], ids=["code 1", "429"])
async def test_a_refund_that_is_repeated_once_is_executed_once(undone: Answer, facade: str) -> None:
    work = Work(0.024, refunded("good"))
    script = Script({GOOD: [Again(undone, 0.012), work]})
    (done,) = await ended(facade, script, refund("good"))
    assert done.success
    assert work.done == 1


async def _deleted(policy: RetryPolicy, timeout: float) -> tuple[Work, PlexyPayError | None]:
    work = Work(0.1, Answer(200, link(status="cancelled")))
    route = f"DELETE {LINKS}/pl_1"
    options: dict[str, Any] = {"retry": policy, "timeout": timeout, "max_connections": 1}
    async with scripted({route: [Again(CODE_1, 0.02), work]}, **options) as (plexy, _):
        try:
            await plexy.payment_links.cancel("pl_1")
        except PlexyPayError as error:
            return work, error
    return work, None


async def test_the_last_attempt_of_a_delete_is_not_refused_by_the_answer_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plexypay_async._core.pauses.jittered", lambda value: value)
    work, error = await _deleted(RetryPolicy(max_attempts=2, base=0.01, cap=0.1), 2.0)
    assert error is None
    assert work.done == 1


@pytest.mark.parametrize("timeout", [0.035, 0.14])
async def test_a_delete_that_the_deadline_ends_is_not_refused_by_the_answer_before(
    timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexypay_async._core.pauses.jittered", lambda value: value)
    work, error = await _deleted(RetryPolicy(base=0.01, cap=0.1), timeout)
    assert error is not None
    assert error.outcome is (Outcome.UNKNOWN if work.done else Outcome.REJECTED)


# ----------------------------------------------------------------------------------- what names no request


@facades
async def test_a_bare_success_is_not_told_of_the_capture_after_it(facade: str) -> None:
    script = Script(
        {
            "POST /v1/payments/a/capture": Again(Answer(200, {"success": True}), 0.003),
            "POST /v1/payments/b/capture": Late(0.008, REFUSAL),
        }
    )
    first, second = await ended(
        facade, script, lambda plexy: plexy.payments.capture("a"), lambda plexy: plexy.payments.capture("b")
    )
    assert first.success
    assert type(second) is UnprocessableError


CREATIONS: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "customer": (lambda plexy: plexy.customers.create(extra={"name": "a"}), {"id": "c-1"}),
    "payout": (lambda plexy: plexy.payouts.create(extra={"amount": 1}), {"id": "p-1", "status": "created"}),
    "link": (
        lambda plexy: plexy.payment_links.create(amount=2_200_000, currency="KZT"),
        link(None, id="pl_9"),
    ),
}


@facades
@pytest.mark.parametrize("kind", CREATIONS)
async def test_the_creation_before_is_not_told_of_one_without_a_reference(kind: str, facade: str) -> None:
    call, created = CREATIONS[kind]
    script = Script({"POST *": [Again(Answer(201, created), 0.003), Late(0.008, REFUSAL)]})
    first, second = await ended(facade, script, call, call)
    assert first.id == created["id"]
    assert isinstance(second, PlexyPayError)
    assert second.outcome in (Outcome.UNKNOWN, Outcome.REJECTED)


OTHERS: dict[str, Callable[[Any], Any]] = {
    "customer": lambda plexy: plexy.customers.create(extra={"name": "a"}),
    "payout": lambda plexy: plexy.payouts.create(extra={"amount": 1}),
    "split request": lambda plexy: plexy.split_requests.create(extra={"amount": 1}),
    "beneficiary": lambda plexy: plexy.beneficiaries.create(extra={"name": "a"}),
    "card": lambda plexy: plexy.payouts.save_card(extra={"name": "a"}),
}


@facades
@pytest.mark.parametrize("kind", OTHERS)
async def test_a_link_that_was_created_is_no_other_thing(kind: str, facade: str) -> None:
    script = Script({f"POST {LINKS}": Again(Answer(201, link()), 0.003), "POST *": Late(0.01, REFUSAL)})
    first, second = await ended(
        facade,
        script,
        lambda plexy: plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1"),
        OTHERS[kind],
    )
    assert first.id == "pl_1"
    assert isinstance(second, PlexyPayError)
    assert second.outcome in (Outcome.UNKNOWN, Outcome.REJECTED)


def settle(plexy: Any) -> Any:
    return plexy.settlement_orders.create(amount=5, currency="KZT", beneficiary_id="b")


@facades
async def test_what_was_deleted_is_no_settlement(facade: str) -> None:
    made = Answer(201, {"id": "o-1", "amount": 5})
    script = Script(
        {
            "DELETE */s-1": Again(Answer(200, {"id": "s-1"}), 0.003),
            SETTLE: [Late(0.01, made), made],
        }
    )
    _, order = await ended(facade, script, lambda plexy: plexy.split_requests.delete("s-1"), settle)
    assert order.id == "o-1"


@facades
async def test_one_settlement_is_not_told_of_the_next_to_the_same_beneficiary(facade: str) -> None:
    first, second = ({"id": f"o-{number}", "amount": 5, "beneficiaryId": "b"} for number in (1, 2))
    route = "POST /v1/merchants/settlement-payment-orders"
    script = Script(
        {route: [Again(Answer(201, first), 0.003), Late(0.01, Answer(201, second)), Answer(201, second)]}
    )
    orders = await ended(facade, script, settle, settle)
    assert [order.id for order in orders] == ["o-1", "o-2"]


@facades
async def test_one_refund_is_not_told_of_the_next_of_the_same_payment(facade: str) -> None:
    script = Script({GOOD: [Again(refunded("good"), 0.003), Late(0.01, REFUSAL)]})
    first, second = await ended(facade, script, refund("good"), refund("good"))
    assert first.success
    assert isinstance(second, PlexyPayError)
    assert second.outcome in (Outcome.UNKNOWN, Outcome.REJECTED)


# -------------------------------------------------------------------------------------------------- reads


def _of(seen: Seen) -> str:
    return seen.path.split("/")[3]


def _transactions(seen: Seen) -> Step:
    answer = page({"id": f"t-of-{_of(seen)}", "amount": 5, "status": "charged"})
    return Again(answer, 0.003) if _of(seen) == "A" else Late(0.01, answer)


def _tokens(seen: Seen) -> Step:
    answer = Answer(200, {"data": [{"id": f"token-of-{_of(seen)}"}]})
    return Again(answer, 0.003) if _of(seen) == "A" else Late(0.01, answer)


@facades
async def test_one_customers_transactions_are_not_told_of_another(facade: str) -> None:
    def read(customer: str) -> Callable[[Any], Any]:
        return lambda plexy: plexy.customers.transactions(customer).first_page()

    pages = await ended(facade, Script({"GET *": _transactions}), read("A"), read("B"))
    assert [[item.id for item in each.items] for each in pages] == [["t-of-A"], ["t-of-B"]]


@facades
async def test_one_customers_cards_are_not_told_of_another(facade: str) -> None:
    def read(customer: str) -> Callable[[Any], Any]:
        return lambda plexy: plexy.customers.card_tokens(customer)

    tokens = await ended(facade, Script({"GET *": _tokens}), read("A"), read("B"))
    assert [each.raw["data"][0]["id"] for each in tokens] == ["token-of-A", "token-of-B"]


@facades
async def test_what_a_read_did_not_find_is_told_of_nothing_else(facade: str) -> None:
    work = Work(0.01, refunded("good"))
    script = Script(
        {
            f"GET {LINKS}/absent": Again(NOT_FOUND, 0.003),
            f"GET {LINKS}/pl_1": Late(0.01, Answer(200, link())),
            GOOD: work,
        }
    )

    def retrieve(link_id: str) -> Callable[[Any], Any]:
        return lambda plexy: plexy.payment_links.retrieve(link_id)

    calls = (retrieve("absent"), refund("good"), retrieve("absent"), retrieve("pl_1"))
    absent, done, absent_still, found = await ended(facade, script, *calls)
    assert type(absent) is type(absent_still) is NotFoundError
    assert done.success
    assert work.done == 1
    assert found.id == "pl_1"


@facades
@pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])
async def test_a_read_that_got_the_answer_to_the_same_one_before_leaves_its_own_to_no_other_call(
    is_apart: bool, facade: str
) -> None:
    """It may be what the server says again. What comes on its connection after it is kept away."""
    work = Work(0.0, Answer(200, {"success": True, "id": "good", "amount": 5}))
    script = Script(
        {
            f"GET {LINKS}": [Again(page(link()), 0.02, is_apart), Late(0.15, CODE_1), page(link())],
            "POST /v1/payments/good/capture": work,
        }
    )

    def read(plexy: Any) -> Any:
        return plexy.payment_links.list().first_page()

    first, second, captured = await ended(
        facade, script, read, read, lambda plexy: plexy.payments.capture("good", amount=Decimal(5))
    )
    assert [item.id for item in first.items] == [item.id for item in second.items] == ["pl_1"]
    assert captured.success
    assert work.done == 1


@facades
async def test_a_bare_success_that_was_sent_again_leaves_the_answer_it_stands_for_to_no_other_call(
    facade: str,
) -> None:
    settled = Work(0.0, Answer(200, {"success": True, "id": "other", "amount": 7}))
    script = Script(
        {
            "DELETE */s-1": Again(Answer(204), 0.02),
            "DELETE */s-2": Late(0.2, CODE_1),
            "POST /v1/payments/other/capture": settled,
        }
    )
    ends = await ended(
        facade,
        script,
        lambda plexy: plexy.split_requests.delete("s-1"),
        lambda plexy: plexy.split_requests.delete("s-2"),
        lambda plexy: plexy.payments.capture("other", amount=Decimal(7)),
    )
    assert ends[2].success
    assert settled.done == 1


@pytest.mark.parametrize("latest", ["ORD-1", "ORD-2"])
async def test_a_look_up_that_says_what_the_creation_said_is_believed_at_once(latest: str) -> None:
    """On the very connection that the creation was answered on: it names what was asked for."""
    made = {reference: link(reference, id=f"pl_{reference}") for reference in ("ORD-1", "ORD-2")}
    seen_before: set[str] = set()

    def create(seen: Seen) -> Step:
        reference = seen.json["orderReference"]
        if reference in seen_before:
            return code(5, 422)
        seen_before.add(reference)
        # Each over a connection of its own.
        return Late(0.06 if reference == latest else 0.02, Answer(201, made[reference]))

    routes: dict[str, Any] = {
        f"GET {BY_REFERENCE}/{reference}": Answer(200, made[reference]) for reference in made
    }
    script = Script({f"POST {LINKS}": create, **routes})
    script.is_numbered = False
    async with serving(script) as server:
        once = RetryPolicy(max_attempts=1)
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=once, max_connections=2) as plexy:

            async def ensured(reference: str) -> str:
                link = await plexy.payment_links.create_or_retrieve(
                    amount=2_200_000, currency="KZT", order_reference=reference
                )
                return link.id

            await asyncio.gather(ensured("ORD-1"), ensured("ORD-2"))
            assert await ensured("ORD-1") == "pl_ORD-1"
    assert script.count(f"GET {BY_REFERENCE}/ORD-1") == 1


async def test_two_listings_that_are_empty_are_no_answers_sent_again() -> None:
    script = Script({"GET *": page()})
    async with serving(script) as server:
        once = RetryPolicy(max_attempts=1)
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=once, max_connections=1) as plexy:
            for group in (plexy.customers, plexy.payouts, plexy.beneficiaries):
                assert (await group.list().first_page()).items == ()
    assert script.connections == 1


# ------------------------------------------------------------------------------------------------ look-ups

CREATED_BEFORE = {
    "without a reference": link(None, id="pl_9"),
    "of another reference": link("ORD-9", id="pl_9"),
}


@pytest.mark.parametrize("before", CREATED_BEFORE)
async def test_a_look_up_that_got_the_creation_before_leaves_its_own_answer_to_no_other_call(
    before: str,
) -> None:
    """The look-up's own answer, "not found", still comes on its connection, which nothing may use then."""
    moved = Work(0.1, Answer(200, link(id="pl_5")))
    looked_up: list[Step] = [Late(0.15, NOT_FOUND), NOT_FOUND]
    script = Script(
        {
            f"POST {LINKS}": _creations(Again(Answer(201, CREATED_BEFORE[before]), 0.06)),
            f"GET {BY_REFERENCE}/ORD-9": Answer(200, CREATED_BEFORE["of another reference"]),
            f"GET {BY_REFERENCE}/ORD-1": looked_up,
            f"GET {LINKS}": page(link("ORD-8", id="pl_8")),
            f"GET {BY_REFERENCE}/ORD-8": Answer(200, link("ORD-8", id="pl_8")),
            f"PATCH {LINKS}/pl_5": moved,
        }
    )
    options: dict[str, Any] = {"retry": SHORT, "timeout": 5.0, "max_connections": 2}
    async with serving(script) as server, AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy:
        create = plexy.payment_links.create
        lost = asyncio.create_task(create(amount=2_200_000, currency="KZT", order_reference="ORD-1"))
        reference = CREATED_BEFORE[before]["orderReference"]
        assert (await create(amount=2_200_000, currency="KZT", order_reference=reference)).id == "pl_9"
        # The copy of its answer meets the look-up of the other.
        await asyncio.sleep(0.1)
        found = await plexy.payment_links.update_expiration("pl_5", expires_at=EXPIRES)
        assert found.id == "pl_5"
        assert (await lost).id == "pl_1"
    assert moved.done == 1


def _creations(of_the_other: Step) -> Callable[[Seen], Step]:
    """Answer the creation of ORD-1 once it was lost, and the other one's."""
    lost = [Late(0.03, DROP)]

    def create(seen: Seen) -> Step:
        if seen.json.get("orderReference") != "ORD-1":
            return Late(0.02, of_the_other)
        return lost.pop() if lost else Answer(201, link("ORD-1", id="pl_1"))

    return create


# --------------------------------------------------------------------------------------------------- jobs


@pytest.mark.parametrize("journalled", [False, True], ids=["plain", "journal"])
async def test_no_row_of_a_job_is_refused_by_its_neighbours_answer(journalled: bool, tmp_path: Path) -> None:
    made: Counter[str] = Counter()

    def create(seen: Seen) -> Step:
        asked = seen.json
        if asked["amount"] == 7:
            return Again(REFUSAL, 0.003)
        made[asked["orderReference"]] += 1
        return Late(0.008, Answer(201, link(asked["orderReference"], amount=asked["amount"])))

    def look_up(seen: Seen) -> Step:
        reference = seen.path.rpartition("/")[2]
        return Answer(200, link(reference, amount=100)) if made[reference] else NOT_FOUND

    routes = {f"POST {LINKS}": create, f"GET {BY_REFERENCE}/*": look_up, f"GET {LINKS}": page()}
    rows = [
        CreatePaymentLink(amount=100 if number % 3 else 7, currency="KZT", order_reference=f"ORD-{number}")
        for number in range(60)
    ]
    journal = tmp_path / "job.journal" if journalled else None
    async with scripted(routes) as (plexy, _):
        results = [
            each async for each in plexy.payment_links.create_many(rows, concurrency=5, journal=journal)
        ]
    assert len(results) == len(rows)
    for result in results:
        reference = result.request.order_reference
        assert made[reference or ""] == (result.request.amount == 100)
        if result.link is None:
            assert result.error is not None
            assert result.error.outcome is Outcome.REJECTED
            assert result.request.amount == 7
        else:
            assert result.link.order_reference == reference


async def test_a_read_again_is_none_of_the_answers_before_it() -> None:
    """The same answer to the same question is the server's, however often it comes."""
    async with scripted({f"GET {LINKS}/pl_1": FOUND}, max_connections=1) as (plexy, script):
        assert [(await plexy.payment_links.retrieve("pl_1")).id for _ in range(3)] == ["pl_1"] * 3
        assert script.count() == 3
        assert script.connections == 1
