"""The code of docs/checkout.md and docs/newest-menu.md as printed, against small servers."""

from __future__ import annotations

import hashlib
import hmac
import json
import textwrap
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from plexypay_async import AsyncPlexyCheckout, AsyncPlexyPay, ConfigurationError, SeenWebhooks
from tests.docs.blocks import run_by, shown_lines
from tests.faults.scripted import DROP, ONCE, SHORT, Answer, Script, Seen, Step, serving

pytestmark = pytest.mark.asyncio

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = Path(__file__).parent / "checkout_examples"
KEY = "ck_0123456789abcdef0123456789abcdef"
AMOUNT = {"currency": "KZT", "value": 2_200_050}
SUBMITTED: dict[str, Any] = {
    "paymentMethod": {"type": "scheme", "encryptedCardNumber": "cipher"},
    "riskData": {"clientData": "x"},
}


CLIENT, SESSION, METHODS, PAYMENT, DETAILS, UNKNOWN, WEBHOOK = run_by(__file__, "docs/checkout.md")
READ, CREATE = run_by(__file__, "docs/newest-menu.md")


async def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run code of a guide as the body of a page's function; its variables are in the names afterwards."""
    lines = ["async def page():", textwrap.indent(code, "    "), "    return locals()"]
    exec(compile("\n".join(lines), "the guide", "exec"), names)
    names.update(await names["page"]())
    return names


@attrs.frozen
class Request:
    """A request of a web framework's."""

    headers: dict[str, str]


def payment(code: str = "Authorised", **fields: Any) -> Answer:
    known = {"pspReference": "psp", "resultCode": code, "amount": AMOUNT, "merchantReference": "ORD-1"}
    return Answer(200, {**known, **fields})


async def at(routes: dict[str, Any], code: str, **names: Any) -> tuple[dict[str, Any], list[Seen]]:
    """Run code of the guide with a client of a small server; return its variables, and what was sent."""
    options = {"retry": names.pop("retry", SHORT), "timeout": 5}
    async with (
        serving(Script(routes)) as server,
        AsyncPlexyCheckout(KEY, merchant_account="ACME", base_url=server.url, **options) as checkout,
    ):
        from plexypay_async import Money

        found = await run(code, {"checkout": checkout, "Money": Money, "client_key": "test_ck", **names})
        return found, server.script.seen


async def test_the_client_is_made_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_CHECKOUT_BASE_URL", raising=False)
    made = await run(CLIENT, {"api_key": KEY})

    assert repr(made["checkout"]) == "<AsyncPlexyCheckout https://api.plexypay.com>"
    await made["checkout"].close()


async def test_a_session_for_the_page() -> None:
    answer = json.loads((EXAMPLES / "v2.session.mock.json").read_bytes())
    found, (sent,) = await at({"POST /v2/sessions": Answer(201, {**answer, "amount": AMOUNT})}, SESSION)

    assert found["page_data"] == {
        "id": "CSFF69355B6EAD2F68",
        "sessionData": "Ab02b4c0",
        "clientKey": "test_ck",
    }
    assert sent.json == {
        "merchantAccount": "ACME",
        "amount": AMOUNT,
        "reference": "ORD-1",
        "returnUrl": "https://shop.example/orders/ORD-1",
        "countryCode": "KZ",
        "shopperReference": "customer-7",
    }


async def test_the_ways_to_pay() -> None:
    answer = json.loads((EXAMPLES / "v2.payment-methods.mock.json").read_bytes())
    found, (sent,) = await at({"POST /v2/paymentMethods": Answer(200, answer)}, METHODS)

    assert found["page_data"] == answer
    assert "idempotency-key" not in sent.headers


async def test_a_payment_with_what_the_page_sent() -> None:
    action = {"type": "redirect", "method": "GET", "url": "https://acs.example/?MD=1"}
    routes = {"POST /v2/payments": payment("RedirectShopper", action=action)}
    found, (sent,) = await at(routes, PAYMENT, submitted=SUBMITTED, address="192.0.2.1")

    assert found["payment"].requires_action
    assert found["for_page"] == {"resultCode": "RedirectShopper", "action": action}
    assert {name: sent.json[name] for name in SUBMITTED} == SUBMITTED
    assert sent.json["amount"] == AMOUNT
    with pytest.raises(
        ConfigurationError, match="no page may give this; it is your server's to say: give amount"
    ):
        await at(routes, PAYMENT, submitted={**SUBMITTED, "amount": {"value": 1}}, address="192.0.2.1")


