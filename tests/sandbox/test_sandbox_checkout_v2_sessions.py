"""The session flow over real HTTP: paid by the shopper's browser, or on the sandbox's own page."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
import yarl

from plexypay_async import Money
from plexypay_async.checkout import Address, LineItem, Session, StorePaymentMethodMode
from plexypay_async.sandbox import Sandbox

from .checkout_shopper import (
    BACK,
    CHALLENGED,
    FRICTIONLESS,
    MERCHANT,
    PRICE,
    CheckoutFacade,
    by_card,
    confirm,
)

pytestmark = pytest.mark.asyncio


class Browser:
    """What the vendor's SDK does in a shopper's browser: it has a session's id and data, and no key."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession, made: Session) -> None:
        self._http = http
        self._root = f"{sandbox.base_url}/v2/checkoutshopper/v1/sessions/{made.id}"
        self.data = made.session_data

    async def ask(self, name: str, **more: Any) -> tuple[int, Any]:
        async with self._http.post(
            f"{self._root}/{name}?clientKey=test_ABC",
            json={"sessionData": self.data, **more},
            headers={"Origin": "http://shop.example", "Sec-Fetch-Site": "cross-site"},
        ) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            return answer.status, await answer.json()

    async def pay(self, card: str = FRICTIONLESS, **more: Any) -> Any:
        status, document = await self.ask("payments", **by_card(card, **more))
        assert status == 200
        return document


async def made_by(checkout: CheckoutFacade, **given: Any) -> Session:
    defaults: dict[str, Any] = {"amount": PRICE, "reference": "ORD-1", "return_url": BACK}
    made: Session = await checkout.call("sessions.create", **{**defaults, **given})
    return made


def statuses(sandbox: Sandbox) -> list[str]:
    return [payment["status"] for payment in sandbox.checkout_payments()]


