"""From an invoice to a paid order: the command, a browser, the sandbox's webhook and the FastAPI shop."""

from __future__ import annotations

import csv
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.needs import need

from .conftest import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .conftest import ServedSandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 320, "height": 640}


class FastAPIShop:
    """``examples/fastapi_shop.py`` under uvicorn, with orders in a file."""

    def __init__(self, served: ServedSandbox, database: Path) -> None:
        need("fastapi", "uvicorn")
        self._database = database
        self._process = subprocess.Popen(
            [*(sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES)), "fastapi_shop:app", "--port=0"],
            env={
                **served.environment,
                # The sandbox's deliveries carry its key unless it is told otherwise.
                "PLEXYPAY_WEBHOOK_TOKEN": KEY,
                "SHOP_DATABASE": str(database),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(60, self._process.kill)
        watchdog.start()
        assert self._process.stderr is not None
        told = ""
        for line in self._process.stderr:
            told += line
            if (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line)) is not None:
                self.url = found[1]
                break
        else:
            pytest.fail(told)
        watchdog.cancel()
        # What it says from now on must not fill the pipe.
        self._reader = threading.Thread(target=self._process.stderr.read)
        self._reader.start()

    def add_order(self, reference: str, amount: int) -> None:
        with sqlite3.connect(self._database, timeout=30) as database:
            database.execute("INSERT INTO orders (reference, amount) VALUES (?, ?)", (reference, amount))
        database.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


@pytest.fixture
def fastapi_shop(served: ServedSandbox, tmp_path: Path) -> Iterator[FastAPIShop]:
    shop = FastAPIShop(served, tmp_path / "shop.sqlite")
    try:
        yield shop
    finally:
        shop.stop()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "320"])
def test_an_invoice_becomes_a_paid_order(
    browser: Browser, served: ServedSandbox, fastapi_shop: FastAPIShop, tmp_path: Path, size: dict[str, int]
) -> None:
    fastapi_shop.add_order("ORD-1", 2_200_000)
    orders, results = tmp_path / "orders.csv", tmp_path / "results.csv"
    orders.write_text(
        "amount,currency,description,order_reference,success_url,callback_url\n"
        f"2200000,KZT,Тур,ORD-1,{fastapi_shop.url}/orders/1,{fastapi_shop.url}/webhooks/plexypay\n",
        encoding="utf-8",
    )
    served.run("bulk-create", str(orders), "--results", str(results))
    with results.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    # The bank's answer to a payment may be told twice.
    served.ask("POST", "/_sandbox/faults", {"delivery": "twice"})

    with browser.new_context(viewport={"width": size["width"], "height": size["height"]}) as context:
        page = context.new_page()
        page.goto(row["url"])
        shots = os.environ.get("PLEXYPAY_SCREENSHOTS")
        if shots:
            page.screenshot(path=str(Path(shots, f"checkout-{size['width']}.png")), full_page=True)
        page.get_by_role("button", name="4111 1111 1111 1111").click()
        page.get_by_role("button", name=re.compile("^Pay ")).click()
        if shots:
            page.screenshot(path=str(Path(shots, f"3ds-{size['width']}.png")), full_page=True)
        page.get_by_label("One-time password").fill("555")
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url(f"{fastapi_shop.url}/orders/1")

        served.ask("POST", "/_sandbox/deliveries/settle")
        deadline = time.monotonic() + 60
        while "paid" not in page.content():
            assert time.monotonic() < deadline, page.content()
            page.reload()
        assert page.evaluate("JSON.parse(document.body.innerText)") == {"state": "paid", "parcels": 1}
        if shots:
            page.goto(served.base_url)
            page.screenshot(path=str(Path(shots, f"index-{size['width']}.png")), full_page=True)

    deliveries = served.ask("GET", "/_sandbox/deliveries")["data"]
    assert {delivery["state"] for delivery in deliveries} == {"delivered"}
    authorized = [delivery for delivery in deliveries if delivery["event"] == "transaction.authorized"]
    assert [len(delivery["attempts"]) for delivery in authorized] == [2]