@pytest.mark.parametrize(
    ("answer", "paid"),
    [
        (payment(), ["ORD-1"]),
        (payment("Refused"), []),
        (payment(merchantReference="ORD-OF-SOMEBODY"), []),
        (payment(amount={"currency": "KZT", "value": 100}), []),
        (payment(action={"type": "threeDS2"}), []),
    ],
)
async def test_after_the_action(answer: Answer, paid: list[str]) -> None:
    marked: list[str] = []
    _, (sent,) = await at(
        {"POST /v2/payments/details": answer}, DETAILS, redirect_result="eyJ0", mark_as_paid=marked.append
    )

    assert sent.json == {"merchantAccount": "ACME", "details": {"redirectResult": "eyJ0"}}
    assert marked == paid


@pytest.mark.parametrize("first", [DROP, Answer(500, b"<html></html>")])
async def test_after_an_unknown_outcome_the_same_key_goes_out_again(first: Step) -> None:
    from plexypay_async import Money

    fields = {
        "state_data": SUBMITTED,
        "amount": Money(2_200_050, "KZT"),
        "reference": "ORD-1",
        "return_url": "https://shop.example",
    }
    routes = {"POST /v2/payments": [first, payment()]}
    found, sent = await at(routes, UNKNOWN, fields=fields, retry=ONCE)

    assert found["payment"].is_authorised
    assert len(sent) == 2
    assert len({seen.headers["idempotency-key"] for seen in sent}) == 1


async def test_a_webhook_is_handled_once(tmp_path: Path) -> None:
    body = (EXAMPLES / "v2.webhook-payment-succeeded.json").read_bytes()
    signature = hmac.new(b"whsec_5d41402abc4b2a76", body, hashlib.sha256).hexdigest()
    looked_at: list[tuple[Any, ...]] = []
    names: dict[str, Any] = {
        "secret": "whsec_5d41402abc4b2a76",
        "request": Request({"plexy-signature": f"t={int(time.time())},v1={signature}"}),
        "body": body,
        "seen": SeenWebhooks(tmp_path / "seen.sqlite"),
        "look_at_payment": lambda *told: looked_at.append(told),
    }
    for _ in range(2):
        await run(WEBHOOK, dict(names))

    assert looked_at == [("pay_abc123", 5000, "USD")]


async def test_the_other_dialect_is_reached_by_request() -> None:
    guide = (DOCS / "checkout.md").read_text(encoding="utf-8")
    call = 'checkout.request("POST", "/v2/payments", json=...)'
    assert call in guide
    found, (sent,) = await at(
        {"POST /v2/payments": Answer(200, {"id": "pay_1", "status": "authorized"})},
        f"answer = await {call}".replace("...", '{"amount": 5000}'),
    )

    assert found["answer"] == {"id": "pay_1", "status": "authorized"}
    assert (sent.json, sent.headers["x-api-key"]) == ({"amount": 5000}, KEY)


async def test_what_the_newest_menu_names_is_reached_by_request() -> None:
    script = Script(
        {
            "GET /v1/invoices/inv_1": [Answer(502), Answer(200, {"id": "inv_1"})],
            "POST /v1/invoices": [
                Answer(503, {"code": 1, "message": "no", "type": "apiError"}),
                Answer(201, {"id": "inv_2"}),
            ],
        }
    )
    async with (
        serving(script) as server,
        AsyncPlexyPay("pr_0123456789abcdef0123456789abcdef", base_url=server.url, retry=SHORT) as plexy,
    ):
        found = await run(READ, {"plexy": plexy})
        found = await run(CREATE, found)

    assert (found["answer"], found["invoice"]) == ({"id": "inv_1"}, {"id": "inv_2"})
    assert [seen.route for seen in script.seen] == ["GET /v1/invoices/inv_1"] * 2 + ["POST /v1/invoices"] * 2
    assert script.seen[-1].json == {"amount": 10000}


async def test_the_guides_are_short_enough() -> None:
    for guide in ("checkout.md", "newest-menu.md"):
        lines = (DOCS / guide).read_text(encoding="utf-8").splitlines()
        assert shown_lines(DOCS / guide) <= 150
        assert max(map(len, lines)) <= 120
