"""A session of the caller's own: whatever its defaults are, a request is what the library needs."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import warnings
from typing import Any

import aiohttp
import pytest
from yarl import URL

from plexypay_async import (
    AsyncPlexyPay,
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    Outcome,
    PlexyPayError,
    UnprocessableError,
)

from .scripted import CREATED, FOUND, KEY, LINKS, SHORT, SILENCE, Answer, Late, Seen, code, link, serving

pytestmark = pytest.mark.asyncio


def client(url: str, session: Any, **options: Any) -> AsyncPlexyPay:
    chosen: dict[str, Any] = {"retry": SHORT, "timeout": 5.0, **options}
    return AsyncPlexyPay(KEY, base_url=url, session=session, **chosen)


async def create(plexy: AsyncPlexyPay) -> Any:
    return await plexy.payment_links.create(amount=2_200_000, currency="KZT", order_reference="ORD-1")


async def refuse_all(response: aiohttp.ClientResponse) -> None:
    raise RuntimeError(f"the caller's own check of {response.status}")


class OddResponse(aiohttp.ClientResponse):
    """A response class of the caller's, which reads nothing."""

    async def read(self) -> bytes:
        raise RuntimeError("not to be read")


class Refusing(aiohttp.ClientRequest):
    """A request class of the caller's, which sends nothing."""

    async def send(self, conn: Any) -> Any:
        raise RuntimeError("not to be sent")


def odd_json(value: Any) -> str:
    raise RuntimeError("not to be asked")


SESSIONS: dict[str, dict[str, Any]] = {
    "raise_for_status": {"raise_for_status": True},
    "a function as raise_for_status": {"raise_for_status": refuse_all},
    "no decompression": {"auto_decompress": False},
    "cookies": {"cookies": {"mine": "1"}},
    "total": {"timeout": aiohttp.ClientTimeout(total=0.01)},
    "sock_read": {"timeout": aiohttp.ClientTimeout(sock_read=0.01)},
    "json_serialize": {"json_serialize": odd_json},
    "framing headers": {"headers": {"Content-Length": "3", "Transfer-Encoding": "chunked"}},
    "connection": {"headers": {"Connection": "close"}},
    "another host": {"headers": {"Host": "evil.example"}},
    "another key": {"headers": {"authorization": "Bearer mine"}},
    "accept": {"headers": {"Accept": "text/html", "Accept-Encoding": "br, zstd"}},
    "another body": {"headers": {"Content-Type": "text/plain", "Cookie": "a=1"}},
    "a small buffer": {"read_bufsize": 1},
    "a response class": {"response_class": OddResponse},
    "a request class": {"request_class": Refusing},
    "a base URL": {"base_url": "http://127.0.0.1:1/elsewhere/"},
    "HTTP/1.0": {"version": aiohttp.HttpVersion10},
    "skipped headers": {"skip_auto_headers": ["User-Agent", "Accept", "Content-Type", "Host"]},
    "small lines": {"max_line_size": 64, "max_field_size": 64},
    "no quoting": {"requote_redirect_url": False},
}

each_session = pytest.mark.parametrize("options", SESSIONS.values(), ids=SESSIONS)


def zipped(seen: Seen) -> Answer:
    """What is asked for, compressed where the request takes that."""
    content = json.dumps(link(seen.json["orderReference"])).encode()
    assert "gzip" in seen.headers["accept-encoding"]
    return Answer(201, gzip.compress(content), {"Content-Encoding": "gzip", "X-Long": "x" * 200})


@each_session
async def test_a_request_is_as_it_is_without_that_session(options: dict[str, Any]) -> None:
    async with serving({"*": zipped}) as server, aiohttp.ClientSession(**options) as session:
        async with AsyncPlexyPay(KEY, base_url=server.url) as plexy:
            await create(plexy)
        async with client(server.url, session) as plexy:
            for _ in range(2):
                assert (await create(plexy)).order_reference == "ORD-1"
        plain, *ours = server.script.seen
        assert len(ours) == 2
        for seen in ours:
            assert seen.body == plain.body
            assert seen.route == plain.route
            assert dict(seen.headers) == dict(plain.headers)
            assert seen.headers["authorization"] == KEY
        # The connection is used again, whatever that session does with its own.
        assert server.script.connections == 2
        assert not session.closed


