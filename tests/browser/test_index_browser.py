"""The sandbox's index page in a real browser, with 200 links, and all pages as axe-core sees them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.needs import need

from .conftest import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from .conftest import ServedSandbox, Shop

WIDTHS = (320, 1280)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HOSTILE = "<img src=x onerror=document.title='x'> \u202e" + "W" * 200
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
FRICTIONLESS, REJECTED, CHALLENGED = "4200000000000000", "4907639999990022", "4111111111111111"
SHOTS = os.environ.get("PLEXYPAY_SCREENSHOTS")
# A rule of axe-core that is broken: its name, how much it matters, and what breaks it.
BROKEN = """axe.run().then(found => found.violations.map(
    rule => [rule.id, rule.impact, rule.nodes.map(node => node.html).slice(0, 3)]))"""


@pytest.fixture
def filled(served: ServedSandbox, shop: Shop, tmp_path: Path) -> ServedSandbox:
    """A sandbox with 200 links in all states, and webhooks that are not taken."""
    orders = tmp_path / "orders.csv"
    rows = [f"{2_200_000 + n},KZT,Тур,ORD-{n:03}" for n in range(195)]
    orders.write_text("\n".join(["amount,currency,description,order_reference", *rows, ""]), encoding="utf-8")
    served.run("bulk-create", str(orders), "--results", str(tmp_path / "results.csv"))
    callback = {"metadata": {"callbackUrl": f"{shop.url}/webhooks"}}
    paid, rejected, asked, cancelled, _ = [
        served.make_link(orderReference=reference, **callback)["id"]
        for reference in ("NEW-1", "NEW-2", "NEW-3", None, HOSTILE)
    ]
    for link, card in ((paid, FRICTIONLESS), (rejected, REJECTED), (asked, CHALLENGED)):
        served.ask("POST", f"/_sandbox/payment-links/{link}/pay", {"card": card, "otp": "pending"})
    served.ask("DELETE", f"/v1/payment-links/{cancelled}")
    basket = {"merchantAccount": "Shop", "amount": {"currency": "KZT", "value": 1}, "reference": "NEW-4"}
    served.ask("POST", "/v2/sessions", {**basket, "returnUrl": shop.url}, **{"x-api-key": KEY})
    order = {"product_id": 101, "external_ref": "NEW-5"}
    served.ask("POST", f"/agent/{AGENT}/orders", order, **{"Idempotency-Key": "key-0001"})
    served.ask("POST", "/_sandbox/deliveries/settle")
    return served


@pytest.fixture
def looks(browser: Browser) -> Iterator[list[Page]]:
    """A page in each width and colour scheme."""
    need("axe_playwright_python")
    contexts = [
        browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        for width in WIDTHS
        for scheme in SCHEMES
    ]
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def broken(page: Page) -> Any:
    """Return what axe-core finds, and what sticks out to the side."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(BROKEN)
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append("wider than the window")
    return found


def keep_picture(page: Page, name: str) -> None:
    if SHOTS and page.viewport_size is not None:
        scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
        path = Path(SHOTS, f"{name}-{page.viewport_size['width']}-{scheme}.png")
        page.screenshot(path=str(path), full_page=True)


def test_axe_core_tells_a_page_that_is_broken(looks: list[Page]) -> None:
    looks[0].set_content("<img src=x><p style='color: #ddd; width: 900px'>Pale</p>")
    assert {rule[0] for rule in broken(looks[0]) if rule != "wider than the window"} > {
        "image-alt",
        "color-contrast",
    }
    assert "wider than the window" in broken(looks[0])


@pytest.mark.parametrize("query", ["", "?q=NEW-", "?links=4", "?q=nothing"])
def test_the_index_page(filled: ServedSandbox, looks: list[Page], query: str) -> None:
    for page in looks:
        page.goto(f"{filled.base_url}/{query}")
        title = page.title()
        for section in ("links", "transactions", "sessions", "orders", "webhooks"):
            # What is behind a row is looked at too.
            for row in page.locator(f"#{section} summary").all()[:1]:
                row.click()
        assert broken(page) == []
        assert page.title() == title
        keep_picture(page, f"index{re.sub('[^a-zA-Z0-9]', '-', query)}")


def test_a_webhook_is_found_by_keyboard(filled: ServedSandbox, browser: Browser) -> None:
    """Without JavaScript, which the page does not need."""
    with browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        page.goto(filled.base_url)
        assert page.locator("#links summary").count() == 50
        page.keyboard.press("Tab")
        page.keyboard.type("new-2")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=new-2")
        assert page.get_by_role("search").get_by_label("Search").input_value() == "new-2"
        webhook = page.locator("#webhooks summary", has_text="transaction.rejected")
        (transaction,) = [
            made["id"]
            for made in filled.ask("GET", "/_sandbox/transactions")["data"]
            if made["status"] == "rejected"
        ]
        assert webhook.get_by_text("NEW-2").is_visible()
        assert webhook.get_by_text(f"transaction {transaction}").is_visible()
        webhook.click()
        page.get_by_role("link", name=transaction).click()
        page.wait_for_url(f"**/?q={transaction}")
        page.get_by_role("link", name="Show all").click()
        assert page.locator("#links summary").count() == 50


def test_a_webhook_that_is_sent_once_more_says_what_became_of_it(
    filled: ServedSandbox, browser: Browser
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{filled.base_url}/?q=NEW-2")
        page.locator("#webhooks summary").first.click()
        page.get_by_role("button", name="Send transaction.rejected once more").click()
        told = page.get_by_role("status").filter(has_text="transaction.rejected was sent once more, and is")
        assert told.is_visible()
        assert page.locator("details[open]").count() == 1


def test_the_other_pages(served: ServedSandbox, looks: list[Page]) -> None:
    for number, page in enumerate(looks):
        link = served.make_link(
            description="Тур", orderReference=f"ORD-{number}", expiresAt="2099-12-23T15:30:00Z"
        )
        page.goto(f"{served.base_url}/nothing/such")
        assert page.get_by_role("heading", level=1).inner_text() == "No such page"
        assert broken(page) == []
        keep_picture(page, "missing")

        page.goto(link["url"])
        assert broken(page) == []
        page.get_by_label("Card number").fill("1")
        page.get_by_role("button", name=re.compile("^Pay ")).click()
        assert page.title().startswith("Error: ")
        assert broken(page) == []
        keep_picture(page, "error")

        page.get_by_label("Card number").fill(CHALLENGED)
        page.get_by_role("button", name=re.compile("^Pay ")).click()
        password = page.get_by_label("One-time password")
        assert password.get_attribute("autocomplete") == "one-time-code"
        assert broken(page) == []
        password.fill("111")
        page.get_by_role("button", name="Confirm").click()
        assert page.title().startswith("Not paid: ")
        assert broken(page) == []
        keep_picture(page, "not-paid")

        served.ask("POST", f"/_sandbox/payment-links/{link['id']}/pay", {})
        page.goto(link["url"])
        assert page.get_by_role("heading", level=1).inner_text() == "Paid"
        assert broken(page) == []
