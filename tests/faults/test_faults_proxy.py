"""Plain http stays on this machine whatever proxies there are, and no error shows a proxy's password."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import traceback
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    Outcome,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_sync import PlexyPay
from tests.frames import exposures

from .scripted import FOUND, KEY, ONCE, Script, serving

pytestmark = pytest.mark.asyncio


def use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, url.replace("http://", "http://user:secret-of-the-proxy@"))


@pytest.mark.parametrize("facade", ["async", "sync"])
async def test_no_proxy_of_the_environment_sees_plain_http(
    facade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_without_await(url: str) -> None:
        with PlexyPay(KEY, base_url=url, trust_env=True, retry=ONCE) as plexy:
            plexy.payment_links.retrieve("pl_1")

    async with serving({"*": FOUND}) as server, serving({"*": FOUND}) as proxy:
        use_proxy(monkeypatch, proxy.url)
        if facade == "async":
            async with AsyncPlexyPay(KEY, base_url=server.url, trust_env=True, retry=ONCE) as plexy:
                await plexy.payment_links.retrieve("pl_1")
        else:
            await asyncio.to_thread(asked_without_await, server.url)
    assert server.script.count() == 1
    assert proxy.script.connections == 0


@pytest.mark.parametrize("how", ["environment", "default"])
async def test_a_session_with_a_proxy_is_refused_for_plain_http(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script({"*": FOUND})
    async with serving(script) as proxy:
        use_proxy(monkeypatch, proxy.url)
        options: dict[str, Any] = {"trust_env": True} if how == "environment" else {"proxy": proxy.url}
        async with aiohttp.ClientSession(**options) as session:
            plexy = AsyncPlexyPay(KEY, base_url="http://127.0.0.1:1", session=session)
            with pytest.raises(ConfigurationError, match=r"^session: it has a proxy") as caught:
                await plexy.payment_links.retrieve("pl_1")
    assert script.connections == 0
    assert "secret-of-the-proxy" not in str(caught.value)


PASSWORD = "secret-of-the-proxy"
AWAY = "https://api.example.invalid"


def _hides_the_password(error: PlexyPayError) -> None:
    assert not exposures(error, [PASSWORD])
    assert PASSWORD not in "".join(traceback.format_exception(error))
    assert (
        PASSWORD
        not in f"{error!r} {error.__cause__!r} {error.__cause__} {error.__cause__ and vars(error.__cause__)}"
    )


async def _no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy that opens a tunnel, and then speaks no TLS in it."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nthis is no TLS at all")
    writer.close()


PROXIES = {
    "no TLS": f"http://user:{PASSWORD}@127.0.0.1:PORT",
    "no scheme": f"user:{PASSWORD}@127.0.0.1:PORT",
    "no such port": f"http://user:{PASSWORD}@127.0.0.1:99999",
    "half an address": f"http://user:{PASSWORD}@[::1",
    "no host": f"http://user:{PASSWORD}@",
    "a space": f"http://user:not {PASSWORD}@127.0.0.1:99999",
    "a quote": f"http://user:it's {PASSWORD}@127.0.0.1:99999",
    "an at": f"http://user:a@{PASSWORD}@127.0.0.1:99999",
    "nobody": f"http://user:{PASSWORD}@127.0.0.1:1",
}


@pytest.mark.parametrize("how", ["environment", "session", "sync"])
@pytest.mark.parametrize("proxy", PROXIES)
async def test_no_error_shows_the_password_of_a_proxy(
    how: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_without_await() -> None:
        with PlexyPay(KEY, base_url=AWAY, trust_env=True, retry=ONCE) as plexy:
            plexy.payments.refund("t")

    async def asked(url: str) -> None:
        if how == "sync":
            await asyncio.to_thread(asked_without_await)
            return
        options: dict[str, Any] = {"proxy": url} if how == "session" else {"trust_env": True}
        async with (
            aiohttp.ClientSession(**options) as session,
            AsyncPlexyPay(KEY, base_url=AWAY, session=session, retry=ONCE) as plexy,
        ):
            await plexy.payments.refund("t")

    async with await asyncio.start_server(_no_tls, "127.0.0.1", 0) as listening:
        url = PROXIES[proxy].replace("PORT", str(listening.sockets[0].getsockname()[1]))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("https_proxy", url)
        # What is no proxy's address is known before anything is tried.
        with pytest.raises((ConnectError, ConfigurationError)) as caught:
            await asked(url)
        # The proxy's socket closes a turn later.
        await asyncio.sleep(0.01)
    assert caught.value.outcome is Outcome.NOT_SENT
    _hides_the_password(caught.value)


@pytest.mark.parametrize("with_proxy", [False, True])
async def test_a_certificate_is_refused_for_good_through_a_proxy_too(*, with_proxy: bool) -> None:
    # Not aiohttp's own class, which warns that it will go.
    proof: Any = ("user", PASSWORD) if with_proxy else None
    key = ConnectionKey("api.example.invalid", 443, True, True, None, proof, None)
    asked: list[str] = []

    async def refuse(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        asked.append(request.method)
        raise aiohttp.ClientConnectorCertificateError(key, ssl.CertificateError("not theirs"))

    async with (
        aiohttp.ClientSession(middlewares=[refuse]) as session,
        AsyncPlexyPay(KEY, base_url=AWAY, session=session, retry=RetryPolicy(base=0.001)) as plexy,
    ):
        with pytest.raises(
            ConnectError, match=r"the certificate of api.example.invalid:443 proves nothing: not theirs"
        ) as caught:
            await plexy.payments.refund("t")
    assert asked == ["POST"]
    cause = caught.value.__cause__
    assert isinstance(cause, aiohttp.ClientConnectorCertificateError) is not with_proxy
    assert "ClientConnectorCertificateError" in repr(cause)
    _hides_the_password(caught.value)


async def test_a_time_out_through_a_proxy_still_counts_as_one() -> None:
    async def wait(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        raise aiohttp.ConnectionTimeoutError(f"no http://user:{PASSWORD}@proxy.example")

    async with (
        aiohttp.ClientSession(middlewares=[wait]) as session,
        AsyncPlexyPay(KEY, base_url=AWAY, session=session, retry=ONCE) as plexy,
    ):
        with pytest.raises(ConnectError) as caught:
            await plexy.payments.refund("t")
    assert isinstance(caught.value.__cause__, TimeoutError)
    _hides_the_password(caught.value)


async def test_no_error_shows_a_text_that_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    password = "\u043f\u0430\u0440\u043e\u043b\u044c"

    async def write(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        raise AssertionError(aiohttp.encode_basic_auth("user", password, "latin-1"))

    async with (
        aiohttp.ClientSession(middlewares=[write]) as session,
        AsyncPlexyPay(KEY, base_url=AWAY, session=session, retry=ONCE) as plexy,
    ):
        with pytest.raises(ConnectError, match="UnicodeEncodeError") as caught:
            await plexy.payments.refund("t")
    assert not exposures(caught.value, [password, *password, "u043f"])
    assert not isinstance(caught.value.__cause__, UnicodeError)
    assert password not in caplog.text
