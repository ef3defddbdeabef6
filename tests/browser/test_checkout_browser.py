"""The checkout page in a real browser: paid by hand, by keyboard, on a narrow screen, clicked too often."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route, ViewportSize

    from .conftest import ServedSandbox, Shop

NARROW: ViewportSize = {"width": 320, "height": 640}
HOSTILE = "<img src=x onerror=document.title='x'><script>document.title='x'</script> \u202e" + "W" * 500


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def focused(page: Page) -> str:
    """Return the name of what the keyboard is at, which must show."""
    width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert width == "3px"
    return str(page.evaluate("document.activeElement.value || document.activeElement.name"))


def hold_first_post() -> Callable[[Route], None]:
    """Let the first form arrive, and its answer never."""
    posts: list[int] = []

    def handle(route: Route) -> None:
        if route.request.method == "POST":
            posts.append(1)
            if len(posts) == 1:
                posts.append(route.fetch(max_redirects=0).status)
                return
        route.continue_()

    return handle


def test_a_link_made_by_the_command_is_paid_with_a_challenge(
    browser: Browser, served: ServedSandbox, shop: Shop, tmp_path: Path
) -> None:
    """Without JavaScript, which the pages do not need."""
    shop.pages["/thanks"] = "<h1>Thank you</h1>"
    orders, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    orders.write_text(
        "amount,currency,description,order_reference,success_url\n"
        f"2200000,KZT,Тур,ORD-1,{shop.url}/thanks?order=ORD-1\n",
        encoding="utf-8",
    )
    served.run("bulk-create", str(orders), "--results", str(results))
    with results.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)

    with browser.new_context(viewport=NARROW, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(row["url"])
        assert page.get_by_role("heading", level=1).inner_text() == "22\xa0000.00\xa0KZT"
        assert page.get_by_text("ORD-1").is_visible()
        page.get_by_role("button", name="4111 1111 1111 1111").click()
        assert page.get_by_label("Card number").input_value() == "4111 1111 1111 1111"
        page.get_by_role("button", name=re.compile("^Pay ")).click()
        page.get_by_label("One-time password").fill("555")
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(f"{shop.url}/thanks?order=ORD-1")
        assert page.get_by_role("heading").inner_text() == "Thank you"

        assert shop.visits == ["/thanks?order=ORD-1"]
        (link,) = served.ask("GET", "/_sandbox/payment-links")["data"]
        assert (link["orderReference"], link["status"]) == ("ORD-1", "paid")
        assert served.statuses() == ["authorized"]

        for _ in range(3):
            page.go_back(wait_until="commit")
            page.get_by_role("heading", name="Paid", exact=True).wait_for()
    assert served.statuses() == ["authorized"]


def test_by_keyboard_on_a_narrow_screen(browser: Browser, served: ServedSandbox) -> None:
    link = served.make_link(description=HOSTILE, orderReference=HOSTILE)
    with browser.new_context(viewport=NARROW) as context:
        page = context.new_page()
        page.goto(link["url"])
        title = page.title()
        assert fits(page)
        order: list[str] = []
        for _ in range(7):
            page.keyboard.press("Tab")
            order.append(focused(page))
        assert order[0] == "card"
        assert order[3:] == ["pay", "cancel", "fail", "4111111111111111"]
        page.keyboard.press("Enter")
        page.wait_for_url("**?card=4111111111111111")
        page.locator("[value=pay]:focus").wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/3ds/**")
        assert fits(page)
        page.locator("[name=otp]:focus").wait_for()
        page.keyboard.type("111")
        page.keyboard.press("Enter")
        page.wait_for_url("**?tried=**")
        assert page.get_by_role("status").inner_text().startswith("The payment was declined")
        assert fits(page)
        assert page.title() == f"Not paid: {title}"
    assert served.statuses() == ["rejected"]


@pytest.mark.parametrize(("card", "made"), [("4200000000000000", "authorized"), ("4111111111111111", "3d")])
def test_a_second_click_pays_nothing_more(
    browser: Browser, served: ServedSandbox, shop: Shop, card: str, made: str
) -> None:
    """The browser drops the answer to the first click, which the sandbox has given already."""
    shop.pages["/thanks"] = "<h1>Thank you</h1>"
    link = served.make_link(metadata={"successUrl": f"{shop.url}/thanks"})
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(link["url"])
        page.get_by_label("Card number").fill(card)
        page.route(link["url"], hold_first_post())
        # By the mouse itself: Playwright's own click would wait for the answer to the first.
        box = page.get_by_role("button", name=re.compile("^Pay ")).bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 20, box["y"] + 20)
        end = time.monotonic() + 30
        while not served.statuses():
            assert time.monotonic() < end, "the first click did not arrive"
            page.wait_for_timeout(20)
        page.mouse.click(box["x"] + 20, box["y"] + 20)
        # Waiting for the address would end with the navigation that the second click broke off.
        heading = "Thank you" if made == "authorized" else "Confirm the payment"
        page.get_by_role("heading", name=heading).wait_for()
    assert served.statuses() == [made]


def test_a_page_of_another_site_cannot_pay(browser: Browser, served: ServedSandbox, shop: Shop) -> None:
    link = served.make_link()
    shop.pages["/"] = (
        f'<form method="post" action="{link["url"]}"><input name="card" value="4200000000000000">'
        "<button>Win a prize</button></form>"
    )
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://localhost:{shop.port}/")
        page.get_by_role("button").click()
        page.wait_for_url(link["url"])
        assert page.get_by_role("heading", level=1).inner_text() == "Not from here"
    assert served.statuses() == []
