"""The Flask and the Django shop under gunicorn, whose workers are forked after the client's first call."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.needs import needs

if TYPE_CHECKING:
    from .conftest import Program, ServedSandbox, Start

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn needs fork"),
    needs("django", "flask", "gunicorn"),
]

EXAMPLES = Path(__file__).parents[2] / "examples"
APPLICATIONS = ("flask_shop:app", "django_shop:application")
ORDERS = 100


class Shop:
    """A shop under gunicorn, with two workers of four threads."""

    def __init__(self, start: Start, application: str, access_log: Path) -> None:
        self._access_log = access_log
        self.program: Program = start(
            *("-W", "always::ResourceWarning", "-m", "gunicorn", application),
            *("--chdir", str(EXAMPLES), "--preload", "--workers", "2", "--threads", "4"),
            *("--bind", "127.0.0.1:0", "--access-logfile", str(access_log)),
            *("--access-logformat", "%(p)s %(m)s %(s)s"),
        )
        self.program.wait_for(lambda log: "Listening at" in log)
        listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.program.log)
        assert listening is not None
        self._port = int(listening[1])

    def ask(self, method: str, order: int) -> tuple[int, Any]:
        """Ask for an order's payment link, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, f"/orders/{order}/payment-link")
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def served(self, method: str, status: int) -> Counter[str]:
        """Return how many requests each worker answered with a status."""
        lines = [line.split() for line in self._access_log.read_text().splitlines()]
        return Counter(pid for pid, *told in lines if told == [method, str(status)])

    def wait_for_both_workers(self) -> None:
        deadline = time.monotonic() + 60
        while len(self.served("GET", 404)) < 2:
            assert time.monotonic() < deadline, self.program.log
            assert self.ask("GET", 1)[0] == 404


Open: TypeAlias = Callable[[str], Shop]


@pytest.fixture
def open_shop(start: Start, tmp_path: Path) -> Open:
    return lambda application: Shop(start, application, tmp_path / "access.log")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_two_hundred_requests(open_shop: Open, served: ServedSandbox, application: str) -> None:
    shop = open_shop(application)
    shop.wait_for_both_workers()
    # Time in which the requests of a worker's threads meet.
    served.ask("POST", "/faults", "latency=0.01")

    # Each order is asked for twice, at about the same time.
    orders = [number for number in range(1, ORDERS + 1) for _ in range(2)]
    with ThreadPoolExecutor(16) as customers:
        answers = list(customers.map(lambda order: shop.ask("POST", order), orders))

    urls = {link["orderReference"]: link["url"] for link in served.links()}
    assert served.amounts() == {f"ORD-{number}": 100 * number for number in range(1, ORDERS + 1)}
    for order, (status, content) in zip(orders, answers, strict=True):
        reference = f"ORD-{order}"
        assert (status, content) == (
            200,
            {
                "order_reference": reference,
                "amount": 100 * order,
                "status": "active",
                "url": urls[reference],
            },
        )
    assert shop.ask("GET", ORDERS)[1]["url"] == urls[f"ORD-{ORDERS}"]
    by_worker = shop.served("POST", 200)
    assert (len(by_worker), by_worker.total()) == (2, 2 * ORDERS)

    shop.program.terminate()
    assert "Shutting down: Master" in shop.program.log
    assert not re.search(r"Traceback|Warning|\[(WARNING|ERROR|CRITICAL)\]", shop.program.log), (
        shop.program.log
    )


@pytest.mark.parametrize("application", APPLICATIONS)
def test_a_failure_is_answered_and_told(open_shop: Open, served: ServedSandbox, application: str) -> None:
    shop = open_shop(application)
    served.ask("POST", "/faults", "status=403,operation=payment_links.create")

    assert shop.ask("POST", 7) == (503, {"error": "no payment link could be made; please try again"})
    assert shop.ask("GET", 7) == (404, {"error": "this order has no payment link"})
    served.ask("DELETE", "/faults")
    assert shop.ask("POST", 7)[0] == 200

    shop.program.terminate()
    told = "PermissionDeniedError, outcome Outcome.REJECTED: payment_links.create 'ORD-7': HTTP 403"
    assert told in shop.program.log
    assert served.amounts() == {"ORD-7": 700}
