"""What errors and results know of their answer: status, headers, the request's id, the body, the time."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from plexypay_async import (
    Answered,
    APIError,
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    CreatePaymentLink,
    DeadlineExceededError,
    NotFoundError,
    OutageError,
    OutcomeUnknownError,
    PlexyPayError,
    RefusedError,
    RetryPolicy,
    ServiceUnavailableError,
    UnreadableResponseError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    CODE_1,
    CREATED,
    FOUND,
    KEY,
    LINKS,
    ONCE,
    SHORT,
    Answer,
    Late,
    Script,
    link,
    scripted,
    serving,
)

pytestmark = pytest.mark.asyncio

HEADERS = {"X-Request-Id": "req-7", "Set-Cookie": "session=1", "X-Own": f"seen {KEY}", "Server": "edge"}
REFUSED = {
    "code": 3,
    "type": "validationError",
    "message": "no",
    "errors": [{"field": "amount", "message": "too small"}],
    "echo": f"you sent {KEY} and 4111 1111 1111 1111",
}
CREATE = f"POST {LINKS}"


async def _error(
    routes: dict[str, Any], call: Callable[[AsyncPlexyPay], Any], **options: Any
) -> PlexyPayError:
    async with scripted(routes, **{"retry": ONCE, **options}) as (plexy, _):
        with pytest.raises(PlexyPayError) as caught:
            await call(plexy)
    return caught.value


def _create(plexy: AsyncPlexyPay) -> Any:
    return plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


async def test_an_api_error_has_its_answer() -> None:
    error = await _error({CREATE: Late(0.05, Answer(400, REFUSED, HEADERS))}, _create)

    assert isinstance(error, APIError)
    assert error.status == 400
    assert error.request_id == "req-7"
    assert error.headers is not None
    assert error.headers["x-request-id"] == error.headers["X-REQUEST-ID"] == "req-7"
    assert error.raw["errors"] == [{"field": "amount", "message": "too small"}]
    assert error.elapsed is not None
    assert 0.04 < error.elapsed < 2


async def test_what_it_has_survives_pickling_and_shows_no_secret() -> None:
    error = await _error({CREATE: Answer(400, REFUSED, HEADERS)}, _create)

    again = pickle.loads(pickle.dumps(error))
    assert isinstance(error, APIError)
    assert (again.request_id, again.raw, again.elapsed) == (error.request_id, error.raw, error.elapsed)
    assert dict(again.headers) == dict(error.headers or {})
    assert again.headers["server"] == "edge"
    for one in (error, again):
        shown = f"{one!r} {one} {vars(one)} {dict(one.headers or {})} {one.raw}"
        assert KEY not in shown
        assert "4111 1111" not in shown
        assert "session=1" not in shown
    # Of what is not known to be harmless, the repr shows the name alone.
    assert "'X-Own': '...'" in repr(error.headers)
    assert "'Server': 'edge'" in repr(error.headers)


@pytest.mark.parametrize("name", ["X-Request-ID", "request-id", "X-Correlation-Id", "CF-Ray", "traceparent"])
async def test_an_id_is_found_by_the_usual_names(name: str) -> None:
    error = await _error({CREATE: Answer(400, REFUSED, {name: "abc"})}, _create)
    assert error.request_id == "abc"


async def test_the_apis_own_id_goes_before_that_of_what_is_in_between() -> None:
    error = await _error({CREATE: Answer(400, REFUSED, {"CF-Ray": "edge", "X-Request-Id": "api"})}, _create)
    assert error.request_id == "api"


ANSWERS: dict[str, tuple[type[PlexyPayError], str, Any, Callable[[AsyncPlexyPay], Any]]] = {
    "not found": (
        NotFoundError,
        f"GET {LINKS}/pl_1",
        Answer(404, {"code": 4, "message": "none", "type": "apiError"}, HEADERS),
        lambda plexy: plexy.payment_links.retrieve("pl_1"),
    ),
    "refused": (
        RefusedError,
        "POST /v1/payments/t/capture",
        Answer(200, {"success": False, "message": "no", "code": "51"}, HEADERS),
        lambda plexy: plexy.payments.capture("t"),
    ),
    "declined": (
        RefusedError,
        "POST /v1/payments/t/capture",
        Answer(402, {"success": False, "message": "no", "responseCode": "51", "id": "t"}, HEADERS),
        lambda plexy: plexy.payments.capture("t"),
    ),
    "not JSON": (
        UnreadableResponseError,
        f"GET {LINKS}/pl_1",
        Answer(200, b"<html>", HEADERS),
        lambda plexy: plexy.payment_links.retrieve("pl_1"),
    ),
    "unknown": (
        OutcomeUnknownError,
        "POST /v1/payments/t/refund",
        Answer(500, {"code": 2, "message": "oh", "type": "apiError"}, HEADERS),
        lambda plexy: plexy.payments.refund("t"),
    ),
    "unavailable": (
        ServiceUnavailableError,
        f"GET {LINKS}/pl_1",
        Answer(503, {"code": 1, "message": "oh", "type": "apiError"}, HEADERS),
        lambda plexy: plexy.payment_links.retrieve("pl_1"),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_error_with_an_answer_has_it(name: str) -> None:
    kind, route, answer, call = ANSWERS[name]
    error = await _error({route: answer}, call)

    assert type(error) is kind
    assert error.request_id == "req-7"
    assert error.headers is not None
    assert error.elapsed is not None
    assert getattr(error, "status") == answer.status  # noqa: B009 - not every error has one
    assert pickle.loads(pickle.dumps(error)).request_id == "req-7"


async def test_a_deadline_tells_of_the_last_answer() -> None:
    retry = RetryPolicy(base=30, cap=30)
    unavailable = Answer(503, {"code": 1, "message": "oh", "type": "apiError"}, HEADERS)
    async with scripted({CREATE: [unavailable, Late(5, CODE_1)]}, retry=SHORT, timeout=0.4) as (plexy, _):
        with pytest.raises(DeadlineExceededError) as caught:
            await _create(plexy)
    assert caught.value.request_id == "req-7"
    assert caught.value.status == 503
    assert caught.value.raw["message"] == "oh"
    del retry


async def test_what_had_no_answer_has_none() -> None:
    error = await _error({}, _create, listening=False)
    assert isinstance(error, ConnectError)
    assert (error.headers, error.request_id, error.elapsed) == (None, None, None)
    with pytest.raises(ConfigurationError) as caught:
        AsyncPlexyPay("")
    assert caught.value.headers is None


async def test_what_waited_for_another_calls_failure_has_nothing_of_its_answer() -> None:
    unavailable = Answer(503, {"code": 1, "message": "oh", "type": "apiError"}, HEADERS)
    policy = RetryPolicy(base=0.001, cap=0.001, outage="fail", max_attempts=100)
    async with scripted({CREATE: unavailable}, retry=policy, timeout=5) as (plexy, _):
        failed = await asyncio.gather(*(_create(plexy) for _ in range(80)), return_exceptions=True)
        late = await asyncio.gather(*(_create(plexy) for _ in range(5)), return_exceptions=True)
    held = [error for error in (*failed, *late) if isinstance(error, OutageError)]
    assert held
    assert all(error.request_id is None and error.headers is None for error in held)


# -------------------------------------------------------------------------------------- the answer to a call


async def _async_answered(url: str) -> Answered[Any]:
    async with AsyncPlexyPay(KEY, base_url=url, retry=SHORT) as plexy:
        return await plexy.payment_links.create.with_response(
            amount=2_200_000, currency="KZT", order_reference="ORD-1"
        )


async def _sync_answered(url: str) -> Answered[Any]:
    def create() -> Answered[Any]:
        with PlexyPay(KEY, base_url=url, retry=SHORT) as plexy:
            return plexy.payment_links.create.with_response(
                amount=2_200_000, currency="KZT", order_reference="ORD-1"
            )

    return await asyncio.to_thread(create)


@pytest.mark.parametrize("create", [_async_answered, _sync_answered], ids=["async", "sync"])
async def test_a_call_returns_how_it_was_answered(create: Any) -> None:
    async with serving({CREATE: [CODE_1, Late(0.03, Answer(201, link(), HEADERS))]}) as server:
        answered = await create(server.url)

    assert answered.value.order_reference == "ORD-1"
    assert (answered.status, answered.request_id, answered.attempts) == (201, "req-7", 2)
    assert not answered.recovered
    assert answered.headers["x-request-id"] == "req-7"
    assert 0.02 < answered.elapsed < 2
    assert KEY not in f"{answered!r} {dict(answered.headers)}"


async def test_what_a_look_up_found_has_the_look_ups_answer() -> None:
    found = Answer(200, link(), {"X-Request-Id": "look-up"})
    lost = Answer(500, {"code": 2, "message": "oh", "type": "apiError"})
    routes = {CREATE: lost, f"GET {LINKS}/by-order-reference/ORD-1": found}
    async with scripted(routes) as (plexy, _):
        answered = await plexy.payment_links.create.with_response(
            amount=2_200_000, currency="KZT", order_reference="ORD-1"
        )
    assert answered.recovered
    assert (answered.status, answered.request_id) == (200, "look-up")


async def test_the_errors_of_a_call_are_the_same() -> None:
    async with scripted({CREATE: Answer(400, REFUSED, HEADERS)}) as (plexy, _):
        with pytest.raises(APIError) as caught:
            await plexy.payment_links.create.with_response(amount=1, currency="KZT")
        assert caught.value.request_id == "req-7"
        with pytest.raises(ConfigurationError, match="amount"):
            await plexy.payment_links.create.with_response(amount=-1, currency="KZT")


async def test_what_may_be_there_says_how_it_was_found() -> None:
    routes = {
        CREATE: Answer(422, {"code": 5, "message": "exists", "type": "apiError"}),
        f"GET {LINKS}/by-order-reference/ORD-1": Answer(200, link(), HEADERS),
    }
    async with scripted(routes) as (plexy, _):
        answered = await plexy.payment_links.create_or_retrieve.with_response(
            amount=2_200_000, currency="KZT", order_reference="ORD-1"
        )
    assert answered.recovered
    assert (answered.attempts, answered.request_id) == (1, "req-7")


async def test_each_page_says_how_it_was_answered() -> None:
    page = Answer(200, {"data": [link()], "page": 1, "size": 100, "total": 1}, HEADERS)
    async with scripted({f"GET {LINKS}": page}) as (plexy, _):
        first = await plexy.payment_links.list().first_page()
    assert first.answered is not None
    assert (first.answered.status, first.answered.request_id, first.answered.attempts) == (200, "req-7", 1)
    assert first.answered.value is None


# ----------------------------------------------------------------------------------- options of one call


async def test_one_call_has_options_of_its_own() -> None:
    script = Script({f"GET {LINKS}/pl_1": [CODE_1, FOUND], f"GET {LINKS}/slow": Late(5, FOUND)})
    async with scripted(script, default_headers={"X-Till": "7", "X-Tenant": "north"}) as (plexy, _):
        with pytest.raises(ServiceUnavailableError):
            await plexy.payment_links.retrieve.with_options(retry=ONCE)("pl_1")
        await plexy.payment_links.retrieve.with_options(headers={"x-tenant": "south"})("pl_1")
        assert script.seen[-1].headers["x-tenant"] == "south"
        assert script.seen[-1].headers["x-till"] == "7"
        await plexy.payment_links.retrieve("pl_1")
        assert script.seen[-1].headers["x-tenant"] == "north"
        with pytest.raises(DeadlineExceededError):
            await plexy.payment_links.retrieve.with_options(timeout=0.05)("slow")
        answered = await plexy.payment_links.retrieve.with_options(timeout=5).with_response("pl_1")
        assert answered.status == 200


async def test_a_listing_and_the_sync_facade_have_them_too() -> None:
    page = Answer(200, {"data": [link()], "page": 1, "size": 100, "total": 1})
    script = Script({f"GET {LINKS}": page, f"GET {LINKS}/pl_1": FOUND})

    def without_await(url: str) -> None:
        with PlexyPay(KEY, base_url=url, retry=SHORT) as plexy:
            plexy.payment_links.retrieve.with_options(headers={"X-Tenant": "east"})("pl_1")
            assert script.seen[-1].headers["x-tenant"] == "east"
            assert len(list(plexy.payment_links.list.with_options(headers={"X-Tenant": "west"})())) == 1
            assert script.seen[-1].headers["x-tenant"] == "west"

    async with scripted(script) as (plexy, _):
        async for _ in plexy.payment_links.list.with_options(headers={"X-Tenant": "west"})():
            pass
        assert script.seen[-1].headers["x-tenant"] == "west"
    async with serving(script) as server:
        await asyncio.to_thread(without_await, server.url)


async def test_options_are_checked_before_anything_is_sent() -> None:
    async with scripted({}) as (plexy, script):
        for options, told in (
            ({"timeout": -1}, "timeout"),
            ({"retry": 3}, "retry"),
            ({"headers": {"Authorization": "other"}}, "Authorization"),
            ({"headers": {"User-Agent": "other"}}, "app_info"),
        ):
            with pytest.raises(ConfigurationError, match=told):
                plexy.payment_links.create.with_options(**options)
        with pytest.raises(TypeError):
            plexy.payment_links.create.with_options(colour="red")  # type: ignore[call-arg]
        assert script.count() == 0


PAID = {"id": "t", "status": "charged", "amount": 1, "currency": "KZT", "orderReference": "ORD-1"}


async def test_waits_and_bulk_jobs_have_options_too() -> None:
    rows = [CreatePaymentLink(amount=1, currency="KZT", order_reference="ORD-1")]
    headers = {"X-Tenant": "south"}
    routes = {CREATE: CREATED, "GET /v1/transactions/t": Answer(200, PAID)}
    async with serving(routes) as server:
        async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
            assert (await plexy.transactions.wait.with_options(headers=headers)(id="t")).id == "t"
            async for result in plexy.payment_links.create_many.with_options(headers=headers)(rows):
                assert result.error is None

        def call() -> None:
            with PlexyPay(KEY, base_url=server.url) as plexy:
                assert plexy.transactions.wait.with_options(headers=headers)(id="t").id == "t"
                (made,) = plexy.payment_links.create_many.with_options(headers=headers)(rows)
                assert made.error is None

        await asyncio.to_thread(call)
        assert [seen.headers["x-tenant"] for seen in server.script.seen] == ["south"] * 4


async def test_a_call_looks_the_same_with_options() -> None:
    plexy = AsyncPlexyPay("key")
    plain, other = plexy.payment_links.create, plexy.payment_links.create.with_options(timeout=5)
    assert other.__doc__ == plain.__doc__
    assert vars(other)["__signature__"] == vars(plain)["__signature__"]
    assert other.__qualname__ == plain.__qualname__ == "PaymentLinks.create"  # type: ignore[attr-defined]


# -------------------------------------------------------------------------------- what an error's text says


async def test_an_api_errors_text_names_the_call_and_what_it_was_about() -> None:
    missing = Answer(404, {"code": 4, "message": "payment link not found", "type": "apiError"})
    error = await _error({f"GET {LINKS}/pl_1": missing}, lambda plexy: plexy.payment_links.retrieve("pl_1"))
    assert str(error) == "payment_links.retrieve 'pl_1': HTTP 404, code 4: payment link not found"
    error = await _error({CREATE: Answer(400, {"code": 3, "message": "no", "type": "apiError"})}, _create)
    assert str(error) == "payment_links.create 'ORD-1': HTTP 400, code 3: no"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    error = await _error({"*": missing}, lambda plexy: plexy.merchant.retrieve())
    assert str(error) == "merchant.retrieve: HTTP 404, code 4: payment link not found"


async def test_the_rows_of_a_job_are_named_by_the_job() -> None:
    refused = Answer(400, {"code": 3, "message": "no", "type": "apiError"})
    async with scripted({CREATE: refused}) as (plexy, _):
        request = CreatePaymentLink(amount=1, currency="KZT", order_reference="ORD-1")
        (result,) = [result async for result in plexy.payment_links.create_many([request])]
    assert str(result.error) == "HTTP 400, code 3: no"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda plexy: plexy.payment_links.create(amout=1, currency="KZT"),
            "payment_links.create() got an unexpected keyword argument 'amout'; did you mean 'amount'?",
        ),
        (
            lambda plexy: plexy.payment_links.create(),
            "payment_links.create() missing 2 required keyword-only arguments: 'amount' and 'currency'",
        ),
        (
            lambda plexy: plexy.payment_links.list(sise=1),
            "payment_links.list() got an unexpected keyword argument 'sise'; did you mean 'size'?",
        ),
        (
            lambda plexy: plexy.transactions.wait(colour="red"),
            "transactions.wait() got an unexpected keyword argument 'colour'",
        ),
    ],
)
async def test_a_misspelt_argument_names_the_call(call: Callable[[Any], Any], told: str) -> None:
    with pytest.raises(TypeError) as caught:
        await call(AsyncPlexyPay(KEY))
    assert str(caught.value) == told
    with pytest.raises(TypeError) as caught:
        call(PlexyPay(KEY))
    assert str(caught.value) == told
