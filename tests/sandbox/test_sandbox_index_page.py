"""The page that shows what is in the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from plexypay_async.sandbox import DeliveryState, Sandbox

pytestmark = pytest.mark.asyncio

LINKS = "/v1/payment-links"
SESSION = {
    "merchantAccount": "Shop",
    "amount": {"currency": "KZT", "value": 2_200_050},
    "returnUrl": "http://localhost/",
}
HOSTILE = """"'></bdi></summary><script>alert(1)</script><img src=x onerror=alert(1)>\u202e{0}{x}"""


@pytest_asyncio.fixture
async def sandbox(receiver: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(webhook_url=receiver.url, webhook_pauses=()) as running:
        yield running


class Page(HTMLParser):
    """The elements of a page, with those that are open where one begins."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.elements if name == tag and attributes.items() <= given.items()]

    def payloads(self) -> list[str]:
        return [unescape(found) for found in re.findall("<pre[^>]*>(.*?)</pre>", self.text, re.DOTALL)]


async def show(sandbox: Sandbox, session: aiohttp.ClientSession, query: str = "") -> Page:
    async with session.get(f"{sandbox.base_url}/{query}") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return Page(await response.text())


async def test_an_empty_sandbox_says_so(
    sandbox: Sandbox, session: aiohttp.ClientSession, receiver: Any
) -> None:
    page = await show(sandbox, session)
    assert page.text.count("None yet: ") == 6
    assert page.all("details") == []
    assert len(page.all("nav")) == 1
    assert receiver.url in page.text
    assert sandbox.requests.count() == 0
    sandbox.webhook_url = None
    assert "none: only links with a callbackUrl have webhooks" in (await show(sandbox, session)).text


async def test_it_shows_links_transactions_and_webhooks(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, receiver: Any
) -> None:
    receiver.answers = [500]
    link = (await ask("POST", LINKS, {"amount": 2_200_005, "currency": "KZT", "orderReference": "A-1"})).body
    transaction = sandbox.pay(link["id"])
    refused = {"metadata": {"callbackUrl": "https://shop.example/"}, "amount": 1, "currency": "USD"}
    sandbox.pay((await ask("POST", LINKS, refused)).body["id"], failed=True)
    await sandbox.deliveries.settled()
    page = await show(sandbox, session)
    ids = [details["id"] for details in page.all("details")]
    assert ids == [
        *(stored["id"] for stored in reversed(sandbox.payment_links())),
        *(stored["id"] for stored in reversed(sandbox.transactions())),
        *(delivery.id for delivery in reversed(list(sandbox.deliveries))),
    ]
    payloads = page.payloads()
    assert len(payloads) == len(ids) == 8
    assert f'"amount": {transaction["amount"]}' in payloads[3]
    assert '"merchantReference": "A-1"' in payloads[7]
    assert "22\u00a0000.05\u00a0KZT" in page.text
    assert page.all("a", href=link["url"])
    for told in ("HTTP 500", "HTTP 200", "shop.example is not this machine", "rejected|failed"):
        assert re.search(told, page.text)


async def test_numbers_are_shown_as_they_are(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    link = (await ask("POST", LINKS, {"amount": 9_007_199_254_740_993, "currency": "KZT"})).body
    sandbox.pay(link["id"])
    page = await show(sandbox, session)
    assert '"amount": 90071992547409.93' in page.payloads()[1]
    assert "90\u00a0071\u00a0992\u00a0547\u00a0409.93\u00a0KZT" in page.text


async def test_what_merchants_write_stays_text(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    for fields in (
        {"orderReference": HOSTILE},
        {"description": HOSTILE, "metadata": {HOSTILE: HOSTILE}},
        {"metadata": {"callbackUrl": f"http://localhost/{HOSTILE}"}},
        {"metadata": {"callbackUrl": HOSTILE}},
    ):
        made = (
            await ask("POST", LINKS, {"amount": 1, "currency": "KZT", "customerId": HOSTILE} | fields)
        ).body
        sandbox.pay(made["id"])
    page = await show(sandbox, session)
    assert page.all("script") == page.all("img") == []
    assert page.text.count("&lt;script&gt;") > 10
    # Isolated, so that it cannot turn the text around it.
    lines = re.findall("<summary>(.*?)</summary>", page.text, re.DOTALL)
    assert sum("\u202e" in line for line in lines) > 3
    assert not any("\u202e" in re.sub("<bdi>.*?</bdi>", "", line, flags=re.DOTALL) for line in lines)
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "action"):
                assert re.match(r"/|#|http://127\.0\.0\.1:", value or ""), (tag, value)


async def test_it_needs_nothing_from_elsewhere(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{sandbox.base_url}/") as response:
        policy = response.headers["Content-Security-Policy"]
        page = Page(await response.text())
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert page.all("link") == page.all("script") == page.all("img") == []
    assert page.all("html", lang="en")
    assert page.all("meta", name="viewport")
    assert not any("style" in attributes for _, attributes in page.elements)


async def test_long_lists_are_paged(ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    made = [(await ask("POST", LINKS, {"amount": 1, "currency": "KZT"})).body["id"] for _ in range(103)]
    for identifier in made[:51]:
        sandbox.pay(identifier)
    page = await show(sandbox, session)
    assert [item["id"] for item in page.all("details")][:50] == made[::-1][:50]
    assert page.all("a", href="/?links=2#links")
    assert "page 1 of 3" in page.text
    page = await show(sandbox, session, "?links=3&transactions=2&webhooks=1")
    shown = [item["id"] for item in page.all("details")]
    assert shown[:3] == made[::-1][100:]
    assert shown[3] == sandbox.transactions()[0]["id"]
    assert len(shown) == 3 + 1 + 50
    assert page.all("a", href="/?links=2&transactions=2#links")
    assert page.all("a", href="/?links=3#transactions")
    assert not page.all("a", href="/?links=4&transactions=2#links")
    for odd in ("0", "-1", "x", "9" * 30, ""):
        first = (await show(sandbox, session, f"?links={odd}")).all("details")[0]
        assert first["id"] == made[-1]
    beyond = await show(sandbox, session, "?links=999999999")
    assert beyond.all("a", href="/?links=3#links")


async def test_a_form_sends_a_webhook_once_more(
    ask: Any, sandbox: Sandbox, session: aiohttp.ClientSession, receiver: Any
) -> None:
    receiver.answers = [500]
    sandbox.pay((await ask("POST", LINKS, {"amount": 1, "currency": "KZT"})).body["id"])
    await sandbox.deliveries.settled()
    failed = next(iter(sandbox.deliveries))
    assert failed.state is DeliveryState.FAILED
    page = await show(sandbox, session)
    (button,) = page.all("button", name="resend", value=failed.id)
    assert button["aria-label"] == "Send transaction.created once more"
    assert page.all("form", method="post", action="/")
    form = {"resend": failed.id, "webhooks": "1"}
    async with session.post(f"{sandbox.base_url}/", data=form) as response:
        (step,) = response.history
        assert step.status == 303
        assert step.headers["Location"] == f"/?resent={failed.id}#{failed.id}"
        after = Page(await response.text())
    assert [webhook.name for webhook in receiver.received].count("transaction.created") == 2
    assert next(iter(sandbox.deliveries)).state is DeliveryState.DELIVERED
    assert [details["id"] for details in after.all("details") if "open" in details] == [failed.id]
    assert re.search(
        r'role="status">transaction\.created was sent once more, and is .*>delivered<', after.text
    )
    assert 'role="status"' not in (await show(sandbox, session, "?resent=none")).text


@pytest.mark.parametrize(
    ("form", "status"), [({}, 400), ({"resend": "none"}, 404), ({"resend": HOSTILE}, 404)]
)
async def test_a_form_that_names_no_webhook(
    sandbox: Sandbox, session: aiohttp.ClientSession, form: dict[str, str], status: int
) -> None:
    async with session.post(f"{sandbox.base_url}/", data=form) as response:
        assert response.status == status
        page = Page(await response.text())
    assert page.all("script") == []
    assert page.all("a", href="/")


async def test_payments_of_the_checkout_api(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    async with session.post(
        f"{sandbox.base_url}/v2/sessions",
        json={**SESSION, "reference": HOSTILE},
        headers={"x-api-key": sandbox.api_key},
    ) as answer:
        made = await answer.json()
    sandbox.pay_session(made["id"], card="4111111111111111", otp="pending")
    refused = sandbox.pay_session(made["id"], card="4111111111111111", otp="111")

    page = await show(sandbox, session)

    states = [text for given in page.all("span") if (text := given.get("class") or "").startswith("state")]
    assert states[:3] == ["state open", "state bad", "state wait"]
    assert page.all("details", id=refused["pspReference"])
    assert [json.loads(payload)["status"] for payload in page.payloads()[1:3]] == ["refused", "challenged"]
    assert json.loads(page.payloads()[0])["id"] == made["id"]
    assert page.all("a", href=made["url"])
    assert "22\xa0000.50\xa0KZT" in page.text
    # Neither the session's data nor the way to the bank's page is shown.
    assert made["sessionData"] not in page.text
    assert "/checkout/redirect/" not in page.text
    assert not page.all("script")
