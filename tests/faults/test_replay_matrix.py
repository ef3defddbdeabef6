"""One operation of each replay class through every way to fail: what the server saw, and what was raised.

`MATRIX` is the specification's table with its numbers filled in; each of its cells is a test of its own, over
real sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    Replay,
    RetryPolicy,
)
from plexypay_async.api.index import every_declaration
from plexypay_async.pay.description import PAY

from .failures import HELD, THREE, UNREACHABLE, Cell, cells_of, failing, unreachable
from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    CREATED,
    DROP,
    KEY,
    LINKS,
    NOT_FOUND,
    RESET,
    SILENCE,
    Answer,
    Cut,
    Script,
    Step,
    link,
    page,
    scripted,
)

pytestmark = pytest.mark.asyncio

# Of three attempts. "6/2 Name": the server sees six requests if it fails so for ever, and the error is
# `NameError`; it sees two if it fails once, and the call succeeds. "1/- Name": one failure is raised.
# aiohttp sends a GET a second time by itself after a disconnect: hence the sixes.
MATRIX = """
failure            | safe                   | same key               | after look-up          | outcome
connection refused | 0/- Connect            | 0/- Connect            | 0/- Connect            | not_sent
connect timed out  | 0/- Connect            | 0/- Connect            | 0/- Connect            | not_sent
no slot in time    | 0/- DeadlineExceeded   | 0/- DeadlineExceeded   | 0/- DeadlineExceeded   | not_sent
code 1             | 3/2 ServiceUnavailable | 3/2 ServiceUnavailable | 3/2 ServiceUnavailable | rejected
429                | 3/2 RateLimited        | 3/2 RateLimited        | 3/2 RateLimited        | rejected
401                | 1/- Authentication     | 1/- Authentication     | 1/- Authentication     | rejected
code 2             | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | 3/2 SomethingWentWrong | unknown
500 without code   | 3/2 SomethingWentWrong | 3/2 OutcomeUnknown     | 3/2 SomethingWentWrong | unknown
silent server      | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
closed             | 6/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
reset              | 6/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | 3/2 OutcomeUnknown     | unknown
deadline           | 1/- DeadlineExceeded   | 1/- DeadlineExceeded   | 1/- DeadlineExceeded   | unknown
cut in its body    | 3/2 UnreadableResponse | 3/2 UnreadableResponse | 1/- UnreadableResponse | done

