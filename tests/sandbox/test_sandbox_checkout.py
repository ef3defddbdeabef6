"""The checkout page over real HTTP, without a browser: its forms are read and sent as they stand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import aiohttp
import pytest

from plexypay_async.sandbox import Sandbox
from plexypay_async.sandbox.money import displayed
from plexypay_async.sandbox.pages import checkout

from .checkout_reader import Page

LINKS = "/v1/payment-links"
CHALLENGED = "4111111111111111"
INSISTENT = "4918914107195005"
BROKEN = "5168159443230322"
FRICTIONLESS = "4200000000000000"
FRICTIONLESS_TOO = "4907639999909022"
FRICTIONLESS_FAILURE = "4907639999990022"
LUHN_FAILURE = "4111111111111110"

NOT_WEB = [
    "javascript:alert(1)",
    "data:text/html,x",
    "//shop.example",
    "https://shop.example/\r\nX: y",
    7,
    "",
]

MakeLink: TypeAlias = Callable[..., Awaitable[Any]]


class Customer:
    """A browser without scripts, as far as these pages need one."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def open(self, url: str, **options: Any) -> Page:
        async with self._session.get(url, **options) as response:
            return Page(response.status, str(response.url), response.headers, await response.text())

    async def send(self, url: str, fields: Any, **options: Any) -> Page:
        """Post a form and go where it leads on the sandbox; a way to any other site is not taken."""
        options.setdefault("allow_redirects", False)
        async with self._session.post(url, data=fields, **options) as response:
            page = Page(response.status, str(response.url), response.headers, await response.text())
        if page.status == 303 and page.leads_to.startswith("/"):
            return await self.open(self._base_url + page.leads_to)
        return page

    async def pay(self, page: Page, **filled: str) -> Page:
        """Fill in the form of a link's page and press Pay."""
        return await self.send(page.url, page.form() | {"do": "pay"} | filled)

    async def press(self, page: Page, button: str) -> Page:
        return await self.send(page.url, page.form() | {"do": button})

    async def pay_whole(self, url: str, card: str, otp: str = "555", **filled: str) -> Page:
        """Pay a link, through 3-D Secure if the card asks for it."""
        page = await self.pay(await self.open(url), card=card, **filled)
        return await self.send(page.url, page.form() | {"otp": otp}) if "otp" in page.inputs else page


@pytest.fixture
def customer(session: aiohttp.ClientSession, sandbox: Sandbox) -> Customer:
    return Customer(session, sandbox.base_url)


@pytest.fixture
def make_link(ask: Any) -> MakeLink:
    async def make(**fields: Any) -> Any:
        return (await ask("POST", LINKS, {"amount": 2_200_000, "currency": "KZT"} | fields)).body

    return make


def statuses(sandbox: Sandbox) -> list[str]:
    return [transaction["status"] for transaction in sandbox.transactions()]


@pytest.mark.asyncio
async def test_the_page_of_a_link(customer: Customer, make_link: MakeLink) -> None:
    link = await make_link(
        description="Курс, группа 2", orderReference="ORD-7", expiresAt="2099-12-23T15:30:00Z"
    )
    page = await customer.open(link["url"])
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    assert page.heading == "22\xa0000.00\xa0KZT"
    assert page.facts == {"For": "Курс, группа 2", "Order": "ORD-7", "Pay until": "2099-12-23 15:30 UTC"}
    assert page.buttons["do"] == ["pay", "cancel", "fail"]
    assert page.inputs["card"]["value"] == ""
    assert page.labels >= {"card", "expiry", "cvv"} == page.visible_inputs
    assert not page.tags & {"script", "img", "link", "iframe", "a"}
    assert page.method == "post"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.asyncio
