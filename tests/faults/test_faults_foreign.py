"""Exceptions of the caller's own hooks, middlewares and key functions: each call still tells what it did.

Whatever is raised, and wherever, the caller gets a `PlexyPayError` whose outcome is compared here with what
the server saw.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    CreatePaymentLink,
    Outcome,
    PlexyPayError,
    UnprocessableError,
)
from plexypay_sync import PlexyPay

from .scripted import (
    BY_REFERENCE,
    CODE_1,
    CREATED,
    DROP,
    FOUND,
    KEY,
    LINKS,
    SHORT,
    Answer,
    Late,
    Parts,
    Script,
    code,
    link,
    page,
    serving,
)

pytestmark = [
    pytest.mark.asyncio,
    # aiohttp itself loses the connection that a tracer's exception meets as it is made.
    pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"),
]

REFUND = "POST /v1/payments/t/refund"
REFUNDED = Answer(200, {"success": True, "message": "Successfully refunded the transaction"})
REFUSED = code(5, 422, "the payment is refunded already")
ERRORS = [RuntimeError, KeyError, RecursionError, ValueError, TimeoutError]

BEFORE = [
    "on_request_start",
    "on_connection_create_start",
    "on_connection_create_end",
]
"""Hooks that are called before a byte of the request is written."""
WRITING = ["on_request_chunk_sent"]
AFTER = ["on_request_end", "on_response_chunk_received"]
"""Hooks that are called when an answer's head has come."""


def raising(
    kind: type[Exception], *, method: str | None = None, times: float = math.inf
) -> Callable[..., Any]:
    """A hook that raises, for requests of one method or for all, so many times."""
    raised = 0

    async def hook(session: Any, context: Any, params: Any) -> None:
        nonlocal raised
        if (method is None or params.method == method) and raised < times:
            raised += 1
            raise kind("of the caller's own")

    return hook


def tracing(event: str, hook: Callable[..., Any]) -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()
    getattr(config, event).append(hook)
    return config


@asynccontextmanager
async def given(
    routes: Any, *, options: dict[str, Any] | None = None, **session: Any
) -> AsyncGenerator[tuple[AsyncPlexyPay, Script]]:
    """A client on a session of the caller's."""
    chosen: dict[str, Any] = {"retry": SHORT, "timeout": 5.0, **(options or {})}
    async with (
        serving(routes) as server,
        aiohttp.ClientSession(**session) as mine,
        AsyncPlexyPay(KEY, base_url=server.url, session=mine, **chosen) as plexy,
    ):
        yield plexy, server.script


async def refund(plexy: Any) -> Any:
    return await asyncio.wait_for(plexy.payments.refund("t", amount=Decimal("15.55")), 5)


async def create(plexy: Any) -> Any:
    making = plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")
    return await asyncio.wait_for(making, 5)


def causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause = error.__cause__
    while cause is not None:
        found.append(cause)
        cause = cause.__cause__
    return found


def check(error: BaseException, kind: type[Exception], operation: str, reference: str | None = None) -> None:
    """Compare what each error says, and what its cause shows, whatever its outcome."""
    assert isinstance(error, PlexyPayError)
    assert isinstance(error.outcome, Outcome)
    assert error.operation == operation
    assert error.order_reference == reference
    assert isinstance(error.attempts, tuple)
    assert "closed" not in str(error)
    foreign = next(cause for cause in causes(error) if type(cause) is kind)
    assert [cause for cause in causes(error) if cause.__traceback__ is not None] == []
    notes = "\n".join(getattr(foreign, "__notes__", ()))
    assert f"raised in {__file__}, line " in notes


