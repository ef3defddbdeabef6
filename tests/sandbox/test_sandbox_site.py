"""Whom the sandbox serves: names it is called by, pages of other sites, and who may steer it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from plexypay_async import AsyncPlexyPay
from plexypay_async.errors import ConfigurationError
from plexypay_async.sandbox import Sandbox

LINK: Any = {"amount": 100, "currency": "KZT"}
LINKS = "/v1/payment-links"
REBOUND = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}


@pytest_asyncio.fixture
async def exposed() -> AsyncIterator[Sandbox]:
    """A sandbox that listens on more than a loopback address."""
    async with Sandbox(host="0.0.0.0", allowed_hosts=["Sandbox"]) as running:
        yield running


async def status(session: aiohttp.ClientSession, method: str, url: str, **options: Any) -> int:
    async with session.request(method, url, allow_redirects=False, **options) as response:
        assert response.headers["X-Plexypay-Sandbox"] == "1"
        return response.status


async def every_path(session: aiohttp.ClientSession, sandbox: Sandbox) -> list[tuple[str, str]]:
    """Return a method and path of everything that is served, and of what is not."""
    headers = {"Authorization": f"Bearer {sandbox.admin_token}"}
    async with session.get(f"{sandbox.base_url}/_sandbox", headers=headers) as response:
        admin = [(call["method"], call["path"]) for call in (await response.json())["data"]]
    pages = [("GET", "/"), ("POST", "/"), ("GET", "/checkout/x"), ("POST", "/checkout/x")]
    bank = [("GET", "/checkout/3ds/x"), ("POST", "/checkout/3ds/x")]
    return [*sandbox.served().values(), *admin, *pages, *bank, ("GET", "/nothing"), ("PUT", "/_sandbox")]


@pytest.mark.asyncio
async def test_no_path_is_served_by_a_name_of_a_stranger(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    sandbox.faults.add("code=1")
    for method, path in await every_path(session, sandbox):
        url = sandbox.base_url + path
        headers = {"Authorization": sandbox.api_key}
        assert await status(session, method, url, headers=headers | REBOUND) == 403, (method, path)
        assert await status(session, method, url, headers=headers | {"Host": "evil.example"}) == 403
    assert len(sandbox.faults) == 1
    assert sandbox.requests.count() == 0


@pytest.mark.asyncio
async def test_no_path_that_changes_something_takes_what_a_page_of_another_site_sends(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    for method, path in await every_path(session, sandbox):
        # The bank's page is posted to by shops; what is entered there is not.
        if method == "GET" or path.startswith("/checkout/3ds/"):
            continue
        for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            headers = {"Authorization": sandbox.api_key} | foreign
            assert await status(session, method, sandbox.base_url + path, headers=headers) == 403, path
    assert sandbox.requests.count() == 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "served"),
    [
        ({}, True),
        ({"Host": "localhost"}, True),
        ({"Host": "LOCALHOST.:1"}, True),
        ({"Host": "shop.localhost:1"}, True),
        ({"Host": "127.0.0.1"}, True),
        ({"Host": "127.1.2.3:80"}, True),
        ({"Host": "[::1]:7"}, True),
        ({"Host": "localhost:7", "Origin": "http://localhost:7"}, True),
        ({"Host": "localhost:7", "Origin": "https://localhost:7"}, True),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Host": "localhost:7", "Origin": "http://localhost:8"}, False),
        ({"Host": "localhost:7", "Origin": "http://127.0.0.1:7"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Host": "localhost.evil.example"}, False),
        ({"Host": "evil.example."}, False),
        ({"Host": "notlocalhost"}, False),
        ({"Host": "sandbox"}, False),
        ({"Host": "evil.test"}, False),
        ({"Host": "10.0.0.1"}, False),
        ({"Host": "0.0.0.0"}, False),
        ({"Host": "localhost@evil.example"}, False),
        ({"Host": "localhost/evil"}, False),
        ({"Host": "localhost, evil.example"}, False),
        ({"Host": ""}, False),
    ],
)
async def test_names_and_origins(
    sandbox: Sandbox, session: aiohttp.ClientSession, headers: dict[str, str], served: bool
) -> None:
    for path in ("/_sandbox/reset", LINKS):
        sent = headers | {"Authorization": sandbox.api_key}
        got = await status(session, "POST", sandbox.base_url + path, headers=sent, json=LINK)
        assert got == ((200 if path == "/_sandbox/reset" else 201) if served else 403)


@pytest.mark.asyncio
async def test_what_is_refused_says_how_to_allow_it(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    async with session.get(sandbox.base_url + LINKS, headers={"Host": "sandbox:8790"}) as response:
        assert response.status == 403
        told = (await response.json())["message"]
    assert "'sandbox' is not a name of this sandbox" in told
    assert "--allowed-host" in told


@pytest.mark.asyncio
async def test_a_sandbox_that_others_reach_has_keys_of_its_own(
    exposed: Sandbox, session: aiohttp.ClientSession
) -> None:
    token = exposed.admin_token
    assert token is not None
    assert len({token, exposed.api_key, "sandbox-key"}) == 3
    assert len(token) >= 32
    assert len(exposed.api_key) >= 32
    async with Sandbox(host="0.0.0.0") as other:
        assert {other.api_key, other.admin_token}.isdisjoint({exposed.api_key, token})
    basic = base64.b64encode(f"me:{token}".encode()).decode()
    wrong = base64.b64encode(b"me:wrong").decode()
    for path in ("/_sandbox", "/_sandbox/", "/", "/_sandbox/requests", "/%5Fsandbox/faults"):
        url = exposed.base_url + path
        for authorization in (f"Bearer {token}", f"bearer {token}", f"Basic {basic}"):
            assert await status(session, "GET", url, headers={"Authorization": authorization}) == 200
        for authorization in (
            exposed.api_key,
            f"Bearer {exposed.api_key}",
            token,
            "Bearer",
            f"Basic {wrong}",
            "Basic ?",
            f"Basic {base64.b64encode(token.encode()).decode()}",
            "Basic //8=",
            "Bearer \udcff",
        ):
            assert await status(session, "GET", url, headers={"Authorization": authorization}) == 401
        async with session.get(url) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith('Basic realm="')
    # Not steered by it either.
    assert await status(session, "POST", f"{exposed.base_url}/_sandbox/reset") == 401
    assert await status(session, "DELETE", f"{exposed.base_url}/_sandbox/faults") == 401
    assert await status(session, "POST", f"{exposed.base_url}/", data={"resend": "x"}) == 401
    # Its customers have no token.
    assert await status(session, "GET", f"{exposed.base_url}/checkout/x") == 404
    async with AsyncPlexyPay(exposed.api_key, base_url=exposed.base_url) as plexy:
        link = await plexy.payment_links.create(**LINK)
    assert await status(session, "GET", f"{exposed.base_url}/checkout/{link.id}") == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("192.0.2.7:8790", True),
        ("[2001:db8::1]", True),
        ("localhost", True),
        ("sandbox:8790", True),
        ("evil.example", False),
        ("192.0.2.7.evil.example", False),
    ],
)
async def test_a_sandbox_that_others_reach_is_called_by_addresses_and_allowed_names(
    exposed: Sandbox, session: aiohttp.ClientSession, host: str, served: bool
) -> None:
    headers = {"Host": host, "Authorization": exposed.api_key}
    assert await status(session, "GET", exposed.base_url + LINKS, headers=headers) == (200 if served else 403)


@pytest.mark.asyncio
async def test_a_token_that_is_given_is_asked_for_on_this_machine_too(session: aiohttp.ClientSession) -> None:
    async with Sandbox(admin_token="token-of-mine") as sandbox:
        assert sandbox.api_key == "sandbox-key"
        assert await status(session, "GET", f"{sandbox.base_url}/_sandbox") == 401
        headers = {"Authorization": "Bearer token-of-mine"}
        assert await status(session, "GET", f"{sandbox.base_url}/_sandbox", headers=headers) == 200


@pytest.mark.parametrize(
    ("host", "is_exposed"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("192.0.2.1", True),
        ("shop-box", True),
    ],
)
def test_what_counts_as_this_machine_alone(host: str, is_exposed: bool) -> None:
    sandbox = Sandbox(host=host)
    assert (sandbox.admin_token is not None) == is_exposed
    assert (sandbox.api_key != "sandbox-key") == is_exposed
    given = Sandbox(host=host, api_key="k", admin_token="t")
    assert (given.api_key, given.admin_token) == ("k", "t")
    assert "'t'" not in repr(vars(given))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"allowed_hosts": "sandbox"}, "allowed_hosts: expected several"),
        ({"allowed_hosts": ["sandbox:80"]}, "allowed_hosts: expected host names without a port"),
        ({"allowed_hosts": ["http://sandbox"]}, "allowed_hosts: "),
        ({"allowed_hosts": [""]}, "allowed_hosts: "),
        ({"allowed_hosts": [7]}, "allowed_hosts: "),
        ({"admin_token": ""}, "admin_token: expected printable ASCII text"),
        ({"admin_token": "a\n"}, "admin_token: "),
        ({"request_timeout": 0}, "request_timeout: must be positive"),
        ({"request_timeout": float("nan")}, "request_timeout: "),
        ({"max_connections": 0}, "max_connections: must be positive"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Sandbox(**given)
    assert str(raised.value).startswith(named)
