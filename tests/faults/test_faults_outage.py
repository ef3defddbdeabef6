"""Single calls while nothing works: who waits, who probes, who gives up, and what each of them then says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest

from benchmarks.outage import blip, outage
from benchmarks.outage_server import served
from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    DeadlineExceededError,
    OutageError,
    Outcome,
    PaymentLink,
    PlexyPayError,
    RetryPolicy,
    ServiceUnavailableError,
)
from plexypay_async._core.outage_gate import OutageGate

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    CREATED,
    DROP,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    SHORT,
    SILENCE,
    Answer,
    Parts,
    Script,
    Seen,
    Step,
    code,
    fitting,
    link,
    page,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

POST = f"POST {LINKS}"
LOOK_UPS = f"GET {BY_REFERENCE}/*"
AT_ONCE = attrs.evolve(SHORT, outage="fail")
FOR_LONG = 20


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is known after five failures, and probes go out every few milliseconds."""
    monkeypatch.setattr("plexypay_async._core.retry_budget.OUTAGE_LASTS", 0.0)
    monkeypatch.setattr("plexypay_async._core.retry_budget.PROBE_INTERVAL", 0.01)


@pytest.fixture
def one_probe(soon: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first probe of an outage there comes no other."""
    monkeypatch.setattr("plexypay_async._core.retry_budget.PROBE_INTERVAL", 3600.0)
    monkeypatch.setattr("plexypay_async._core.retry_budget.STALE_AFTER", 3600.0)


def retrieve(plexy: AsyncPlexyPay, id: str = "pl_1") -> Any:
    return plexy.payment_links.retrieve(id)


def create(plexy: AsyncPlexyPay, reference: str = "ORD-1") -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference=reference)


async def failure(call: Any) -> PlexyPayError:
    with pytest.raises(PlexyPayError) as caught:
        await call
    return caught.value


@asynccontextmanager
async def in_outage(**options: Any) -> AsyncGenerator[tuple[AsyncPlexyPay, Script, asyncio.Task[Any]]]:
    """A client that knows that nothing works, and the call that has found it out and waits."""
    async with scripted({"*": CODE_1}, timeout=60.0, **options) as (plexy, script):
        waiting = asyncio.create_task(retrieve(plexy.with_options(retry=SHORT)))
        while script.count() < 6:
            await asyncio.sleep(0.005)
        # The probe's own failure is told.
        while plexy._execution.budget.failures_on_end < 6:
            await asyncio.sleep(0.005)
        try:
            yield plexy, script, waiting
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


# ------------------------------------------------------------------------------------------- the waiting


@pytest.mark.usefixtures("soon")
async def test_a_call_outlasts_more_failures_than_it_has_attempts() -> None:
    async with scripted({"*": [*[CODE_1] * FOR_LONG, FOUND]}) as (plexy, script):
        assert isinstance(await retrieve(plexy), PaymentLink)
        assert script.count() == FOR_LONG + 1
        assert plexy.failing is None


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("outage", ["wait", "fail"])
async def test_a_look_up_outlasts_as_many(outage: Any) -> None:
    routes = {POST: DROP, LOOK_UPS: [*[CODE_1] * FOR_LONG, FOUND]}
    async with scripted(routes, retry=attrs.evolve(SHORT, outage=outage)) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {POST: 1, f"GET {BY_REFERENCE}/ORD-1": FOR_LONG + 1}


@pytest.mark.usefixtures("soon")
async def test_a_wait_past_the_deadline_is_given_up_at_once_in_an_outage_too() -> None:
    for_long = code(1, 503, Retry_After="60")
    async with scripted({"*": [*[CODE_1] * 5, for_long]}) as (plexy, script):
        error = await failure(retrieve(plexy))
        assert isinstance(error, ServiceUnavailableError)
        assert error.retry_after == 60.0
        assert script.count() == 6


@pytest.mark.usefixtures("soon")
async def test_one_attempt_is_one_attempt_in_an_outage_too() -> None:
    async with in_outage() as (plexy, script, _):
        once = plexy.with_options(retry=RetryPolicy(max_attempts=1))
        error = await failure(create(once))
        assert isinstance(error, ServiceUnavailableError)
        assert script.count(POST) == 1


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("answer", [Answer(200, link()), NOT_FOUND])
async def test_any_answer_that_shows_that_the_server_works_ends_it(answer: Answer) -> None:
    async with in_outage() as (plexy, script, waiting):
        others = [asyncio.create_task(create(plexy, f"ORD-{number}")) for number in range(60)]
        await asyncio.sleep(0.05)
        assert plexy.failing is not None
        script.on("*", lambda seen: fitting(CREATED, seen) if seen.method == "POST" else answer)
        assert all(isinstance(link, PaymentLink) for link in await asyncio.gather(*others))
        await asyncio.gather(waiting, return_exceptions=True)
        assert plexy.failing is None


async def test_one_broken_operation_holds_no_other_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    wait = OutageGate.wait

    async def noted(gate: OutageGate, price: int) -> int:
        waits.append(price)
        return await wait(gate, price)

    monkeypatch.setattr(OutageGate, "wait", noted)
    async with scripted({f"GET {LINKS}/*": CODE_1, POST: CREATED}) as (plexy, _):
        broken = [asyncio.create_task(failure(retrieve(plexy))) for _ in range(20)]
        made = 0
        while not all(call.done() for call in broken):
            made += isinstance(await create(plexy, f"ORD-{made}"), PaymentLink)
        assert {type(call.result()) for call in broken} == {ServiceUnavailableError}
    assert made
    assert waits == []


@pytest.mark.usefixtures("soon")
async def test_look_ups_that_are_answered_show_that_the_server_works() -> None:
    """Creates alone fail, so their attempts count as ever."""

    def look_up(seen: Seen) -> Step:
        return Answer(200, link("KNOWN")) if seen.path.endswith("/KNOWN") else NOT_FOUND

    routes = {POST: CODE_2, LOOK_UPS: look_up, f"GET {LINKS}": page(link("KNOWN"))}
    async with scripted(routes, timeout=20.0) as (plexy, script):
        for number in range(2):
            error = await failure(create(plexy, f"ORD-{number}"))
            assert not isinstance(error, DeadlineExceededError)
        assert script.count(POST) == 2 * SHORT.max_attempts


# --------------------------------------------------------------------------------------- what is said then


@pytest.mark.usefixtures("one_probe")
async def test_the_deadline_of_a_call_that_was_never_sent_says_so() -> None:
    async with in_outage() as (plexy, script, _):
        error = await failure(create(plexy.with_options(timeout=0.2)))
        assert isinstance(error, DeadlineExceededError)
        assert error.outcome is Outcome.NOT_SENT
        assert "code 1" in str(error)
        assert str(error).endswith("Nothing was sent.")
        assert isinstance(error.__cause__, ServiceUnavailableError)
        assert error.attempts == ()
        assert error.order_reference == "ORD-1"
        assert script.count(POST) == 0


@pytest.mark.usefixtures("one_probe")
async def test_the_deadline_of_a_call_whose_answer_was_lost_leaves_it_unknown() -> None:
    async with scripted({"*": DROP}, timeout=0.5) as (plexy, script):
        error = await failure(create(plexy))
        assert isinstance(error, DeadlineExceededError)
        assert error.outcome is Outcome.UNKNOWN
        assert script.count(POST) == 1


@pytest.mark.usefixtures("one_probe")
async def test_the_deadline_of_a_call_that_was_refused_leaves_it_undone() -> None:
    async with scripted({"*": CODE_1}, timeout=2.0) as (plexy, script):
        error = await failure(create(plexy))
        assert isinstance(error, DeadlineExceededError)
        assert error.outcome is Outcome.REJECTED
        assert str(error).endswith("The server did not do it.")
        assert "no success within 2 s, for the server fails all that it is sent (the latest: " in str(error)
        assert "code 1" in str(error)
        assert any('RetryPolicy(outage="fail")' in note for note in error.__notes__)
        assert 1 <= script.count(POST) <= 6


@pytest.mark.usefixtures("one_probe")
async def test_those_that_wait_for_a_connection_are_not_sent_into_it() -> None:
    async with scripted({"*": CODE_1}, timeout=2.0, max_connections=1) as (plexy, script):
        errors = await asyncio.gather(*(failure(create(plexy, f"ORD-{number}")) for number in range(30)))
        assert script.count() <= 8
    assert {type(error) for error in errors} == {DeadlineExceededError}
    assert sum(error.outcome is Outcome.NOT_SENT for error in errors) >= 22


@pytest.mark.usefixtures("one_probe")
async def test_closing_the_client_ends_those_that_wait() -> None:
    async with in_outage() as (plexy, script, waiting):
        new = asyncio.create_task(create(plexy))
        await asyncio.sleep(0.02)
        await plexy.close()
        error = await failure(new)
        assert isinstance(error, ConfigurationError)
        assert "closed" in str(error)
        assert isinstance(await failure(waiting), ConfigurationError)
        assert script.count(POST) == 0


@pytest.mark.usefixtures("one_probe")
async def test_one_that_is_cancelled_while_it_waits_is_gone() -> None:
    async with in_outage() as (plexy, script, _):
        new = asyncio.create_task(create(plexy))
        await asyncio.sleep(0.02)
        new.cancel()
        with pytest.raises(asyncio.CancelledError):
            await new
        assert script.count(POST) == 0


# --------------------------------------------------------------------------------------- failing at once


@pytest.mark.usefixtures("one_probe")
async def test_a_new_call_fails_at_once_where_none_is_to_wait() -> None:
    async with in_outage(retry=AT_ONCE) as (plexy, script, waiting):
        error = await failure(create(plexy))
        assert isinstance(error, OutageError)
        assert error.outcome is Outcome.NOT_SENT
        assert "code 1" in str(error)
        assert isinstance(error.__cause__, ServiceUnavailableError)
        assert error.operation == "payment_links.create"
        assert script.count(POST) == 0
        assert not waiting.done()


@pytest.mark.usefixtures("one_probe")
async def test_a_repeat_that_meets_the_outage_raises_its_last_error_and_a_new_call_probes() -> None:
    async with scripted({"*": CODE_1}, retry=AT_ONCE) as (plexy, script):
        assert isinstance(await failure(retrieve(plexy)), ServiceUnavailableError)
        assert script.count() == 5
        # One that is new goes out as the probe, and no more than one.
        assert isinstance(await failure(retrieve(plexy)), ServiceUnavailableError)
        assert script.count() == 6
        assert isinstance(await failure(retrieve(plexy)), OutageError)
        assert script.count() == 6


@pytest.mark.usefixtures("soon")
async def test_the_first_success_ends_it_where_none_waits() -> None:
    async with scripted({"*": CODE_1}, retry=AT_ONCE) as (plexy, script):
        await failure(retrieve(plexy))
        script.on("*", FOUND)
        found = None
        while found is None:
            try:
                found = await retrieve(plexy)
            except OutageError:
                await asyncio.sleep(0.005)
        for _ in range(5):
            await retrieve(plexy)


@pytest.mark.usefixtures("soon")
async def test_waiting_for_a_transaction_outlasts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # Most of its questions come between two probes.
    monkeypatch.setattr("plexypay_async._core.retry_budget.PROBE_INTERVAL", 0.3)
    paid = {"id": "tx_1", "status": "charged", "amount": 1, "currency": "KZT"}
    async with scripted({"*": CODE_1}, retry=AT_ONCE) as (plexy, script):
        await failure(retrieve(plexy))
        waiting = asyncio.create_task(plexy.transactions.wait(id="tx_1", timeout=20.0, interval=0.01))
        await asyncio.sleep(0.5)
        script.on("*", attrs.evolve(FOUND, body=paid))
        assert (await waiting).id == "tx_1"


@pytest.fixture
def soon_hanging(one_probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is silent for a moment hangs."""
    monkeypatch.setattr("plexypay_async._core.call.HANGING_FROM", 0.04)


@pytest.mark.usefixtures("soon_hanging")
@pytest.mark.parametrize("call", ["create", "retrieve"])
async def test_a_server_that_hangs_is_known_by_calls_that_give_up_before_it_is_silent(call: str) -> None:
    """Their own time is shorter than what a server may be silent for."""
    make = create if call == "create" else retrieve
    async with scripted({"*": SILENCE}, retry=AT_ONCE, timeout=0.05, read_timeout=30.0) as (plexy, script):
        for _ in range(5):
            assert isinstance(await failure(make(plexy)), DeadlineExceededError)
        arrived = script.count()
        assert arrived == 5
        # One goes out as the probe.
        assert isinstance(await failure(make(plexy)), DeadlineExceededError)
        error = await failure(make(plexy))
        assert isinstance(error, OutageError)
        # What to look up is that other call's business.
        assert f"(the latest: payment_links.{call}: no answer within 0.05 s). Nothing was sent." in str(error)
        assert script.count() == arrived + 1


@pytest.mark.usefixtures("one_probe")
async def test_a_call_with_little_time_tells_nothing_of_the_server() -> None:
    """The answers to others may well come in time, and a busy event loop takes longer than this."""
    async with scripted({"*": SILENCE}, retry=AT_ONCE, timeout=0.05, read_timeout=30.0) as (plexy, script):
        for _ in range(8):
            assert isinstance(await failure(retrieve(plexy)), DeadlineExceededError)
        assert script.count() == 8


@pytest.mark.usefixtures("soon_hanging")
async def test_a_call_that_gives_up_amid_its_answer_tells_nothing_of_the_server() -> None:
    slow = Parts(FOUND, 3, 0.3)
    async with scripted({"*": slow}, retry=AT_ONCE, timeout=0.05, read_timeout=30.0) as (plexy, script):
        for _ in range(8):
            assert isinstance(await failure(retrieve(plexy)), DeadlineExceededError)
        assert script.count() == 8


@pytest.mark.usefixtures("soon_hanging")
async def test_a_call_that_waits_for_a_connection_tells_nothing_of_the_server() -> None:
    """Here the caller's own work takes all connections of the caller's session."""
    async with (
        serving({"GET /download": SILENCE, "*": FOUND}) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
        AsyncPlexyPay(KEY, base_url=server.url, session=session, retry=AT_ONCE, timeout=0.05) as plexy,
    ):
        download = asyncio.create_task(session.get(f"{server.url}/download").__aenter__())
        while not server.script.count():
            await asyncio.sleep(0.001)
        for _ in range(8):
            assert isinstance(await failure(retrieve(plexy)), DeadlineExceededError)
        download.cancel()
        await asyncio.gather(download, return_exceptions=True)
        await retrieve(plexy)


@pytest.mark.usefixtures("soon_hanging")
async def test_calls_that_wait_send_nothing_more_to_a_server_that_hangs() -> None:
    async with scripted({"*": SILENCE}, timeout=0.05, read_timeout=30.0) as (plexy, script):
        errors = [await failure(create(plexy)) for _ in range(8)]
        assert script.count() <= 6
    assert {type(error) for error in errors} == {DeadlineExceededError}
    assert errors[-1].outcome is Outcome.NOT_SENT


# ---------------------------------------------------------------------------------------- many at once


@pytest.mark.parametrize("kind", ["code 1", "cut", "refused"])
async def test_a_blip_loses_none_of_two_hundred(kind: str) -> None:
    with served(0.02) as (url, outages):
        found = await blip(url, outages, kind, 1.0, 200)
    assert found["lost"] == found["twice"] == 0
    assert found["done"] == 201


@pytest.mark.campaign
@pytest.mark.parametrize("seconds", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("kind", ["code 1", "cut before", "cut after", "gateway", "refused", "mixed"])
async def test_a_blip_loses_none_of_five_hundred(kind: str, seconds: float) -> None:
    with served(0.2) as (url, outages):
        found = await blip(url, outages, kind, seconds, 500)
    assert found["lost"] == found["twice"] == 0
    assert found["done"] == 501


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["code 1", "cut before", "cut after", "cut", "gateway", "refused", "mixed"])
async def test_half_a_minute_loses_none_and_costs_the_server_little(kind: str) -> None:
    with served(0.2) as (url, outages):
        found = await outage(url, outages, kind, 30.0, 500)
    assert found["lost"] == found["unknown"] == found["twice"] == 0
    assert found["most"] <= 10
    assert found["after"] <= 2.0
