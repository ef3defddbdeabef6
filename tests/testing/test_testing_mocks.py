"""A user's own tests with mocks: what stands in the place of a call is called, on a used client too."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from plexypay_async import AsyncPlexyPay, PaymentLink
from plexypay_async.sandbox import Sandbox
from plexypay_sync import PaymentLinks, PlexyPay

LINK = PaymentLink.from_dict(
    {"id": "pl_1", "url": "https://pay.example/pl_1", "amount": 1, "currency": "KZT", "status": "active"}
)


@pytest.mark.parametrize("is_used", [False, True])
def test_a_patch_of_the_class_takes_effect(is_used: bool, plexypay_sandbox: Sandbox) -> None:
    with PlexyPay() as plexy:
        if is_used:
            plexy.payment_links.create(amount=100, currency="KZT")
        before = len(plexypay_sandbox.payment_links())
        with mock.patch("plexypay_sync.PaymentLinks.create", return_value=LINK) as create:
            assert plexy.payment_links.create(amount=200, currency="KZT") is LINK
        create.assert_called_once_with(amount=200, currency="KZT")
        assert len(plexypay_sandbox.payment_links()) == before
        # And ends with the block.
        assert plexy.payment_links.create(amount=300, currency="KZT").amount == 300


@pytest.mark.asyncio
async def test_a_patch_of_the_class_takes_effect_on_the_async_client(plexypay_sandbox: Sandbox) -> None:
    async with AsyncPlexyPay() as plexy:
        await plexy.payment_links.create(amount=100, currency="KZT")
        with mock.patch("plexypay_async.PaymentLinks.create", mock.AsyncMock(return_value=LINK)):
            assert await plexy.payment_links.create(amount=200, currency="KZT") is LINK
    assert len(plexypay_sandbox.payment_links()) == 1


def test_a_patch_of_one_client_takes_effect_on_it_alone() -> None:
    one, other = PlexyPay("key"), PlexyPay("key")
    with mock.patch.object(one.payment_links, "create", return_value=LINK):
        assert one.payment_links.create(amount=1, currency="KZT") is LINK
        assert other.payment_links.create is not one.payment_links.create
    one.close()
    other.close()


def test_an_autospecced_client_has_its_calls() -> None:
    plexy = mock.create_autospec(PlexyPay, instance=True)
    plexy.payment_links.create.return_value = LINK
    assert plexy.payment_links.create(amount=1, currency="KZT") is LINK
    plexy.payment_links.create.assert_called_once_with(amount=1, currency="KZT")
    for group in ("payments", "transactions", "customers"):
        assert getattr(plexy, group)
    with pytest.raises(AttributeError):
        plexy.payment_links.craete(amount=1)
    with pytest.raises(AttributeError):
        plexy.payment_lonks  # noqa: B018 - looked up


def test_a_call_on_the_class_fails_loudly() -> None:
    with pytest.raises(TypeError, match=r"payment_links.create: call it on a client"):
        PaymentLinks.create(amount=1, currency="KZT")


def test_a_bound_call_is_made_once_and_looks_like_itself() -> None:
    plexy: Any = PlexyPay("key")
    assert plexy.payment_links.create is plexy.payment_links.create
    assert list(inspect.signature(plexy.payment_links.create).parameters)[:2] == ["amount", "currency"]
    plexy.close()


@pytest.mark.asyncio
async def test_aioresponses_answers_the_library(plexypay_aioresponses: Any) -> None:
    plexypay_aioresponses.get(
        "https://api.plexypay.com/v1/payment-links/pl_1",
        payload={
            "id": "pl_1",
            "url": "https://pay.example",
            "amount": 7,
            "currency": "KZT",
            "status": "active",
        },
    )
    async with AsyncPlexyPay("key") as plexy:
        assert (await plexy.payment_links.retrieve("pl_1")).amount == 7


def test_the_sandboxs_webhook_token_is_in_the_environment(plexypay_sandbox: Sandbox) -> None:
    assert os.environ["PLEXYPAY_WEBHOOK_TOKEN"] == plexypay_sandbox.webhook_token


@pytest.mark.parametrize("kind", [PlexyPay, AsyncPlexyPay])
def test_an_autospecced_client_checks_the_arguments_of_its_calls(kind: type[Any]) -> None:
    plexy: Any = mock.create_autospec(kind, instance=True)
    mistakes: tuple[Callable[[], Any], ...] = (
        lambda: plexy.payment_links.create(1, 2, foo=3),
        lambda: plexy.payment_links.create(amount=1),
        lambda: plexy.payment_links.retrieve(),
        lambda: plexy.payment_links.create_many(),
        lambda: plexy.payment_links.list(colour="red"),
        lambda: plexy.payment_links.create_or_retrieve(amount=1, currency="KZT"),
        lambda: plexy.transactions.wait(colour="red"),
    )
    for wrong in mistakes:
        with pytest.raises(TypeError):
            wrong()
    for call in (plexy.payment_links.retrieve, plexy.payment_links.create_many):
        call("pl_1")
        call.assert_called_once_with("pl_1")
        with pytest.raises(AssertionError):
            call.assert_called_once_with("pl_2")


def performed(call: Callable[[], Any]) -> None:
    """Make a call, and await what it returns where that is to be awaited."""

    async def perform() -> None:
        made = call()
        if inspect.iscoroutine(made):
            await made

    asyncio.run(perform())


@pytest.mark.parametrize("kind", [PlexyPay, AsyncPlexyPay])
def test_an_autospecced_patch_checks_the_arguments_of_its_calls(kind: type[Any]) -> None:
    plexy = kind("key")
    for patched in (
        mock.patch("plexypay_sync.PaymentLinks.create", autospec=True),
        mock.patch.object(plexy.payment_links, "create", autospec=True),
    ):
        with patched:
            with pytest.raises(TypeError):
                performed(lambda: plexy.payment_links.create(1, 2, foo=3))
            performed(lambda: plexy.payment_links.create(amount=1, currency="KZT"))
            plexy.payment_links.create.assert_called_once_with(amount=1, currency="KZT")


def test_a_declaration_has_the_signature_of_its_call() -> None:
    with PlexyPay("key") as plexy:
        bound = inspect.signature(plexy.payment_links.create)
    assert inspect.signature(PaymentLinks.create).parameters == bound.parameters
    # The class of declarations itself is as it is written.
    assert "method" in inspect.signature(type(PaymentLinks.create)).parameters