@each_session
async def test_a_refusal_is_the_servers_whatever_the_session_does_with_it(options: dict[str, Any]) -> None:
    routes = {
        f"POST {LINKS}": code(5, 422),
        f"GET {LINKS}/gone": code(4, 404),
        f"GET {LINKS}/secret": code(4, 401),
    }
    async with serving(routes) as server, aiohttp.ClientSession(**options) as session:
        async with client(server.url, session) as plexy:
            with pytest.raises(UnprocessableError) as caught:
                await create(plexy)
            assert caught.value.outcome is Outcome.REJECTED
            assert caught.value.message == "as scripted"
            with pytest.raises(NotFoundError):
                await plexy.payment_links.retrieve("gone")
            with pytest.raises(AuthenticationError):
                await plexy.payment_links.retrieve("secret")
        assert server.script.count() == 3


@each_session
async def test_a_slow_answer_is_waited_for_whatever_the_session_would_do(options: dict[str, Any]) -> None:
    async with serving({"*": Late(0.2, CREATED)}) as server, aiohttp.ClientSession(**options) as session:
        async with client(server.url, session) as plexy:
            await create(plexy)
        assert server.script.count() == 1


async def test_a_redirect_is_not_followed_and_takes_the_key_nowhere() -> None:
    async with serving({"*": FOUND}) as elsewhere:
        away = Answer(302, b"", {"Location": f"{elsewhere.url}/v1/payment-links/pl_1"})
        async with (
            serving({"*": away}) as server,
            aiohttp.ClientSession(raise_for_status=True) as session,
            client(server.url, session, timeout=0.5) as plexy,
        ):
            with pytest.raises(PlexyPayError):
                await plexy.payment_links.retrieve("pl_1")
        assert elsewhere.script.count() == 0


async def test_cookies_are_neither_kept_nor_sent() -> None:
    answer = Answer(200, link(id="pl_1"), {"Set-Cookie": "session=1; Path=/"})
    jar = aiohttp.CookieJar(unsafe=True)
    async with serving({"*": answer}) as server, aiohttp.ClientSession(cookie_jar=jar) as session:
        jar.update_cookies({"mine": "1"}, URL(server.url))
        async with client(server.url, session) as plexy:
            for _ in range(2):
                await plexy.payment_links.retrieve("pl_1")
        assert ["cookie" in seen.headers for seen in server.script.seen] == [False, False]
        assert [cookie.key for cookie in jar] == ["mine"]


async def test_further_default_headers_are_sent() -> None:
    headers = {"X-Mine": "1", "Authorization": "Bearer mine"}
    async with serving({"*": FOUND}) as server, aiohttp.ClientSession(headers=headers) as session:
        async with client(server.url, session) as plexy:
            await plexy.payment_links.retrieve("pl_1")
        assert server.script.seen[0].headers["x-mine"] == "1"
        assert server.script.seen[0].headers["authorization"] == KEY


