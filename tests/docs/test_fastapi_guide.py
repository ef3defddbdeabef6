"""The shop of docs/fastapi.md, over the sandbox, which answers each error as docs/errors.md lists it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

import plexypay_async
import plexypay_sync
from plexypay_async import Outcome, PlexyPayError, WebhookError
from plexypay_async.sandbox import Sandbox
from tests.needs import need

from .blocks import ROOT, run_by
from .contexts import TOKEN

SHOP, TYPED = run_by(__file__)
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "docs/errors.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]


def exported(package: Any) -> dict[str, type[PlexyPayError]]:
    named = {name: getattr(package, name) for name in dir(package) if not name.startswith("_")}
    return {
        name: kind
        for name, kind in named.items()
        if isinstance(kind, type) and issubclass(kind, PlexyPayError)
    }


@pytest.fixture
def around() -> dict[str, Any]:
    """The names of the shop, whose calls give up sooner than a reader's."""
    need("fastapi", "httpx2")
    assert SHOP.count("timeout=10") == 1
    names: dict[str, Any] = {"__name__": "shop"}
    exec(SHOP.replace("timeout=10", "timeout=3"), names)
    return names


def test_the_page_lists_every_error() -> None:
    listed = [row[0].strip("`") for row in ROWS]

    assert listed == list(dict.fromkeys(listed))
    assert {*listed} == exported(plexypay_async).keys() == exported(plexypay_sync).keys()


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("`") for row in ROWS])
def test_an_error_is_answered_as_the_page_says(row: list[str], around: dict[str, Any]) -> None:
    name, _, outcomes, _, answer = row
    kind = exported(plexypay_async)[name.strip("`")]

    default = kind("no").outcome
    told = [Outcome[each] for each in re.findall(r"[A-Z_]+", outcomes)]
    assert default in told if told else default is None
    outcomes_of_it: list[Outcome | None] = [*told] or [None]
    for outcome in outcomes_of_it:
        unclear = outcome in (Outcome.UNKNOWN, Outcome.DONE) and not issubclass(kind, WebhookError)
        assert around["answer_to"](kind("no", outcome=outcome)) == (502 if unclear else int(answer))


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name in [name for name in os.environ if name.startswith("PLEXYPAY_")]:
        monkeypatch.delenv(name)
    with Sandbox(webhook_token=TOKEN, webhook_ports=["*"]) as running:
        running.hold_webhooks = True
        monkeypatch.setenv("PLEXYPAY_API_KEY", running.api_key)
        monkeypatch.setenv("PLEXYPAY_BASE_URL", running.base_url)
        monkeypatch.setenv("PLEXYPAY_WEBHOOK_TOKEN", TOKEN)
        yield running


@pytest.fixture
def shop(sandbox: Sandbox, around: dict[str, Any]) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    with TestClient(around["app"]) as client:
        yield client


def test_a_link_is_returned_and_its_payment_told(shop: Any, sandbox: Sandbox) -> None:
    made = shop.post("/orders/1/payment-link")
    assert (made.status_code, made.json()) == (200, shop.post("/orders/1/payment-link").json())
    (link,) = sandbox.payment_links()
    assert (made.json()["url"], made.json()["order_reference"]) == (link["url"], "SHOP1-1")
    schemas = shop.get("/openapi.json").text
    assert "order_reference" in schemas

    sandbox.pay(link["id"])
    sandbox.deliveries.hand_over(
        lambda body, headers: shop.post("/webhooks", content=body, headers=headers).status_code
    )
    assert {delivery.state for delivery in sandbox.deliveries} == {"delivered"}
    assert shop.get("/orders/1").json() == {"paid": True}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert shop.post("/webhooks", content=b"{}", headers=bearer).status_code == 400
    assert shop.post("/webhooks", content=b"{}").status_code == 401


@pytest.mark.parametrize(
    ("faults", "status", "name"),
    [
        (["status=401"], 500, "AuthenticationError"),
        (["code=3"], 422, "InvalidRequestError"),
        (
            [
                "cut=after,operation=payment_links.create",
                "status=403,operation=payment_links.retrieve_by_order_reference",
            ],
            502,
            "OutcomeUnknownError",
        ),
    ],
)
def test_an_error_becomes_an_answer(
    shop: Any, sandbox: Sandbox, faults: list[str], status: int, name: str
) -> None:
    for fault in faults:
        sandbox.faults.add(fault)

    answer = shop.post("/orders/1/payment-link")

    assert (answer.status_code, answer.json()) == (status, {"detail": name})
    assert "retry-after" not in answer.headers


def test_in_an_outage_pages_are_answered_at_once(shop: Any, sandbox: Sandbox) -> None:
    sandbox.faults.add("code=1")

    answers = [shop.post(f"/orders/{order}/payment-link") for order in range(20)]

    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert "OutageError" in {answer.json()["detail"] for answer in answers}
    assert sum(answer.elapsed.total_seconds() < 0.5 for answer in answers) >= 15


def test_a_link_of_another_amount_is_a_conflict(shop: Any, sandbox: Sandbox) -> None:
    with plexypay_sync.PlexyPay() as plexy:
        plexy.payment_links.create(amount=1, currency="KZT", order_reference="SHOP1-1")

    assert shop.post("/orders/1/payment-link").status_code == 409


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("22 000,50", None),
        (22000.5, None),
        ("1,000", "can be 1000 or 1.000"),
        ("0", "must be positive"),
        ("-5", "no sign"),
        (True, "is not an amount"),
    ],
)
def test_an_amount_is_read_where_it_is_typed(
    shop: Any, sandbox: Sandbox, around: dict[str, Any], typed: object, said: str | None
) -> None:
    exec(compile(TYPED, "shop.py", "exec", dont_inherit=True), around)

    answer = shop.post("/donations/1", json={"amount": typed})

    made = [link["amount"] for link in sandbox.payment_links()]
    if said is None:
        assert (answer.status_code, made) == (200, [2_200_050])
    else:
        assert (answer.status_code, made) == (422, [])
        assert said in answer.json()["detail"][0]["msg"]
