"""Observers are told of each call, attempt, pause, job and webhook, and break none."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    CreatePaymentLink,
    NotFoundError,
    ObservedAttempt,
    Observer,
    Outcome,
    OutcomeUnknownError,
    PlexyPayError,
    RetryPolicy,
    WebhookAuthenticationError,
    WebhookReceiver,
)
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay
from tests.exposure.provocations import API_KEY, NUMBER
from tests.faults.scripted import (
    BY_REFERENCE,
    CODE_1,
    CODE_2,
    CREATED,
    FOUND,
    KEY,
    LINKS,
    NOT_FOUND,
    ONCE,
    RESET,
    SHORT,
    SILENCE,
    TAKEN,
    Answer,
    Cut,
    Late,
    Script,
    fitting,
    link,
    page,
    scripted,
    serving,
)
from tests.frames import record_exposures

from .recording import CALLER, Broken, Recording

pytestmark = pytest.mark.asyncio

CREATE = f"POST {LINKS}"
CHARGED = {
    "name": "transaction.charged",
    "data": {"id": "txn_1", "amount": 100, "currency": "KZT", "status": "charged", "orderReference": "ORD-1"},
}


async def _create(plexy: AsyncPlexyPay) -> Any:
    return await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


async def test_a_call_that_succeeds_at_once() -> None:
    seen = Recording()
    answer = Late(0.05, Answer(201, link(), {"X-Request-Id": "req-1"}))
    async with scripted({CREATE: answer}, observers=[seen]) as (plexy, _):
        await _create(plexy)

    assert seen.events == ["call_began", "attempt_began", "attempt_ended", "call_ended"]
    call, attempt = seen.of("call_ended")[0], seen.of("attempt_ended")[0]
    assert call is seen.of("call_began")[0]
    assert attempt is seen.of("attempt_began")[0]
    assert attempt.call is call
    assert (call.operation, call.method, call.url_template) == ("payment_links.create", "POST", LINKS)
    assert (call.order_reference, call.attempts, call.requests) == ("ORD-1", 1, 1)
    assert (call.outcome, call.error, call.cancelled, call.recovered) == (Outcome.DONE, None, False, False)
    assert (call.status, call.request_id, call.code) == (201, "req-1", None)
    assert (attempt.number, attempt.purpose, attempt.status, attempt.request_id) == (
        1,
        "operation",
        201,
        "req-1",
    )
    assert 0.04 < attempt.seconds <= call.seconds
    assert 0 <= call.waited < 1
    assert call.paused == 0
    assert call.began_at.utcoffset() is not None


async def test_a_call_that_is_repeated() -> None:
    seen = Recording()
    async with scripted({CREATE: [CODE_1, CODE_1, CREATED]}, observers=[seen]) as (plexy, _):
        await _create(plexy)

    assert seen.counts == {
        "call_began": 1,
        "attempt_began": 3,
        "attempt_ended": 3,
        "call_paused": 2,
        "call_ended": 1,
    }
    first, _, last = seen.of("attempt_ended")
    assert (first.status, first.code, first.outcome) == (503, 1, Outcome.REJECTED)
    assert isinstance(first.error, PlexyPayError)
    assert [attempt.number for attempt in seen.of("attempt_ended")] == [1, 2, 3]
    assert (last.status, last.error) == (201, None)
    pause = seen.of("call_paused")[0]
    assert pause.reason == "backoff"
    assert pause.seconds is not None
    assert type(pause.error) is type(first.error)
    call = seen.of("call_ended")[0]
    assert (call.attempts, call.outcome, call.error) == (3, Outcome.DONE, None)
    assert call.paused > 0


async def test_a_pause_that_the_server_asked_for() -> None:
    seen = Recording()
    busy = Answer(429, {"message": "slow down"}, {"Retry-After": "0.01"})
    async with scripted({CREATE: [busy, CREATED]}, observers=[seen]) as (plexy, _):
        await _create(plexy)
    assert [pause.reason for pause in seen.of("call_paused")] == ["retry-after"]


async def test_a_look_up_is_told_apart_from_what_it_looks_for() -> None:
    seen = Recording()
    routes = {CREATE: [RESET, CREATED], f"GET {BY_REFERENCE}/*": FOUND}
    async with scripted(routes, observers=[seen]) as (plexy, _):
        await _create(plexy)

    attempts = seen.of("attempt_ended")
    assert [attempt.purpose for attempt in attempts] == ["operation", "look-up"]
    assert attempts[0].status is None
    assert attempts[0].outcome is Outcome.UNKNOWN
    assert attempts[1].url_template == f"{BY_REFERENCE}/{{order_reference}}"
    assert (attempts[1].method, attempts[1].number) == ("GET", 1)
    call = seen.of("call_ended")[0]
    assert (call.recovered, call.attempts, call.requests, call.outcome) == (True, 1, 2, Outcome.DONE)


async def test_a_call_that_fails() -> None:
    seen = Recording()
    async with scripted({f"GET {LINKS}/pl_1": NOT_FOUND}, observers=[seen]) as (plexy, _):
        with pytest.raises(NotFoundError) as caught:
            await plexy.payment_links.retrieve("pl_1")

    call = seen.of("call_ended")[0]
    assert call.error is caught.value
    assert (call.outcome, call.status, call.code) == (Outcome.REJECTED, 404, 4)
    assert call.url_template == f"{LINKS}/{{external_id}}"


async def test_a_call_of_unknown_outcome() -> None:
    seen = Recording()
    routes = {"POST /v1/payments/t/refund": RESET}
    async with scripted(routes, observers=[seen], retry=ONCE) as (plexy, _):
        with pytest.raises(OutcomeUnknownError):
            await plexy.payments.refund("t", amount=Decimal(1))
    assert seen.of("call_ended")[0].outcome is Outcome.UNKNOWN
    assert seen.of("attempt_ended")[0].error is not None


async def test_a_server_that_cannot_be_reached() -> None:
    seen = Recording()
    async with scripted({}, listening=False, observers=[seen], retry=ONCE) as (plexy, _):
        with pytest.raises(ConnectError):
            await _create(plexy)
    attempt, call = seen.of("attempt_ended")[0], seen.of("call_ended")[0]
    assert (attempt.status, attempt.outcome) == (None, Outcome.NOT_SENT)
    assert isinstance(attempt.error, ConnectError)
    assert call.outcome is Outcome.NOT_SENT


async def test_an_answer_that_is_cut() -> None:
    seen = Recording()
    routes = {f"GET {LINKS}/pl_1": [Cut(FOUND), FOUND]}
    async with scripted(routes, observers=[seen]) as (plexy, _):
        await plexy.payment_links.retrieve("pl_1")
    first, second = seen.of("attempt_ended")
    assert first.error is not None
    assert "cut" in str(first.error)
    assert (second.error, second.outcome) == (None, None)


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (lambda plexy: _create(plexy), Outcome.UNKNOWN),
        (lambda plexy: plexy.payment_links.retrieve("pl_1"), Outcome.UNKNOWN),
    ],
    ids=["a create", "a read"],
)
async def test_a_call_that_is_cancelled(what: Any, outcome: Outcome) -> None:
    seen = Recording()
    script = Script({"*": SILENCE})
    async with scripted(script, observers=[seen]) as (plexy, _):
        task = asyncio.create_task(what(plexy))
        while not script.seen:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    call, attempt = seen.of("call_ended")[0], seen.of("attempt_ended")[0]
    assert (call.cancelled, call.outcome, call.error) == (True, outcome, None)
    assert attempt.cancelled


async def test_a_call_whose_time_is_over() -> None:
    seen = Recording()
    async with scripted({CREATE: SILENCE}, observers=[seen], timeout=0.1) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await _create(plexy)
    call = seen.of("call_ended")[0]
    assert (call.cancelled, call.outcome) == (False, Outcome.UNKNOWN)
    assert type(call.error).__name__ == "DeadlineExceededError"
    assert (call.attempts, call.requests) == (1, 1)
    attempt = seen.of("attempt_ended")[0]
    assert (attempt.cancelled, attempt.timed_out, attempt.outcome) == (True, True, Outcome.UNKNOWN)


async def test_a_success_that_refuses_is_told_with_the_call() -> None:
    seen = Recording()
    routes = {"POST /v1/payments/t/refund": Answer(200, {"success": False, "code": "51", "message": "no"})}
    async with scripted(routes, observers=[seen]) as (plexy, _):
        with pytest.raises(PlexyPayError):
            await plexy.payments.refund("t", amount=Decimal(1))
    attempt, call = seen.of("attempt_ended")[0], seen.of("call_ended")[0]
    assert (attempt.status, attempt.outcome) == (200, None)
    assert (call.outcome, call.code) == (Outcome.REJECTED, "51")


async def test_no_pause_is_told_that_is_none() -> None:
    seen = Recording()
    policy = RetryPolicy(base=0.001, cap=0.002, max_attempts=2, outage="fail")
    async with scripted({"*": CODE_1}, observers=[seen], retry=policy) as (plexy, _):
        for _ in range(60):
            with pytest.raises(PlexyPayError):
                await plexy.payment_links.retrieve("pl_1")
    reasons = Counter(pause.reason for pause in seen.of("call_paused"))
    assert reasons["outage"] == 0
    assert reasons["backoff"] > 0
    assert seen.of("call_ended")[-1].paused < 0.001


async def test_an_outage_is_a_pause() -> None:
    seen = Recording()
    policy = RetryPolicy(base=0.001, cap=0.002)
    async with scripted({"*": CODE_1}, observers=[seen], retry=policy, timeout=3) as (plexy, _):
        calls = (plexy.payment_links.retrieve("pl_1") for _ in range(60))
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, PlexyPayError) for each in ended)
    assert Counter(pause.reason for pause in seen.of("call_paused"))["outage"] > 0
    assert max(call.paused for call in seen.of("call_ended")) > 1


async def test_the_wait_for_a_place_is_told() -> None:
    seen = Recording()
    routes = {f"GET {LINKS}/*": lambda seen: Late(0.1, fitting(FOUND, seen))}
    async with scripted(routes, observers=[seen], max_connections=1) as (plexy, _):
        await asyncio.gather(*(plexy.payment_links.retrieve(f"pl_{n}") for n in range(2)))
    waits = sorted(call.waited for call in seen.of("call_ended"))
    assert waits[0] < 0.05
    assert waits[1] > 0.08
    assert sorted(attempt.waited for attempt in seen.of("attempt_ended")) == waits


async def test_the_pages_of_a_listing_are_calls() -> None:
    seen = Recording()
    async with scripted({f"GET {LINKS}": page(link())}, observers=[seen]) as (plexy, _):
        assert [found.id async for found in plexy.payment_links.list()] == ["pl_1"]
    assert {call.operation for call in seen.of("call_ended")} == {"payment_links.list"}
    assert {attempt.url_template for attempt in seen.of("attempt_ended")} == {LINKS}


async def test_a_raw_request_has_no_template() -> None:
    seen = Recording()
    async with scripted({"GET /v1/anything/7": Answer(200, {})}, observers=[seen]) as (plexy, _):
        await plexy.request("GET", "/v1/anything/7")
    call = seen.of("call_ended")[0]
    assert (call.operation, call.url_template) == ("GET /v1/anything/7", None)


async def test_with_options_and_with_response_tell_too() -> None:
    seen = Recording()
    async with scripted({f"GET {LINKS}/*": FOUND}, observers=[seen]) as (plexy, _):
        await plexy.with_options(timeout=9).payment_links.retrieve("pl_1")
        await plexy.payment_links.retrieve.with_options(timeout=9)("pl_2")
        await plexy.payment_links.retrieve.with_response("pl_3")
    assert seen.counts["call_ended"] == 3


async def test_an_observers_headers_are_sent() -> None:
    class Tracing(Observer):
        def attempt_began(self, attempt: ObservedAttempt) -> None:
            attempt.headers["traceparent"] = f"00-{attempt.number:032x}-{attempt.number:016x}-01"

    async with scripted({CREATE: [CODE_1, CREATED]}, observers=[Tracing()]) as (plexy, script):
        await _create(plexy)
    assert [seen.headers["traceparent"][:36] for seen in script.seen] == [f"00-{n:032x}-" for n in (1, 2)]
    assert {seen.headers["authorization"] for seen in script.seen} == {KEY}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer another"),
        ("Content-Length", "7777"),
        ("traceparent", "two\r\nlines: 1"),
        ("x-number", 5),
        ("User-Agent", "another"),
        ("cookie", "session=1"),
        ("Content-Type", "text/plain"),
        ("Idempotency-Key", "another"),
    ],
)
async def test_no_observer_can_change_how_a_request_is_sent(
    name: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Meddling(Observer):
        def attempt_began(self, attempt: ObservedAttempt) -> None:
            attempt.headers[name] = value

    async with scripted({CREATE: CREATED}, observers=[Meddling()]) as (plexy, script):
        await _create(plexy)
    (request,) = script.seen
    assert request.headers["authorization"] == KEY
    assert request.json["orderReference"] == "ORD-1"
    assert request.headers["content-type"] == "application/json"
    assert str(value) not in request.headers.get(name.lower(), "")
    assert "a header of an observer's was not sent" in caplog.text


async def test_an_idempotency_key_is_the_calls_own() -> None:
    class Meddling(Observer):
        def attempt_began(self, attempt: ObservedAttempt) -> None:
            attempt.headers["idempotency-key"] = "another"

    routes = {"POST /v1/wallet/authorize": Answer(200, {"id": "w_1", "success": True})}
    async with scripted(routes, observers=[Meddling()], retry=ONCE) as (plexy, script):
        with contextlib.suppress(PlexyPayError):
            await plexy.wallet.authorize(amount=1, order_reference="ORD-1", idempotency_key="own-key")
    assert [value for name, value in script.seen[0].headers.items() if "idempotency" in name] == ["own-key"]


@pytest.mark.parametrize("answer", [CREATED, NOT_FOUND, CODE_2, RESET], ids=["ok", "refused", "2", "reset"])
async def test_an_observer_that_raises_breaks_nothing(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def ended(observers: list[Observer]) -> Any:
        async with scripted({CREATE: [answer, CREATED], "*": NOT_FOUND}, observers=observers) as (
            plexy,
            script,
        ):
            try:
                return (await _create(plexy)).id, script.counts
            except PlexyPayError as error:
                return type(error), str(error), script.counts

    caplog.set_level(logging.DEBUG, "plexypay")
    assert await ended([Broken(), Recording()]) == await ended([])
    assert "Broken.call_began raised RuntimeError (" in caplog.text
    assert await ended([Broken(asyncio.CancelledError())]) == await ended([])


async def test_a_filter_that_raises_breaks_nothing_either() -> None:
    def broken(_: logging.LogRecord) -> bool:
        raise LookupError("outside a request")

    handler = logging.StreamHandler(io.StringIO())
    handler.addFilter(broken)
    root, library = logging.getLogger(), logging.getLogger("plexypay")
    level = library.level
    root.addHandler(handler)
    library.setLevel(logging.DEBUG)
    try:
        async with scripted({CREATE: [CODE_1, CREATED]}, observers=[Broken()]) as (plexy, script):
            assert (await _create(plexy)).id == "pl_1"
            rows = [CreatePaymentLink(amount=1, currency="KZT", order_reference="ORD-2")]
            assert [each.error async for each in plexy.payment_links.create_many(rows)] == [None]
            with pytest.raises(NotFoundError):
                await plexy.payment_links.retrieve("pl_none")
        assert script.counts[CREATE] == 3
    finally:
        root.removeHandler(handler)
        library.setLevel(level)


async def test_what_an_observer_raises_shows_nothing_of_the_call(caplog: pytest.LogCaptureFixture) -> None:
    class BrokenAnew(Broken):
        """One of which nothing was logged before: the first time tells more."""

    caplog.set_level(logging.DEBUG)
    script = Script({"*": SILENCE})
    async with serving(script) as server:
        plexy = AsyncPlexyPay(API_KEY, base_url=server.url, observers=[BrokenAnew()], timeout=0.2)
        with pytest.raises(PlexyPayError):
            await plexy.payment_links.create(
                amount=1, currency="KZT", description="a present", order_reference="ORD-1"
            )
        await plexy.close()
    records = [record for record in caplog.records if record.name.startswith("plexypay")]
    assert any("BrokenAnew.attempt_ended raised" in record.getMessage() for record in records)
    assert record_exposures(records, [API_KEY, "a present"]) == []


async def test_the_same_observer_twice_is_told_once() -> None:
    seen = Recording()
    async with scripted({CREATE: CREATED}, observers=[seen, seen]) as (plexy, _):
        await _create(plexy)
    assert seen.counts["call_ended"] == 1


async def test_ends_are_told_in_the_reverse_order() -> None:
    told: list[str] = []

    class Named(Observer):
        def __init__(self, name: str) -> None:
            self.name = name

        def attempt_began(self, attempt: ObservedAttempt) -> None:
            told.append(f"{self.name} begins")

        def attempt_ended(self, attempt: ObservedAttempt) -> None:
            told.append(f"{self.name} ends")

    async with scripted({CREATE: CREATED}, observers=[Named("a"), Named("b")]) as (plexy, _):
        await _create(plexy)
    assert told == ["a begins", "b begins", "b ends", "a ends"]


async def test_a_headers_name_of_the_callers_own_is_the_callers() -> None:
    class Tracing(Observer):
        def attempt_began(self, attempt: ObservedAttempt) -> None:
            attempt.headers.update({"X-One": "observer", "X-Two": "observer"})

    routes = {f"GET {LINKS}/*": FOUND}
    async with scripted(routes, observers=[Tracing()], default_headers={"x-one": "caller"}) as (
        plexy,
        script,
    ):
        await plexy.payment_links.retrieve("pl_1")
        await plexy.payment_links.retrieve.with_options(headers={"x-two": "call"})("pl_1")
    assert [(each.headers["x-one"], each.headers["x-two"]) for each in script.seen] == [
        ("caller", "observer"),
        ("caller", "call"),
    ]


async def test_the_others_are_told_though_one_raises() -> None:
    seen = Recording()
    async with scripted({CREATE: CREATED}, observers=[Broken(), seen]) as (plexy, _):
        await _create(plexy)
    assert seen.counts["call_ended"] == 1


@pytest.mark.parametrize("given", ["log", 5, [object()], [Recording], Recording()])
async def test_what_is_no_observer_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^observers: expected "):
        AsyncPlexyPay(KEY, observers=given)
    with pytest.raises(ConfigurationError, match=r"^observers: expected "):
        WebhookReceiver("token-of-mine", observers=given)


# ------------------------------------------------------------------------------------------------- jobs


async def test_a_job_and_its_rows() -> None:
    seen = Recording()
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(3)]
    async with scripted({CREATE: [CODE_1, CREATED]}, observers=[seen]) as (plexy, _):
        async for _ in plexy.payment_links.create_many(rows):
            pass

    assert (seen.events[0], seen.events[-1]) == ("job_began", "job_ended")
    job = seen.of("job_ended")[0]
    assert (job.operation, job.error) == ("payment_links.create_many", None)
    assert job.seconds is not None
    assert (job.progress.created, job.progress.failed, job.progress.under_way) == (3, 0, 0)
    calls = seen.of("call_ended")
    assert {call.order_reference for call in calls} == {"ORD-0", "ORD-1", "ORD-2"}
    assert {call.job for call in calls} == {job}
    assert seen.counts["attempt_ended"] == 4


async def test_a_job_that_is_left_or_ended() -> None:
    seen = Recording()
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(3)]
    async with scripted({CREATE: CREATED}, observers=[seen]) as (plexy, _):
        results = plexy.payment_links.create_many(rows, concurrency=1)
        await anext(results)
        await results.aclose()
    assert seen.counts["job_ended"] == 1

    ended = Recording()
    refused = Answer(401, {"message": "no such key"})
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(60)]
    async with scripted({"*": refused}, observers=[ended]) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            async for _ in plexy.payment_links.create_many(rows):
                pass
    assert ended.of("job_ended")[0].error is caught.value


async def test_a_row_is_told_as_failed_where_its_result_is() -> None:
    seen = Recording()
    rows = [CreatePaymentLink(amount=2_200_000, currency="KZT", order_reference=f"ORD-{n}") for n in range(3)]
    refused = Answer(400, {"code": 3, "message": "no", "type": "apiError"})
    steps = [CREATED, TAKEN, refused]
    async with scripted({CREATE: steps, f"GET {BY_REFERENCE}/*": FOUND}, observers=[seen]) as (plexy, _):
        results = [each async for each in plexy.payment_links.create_many(rows, concurrency=1)]
    assert [(each.error is None, each.recovered) for each in results] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    (row,) = seen.of("row_failed")
    assert (row.index, row.order_reference, row.error) == (2, "ORD-2", results[2].error)
    assert row.job is seen.of("job_ended")[0]


async def test_on_progress_is_called_beside_observers() -> None:
    seen, told = Recording(), list[Any]()
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference="ORD-1")]
    async with scripted({CREATE: CREATED}, observers=[seen]) as (plexy, _):
        async for _ in plexy.payment_links.create_many(rows, on_progress=told.append):
            pass
    assert told[-1].created == 1
    assert [job.progress for job in seen.of("job_changed")][-1] == told[-1]


async def test_an_observer_that_raises_ends_no_job() -> None:
    rows = [CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(3)]
    async with scripted({CREATE: CREATED}, observers=[Broken()]) as (plexy, _):
        results = [result async for result in plexy.payment_links.create_many(rows)]
    assert [result.error for result in results] == [None] * 3


# ------------------------------------------------------------------------------------------ both facades


async def test_the_sync_client_tells_the_same_in_the_callers_context() -> None:
    async with serving({CREATE: [CODE_1, CREATED]}) as server:

        def call() -> tuple[Recording, str]:
            seen = Recording()
            token = CALLER.set("a view")
            try:
                with PlexyPay(KEY, base_url=server.url, retry=SHORT, observers=[seen]) as plexy:
                    made = plexy.payment_links.create(
                        amount=2_200_000, currency="KZT", order_reference="ORD-1"
                    )
            finally:
                CALLER.reset(token)
            return seen, made.id

        seen, _ = await asyncio.to_thread(call)
    assert seen.counts["attempt_ended"] == 2
    assert seen.callers == {"a view"}


async def test_the_sync_clients_jobs_tell_too() -> None:
    async with serving({CREATE: CREATED}) as server:

        def call() -> Recording:
            seen = Recording()
            requests = [
                CreatePaymentLink(amount=100, currency="KZT", order_reference=f"ORD-{n}") for n in range(3)
            ]
            with PlexyPay(KEY, base_url=server.url, retry=SHORT, observers=[seen]) as plexy:
                assert len(list(plexy.payment_links.create_many(requests))) == 3
            return seen

        seen = await asyncio.to_thread(call)
    assert seen.of("job_ended")[0].progress.created == 3
    assert seen.counts["call_ended"] == 3


# --------------------------------------------------------------------------------------------- webhooks


async def test_a_webhook_is_told_of() -> None:
    seen = Recording()
    receiver = WebhookReceiver("token-of-mine", observers=[seen])
    headers = {"Authorization": "Bearer token-of-mine"}
    assert receiver.receive(headers, json.dumps(CHARGED).encode()) is not None
    assert receiver.receive(headers, json.dumps(CHARGED).encode(), seen=lambda _: True) is None
    with pytest.raises(WebhookAuthenticationError):
        receiver.receive({}, b"{}")

    first, again, refused = seen.of("webhook_received")
    assert (first.event, first.is_known, first.order_reference) == ("transaction.charged", True, "ORD-1")
    assert (first.transaction_id, first.repeated, first.error) == ("txn_1", False, None)
    assert again.repeated
    assert refused.event is None
    assert isinstance(refused.error, WebhookAuthenticationError)
    assert "token-of-mine" not in f"{vars(first)}{vars(refused)}"


async def test_what_seen_raises_is_told() -> None:
    seen = Recording()
    receiver = WebhookReceiver("token-of-mine", observers=[seen])

    def down(_: str) -> bool:
        raise ConnectionError("no database")

    with pytest.raises(ConnectionError):
        receiver.receive({"Authorization": "token-of-mine"}, json.dumps(CHARGED).encode(), seen=down)
    (webhook,) = seen.of("webhook_received")
    assert isinstance(webhook.error, ConnectionError)
    assert (webhook.event, webhook.repeated) == ("transaction.charged", False)


async def test_what_the_caller_handles_meanwhile_is_no_failure_of_a_delivery() -> None:
    seen = Recording()
    receiver = WebhookReceiver("token-of-mine", observers=[seen])
    try:
        raise LookupError("of the application's own")
    except LookupError:
        receiver.receive({"Authorization": "token-of-mine"}, json.dumps(CHARGED).encode())
    assert seen.of("webhook_received")[0].error is None


async def test_a_receiver_whose_observer_raises_works() -> None:
    receiver = WebhookReceiver("token-of-mine", observers=[Broken()])
    event = receiver.receive({"Authorization": "token-of-mine"}, json.dumps(CHARGED).encode())
    assert event is not None


# ---------------------------------------------------------------------------------------------- secrets


async def test_nothing_that_is_told_has_a_secret() -> None:
    seen = Recording()
    echo = {"code": 3, "message": f"you sent {API_KEY} and {NUMBER}", "type": "apiError"}
    answer = Answer(400, echo, {"X-Request-Id": API_KEY})
    async with serving({"*": answer}) as server:
        client = AsyncPlexyPay(
            API_KEY, base_url=server.url, observers=[seen], retry=RetryPolicy(max_attempts=1)
        )
        async with client as plexy:
            with pytest.raises(PlexyPayError):
                await plexy.payment_links.create(amount=1, currency="KZT", order_reference=NUMBER)
    told = "".join(f"{vars(subject)}{subject!r}" for _, subject in seen.told)
    told += "".join(str(vars(attempt.error)) for attempt in seen.of("attempt_ended"))
    assert API_KEY not in told
    assert NUMBER not in told


async def test_a_card_amid_a_long_reference_is_hidden() -> None:
    seen = Recording()
    reference = "x" * 185 + NUMBER
    async with scripted({CREATE: CREATED}, observers=[seen]) as (plexy, _):
        await plexy.payment_links.create(amount=1, currency="KZT", order_reference=reference)
    assert NUMBER[:12] not in str(seen.of("call_ended")[0].order_reference)


async def test_a_private_answer_that_is_cut_shows_no_body() -> None:
    seen = Recording()
    answer = Cut(Answer(200, {"cardHolder": "JANE DOE", "id": "t-1", "status": "charged"}))
    async with scripted({"POST *": answer}, observers=[seen], retry=ONCE) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await plexy.direct_payments.continue_3ds(cres="cres-of-the-bank", transaction_id="t-1")
    told = f"{vars(seen.of('attempt_ended')[0].error)}{vars(caught.value)}"
    assert "JANE" not in told


async def test_the_sandbox_can_be_observed() -> None:
    seen = Recording()
    async with (
        Sandbox() as sandbox,
        AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, observers=[seen]) as plexy,
    ):
        await _create(plexy)
    assert seen.of("call_ended")[0].outcome is Outcome.DONE
