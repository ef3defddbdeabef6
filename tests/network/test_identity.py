"""What a client says of itself: its program's own headers, the User-Agent, and clear text where allowed."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyGate, AsyncPlexyPay, ConfigurationError, ConnectError, RetryPolicy
from plexypay_async._version import __version__
from plexypay_async.bulk import PartitionSettings
from plexypay_async.pay.description import PAY
from plexypay_async.settings import Settings
from plexypay_sync import PlexyGate, PlexyPay
from tests.faults.scripted import FOUND, KEY, Script, serving

pytestmark = pytest.mark.asyncio

ONCE = RetryPolicy(max_attempts=1)
HOST = "http://sandbox.invalid:8790"


class Asked:
    """A server, and what its last request carried."""

    def __init__(self, url: str, script: Script) -> None:
        self.url = url
        self._script = script

    @property
    def headers(self) -> dict[str, str]:
        return dict(self._script.seen[-1].headers)


@pytest_asyncio.fixture
async def asked() -> AsyncIterator[Asked]:
    async with serving({"*": FOUND}) as server:
        yield Asked(server.url, server.script)


async def test_the_user_agent_names_the_program(asked: Asked) -> None:
    async with AsyncPlexyPay(KEY, base_url=asked.url, app_info=("shop", "1.2")) as plexy:
        await plexy.payment_links.retrieve("pl_1")
    python, http = f"Python/{platform.python_version()}", f"aiohttp/{aiohttp.__version__}"
    assert asked.headers["user-agent"] == f"plexypay/{__version__} shop/1.2 {python} {http}"

    def without_a_version() -> None:
        with PlexyPay(KEY, base_url=asked.url, app_info=("shop", None)) as plexy:
            plexy.payment_links.retrieve("pl_1")

    await asyncio.to_thread(without_a_version)
    assert asked.headers["user-agent"] == f"plexypay/{__version__} shop {python} {http}"


async def test_default_headers_go_with_each_request(asked: Asked) -> None:
    options: dict[str, Any] = {"base_url": asked.url, "default_headers": {"X-Tenant": "north", "X-Till": "7"}}
    async with AsyncPlexyPay(KEY, **options) as plexy:
        await plexy.payment_links.retrieve("pl_1")
        assert (asked.headers["x-tenant"], asked.headers["x-till"]) == ("north", "7")
        # Those of one request go before them, however they are spelt.
        await plexy.request("GET", "/v1/x", headers={"x-tenant": "south"})
        assert (asked.headers["x-tenant"], asked.headers["x-till"]) == ("south", "7")
        await plexy.with_options(timeout=5).payment_links.retrieve("pl_1")
        assert asked.headers["x-tenant"] == "north"
    async with AsyncPlexyPay(lambda: KEY, **options) as plexy:
        await plexy.payment_links.retrieve("pl_1")
        assert (asked.headers["x-tenant"], asked.headers["authorization"]) == ("north", KEY)


async def test_a_given_session_says_the_same(asked: Asked) -> None:
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "else", "Accept": "text/html", "X-Own": "1"}) as session,
        AsyncPlexyPay(
            KEY, base_url=asked.url, session=session, app_info=("shop", "1"), default_headers={"X-Till": "7"}
        ) as plexy,
    ):
        await plexy.payment_links.retrieve("pl_1")
    headers = asked.headers
    assert headers["user-agent"].startswith(f"plexypay/{__version__} shop/1 ")
    assert headers["accept"] == "application/json"
    assert (headers["x-own"], headers["x-till"]) == ("1", "7")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Authorization": "other"}, "Authorization is the client's own"),
        ({"User-Agent": "other"}, "app_info names your program"),
        ({"Accept": "text/html"}, "is the client's own"),
        ({"Transfer-Encoding": "chunked"}, "says how a message is sent"),
        ({"X-Name": "Zoë"}, "a letter outside ASCII"),
        ({"X-Break": "a\r\nb"}, "a line break"),
        ([("X", "1")], "expected a mapping"),
    ],
)
async def test_what_is_no_default_header_is_refused(given: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^default_headers.*{told}"):
        AsyncPlexyPay(KEY, default_headers=given)


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
async def test_what_is_each_calls_own_is_no_header_of_several(name: str, asked: Asked) -> None:
    told = r": .* is each call's own, .*; give idempotency_key= to the call"
    with pytest.raises(ConfigurationError, match=f"^default_headers{told}"):
        AsyncPlexyPay(KEY, default_headers={name: "1"})
    with pytest.raises(ConfigurationError, match=f"^default_headers{told}"):
        PlexyPay(KEY, default_headers={name: "1"})
    async with aiohttp.ClientSession(headers={name: "1"}) as session:
        with pytest.raises(ConfigurationError, match=r"^session: its default header .* idempotency_key= to"):
            AsyncPlexyPay(KEY, session=session)
    async with AsyncPlexyPay(KEY, base_url=asked.url) as plexy:
        for call in (plexy.wallet.authorize, plexy.payments.refund, plexy.payment_links.list):
            with pytest.raises(ConfigurationError, match=f"^headers{told}"):
                call.with_options(headers={name: "1"})
        await plexy.request("GET", "/v1/x", headers={name: "1"})
    assert asked.headers["idempotency-key"] == "1"


async def test_the_clients_own_headers_are_named_where_they_are_given() -> None:
    with pytest.raises(ConfigurationError, match=r"^headers: Accept is the client's own"):
        AsyncPlexyPay(KEY).payment_links.create.with_options(headers={"Accept": "text/html"})


@pytest.mark.parametrize("given", ["shop", ("shop",), ("shop", 1), ("my shop", "1"), ("", "1"), (None, "1")])
async def test_what_names_no_program_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^app_info: "):
        AsyncPlexyPay(KEY, app_info=given)


async def test_plain_http_elsewhere_is_refused_unless_allowed() -> None:
    with pytest.raises(ConfigurationError, match=r"^base_url: plain http would .* allow_http=True"):
        AsyncPlexyPay("sandbox-key", base_url=HOST)
    with pytest.raises(ConfigurationError, match=r"^base_url: plain http would"):
        PlexyPay("sandbox-key", base_url=HOST)
    plexy = AsyncPlexyPay("sandbox-key", base_url=HOST, allow_http=True, retry=ONCE)
    async with plexy:
        with pytest.raises(ConnectError):
            await plexy.payment_links.retrieve("pl_1")


async def test_a_live_key_never_goes_out_in_clear_text() -> None:
    live = "pr_" + "0" * 32
    with pytest.raises(ConfigurationError, match=r"^api_key: it begins with pr_") as caught:
        AsyncPlexyPay(live, base_url=HOST, allow_http=True)
    assert live not in str(caught.value)
    async with AsyncPlexyPay(lambda: live, base_url=HOST, allow_http=True, retry=ONCE) as plexy:
        with pytest.raises(ConfigurationError, match=r"^api_key: it begins with pr_"):
            await plexy.payment_links.retrieve("pl_1")
    derived = AsyncPlexyPay("sandbox-key", base_url=HOST, allow_http=True)
    with pytest.raises(ConfigurationError, match=r"^api_key: it begins with pr_"):
        derived.with_options(api_key=live)
    # This machine's own network is no way for anybody to listen.
    AsyncPlexyPay(live, base_url="http://127.0.0.1:8790", allow_http=True)


@pytest.mark.parametrize("client", [AsyncPlexyGate, PlexyGate])
async def test_a_live_key_of_payments_goes_out_in_clear_text_to_no_other_api(client: Any) -> None:
    live = "pr_" + "0" * 32
    options: dict[str, Any] = {"agent_id": "a", "base_url": HOST, "allow_http": True}
    with pytest.raises(ConfigurationError, match=r"^api_key: it begins with pr_"):
        client(live, **options)
    with pytest.raises(ConfigurationError, match=r"^api_key: it begins with pr_"):
        client("sandbox-key", **options).with_options(api_key=live)


async def test_clear_text_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        AsyncPlexyPay("sandbox-key", base_url="http://sandbox-once.invalid", allow_http=True)
    told = [record.getMessage() for record in caplog.records if "clear text" in record.getMessage()]
    assert len(told) == 1
    assert "sandbox-once.invalid" in told[0]
    assert "sandbox-key" not in told[0]


async def test_settings_that_change_keep_the_way() -> None:
    settings = Settings.of(
        PAY,
        "key",
        base_url="https://api.example",
        timeout=1,
        connect_timeout=1,
        read_timeout=1,
        max_connections=1,
        retry=ONCE,
        paths=None,
        app_info=("shop", "1"),
        default_headers={"X-Till": "secret-word"},
        proxy="http://u:secret-word@proxy.example",
    )
    changed = settings.changed(timeout=2)
    assert changed.proxy == settings.proxy
    assert (changed.app_info, changed.default_headers) == (("shop", "1"), {"X-Till": "secret-word"})
    assert "secret-word" not in repr(settings)
    partition = PartitionSettings(api_key="key", default_headers={"X-Till": "secret-word"})
    assert "secret-word" not in repr(partition)
