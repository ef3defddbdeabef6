"""Through a company's proxy: every request arrives by it, and nothing shows its password."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    Outcome,
    PlexyPayError,
    RetryPolicy,
)
from plexypay_async.network import checked_proxy, proxy_of_environment
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay
from tests.frames import exposures

from .ways import BASE_URL, HOST, PASSWORD, USER, Authority, Front, Proxy, proxy_to

pytestmark = pytest.mark.asyncio

ONCE = RetryPolicy(max_attempts=1)
Create: TypeAlias = Callable[..., Awaitable[Any]]


async def _async(key: str, **options: Any) -> Any:
    async with AsyncPlexyPay(key, **{"base_url": BASE_URL, "retry": ONCE, **options}) as plexy:
        return await plexy.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")


async def _sync(key: str, **options: Any) -> Any:
    def create() -> Any:
        with PlexyPay(key, **{"base_url": BASE_URL, "retry": ONCE, **options}) as plexy:
            return plexy.payment_links.create(amount=100, currency="KZT", order_reference="ORD-1")

    return await asyncio.to_thread(create)


facades = pytest.mark.parametrize("create", [_async, _sync], ids=["async", "sync"])


@facades
async def test_a_proxy_that_is_given_leads_to_the_api(
    create: Create, front: Front, proxy: Proxy, authority: Authority, sandbox: Sandbox
) -> None:
    link = await create(sandbox.api_key, proxy=proxy.url, ssl=authority.file)

    assert link.order_reference == "ORD-1"
    assert proxy.tunnels == [f"{HOST}:443"]
    assert front.connections == 1


@facades
async def test_a_proxy_is_told_who_asks(
    create: Create, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with proxy_to(front.port, asks=True) as proxy:
        await create(sandbox.api_key, proxy=proxy.url_with_credentials, ssl=authority.file)

    assert proxy.authorizations == [f"{USER}:{PASSWORD}"]
    assert len(proxy.tunnels) == 1
    # It is for the proxy alone.
    assert not any("proxy-auth" in head.lower() for head in front.heads)


LETTERS = "s\u00e9cret-\u043f\u0430\u0440\u043e\u043b\u044c"
"""A password of letters that Latin-1 has, and of others."""


@pytest.mark.parametrize("how", ["option", "as it is", "environment", "session", "session's environment"])
async def test_a_password_may_have_letters_of_any_script(
    how: str, front: Front, authority: Authority, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy_to(front.port, asks=True, password=LETTERS) as proxy:
        url = proxy.url_with_credentials
        if how == "as it is":
            url = proxy.url.replace("http://", f"http://{USER}:{LETTERS}@")
        if how.endswith("environment"):
            monkeypatch.setenv("https_proxy", url)
        if how.startswith("session"):
            connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority.file)))
            options: dict[str, Any] = {"proxy": url} if how == "session" else {"trust_env": True}
            async with aiohttp.ClientSession(connector=connector, **options) as session:
                await _async(sandbox.api_key, session=session)
        else:
            options = {"trust_env": True} if how == "environment" else {"proxy": url}
            await _async(sandbox.api_key, ssl=authority.file, **options)

    assert proxy.authorizations == [f"{USER}:{LETTERS}"]
    assert not any("proxy-auth" in head.lower() for head in front.heads)


@facades
async def test_no_error_shows_such_a_password(create: Create, front: Front, sandbox: Sandbox) -> None:
    async with proxy_to(front.port, asks=True) as proxy:
        url = proxy.url.replace("http://", f"http://{USER}:{LETTERS}@")
        with pytest.raises(ConnectError, match="HTTP 407") as caught:
            await create(sandbox.api_key, proxy=url)
    assert not exposures(caught.value, [LETTERS, LETTERS[-3:]])


async def test_bytes_of_a_password_are_kept_as_curl_keeps_them() -> None:
    for given, sent in (("%E9", b"u:\xe9"), ("\udce9", b"u:\xe9"), ("%C3%A9", b"u:\xc3\xa9"), ("", b"u:")):
        found = checked_proxy(f"http://u:{given}@proxy.example")
        assert found is not None
        assert found.credentials is not None
        assert found.credentials.reveal() == sent
    with pytest.raises(ConfigurationError, match="not valid Unicode") as caught:
        AsyncPlexyPay("key", proxy="http://u:hidden-\ud800@proxy.example")
    assert not exposures(caught.value, ["hidden-"])


@pytest.mark.filterwarnings("ignore:.*(BasicAuth|proxy_auth).*:DeprecationWarning")
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_given_sessions_proxy_auth_is_sent_in_its_own_encoding(
    encoding: str, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    auth = aiohttp.BasicAuth(USER, LETTERS, encoding)
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority.file)))
    async with (
        proxy_to(front.port, asks=True, password=LETTERS) as proxy,
        aiohttp.ClientSession(connector=connector, proxy=proxy.url, proxy_auth=auth) as session,
    ):
        if encoding == "utf-8":
            await _async(sandbox.api_key, session=session)
            assert proxy.authorizations == [f"{USER}:{LETTERS}"]
            return
        with pytest.raises(
            ConfigurationError, match=r'^session: its proxy_auth .* encoding="utf-8"'
        ) as caught:
            await _async(sandbox.api_key, session=session)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not exposures(caught.value, [LETTERS])


@facades
@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
async def test_the_environments_proxy_is_taken_where_it_is_trusted(
    create: Create,
    name: str,
    proxy: Proxy,
    authority: Authority,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
    await create(sandbox.api_key, trust_env=True, ssl=authority.file)
    assert len(proxy.tunnels) == 1

    with pytest.raises(ConnectError):
        await create(sandbox.api_key, ssl=authority.file)
    assert len(proxy.tunnels) == 1


async def test_the_proxy_that_is_given_goes_before_the_environments(
    proxy: Proxy, authority: Authority, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    await _async(sandbox.api_key, trust_env=True, proxy=proxy.url, ssl=authority.file)
    assert len(proxy.tunnels) == 1


async def test_no_proxy_leads_past_it(
    front: Front, proxy: Proxy, authority: Authority, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "elsewhere.example, 127.0.0.0/8")
    base_url = f"https://127.0.0.1:{front.port}"
    await _async(sandbox.api_key, trust_env=True, base_url=base_url, ssl=authority.file)
    assert proxy.tunnels == []
    assert front.connections == 1


EXCEPTED = [
    ("*", "api.example", True),
    (" * ", "api.example", True),
    ("*, other.example", "api.example", False),
    ("*.example", "api.example", False),
    ("example", "api.example", True),
    (".example", "api.example", True),
    ("API.Example.", "api.example", True),
    ("api.example", "api.example.", True),
    ("pi.example", "api.example", False),
    ("other.example api.example", "api.example", True),
    ("other.example,,\tapi.example", "api.example", True),
    ("api.example:443", "api.example", False),
    ("10.0.0.0/8", "10.1.2.3", True),
    ("10.1.2.3:443", "10.1.2.3", False),
    ("2.3", "10.1.2.3", False),
    ("fd00::/8", "fd00::1", True),
    ("[fd00::1]", "fd00::1", False),
]
"""What ``no_proxy`` holds, a host, and whether it is reached without the proxy: as by curl 7.88, which takes
no blanks around the star."""


@pytest.mark.parametrize(("excepted", "host", "is_excepted"), EXCEPTED)
async def test_no_proxy_is_read_as_curl_reads_it(
    excepted: str, host: str, is_excepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", excepted)
    assert (proxy_of_environment(host) is None) is is_excepted


async def test_the_environments_proxy_has_curls_port_where_it_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for given, url in (
        ("proxy.example", "http://proxy.example:1080"),
        ("http://u:p@proxy.example/", "http://proxy.example:1080"),
        ("http://proxy.example:80", "http://proxy.example:80"),
        ("https://proxy.example", "https://proxy.example"),
    ):
        monkeypatch.setenv("https_proxy", given)
        assert str(proxy_of_environment("api.example")) == url
    assert str(checked_proxy("http://proxy.example")) == "http://proxy.example"


@facades
@pytest.mark.parametrize("status", [407, 502, 503])
async def test_what_the_proxy_refuses_was_not_sent(
    create: Create, status: int, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with proxy_to(front.port, refuses_with=status) as proxy:
        with pytest.raises(ConnectError) as caught:
            await create(sandbox.api_key, proxy=proxy.url_with_credentials, ssl=authority.file)

    assert caught.value.outcome is Outcome.NOT_SENT
    assert f"the proxy {proxy.url.removeprefix('http://')} answers HTTP {status}" in str(caught.value)
    assert front.connections == 0
    _shows_no_password(caught.value)


@pytest.mark.parametrize("says", [b"", b"this is no HTTP\r\n\r\n", b"HTTP/1.1 200"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_a_proxy_spoils_was_not_sent(
    method: str, says: bytes, front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with (
        proxy_to(front.port, says=says) as proxy,
        AsyncPlexyPay(
            sandbox.api_key,
            base_url=BASE_URL,
            retry=ONCE,
            proxy=proxy.url_with_credentials,
            ssl=authority.file,
        ) as plexy,
    ):
        with pytest.raises(ConnectError) as caught:
            await plexy.request(method, "/v1/payment-links")
        through = f"no connection through the proxy {proxy.url.removeprefix('http://')}: "

    assert caught.value.outcome is Outcome.NOT_SENT
    assert through in str(caught.value)
    assert front.connections == 0
    _shows_no_password(caught.value)


async def test_what_is_wrong_behind_a_proxy_names_it_too(proxy: Proxy, sandbox: Sandbox) -> None:
    with pytest.raises(ConnectError, match=r"no connection through the proxy 127.*: the certificate of"):
        await _async(sandbox.api_key, proxy=proxy.url)


async def test_a_proxy_that_wants_another_password_is_asked_once(
    front: Front, authority: Authority, sandbox: Sandbox
) -> None:
    async with proxy_to(front.port, asks=True) as proxy:
        with pytest.raises(ConnectError, match="a user name and a password"):
            await _async(sandbox.api_key, proxy=proxy.url, ssl=authority.file, retry=RetryPolicy(base=0.01))
    assert proxy.refused == 1


async def test_a_proxy_that_is_away_has_sent_nothing(authority: Authority, sandbox: Sandbox) -> None:
    with pytest.raises(ConnectError, match=r"cannot connect to the proxy 127.0.0.1:1:") as caught:
        await _async(sandbox.api_key, proxy=f"http://{USER}:{PASSWORD[:4]}@127.0.0.1:1", ssl=authority.file)
    assert not exposures(caught.value, [PASSWORD[:4]])


@facades
async def test_a_netrc_is_never_read(
    create: Create,
    front: Front,
    proxy: Proxy,
    authority: Authority,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {HOST} login someone password else\ndefault login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("https_proxy", proxy.url)

    await create(sandbox.api_key, trust_env=True, ssl=authority.file)

    assert f"Authorization: {sandbox.api_key}" in front.heads[0]
    assert proxy.authorizations == []


@pytest.mark.parametrize("how", ["environment", "own"])
async def test_a_given_sessions_proxy_is_taken_over_with_its_credentials(
    how: str,
    front: Front,
    authority: Authority,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / ".netrc").write_text("default login someone password else\n")
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority.file)))
    async with proxy_to(front.port, asks=True) as proxy:
        options: dict[str, Any] = {"trust_env": True}
        if how == "own":
            options = {"proxy": proxy.url_with_credentials}
        monkeypatch.setenv("https_proxy", proxy.url_with_credentials)
        async with aiohttp.ClientSession(connector=connector, **options) as session:
            await _async(sandbox.api_key, session=session)
    assert len(proxy.tunnels) == 1
    assert "plexypay/" in front.heads[0]
    assert "Accept: application/json" in front.heads[0]


async def test_a_given_sessions_headers_are_for_the_api_alone(
    front: Front, proxy: Proxy, authority: Authority, sandbox: Sandbox
) -> None:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(authority.file)))
    headers = {"X-Secret": "1", "Proxy-Authorization": "Basic 1", "Proxy-Connection": "keep-alive"}
    async with aiohttp.ClientSession(connector=connector, proxy=proxy.url, headers=headers) as session:
        await _async(sandbox.api_key, session=session, default_headers={"X-Till": "7"})
    (asked,), (sent, *_) = proxy.heads, front.heads
    for name in ("x-secret", "x-till", "proxy-authorization", "proxy-connection"):
        assert name not in asked.lower()
    assert "X-Secret: 1" in sent
    assert "X-Till: 7" in sent
    assert "proxy-" not in sent.lower()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("socks5://proxy.example:1080", "socks5 is not supported"),
        ("proxy.example:3128", "expected a URL such as http://proxy.example:3128"),
        (f"http://{USER}:{PASSWORD}@proxy.example", "percent-encoded"),
        (f"http://{USER}:{PASSWORD[:4]}@proxy.example:99999", "up to 65535"),
        (f"http://{USER}:{PASSWORD[:4]}@", "no host"),
        (f"http://{USER}:{PASSWORD[:4]} @proxy.example", "a space"),
        (8080, "expected a URL, got int"),
    ],
)
async def test_what_is_no_proxy_is_told_without_its_password(given: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^proxy: .*{told}") as caught:
        AsyncPlexyPay("key", proxy=given)
    assert not exposures(caught.value, [PASSWORD[:4]])
    assert PASSWORD[:4] not in str(caught.value)


async def test_an_unusable_proxy_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{USER}:{PASSWORD[:4]}@proxy.example")
    with pytest.raises(ConfigurationError, match=r"^ALL_PROXY: .*socks5 is not supported") as caught:
        AsyncPlexyPay("key", trust_env=True)
    assert PASSWORD[:4] not in str(caught.value)


async def test_plain_http_goes_through_no_proxy() -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy: plain http"):
        AsyncPlexyPay("key", base_url="http://127.0.0.1:1", proxy="http://proxy.example")


@pytest.mark.parametrize("name", ["proxy", "ssl"])
async def test_a_given_session_has_its_own_way(name: str, authority: Authority) -> None:
    given: dict[str, Any] = {name: "http://proxy.example" if name == "proxy" else authority.file}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match=f"^{name}: the connections are those of"):
            AsyncPlexyPay("key", session=session, **given)


def _shows_no_password(error: PlexyPayError) -> None:
    assert not exposures(error, [PASSWORD, "p%40ss"])
    assert PASSWORD not in f"{error!r} {error} {error.__cause__!r}"
