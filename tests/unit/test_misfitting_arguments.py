"""What Python says of arguments that do not fit names the call, and what may have been meant."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from plexypay_async import AsyncPlexyCheckout, AsyncPlexyGate, AsyncPlexyPay
from plexypay_sync import PlexyCheckout, PlexyGate, PlexyPay

KEY = "k3y-of-a-test"
AGENT = "6f3a1f0e-2d43-4c39-9d7f-0d9a3c4b5e6f"
OF_GATE = {"base_url": "https://gate.example", "agent_id": AGENT}
OF_CHECKOUT = {"base_url": "https://checkout.example"}
CLIENTS: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (AsyncPlexyPay, {}),
    (PlexyPay, {}),
    (AsyncPlexyGate, OF_GATE),
    (PlexyGate, OF_GATE),
    (AsyncPlexyCheckout, OF_CHECKOUT),
    (PlexyCheckout, OF_CHECKOUT),
)
EVERY_CLIENT = pytest.mark.parametrize(("kind", "given"), CLIENTS, ids=[kind.__name__ for kind, _ in CLIENTS])


def told(call: Callable[[], Any]) -> str:
    """Return what is told of a call's arguments, having looked for frames that hold them."""

    async def awaited() -> None:
        found = call()
        if inspect.isawaitable(found):
            await found

    with pytest.raises(TypeError) as caught:
        asyncio.run(awaited())
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    files = {frame.f_code.co_filename for frame in frames if "plexypay_" in frame.f_code.co_filename}
    assert files == set()
    return str(caught.value)


@EVERY_CLIENT
def test_a_misspelt_option_of_a_client_is_told(kind: type[Any], given: dict[str, Any]) -> None:
    name = kind.__name__
    begins = f"{name}() got an unexpected keyword argument"
    assert told(lambda: kind(KEY, **given, time_out=5)) == f"{begins} 'time_out'; did you mean 'timeout'?"
    assert (
        told(lambda: kind(KEY, **given, trustenv=True)) == f"{begins} 'trustenv'; did you mean 'trust_env'?"
    )
    assert told(lambda: kind(KEY, **given, colour=1)) == f"{begins} 'colour'"
    assert told(lambda: kind(KEY, "https://api.example")).startswith(
        f"{name}() takes 1 argument by position, and the others by keyword: {name}(api_key, "
    )


@EVERY_CLIENT
def test_a_misspelt_option_of_with_options_is_told(kind: type[Any], given: dict[str, Any]) -> None:
    name, client = kind.__name__, kind(KEY, **given)
    begins = f"{name}.with_options() got an unexpected keyword argument"
    assert told(lambda: client.with_options(timout=5)) == f"{begins} 'timout'; did you mean 'timeout'?"
    assert (
        told(lambda: client.with_options(proxy="x")) == f"{begins} 'proxy'; only {name}(proxy=...) takes it"
    )
    assert told(lambda: client.with_options("other-key")) == (
        f"{name}.with_options() takes its arguments by keyword: with_options(api_key=...)"
    )


@EVERY_CLIENT
def test_what_a_raw_request_does_not_take_is_told(kind: type[Any], given: dict[str, Any]) -> None:
    name, client = kind.__name__, kind(KEY, **given)
    begins = f"{name}.request() got an unexpected keyword argument"
    assert told(lambda: client.request("GET", "/x", timeout=5)) == (
        f"{begins} 'timeout'; give it by request.with_options(timeout=...)"
    )
    assert told(lambda: client.request("GET", "/x", jsn={})) == f"{begins} 'jsn'; did you mean 'json'?"
    assert inspect.iscoroutinefunction(client.request) is kind.__name__.startswith("Async")
    assert list(inspect.signature(client.request).parameters)[:2] == ["method", "path"]


PAY = pytest.mark.parametrize("kind", [AsyncPlexyPay, PlexyPay])


