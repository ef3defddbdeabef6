"""One deadline over a whole call, time-outs of single attempts, and cancellation from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConnectError,
    DeadlineExceededError,
    Outcome,
    OutcomeUnknownError,
    PaymentLink,
    PlexyPayError,
    RetryPolicy,
    ServiceUnavailableError,
)

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    CREATED,
    DROP,
    FOUND,
    LINKS,
    NOT_FOUND,
    ONCE,
    SILENCE,
    Answer,
    Late,
    Parts,
    Script,
    Trickle,
    code,
    link,
    now,
    page,
    scripted,
)

pytestmark = pytest.mark.asyncio

TOLERANCE = 0.5
STUBBORN = RetryPolicy(max_attempts=10_000, base=0.002, cap=0.01)


def create(plexy: AsyncPlexyPay, reference: str | None = "ORD-1") -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference=reference)


def retrieve(plexy: AsyncPlexyPay) -> Any:
    return plexy.payment_links.retrieve("pl_1")


@contextmanager
def ends_within(timeout: float, *, begins: float = 0.0) -> Generator[None, None, None]:
    began = now()
    yield
    took = now() - began
    assert begins <= took <= timeout + TOLERANCE


# ------------------------------------------------------------------------------------------- a silent server


@pytest.mark.parametrize(("timeout", "call"), [(0.3, retrieve), (0.3, create), (2.0, create)])
async def test_silence_ends_with_the_deadline(timeout: float, call: Any) -> None:
    async with scripted({"*": SILENCE}, timeout=timeout) as (plexy, script):
        with ends_within(timeout, begins=timeout), pytest.raises(TimeoutError) as caught:
            await call(plexy)
        assert script.count() == 1
    error = caught.value
    assert isinstance(error, DeadlineExceededError)
    assert error.outcome is Outcome.UNKNOWN
    assert error.attempts == ()
    assert error.operation in ("payment_links.retrieve", "payment_links.create")
    assert f"{timeout:g} s" in str(error)


async def test_a_read_timeout_and_its_repeats_stay_within_the_deadline() -> None:
    silent = scripted({"*": SILENCE}, timeout=0.4, read_timeout=0.05, retry=STUBBORN)
    async with silent as (plexy, script):
        with ends_within(0.4), pytest.raises(PlexyPayError) as caught:
            await retrieve(plexy)
        assert script.count() >= 3
    assert isinstance(caught.value, (DeadlineExceededError, OutcomeUnknownError))
    assert caught.value.outcome is Outcome.UNKNOWN
    assert len(caught.value.attempts) >= 2


async def test_a_trickling_body_ends_with_the_deadline_although_it_is_never_silent() -> None:
    async with scripted({"*": Trickle(CREATED)}, timeout=0.3, read_timeout=0.1) as (plexy, script):
        with ends_within(0.3, begins=0.3), pytest.raises(DeadlineExceededError) as caught:
            await create(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
async def test_a_request_without_a_body_that_met_silence_is_not_called_unsent(method: str) -> None:
    async with scripted({"*": SILENCE}, timeout=0.1) as (plexy, _):
        with pytest.raises(DeadlineExceededError) as caught:
            await plexy.request(method, "/v1/things")
    assert caught.value.outcome is Outcome.UNKNOWN


# --------------------------------------------------------------------------------------- never sent, refused


@pytest.mark.parametrize("call", [retrieve, create])
async def test_a_refusing_port_ends_in_time_and_nothing_was_sent(call: Any) -> None:
    """A pause that would pass the deadline is not begun: then the last refusal is the error."""
    async with scripted({}, listening=False, timeout=0.3, retry=STUBBORN) as (plexy, _):
        with ends_within(0.3), pytest.raises((ConnectError, DeadlineExceededError)) as caught:
            await call(plexy)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert len(caught.value.attempts) > 10


async def test_a_call_that_waited_for_a_connection_in_vain_was_not_sent() -> None:
    async with scripted({f"POST {LINKS}": SILENCE}, max_connections=1, timeout=0.5) as (plexy, script):
        hanging = asyncio.ensure_future(create(plexy, "ORD-1"))
        while not script.count():
            await asyncio.sleep(0.005)
        with ends_within(0.2), pytest.raises(DeadlineExceededError) as caught:
            await create(plexy.with_options(timeout=0.2), "ORD-2")
        assert script.count() == 1
        with pytest.raises(DeadlineExceededError) as hung:
            await hanging
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.order_reference == "ORD-2"
    assert hung.value.outcome is Outcome.UNKNOWN


async def test_a_slot_that_was_waited_for_in_vain_is_not_lost() -> None:
    async with scripted({"*": [Late(1.0, FOUND), FOUND]}, max_connections=1) as (plexy, script):
        first = asyncio.ensure_future(retrieve(plexy))
        while not script.count():
            await asyncio.sleep(0.005)
        waiting = [asyncio.ensure_future(retrieve(plexy.with_options(timeout=0.1))) for _ in range(5)]
        for call in waiting:
            with pytest.raises(DeadlineExceededError):
                await call
        assert isinstance(await first, PaymentLink)
        assert isinstance(await retrieve(plexy), PaymentLink)
        assert script.count() == 2


async def test_what_was_refused_and_then_cut_while_waiting_is_rejected() -> None:
    """Code 1 at the first attempt, and no slot for a second: the server said that it did nothing."""
    async with scripted(
        {f"POST {LINKS}": CODE_1, f"GET {LINKS}/pl_1": SILENCE}, max_connections=1, timeout=2.0
    ) as (plexy, script):
        policy = RetryPolicy(base=0.2, cap=0.2)
        calling = asyncio.ensure_future(create(plexy.with_options(timeout=0.4, retry=policy)))
        while not script.count():
            await asyncio.sleep(0.001)
        hanging = asyncio.ensure_future(retrieve(plexy))
        with pytest.raises((DeadlineExceededError, ServiceUnavailableError)) as caught:
            await calling
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
    assert caught.value.outcome is Outcome.REJECTED


# ------------------------------------------------------------------------------------- pauses and look-ups


async def test_a_pause_that_would_pass_the_deadline_is_not_begun() -> None:
    policy = RetryPolicy(base=1000.0, cap=1000.0)
    async with scripted({"*": CODE_1}, timeout=0.3, retry=policy) as (plexy, script):
        with ends_within(0.0), pytest.raises(ServiceUnavailableError) as caught:
            await retrieve(plexy)
        assert script.count() == 1
    assert caught.value.attempts == ()


async def test_code_1_for_ever_ends_in_time() -> None:
    async with scripted({"*": CODE_1}, timeout=0.3, retry=STUBBORN) as (plexy, _):
        with ends_within(0.3), pytest.raises((DeadlineExceededError, ServiceUnavailableError)) as caught:
            await create(plexy)
    assert caught.value.outcome in (Outcome.REJECTED, Outcome.UNKNOWN)
    assert {type(earlier) for earlier in caught.value.attempts} == {ServiceUnavailableError}


async def test_an_attempt_cut_after_a_refusal_is_unknown() -> None:
    async with scripted({"*": [CODE_1, SILENCE]}, timeout=0.2) as (plexy, script):
        with ends_within(0.2, begins=0.2), pytest.raises(DeadlineExceededError) as caught:
            await create(plexy)
        assert script.count() == 2
    assert caught.value.outcome is Outcome.UNKNOWN
    assert [type(earlier) for earlier in caught.value.attempts] == [ServiceUnavailableError]


@pytest.mark.parametrize("where", ["look-up", "listing", "proof"])
async def test_the_deadline_bounds_the_recovery_too(where: str) -> None:
    routes: dict[str, Any] = {f"POST {LINKS}": CODE_2}
    routes[f"GET {BY_REFERENCE}/ORD-1"] = SILENCE if where == "look-up" else NOT_FOUND
    routes[f"GET {LINKS}"] = SILENCE if where == "listing" else page(link("OTHER"))
    routes[f"GET {BY_REFERENCE}/OTHER"] = SILENCE
    async with scripted(routes, timeout=0.3) as (plexy, script):
        with ends_within(0.3, begins=0.3), pytest.raises(DeadlineExceededError) as caught:
            await create(plexy)
        assert script.count("POST *") == 1
    assert caught.value.outcome is Outcome.UNKNOWN
    assert "ORD-1" in str(caught.value)


async def test_a_look_up_that_meets_faults_for_ever_ends_in_time() -> None:
    routes = {f"POST {LINKS}": DROP, f"GET {BY_REFERENCE}/*": CODE_1}
    async with scripted(routes, timeout=0.3) as (plexy, script):
        with ends_within(0.3), pytest.raises((DeadlineExceededError, OutcomeUnknownError)) as caught:
            await create(plexy)
        assert script.count("POST *") == 1
        assert script.count("GET *") > 3
    assert caught.value.outcome is Outcome.UNKNOWN


# -------------------------------------------------------------------------------------------- read time-out


async def test_a_silent_attempt_ends_with_the_read_timeout_and_a_safe_one_is_repeated() -> None:
    async with scripted({"*": [SILENCE, FOUND]}, read_timeout=0.05) as (plexy, script):
        with ends_within(0.1, begins=0.05):
            assert isinstance(await retrieve(plexy), PaymentLink)
        assert script.count() == 2


async def test_a_create_looks_up_what_a_silent_attempt_has_done() -> None:
    routes = {f"POST {LINKS}": SILENCE, f"GET {BY_REFERENCE}/ORD-1": FOUND}
    async with scripted(routes, read_timeout=0.05) as (plexy, script):
        found = await create(plexy)
        assert found.order_reference == "ORD-1"
        assert script.counts == {f"POST {LINKS}": 1, f"GET {BY_REFERENCE}/ORD-1": 1}


@pytest.mark.parametrize("call", [create, retrieve])
async def test_a_body_may_take_longer_than_the_read_timeout_as_long_as_it_is_not_silent(call: Any) -> None:
    slow = Parts(CREATED, parts=6, every=0.1)
    async with scripted({"*": [slow, CREATED]}, read_timeout=0.25, retry=ONCE) as (plexy, script):
        with ends_within(0.6, begins=0.6):
            assert (await call(plexy)).url == CREATED.body["url"]
        # The connection is as good as new.
        await call(plexy)
        assert (script.count(), script.connections) == (2, 1)


async def test_a_body_that_falls_silent_is_a_cut_answer() -> None:
    cut = Parts(CREATED, parts=4, every=0.01, sent=2)
    routes = {f"POST {LINKS}": cut, f"GET {BY_REFERENCE}/ORD-1": FOUND}
    async with scripted(routes, read_timeout=0.1) as (plexy, script):
        with ends_within(0.2, begins=0.1):
            assert isinstance(await create(plexy), PaymentLink)
        assert script.counts == {f"POST {LINKS}": 1, f"GET {BY_REFERENCE}/ORD-1": 1}


async def test_connecting_and_waiting_for_a_place_are_no_silence() -> None:
    late = Late(0.2, CREATED)
    async with scripted({"*": late}, read_timeout=0.3, max_connections=1, retry=ONCE) as (plexy, script):
        # The last waits for a place for longer than it may for an answer.
        made = await asyncio.gather(*(create(plexy) for _ in range(4)))
        assert [type(link) for link in made] == [PaymentLink] * 4
        assert script.count() == 4


async def test_a_pause_is_no_silence() -> None:
    routes = {"*": [code(1, 503, Retry_After="0.4"), CREATED]}
    async with scripted(routes, read_timeout=0.1) as (plexy, script):
        assert isinstance(await create(plexy), PaymentLink)
        assert script.count() == 2


async def test_a_derived_client_may_be_more_patient() -> None:
    async with scripted({"*": Late(0.15, FOUND)}, read_timeout=0.05, retry=ONCE) as (plexy, _):
        assert isinstance(await retrieve(plexy.with_options(read_timeout=5)), PaymentLink)
        with pytest.raises(OutcomeUnknownError):
            await retrieve(plexy)


# ------------------------------------------------------------------------------------ cancellation, outside

PLACES: dict[str, Any] = {
    "sending": SILENCE,
    "pausing": code(1, 503, Retry_After="3"),
    "reading": Trickle(FOUND),
}


async def _begun(script: Script) -> None:
    while not script.count():
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.03)


@pytest.mark.parametrize("place", PLACES)
async def test_a_cancellation_is_not_swallowed(place: str) -> None:
    async with scripted({"*": PLACES[place]}) as (plexy, script):
        calling = asyncio.ensure_future(retrieve(plexy))
        await _begun(script)
        calling.cancel("outside")
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert calling.cancelled()
        script.on("*", FOUND)
        assert isinstance(await retrieve(plexy), PaymentLink)


@pytest.mark.parametrize("place", PLACES)
async def test_a_timeout_of_the_caller_works_around_a_call(place: str) -> None:
    async with scripted({"*": PLACES[place]}) as (plexy, _):
        with ends_within(0.1), pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await retrieve(plexy)
        assert not isinstance(caught.value, PlexyPayError)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_the_deadline_leaves_no_cancellation_behind() -> None:
    task = asyncio.current_task()
    assert task is not None
    async with scripted({"*": SILENCE}, timeout=0.1) as (plexy, _):
        for _ in range(2):
            with pytest.raises(DeadlineExceededError):
                await retrieve(plexy)
            assert task.cancelling() == 0
        async with asyncio.timeout(5):
            with pytest.raises(DeadlineExceededError):
                await retrieve(plexy)
        assert task.cancelling() == 0


async def test_a_cancellation_together_with_the_deadline_wins() -> None:
    """Whichever comes first in the same turn of the loop, the task that was cancelled ends cancelled."""
    for offset in (-0.02, 0.0, 0.03, 0.05, 0.07):
        async with scripted({"*": SILENCE}, timeout=0.1) as (plexy, _):
            calling = asyncio.ensure_future(retrieve(plexy))
            cancelled = await asyncio.sleep(0.1 + offset, calling.cancel)
            took_it = cancelled()
            done, _ = await asyncio.wait([calling], timeout=10)
            assert done == {calling}
            if took_it:
                assert calling.cancelled()
            else:
                assert isinstance(calling.exception(), DeadlineExceededError)


async def test_a_cancellation_in_the_very_turn_of_the_deadline_wins() -> None:
    """The deadline has cut the call, and its task has not yet run when it is cancelled from outside."""
    async with scripted({"*": SILENCE}, timeout=0.1) as (plexy, script):
        calling = asyncio.ensure_future(retrieve(plexy))
        await _begun(script)
        while not calling.cancelling():
            await asyncio.sleep(0)
        if not calling.done():
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            assert calling.cancelled()


async def test_a_group_that_ends_a_call_sees_it_cancelled() -> None:
    async with scripted({f"GET {LINKS}/pl_1": SILENCE, "*": Answer(404)}) as (plexy, script):
        cancelled: list[bool] = []

        async def hang() -> None:
            try:
                await retrieve(plexy)
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        async def fail() -> None:
            await _begun(script)
            raise LookupError("the sibling's own")

        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(hang())
                group.create_task(fail())

        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        assert cancelled == [True]


async def test_many_calls_that_end_in_time_leave_nothing_to_watch() -> None:
    async with scripted({"*": FOUND}) as (plexy, _):
        await asyncio.gather(*(retrieve(plexy) for _ in range(300)))
        await asyncio.sleep(0.15)
        loop: Any = asyncio.get_running_loop()
        assert [
            handle for handle in loop._scheduled if "_on_tick" in repr(handle) and not handle.cancelled()
        ] == []
