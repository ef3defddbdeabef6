"""The code of docs/direct-payments.md as printed: against the sandbox, and on answers it never gives."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import (
    Address,
    AsyncPlexyPay,
    AuthenticationError,
    BrowserDetails,
    CustomerDetails,
    OrderDetails,
)
from plexypay_async.pay.direct_payments import DirectPayment, ThreeDSecure
from plexypay_async.sandbox import Sandbox
from tests.docs.blocks import run_by

pytestmark = pytest.mark.asyncio

GUIDE = Path(__file__).parents[2] / "docs" / "direct-payments.md"
ENCRYPT, CREATE, THREE_DS, CONTINUE, SETTLE = run_by(__file__)


@attrs.frozen
class Response:
    """What a web framework answers: a page, or where to go."""

    content: str
    status_code: int = 200


class Request:
    """A request of the shop's page."""

    headers = {"Accept": "text/html", "User-Agent": "Mozilla/5.0", "Accept-Language": "kk-KZ"}  # noqa: RUF012


FORM = {
    "color_depth": "24",
    "screen_height": "1080",
    "screen_width": "1920",
    "time_zone": "-300",
    "cres": "555",
}


async def run(code: str, names: dict[str, Any]) -> Any:
    """Run code of the guide as the body of a page's function; its variables are in the names afterwards."""
    lines = ["async def page():", "    global payment, encrypted, paid", textwrap.indent(code, "    ")]
    exec(compile("\n".join(lines), str(GUIDE), "exec"), names)
    return await names["page"]()


def shop(**more: Any) -> dict[str, Any]:
    remembered: dict[str, str] = {}
    return {
        "request": Request(),
        "form": FORM,
        "remember": remembered.__setitem__,
        "remembered": remembered,
        "HTMLResponse": Response,
        "RedirectResponse": Response,
        **more,
    }


async def test_a_payment_with_3d_secure(sandbox: Sandbox) -> None:
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=10) as plexy:
        names = shop(plexy=plexy)
        assert await run(ENCRYPT + CREATE, names) is None
        begun = names["payment"]
        assert begun.requires_3ds

        shown = await run(THREE_DS, names)
        assert shown == Response(begun.three_ds.html)
        assert names["remembered"] == {"ORD-1": begun.id}
        names["remembered_id"] = begun.id
        await run(CONTINUE, names)

        ended = names["payment"]
        assert (ended.id, ended.success, ended.requires_3ds) == (begun.id, True, False)
        assert await run(THREE_DS, names) is None


@pytest.mark.parametrize("three_ds", [None, ThreeDSecure(html="<form>")], ids=["alone", "with a form"])
async def test_a_redirect(three_ds: ThreeDSecure | None) -> None:
    address = "https://bank.example/a"
    names = shop(payment=DirectPayment(id="t-1", three_ds=three_ds, raw={"redirectUrl": address}))

    assert await run(THREE_DS, names) == Response(address, 303)
    assert names["remembered"] == {"ORD-1": "t-1"}


@pytest.mark.parametrize(
    "three_ds", [None, ThreeDSecure(), ThreeDSecure(html="")], ids=["nothing", "no form", "an empty form"]
)
async def test_3d_secure_without_a_way_to_it(three_ds: ThreeDSecure | None) -> None:
    names = shop(payment=DirectPayment(action="3ds-required", three_ds=three_ds))

    with pytest.raises(ValueError, match="does not say where the customer goes"):
        await run(THREE_DS, names)
    assert names["remembered"] == {}


def fields(encrypted: Any) -> dict[str, Any]:
    """Return the arguments of a payment with a card that is not challenged."""
    address = Address(
        first_name="John",
        last_name="Doe",
        address_line1="Main Street 1",
        address_line2="",
        postal_code="80331",
        phone="+491234567",
        country="DE",
    )
    return {
        "terminal_id": "t-1",
        "transaction_type": "sale",
        "order_details": OrderDetails(amount=Decimal("56.41"), currency="EUR", order_reference="ORD-1"),
        "card_data": encrypted,
        "browser_details": BrowserDetails.from_headers(
            Request.headers, color_depth="24", screen_height="1080", screen_width="1920", time_zone="-300"
        ),
        "customer_details": CustomerDetails(billing_address=address),
        "three_ds_notification_url": "https://shop.example/3ds",
    }


async def test_an_unknown_outcome_is_looked_up(sandbox: Sandbox) -> None:
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=10) as plexy:
        names = shop(plexy=plexy)
        await run(ENCRYPT.replace("4111 1111 1111 1111", "4200 0000 0000 0000"), names)
        sandbox.faults.add("cut=after,times=1,operation=direct_payments.create")
        names["fields"] = fields(names["encrypted"])
        await run(SETTLE, names)

    assert names["paid"] is True
    assert sandbox.requests.count("direct_payments.create") == 1


async def test_a_refused_payment_is_raised(sandbox: Sandbox) -> None:
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, timeout=10) as plexy:
        names = shop(plexy=plexy)
        await run(ENCRYPT, names)
        sandbox.faults.add("status=401,operation=direct_payments.create")
        names["fields"] = fields(names["encrypted"])
        with pytest.raises(AuthenticationError):
            await run(SETTLE, names)

    assert sandbox.requests.count("transactions.retrieve_by_order_reference") == 0
