"""Waiting for a transaction on both facades, against a server that comes, goes and keeps one waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    AuthenticationError,
    ConnectError,
    DeadlineExceededError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlexyPayError,
    RetryPolicy,
    ServiceUnavailableError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    CODE_1,
    CODE_2,
    DROP,
    KEY,
    NOT_FOUND,
    ONCE,
    RESET,
    SHORT,
    SILENCE,
    Answer,
    Cut,
    Script,
    Seen,
    Server,
    Step,
    code,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

TRANSACTION = "/v1/transactions/t"
BY_ID = f"GET {TRANSACTION}"
BY_LINK = "GET /v1/transactions/by-payment-link/pl_1"
BY_REFERENCE = "GET /v1/transactions/by-order-reference/ORD-1"
SEARCH = "GET /v1/payments/search"

Waiting: TypeAlias = Callable[..., Awaitable[Any]]


def seen(status: str, transaction_id: str | None = "t") -> Answer:
    return Answer(200, {"transactionId": transaction_id, "status": status, "amount": 56.41})


CREATED, AUTHORIZED, CHARGED = seen("created"), seen("TRANSACTION_STATUS_AUTHED"), seen("charged")


async def _async(server: Server, given: dict[str, Any], **options: Any) -> Any:
    async with AsyncPlexyPay(KEY, base_url=server.url, **options) as plexy:
        return await plexy.transactions.wait(**given)


async def _sync(server: Server, given: dict[str, Any], **options: Any) -> Any:
    def wait() -> Any:
        with PlexyPay(KEY, base_url=server.url, **options) as plexy:
            return plexy.transactions.wait(**given)

    return await asyncio.to_thread(wait)


@pytest.fixture(params=[_async, _sync], ids=["async", "sync"])
def waiting(request: pytest.FixtureRequest) -> Waiting:
    """Wait on one of the facades: each poll is one attempt, and pauses are short."""
    facade: Callable[..., Awaitable[Any]] = request.param

    def wait(server: Server, *, retry: RetryPolicy = ONCE, read_timeout: float = 5, **given: Any) -> Any:
        given = {"interval": 0.005, "timeout": 20.0, **given}
        return facade(server, given, retry=retry, read_timeout=read_timeout, timeout=10)

    return wait


# --------------------------------------------------------------------------------------------- the course


async def test_a_paid_transaction_is_asked_for_once(waiting: Waiting) -> None:
    async with serving({BY_ID: CHARGED}) as server:
        found = await waiting(server, id="t")
        assert server.script.counts == {BY_ID: 1}
    assert (found.id, found.status, str(found.amount)) == ("t", "charged", "56.41")


@pytest.mark.parametrize(
    ("given", "route"),
    [
        ({"id": "t"}, BY_ID),
        ({"payment_link_id": "pl_1"}, BY_LINK),
        ({"order_reference": "ORD-1"}, BY_REFERENCE),
    ],
    ids=["id", "link", "reference"],
)
async def test_it_is_asked_for_until_it_is_paid(waiting: Waiting, given: dict[str, Any], route: str) -> None:
    async with serving({route: [CREATED, CREATED, seen("3d"), AUTHORIZED, CHARGED]}) as server:
        found = await waiting(server, **given)
        assert server.script.counts == {route: 4}
        assert server.script.connections == 1
    assert found.status == "authorized"


async def test_a_refund_of_a_charged_payment_can_be_waited_for(waiting: Waiting) -> None:
    refunded = Answer(200, {"transactionId": "t", "status": "refunded", "amount": 1})
    async with serving({BY_ID: [CHARGED, CHARGED, refunded]}) as server:
        found = await waiting(server, id="t", until="refunded")
    assert found.status == "refunded"


async def test_it_is_asked_for_until_it_is_as_wanted(waiting: Waiting) -> None:
    async with serving({BY_ID: [CREATED, AUTHORIZED, AUTHORIZED, CHARGED]}) as server:
        found = await waiting(server, id="t", until="charged")
        assert server.script.counts == {BY_ID: 4}
    assert found.status == "charged"


async def test_a_final_state_ends_the_wait_for_another(waiting: Waiting) -> None:
    async with serving({BY_ID: [CREATED, seen("rejected"), CHARGED]}) as server:
        found = await waiting(server, id="t", until="charged")
        assert server.script.counts == {BY_ID: 2}
    assert found.status == "rejected"


async def test_several_wait_at_once_on_one_client() -> None:
    routes = {
        f"GET /v1/transactions/t{n}": [*[seen("created", f"t{n}")] * n, seen("charged", f"t{n}")]
        for n in range(20)
    }
    async with scripted(routes) as (plexy, script):
        found = await asyncio.gather(*(plexy.transactions.wait(f"t{n}", interval=0.002) for n in range(20)))
        assert [one.status for one in found] == ["charged"] * 20
        assert [script.count(route) for route in routes] == [n + 1 for n in range(20)]


# ---------------------------------------------------------------------------------------------- not found


@pytest.mark.parametrize(
    ("given", "route"),
    [({"payment_link_id": "pl_1"}, BY_LINK), ({"order_reference": "ORD-1"}, BY_REFERENCE)],
    ids=["link", "reference"],
)
async def test_what_is_not_there_yet_is_waited_for(
    waiting: Waiting, given: dict[str, Any], route: str
) -> None:
    async with serving({route: [NOT_FOUND, NOT_FOUND, CREATED, CHARGED], SEARCH: NOT_FOUND}) as server:
        assert (await waiting(server, **given)).status == "charged"
        searched = {SEARCH: 2} if route == BY_REFERENCE else {}
        assert server.script.counts == {route: 4, **searched}


async def test_an_id_that_is_not_there_is_not(waiting: Waiting) -> None:
    async with serving({BY_ID: [NOT_FOUND, CHARGED]}) as server:
        with pytest.raises(NotFoundError) as caught:
            await waiting(server, id="t")
        assert server.script.counts == {BY_ID: 1}
    assert caught.value.outcome is Outcome.REJECTED


# ------------------------------------------------------------------------------------------------- outages

OUTAGES: dict[str, Step] = {
    "code 1": CODE_1,
    "code 2": CODE_2,
    "429": Answer(429, {"message": "slow down"}),
    "502": Answer(502, b"<html>bad gateway</html>"),
    "503": Answer(503, b"<html>down</html>"),
    "504": Answer(504),
    "closed": DROP,
    "reset": RESET,
    "silent": SILENCE,
    "error cut in its body": Cut(CODE_1),
    "success cut in its body": Cut(CHARGED),
}


@pytest.mark.parametrize("how", OUTAGES)
async def test_a_server_that_is_down_is_outlasted(waiting: Waiting, how: str) -> None:
    down = [OUTAGES[how]] * 4
    async with serving({BY_ID: [CREATED, *down, CREATED, CHARGED]}) as server:
        found = await waiting(server, id="t", read_timeout=0.15 if how == "silent" else 5)
        assert server.script.count(BY_ID) >= 7, "every step was played"
    assert found.status == "charged"


async def test_refused_connections_are_outlasted(waiting: Waiting) -> None:
    async with serving({BY_ID: [CREATED, CHARGED]}, listening=False) as server:
        asking = asyncio.ensure_future(waiting(server, id="t"))
        await asyncio.sleep(0.1)
        assert not asking.done()
        await server.listen()
        assert (await asking).status == "charged"
        assert server.script.counts == {BY_ID: 2}


async def test_each_poll_is_tried_as_often_as_the_policy_says(waiting: Waiting) -> None:
    async with serving({BY_ID: [CODE_1, CODE_2, CHARGED]}) as server:
        # No second poll comes within the pause, so that the three are attempts of the first.
        found = await waiting(server, id="t", retry=SHORT, interval=15)
        assert server.script.counts == {BY_ID: 3}
    assert found.status == "charged"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused_in_between_ends_the_wait(waiting: Waiting, status: int) -> None:
    refusal = Answer(status, {"message": f"no such key {KEY}"})
    async with serving({BY_ID: [CREATED, refusal, CHARGED]}) as server:
        with pytest.raises((AuthenticationError, PermissionDeniedError), match="no such key") as caught:
            await waiting(server, id="t")
        assert server.script.counts == {BY_ID: 2}
    assert caught.value.status == status
    assert KEY not in f"{caught.value} {caught.value!r}"


async def test_a_retry_after_is_waited_for(waiting: Waiting) -> None:
    times: list[float] = []

    def noted(step: Answer) -> Callable[[Seen], Step]:
        def play(_: Seen) -> Step:
            times.append(time.monotonic())
            return step

        return play

    busy = code(1, 503, Retry_After="0.3")
    async with serving({BY_ID: [noted(busy), noted(CREATED), noted(CHARGED)]}) as server:
        await waiting(server, id="t")
    assert times[1] - times[0] >= 0.29


# ----------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("step", "told", "cause"),
    [
        (CREATED, "its status is 'created'", None),
        (seen("on_hold"), "its status is 'on_hold'", None),
        (CODE_1, "the server did not tell", ServiceUnavailableError),
        (DROP, "the server did not tell", OutcomeUnknownError),
    ],
    ids=["created", "unknown", "code 1", "closed"],
)
async def test_the_end_of_the_time(
    waiting: Waiting, step: Step, told: str, cause: type[PlexyPayError] | None
) -> None:
    async with serving({BY_ID: step}) as server:
        with pytest.raises(DeadlineExceededError) as caught:
            # The interval is longer than the time, so that the end falls into a pause.
            await waiting(server, id="t", timeout=0.6, interval=15)
    error = caught.value
    assert str(error) == f"transactions.wait: not paid or final within 0.6 s: {told}"
    assert (error.outcome, error.operation) == (Outcome.UNKNOWN, "transactions.wait")
    assert (None if error.__cause__ is None else type(error.__cause__)) is cause


async def test_the_end_of_the_time_cuts_a_request(waiting: Waiting) -> None:
    began = time.monotonic()
    async with serving({BY_ID: [CREATED, SILENCE]}) as server:
        with pytest.raises(DeadlineExceededError, match=r"within 0\.6 s: its status is 'created'"):
            await waiting(server, id="t", timeout=0.6)
        assert server.script.counts == {BY_ID: 2}
    assert time.monotonic() - began >= 0.59


async def test_nobody_listens_until_the_end_of_the_time(waiting: Waiting) -> None:
    async with serving({}, listening=False) as server:
        with pytest.raises(DeadlineExceededError, match="the server did not tell") as caught:
            await waiting(server, id="t", timeout=0.6, interval=15)
    assert type(caught.value.__cause__) is ConnectError


@pytest.mark.parametrize("own", [0.1, 0.15, 0.2, 0.25])
async def test_a_call_that_ends_with_the_wait_keeps_it_from_nothing(own: float) -> None:
    """The deadlines of the wait and of the call under way fall together: neither swallows the other."""
    async with scripted({BY_ID: SILENCE}, timeout=own) as (plexy, script):
        with pytest.raises(DeadlineExceededError, match=r"transactions\.wait: .* within 0\.2 s"):
            await plexy.transactions.wait("t", timeout=0.2, interval=0.01)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert 1 <= script.count() <= 3


# -------------------------------------------------------------------------------------------- cancellation


async def _until(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("steps", [[CREATED], [CREATED, SILENCE]], ids=["in a pause", "in a request"])
async def test_a_wait_that_is_cancelled_leaves_nothing_behind(steps: list[Step]) -> None:
    before = asyncio.all_tasks()
    script = Script({BY_ID: steps})
    interval = 15.0 if len(steps) == 1 else 0.001
    async with scripted(script) as (plexy, _):
        asking = asyncio.create_task(plexy.transactions.wait("t", interval=interval))
        await _until(lambda: script.count() == len(steps))
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert asking.cancelled()
        await asyncio.sleep(0.02)
        assert script.count() == len(steps)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before


async def test_a_cancelled_wait_leaves_the_client_as_it_was() -> None:
    async with scripted(
        {BY_ID: SILENCE, "GET /v1/transactions/u": seen("charged", "u")}, max_connections=1
    ) as (plexy, _):
        asking = asyncio.create_task(plexy.transactions.wait("t"))
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await plexy.transactions.wait("u")).is_paid


async def test_a_request_that_the_end_cuts_hides_no_earlier_failure() -> None:
    async with scripted({BY_REFERENCE: [NOT_FOUND, SILENCE], SEARCH: NOT_FOUND}, retry=ONCE) as (
        plexy,
        script,
    ):
        with pytest.raises(
            DeadlineExceededError, match="nobody has paid: there is no transaction yet"
        ) as caught:
            await plexy.transactions.wait(order_reference="ORD-1", timeout=0.3, interval=0.01)
        assert script.counts == {BY_REFERENCE: 2, SEARCH: 1}
    assert type(caught.value.__cause__) is NotFoundError
    assert 'paths={"transactions.retrieve_by_order_reference"' in "".join(caught.value.__notes__)
