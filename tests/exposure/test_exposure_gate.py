"""What an order has bought is nowhere but where it is asked for, whatever is answered, on both facades."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plexypay_async import AsyncPlexyGate, PlexyPayError, RetryPolicy
from plexypay_async.pagination import AsyncPages
from plexypay_sync import PlexyGate
from tests.faults.scripted import Again, Answer, Cut, Step
from tests.frames import exposures, record_exposures

from .provocations import scripted_apart

KEY = "gate_0123456789abcdef0123456789abcdef"
AGENT = "0b5f8f5e-6f0e-4c3a-9d67-2f0a1b7c9d10"
ID = "5c1f4f9d-8b5a-4e8b-8c0e-1d1c2f3a4b5c"
CODE = "ABCD-EFGH-IJKL"
FACADES = pytest.mark.parametrize("facade", [AsyncPlexyGate, PlexyGate], ids=["async", "sync"])

CONTENT = {"voucher_code": CODE, "pins": [CODE]}
ORDER = {"id": ID, "product_id": 101, "status": "completed", "order_content": CONTENT}
WITHOUT_ID = {name: value for name, value in ORDER.items() if name != "id"}


def page(*items: Any, **more: Any) -> dict[str, Any]:
    return {"items": list(items), "page": 1, "pageSize": 100, "total": len(items), **more}


RIGHT: dict[str, Answer] = {
    "an order": Answer(200, ORDER),
    "a content that is a text": Answer(200, {**ORDER, "order_content": CODE}),
    "a content that is a list": Answer(200, {**ORDER, "order_content": [CONTENT]}),
    "a charge that cannot be read": Answer(200, {**ORDER, "charged_amount": "a lot"}),
}
WRONG: dict[str, Step] = {
    **{f"{status} with the order": Answer(status, ORDER) for status in (400, 401, 404, 409, 422, 429, 500)},
    **{f"{status} with text": Answer(status, CODE.encode()) for status in (200, 404, 502)},
    "a cut order": Cut(Answer(200, {"order_content": CONTENT, **ORDER})),
    "an order without an id": Answer(200, WITHOUT_ID),
    "an order without a state": Answer(200, {**ORDER, "status": None}),
    "a state that is a number": Answer(200, {**ORDER, "status": 7}),
    "the order of another": Answer(
        200, {**ORDER, "id": "another", "idempotency_key": "another", "product_id": 7}
    ),
    "an order that says that it failed": Answer(200, {**ORDER, "error": "no", "success": False}),
    "an order in an array": Answer(200, [ORDER]),
    "an order in an object": Answer(200, {"data": ORDER}),
    "an order twice": Again(Answer(500, ORDER), 0.001),
}
WRONG_PAGES: dict[str, Step] = {
    **{f"{status} with a page": Answer(status, page(ORDER)) for status in (400, 404, 500)},
    "a cut page": Cut(Answer(200, page(ORDER, ORDER))),
    "an order without an id": Answer(200, page(ORDER, WITHOUT_ID)),
    "an order instead of a list": Answer(200, page() | {"items": ORDER}),
    "an order instead of a page": Answer(200, ORDER),
    "another page": Answer(200, page(ORDER, page=7)),
    "text": Answer(200, CODE.encode()),
}
CALLS: dict[str, Callable[[Any], Any]] = {
    "create": lambda gate: gate.orders.create(product_id=101, external_ref="INV-1"),
    "retrieve": lambda gate: gate.orders.retrieve(ID),
    "retrieve with its answer": lambda gate: gate.orders.retrieve.with_response(ID),
    "wait": lambda gate: gate.orders.wait(ID, timeout=0.3, interval=0.05),
}
LISTINGS: dict[str, Callable[[Any], Any]] = {"list": lambda gate: gate.orders.list()}


@pytest.fixture(autouse=True)
def hidden_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    for name in ("plexypay", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    yield
    assert not record_exposures(caplog.records, [CODE])


def ended(facade: type[Any], step: Step, call: Callable[[Any], Any]) -> Any:
    """Return what a call has returned, its pages where it lists, or the error that it has raised."""
    with scripted_apart({"*": step}) as url:
        options: dict[str, Any] = {
            "agent_id": AGENT,
            "base_url": url,
            "timeout": 1.0,
            "retry": RetryPolicy(max_attempts=2, base=0.002, cap=0.01),
        }
        try:
            if facade is PlexyGate:
                with PlexyGate(KEY, **options) as gate:
                    result = call(gate)
                    return list(result.pages()) if hasattr(result, "pages") else result
            return asyncio.run(_ended(options, call))
        except PlexyPayError as error:
            return error


async def _ended(options: dict[str, Any], call: Callable[[Any], Any]) -> Any:
    async with AsyncPlexyGate(KEY, **options) as gate:
        result = call(gate)
        if isinstance(result, AsyncPages):
            return [page async for page in result.pages()]
        return await result


def shown_in(value: Any) -> list[str]:
    """Return where the code stands in what a value refers to."""
    holding = ValueError()
    holding.held = value  # type: ignore[attr-defined]
    return exposures(holding, [CODE])


@FACADES
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", WRONG)
def test_no_wrong_answer_brings_a_code_to_light(facade: type[Any], call: str, answer: str) -> None:
    found = ended(facade, WRONG[answer], CALLS[call])
    if isinstance(found, PlexyPayError):
        assert not exposures(found, [CODE])
    else:
        assert not shown_in(found)


@FACADES
@pytest.mark.parametrize("answer", WRONG_PAGES)
def test_no_wrong_page_brings_a_code_to_light(facade: type[Any], answer: str) -> None:
    found = ended(facade, WRONG_PAGES[answer], LISTINGS["list"])
    assert isinstance(found, PlexyPayError), found
    assert not exposures(found, [CODE])


@FACADES
@pytest.mark.parametrize("call", ["retrieve", "retrieve with its answer", "wait"])
@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_shows_a_code_to_who_asks_alone(facade: type[Any], call: str, answer: str) -> None:
    found = ended(facade, RIGHT[answer], CALLS[call])
    order = getattr(found, "value", found)

    assert CODE in str(order.order_content.reveal())
    assert not shown_in(found)
    assert CODE.encode() not in pickle.dumps(found)


@FACADES
@pytest.mark.parametrize("answer", RIGHT)
def test_a_page_shows_a_code_to_who_asks_alone(facade: type[Any], answer: str) -> None:
    pages = ended(facade, Answer(200, page(RIGHT[answer].body)), LISTINGS["list"])

    assert CODE in str(pages[0].items[0].order_content.reveal())
    assert not shown_in(pages)
    assert CODE.encode() not in pickle.dumps(pages)
