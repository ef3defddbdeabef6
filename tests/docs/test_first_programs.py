"""The README's first programs, as their readers run them: a shop under uvicorn, and a script, twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plexypay_async.sandbox import Sandbox
from tests.needs import needs

from .blocks import ROOT, run_by
from .contexts import TOKEN

SHOP, SCRIPT = run_by(__file__)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(webhook_token=TOKEN, webhook_ports=["*"]) as running:
        yield running


def environment(sandbox: Sandbox) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLEXYPAY_")},
        "PLEXYPAY_API_KEY": sandbox.api_key,
        "PLEXYPAY_BASE_URL": sandbox.base_url,
        "PLEXYPAY_WEBHOOK_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
    }


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def ask(url: str, data: bytes | None = None) -> tuple[int, str, bytes]:
    """Return the status, the address that is led to, and the body."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(urllib.request.Request(url, data=data), timeout=30) as answer:
            return answer.status, "", answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("Location", ""), answer.read()


@contextmanager
def served(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """Serve the shop from a file of its own until it is told to end; yields its address."""
    # Its own address is 127.0.0.1:8000, which may be in use here.
    assert SHOP.count('SHOP = "http://127.0.0.1:8000"') == 1
    log = folder / "log"
    (folder / "shop.py").write_text(
        SHOP.replace('SHOP = "http://127.0.0.1:8000"', 'SHOP = os.environ["SHOP"]')
    )
    port = _free_port()
    shop = f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--app-dir", str(folder), "shop:app", "--port", str(port)],
            env=variables | {"SHOP": shop},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            if "Uvicorn running" in log.read_text():
                break
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield shop
        server.send_signal(signal.SIGINT)
        assert server.wait(60) in (0, -signal.SIGINT)
        assert "Traceback" not in log.read_text()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@needs("fastapi", "uvicorn")
def test_the_shop_hears_of_a_payment(sandbox: Sandbox, tmp_path: Path) -> None:
    with served(tmp_path, environment(sandbox)) as shop:
        status, url, _ = ask(f"{shop}/orders/1/pay")
        assert (status, ask(f"{shop}/orders/1/pay")[1]) == (303, url)
        (link,) = sandbox.payment_links()
        assert (link["url"], link["amount"], link["orderReference"]) == (url, 2_200_000, "ORD-1")
        assert ask(f"{shop}/orders/1")[2] == b'{"paid":false}'

        # An attempt that fails is told too, and is no payment.
        assert ask(url, b"card=4200000000000000&do=fail")[0] in (200, 303)
        sandbox.deliveries.wait_settled()
        assert len([*sandbox.deliveries]) > 0
        assert ask(f"{shop}/orders/1")[2] == b'{"paid":false}'

        # The customer pays on the sandbox's page, which leads back to the shop.
        status, back, _ = ask(url, b"card=4200000000000000&do=pay")
        assert (status, back) == (303, f"{shop}/orders/1")
        sandbox.deliveries.wait_settled()
        assert ask(back)[2] == b'{"paid":true}'
        assert {delivery.state for delivery in sandbox.deliveries} == {"delivered"}

        assert ask(f"{shop}/webhooks", b"{}")[0] == 401


@needs("fastapi", "uvicorn")
def test_the_shop_s_customers_hear_soon_that_the_api_is_away(sandbox: Sandbox, tmp_path: Path) -> None:
    nowhere = {"PLEXYPAY_BASE_URL": f"http://127.0.0.1:{_free_port()}"}
    with served(tmp_path, environment(sandbox) | nowhere) as shop:
        for _ in range(2):
            began = time.monotonic()
            status, _, told = ask(f"{shop}/orders/1/pay")
            assert (status, told) == (503, b"No payments just now: please try again.")
            # The shop's own limit, and what a busy machine adds.
            assert time.monotonic() - began < 20
    assert sandbox.payment_links() == []


def _free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def run_script(sandbox: Sandbox) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env=environment(sandbox),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_script_finds_its_link_again(sandbox: Sandbox) -> None:
    first = run_script(sandbox)
    second = run_script(sandbox)

    (link,) = sandbox.payment_links()
    assert first.stdout == second.stdout == f"{link['url']} active\nA-7 2200000\n"
    assert first.stderr == second.stderr == ""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("status=401", "No link was made."),
        ("cut=after,operation=payment_links.create", "Run it again: it finds the link."),
    ],
)
def test_the_script_says_what_became_of_a_failure(sandbox: Sandbox, fault: str, said: str) -> None:
    sandbox.faults.add(fault)
    sandbox.faults.add("status=403,operation=payment_links.retrieve_by_order_reference")
    ended = run_script(sandbox)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith(f"\n{said}\n")
    assert "Traceback" not in ended.stderr
    sandbox.faults.clear()
    assert re.fullmatch(r"http\S+ active\nA-7 2200000\n", run_script(sandbox).stdout)
    assert len(sandbox.payment_links()) == 1
