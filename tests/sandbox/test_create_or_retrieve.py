"""One order has one link, however often it is asked for: on both facades, against the sandbox."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_asyncio

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    DeadlineExceededError,
    OrderReferenceConflictError,
    Outcome,
    OutcomeUnknownError,
    PaymentLink,
    RetryPolicy,
    UnprocessableError,
)
from plexypay_async.sandbox import Fault, Sandbox
from plexypay_sync import PlexyPay

Ensuring: TypeAlias = Callable[..., Awaitable[PaymentLink]]
ORDER: dict[str, Any] = {"amount": 500, "currency": "KZT", "order_reference": "ORD-1"}
QUICK = RetryPolicy(base=0.005, cap=0.02)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=3) as running:
        yield running


async def _async(sandbox: Sandbox, timeout: float = 30, **given: Any) -> PaymentLink:
    options: Any = {"base_url": sandbox.base_url, "retry": QUICK, "timeout": timeout}
    async with AsyncPlexyPay(sandbox.api_key, **options) as plexy:
        return await plexy.payment_links.create_or_retrieve(**given)


async def _sync(sandbox: Sandbox, timeout: float = 30, **given: Any) -> PaymentLink:
    def ensure() -> PaymentLink:
        options: Any = {"base_url": sandbox.base_url, "retry": QUICK, "timeout": timeout}
        with PlexyPay(sandbox.api_key, **options) as plexy:
            return plexy.payment_links.create_or_retrieve(**given)

    return await asyncio.to_thread(ensure)


@pytest.fixture(params=[_async, _sync], ids=["async", "sync"])
def ensured(request: pytest.FixtureRequest, sandbox: Sandbox) -> Ensuring:
    facade = request.param

    def ensure(**change: Any) -> Awaitable[PaymentLink]:
        found: Awaitable[PaymentLink] = facade(sandbox, **{**ORDER, **change})
        return found

    return ensure


@pytest.mark.asyncio
async def test_an_order_asked_for_again_has_the_link_that_it_had(ensured: Ensuring, sandbox: Sandbox) -> None:
    first = await ensured(description="as it was")
    again = await ensured(currency="kzt", description="in other words")
    assert again == first
    assert again.description == "as it was"
    assert (await ensured(order_reference="ORD-2")).id != first.id
    assert len(sandbox.payment_links()) == 2


@pytest.mark.asyncio
async def test_many_at_once_make_one_link(ensured: Ensuring, sandbox: Sandbox) -> None:
    found = await asyncio.gather(*(ensured() for _ in range(10)))
    assert len({link.id for link in found}) == 1
    assert len(sandbox.payment_links()) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"amount": 501}, "amount 500 instead of 501"),
        ({"currency": "USD"}, "currency 'KZT' instead of 'USD'"),
    ],
)
async def test_another_orders_link_is_a_conflict(
    ensured: Ensuring, change: dict[str, Any], told: str
) -> None:
    first = await ensured()
    with pytest.raises(OrderReferenceConflictError, match=told) as caught:
        await ensured(**change)
    assert first.id in str(caught.value)
    assert caught.value.outcome is Outcome.REJECTED


@pytest.mark.asyncio
async def test_a_cancelled_link_is_not_handed_out(ensured: Ensuring, sandbox: Sandbox) -> None:
    first = await ensured()
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url) as plexy:
        await plexy.payment_links.cancel(first.id)
    with pytest.raises(OrderReferenceConflictError, match="status 'cancelled'"):
        await ensured()


@pytest.mark.asyncio
async def test_another_refusal_stays_what_it_is(ensured: Ensuring, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.parse("code=5,operation=payment_links.create,times=1"))
    with pytest.raises(UnprocessableError):
        await ensured(order_reference="ORD-5")
    assert not sandbox.payment_links()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "fault", ["code=1", "code=2,work=after", "code=2,work=before", "cut=after", "cut=before"]
)
async def test_a_lost_answer_makes_no_second_link(ensured: Ensuring, sandbox: Sandbox, fault: str) -> None:
    sandbox.faults.add(Fault.parse(f"{fault},operation=payment_links.create,times=1"))
    first = await ensured()
    assert (await ensured()).id == first.id
    assert len(sandbox.payment_links()) == 1


@pytest.mark.asyncio
async def test_a_look_up_that_cannot_be_believed_leaves_it_open(ensured: Ensuring, sandbox: Sandbox) -> None:
    await ensured()
    sandbox.faults.add(Fault.parse("code=4,operation=payment_links.retrieve_by_order_reference"))
    sandbox.faults.add(Fault.parse("code=4,operation=payment_links.list"))
    with pytest.raises((OutcomeUnknownError, UnprocessableError)):
        await ensured()
    assert len(sandbox.payment_links()) == 1


@pytest.mark.asyncio
async def test_what_is_unknown_is_settled_by_the_same_call(ensured: Ensuring, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault.parse("hang=true,operation=payment_links.create"))
    sandbox.faults.add(Fault.parse("code=4,operation=payment_links.retrieve_by_order_reference"))
    with pytest.raises(DeadlineExceededError) as late:
        await ensured(timeout=0.4)
    assert late.value.outcome is Outcome.UNKNOWN
    sandbox.faults.clear()
    sandbox.faults.add(Fault.parse("cut=after,operation=payment_links.create"))
    sandbox.faults.add(Fault.parse("status=400,operation=payment_links.retrieve_by_order_reference"))
    with pytest.raises(OutcomeUnknownError) as lost:
        await ensured()
    for error in (late.value, lost.value):
        told = "The same call is safe to repeat: it finds what has the order reference 'ORD-1', or makes it."
        assert told in " ".join([str(error), *getattr(error, "__notes__", ())])
        assert "before creating it again" not in str(error)
    sandbox.faults.clear()
    assert (await ensured()).id == sandbox.payment_links()[0]["id"]
    async with AsyncPlexyPay(sandbox.api_key, base_url=sandbox.base_url, retry=QUICK) as plexy:
        sandbox.faults.add(Fault.parse("hang=true,operation=payment_links.create"))
        with pytest.raises(DeadlineExceededError, match="before creating it again"):
            await plexy.payment_links.create.with_options(timeout=0.4)(**ORDER)


@pytest.mark.asyncio
async def test_an_order_has_a_reference(ensured: Ensuring) -> None:
    with pytest.raises(ConfigurationError, match="order_reference"):
        await ensured(order_reference="")
    with pytest.raises(ConfigurationError, match="order_reference"):
        await ensured(order_reference=None)


def test_it_takes_what_create_takes() -> None:
    links = AsyncPlexyPay("key", base_url="http://127.0.0.1:9").payment_links
    ours = inspect.signature(links.create_or_retrieve).parameters
    assert ours.keys() == inspect.signature(links.create).parameters.keys()
    assert ours["order_reference"].default is inspect.Parameter.empty
