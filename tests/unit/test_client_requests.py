"""The client at its HTTP seam: what it sends, and `request` for what the library does not know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from yarl import URL

from plexypay_async import (
    AsyncPlexyPay,
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    Outcome,
    Replay,
    RetryPolicy,
    ServiceUnavailableError,
    UnreadableResponseError,
)

from .mocked_http import Method, MockedHTTP

pytestmark = pytest.mark.asyncio

BASE = "https://api.example"
LINK = {"id": "pl_1", "amount": 100, "currency": "KZT", "status": "active", "url": "https://pay.example/1"}
QUICK = RetryPolicy(base=0, cap=0)


def a_client(**options: Any) -> AsyncPlexyPay:
    given: dict[str, Any] = {"base_url": BASE, "retry": QUICK, **options}
    return AsyncPlexyPay("key", **given)


def sent(http: MockedHTTP) -> list[tuple[str, str, Any]]:
    """Return the method, the target and the key of every request, in no order between targets."""
    return [
        (method, str(url).removeprefix(BASE), call.kwargs["headers"]["Authorization"])
        for (method, url), calls in http.requests.items()
        for call in calls
    ]


async def test_a_typed_call(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/payment-links/pl_1", payload=LINK)

    async with a_client() as plexy:
        link = await plexy.payment_links.retrieve("pl_1")

    assert (link.id, link.amount) == ("pl_1", 100)
    assert sent(mocked_http) == [("GET", "/v1/payment-links/pl_1", "key")]


async def test_another_path_for_an_operation(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v9/stats", payload={"paid": 1})

    async with a_client(paths={"payment_links.statistics": "/v9/stats"}) as plexy:
        assert (await plexy.payment_links.statistics()).raw == {"paid": 1}


async def test_an_assumed_path_that_is_not_there_says_so(mocked_http: MockedHTTP) -> None:
    mocked_http.get(
        f"{BASE}/v1/payment-links/statistics", status=404, payload={"code": 4, "message": "Not Found"}
    )

    async with a_client() as plexy:
        with pytest.raises(NotFoundError) as caught:
            await plexy.payment_links.statistics()

    assert 'paths={"payment_links.statistics": "/v1/..."}' in caught.value.__notes__[0]
    assert caught.value.operation == "payment_links.statistics"


async def test_options_reach_the_wire(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/x", payload={}, repeat=True)

    async with a_client() as plexy:
        await plexy.with_options(api_key="another").request("GET", "/v1/x")
        await plexy.with_options(timeout=1).request("GET", "/v1/x")
        keys = iter(["k1", "k2"])
        rotating = plexy.with_options(api_key=lambda: next(keys))
        await rotating.request("GET", "/v1/x")
        await rotating.request("GET", "/v1/x")

    assert [key for _, _, key in sent(mocked_http)] == ["another", "key", "k1", "k2"]


async def test_closing_a_derived_client_does_nothing(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/x", payload={}, repeat=True)
    plexy = a_client()

    async with plexy.with_options(timeout=1) as derived:
        await derived.request("GET", "/v1/x")
    await plexy.request("GET", "/v1/x")
    await plexy.close()
    await plexy.close()

    for closed in (plexy, derived, plexy.with_options(timeout=2)):
        with pytest.raises(ConfigurationError, match="this client is closed") as caught:
            await closed.request("GET", "/v1/x")
        assert caught.value.outcome is Outcome.NOT_SENT


# ---------------------------------------------------------------------------------------------- request


async def test_a_request_with_everything(mocked_http: MockedHTTP) -> None:
    bodies: list[str] = []

    def answered(url: URL, **options: Any) -> None:
        bodies.append(options["data"].decode())

    mocked_http.put(
        f"{BASE}/v1/y%20z?a=1&b=true&from=2025-01-01T00:00:00Z", payload={"ok": 1}, callback=answered
    )

    async with a_client() as plexy:
        answer = await plexy.request(
            "put",
            "/v1/y z",
            params={"a": 1, "b": True, "c": None, "from": datetime(2025, 1, 1, tzinfo=UTC)},
            json={"name": "Ы"},
            headers={"X-Trace": "1"},
        )

    assert answer == {"ok": 1}
    assert bodies == ['{"name":"Ы"}']
    ((_, calls),) = mocked_http.requests.items()
    assert calls[0].kwargs["headers"]["Authorization"] == "key"
    assert calls[0].kwargs["headers"]["X-Trace"] == "1"
    assert calls[0].kwargs["allow_redirects"] is False


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        ("/v1/x", None, "/v1/x"),
        ("/v1/x", {}, "/v1/x"),
        ("/v1/x?a=1", {"b": "2"}, "/v1/x?a=1&b=2"),
        ("/v1/%2F", None, "/v1/%2F"),
        ("/v1/ы", None, "/v1/%D1%8B"),
        ("/v1/x/", {"a": ["1", "2"]}, "/v1/x/?a=1&a=2"),
    ],
)
async def test_the_target_of_a_request(mocked_http: MockedHTTP, path: str, params: Any, target: str) -> None:
    urls: list[str] = []

    def answered(url: URL, **_: Any) -> None:
        urls.append(str(url))

    mocked_http.get(URL(BASE + target, encoded=True), payload=1, callback=answered)

    async with a_client() as plexy:
        assert await plexy.request("GET", path, params=params) == 1

    assert urls == [BASE + target]


async def test_an_empty_answer_is_none(mocked_http: MockedHTTP) -> None:
    mocked_http.delete(f"{BASE}/v1/x", status=204, body=b"")

    async with a_client() as plexy:
        assert await plexy.request("DELETE", "/v1/x") is None


async def test_an_answer_that_is_not_json(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/x", body=b"<html>", headers={"Content-Length": "6"})
    mocked_http.get(f"{BASE}/v1/x", payload="asked again")

    async with a_client() as plexy:
        with pytest.raises(
            UnreadableResponseError, match=r"GET /v1/x: the answer is not JSON \(HTTP 200\)"
        ) as caught:
            await plexy.request("GET", "/v1/x")
    assert caught.value.outcome is Outcome.DONE
    assert len(sent(mocked_http)) == 1


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Length": "6", "Content-Encoding": "gzip"}], ids=["to the end", "compressed"]
)
async def test_an_answer_that_may_be_cut_is_asked_for_again(
    mocked_http: MockedHTTP, headers: dict[str, str]
) -> None:
    mocked_http.get(f"{BASE}/v1/x", body=b'{"ok": ', headers=headers)
    mocked_http.get(f"{BASE}/v1/x", payload="whole")

    async with a_client() as plexy:
        assert await plexy.request("GET", "/v1/x") == "whole"
    assert len(sent(mocked_http)) == 2


async def test_a_post_is_taken_to_move_money(mocked_http: MockedHTTP) -> None:
    def broken_once(method: Method) -> None:
        method(f"{BASE}/v1/x", status=500, payload={"code": 2, "message": "m"})
        method(f"{BASE}/v1/x", payload="again")

    broken_once(mocked_http.post)
    broken_once(mocked_http.put)
    async with a_client() as plexy:
        assert await plexy.request("PUT", "/v1/x", json={}) == "again"
        with pytest.raises(Exception, match="Money may have moved") as caught:
            await plexy.request("POST", "/v1/x", json={})
        assert getattr(caught.value, "outcome", None) is Outcome.UNKNOWN
        broken_once(mocked_http.post)
        assert await plexy.request("POST", "/v1/x", json={}, replay=Replay.SAFE) == "again"


async def test_errors_of_a_request(mocked_http: MockedHTTP) -> None:
    mocked_http.get(f"{BASE}/v1/x", status=401, payload={"message": "key is key", "code": 1})
    mocked_http.get(f"{BASE}/v1/y", status=503, payload={"code": 1, "message": "busy"}, repeat=True)

    async with a_client(retry=RetryPolicy(max_attempts=3, base=0, cap=0)) as plexy:
        with pytest.raises(AuthenticationError):
            await plexy.request("GET", "/v1/x")
        with pytest.raises(ServiceUnavailableError) as caught:
            await plexy.request("GET", "/v1/y")

    assert caught.value.operation == "GET /v1/y"
    assert [type(error) for error in caught.value.attempts] == [ServiceUnavailableError] * 2


@pytest.mark.parametrize(
    ("arguments", "options", "reason"),
    [
        (("TRACE", "/v1/x"), {}, "^method: "),
        (("GET", "v1/x"), {}, "^path: "),
        (("GET", "//evil.example/x"), {}, "^path: "),
        (("GET", "https://evil.example"), {}, "^path: "),
        (("GET", None), {}, "^path: "),
        (("GET", "/v1/../admin"), {}, "^path: "),
        (("GET", "/v1/./x"), {}, "^path: "),
        (("GET", "/v1/x#y"), {}, "^path: "),
        (("GET", "/v1/x"), {"json": {}}, "^json: "),
        (("GET", "/v1/x"), {"params": {"a": {}}}, "^a: "),
        (("POST", "/v1/x"), {"json": object()}, "^json: a object cannot be written as JSON"),
        (("GET", "/v1/x"), {"headers": {"authorization": "x"}}, "^headers: Authorization"),
        (("GET", "/v1/x"), {"headers": {"X": "a\r\nB: c"}}, r"^headers\['X'\]: has a line break"),
        (("GET", "/v1/x"), {"headers": {"X Y": "a"}}, "^headers: 'X Y' is no header name"),
        (("GET", "/v1/x"), {"headers": {"X": 1}}, "^headers: names and values must be strings"),
        (("GET", "/v1/x"), {"replay": "safe"}, "^replay: expected a Replay, got str"),
    ],
)
async def test_a_request_that_cannot_be_sent(
    mocked_http: MockedHTTP, arguments: Any, options: Any, reason: str
) -> None:
    async with a_client() as plexy:
        with pytest.raises(ConfigurationError, match=reason):
            await plexy.request(*arguments, **options)

    assert not mocked_http.requests
