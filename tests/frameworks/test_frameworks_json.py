"""Models in what web frameworks and task queues answer with: FastAPI's views, Flask's, Django's, Celery's."""

from __future__ import annotations

import importlib
import json
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest

from plexypay_async import CreatePaymentLink, Money, PaymentLink, PaymentLinkSummary, Transaction
from tests.needs import needs

LINK = PaymentLink(
    id="pl_1",
    url="https://pay.example/pl_1",
    status="active",  # type: ignore[arg-type]
    amount=2_200_000,
    currency="KZT",
    order_reference="ORD-1",
)
TRANSACTION = Transaction.from_dict({"id": "t", "amount": "22000.50", "currency": "KZT", "status": "charged"})


@needs("fastapi", "httpx")
@pytest.mark.asyncio
async def test_a_view_of_fastapi_returns_a_model_and_shows_its_schema() -> None:
    import httpx
    from fastapi import Body, FastAPI

    app = FastAPI()

    @app.get("/link")
    def link() -> PaymentLink:
        return LINK

    @app.get("/transactions")
    def transactions() -> list[Transaction]:
        return [TRANSACTION]

    @app.get("/maybe")
    def maybe() -> PaymentLink | None:
        return None

    def read(given: Any) -> dict[str, Any]:
        return {"reference": given.order_reference}

    # What is annotated in a function is looked for in its module, where FastAPI may be missing.
    read.__annotations__["given"] = Annotated[PaymentLink, Body()]
    app.post("/link")(read)

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        assert (await client.get("/link")).json() == LINK.to_dict()
        assert (await client.get("/transactions")).json()[0]["amount"] == "22000.50"
        assert (await client.get("/maybe")).json() is None
        assert (await client.post("/link", json=LINK.to_dict())).json() == {"reference": "ORD-1"}
        refused = await client.post("/link", json={**LINK.to_dict(), "amount": "much"})
        assert refused.status_code == 422
        assert "amount: expected an integer" in refused.text
        schema = (await client.get("/openapi.json")).json()
    answered = schema["paths"]["/link"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    shown = json.dumps([answered, schema.get("components", {})])
    assert "order_reference" in shown
    assert "date-time" in shown


@needs("pydantic")
def test_a_model_of_pydantic_holds_one() -> None:
    from pydantic import BaseModel, ValidationError

    class Order(BaseModel):
        link: PaymentLink
        payments: list[Transaction]

    order = Order(link=LINK, payments=[TRANSACTION])
    assert order.link is LINK
    again = Order.model_validate_json(order.model_dump_json())
    assert again.link == LINK
    assert again.payments[0].amount == Decimal("22000.50")
    assert order.model_dump()["link"]["order_reference"] == "ORD-1"
    assert Order.model_json_schema()["properties"]["payments"]["items"]["title"] == "Transaction"
    with pytest.raises(ValidationError, match=r"id: is missing"):
        Order.model_validate({"link": {}, "payments": []})


@needs("fastapi", "httpx")
@pytest.mark.asyncio
async def test_a_view_answers_with_the_fields_that_it_declares() -> None:
    import httpx
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/summary")
    def summary() -> PaymentLinkSummary:
        return LINK

    @app.get("/summaries")
    def summaries() -> list[PaymentLinkSummary]:
        return [LINK]

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        declared = {field.name for field in attrs.fields(PaymentLinkSummary)} - {"raw"}
        assert (await client.get("/summary")).json().keys() == declared
        assert (await client.get("/summaries")).json()[0].keys() == declared
    assert declared < LINK.to_dict().keys()


@needs("fastapi", "httpx")
@pytest.mark.asyncio
async def test_what_a_validator_raises_shows_nothing_but_its_message() -> None:
    import httpx
    from fastapi import Body, FastAPI
    from pydantic import BaseModel, field_validator

    class Cart(BaseModel):
        total: str

        @field_validator("total")
        @classmethod
        def payable(cls, total: str) -> str:
            Money.major(total, "KZT")
            return total

    app = FastAPI()

    def pay(cart: Any) -> None:
        pytest.fail("it is not payable")

    pay.__annotations__["cart"] = Annotated[Cart, Body()]
    app.post("/pay")(pay)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        refused = await client.post("/pay", json={"total": "much"})
    assert refused.status_code == 422
    (problem,) = refused.json()["detail"]
    assert problem["msg"].startswith("Value error, amount: 'much' is not an amount")
    assert problem["ctx"] == {"error": {}}


@needs("pydantic")
def test_a_subclass_is_narrowed_to_what_is_declared() -> None:
    from pydantic import BaseModel, TypeAdapter

    class Order(BaseModel):
        link: PaymentLinkSummary

    order = Order(link=LINK)
    assert type(order.link) is PaymentLinkSummary
    assert order.link.id == LINK.id
    # What was never validated is written as it is declared too.
    for made in (order, Order.model_construct(link=LINK)):
        assert made.model_dump()["link"].keys() == order.link.to_dict().keys()
        assert json.loads(made.model_dump_json())["link"].keys() == order.link.to_dict().keys()
    assert TypeAdapter(PaymentLink).validate_python(LINK) is LINK


@needs("flask")
def test_a_view_of_flask_answers_with_a_dict() -> None:
    from flask import Flask, jsonify

    app = Flask(__name__)

    @app.get("/link")
    def link() -> Any:
        return jsonify(LINK.to_dict())

    @app.get("/plain")
    def plain() -> Any:
        return LINK.to_dict()

    client = app.test_client()
    assert client.get("/link").get_json() == client.get("/plain").get_json() == LINK.to_dict()


@needs("django")
def test_an_answer_of_django_takes_it() -> None:
    conf: Any = importlib.import_module("django.conf")
    http: Any = importlib.import_module("django.http")
    if not conf.settings.configured:
        conf.settings.configure(USE_TZ=True)
    assert json.loads(http.JsonResponse(LINK.to_dict()).content) == LINK.to_dict()


@needs("celery")
def test_celerys_json_carries_a_request_and_a_link() -> None:
    kombu: Any = importlib.import_module("kombu.serialization")
    request = CreatePaymentLink(amount=100, currency="KZT", order_reference="ORD-1")
    content_type, encoding, payload = kombu.dumps([request.to_dict(), LINK.to_dict()], "json")
    carried = kombu.loads(payload, content_type, encoding)
    assert CreatePaymentLink.from_dict(carried[0]) == request
    assert PaymentLink.from_dict(carried[1]) == LINK
