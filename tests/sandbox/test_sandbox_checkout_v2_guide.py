"""The code of the guide's section on the Checkout API, as printed, and the stand-in's file."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from plexypay_async import AsyncPlexyCheckout, Money
from plexypay_async.checkout import Payment
from plexypay_async.sandbox import Sandbox
from tests.docs.blocks import run_by

from .checkout_shopper import MERCHANT, confirm
from .conftest import Receiver

pytestmark = pytest.mark.asyncio

GUIDE = Path(__file__).parents[2] / "docs" / "sandbox.md"
SESSION, STATE_DATA = run_by(__file__)


async def test_the_session_of_the_guide(receiver: Receiver) -> None:
    code = SESSION.replace("http://localhost:8000/webhooks/checkout", receiver.url)
    assert code != SESSION
    names: dict[str, Any] = {"Sandbox": Sandbox, "AsyncPlexyCheckout": AsyncPlexyCheckout, "Money": Money}
    exec(compile(f"async def page():\n{textwrap.indent(code, '    ')}", str(GUIDE), "exec"), names)
    await names["page"]()
    assert sorted(received.body["type"] for received in receiver.received) == [
        "payment.failed",
        "payment.succeeded",
    ]


async def test_the_card_of_the_guide(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    names: dict[str, Any] = {}
    exec(compile(STATE_DATA, str(GUIDE), "exec"), names)
    async with AsyncPlexyCheckout(
        sandbox.api_key, base_url=sandbox.base_url, merchant_account=MERCHANT
    ) as checkout:
        payment: Payment = await checkout.payments.create(
            state_data=names["state_data"],
            amount=Money.major("22000.50", "KZT"),
            reference="ORD-1",
            return_url="http://localhost:8000/orders/1",
        )
        assert payment.action is not None
        back = await confirm(session, payment.action["url"])
        details = {"details": {"redirectResult": back.query["redirectResult"]}}
        assert (await checkout.payments.details(state_data=details)).is_authorised


async def test_the_stand_in_is_a_script_that_any_page_may_load(
    sandbox: Sandbox, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "http://shop.example"}
    async with session.get(f"{sandbox.base_url}/checkout/stand-in.js", headers=elsewhere) as answer:
        assert (answer.status, answer.content_type) == (200, "text/javascript")
        script = await answer.read()
    assert sandbox.requests.count() == 0
    assert sandbox.api_key.encode() not in script
    node = shutil.which("node")
    if node is not None:
        file = tmp_path / "stand_in.js"
        file.write_bytes(script)
        subprocess.run([node, "--check", str(file)], check=True, timeout=60)


async def test_a_browser_asks_before_it_calls(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    asked = {
        "Origin": "http://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for path, status in (("/v2/checkoutshopper/v1/sessions/CS1/setup", 204), ("/v2/payments", 401)):
        async with session.options(sandbox.base_url + path, headers=asked) as answer:
            # No page may call what needs the merchant's key.
            assert answer.status == status
            assert ("Access-Control-Allow-Origin" in answer.headers) == (status == 204)
