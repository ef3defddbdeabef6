"""`X-Request-Id`: on every answer of an API, refusals too, and on nothing else."""

from __future__ import annotations

import asyncio
import io
import re

import aiohttp
import pytest

from plexypay_async import APIError, AsyncPlexyPay, RetryPolicy, SomethingWentWrongError
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PlexyPay

from .conftest import Ask

pytestmark = pytest.mark.asyncio

SHAPE = re.compile("req_[0-9a-f]{24}")
LINK = {"amount": 100, "currency": "KZT"}
HEADER = "X-Request-Id"


async def test_every_answer_has_an_id_of_its_own(ask: Ask) -> None:
    answers = [
        await ask("POST", "/v1/payment-links", LINK),
        await ask("GET", "/v1/payment-links"),
        await ask("GET", "/v1/payment-links/pl_none"),
        await ask("POST", "/v1/payment-links", {"amount": "x"}),
        await ask("POST", "/v1/payment-links", b"{"),
        await ask("GET", "/v1/payment-links", key="wrong"),
        await ask("GET", "/v1/payment-links", key=None),
        await ask("GET", "/v1/nothing"),
        await ask("DELETE", "/v1/payment-links"),
        await ask("GET", "/v2/payments"),
        await ask("POST", "/v1/payment-links", data=io.BytesIO(b"x" * (2 << 20))),
    ]
    ids = [answer.headers.get(HEADER, "") for answer in answers]
    assert all(SHAPE.fullmatch(each) for each in ids), ids
    assert len(set(ids)) == len(answers)
    assert {answer.status for answer in answers} >= {200, 201, 401, 404, 405, 413}


@pytest.mark.parametrize(
    "path", ["/", "/_sandbox", "/_sandbox/requests", "/openapi.json", "/_sandbox/nothing"]
)
async def test_what_is_of_no_api_has_none(
    sandbox: Sandbox, session: aiohttp.ClientSession, path: str
) -> None:
    async with session.get(sandbox.base_url + path) as response:
        assert HEADER not in response.headers


async def test_a_request_by_another_name_is_refused_with_one(
    sandbox: Sandbox, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{sandbox.base_url}/v1/payment-links", headers={"Host": "elsewhere"}) as response:
        assert response.status == 403
        assert SHAPE.fullmatch(response.headers[HEADER])


@pytest.mark.parametrize(
    ("fault", "has_one"),
    [
        ("code=1,times=1", True),
        ("status=429,times=1", True),
        ("cut=body,times=1", True),
        ("status=502,body=html,times=1", False),
        ("status=503,body=message,times=1", False),
    ],
)
async def test_a_fault_of_what_is_in_between_has_none(
    sandbox: Sandbox, session: aiohttp.ClientSession, fault: str, has_one: bool
) -> None:
    sandbox.faults.add(fault)
    headers = {"Authorization": sandbox.api_key}
    async with session.get(f"{sandbox.base_url}/v1/payment-links", headers=headers) as response:
        assert (HEADER in response.headers) == has_one


async def test_programs_can_be_rehearsed_with_it(sandbox: Sandbox) -> None:
    sandbox.faults.add("code=2,operation=payment_links.retrieve")
    once = RetryPolicy(max_attempts=1)
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, retry=once) as plexy:
        answered = await plexy.payment_links.create.with_response(amount=100, currency="KZT")
        assert SHAPE.fullmatch(str(answered.request_id))
        with pytest.raises(SomethingWentWrongError) as caught:
            await plexy.payment_links.retrieve(answered.value.id)
    assert SHAPE.fullmatch(str(caught.value.request_id))


async def test_an_error_of_the_sync_client_has_it(sandbox: Sandbox) -> None:
    def refused() -> APIError:
        with PlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy, pytest.raises(APIError) as caught:
            plexy.payment_links.retrieve("pl_none")
        return caught.value

    assert SHAPE.fullmatch(str((await asyncio.to_thread(refused)).request_id))
