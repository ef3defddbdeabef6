"""Arguments that no call can use: the caller's mistake, said in a short message, and nothing is sent."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plexypay_async import (
    AsyncPlexyPay,
    ConfigurationError,
    ConnectError,
    CreatePaymentLink,
    OutcomeUnknownError,
    PlexyPayError,
    RetryPolicy,
    UnreadableResponseError,
)
from plexypay_async.bulk.journal import Journal
from plexypay_async.webhooks.seen import SeenWebhooks
from plexypay_sync import PlexyPay

KEY = "pr_0123456789abcdef0123456789abcdef"
NOWHERE = "http://127.0.0.1:1"
HUGE = 10**5000
"""Python refuses to write an int of so many digits."""
LARGE = 10**400
"""No float is so large."""
LONG = "x" * 1_000_000
SHORT = 700
FACADES = pytest.mark.parametrize("facade", [AsyncPlexyPay, PlexyPay], ids=["async", "sync"])


class EvilError(Exception):
    """What an object of the caller's raises."""


class EvilMapping(dict[Any, Any]):
    """A mapping that cannot be read."""

    error: type[Exception] = EvilError

    def __bool__(self) -> bool:
        return True

    def items(self) -> Any:
        raise self.error("no items")

    def __iter__(self) -> Iterator[Any]:
        raise self.error("no keys")


class EvilTypes(EvilMapping):
    """One that raises what a wrong call raises, too."""

    error = TypeError


class Unwritable:
    """An object of which no text can be made."""

    def __repr__(self) -> str:
        raise EvilError("no repr")


class EvilZone(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, _: datetime | None, /) -> Any:
        raise EvilError("no offset")

    dst = utcoffset

    def tzname(self, _: datetime | None, /) -> str | None:
        raise EvilError("no name")


class EvilPath(os.PathLike[str]):
    """A path that has no text."""

    def __fspath__(self) -> str:
        raise EvilError("no path")


ROW = CreatePaymentLink(amount=1, currency="KZT", order_reference="o")
WHEN = datetime(2030, 1, 1, tzinfo=EvilZone())
LINK: dict[str, Any] = {"amount": 1, "currency": "KZT"}

CALLS: dict[str, Callable[[Any], Any]] = {
    "journal: NUL": lambda c: c.payment_links.create_many([ROW], journal="a\0b"),
    "journal: half a character": lambda c: c.payment_links.create_many([ROW], journal="\ud800"),
    "journal: a path that raises": lambda c: c.payment_links.create_many([ROW], journal=EvilPath()),
    "max_rate: large": lambda c: c.payment_links.create_many([ROW], max_rate=LARGE),
    "max_rate: huge": lambda c: c.payment_links.create_many([ROW], max_rate=HUGE),
    "timeout: large": lambda c: c.payment_links.create_many([ROW], timeout=LARGE),
    "concurrency: huge": lambda c: c.payment_links.create_many([ROW], concurrency=HUGE),
    "links: none": lambda c: c.payment_links.create_many(None),
    "wait: timeout": lambda c: c.transactions.wait("t", timeout=LARGE),
    "wait: huge timeout": lambda c: c.transactions.wait("t", timeout=HUGE),
    "wait: interval": lambda c: c.transactions.wait("t", interval=LARGE),
    "size: huge": lambda c: c.payment_links.list(size=HUGE),
    "size: large": lambda c: c.payment_links.list(size=2**70),
    "resume: huge": lambda c: c.payment_links.list().resume(HUGE),
    "resume: an object": lambda c: c.payment_links.list().resume(Unwritable()),
    "prefetch: huge": lambda c: c.payment_links.list().prefetch(-HUGE),
    "method: huge": lambda c: c.request(HUGE, "/v1/x"),
    "method: an object": lambda c: c.request(Unwritable(), "/v1/x"),
    "params: huge": lambda c: c.request("GET", "/v1/x", params={"a": HUGE}),
    "params: a mapping": lambda c: c.request("GET", "/v1/x", params=EvilMapping(a=1)),
    "params: a mapping of types": lambda c: c.request("GET", "/v1/x", params=EvilTypes(a=1)),
    "params: a time": lambda c: c.request("GET", "/v1/x", params={"a": WHEN}),
    "json: a mapping": lambda c: c.request("POST", "/v1/x", json=EvilMapping(a=1)),
    "json: a mapping of types": lambda c: c.request("POST", "/v1/x", json=EvilTypes(a=1)),
    "headers: a mapping": lambda c: c.request("GET", "/v1/x", headers=EvilMapping(a="b")),
    "metadata: a mapping": lambda c: c.payment_links.create(**LINK, metadata=EvilMapping(a="b")),
    "extra: a mapping": lambda c: c.payment_links.create(**LINK, extra=EvilTypes(a="b")),
    "a time": lambda c: c.payment_links.create(**LINK, expires_at=WHEN),
    "a filter": lambda c: c.payment_links.list(extra=EvilMapping(a="b")),
    "amount: an object": lambda c: c.payments.refund("t", amount=Unwritable()),
    "amount: digits": lambda c: c.payments.refund("t", amount=Decimal("1" * 100_000)),
    "amount: huge": lambda c: c.payment_links.create(amount=HUGE, currency="KZT"),
    "an id: long": lambda c: c.payment_links.retrieve(LONG),
    "an id: a thousand and one": lambda c: c.payment_links.retrieve("x" * 1001),
    "an id: blanks": lambda c: c.payment_links.retrieve(" " * 1_000_000),
    "a reference in a path: long": lambda c: c.payment_links.retrieve_by_order_reference(LONG),
    "method: long": lambda c: c.request(LONG, "/v1/x"),
    "a header's name: long": lambda c: c.request("GET", "/v1/x", headers={LONG: "\n"}),
    "a proxy's header: long": lambda c: c.request("GET", "/v1/x", headers={f"Proxy-{LONG}": "a"}),
    "json: a long key": lambda c: c.request("POST", "/v1/x", json={LONG: object()}),
    "extra: a long key": lambda c: c.payment_links.create(**LINK, extra={LONG: object()}),
    "with_options: timeout": lambda c: c.with_options(timeout=LARGE),
    "with_options: paths": lambda c: c.with_options(paths=EvilMapping(a=1)),
    "with_options: a long path": lambda c: c.with_options(paths={"payment_links.create": LONG}),
}


