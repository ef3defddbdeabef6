"""`request`: numbers without a lost digit in both directions, and the forms that any call has."""

from __future__ import annotations

import asyncio
import enum
import inspect
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from plexypay_async import Answered, AsyncPlexyPay, ConfigurationError, NotFoundError, Replay, RetryPolicy
from plexypay_sync import PlexyPay

pytestmark = pytest.mark.asyncio

LONG = Decimal("12345678901234567.89")
NUMBERS = (
    b'{"a": 12345678901234567.89, "b": 0.1, "c": 1.10, "d": 22000, "e": 1e3, "f": 123456789012345678901}'
)


class Echo:
    """Answers with what it is told to, and keeps what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answer: bytes = NUMBERS
        self.status = 200
        self.url = ""

    async def answered(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        return web.Response(
            status=self.status,
            body=self.answer,
            content_type="application/json",
            headers={"X-Request-Id": "req_1"},
        )


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answered)
    async with TestServer(app) as server:
        made.url = str(server.make_url(""))
        yield made


def _client(echo: Echo, **options: Any) -> AsyncPlexyPay:
    return AsyncPlexyPay("key", base_url=echo.url, **options)


async def _sync(echo: Echo, *args: Any, **kwargs: Any) -> Any:
    def call() -> Any:
        with PlexyPay("key", base_url=echo.url) as plexy:
            return plexy.request(*args, **kwargs)

    return await asyncio.to_thread(call)


async def _async(echo: Echo, *args: Any, **kwargs: Any) -> Any:
    async with _client(echo) as plexy:
        return await plexy.request(*args, **kwargs)


both_facades = pytest.mark.parametrize("request_by", [_async, _sync], ids=["async", "sync"])


@both_facades
async def test_no_digit_of_an_answer_is_lost(echo: Echo, request_by: Any) -> None:
    found = await request_by(echo, "GET", "/v1/x")
    assert found == dict(zip("abcdef", [LONG, 0.1, 1.1, 22000, 1000.0, 123456789012345678901], strict=True))
    assert [type(found[name]) for name in "abcdef"] == [Decimal, float, float, int, float, int]


@both_facades
async def test_every_number_with_a_point_is_a_decimal_where_that_is_asked_for(
    echo: Echo, request_by: Any
) -> None:
    found = await request_by(echo, "GET", "/v1/x", decimals=True)
    numbers = [LONG, Decimal("0.1"), Decimal("1.1"), 22000, Decimal(1000), 123456789012345678901]
    assert found == dict(zip("abcdef", numbers, strict=True))
    assert str(found["c"]) == "1.10"
    assert type(found["b"]) is Decimal
    assert type(found["d"]) is int


@pytest.mark.parametrize(
    "answer", [b"", b"null", b"\xef\xbb\xbf[0.5]", b'["x"]', b"[1e-9999999999999999999]"]
)
async def test_what_has_no_such_number_is_read_as_ever(echo: Echo, answer: bytes) -> None:
    echo.answer = answer
    async with _client(echo) as plexy:
        assert await plexy.request("GET", "/v1/x", decimals=True) == await plexy.request("GET", "/v1/x")


@both_facades
async def test_a_decimal_is_written_with_just_its_digits(echo: Echo, request_by: Any) -> None:
    class Rate(enum.Enum):
        FULL = Decimal("1.50")

    @dataclass
    class Part:
        amount: Decimal

    body = {
        "amount": Decimal("12345678901234567.89"),
        "parts": [Decimal("0.10"), Part(Decimal("-3")), Rate.FULL],
        "large": Decimal("1E+400"),
    }
    await request_by(echo, "POST", "/v1/x", json=body, replay=Replay.CREATE)
    assert echo.bodies == [
        b'{"amount":12345678901234567.89,"parts":[0.10,{"amount":-3},1.50],"large":1E+400}'
    ]


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
async def test_a_decimal_that_is_no_number_is_refused(echo: Echo, value: str) -> None:
    async with _client(echo) as plexy:
        with pytest.raises(
            ConfigurationError, match=rf"^json\['amount'\]: {value} cannot be written as JSON$"
        ):
            await plexy.request("POST", "/v1/x", json={"amount": Decimal(value)})
    assert echo.bodies == []


async def test_what_answers_to_every_name_is_no_dataclass(echo: Echo) -> None:
    class Answering:
        def __getattr__(self, name: str) -> Any:
            return None

    async with _client(echo) as plexy:
        with pytest.raises(ConfigurationError, match=r"^json\['a'\]: a Answering cannot be written as JSON"):
            await plexy.request("POST", "/v1/x", json={"a": Answering()})
    assert echo.bodies == []


async def test_where_a_decimal_is_refused_the_error_says_what_to_give() -> None:
    plexy = AsyncPlexyPay("key", base_url="http://127.0.0.1:9")
    with pytest.raises(
        ConfigurationError, match=r"a Decimal cannot be written as JSON; give a number, or text"
    ):
        await plexy.payment_links.create(amount=1, currency="KZT", extra={"share": Decimal("0.5")})


@both_facades
@pytest.mark.parametrize("given", [1, None, "yes"])
async def test_decimals_are_asked_for_with_true(echo: Echo, request_by: Any, given: Any) -> None:
    with pytest.raises(ConfigurationError, match="decimals: expected True or False"):
        await request_by(echo, "GET", "/v1/x", decimals=given)


async def test_with_response_says_how_it_was_answered(echo: Echo) -> None:
    async with _client(echo) as plexy:
        answered = await plexy.request.with_response("GET", "/v1/x", decimals=True)
    assert isinstance(answered, Answered)
    assert answered.value["b"] == Decimal("0.1")
    assert (answered.status, answered.request_id, answered.attempts) == (200, "req_1", 1)
    assert (answered.recovered, answered.elapsed is not None) == (False, True)


async def test_with_response_of_the_sync_client(echo: Echo) -> None:
    def call() -> Answered[Any]:
        with PlexyPay("key", base_url=echo.url) as plexy:
            return plexy.request.with_response("POST", "/v1/x", json={"a": 1})

    answered = await asyncio.to_thread(call)
    assert (answered.value["d"], answered.status, answered.request_id) == (22000, 200, "req_1")
    assert echo.bodies == [b'{"a":1}']


async def test_an_error_of_it_has_the_same(echo: Echo) -> None:
    echo.status, echo.answer = 404, b'{"code": 4, "message": "Not Found"}'
    async with _client(echo) as plexy:
        with pytest.raises(NotFoundError) as caught:
            await plexy.request.with_response("GET", "/v1/x")
    assert caught.value.request_id == "req_1"


async def test_it_takes_options_for_one_call(echo: Echo) -> None:
    async with _client(echo, default_headers={"X-Shop": "1"}) as plexy:
        quick = plexy.request.with_options(headers={"X-Trace": "7"}, retry=RetryPolicy(max_attempts=1))
        await quick("GET", "/v1/x")
        assert (await quick.with_response("GET", "/v1/x")).status == 200
        await plexy.request("GET", "/v1/x")
    assert [(each.get("X-Shop"), each.get("X-Trace")) for each in echo.headers] == [
        ("1", "7"),
        ("1", "7"),
        ("1", None),
    ]


@pytest.mark.parametrize("client", [AsyncPlexyPay, PlexyPay])
async def test_it_is_a_method_as_any_other(client: Any) -> None:
    plexy = client("key", base_url="http://127.0.0.1:9")
    of_class = inspect.signature(client.request)
    assert list(of_class.parameters)[:3] == ["method", "path", "params"]
    assert inspect.signature(plexy.request) == of_class
    assert inspect.signature(plexy.request).return_annotation == "Any"
    assert client.request.__doc__ == plexy.request.__doc__
    assert "Call what the library does not know yet." in str(inspect.getdoc(client.request))
    assert plexy.request.__qualname__ == f"{client.__name__}.request"
    assert inspect.iscoroutinefunction(client.request) == inspect.iscoroutinefunction(plexy.request)
    specced = mock.create_autospec(client, instance=True)
    result = specced.request("GET", "/v1/x")
    assert inspect.isawaitable(result) == inspect.iscoroutinefunction(client.request)
    if inspect.isawaitable(result):
        await result
    with mock.patch.object(plexy, "request", mock.Mock(return_value=5)):
        assert plexy.request() == 5
    assert plexy.request.__name__ == "request"


@both_facades
async def test_an_argument_that_is_missing_is_told_as_python_tells_it(echo: Echo, request_by: Any) -> None:
    with pytest.raises(TypeError, match=r"\.request\(\) missing 1 required positional argument: 'path'"):
        await request_by(echo, "GET")
