"""An address at which there is nothing: a browser is shown what there is, a program is answered in JSON."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import pytest
import yarl

from plexypay_async.apis import APIS
from plexypay_async.sandbox import Sandbox

from .checkout_reader import Page

pytestmark = pytest.mark.asyncio

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}
HOSTILE = "/%3Cscript%3Ealert(1)%3C/script%3E%22'%E2%80%AE{x}"
NOWHERE = [
    "/nothing",
    "/v1/nothing",
    "/v2/nothing",
    "/_sandbox/nothing",
    "/checkout/",
    "/checkout/a/b",
    HOSTILE,
]


async def open_page(
    sandbox: Sandbox, session: aiohttp.ClientSession, path: str, headers: Mapping[str, str] = BROWSER
) -> Page:
    async with session.get(yarl.URL(sandbox.base_url + path, encoded=True), headers=headers) as response:
        return Page(response.status, path, response.headers, await response.text())


@pytest.mark.parametrize("path", NOWHERE)
async def test_a_browser_is_shown_what_there_is(
    sandbox: Sandbox, session: aiohttp.ClientSession, path: str
) -> None:
    sandbox.faults.add("code=1")
    page = await open_page(sandbox, session, path)
    assert (page.status, page.content_type) == (404, "text/html; charset=utf-8")
    assert page.heading == "No such page"
    assert yarl.URL(path, encoded=True).path in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in page.tags
    # Whoever mistypes an address has called no API.
    assert sandbox.requests.count() == 0


async def test_every_way_that_it_names_is_there(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    page = await open_page(sandbox, session, "/nothing")
    described = [f"/openapi.json?api={api.name}" for api in APIS]
    assert page.hrefs == ["/", "/_sandbox", *described]
    for api in APIS:
        assert api.title in page.text
    for path in page.hrefs:
        assert (await open_page(sandbox, session, path)).status == 200
    titles: list[str] = []
    for path in described:
        async with session.get(sandbox.base_url + path) as response:
            titles.append((await response.json())["info"]["title"])
    assert len({*titles}) == len(APIS)


@pytest.mark.parametrize("path", ["/v1/payments/x/cancel", "/v2/sessions"])
async def test_a_path_that_is_called_with_another_method(
    sandbox: Sandbox, session: aiohttp.ClientSession, path: str
) -> None:
    page = await open_page(sandbox, session, path)
    assert (page.status, page.headers["Allow"]) == (405, "POST")
    assert page.heading == "Not a page to open"
    assert f"{path} is called by programs, with POST." in page.text


async def test_a_long_path_is_cut(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    page = await open_page(sandbox, session, "/" + "x" * 5000)
    assert page.status == 404
    assert "x" * 199 in page.text
    assert "x" * 200 not in page.text


@pytest.mark.parametrize(
    "headers",
    [{}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "application/json, text/htmlx"}],
)
@pytest.mark.parametrize("path", NOWHERE)
async def test_a_program_is_answered_in_json(
    sandbox: Sandbox, session: aiohttp.ClientSession, path: str, headers: dict[str, str]
) -> None:
    given = headers | {"Authorization": sandbox.api_key, "x-api-key": sandbox.api_key}
    page = await open_page(sandbox, session, path, given)
    assert (page.status, page.content_type.partition(";")[0]) == (404, "application/json")
    assert "no such path" in page.source


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_what_is_sent_is_answered_in_json(
    sandbox: Sandbox, session: aiohttp.ClientSession, method: str
) -> None:
    headers = BROWSER | {"Authorization": sandbox.api_key}
    async with session.request(method, f"{sandbox.base_url}/v1/nothing", headers=headers) as response:
        assert (response.status, response.content_type) == (404, "application/json")
    assert sandbox.requests.count() == 1


async def test_by_a_name_of_a_stranger_it_is_not_shown(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    page = await open_page(sandbox, session, "/nothing", BROWSER | {"Host": "evil.example"})
    assert page.status == 403
    assert "What there is" not in page.source


async def test_the_sandbox_s_own_paths_ask_for_the_token_first(session: aiohttp.ClientSession) -> None:
    async with Sandbox(admin_token="token") as guarded:
        async with session.get(f"{guarded.base_url}/_sandbox/nothing", headers=BROWSER) as response:
            assert response.status == 401
        assert (await open_page(guarded, session, "/nothing")).status == 404
        given = BROWSER | {"Authorization": "Bearer token"}
        assert (await open_page(guarded, session, "/_sandbox/nothing", given)).heading == "No such page"
