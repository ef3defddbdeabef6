"""What `request` refuses before anything is sent, on both facades: each message names the place."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import math
import types
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest

from plexypay_async import AsyncPlexyPay, ConfigurationError, CreatePaymentLink, Outcome, RetryPolicy
from plexypay_async._core.raw_request import raw_request
from plexypay_async._wire.codec import OperationCodec
from plexypay_async.pay.payment_links import PaymentLinks
from plexypay_sync import PlexyPay

NOWHERE = "http://127.0.0.1:1"
ONCE = RetryPolicy(max_attempts=1)


def circle() -> Any:
    made: dict[str, Any] = {"a": []}
    made["a"].append(made)
    return made


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Kind(enum.Enum):
    NOT_A_NUMBER = math.nan
    NAMED = "named"


@dataclasses.dataclass
class Row:
    amount: Any


HEADERS: dict[str, tuple[Any, str]] = {
    **{
        name: ({name: "1"}, f"^headers: {name} says how a message is sent")
        for name in (
            "Transfer-Encoding",
            "content-length",
            "HOST",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
            "HTTP2-Settings",
            "Expect",
            "Proxy-Authorization",
            "Proxy-Connection",
            "Accept-Encoding",
            "Content-Encoding",
        )
    },
    "a key": ({"AUTHORIZATION": "x"}, "^headers: Authorization is the client's own"),
    "twice": ({"X-Trace": "1", "x-trace": "2"}, "^headers: x-trace is given twice"),
    "a list": ([("X", "1")], "^headers: expected a mapping, got list"),
    "an empty list": ([], "^headers: expected a mapping, got list"),
    "text": ("X: 1", "^headers: expected a mapping, got str"),
    "a number": ({"X": 1}, "^headers: names and values must be strings"),
    "a number as a name": ({1: "1"}, "^headers: names and values must be strings"),
    "an empty name": ({"": "1"}, "^headers: '' is no header name"),
    "a break in a name": ({"X\n": "1"}, r"^headers: 'X\\n' is no header name"),
    "a break": ({"X": "1\r\nY: 2"}, r"^headers\['X'\]: has a line break"),
    "a lone feed": ({"X": "1\n"}, r"^headers\['X'\]: "),
    "a null": ({"X": "1\0"}, r"^headers\['X'\]: "),
    "a bell": ({"X": "\a"}, r"^headers\['X'\]: "),
    "a delete": ({"X": "\x7f"}, r"^headers\['X'\]: "),
    "a letter of Latin-1": ({"X": "é"}, r"^headers\['X'\]: "),
    "a letter": ({"X": "ы"}, r"^headers\['X'\]: "),
    "a surrogate": ({"X": "\ud800"}, r"^headers\['X'\]: "),
}
PARAMS: dict[str, tuple[Any, str]] = {
    "text": ("a=b", "^params: expected a mapping, got str"),
    "pairs": ([("a", "b")], "^params: expected a mapping, got list"),
    "an empty list": ([], "^params: expected a mapping, got list"),
    "a number as a name": ({1: "b"}, "name must be a string"),
    "a surrogate": ({"a": "\ud800"}, "not valid Unicode text"),
    "no number": ({"a": math.nan}, "^a: nan is no number"),
    "infinity": ({"a": [math.inf]}, "^a: inf is no number"),
    "too long a number": ({"a": 10**5000}, "^a: a number too long"),
    "an object": ({"a": object()}, "^a: "),
    "bytes": ({"a": b"b"}, "^a: "),
    "a time without a zone": ({"a": datetime(2025, 1, 1)}, "^a: "),
}
JSON: dict[str, tuple[Any, str]] = {
    "no number": ({"a": [1, math.nan]}, r"^json\['a'\]\[1\]: nan cannot be written"),
    "infinity": (-math.inf, "^json: -inf cannot be written"),
    "no number in a dataclass": ([Row(math.nan)], r"^json\[0\]\.amount: nan"),
    "no number in an enumeration": ({"a": Kind.NOT_A_NUMBER}, r"^json\['a'\]: nan"),
    "a surrogate": ({"a": "\ud800"}, r"^json\['a'\]: not valid Unicode"),
    "a surrogate in a key": ({"\udfff": 1}, "^json: a key is not valid Unicode"),
    "a key that is a number": ({"a": {1: 2}}, r"^json\['a'\]: keys must be strings, got int"),
    "a long number": ({"a": 18446744073709551617}, r"^json\['a'\]: a number of more than 64 bits"),
    "a very long number": ({"a": -(10**5000)}, r"^json\['a'\]: a number of more than 64 bits"),
    "a decimal": ({"a": Decimal("NaN")}, r"^json\['a'\]: NaN cannot"),
    "a set": ({"a": {1}}, r"^json\['a'\]: a set cannot"),
    "bytes": (b"{}", "^json: a bytes cannot"),
    "a class": (Row, "^json: a type cannot"),
    "a circle": (circle(), "nested more than 100 deep"),
    "too deep": (deep(5_000), "nested more than 100 deep"),
    "a read-only mapping": (types.MappingProxyType({}), "cannot be written as JSON"),
}
PATHS: dict[str, tuple[Any, str]] = {
    path.encode("unicode_escape").decode(): (path, "^path: ")
    for path in (
        "/v1/%2e%2e/admin",
        "/v1/%2E%2e",
        "/v1/.%2E/x",
        "/v1/%2e/x",
        "/v1/..",
        "/v1/..?a=1",
        "/v1/..;a=b/x",
        "/v1/..%2fadmin",
        "/v1/x%5C%2e%2E",
        "/v1\\..\\x",
        "/\\evil.example",
        "/v1/x\n",
        "/v1/\x00",
        "/v1/\x7f",
        "/v1/\x85",
        "/v1/\ud800",
        "/v1/x#y",
        "",
    )
}


def cases() -> list[Any]:
    made: list[Any] = []
    for argument, values in (("headers", HEADERS), ("params", PARAMS), ("json", JSON), ("path", PATHS)):
        made += [pytest.param(argument, *case, id=f"{argument}: {name}") for name, case in values.items()]
    return made


async def asked(arguments: dict[str, Any]) -> None:
    async with AsyncPlexyPay("key", base_url=NOWHERE, retry=ONCE) as plexy:
        await plexy.request(**arguments)


def asked_without_await(arguments: dict[str, Any]) -> None:
    with PlexyPay("key", base_url=NOWHERE, retry=ONCE) as plexy:
        plexy.request(**arguments)


@pytest.mark.parametrize("facade", ["async", "sync"])
@pytest.mark.parametrize(("argument", "value", "reason"), cases())
def test_what_cannot_be_sent_is_refused(facade: str, argument: str, value: Any, reason: str) -> None:
    arguments = {"method": "POST", "path": "/v1/x", argument: value}
    with pytest.raises(ConfigurationError, match=reason) as caught:
        asyncio.run(asked(arguments)) if facade == "async" else asked_without_await(arguments)
    assert caught.value.outcome is Outcome.NOT_SENT


HARMLESS: dict[str, Mapping[str, Any]] = {
    "headers": {"X-Trace": "a b\tc", "Accept": "*/*", "Content-Type": "application/merge-patch+json"},
    "params": {"a": 1.5, "b": [1, True], "c": None, "d": 2**70},
    "json": {"at": datetime(2025, 1, 1, tzinfo=UTC), "on": date(2025, 1, 1), "id": uuid.UUID(int=1)},
}


def test_what_can_be_sent_is() -> None:
    request = raw_request(
        "POST", "/v1/..x/...;/%2e%2ey", HARMLESS["params"], HARMLESS["json"], HARMLESS["headers"]
    )
    assert request.headers == HARMLESS["headers"]
    assert request.target == f"/v1/..x/...;/%2e%2ey?a=1.5&b=1&b=true&d={2**70}"
    assert request.body is not None
    assert orjson.loads(request.body)["on"] == "2025-01-01"
    more: Any = {"a": (Row(1), Kind.NAMED), "b": deep(99), "c": 2**64 - 1}
    body = raw_request("POST", "/v1/x", None, more, None).body
    assert body is not None
    assert orjson.loads(body)["c"] == 2**64 - 1


@pytest.mark.parametrize("name", ["extra", "metadata"])
@pytest.mark.parametrize(
    "case",
    [
        "no number",
        "infinity",
        "a surrogate in a key",
        "a key that is a number",
        "a long number",
        "too deep",
        "a circle",
        "a decimal",
    ],
)
def test_what_json_cannot_hold_is_refused_in_a_typed_call_too(name: str, case: str) -> None:
    value: Any = {"in": JSON[case][0]}
    with pytest.raises(ConfigurationError, match=rf"^{name}\['in'\]"):
        CreatePaymentLink(amount=1, currency="KZT", **{name: value})


def test_a_mistake_in_a_field_names_it() -> None:
    with pytest.raises(ConfigurationError, match=r"^description: not valid Unicode"):
        OperationCodec(PaymentLinks.create).encode(
            CreatePaymentLink(amount=1, currency="KZT", description="\ud800")
        )
    with pytest.raises(ConfigurationError, match=r"^description: expected a string, got int$"):
        CreatePaymentLink(amount=1, currency="KZT", description=10**5000)  # type: ignore[arg-type]