@PAY
@pytest.mark.parametrize("option", ["timeout", "read_timeout", "retry", "headers"])
def test_an_option_of_a_call_is_given_by_with_options(kind: type[Any], option: str) -> None:
    plexy = kind(KEY)
    advice = f"unexpected keyword argument '{option}'; give it by create.with_options({option}=...)"
    assert told(lambda: plexy.payment_links.create(amount=1, currency="KZT", **{option: 5})) == (
        f"payment_links.create() got an {advice}"
    )
    assert (
        told(lambda: plexy.direct_payments.create(**{option: 5}))
        == f"direct_payments.create() got an {advice}"
    )
    assert told(lambda: plexy.payment_links.list(time_out=5)) == (
        "payment_links.list() got an unexpected keyword argument 'time_out'; did you mean 'timeout'?"
        " give it by list.with_options(timeout=...)"
    )


@PAY
def test_what_makes_a_create_safe_to_repeat_is_named(kind: type[Any]) -> None:
    plexy = kind(KEY)
    assert told(lambda: plexy.payment_links.create(amount=1, currency="KZT", idempotency_key="a")).endswith(
        "'idempotency_key'; its order_reference is what makes it safe to repeat"
    )
    assert told(lambda: plexy.transactions.wait(idempotency_key="a")).endswith("'idempotency_key'")


@PAY
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda plexy: plexy.payment_links.create(100, "KZT"),
            "payment_links.create() takes its arguments by keyword: create(amount=..., currency=...)",
        ),
        (
            lambda plexy: plexy.payment_links.create(100, currency="KZT"),
            "payment_links.create() takes its arguments by keyword: create(amount=..., currency=...)",
        ),
        (
            lambda plexy: plexy.payment_links.retrieve("a", "b"),
            "payment_links.retrieve() takes 1 argument by position: retrieve(external_id)",
        ),
        (
            lambda plexy: plexy.merchant.retrieve("a"),
            "merchant.retrieve() takes no argument by position: retrieve()",
        ),
        (
            lambda plexy: plexy.payment_links.create_many([], 5),
            "payment_links.create_many() takes 1 argument by position, and the others by keyword:"
            " create_many(links, concurrency=...)",
        ),
        (
            lambda plexy: plexy.payment_links.create.with_options(5),
            "payment_links.create.with_options() takes its arguments by keyword: with_options(timeout=...)",
        ),
        (
            lambda plexy: plexy.payment_links.create.with_options(timout=5),
            "payment_links.create.with_options() got an unexpected keyword argument 'timout'; did you mean"
            " 'timeout'?",
        ),
    ],
)
def test_arguments_in_the_wrong_place_are_told(
    kind: type[Any], call: Callable[[Any], Any], expected: str
) -> None:
    assert told(lambda: call(kind(KEY))) == expected


def test_a_type_error_of_the_callers_own_is_left_as_it_is() -> None:
    def key() -> str:
        raise TypeError("key() got an unexpected keyword argument 'timout'")

    class Shop(PlexyPay):
        def __init__(self, **options: Any) -> None:
            super().__init__(KEY, **options)
            raise TypeError("Shop() takes 1 positional argument but 2 were given")

    with pytest.raises(TypeError, match=r"^Shop\(\) takes 1 positional argument but 2 were given$"):
        Shop()
    with pytest.raises(TypeError, match=r"^PlexyPay\(\) got .*; did you mean 'timeout'\?$"):
        Shop(timout=5)
    with PlexyPay(key) as plexy, pytest.raises(Exception, match="raised TypeError") as caught:
        plexy.merchant.retrieve()
    assert "did you mean" not in str(caught.value)


def test_no_frame_of_a_constructor_is_left_in_what_it_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLEXYPAY_API_KEY", raising=False)
    for kind in (AsyncPlexyPay, PlexyPay):
        with pytest.raises(ValueError, match="no API key") as caught:
            kind()
        written = "".join(traceback.format_exception(caught.value))
        assert "hiding.py" not in written
        assert "plexypay_async/" not in written