async def test_a_page_that_is_none(customer: Customer, sandbox: Sandbox) -> None:
    for path in ("/checkout/pl_none", "/checkout/3ds/none"):
        page = await customer.open(sandbox.base_url + path)
        assert (page.status, page.visible_inputs) == (404, set())
        sent = await customer.send(sandbox.base_url + path, {"card": FRICTIONLESS, "otp": "555"})
        assert sent.status == 404


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (2_200_000, "KZT", "22 000.00 KZT"),
        (5, "kzt", "0.05 KZT"),
        (500, "JPY", "500 JPY"),
        (1_234_567, "krw", "1 234 567 KRW"),
        (1_250, "KWD", "1.250 KWD"),
        (12_345, "CLF", "1.2345 CLF"),
        (100, "XXY", "1.00 XXY"),
        (2**63 - 1, "USD", "92 233 720 368 547 758.07 USD"),
        (2**63 - 1, "JPY", "9 223 372 036 854 775 807 JPY"),
    ],
)
def test_an_amount_as_customers_read_it(minor: int, currency: str, shown: str) -> None:
    assert displayed(minor, currency) == shown.replace(" ", "\xa0")


@pytest.mark.asyncio
async def test_each_test_card_is_one_click_away(customer: Customer, make_link: MakeLink) -> None:
    page = await customer.open((await make_link(amount=20510_00))["url"])
    cards = page.buttons["card"]
    assert cards == [
        CHALLENGED, FRICTIONLESS, FRICTIONLESS_TOO, FRICTIONLESS_FAILURE, INSISTENT, BROKEN, LUHN_FAILURE
    ]  # fmt: skip
    assert "Declined: insufficient funds" in page.text
    for card in cards:
        filled = await customer.open(f"{page.url}?card={card}")
        assert filled.inputs["card"]["value"].replace(" ", "") == card
        assert filled.current == [card]
    other = await customer.open(f"{page.url}?card=4000056655665556")
    assert (other.inputs["card"]["value"], other.current) == ("", [])


CASES: list[tuple[str, int, dict[str, str], str, str]] = [
    (CHALLENGED, 100_00, {}, "authorized", ""),
    (CHALLENGED, 100_00, {"otp": "111"}, "rejected", "(3DS)"),
    (CHALLENGED, 100_00, {"otp": ""}, "rejected", "(3DS)"),
    (CHALLENGED, 20050_00, {}, "rejected", "(05)"),
    (CHALLENGED, 100_00, {"cvv": "444"}, "rejected", "(N7)"),
    (FRICTIONLESS, 100_00, {"cvv": "444"}, "authorized", ""),
    (FRICTIONLESS, 20510_00, {}, "rejected", "(51)"),
    (FRICTIONLESS, 20050_00, {}, "authorized", ""),
    (FRICTIONLESS_TOO, 20510_00, {}, "authorized", ""),
    (FRICTIONLESS_FAILURE, 100_00, {}, "rejected", "(3DS)"),
    (INSISTENT, 100_00, {}, "authorized", ""),
    (INSISTENT, 100_00, {"otp": "111"}, "rejected", "(3DS)"),
    (BROKEN, 100_00, {}, "rejected", "(3DS)"),
    (LUHN_FAILURE, 100_00, {}, "rejected", "(14)"),
    (FRICTIONLESS, 100_00, {"expiry": "01/2020"}, "rejected", "(54)"),
    (FRICTIONLESS, 100_00, {"expiry": "12/99"}, "rejected", "(54)"),
    ("4200 0000-0000 0000", 100_00, {"expiry": "", "cvv": ""}, "authorized", ""),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("card", "amount", "filled", "status", "code"), CASES)
async def test_a_card_pays_as_it_does_elsewhere(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox,
    card: str, amount: int, filled: dict[str, str], status: str, code: str,
) -> None:  # fmt: skip
    link = await make_link(amount=amount)
    page = await customer.pay_whole(link["url"], card, **filled)
    assert page.status == 200
    assert statuses(sandbox) == [status]
    (stored,) = sandbox.payment_links()
    if status == "authorized":
        assert (page.heading, page.facts["Card"]) == ("Paid", f"•••• {card[-4:]}")
        assert stored["status"] == "paid"
    else:
        assert code in page.text
        assert page.tab.startswith(f"Not paid: {page.heading}")
        assert "do" in page.buttons
        assert stored["status"] == "active"