# ------------------------------------------------------------------------------------------------- tracers


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("event", BEFORE)
async def test_a_hook_that_raises_before_writing_keeps_a_refund_from_being_sent(
    event: str, kind: type[Exception]
) -> None:
    routes = {REFUND: REFUNDED}
    async with given(routes, trace_configs=[tracing(event, raising(kind))]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        assert script.count() == 0
    assert caught.value.outcome is Outcome.NOT_SENT
    check(caught.value, kind, "payments.refund")
    if not issubclass(kind, OSError):
        # A time-out may be the network's, which may be tried again; nothing else of the caller's may.
        assert caught.value.attempts == ()


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_hook_that_raises_for_the_headers_is_never_told_as_not_sent_if_they_were(
    kind: type[Exception],
) -> None:
    trace = tracing("on_request_headers_sent", raising(kind))
    async with given({REFUND: REFUNDED}, trace_configs=[trace]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        arrived = script.count()
    assert caught.value.outcome is (Outcome.UNKNOWN if arrived else Outcome.NOT_SENT)
    assert arrived <= 1
    check(caught.value, kind, "payments.refund")


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_hook_that_raises_while_a_refund_is_written_leaves_it_unknown(kind: type[Exception]) -> None:
    trace = tracing("on_request_chunk_sent", raising(kind))
    async with given({REFUND: REFUNDED}, trace_configs=[trace]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        assert script.count() <= 1
    assert caught.value.outcome is Outcome.UNKNOWN
    check(caught.value, kind, "payments.refund")


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("event", AFTER)
async def test_a_refund_whose_answer_is_there_is_never_told_as_not_made(
    event: str, kind: type[Exception]
) -> None:
    async with given({REFUND: REFUNDED}, trace_configs=[tracing(event, raising(kind))]) as (plexy, script):
        try:
            assert (await refund(plexy)).success
        except PlexyPayError as error:
            assert error.outcome in (Outcome.UNKNOWN, Outcome.DONE)  # noqa: PT017 - either is right
            check(error, kind, "payments.refund")
        assert script.count() == 1


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("event", AFTER)
async def test_a_refusal_that_is_there_stays_one(event: str, kind: type[Exception]) -> None:
    async with given({REFUND: REFUSED}, trace_configs=[tracing(event, raising(kind))]) as (plexy, script):
        with pytest.raises(UnprocessableError) as caught:
            await refund(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.REJECTED
    assert caught.value.message == "the payment is refunded already"


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_refund_whose_answer_is_still_coming_is_unknown(kind: type[Exception]) -> None:
    slow = Parts(REFUNDED, parts=4, every=0.05)
    async with given({REFUND: slow}, trace_configs=[tracing("on_request_end", raising(kind))]) as (
        plexy,
        script,
    ):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN
    check(caught.value, kind, "payments.refund")


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_create_that_a_hook_kept_from_being_sent_names_its_order_reference(
    kind: type[Exception],
) -> None:
    trace = tracing("on_request_start", raising(kind))
    async with given({"*": CREATED}, trace_configs=[trace]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await create(plexy)
        assert script.count() == 0
    assert caught.value.outcome is Outcome.NOT_SENT
    check(caught.value, kind, "payment_links.create", "ORD-1")


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_create_that_a_hook_broke_in_writing_is_looked_up(kind: type[Exception]) -> None:
    routes = {f"POST {LINKS}": CREATED, f"GET {BY_REFERENCE}/ORD-1": FOUND}
    trace = tracing("on_request_chunk_sent", raising(kind, method="POST"))
    async with given(routes, trace_configs=[trace]) as (plexy, script):
        found = await create(plexy)
        assert found.order_reference == "ORD-1"
        assert script.count(f"POST {LINKS}") <= 1


@pytest.mark.parametrize("kind", [RuntimeError, KeyError])
@pytest.mark.parametrize("looking_up", [False, True], ids=["read", "look-up"])
async def test_a_read_that_a_hook_of_the_callers_ends_is_not_asked_again(
    looking_up: bool, kind: type[Exception]
) -> None:
    asked: list[str] = []

    async def hook(session: Any, context: Any, params: Any) -> None:
        if params.method == "GET":
            asked.append(params.url.path)
            raise kind("of the caller's own")

    trace = tracing("on_request_start", hook)
    async with given({"*": DROP}, trace_configs=[trace]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await (create(plexy) if looking_up else plexy.payment_links.retrieve("pl_1"))
        assert script.count() == looking_up
    assert len(asked) == 1
    assert caught.value.outcome is Outcome.UNKNOWN
    assert "closed" not in str(caught.value)


# --------------------------------------------------------------------------------------------- middlewares


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_middleware_that_raises_before_sending_has_sent_nothing(kind: type[Exception]) -> None:
    async def middleware(request: Any, handler: Any) -> Any:
        raise kind("of the caller's own")

    async with given({REFUND: REFUNDED}, middlewares=[middleware]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        assert script.count() == 0
    assert caught.value.outcome is Outcome.NOT_SENT
    check(caught.value, kind, "payments.refund")
    if not issubclass(kind, OSError):
        assert caught.value.attempts == ()


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("answer", [REFUNDED, REFUSED], ids=["refunded", "refused"])
async def test_a_middleware_that_raises_after_the_answer_does_not_hide_it(
    answer: Answer, kind: type[Exception]
) -> None:
    async def middleware(request: Any, handler: Any) -> Any:
        await handler(request)
        raise kind("of the caller's own")

    async with given({REFUND: answer}, middlewares=[middleware]) as (plexy, script):
        if answer is REFUNDED:
            assert (await refund(plexy)).success
        else:
            with pytest.raises(UnprocessableError):
                await refund(plexy)
        assert script.count() == 1


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_middleware_that_raises_while_the_request_is_under_way_leaves_it_unknown(
    kind: type[Exception],
) -> None:
    async def middleware(request: Any, handler: Any) -> Any:
        handling = asyncio.ensure_future(handler(request))
        await asyncio.sleep(0.1)
        handling.cancel()
        await asyncio.gather(handling, return_exceptions=True)
        raise kind("of the caller's own")

    async with given({REFUND: Late(1.0, REFUNDED)}, middlewares=[middleware]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN
    check(caught.value, kind, "payments.refund")


async def test_a_middleware_that_asks_again_after_a_lost_answer_does_not_refund_twice() -> None:
    async def again(request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except aiohttp.ClientError:
            return await handler(request)

    async with given({REFUND: DROP}, middlewares=[again]) as (plexy, script):
        with pytest.raises(PlexyPayError) as caught:
            await refund(plexy)
        assert script.count() == 1
    assert caught.value.outcome is Outcome.UNKNOWN


# --------------------------------------------------------------------------------------- response classes


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("when", ["at once", "later", "after"])
async def test_a_response_that_raises_as_it_starts_leaves_what_its_answer_proves(
    when: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = aiohttp.ClientResponse.start

    async def raise_it(self: Any, connection: Any) -> Any:
        if when == "after":
            await start(self, connection)
        if when == "later":
            await asyncio.sleep(0.1)
        raise kind("of the caller's own")

    monkeypatch.setattr(aiohttp.ClientResponse, "start", raise_it)
    async with serving({REFUND: REFUNDED}) as server:
        async with AsyncPlexyPay(KEY, base_url=server.url, retry=SHORT, timeout=5) as plexy:
            with pytest.raises(PlexyPayError) as caught:
                await refund(plexy)
            check(caught.value, kind, "payments.refund")
        arrived = server.script.count()
    assert arrived <= 1
    # What has come by then says that it was done. On Python 3.11 aiohttp writes the body a turn later.
    at_once = Outcome.UNKNOWN if sys.version_info >= (3, 12) else Outcome.NOT_SENT
    expected = {"at once": at_once, "later": Outcome.UNKNOWN, "after": Outcome.DONE}
    assert caught.value.outcome is expected[when]


@pytest.mark.parametrize("kind", ERRORS)
async def test_the_sync_facade_tells_the_same(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    async def raise_it(self: Any, connection: Any) -> Any:
        await asyncio.sleep(0.1)
        raise kind("of the caller's own")

    monkeypatch.setattr(aiohttp.ClientResponse, "start", raise_it)

    def call(url: str) -> PlexyPayError:
        with (
            PlexyPay(KEY, base_url=url, retry=SHORT, timeout=5) as plexy,
            pytest.raises(PlexyPayError) as caught,
        ):
            plexy.payments.refund("t", amount=Decimal("15.55"))
        return caught.value

    async with serving({REFUND: REFUNDED}) as server:
        error = await asyncio.to_thread(call, server.url)
        assert server.script.count() == 1
    assert error.outcome is Outcome.UNKNOWN
    check(error, kind, "payments.refund")


# ------------------------------------------------------------------------------------------- key functions


class Keys:
    """A key function that works so often, and raises then."""

    def __init__(self, kind: type[Exception], *, good: int) -> None:
        self.kind, self.good = kind, good

    def __call__(self) -> str:
        if self.good:
            self.good -= 1
            return KEY
        raise self.kind("of the vault's own")


def put(plexy: Any) -> Any:
    return plexy.request("PUT", "/v1/things/1", json={"a": 1})


def cancel(plexy: Any) -> Any:
    return plexy.payment_links.cancel("pl_1")


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("call", [create, put, cancel])
async def test_a_key_function_that_raises_after_a_lost_answer_keeps_the_call_unknown(
    call: Any, kind: type[Exception]
) -> None:
    async with serving({"*": DROP}) as server:
        keys = Keys(kind, good=1)
        async with AsyncPlexyPay(keys, base_url=server.url, retry=SHORT, timeout=5) as plexy:
            with pytest.raises(PlexyPayError) as caught:
                await asyncio.wait_for(call(plexy), 5)
        # aiohttp repeats a PUT and a DELETE once by itself.
        assert 1 <= server.script.count() <= 2
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.attempts
    assert kind in [type(cause) for cause in causes(caught.value)]


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_key_function_that_raises_on_the_sync_facade_keeps_the_call_unknown(
    kind: type[Exception],
) -> None:
    def call(url: str) -> PlexyPayError:
        with (
            PlexyPay(Keys(kind, good=1), base_url=url, retry=SHORT, timeout=5) as plexy,
            pytest.raises(PlexyPayError) as caught,
        ):
            plexy.payment_links.create(amount=1, currency="KZT", order_reference="ORD-1")
        return caught.value

    async with serving({"*": DROP}) as server:
        error = await asyncio.to_thread(call, server.url)
    assert error.outcome is Outcome.UNKNOWN
    assert error.order_reference == "ORD-1"
    assert error.attempts


@pytest.mark.parametrize("kind", ERRORS)
async def test_a_key_function_that_raises_after_a_code_1_does_not_make_it_unknown(
    kind: type[Exception],
) -> None:
    async with serving({REFUND: CODE_1}) as server:
        async with AsyncPlexyPay(Keys(kind, good=1), base_url=server.url, retry=SHORT) as plexy:
            with pytest.raises(ConfigurationError, match="api_key") as caught:
                await refund(plexy)
        assert server.script.count() == 1
    assert caught.value.outcome in (Outcome.NOT_SENT, Outcome.REJECTED)
    assert [type(attempt).__name__ for attempt in caught.value.attempts] == ["ServiceUnavailableError"]


# -------------------------------------------------------------------------------------------- rows of jobs


def rows(count: int) -> list[CreatePaymentLink]:
    return [CreatePaymentLink(amount=100 + n, currency="KZT", order_reference=f"R-{n}") for n in range(count)]


async def run_job(plexy: AsyncPlexyPay, count: int) -> tuple[list[Any], BaseException | None]:
    results: list[Any] = []

    async def collect() -> None:
        async for result in plexy.payment_links.create_many(rows(count)):
            results.append(result)  # noqa: PERF401 - what came before an error counts

    try:
        await asyncio.wait_for(collect(), 20)
    except PlexyPayError as error:
        return results, error
    return results, None


def remembering() -> dict[str, Any]:
    """A server that keeps links by their order reference."""
    made: dict[str, Any] = {}

    def make(seen: Any) -> Answer:
        asked = seen.json
        made[asked["orderReference"]] = link(
            asked["orderReference"], amount=asked["amount"], currency=asked["currency"]
        )
        return Answer(201, made[asked["orderReference"]])

    def find(seen: Any) -> Answer:
        found = made.get(seen.path.rpartition("/")[2])
        return code(4, 404) if found is None else Answer(200, found)

    def show(_: Any) -> Answer:
        return page(*made.values())

    return {
        f"POST {LINKS}": make,
        f"GET {BY_REFERENCE}/*": find,
        f"GET {LINKS}": show,
    }


@pytest.mark.parametrize("kind", [RuntimeError, TimeoutError])
@pytest.mark.parametrize("event", [*WRITING, *AFTER])
async def test_rows_that_a_hook_broke_are_made_once_each(event: str, kind: type[Exception]) -> None:
    trace = tracing(event, raising(kind, method="POST", times=4))
    options = {"read_timeout": 0.2}
    async with given(remembering(), options=options, trace_configs=[trace]) as (plexy, script):
        results, error = await run_job(plexy, 4)
        posted = [seen.json["orderReference"] for seen in script.seen if seen.method == "POST"]
    assert error is None
    assert len(posted) == len(set(posted))
    assert sorted(result.index for result in results) == list(range(4))
    for result in results:
        assert result.error is None
        assert result.link.order_reference == result.request.order_reference


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, RecursionError, ValueError])
async def test_a_job_none_of_whose_requests_a_hook_lets_out_ends_with_that_error(
    kind: type[Exception],
) -> None:
    trace = tracing("on_request_start", raising(kind))
    async with given(remembering(), trace_configs=[trace]) as (plexy, script):
        results, error = await run_job(plexy, 50)
        assert script.count() == 0
    assert isinstance(error, ConnectError)
    told = [*[result.error for result in results], error.with_traceback(None)]
    assert 2 < len(told) < 50
    assert {failure.outcome for failure in told} == {Outcome.NOT_SENT}
    for failure in told:
        assert "closed" not in str(failure)
        if not isinstance(failure, ConfigurationError):
            check(failure, kind, "payment_links.create", failure.order_reference)


async def test_connections_that_cannot_be_opened_have_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise KeyError("no connector")

    monkeypatch.setattr("plexypay_async._http.transport.PacedConnector", broken)
    async with AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1") as plexy:
        with pytest.raises(PlexyPayError, match="KeyError") as caught:
            await plexy.payments.refund("t")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.operation == "payments.refund"
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.__cause__.__traceback__ is None


# ---------------------------------------------------------------------------- what the caller was handling


class StopError(BaseException):
    """What nobody catches."""


def _depth(error: BaseException) -> int:
    depth, traceback = 0, error.__traceback__
    while traceback is not None:
        depth, traceback = depth + 1, traceback.tb_next
    return depth


def _of_the_callers_own() -> None:
    raise LookupError("the caller's own")


@pytest.mark.parametrize("how", ["a middleware", "an argument", "no parameter"])
async def test_what_the_caller_was_handling_keeps_its_frames(how: str) -> None:
    async def stop(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        raise StopError

    class Unreadable(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("no items")

    given: dict[str, dict[str, Any]] = {
        "a middleware": {},
        "an argument": {"extra": Unreadable(a=1)},
        "no parameter": {"colour": "red"},
    }
    async with (
        aiohttp.ClientSession(middlewares=[stop]) as session,
        AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1", session=session) as plexy,
    ):
        try:
            _of_the_callers_own()
        except LookupError as error:
            handled = error
            with pytest.raises((StopError, ConfigurationError, TypeError)) as caught:
                await plexy.payments.refund("t", **given[how])
    assert _depth(handled) == 2
    assert caught.value.__context__ is handled or how == "an argument"
