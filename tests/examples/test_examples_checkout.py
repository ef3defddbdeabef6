"""The shop with sessions hears of payments from deliveries that repeat, meet, fall short or are forged."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.needs import need

if TYPE_CHECKING:
    from .conftest import Program, ServedSandbox, Start

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "whsec_8d1f0c3b5a7e9264"
ADDRESS = r"http://127\.0\.0\.1:([1-9]\d*)"


class Shop:
    """``examples/fastapi_checkout.py``, running."""

    def __init__(self, program: Program) -> None:
        self.program = program
        program.wait_for(lambda log: re.search(ADDRESS, log) is not None)
        found = re.search(ADDRESS, program.log)
        assert found is not None
        self._port = int(found[1])

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def deliver(
        self,
        event: str,
        order: int,
        *,
        type: str = "payment.succeeded",
        secret: str = SECRET,
        seconds_ago: int = 0,
        **data: Any,
    ) -> int:
        """Deliver an event of an order's payment; return the status of the answer."""
        told = {
            "id": f"pay_{event}",
            "amount": 100 * order,
            "currency": "KZT",
            "status": "succeeded",
            "merchantReference": f"ORD-{order}",
            **data,
        }
        document = {"id": event, "type": type, "created": 1_679_529_600, "data": told}
        body = json.dumps(document).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        header = f"t={int(time.time()) - seconds_ago},v1={signature}"
        return self.ask("POST", "/webhooks/checkout", body, {"Plexy-Signature": header})[0]

    def order(self, order: int) -> Any:
        return json.loads(self.ask("GET", f"/orders/{order}/state")[1])

    def session(self, order: int) -> dict[str, str]:
        """Return what the order's page gives to the browser."""
        status, page = self.ask("GET", f"/orders/{order}")
        assert status == 200
        shown: dict[str, Any] = json.loads(page.partition('id="shown">')[2].partition("</script>")[0])
        session: dict[str, str] = shown["session"]
        return session


@pytest.fixture
def shop(start: Start, served: ServedSandbox) -> Shop:
    need("fastapi", "uvicorn")
    return Shop(
        start(
            *("-m", "uvicorn", "--app-dir", str(EXAMPLES), "fastapi_checkout:app", "--port", "0"),
            PLEXYPAY_CHECKOUT_BASE_URL=served.base_url,
            PLEXYPAY_CHECKOUT_API_KEY="sandbox-key",
            PLEXYPAY_CHECKOUT_WEBHOOK_SECRET=SECRET,
            PLEXYPAY_MERCHANT_ACCOUNT="TestShop",
        )
    )


OPEN, PAID = {"state": "open", "parcels": 0}, {"state": "paid", "parcels": 1}


def test_an_order_is_paid_once(shop: Shop) -> None:
    for order in range(1, 7):
        shop.session(order)

    # Ten at once of one event, and another event of the same order.
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(shop.deliver, ["evt_1"] * 10, [1] * 10))
    assert answers == [200] * 10
    assert shop.deliver("evt_1-again", 1) == 200
    assert shop.order(1) == PAID

    # Forged, delayed for too long, or not signed.
    assert shop.deliver("evt_2", 2, secret="whsec_guess1234") == 401
    assert shop.deliver("evt_2", 2, seconds_ago=3600) == 401
    assert shop.ask("POST", "/webhooks/checkout", b"{}")[0] == 401
    # Not the whole of it, in another currency, of nobody knows which order, or not paid.
    assert shop.deliver("evt_3", 2, amount=199) == 200
    assert shop.deliver("evt_4", 2, currency="USD") == 200
    assert shop.deliver("evt_5", 2, merchantReference=None) == 200
    assert shop.deliver("evt_6", 2, status="failed") == 200
    assert shop.deliver("evt_7", 2, type="payment.failed") == 200
    assert shop.deliver("evt_8", 2, type="payment.renamed") == 200
    assert shop.order(2) == OPEN
    # An event that was handled is none for another order.
    assert shop.deliver("evt_1", 3) == 200
    assert shop.order(3) == OPEN
    assert shop.deliver("evt_9", 2) == 200
    assert shop.order(2) == PAID

    # Each payment for which there is no open order is told, once.
    assert len(re.findall("pays no open order", shop.program.log)) == 4
    assert SECRET not in shop.program.log
    shop.program.terminate(status=-15)
    assert "Traceback" not in shop.program.log


def test_each_tab_has_the_same_session_until_it_expires(
    shop: Shop, served: ServedSandbox, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        sessions = list(pool.map(shop.session, [7] * 4))
    assert all(session == sessions[0] for session in sessions)
    assert set(sessions[0]) == {"id", "sessionData"}
    earlier = shop.session(8)
    assert earlier != sessions[0]
    with sqlite3.connect(tmp_path / "shop.sqlite", timeout=30) as database:
        database.execute("UPDATE sessions SET expires_at = 1 WHERE reference = 'ORD-8'")
    database.close()
    later = shop.session(8)
    assert later == shop.session(8)
    assert later["id"] not in (earlier["id"], sessions[0]["id"])
    served.ask("POST", f"/checkout-sessions/{sessions[0]['id']}/pay")
    assert [one["merchantReference"] for one in served.ask("GET", "/checkout-payments")["data"]] == ["ORD-7"]
