"""A session in a real browser: the shop's page, the stand-in for the vendor's SDK, and the webhook."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.needs import need

from .conftest import KEY, ServedSandbox

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Response

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "whsec_8d1f0c3b5a7e9264"
FRICTIONLESS, CHALLENGED = "4200000000000000", "4111111111111111"
REFUSED = "4907639999990022"


class CheckoutShop:
    """``examples/fastapi_checkout.py`` under uvicorn, and the sandbox that it speaks to."""

    def __init__(self, database: Path) -> None:
        need("fastapi", "uvicorn")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox = ServedSandbox(
            *("--checkout-webhook-url", f"{self.url}/webhooks/checkout"),
            *("--checkout-webhook-secret", SECRET),
        )
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES)),
                *("fastapi_checkout:app", f"--port={port}", "--log-level=warning"),
            ],
            env={
                **os.environ,
                "PLEXYPAY_CHECKOUT_BASE_URL": self.sandbox.base_url,
                "PLEXYPAY_CHECKOUT_API_KEY": KEY,
                "PLEXYPAY_CHECKOUT_WEBHOOK_SECRET": SECRET,
                "PLEXYPAY_MERCHANT_ACCOUNT": "TestShop",
                "SHOP_DATABASE": str(database),
                "SHOP_URL": self.url,
            },
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        self.told: list[bytes] = []
        self._reader = threading.Thread(target=lambda: self.told.extend(self._process.stderr or ()))
        self._reader.start()
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, b"".join(self.told)
                assert self._process.poll() is None, b"".join(self.told)
                time.sleep(0.05)

    def state(self, order: int) -> Any:
        with urllib.request.urlopen(f"{self.url}/orders/{order}/state", timeout=30) as answer:
            return json.load(answer)

    def statuses(self) -> list[str]:
        """Return the states of all payments, the oldest first."""
        listed = self.sandbox.ask("GET", "/_sandbox/checkout-payments")["data"]
        return [payment["status"] for payment in reversed(listed)]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self.sandbox.stop()


class Wire:
    """All that a page has sent and received."""

    def __init__(self, page: Page) -> None:
        self.sent: list[tuple[str, dict[str, str], str]] = []
        self.received: list[str] = []
        self._responses: list[Response] = []
        page.on("request", self._note_request)
        page.on("response", self._note_response)

    def _note_request(self, request: Request) -> None:
        self.sent.append((request.url, request.headers, request.post_data or ""))

    def _note_response(self, response: Response) -> None:
        self._responses.append(response)

    def read(self) -> str:
        """Return everything as one text."""
        for response in self._responses:
            if response.status == 200:
                self.received.append(response.text())
        self._responses.clear()
        return "\n".join([*map(repr, self.sent), *self.received])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[CheckoutShop]:
    opened = CheckoutShop(tmp_path / "shop.sqlite")
    try:
        yield opened
    finally:
        opened.stop()


def pay(page: Page, card: str) -> None:
    page.get_by_label("Card number").fill(card)
    page.get_by_role("button", name=re.compile("^Pay ")).click()


def test_an_order_is_paid_when_the_webhook_has_come(browser: Browser, shop: CheckoutShop) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        wire = Wire(page)
        page.goto(f"{shop.url}/orders/1")
        assert page.get_by_role("button").inner_text() == "Pay 1.00 KZT"
        pay(page, FRICTIONLESS)
        page.get_by_text("This order is paid.").wait_for()
        seen = wire.read()

    assert shop.state(1) == {"state": "paid", "parcels": 1}
    assert shop.statuses() == ["authorised"]
    # The page has the session's id and data, and no secret of the shop's.
    shown = json.loads(seen.partition('id="shown">')[2].partition("</script>")[0])
    assert set(shown["session"]) == {"id", "sessionData"}
    assert KEY not in seen
    assert SECRET not in seen
    assert "x-api-key" not in seen.lower()


def test_a_browser_s_word_sends_nothing(browser: Browser, shop: CheckoutShop) -> None:
    """The webhook is lost: what the page was told is not enough."""
    shop.sandbox.ask("POST", "/_sandbox/faults", {"delivery": "never"})
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{shop.url}/orders/1")
        pay(page, FRICTIONLESS)
        page.get_by_text("We wait for the bank").wait_for()
        assert shop.statuses() == ["authorised"]
        assert shop.state(1) == {"state": "open", "parcels": 0}
        # Loaded anew, the page asks for no second payment.
        page.reload()
        page.get_by_text("We wait for the bank").wait_for()
        assert page.get_by_label("Card number").count() == 0

        (delivery,) = shop.sandbox.ask("GET", "/_sandbox/deliveries")["data"]
        for _ in range(2):
            shop.sandbox.ask("POST", f"/_sandbox/deliveries/{delivery['id']}/resend")
            shop.sandbox.ask("POST", "/_sandbox/deliveries/settle")
        page.get_by_text("This order is paid.").wait_for()
    assert shop.state(1) == {"state": "paid", "parcels": 1}


def test_a_challenge_that_is_passed(browser: Browser, shop: CheckoutShop) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{shop.url}/orders/1")
        pay(page, CHALLENGED)
        page.get_by_label("One-time password").fill("555")
        assert shop.state(1) == {"state": "open", "parcels": 0}
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(f"{shop.url}/orders/1**")
        page.get_by_text("This order is paid.").wait_for()
        # What the bank's page gave is not left in the address, nor taken twice.
        assert page.url == f"{shop.url}/orders/1"
        page.reload()
        page.get_by_text("This order is paid.").wait_for()
    assert shop.statuses() == ["authorised"]
    assert shop.state(1) == {"state": "paid", "parcels": 1}


def test_a_refused_challenge_and_another_card(browser: Browser, shop: CheckoutShop) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{shop.url}/orders/1")
        pay(page, CHALLENGED)
        page.get_by_role("button", name="111: fail").click()
        page.get_by_text("The payment was refused").wait_for()
        pay(page, REFUSED)
        page.get_by_text("The payment was refused").wait_for()
        pay(page, "5555444433331111")
        page.get_by_text("is none of the test cards").wait_for()
        assert shop.state(1) == {"state": "open", "parcels": 0}
        pay(page, FRICTIONLESS)
        page.get_by_text("This order is paid.").wait_for()
    assert shop.statuses() == ["refused", "refused", "authorised"]
    assert shop.state(1) == {"state": "paid", "parcels": 1}


def test_two_tabs_pay_an_order_once(browser: Browser, shop: CheckoutShop) -> None:
    with browser.new_context() as context:
        first, second = context.new_page(), context.new_page()
        for page in (first, second):
            page.goto(f"{shop.url}/orders/1")
        for page in (first, second):
            pay(page, FRICTIONLESS)
        first.get_by_text("This order is paid.").wait_for()
        second.get_by_text("session: is paid").wait_for()
    assert shop.statuses() == ["authorised"]
    assert shop.state(1) == {"state": "paid", "parcels": 1}


def test_the_sandbox_s_own_page_leads_back_to_the_shop(browser: Browser, shop: CheckoutShop) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{shop.url}/orders/1")
        shown = json.loads(page.locator("#shown").text_content() or "")
        page.goto(f"{shop.sandbox.base_url}/checkout/sessions/{shown['session']['id']}?card={CHALLENGED}")
        page.get_by_role("button", name=re.compile("^Pay ")).click()
        page.get_by_label("One-time password").fill("555")
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(f"{shop.url}/orders/1")
    shop.sandbox.ask("POST", "/_sandbox/deliveries/settle")
    assert shop.state(1) == {"state": "paid", "parcels": 1}