async def _performed(call: Callable[[Any], Any]) -> None:
    async with AsyncPlexyPay(KEY, base_url=NOWHERE, retry=RetryPolicy(max_attempts=1)) as plexy:
        called = call(plexy)
        if inspect.isawaitable(called):
            await called
        elif hasattr(called, "__aiter__"):
            async for _ in called:
                pass


def _perform(facade: type[Any], call: Callable[[Any], Any]) -> None:
    if facade is AsyncPlexyPay:
        asyncio.run(_performed(call))
        return
    with PlexyPay(KEY, base_url=NOWHERE, retry=RetryPolicy(max_attempts=1)) as plexy:
        called = call(plexy)
        if hasattr(called, "__iter__"):
            list(called)


@FACADES
@pytest.mark.parametrize("name", CALLS)
def test_an_argument_that_no_call_can_use_is_refused_shortly(facade: type[Any], name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _perform(facade, CALLS[name])
    assert len(str(caught.value)) < SHORT


OPTIONS: list[dict[str, Any]] = [
    {"timeout": LARGE},
    {"connect_timeout": HUGE},
    {"max_connections": -HUGE},
    {"max_response_size": Unwritable()},
    {"paths": EvilMapping(a=1)},
    {"paths": EvilTypes(a=1)},
    {"paths": {"payment_links.create": LONG}},
    {"base_url": f"http://{LONG}"},
    {"base_url": f"https://[{LONG}"},
    {"retry": Unwritable()},
]


@FACADES
@pytest.mark.parametrize("options", OPTIONS, ids=[f"{number}" for number in range(len(OPTIONS))])
def test_an_option_that_no_client_can_use_is_refused_shortly(
    facade: type[Any], options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        facade(KEY, **options)
    assert len(str(caught.value)) < SHORT


@pytest.mark.parametrize(
    "options",
    [{"max_attempts": -HUGE}, {"base": LARGE}, {"codes": Unwritable()}, {"codes": 5}, {"codes": [[1]]}],
    ids=["attempts", "base", "an object", "an int", "lists"],
)
def test_a_policy_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        RetryPolicy(**options)


@pytest.mark.parametrize("path", ["a\0b", "\ud800", EvilPath(), 5], ids=["NUL", "half", "raises", "int"])
def test_a_file_that_cannot_be_is_refused(path: Any) -> None:
    for kind in (Journal, SeenWebhooks):
        with pytest.raises(ConfigurationError):
            kind(path)


@pytest.mark.parametrize("option", ["keep", "lease"])
def test_a_time_to_keep_events_that_cannot_be_is_refused(option: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {option: LARGE}
    with pytest.raises(ConfigurationError, match=option):
        SeenWebhooks(tmp_path / "seen.db", **options)


@FACADES
def test_what_an_argument_raised_is_the_cause(facade: type[Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"an argument cannot be used: EvilError\('no items'\)") as e:
        _perform(facade, lambda c: c.request("GET", "/v1/x", params=EvilMapping(a=1)))
    assert isinstance(e.value.__cause__, EvilError)


@FACADES
def test_a_parameter_that_there_is_not_stays_a_type_error(facade: type[Any]) -> None:
    with pytest.raises(TypeError, match="colour"):
        _perform(facade, lambda c: c.payment_links.create(**LINK, colour="red"))


@FACADES
def test_a_message_does_not_grow_with_what_was_asked_for(facade: type[Any]) -> None:
    path = f"/v1/{'y' * 100_000}"
    for call in (
        lambda c: c.request("GET", path),
        lambda c: c.request("GET", "/v1/x", params={"a": LONG}),
        lambda c: c.payment_links.create(**LINK, order_reference=LONG),
    ):
        with pytest.raises(ConnectError) as caught:
            _perform(facade, call)
        assert len(str(caught.value)) < SHORT
        assert len(caught.value.operation or "") < SHORT


@pytest.mark.parametrize(
    "kind", [PlexyPayError, ConfigurationError, OutcomeUnknownError, UnreadableResponseError]
)
def test_no_message_is_longer_than_a_page(kind: type[PlexyPayError]) -> None:
    error = kind(f"the beginning {LONG} and what to do")
    assert len(str(error)) < 4_100
    assert str(error).startswith("the beginning x")
    assert str(error).endswith("x and what to do")


@FACADES
def test_a_thousand_characters_of_an_id_are_sent(facade: type[Any]) -> None:
    with pytest.raises(ConnectError):
        _perform(facade, lambda c: c.payment_links.retrieve("x" * 1000))


def test_times_are_read_as_before() -> None:
    assert CreatePaymentLink(amount=1, currency="KZT", expires_at=datetime(2030, 1, 1, tzinfo=UTC))