@pytest.mark.asyncio
async def test_both_ways_of_paying_make_the_same_transaction(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    first, second = [await make_link(description="Course", orderReference=f"ORD-{n}") for n in range(2)]
    await customer.pay_whole(first["url"], CHALLENGED)
    sandbox.pay(second["id"], card=CHALLENGED, cvv="123")
    by_page, by_call = sandbox.transactions()
    own = {"id", "merchantReference", "paymentLinkId", "retrievalReferenceNumber"}
    own |= {"createdAt", "updatedAt", "authedAt"}
    assert {name: by_page[name] for name in by_page if name not in own} == {
        name: by_call[name] for name in by_call if name not in own
    }
    assert by_page["paymentLinkId"] == first["id"]


@pytest.mark.asyncio
async def test_the_bank_asks_for_a_password(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    link = await make_link(orderReference="ORD-1")
    page = await customer.pay(await customer.open(link["url"]), card=CHALLENGED)
    assert statuses(sandbox) == ["3d"]
    assert page.heading == "Confirm the payment"
    assert page.facts == {"Amount": "22\xa0000.00\xa0KZT", "Card": "•••• 1111", "Order": "ORD-1"}
    assert page.labels == page.visible_inputs == {"otp"}
    assert page.inputs["otp"]["autocomplete"] == "one-time-code"
    assert page.buttons["otp"] == ["555", "111"]
    assert CHALLENGED not in page.source
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert (await customer.open(page.url)).heading == page.heading
    paid = await customer.send(page.url, {"otp": "555"})
    assert paid.heading == "Paid"
    # Whoever goes back finds what became of it.
    assert (await customer.open(page.url)).heading == "Paid"
    assert (await customer.open(link["url"])).heading == "Paid"


@pytest.mark.asyncio
async def test_a_second_click_on_confirm_tells_what_the_first_did(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    link = await make_link(metadata={"successUrl": "https://shop.example/ok"})
    page = await customer.pay(await customer.open(link["url"]), card=CHALLENGED)
    both = await asyncio.gather(*(customer.send(page.url, {"otp": otp}) for otp in ("555", "555", "111")))
    assert {answer.leads_to for answer in both} == {"https://shop.example/ok"}
    assert statuses(sandbox) == ["authorized"]


@pytest.mark.asyncio
async def test_a_form_that_comes_slowly_changes_nothing_that_is_done(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    link = await make_link(metadata={"successUrl": "https://shop.example/ok"})
    page = await customer.pay(await customer.open(link["url"]), card=CHALLENGED)
    begun, done = asyncio.Event(), asyncio.Event()

    async def slow_body() -> AsyncIterator[bytes]:
        yield b"ot"
        begun.set()
        await done.wait()
        yield b"p=111"

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    slow = asyncio.create_task(customer.send(page.url, slow_body(), headers=form))
    await begun.wait()
    await customer.open(page.url)
    quick = await customer.send(page.url, {"otp": "555"})
    done.set()
    assert (await slow).leads_to == quick.leads_to == "https://shop.example/ok"
    assert statuses(sandbox) == ["authorized"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("button", "card", "key"),
    [
        ("pay", FRICTIONLESS, "successUrl"),
        ("pay", FRICTIONLESS_FAILURE, "failureUrl"),
        ("fail", "", "failureUrl"),
        ("cancel", "", "cancelUrl"),
    ],
)
async def test_the_customer_is_sent_to_the_shop(
    customer: Customer, make_link: MakeLink, button: str, card: str, key: str
) -> None:
    address = "https://shop.example/back?order=1&x=%D0%B0#end"
    ways = {name: f"https://shop.example/{name}" for name in ("successUrl", "failureUrl", "cancelUrl")}
    page = await customer.open((await make_link(metadata=ways | {key: address}))["url"])
    answer = await customer.send(page.url, page.form() | {"do": button, "card": card})
    assert (answer.status, answer.leads_to) == (303, address)


@pytest.mark.asyncio
@pytest.mark.parametrize("address", [None, *NOT_WEB])
async def test_a_shop_without_a_page_for_it(customer: Customer, make_link: MakeLink, address: Any) -> None:
    metadata = dict.fromkeys(("successUrl", "failureUrl", "cancelUrl"), address)
    url = (await make_link(metadata=metadata))["url"]
    left = await customer.press(await customer.open(url), "cancel")
    assert (left.status, "nothing was taken" in left.text) == (200, True)
    assert not left.tab.startswith(("Error", "Not paid"))
    failed = await customer.press(left, "fail")
    assert (failed.status, "(96)" in failed.text) == (200, True)
    paid = await customer.pay(failed, card=FRICTIONLESS)
    assert (paid.status, paid.heading) == (200, "Paid")
    assert "a" not in paid.tags


@pytest.mark.asyncio
async def test_a_paid_link_leads_to_the_shop(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    link = await make_link(metadata={"successUrl": "https://shop.example/ok?a=1&b=2"})
    sandbox.pay(link["id"])
    page = await customer.open(link["url"])
    assert page.hrefs == ["https://shop.example/ok?a=1&b=2"]


@pytest.mark.asyncio
async def test_cancelling_leaves_the_link_as_it_is(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    link = await make_link()
    await customer.press(await customer.open(link["url"]), "cancel")
    assert (statuses(sandbox), sandbox.payment_links()[0]["status"]) == ([], "active")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("card", "button", "made"),
    [
        (FRICTIONLESS, "pay", "authorized"),
        (CHALLENGED, "pay", "3d"),
        (FRICTIONLESS_FAILURE, "pay", "rejected"),
        ("", "fail", "failed"),
    ],
)
async def test_a_form_sent_twice_pays_once(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, card: str, button: str, made: str
) -> None:
    ways = {"successUrl": "https://shop.example/ok", "failureUrl": "https://shop.example/no"}
    page = await customer.open((await make_link(metadata=ways))["url"])
    form = page.form() | {"card": card, "do": button}
    answers = await asyncio.gather(*(customer.send(page.url, form) for _ in range(5)))
    assert statuses(sandbox) == [made]
    assert len({(answer.status, answer.headers.get("Location"), answer.url) for answer in answers}) == 1
    assert answers[0].leads_to in (*ways.values(), "")


@pytest.mark.asyncio
async def test_an_old_form_may_try_another_card_or_the_password_again(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    page = await customer.open((await make_link())["url"])
    await customer.pay(page, card=FRICTIONLESS_FAILURE)
    asked = await customer.pay(page, card=CHALLENGED)
    await customer.send(asked.url, {"otp": "111"})
    again = await customer.pay(page, card=CHALLENGED)
    assert again.heading == "Confirm the payment"
    assert statuses(sandbox) == ["rejected", "rejected", "3d"]


@pytest.mark.asyncio
async def test_only_the_last_forms_are_remembered(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "_MOST_ATTEMPTS", 2)
    url = (await make_link())["url"]
    pages = [await customer.open(url) for _ in range(3)]
    for page in (*pages, *pages[1:]):
        await customer.press(page, "fail")
    assert len(statuses(sandbox)) == 3
    await customer.press(pages[0], "fail")
    assert len(statuses(sandbox)) == 4


async def close(sandbox: Sandbox, ask: Any, link: Any, status: str) -> None:
    if status == "paid":
        sandbox.pay(link["id"])
    elif status == "cancelled":
        await ask("DELETE", f"{LINKS}/{link['id']}")
    else:
        sandbox.clock.advance(hours=2)


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ["paid", "cancelled", "expired"])
async def test_a_closed_link_takes_no_payment(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, ask: Any, status: str
) -> None:
    link = await make_link(expiresAt=in_an_hour(), orderReference="ORD-1", metadata={"cancelUrl": "http://x"})
    page = await customer.open(link["url"])
    await close(sandbox, ask, link, status)
    before = sandbox.transactions()
    for closed in (
        await customer.open(link["url"]),
        await customer.pay(page, card=FRICTIONLESS),
        await customer.pay(page, card="none"),
        await customer.press(page, "fail"),
        await customer.press(page, "cancel"),
        await customer.send(link["url"], {}),
    ):
        assert closed.heading == status.capitalize()
        assert (closed.facts["Amount"], closed.facts["Order"]) == ("22\xa0000.00\xa0KZT", "ORD-1")
        assert (closed.visible_inputs, closed.buttons) == (set(), {})
    assert sandbox.transactions() == before


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ["paid", "cancelled", "expired"])
async def test_a_link_that_closes_while_the_bank_asks(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, ask: Any, status: str
) -> None:
    ways = {"successUrl": "https://shop.example/ok", "failureUrl": "https://shop.example/no"}
    link = await make_link(expiresAt=in_an_hour(), metadata=ways)
    asked = await customer.pay(await customer.open(link["url"]), card=CHALLENGED)
    await close(sandbox, ask, link, status)
    page = await customer.send(asked.url, {"otp": "555"})
    assert page.heading == status.capitalize()
    assert statuses(sandbox)[0] == "rejected"
    assert page.facts.get("Card") == ("•••• 0000" if status == "paid" else None)


@pytest.mark.asyncio
async def test_a_paid_link_names_no_card_that_did_not_pay_it(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox
) -> None:
    page = await customer.open((await make_link())["url"])
    first = await customer.pay(page, card=CHALLENGED)
    await customer.pay(page, card=INSISTENT)
    paid = await customer.send(first.url, {"otp": "555"})
    assert (paid.heading, statuses(sandbox)) == ("Paid", ["authorized", "3d"])
    # The payment that counts, though another was begun after it.
    assert "1111" in paid.text
    assert "5005" not in paid.text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("filled", "wrong"),
    [
        ({"card": ""}, {"card"}),
        ({"card": "4000056655665556"}, {"card"}),
        ({"card": "4200000000000000'\"><b>"}, {"card"}),
        ({"card": FRICTIONLESS, "expiry": "13/30"}, {"expiry"}),
        ({"card": FRICTIONLESS, "expiry": "1/1/30"}, {"expiry"}),
        ({"card": FRICTIONLESS, "cvv": "12"}, {"cvv"}),
        ({"card": FRICTIONLESS, "cvv": "١٢٣"}, {"cvv"}),
        ({"card": "", "expiry": "\"'<i>", "cvv": "\"'<i>"}, {"card", "expiry", "cvv"}),
    ],
)
async def test_fields_that_cannot_be(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, filled: dict[str, str], wrong: set[str]
) -> None:
    page = await customer.pay(await customer.open((await make_link())["url"]), **filled)
    assert page.status == 422
    # What a screen reader says first.
    assert page.tab == f"Error: {page.heading} · Plexy Pay sandbox"
    assert {name for name in page.visible_inputs if "aria-invalid" in page.inputs[name]} == wrong
    for name in wrong:
        assert page.inputs[name]["aria-describedby"] in page.ids
    kept = {name: page.inputs[name]["value"] for name in filled if name != "card"}
    assert kept == {name: value for name, value in filled.items() if name != "card"}
    # It may be a real card's.
    assert "4000056655665556" not in page.source
    assert not page.tags & {"b", "i"}
    assert statuses(sandbox) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"card=%FF%00", "application/x-www-form-urlencoded; charset=none-such"),
        (b"{}", "application/json"),
    ],
)
async def test_a_body_that_is_no_form(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, body: bytes, kind: str
) -> None:
    page = await customer.send((await make_link())["url"], body, headers={"Content-Type": kind})
    assert (page.status, statuses(sandbox)) == (422, [])