failure            | create                 | money                  | outcome
connection refused | 0/- Connect            | 0/- Connect            | not_sent
connect timed out  | 0/- Connect            | 0/- Connect            | not_sent
no slot in time    | 0/- DeadlineExceeded   | 0/- DeadlineExceeded   | not_sent
code 1             | 3/2 ServiceUnavailable | 3/2 ServiceUnavailable | rejected
429                | 3/2 RateLimited        | 3/2 RateLimited        | rejected
401                | 1/- Authentication     | 1/- Authentication     | rejected
code 2             | 3/2 OutcomeUnknown     | 1/- OutcomeUnknown     | unknown
500 without code   | 1/- OutcomeUnknown     | 1/- OutcomeUnknown     | unknown
silent server      | 1/- OutcomeUnknown     | 1/- OutcomeUnknown     | unknown
closed             | 1/- OutcomeUnknown     | 1/- OutcomeUnknown     | unknown
reset              | 1/- OutcomeUnknown     | 1/- OutcomeUnknown     | unknown
deadline           | 1/- DeadlineExceeded   | 1/- DeadlineExceeded   | unknown
cut in its body    | 1/- UnreadableResponse | 1/- UnreadableResponse | done
"""

LOOKED_UP = {"code 2", "500 without code", "silent server", "closed", "reset", "cut in its body"}
"""What the after-look-up class looks up after each failure; after the others nothing was done."""


DECLARED = {declaration.name: declaration for declaration in every_declaration(PAY)}


@attrs.frozen
class Subject:
    """One operation of a replay class."""

    name: str
    route: str
    success: Answer
    call: Callable[[AsyncPlexyPay], Awaitable[Any]]
    look_up: str | None = None

    @property
    def replay(self) -> Replay:
        return DECLARED[self.name].replay


def _order(reference: str | None) -> Callable[[AsyncPlexyPay], Awaitable[Any]]:
    return lambda plexy: plexy.payment_links.create(
        amount=2_200_000, currency="KZT", order_reference=reference
    )


SUBJECTS = {
    "safe": Subject(
        "transactions.retrieve",
        "GET /v1/transactions/t",
        Answer(200, {"id": "t", "status": "charged"}),
        lambda plexy: plexy.transactions.retrieve("t"),
    ),
    "same key": Subject(
        "wallet.authorize",
        "POST /v1/wallet/authorize",
        Answer(
            200,
            {
                "walletTransactionStatus": "NEW",
                "orderReference": "ORD-1",
                "amount": 2_200_000,
                "walletTransactionId": "w",
            },
        ),
        lambda plexy: plexy.wallet.authorize(amount=2_200_000, order_reference="ORD-1"),
    ),
    "after look-up": Subject(
        "payment_links.create",
        f"POST {LINKS}",
        CREATED,
        _order("ORD-1"),
        look_up=f"GET {BY_REFERENCE}/ORD-1",
    ),
    "create": Subject("payment_links.create", f"POST {LINKS}", CREATED, _order(None)),
    "money": Subject(
        "payments.refund",
        "POST /v1/payments/t/refund",
        # Cut in half, it still says so.
        Answer(200, {"success": True, "message": "Successfully refunded the transaction"}),
        lambda plexy: plexy.payments.refund("t", amount=Decimal("15.55")),
    ),
}


CELLS = cells_of(MATRIX)
ANSWERED: dict[str, Step] = {
    "code 1": CODE_1,
    "429": Answer(429, {"message": "slow down"}),
    "401": Answer(401, {"message": "who are you?"}),
    "code 2": CODE_2,
    "500 without code": Answer(500, {"message": "failed to handle command"}),
    "silent server": SILENCE,
    "closed": DROP,
    "reset": RESET,
    "deadline": SILENCE,
}


def _routes(cell: Cell, *steps: Step) -> dict[str, Any]:
    """Play the steps, and let every look-up prove itself and find nothing."""
    subject = SUBJECTS[cell.subject]
    other = link("ORD-0")
    return {
        subject.route: list(steps),
        f"GET {BY_REFERENCE}/ORD-0": Answer(200, other),
        f"GET {BY_REFERENCE}/*": NOT_FOUND,
        f"GET {LINKS}": page(other),
        **HELD,
    }


def _failing(cell: Cell) -> Step:
    return ANSWERED.get(cell.failure, Cut(SUBJECTS[cell.subject].success))


def _client(cell: Cell, *steps: Step) -> contextlib.AbstractAsyncContextManager[tuple[AsyncPlexyPay, Script]]:
    """Return a client for whom everything goes wrong as the cell says."""
    return failing(cell.failure, _routes(cell, *steps), partial(AsyncPlexyPay, KEY))


def _check_what_was_sent(cell: Cell, script: Script) -> None:
    """Every sending is the same, and carries the same key, where there is one."""
    subject = SUBJECTS[cell.subject]
    sent = [seen for seen in script.seen if seen.route == subject.route]
    assert len({seen.body for seen in sent}) <= 1
    keys = {seen.headers.get("idempotency-key") for seen in sent}
    if subject.replay is not Replay.SAME_KEY:
        assert keys <= {None}
    elif sent:
        (key,) = keys
        assert uuid.UUID(str(key)).version == 4


async def test_the_matrix_is_whole() -> None:
    failures = {*ANSWERED, "cut in its body", *UNREACHABLE, "no slot in time"}

    assert {cell.subject for cell in CELLS} == set(SUBJECTS)
    assert {cell.failure for cell in CELLS} == failures
    assert len({str(cell) for cell in CELLS}) == len(CELLS) == len(SUBJECTS) * len(failures)
    assert [subject.replay for subject in SUBJECTS.values()] == [
        Replay.SAFE,
        Replay.SAME_KEY,
        Replay.AFTER_LOOKUP,
        Replay.AFTER_LOOKUP,
        Replay.MONEY,
    ]
    assert {subject.replay for subject in SUBJECTS.values()} | {Replay.CREATE} == {
        declaration.replay for declaration in every_declaration(PAY)
    }


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_failure_that_lasts(cell: Cell) -> None:
    subject = SUBJECTS[cell.subject]
    async with _client(cell, _failing(cell)) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await subject.call(plexy)
        error = caught.value
    assert type(error) is cell.error
    assert error.outcome is cell.outcome
    assert error.operation == subject.name
    assert script.count(subject.route) == cell.requests
    if cell.failure in UNREACHABLE:
        assert len(error.attempts) == 2, "it was tried three times"
    if subject.look_up is not None:
        assert script.count(subject.look_up) == (cell.requests if cell.failure in LOOKED_UP else 0)
    _check_what_was_sent(cell, script)
    if subject.replay is Replay.SAME_KEY:
        keys = {seen.headers["idempotency-key"] for seen in script.seen if seen.route == subject.route}
        assert keys <= {error.idempotency_key}
        assert error.idempotency_key is not None


@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if cell.failure in ANSWERED or cell.failure == "cut in its body"], ids=str
)
async def test_a_failure_that_passes(cell: Cell) -> None:
    subject = SUBJECTS[cell.subject]
    async with _client(cell, _failing(cell), subject.success) as (plexy, script):
        if cell.once is None:
            with pytest.raises(cell.error) as caught:
                await subject.call(plexy)
            assert caught.value.outcome is cell.outcome
            assert script.count(subject.route) == 1
        else:
            assert await subject.call(plexy) is not None
            assert script.count(subject.route) == cell.once
    _check_what_was_sent(cell, script)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("failure", UNREACHABLE)
async def test_a_call_is_sent_once_when_the_server_takes_connections_again(
    subject: str, failure: str
) -> None:
    cell = next(cell for cell in CELLS if (cell.subject, cell.failure) == (subject, failure))
    played = SUBJECTS[subject]
    policy = RetryPolicy(max_attempts=1000, base=0.002, cap=0.005)
    async with (
        unreachable(_routes(cell, played.success), failure) as server,
        AsyncPlexyPay(KEY, base_url=server.url, retry=policy, connect_timeout=0.05, timeout=20) as plexy,
    ):
        calling = asyncio.ensure_future(played.call(plexy))
        await asyncio.sleep(0.1)
        assert not calling.done()
        assert server.script.counts == {}
        await server.listen()
        assert await calling is not None
        assert server.script.counts == {played.route: 1}


async def test_the_key_of_a_settlement_order_stays_over_all_attempts() -> None:
    route = "POST /v1/merchants/settlement-payment-orders"
    steps = [
        DROP,
        CODE_2,
        CODE_1,
        Cut(Answer(200, {"id": "o"})),
        Answer(200, {"id": "o"}),
        Answer(200, {"id": "p"}),
    ]
    async with scripted({route: steps}) as (plexy, script):
        made = await plexy.settlement_orders.create(amount=10_000, currency="KZT")
        await plexy.settlement_orders.create(amount=10_000, currency="KZT")
    assert made.id == "o"
    keys = [seen.json["requestId"] for seen in script.seen]
    assert len(keys) == 6
    assert len(set(keys[:5])) == 1
    assert keys[5] != keys[0], "another call is another order"
    assert uuid.UUID(keys[0]).version == 4


async def test_the_callers_key_is_the_one_that_is_sent() -> None:
    route = SUBJECTS["same key"].route
    async with scripted({route: [DROP, SUBJECTS["same key"].success]}) as (plexy, script):
        await plexy.wallet.authorize(amount=2_200_000, order_reference="ORD-1", idempotency_key="mine")
        assert [seen.headers["idempotency-key"] for seen in script.seen] == ["mine", "mine"]
    async with scripted({route: DROP}, retry=THREE) as (plexy, script):
        with pytest.raises(OutcomeUnknownError, match="idempotency_key='mine' is safe to repeat") as caught:
            await plexy.wallet.authorize(amount=1, idempotency_key="mine")
    assert caught.value.idempotency_key == "mine"


async def test_a_deadline_after_a_failed_attempt_says_what_both_mean() -> None:
    """A refusal does not hide that the attempt after it may have moved the money."""
    async with scripted({SUBJECTS["money"].route: [CODE_1, SILENCE]}, timeout=0.2) as (plexy, script):
        with pytest.raises(
            DeadlineExceededError, match=r"look for .* in transactions\.history\('t'\)"
        ) as caught:
            await SUBJECTS["money"].call(plexy)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert [type(error).__name__ for error in caught.value.attempts] == ["ServiceUnavailableError"]
    assert script.count() == 2