async def test_a_session_is_answered_with_what_was_asked(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    made = await made_by(
        checkout,
        country_code="KZ",
        shopper_email="aisha@shop.example",
        delivery_address=Address(city="Almaty", country="KZ"),
        line_items=[LineItem(quantity=1, description="Shoes", amount_including_tax=2_200_050)],
    )

    assert made.expires_at is not None
    assert 3500 < (made.expires_at - sandbox.clock.now()).total_seconds() <= 3600
    assert (made.merchant_account, made.reference, made.amount_value) == (MERCHANT, "ORD-1", 2_200_050)
    assert made.raw["deliveryAddress"] == {"city": "Almaty", "country": "KZ"}
    assert made.raw["lineItems"][0]["description"] == "Shoes"
    assert "shopperEmail" not in made.raw
    assert len(made.session_data) >= 300
    assert made.url is not None
    async with session.get(made.url) as page:
        assert page.status == 200
        assert made.session_data not in await page.text()


async def test_the_browser_pays_a_session_once(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    browser = Browser(sandbox, session, await made_by(checkout))
    status, setup = await browser.ask("setup")
    assert (status, setup["amount"]) == (200, {"currency": "KZT", "value": 2_200_050})
    assert setup["paymentMethods"]["paymentMethods"][0]["type"] == "scheme"

    result = await browser.pay()

    # Nothing of it proves a payment.
    assert set(result) == {"resultCode", "sessionData", "sessionResult"}
    assert result["resultCode"] == "Authorised"
    assert statuses(sandbox) == ["authorised"]
    status, refused = await browser.ask("payments", **by_card(FRICTIONLESS))
    assert (status, refused["error"]["message"]) == (422, "session: is paid")
    assert (await browser.ask("setup"))[0] == 422
    assert statuses(sandbox) == ["authorised"]


async def test_a_refused_card_leaves_the_session_to_another(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    browser = Browser(sandbox, session, await made_by(checkout))
    assert (await browser.pay("4907639999990022"))["resultCode"] == "Refused"
    assert (await browser.pay())["resultCode"] == "Authorised"
    assert statuses(sandbox) == ["refused", "authorised"]


@pytest.mark.parametrize(("otp", "said"), [("555", "Authorised"), ("111", "Refused")])
async def test_the_browser_goes_on_after_the_bank(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession, otp: str, said: str
) -> None:
    browser = Browser(sandbox, session, await made_by(checkout))
    result = await browser.pay(CHALLENGED)
    assert result["resultCode"] == "RedirectShopper"
    details = {"redirectResult": "made-up"}
    assert (await browser.ask("paymentDetails", details=details))[0] == 422
    back = await confirm(session, result["action"]["url"], otp)
    assert statuses(sandbox) == ["challenged"]

    details = {"redirectResult": back.query["redirectResult"]}
    answers = [await browser.ask("paymentDetails", details=details) for _ in range(2)]

    assert [(status, answer["resultCode"]) for status, answer in answers] == [(200, said)] * 2
    assert len(statuses(sandbox)) == 1


async def test_two_tabs_pay_one_session_once(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    browser = Browser(sandbox, session, await made_by(checkout))
    backs: list[yarl.URL] = []
    for _ in range(2):
        result = await browser.pay(CHALLENGED)
        backs.append(await confirm(session, result["action"]["url"]))
    answers = [
        await browser.ask("paymentDetails", details={"redirectResult": back.query["redirectResult"]})
        for back in backs
    ]
    assert [answer["resultCode"] for _, answer in answers] == ["Authorised", "Refused"]
    assert statuses(sandbox) == ["authorised", "refused"]


async def test_another_session_s_data_opens_nothing(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    browser = Browser(sandbox, session, await made_by(checkout))
    other = await made_by(checkout, reference="ORD-2", amount=Money.major(1, "KZT"))
    result = await Browser(sandbox, session, other).pay(CHALLENGED)
    back = await confirm(session, result["action"]["url"])
    # A cheap session's result does not end a dear one.
    details = {"redirectResult": back.query["redirectResult"]}
    assert (await browser.ask("paymentDetails", details=details))[0] == 422
    browser.data = other.session_data
    for name in ("setup", "payments", "paymentDetails"):
        status, refused = await browser.ask(name)
        assert (status, refused["error"]["type"]) == (401, "authentication_error")
    assert statuses(sandbox) == ["challenged"]


async def test_a_session_expires_by_the_clock(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    made = await made_by(checkout)
    browser = Browser(sandbox, session, made)
    result = await browser.pay(CHALLENGED)
    back = await confirm(session, result["action"]["url"])
    sandbox.clock.advance(hours=1)

    status, refused = await browser.ask("payments", **by_card(FRICTIONLESS))
    assert (status, refused["error"]["message"]) == (422, "session: is expired")
    details = {"redirectResult": back.query["redirectResult"]}
    assert (await browser.ask("paymentDetails", details=details))[1]["resultCode"] == "Refused"
    assert made.url is not None
    async with session.get(made.url) as page:
        assert "has expired" in await page.text()


@pytest.mark.parametrize(
    ("mode", "consent", "kept"),
    [("enabled", False, 1), ("askForConsent", True, 1), ("askForConsent", False, 0), ("disabled", True, 0)],
)
async def test_a_card_is_stored_as_the_session_says(
    checkout: CheckoutFacade,
    sandbox: Sandbox,
    session: aiohttp.ClientSession,
    mode: str,
    consent: bool,
    kept: int,
) -> None:
    made = await made_by(
        checkout, shopper_reference="customer-7", store_payment_method_mode=StorePaymentMethodMode(mode)
    )
    await Browser(sandbox, session, made).pay(storePaymentMethod=consent)
    listed = await checkout.call("payment_methods.list", shopper_reference="customer-7")
    assert len(listed.stored_payment_methods) == kept


async def test_a_blocked_way_to_pay_is_not_offered(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    made = await made_by(checkout, blocked_payment_methods=["giftcard"])
    _, setup = await Browser(sandbox, session, made).ask("setup")
    types = [method["type"] for method in setup["paymentMethods"]["paymentMethods"]]
    assert types == ["scheme", "googlepay", "applepay"]


@pytest.mark.parametrize(
    ("param", "value", "status"),
    [
        ("amount", None, 400),
        ("amount.value", {"currency": "KZT", "value": 0}, 422),
        ("amount.value", {"currency": "KZT", "value": 2**63}, 422),
        ("amount.value", {"currency": "KZT", "value": "100"}, 400),
        ("reference", " ", 400),
        ("returnUrl", 5, 400),
        ("blockedPaymentMethods", 5, 400),
        ("blockedPaymentMethods[1]", ["scheme", 5], 400),
        ("billingAddress", "Almaty", 400),
        ("storePaymentMethodMode", "maybe", 422),
    ],
)
async def test_a_session_that_cannot_be(
    sandbox: Sandbox, session: aiohttp.ClientSession, param: str, value: Any, status: int
) -> None:
    field = param.partition(".")[0].partition("[")[0]
    body = {
        "merchantAccount": MERCHANT,
        "amount": {"currency": "KZT", "value": 100},
        "reference": "ORD-1",
        "returnUrl": BACK,
        field: value,
    }
    async with session.post(
        f"{sandbox.base_url}/v2/sessions", json=body, headers={"x-api-key": sandbox.api_key}
    ) as answer:
        assert (answer.status, (await answer.json())["error"]["param"]) == (status, param)


@pytest.mark.parametrize("path", ["checkout/sessions/CS0", "checkout/sessions/%ff", "checkout/redirect/%ff"])
async def test_a_page_that_is_not_there(sandbox: Sandbox, session: aiohttp.ClientSession, path: str) -> None:
    for method in ("GET", "POST"):
        async with session.request(
            method, yarl.URL(f"{sandbox.base_url}/{path}", encoded=True), data={"otp": "555"}
        ) as answer:
            assert (answer.status, answer.content_type) == (404, "text/html")


async def test_the_sandbox_s_page_takes_a_payment(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    made = await made_by(checkout)
    assert made.url is not None

    async def post(**fields: str) -> yarl.URL:
        async with session.post(str(made.url), data=fields, allow_redirects=False) as answer:
            assert answer.status == 303
            return yarl.URL(made.url or "").join(yarl.URL(answer.headers["Location"]))

    tried = await post(card="4907639999990022")
    async with session.get(tried) as page:
        text = await page.text()
        assert "nothing was taken" in text
        assert "<title>Not paid: " in text
    assert (await post(do="fail")).query["tried"]
    assert await post(do="cancel") == yarl.URL(BACK)
    bank = await post(card=CHALLENGED)
    # The page has nobody to come back to it: the bank's page ends it.
    assert await confirm(session, str(bank)) == yarl.URL(BACK)
    assert statuses(sandbox) == ["refused", "error", "authorised"]
    async with session.post(made.url, data={"card": FRICTIONLESS}, allow_redirects=False) as answer:
        assert answer.status == 422
        assert "Nothing more will be taken" in await answer.text()
    assert statuses(sandbox) == ["refused", "error", "authorised"]


async def test_a_page_of_another_site_pays_nothing(
    checkout: CheckoutFacade, sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    made = await made_by(checkout)
    result = await Browser(sandbox, session, made).pay(CHALLENGED)
    elsewhere = {"Origin": "http://other.example", "Sec-Fetch-Site": "cross-site"}
    assert made.url is not None
    for address, form in ((made.url, {"card": FRICTIONLESS}), (result["action"]["url"], {"otp": "555"})):
        async with session.post(address, data=form, headers=elsewhere, allow_redirects=False) as answer:
            assert answer.status == 403
    assert statuses(sandbox) == ["challenged"]


async def test_a_test_pays_a_session_without_a_browser(checkout: CheckoutFacade, sandbox: Sandbox) -> None:
    made = await made_by(checkout)
    assert sandbox.pay_session(made.id, card=CHALLENGED, otp="111")["status"] == "refused"
    assert sandbox.pay_session(made.id, card=CHALLENGED, otp="pending")["status"] == "challenged"
    assert sandbox.pay_session(made.id, failed=True)["status"] == "error"
    paid = sandbox.pay_session(made.id)
    assert (paid["status"], paid["sessionId"], paid["last4"]) == ("authorised", made.id, "0000")
    for session_id, card, told in (
        (made.id, FRICTIONLESS, "session: is paid"),
        ("CS0", FRICTIONLESS, "session not found"),
        (made.id, "5555444433331111", "card: is none of the test cards"),
    ):
        with pytest.raises(ValueError, match=told):
            sandbox.pay_session(session_id, card=card)