HOSTILE = (
    "</dd></dl><script>alert(1)</script><img src=x onerror=alert(2)>",
    '" autofocus onfocus=alert(1) x="\'',
    "{amount} {0} %s &lt;b&gt; &amp;",
    "\u202egnp.exe\u2066 \u200f شراء",
    "W" * 2000,
    "<!-- ]]> </main></body>",
)


@pytest.mark.asyncio
@pytest.mark.parametrize("text", HOSTILE)
async def test_what_a_merchant_wrote_is_text(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, ask: Any, text: str
) -> None:
    plain = await customer.open((await make_link(description="x", orderReference="y"))["url"])
    link = await make_link(description=text, orderReference=text, metadata={"successUrl": text})
    page = await customer.open(link["url"])
    assert page.structure == plain.structure
    assert (page.facts["For"], page.facts["Order"]) == (text, text)
    asked = await customer.pay(page, card=CHALLENGED)
    assert asked.facts["Order"] == text
    assert "script" not in asked.tags
    paid = await customer.send(asked.url, {"otp": "555"})
    assert paid.facts["For"] == text
    # Apart from what is around it, whichever way it runs.
    assert re.search("<dd><bdi>[^<]*</bdi></dd>", paid.source) is not None


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "elsewhere.example"},
    ],
)
async def test_a_form_of_another_site_is_refused(
    customer: Customer, make_link: MakeLink, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    page = await customer.open((await make_link())["url"])
    for button in ("pay", "fail", "cancel"):
        form = page.form() | {"do": button, "card": FRICTIONLESS}
        assert (await customer.send(page.url, form, headers=headers)).status == 403
    assert statuses(sandbox) == []
    asked = await customer.pay(page, card=CHALLENGED)
    assert (await customer.send(asked.url, {"otp": "555"}, headers=headers)).status == 403
    assert statuses(sandbox) == ["3d"]
    own = {"Origin": sandbox.base_url, "Sec-Fetch-Site": "same-origin"}
    assert (await customer.send(asked.url, {"otp": "555"}, headers=own)).heading == "Paid"


@pytest.mark.asyncio
async def test_a_shop_elsewhere_may_send_its_customer_to_the_bank(
    customer: Customer, sandbox: Sandbox, ask: Any
) -> None:
    names = ("firstName", "lastName", "addressLine1", "addressLine2", "postalCode", "phone", "country")
    body = {
        "terminalId": "87b5eee0-5fb7-4ace-9fb9-175ce38b354b",
        "customerDetails": {"billingAddress": dict.fromkeys(names, "x")},
        "transactionType": "sale",
        "orderDetails": {"amount": 221, "currency": "EUR", "orderReference": "D-1"},
        "cardData": {
            "encryptedCardNumber": CHALLENGED,
            "encryptedExpiryMonth": "07",
            "encryptedExpiryYear": str(datetime.now(UTC).year + 3),
            "encryptedCvv": "123",
            "encryptedCardholderName": "John Doe",
        },
        "paymentMethod": "card",
        "threeDSNotificationUrl": "https://shop.example/3ds",
    }
    challenge = (await ask("POST", "/v1/payments/direct", body)).body["threeDS"]
    shop = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    sent = {"creq": challenge["creq"], "threeDSSessionData": "\"><script>'&"}
    asked = await customer.send(challenge["action"], sent, headers=shop)
    assert (asked.status, asked.facts["Amount"]) == (200, "221.00\xa0EUR")
    assert "frame-ancestors *" in asked.headers["Content-Security-Policy"]
    assert asked.inputs["threeDSSessionData"]["value"] == sent["threeDSSessionData"]
    form = asked.form() | {"otp": "555"}
    assert (await customer.send(challenge["action"], form, headers=shop)).status == 403
    back = await customer.send(challenge["action"], form)
    assert (back.heading, back.action) == ("Confirmed", "https://shop.example/3ds")
    assert back.inputs["threeDSSessionData"]["value"] == sent["threeDSSessionData"]
