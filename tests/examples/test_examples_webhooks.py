"""The shops hear of payments from deliveries that repeat, meet, come out of order or are forged."""

from __future__ import annotations

import http.client
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.needs import need

if TYPE_CHECKING:
    from .conftest import Program, ServedSandbox, Start

EXAMPLES = Path(__file__).parents[2] / "examples"
ADDRESS = r"http://127\.0\.0\.1:([1-9]\d*)"
TOKEN = "whk_0123456789abcdef"
GUNICORN = ("-m", "gunicorn", "--chdir", str(EXAMPLES), "--preload", "--workers", "2", "--threads", "4")
UVICORN = ("-m", "uvicorn", "--app-dir", str(EXAMPLES))
SHOPS = {
    "fastapi": (*UVICORN, "fastapi_shop:app", "--port", "0"),
    "aiohttp": (str(EXAMPLES / "aiohttp_shop.py"), "0"),
    "aiohttp under gunicorn": (
        *(*GUNICORN[:-2], "--worker-class", "aiohttp.GunicornWebWorker"),
        *("aiohttp_shop:application", "--bind", "127.0.0.1:0"),
    ),
    "flask": (*GUNICORN, "flask_shop:app", "--bind", "127.0.0.1:0"),
    "django": (*GUNICORN, "django_shop:application", "--bind", "127.0.0.1:0"),
    "django_async": (*UVICORN, "--lifespan", "off", "django_async_shop:application", "--port", "0"),
}

NEEDS = {
    "fastapi": ("fastapi", "uvicorn"),
    "aiohttp": (),
    "aiohttp under gunicorn": ("gunicorn",),
    "flask": ("flask", "gunicorn"),
    "django": ("django", "gunicorn"),
    "django_async": ("django", "uvicorn"),
}


class Shop:
    """A running shop."""

    def __init__(self, program: Program, *, tells_on_stdout: bool) -> None:
        self.program = program
        if tells_on_stdout:
            told = program.line()
        else:
            program.wait_for(lambda log: re.search(ADDRESS, log) is not None)
            told = program.log
        found = re.search(ADDRESS, told)
        assert found is not None, told
        self._port = int(found[1])

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(content) if is_json else None
        finally:
            connection.close()

    def deliver(
        self, name: str, order: int, *, token: str = TOKEN, id_: str | None = None, type_: str = "payment"
    ) -> int:
        """Deliver an event of an order's payment, or of its refund; return the status of the answer."""
        data = {
            "id": id_ or f"txn-{order}",
            "amount": 100,
            "currency": "KZT",
            "type": type_,
            "merchantReference": f"ORD-{order}",
            "paymentLinkId": {"Value": f"pl_{order}"},
            "createdAt": "2025-03-01T12:00:00Z",
        }
        body = json.dumps({"name": name, "merchantId": "m-1", "data": data}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.ask("POST", "/webhooks/plexypay", body, headers)[0]

    def order(self, order: int) -> Any:
        return self.ask("GET", f"/orders/{order}")[1]


Open: TypeAlias = Callable[[str], Shop]


@pytest.fixture
def open_shop(start: Start) -> Open:
    def begin(framework: str) -> Shop:
        need(*NEEDS[framework])
        if "gunicorn" in SHOPS[framework] and not hasattr(os, "fork"):
            pytest.skip("gunicorn needs fork")
        program = start(
            *SHOPS[framework],
            PLEXYPAY_WEBHOOK_TOKEN=TOKEN,
            PYTHONUNBUFFERED="1",
        )
        return Shop(program, tells_on_stdout=framework == "aiohttp")

    return begin


@pytest.mark.parametrize("framework", SHOPS)
def test_an_order_is_paid_once(open_shop: Open, served: ServedSandbox, framework: str) -> None:
    shop = open_shop(framework)
    for order in (1, 2, 3, 4):
        status, link = shop.ask("POST", f"/orders/{order}/payment-link")
        assert (status, link["amount"], link["order_reference"]) == (200, 100 * order, f"ORD-{order}")
    # A button that is pressed twice.
    assert shop.ask("POST", "/orders/4/payment-link") == (200, link)
    assert sorted(served.amounts()) == ["ORD-1", "ORD-2", "ORD-3", "ORD-4"]
    assert all(link["metadata"]["callbackUrl"].endswith("/webhooks/plexypay") for link in served.links())
    assert shop.order(1) == {"state": "open", "parcels": 0}

    # Ten at once, in two workers or in many threads.
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: shop.deliver("transaction.charged", 1), range(10)))
    assert answers == [200] * 10
    assert shop.order(1) == {"state": "paid", "parcels": 1}

    # Authorized, then charged; the second means the same.
    assert shop.deliver("transaction.authorized", 2) == 200
    assert shop.deliver("transaction.charged", 2) == 200
    assert shop.order(2) == {"state": "paid", "parcels": 1}
    # A part of it went back, which the event of the refund alone tells; then the whole.
    assert shop.deliver("transaction.refunded", 2, id_="refund-1", type_="refund") == 200
    assert shop.order(2) == {"state": "paid", "parcels": 1}
    assert shop.deliver("transaction.refunded", 2) == 200
    assert shop.deliver("transaction.charged", 2) == 200
    assert shop.order(2) == {"state": "refunded", "parcels": 0}

    # Out of order: what was cancelled is not paid by a delivery that comes late.
    assert shop.deliver("transaction.cancelled", 3) == 200
    assert shop.deliver("transaction.authorized", 3) == 200
    assert shop.order(3) == {"state": "cancelled", "parcels": 0}

    # Forged, unreadable, unknown, of no order of the shop's, and of a payment that failed.
    assert shop.deliver("transaction.charged", 4, token="guess") == 401
    assert shop.deliver("transaction.charged", 4, token="") == 401
    assert shop.ask("POST", "/webhooks/plexypay", b"{}")[0] == 401
    bearer = {"Authorization": TOKEN}
    assert shop.ask("POST", "/webhooks/plexypay", b"{", bearer)[0] == 400
    assert shop.ask("POST", "/webhooks/plexypay", b'{"name": "new.thing"}', bearer)[0] == 200
    assert shop.deliver("transaction.charged", 99) == 200
    assert shop.deliver("transaction.failed", 4) == 200
    assert shop.order(4) == {"state": "open", "parcels": 0}
    assert shop.ask("GET", "/orders/99")[0] == 404

    # uvicorn ends by the signal that it was sent, once it has closed all.
    shop.program.terminate(status=-15 if framework in ("fastapi", "django_async") else 0)
    assert "Traceback" not in shop.program.log
    assert "Warning" not in shop.program.log