async def test_a_middleware_may_add_a_header() -> None:
    async def add(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        request.headers["X-Trace"] = "abc"
        response: aiohttp.ClientResponse = await handler(request)
        return response

    async with serving({"*": CREATED}) as server, aiohttp.ClientSession(middlewares=[add]) as session:
        async with client(server.url, session) as plexy:
            await create(plexy)
        assert server.script.seen[0].headers["x-trace"] == "abc"
        assert server.script.seen[0].headers["authorization"] == KEY


async def test_what_a_tracer_does_to_the_headers_of_one_request_is_not_in_the_next() -> None:
    changed: list[str] = []

    async def change(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        if not changed:
            params.headers["X-Once"] = "1"
            changed.append(params.headers["Authorization"])

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(change)
    async with serving({"*": CREATED}) as server, aiohttp.ClientSession(trace_configs=[trace]) as session:
        async with client(server.url, session) as plexy:
            for _ in range(2):
                await create(plexy)
        assert "x-once" not in server.script.seen[1].headers
        assert [seen.headers["authorization"] for seen in server.script.seen] == [KEY, KEY]


# --------------------------------------------------------------------------------------- what is refused


@pytest.mark.filterwarnings("ignore:(BasicAuth is|The 'auth' parameter is) deprecated:DeprecationWarning")
async def test_a_session_with_an_auth_of_its_own_is_refused_when_the_client_is_built() -> None:
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("me", "hunter2")) as session:
        with pytest.raises(ConfigurationError, match="auth") as caught:
            AsyncPlexyPay(KEY, session=session)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("given", ["session", aiohttp.ClientSession, aiohttp.TraceConfig(), 1, [], False])
async def test_what_is_no_session_is_refused_when_the_client_is_built(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"session: expected an aiohttp\.ClientSession"):
        AsyncPlexyPay(KEY, session=given)


async def test_a_closed_session_is_refused_when_the_client_is_built() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(ConfigurationError, match="session: it is closed"):
        AsyncPlexyPay(KEY, session=session)


# ------------------------------------------------------------------------------------------ whose life it is


async def test_the_session_stays_open_when_the_client_is_closed() -> None:
    async with serving({"*": FOUND}) as server, aiohttp.ClientSession() as session:
        plexy = client(server.url, session)
        await plexy.payment_links.retrieve("pl_1")
        await plexy.close()
        assert not session.closed
        async with session.get(f"{server.url}{LINKS}/pl_2") as answer:
            assert json.loads(await answer.read())["id"] == "pl_2"
        with pytest.raises(ConfigurationError, match="client is closed"):
            await plexy.payment_links.retrieve("pl_1")
        # Another client may use it after that.
        async with client(server.url, session) as other:
            await other.payment_links.retrieve("pl_1")
        assert server.script.connections == 1


@pytest.mark.parametrize("ended", ["client closed", "client collected", "session closed"])
async def test_no_end_of_one_of_the_two_warns(ended: str) -> None:
    async with serving({"*": FOUND}) as server:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            session = aiohttp.ClientSession()
            plexy = client(server.url, session)
            await plexy.payment_links.retrieve("pl_1")
            if ended == "client closed":
                await plexy.close()
            if ended == "session closed":
                await session.close()
            del plexy
            gc.collect()
            await asyncio.sleep(0.05)
            gc.collect()
            if not session.closed:
                async with session.get(f"{server.url}{LINKS}/pl_2") as answer:
                    assert answer.status == 200
                await session.close()
            del session
            gc.collect()
            await asyncio.sleep(0.05)
        assert [str(warning.message) for warning in warned] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_session_that_is_closed_while_a_call_is_under_way_ends_it_at_once(method: str) -> None:
    async with serving({"*": SILENCE}) as server:
        session = aiohttp.ClientSession()
        plexy = client(server.url, session, timeout=30.0)
        calling = asyncio.ensure_future(plexy.request(method, "/v1/things"))
        while not server.script.seen:
            await asyncio.sleep(0.01)
        await session.close()
        with pytest.raises(PlexyPayError) as caught:
            await asyncio.wait_for(calling, 2)
        await plexy.close()
    if method == "POST":
        assert caught.value.outcome is Outcome.UNKNOWN
    else:
        assert isinstance(caught.value, ConfigurationError)
        assert "closed" in str(caught.value)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_hook_puts_another_key_or_a_cookie_on_the_wire(method: str) -> None:
    async def meddle(session: object, context: object, params: aiohttp.TraceRequestStartParams) -> None:
        params.headers["Authorization"] = "Bearer tracer"

    async def meddling(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers["Authorization"] = "Bearer middleware"
        request.headers["Cookie"] = "stolen=1"
        return await handler(request)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(meddle)
    script = {"*": Answer(200, {})}
    async with (
        serving(script) as server,
        aiohttp.ClientSession(trace_configs=[trace], middlewares=[meddling]) as session,
        AsyncPlexyPay(KEY, base_url=server.url, session=session) as plexy,
    ):
        await plexy.request(method, "/v1/anything")
        (seen,) = server.script.seen
    assert seen.headers["authorization"] == KEY
    assert "cookie" not in seen.headers
